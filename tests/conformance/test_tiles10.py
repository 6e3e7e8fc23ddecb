"""OGC API Tiles Part 1: what the suite ets-ogcapi-tiles10 asks, asked of every tileset that there is.

The suite follows the first link it finds; these tests follow all of them. Docstrings name the class and method of the
suite, and the requirement of OGC 20-057 behind it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import mapbox_vector_tile
import pytest
from openapi_spec_validator import validate

from tests.support.service import Service, plain_bytes

CORE = "http://www.opengis.net/spec/ogcapi-tiles-1/1.0/conf/core"
TILESETS = "http://www.opengis.net/def/rel/ogc/1.0/tilesets-"
VARIABLES = ("{tileMatrix}", "{tileRow}", "{tileCol}")
OPENAPI = "application/vnd.oai.openapi+json;version=3.0"
EXTENT, BUFFER = 4096, 64
Json = dict[str, Any]


def fetched(site: Service, address: str) -> Json:
    """A JSON document, as the suite asks for it."""
    answer = site.client.get(address, headers={"Accept": "application/json"})
    assert answer.status_code == 200, (address, answer.text)
    body: Json = answer.json()
    return body


def links_to_lists(site: Service) -> Iterator[tuple[str, Json]]:
    """Every link to a list of tilesets, with the place where it was found."""
    places = [("landing page", fetched(site, "/"))]
    places += [(body["id"], body) for body in fetched(site, "/collections")["collections"]]
    for place, body in places:
        yield from ((place, link) for link in body["links"] if link["rel"].startswith(TILESETS))


def tilesets(site: Service) -> list[tuple[Json, Json]]:
    """Every tileset as its list shows it and as its own document says it."""
    found = []
    for _, link in links_to_lists(site):
        for entry in fetched(site, link["href"])["tilesets"]:
            (self_link,) = [one for one in entry["links"] if one["rel"] == "self"]
            found.append((entry, fetched(site, self_link["href"])))
    return found


def templates(document: Json) -> list[str]:
    return [link["href"] for link in document["links"] if all(name in link["href"] for name in VARIABLES)]


def address(template: str, matrix: object, row: int, col: int) -> str:
    for name, value in zip(VARIABLES, (matrix, row, col), strict=True):
        template = template.replace(name, str(value))
    return template


def vector_limits(site: Service) -> Iterator[tuple[str, Json]]:
    """Templates of vector tiles, each with all its limits."""
    for entry, document in tilesets(site):
        if entry["dataType"] == "vector":
            for template in templates(document):
                yield from ((template, limit) for limit in document.get("tileMatrixSetLimits", []))


def test_the_service_declares_the_core(site: Service) -> None:
    """conformance.Conformance.validateConformanceOperationAndResponse (/req/core/conformance-success)."""
    classes = fetched(site, "/conformance")["conformsTo"]
    assert all(isinstance(one, str) for one in classes)
    assert CORE in classes


def test_the_landing_page_links_to_the_tilesets_of_the_data_set(site: Service) -> None:
    """datasettilesets.LandingPage.landingPageRetrieval (/req/dataset-tilesets/landingpage)."""
    (href,) = [link["href"] for place, link in links_to_lists(site) if place == "landing page"]
    assert urlsplit(href).path == "/tiles"
    assert CORE.replace("/core", "/dataset-tilesets") in fetched(site, "/conformance")["conformsTo"]
    assert fetched(site, href)["tilesets"]


def test_collections_link_to_their_tilesets(site: Service) -> None:
    """geodatatilesets.GeospatialDataResource, both methods (/req/geodata-tilesets/desc-links and /operation)."""
    found = {place: urlsplit(link["href"]).path for place, link in links_to_lists(site) if place != "landing page"}
    assert set(found) == {"spot", "field", "way", "relief"}
    assert all(path.endswith("/tiles") for path in found.values())
    for _, link in links_to_lists(site):
        assert fetched(site, link["href"])["tilesets"]


def test_lists_say_what_a_client_needs_to_choose(site: Service) -> None:
    """tilesetslist.TilesetLlinks.validateTilesetsListResponse (/req/tilesets-list/tileset-links)."""
    for entry, document in tilesets(site):
        for name in ("dataType", "crs", "tileMatrixSetURI"):
            assert entry[name]
            assert document[name] == entry[name]


def test_every_link_of_a_list_is_a_json_document(site: Service) -> None:
    """conformance.Tile.processTilesResponse asks each of them, whatever its relation."""
    for entry, _ in tilesets(site):
        for link in entry["links"]:
            assert fetched(site, link["href"])


@pytest.mark.parametrize("name", VARIABLES)
def test_tilesets_have_templates(site: Service, name: str) -> None:
    """conformance.Tile.validateTileMatrix-, Row- and ColDefinitionIsAvailable (/req/core/tc-tilematrix-definition)."""
    for _, document in tilesets(site):
        assert templates(document)
        assert all(name in template for template in templates(document))


def test_the_first_tile_of_every_limit_is_there(site: Service) -> None:
    """conformance.Tile.validateSuccessfulTilesExecutionFollowingLinks (/req/core/tc-success): 200, or 204."""
    seen = set()
    for template, limit in vector_limits(site):
        answer = site.client.get(address(template, limit["tileMatrix"], limit["maxTileRow"], limit["minTileCol"]))
        assert answer.status_code in (200, 204), answer.text
        seen.add(answer.status_code)
    assert 200 in seen


def test_features_lie_in_their_tile(site: Service) -> None:
    """conformance.Tile.checkFeature decodes the tiles of WebMercatorQuad; at matrix 0 nothing lies beyond the edge."""
    drawn = 0
    for template, limit in vector_limits(site):
        answer = site.client.get(address(template, limit["tileMatrix"], limit["maxTileRow"], limit["minTileCol"]))
        margin = 0 if limit["tileMatrix"] == "0" else BUFFER
        for layer in mapbox_vector_tile.decode(plain_bytes(answer)).values():
            assert layer["extent"] == EXTENT
            for feature in layer["features"]:
                numbers = re.findall(r"-?\d+", str(feature["geometry"]["coordinates"]))
                assert all(-margin <= int(number) <= EXTENT + margin for number in numbers)
                drawn += 1
    assert drawn > 10


def test_beyond_the_limits_there_is_no_tile(site: Service) -> None:
    """conformance.Tile.validateTilesErrorConditions (/req/core/tc-error): 404 or 400, on all four sides."""
    refused = 0
    for template, limit in vector_limits(site):
        matrix = limit["tileMatrix"]
        for row, col in (
            (limit["maxTileRow"] + 1, limit["minTileCol"]),
            (limit["maxTileRow"], limit["maxTileCol"] + 1),
            (limit["minTileRow"] - 1, limit["minTileCol"]),
            (limit["minTileRow"], limit["minTileCol"] - 1),
        ):
            answer = site.client.get(address(template, matrix, row, col))
            # The buffer of a feature at the very edge reaches over it: what is drawn is never refused.
            assert answer.status_code in (404, 400) or answer.content, (template, matrix, row, col)
            refused += answer.status_code in (404, 400)
    assert refused > 100


def test_huge_indices_are_refused(site: Service) -> None:
    """core.MandatoryCore.verifyErrorResponses (/req/core/tc-error) asks for the largest integer of Java."""
    for _, document in tilesets(site):
        for template in templates(document):
            assert site.client.get(address(template, 3, 2147483647, 2147483647)).status_code in (404, 400)


def test_addresses_name_a_registered_set(site: Service) -> None:
    """core.MandatoryCore.verifyMinimalConformance: the id of the registered set follows `/tiles/` in the template."""
    registered = "http://www.opengis.net/def/tilematrixset/OGC/1.0/"
    for _, document in tilesets(site):
        uri = document["tileMatrixSetURI"]
        if uri.startswith(registered):
            assert all(f"/tiles/{uri.removeprefix(registered)}" in template for template in templates(document))


def test_tile_matrix_sets_are_defined(site: Service) -> None:
    """tileset.TileSet.validateTilesetResponse: each listed set leads to its matrices."""
    listed = fetched(site, "/tileMatrixSets")["tileMatrixSets"]
    assert listed
    for entry in listed:
        for link in entry["links"]:
            assert fetched(site, link["href"])["tileMatrices"]


def openapi(site: Service) -> Json:
    links = [one for one in fetched(site, "/")["links"] if one["rel"] == "service-desc" and one["type"] == OPENAPI]
    answer = site.client.get(links[0]["href"], headers={"Accept": OPENAPI})
    assert answer.status_code == 200
    body: Json = answer.json()
    return body


def test_the_description_is_valid(site: Service) -> None:
    """apidefinition.ApiDefinition.apiDefinitionValidation (/req/oas30/completeness), with another validator."""
    document = openapi(site)
    assert document["openapi"].startswith("3.0")
    validate(document)


def test_operations_carry_the_names_of_the_standard(site: Service) -> None:
    """apidefinition.ApiDefinition.apiDefinitionOperationIdValidation (/req/oas30/operation-id)."""
    paths = openapi(site)["paths"]
    kinds = {"": ".getTileSetsList", "/{set}": ".getTileSet", "/{set}/{z}/{row}/{col}": ".getTile"}
    named = 0
    for path, operations in paths.items():
        tail = re.fullmatch(r"(.*?)(/map)?/tiles((/\{\w+\})*)", path)
        if tail is None or tail[1] not in ("", "/collections/{collection_id}") or "get" not in operations:
            continue
        depth = tail[3].count("/")
        kind = next(name for shape, name in kinds.items() if shape.count("/") == depth)
        owner = "collection" if tail[1].startswith("/collections/") else "dataset"
        assert operations["get"]["operationId"].endswith(f".{owner}.{'map' if tail[2] else 'vector'}{kind}")
        named += 1
    assert named >= 6
    assert paths["/tileMatrixSets"]["get"]["operationId"].endswith(".getTileMatrixSetsList")
    assert paths["/tileMatrixSets/{tile_matrix_set}"]["get"]["operationId"].endswith(".getTileMatrixSet")
