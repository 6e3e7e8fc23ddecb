"""Metadata of tilesets with several collections: who sees what in them, and that their links lead to their tiles."""

from __future__ import annotations

from typing import Any

import mapbox_vector_tile
import pytest

from layers.access import Clearance
from tests.support.service import Service, plain_bytes

TOP = Clearance.RESTRICTED
VARIABLES = ("{tileMatrix}", "{tileRow}", "{tileCol}")


def tileset(service: Service, names: str, tms: str = "WebMercatorQuad", asker: Clearance | None = TOP) -> Any:
    answer = service.get(f"/tiles/{tms}?collections={names}", asker)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_limits_are_those_around_all_layers(service: Service) -> None:
    """Each layer's own limits lie within them, and one layer touches each side."""
    together = {one["tileMatrix"]: one for one in tileset(service, "spot,area,way")["tileMatrixSetLimits"]}
    each = [
        service.get(f"/collections/{name}/tiles/WebMercatorQuad", TOP).json()["tileMatrixSetLimits"]
        for name in ("spot", "area", "way")
    ]
    assert set(together) == {one["tileMatrix"] for limits in each for one in limits}
    for level, whole in together.items():
        own = [one for limits in each for one in limits if one["tileMatrix"] == level]
        for end, outermost in (("min", min), ("max", max)):
            for axis in ("TileRow", "TileCol"):
                assert whole[end + axis] == outermost(one[end + axis] for one in own)


@pytest.mark.parametrize("tms", ["WebMercatorQuad", "CGCS2000Quad"])
def test_the_template_leads_to_tiles_with_these_layers(service: Service, tms: str) -> None:
    body = tileset(service, "spot,way", tms)
    assert [layer["id"] for layer in body["layers"]] == ["spot", "way"]
    (template,) = [link["href"] for link in body["links"] if all(name in link["href"] for name in VARIABLES)]
    limit = next(one for one in body["tileMatrixSetLimits"] if one["tileMatrix"] == "8")
    for name, value in zip(VARIABLES, (8, limit["minTileRow"], limit["minTileCol"]), strict=True):
        template = template.replace(name, str(value))
    answer = service.get(template, TOP)
    assert set(mapbox_vector_tile.decode(plain_bytes(answer))) == {"spot", "way"}


def test_links_of_the_list_keep_the_collections(service: Service) -> None:
    for entry in service.get("/tiles?collections=spot,area&lang=zh", TOP).json()["tilesets"]:
        own = service.get(entry["links"][0]["href"], TOP).json()
        assert [layer["id"] for layer in own["layers"]] == ["spot", "area"]
        assert own["tileMatrixSetURI"] == entry["tileMatrixSetURI"]


def test_beyond_the_limits_of_all_there_is_no_tile(service: Service) -> None:
    limit = next(one for one in tileset(service, "spot,area")["tileMatrixSetLimits"] if one["tileMatrix"] == "12")
    inside = f"/tiles/WebMercatorQuad/12/{limit['maxTileRow']}/{limit['maxTileCol']}?collections=spot"
    assert service.get(inside, TOP).status_code in (200, 204)
    for row, col in (
        (limit["maxTileRow"] + 1, limit["minTileCol"]),
        (limit["minTileRow"], limit["minTileCol"] - 1),
        (0, 0),
    ):
        assert service.get(f"/tiles/WebMercatorQuad/12/{row}/{col}?collections=spot,area", TOP).status_code == 404


@pytest.mark.parametrize("path", ["/tiles", "/tiles/WebMercatorQuad"])
@pytest.mark.parametrize("names", ["area", "spot,area", "nothing", "reading", "spot,spot", "", "a/b"])
def test_what_may_not_be_seen_or_is_none_is_refused(service: Service, path: str, names: str) -> None:
    answer = service.get(f"{path}?collections={names}")
    assert answer.status_code == (400 if names in ("spot,spot", "") else 404)
    hidden = service.get(f"{path}?collections=" + names.replace("area", "zzzz"))
    assert hidden.text.replace("zzzz", "area") == answer.text


def test_limits_do_not_tell_of_hidden_rows(service: Service) -> None:
    """The extent is that of the rows the asker may see: the last points of the diagonal are above the public."""
    box = {asker: tileset(service, "spot", asker=asker)["boundingBox"] for asker in (None, TOP)}
    assert box[None]["upperRight"] < box[TOP]["upperRight"]


def test_an_unknown_set_is_unknown(service: Service) -> None:
    assert service.get("/tiles/NoSuchSet").status_code == 404
