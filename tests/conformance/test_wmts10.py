"""WMTS 1.0.0 in its KVP encoding: what the suite ets-wmts10 asks of a server in an unattended run, and some more.

Docstrings name the test of the suite (without its prefix `Server.KVP.GET.`); clauses are those of OGC 07-057r7.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import mapbox_vector_tile
import pytest
from lxml import etree

from tests.conformance.pictures import size
from tests.conformance.structure import OWS, WMTS, faults, parse
from tests.support.service import Service, plain_bytes
from tests.support.site import HIDDEN

ENDPOINT = "/wmts"
NAMES = {"w": "http://www.opengis.net/wmts/1.0", "o": "http://www.opengis.net/ows/1.1"}
HREF = "{http://www.w3.org/1999/xlink}href"
SCHEMA_LOCATION = "{http://www.w3.org/2001/XMLSchema-instance}schemaLocation"
MVT = "application/vnd.mapbox-vector-tile"
CAPABILITIES = {"service": "WMTS", "request": "GetCapabilities"}
MANDATORY = ("Version", "Layer", "Style", "Format", "TileMatrixSet", "TileMatrix", "TileRow", "TileCol")


def ask(site: Service, query: dict[str, Any], path: str = ENDPOINT) -> Any:
    return site.client.get(path, params=query)


def capabilities(site: Service) -> etree._Element:
    answer = ask(site, CAPABILITIES)
    assert answer.status_code == 200, answer.text
    return parse(answer.content)


def texts(element: etree._Element, path: str) -> list[str]:
    return [found.text or "" for found in element.iterfind(path, NAMES)]


def text(element: etree._Element, path: str) -> str:
    (found,) = texts(element, path)
    return found


@dataclass(frozen=True)
class Offer:
    """One tile of one layer in one style and matrix, with all formats of the layer."""

    layer: str
    style: str
    formats: tuple[str, ...]
    tms: str
    matrix: str
    rows: tuple[int, int]
    cols: tuple[int, int]
    size: tuple[int, int]

    def query(self, **changes: Any) -> dict[str, Any]:
        """The request of its first tile; a value of None leaves a parameter out."""
        query = {
            "Service": "WMTS", "Request": "GetTile", "Version": "1.0.0", "Layer": self.layer, "Style": self.style,
            "Format": self.formats[0], "TileMatrixSet": self.tms, "TileMatrix": self.matrix,
            "TileRow": self.rows[0], "TileCol": self.cols[0],
        }  # fmt: skip
        return {key: value for key, value in {**query, **changes}.items() if value is not None}


def offers(site: Service) -> Iterator[Offer]:
    """Every layer, style, matrix set and matrix of the capabilities, within the limits that they state."""
    contents = capabilities(site).find("w:Contents", NAMES)
    sets = {text(one, "o:Identifier"): one for one in contents.iterfind("w:TileMatrixSet", NAMES)}
    for layer in contents.iterfind("w:Layer", NAMES):
        styles = texts(layer, "w:Style/o:Identifier")
        for link in layer.iterfind("w:TileMatrixSetLink", NAMES):
            tms = text(link, "w:TileMatrixSet")
            matrices = {text(one, "o:Identifier"): one for one in sets[tms].iterfind("w:TileMatrix", NAMES)}
            for limit in link.iterfind("w:TileMatrixSetLimits/w:TileMatrixLimits", NAMES):
                numbers = [int(text(limit, f"w:{end}Tile{axis}")) for axis in ("Row", "Col") for end in ("Min", "Max")]
                matrix = matrices[text(limit, "w:TileMatrix")]
                yield from (
                    Offer(
                        text(layer, "o:Identifier"), style, tuple(texts(layer, "w:Format")), tms,
                        text(limit, "w:TileMatrix"), (numbers[0], numbers[1]), (numbers[2], numbers[3]),
                        (int(text(matrix, "w:TileWidth")), int(text(matrix, "w:TileHeight"))),
                    )
                    for style in styles
                )  # fmt: skip


def some_offers(site: Service) -> list[Offer]:
    """The first, a middle and the last matrix of every layer, style and set."""
    groups: dict[tuple[str, str, str], list[Offer]] = {}
    for offer in offers(site):
        groups.setdefault((offer.layer, offer.style, offer.tms), []).append(offer)
    return [group[place] for group in groups.values() for place in sorted({0, len(group) // 2, len(group) - 1})]


def an_offer(site: Service) -> Offer:
    return some_offers(site)[1]


def refused(answer: Any, code: str, locator: str | None) -> None:
    """An exception report of OWS Common 1.1 (clause 8) with HTTP status 400."""
    assert answer.status_code == 400, answer.text
    assert "xml" in answer.headers["content-type"]
    root = parse(answer.content)
    assert root.tag == f"{{{NAMES['o']}}}ExceptionReport"
    assert not list(faults(root, OWS))
    assert root.get("version")
    (exception,) = root.iterfind("o:Exception", NAMES)
    assert exception.get("exceptionCode") == code
    assert (exception.get("locator") or "").lower() == (locator or "").lower()
    assert exception.findtext("o:ExceptionText", namespaces=NAMES)


# ---------------------------------------------------------------- requests of any kind


def test_beside_the_service_there_is_none(site: Service) -> None:
    """HTTP.Mandatory: a service that does not exist is 404."""
    assert ask(site, CAPABILITIES, f"{ENDPOINT}bogus").status_code == 404


def test_a_query_that_is_none_misses_its_parameters(site: Service) -> None:
    """InvalidQueryString."""
    answer = site.client.get(f"{ENDPOINT}?request~GetCapabilities!service~!'WMTS'version~'1.0.0")
    root = parse(answer.content)
    assert answer.status_code == 400
    found = {(one.get("exceptionCode"), one.get("locator").lower()) for one in root.iterfind("o:Exception", NAMES)}
    assert found & {("MissingParameterValue", "service"), ("MissingParameterValue", "request")}


def test_another_service_is_refused(site: Service) -> None:
    """InvalidService and GetCapabilities.Request.InvalidService."""
    refused(ask(site, {**CAPABILITIES, "service": "BOGUS"}), "InvalidParameterValue", "service")


def test_an_unknown_request_is_refused(site: Service) -> None:
    """InvalidRequest."""
    refused(ask(site, {**CAPABILITIES, "request": "GetBOGUS"}), "InvalidParameterValue", "request")


# ---------------------------------------------------------------- GetCapabilities


def test_capabilities_without_service_are_refused(site: Service) -> None:
    """GetCapabilities.Request.NoService."""
    refused(ask(site, {"request": "GetCapabilities"}), "MissingParameterValue", "service")


def test_capabilities_have_all_sections(site: Service) -> None:
    """GetCapabilities.Request.Mandatory, Response.XML.Well.Formed and Response.SchemaValid."""
    root = capabilities(site)
    assert root.tag == f"{{{NAMES['w']}}}Capabilities"
    assert root.get("version") == "1.0.0"
    assert not list(faults(root, WMTS))
    for section in ("o:ServiceIdentification", "o:ServiceProvider", "o:OperationsMetadata", "w:Contents"):
        assert root.find(section, NAMES) is not None, section
    assert text(root, "o:ServiceIdentification/o:ServiceType") == "OGC WMTS"
    assert "1.0.0" in texts(root, "o:ServiceIdentification/o:ServiceTypeVersion")


def test_capabilities_name_their_schema(site: Service) -> None:
    """GetCapabilities.Response.SchemaReferenced."""
    space, place = capabilities(site).get(SCHEMA_LOCATION).split()[:2]
    assert space == NAMES["w"]
    assert place.endswith(("/wmts.xsd", "/wmtsGetCapabilities_response.xsd"))


def test_names_of_parameters_have_no_case_and_no_order(site: Service) -> None:
    """GetCapabilities.Request.CaseInsensitive.KVP.Names: the same document each time."""
    queries = (
        {"service": "WMTS", "request": "GetCapabilities", "version": "1.0.0"},
        {"VERSION": "1.0.0", "REQUEST": "GetCapabilities", "SERVICE": "WMTS"},
        {"rEqUeSt": "GetCapabilities", "SeRvIcE": "WMTS", "vErSiOn": "1.0.0"},
    )
    assert len({ask(site, query).content for query in queries}) == 1


def operations(site: Service) -> dict[str, etree._Element]:
    found = capabilities(site).iterfind("o:OperationsMetadata/o:Operation", NAMES)
    return {operation.get("name"): operation for operation in found}


def test_capabilities_are_offered_as_application_xml(site: Service) -> None:
    """GetCapabilities.Response.AdvertisedFormat."""
    parameter = operations(site)["GetCapabilities"].find("o:Parameter[@name='AcceptFormats']", NAMES)
    assert "application/xml" in texts(parameter, "o:AllowedValues/o:Value")
    assert ask(site, CAPABILITIES).headers["content-type"].partition(";")[0] in ("application/xml", "text/xml")


def test_addresses_of_operations_are_prefixes(site: Service) -> None:
    """GetCapabilities.Response.OnlineResource and Response.Encoding.Constraint."""
    found = operations(site)
    assert {"GetCapabilities", "GetTile"} <= set(found)
    for operation in found.values():
        ways = []
        for get in operation.iterfind("o:DCP/o:HTTP/o:Get", NAMES):
            encodings = texts(get, "o:Constraint[@name='GetEncoding']/o:AllowedValues/o:Value")
            ways += encodings
            if "KVP" in encodings:
                assert get.get(HREF).endswith(("?", "&"))
                assert urlsplit(get.get(HREF)).path == ENDPOINT
        assert "KVP" in ways


def test_identifiers_are_unique(site: Service) -> None:
    """Layer.Identifiers.Unique, Style.-, TileMatrixSet.-, TileMatrix.Identifiers.Unique, ScaleDenominators.Unique."""
    contents = capabilities(site).find("w:Contents", NAMES)

    def unique(values: list[str]) -> bool:
        return bool(values) and Counter(values).most_common(1)[0][1] == 1

    assert unique(texts(contents, "w:Layer/o:Identifier"))
    assert unique(texts(contents, "w:TileMatrixSet/o:Identifier"))
    for layer in contents.iterfind("w:Layer", NAMES):
        assert unique(texts(layer, "w:Style/o:Identifier"))
    for tms in contents.iterfind("w:TileMatrixSet", NAMES):
        assert unique(texts(tms, "w:TileMatrix/o:Identifier"))
        assert unique([f"{float(scale):.9g}" for scale in texts(tms, "w:TileMatrix/w:ScaleDenominator")])


def test_layers_use_sets_that_are_defined(site: Service) -> None:
    """GetCapabilities.Response.Layer.TileMatrixSet.Valid; limits lie within their matrix (clause 7.1.1.4)."""
    contents = capabilities(site).find("w:Contents", NAMES)
    sets = {text(one, "o:Identifier"): one for one in contents.iterfind("w:TileMatrixSet", NAMES)}
    assert set(texts(contents, "w:Layer/w:TileMatrixSetLink/w:TileMatrixSet")) <= set(sets)
    for offer in offers(site):
        (matrix,) = [one for one in sets[offer.tms].iterfind("w:TileMatrix", NAMES)
                     if text(one, "o:Identifier") == offer.matrix]  # fmt: skip
        assert 0 <= offer.rows[0] <= offer.rows[1] < int(text(matrix, "w:MatrixHeight"))
        assert 0 <= offer.cols[0] <= offer.cols[1] < int(text(matrix, "w:MatrixWidth"))


def test_what_nobody_may_see_is_not_listed(site: Service) -> None:
    """Ours: the layers are those of the collections that the asker may see."""
    listed = set(texts(capabilities(site), "w:Contents/w:Layer/o:Identifier"))
    assert {"spot", "field", "way", "relief"} <= listed
    assert HIDDEN not in listed
    assert HIDDEN not in ask(site, CAPABILITIES).text


def test_legends_are_what_is_said_of_them(site: Service) -> None:
    """GetCapabilities.Response.Layer.LegendURL.Correct.Resource, -.Format and -.Size."""
    for legend in capabilities(site).iterfind("w:Contents/w:Layer/w:Style/w:LegendURL", NAMES):
        answer = site.client.get(legend.get(HREF))
        assert answer.headers["content-type"] == legend.get("format")
        assert size(answer.content) == (int(legend.get("width")), int(legend.get("height")))


# ---------------------------------------------------------------- GetTile


def test_tiles_are_served_in_every_style_set_and_format(site: Service) -> None:
    """GetTile.Mandatory, Valid.Tile.Format and Valid.Tile.Size."""
    drawn = 0
    for offer in some_offers(site):
        for media in offer.formats:
            answer = ask(site, offer.query(Format=media, TileRow=offer.rows[1], TileCol=offer.cols[1]))
            assert answer.status_code == 200, (offer, media, answer.text)
            assert answer.headers["content-type"].partition(";")[0] == media.partition(";")[0]
            if media == MVT:
                drawn += len(mapbox_vector_tile.decode(plain_bytes(answer)))
            else:
                assert size(answer.content) == offer.size
                drawn += 1
    assert drawn > 10


@pytest.mark.parametrize("parameter", MANDATORY)
def test_a_missing_parameter_is_named(site: Service, parameter: str) -> None:
    """GetTile.Missing."""
    refused(ask(site, an_offer(site).query(**{parameter: None})), "MissingParameterValue", parameter)


@pytest.mark.parametrize("parameter", ["Layer", "Style", "Format", "TileMatrixSet", "TileMatrix"])
def test_a_value_that_is_not_offered_is_refused(site: Service, parameter: str) -> None:
    """GetTile.Invalid.Layer, -.Tile.Style, -.Tile.Format, -.TileMatrixSet and -.TileMatrix."""
    refused(ask(site, an_offer(site).query(**{parameter: "BOGUS"})), "InvalidParameterValue", parameter)


def test_a_hidden_layer_is_as_unknown_as_any(site: Service) -> None:
    """Ours: not to be told from a layer that does not exist."""
    hidden, bogus = (ask(site, an_offer(site).query(Layer=name)) for name in (HIDDEN, "x" * len(HIDDEN)))
    refused(hidden, "InvalidParameterValue", "Layer")
    assert hidden.text.replace(HIDDEN, "x" * len(HIDDEN)) == bogus.text


@pytest.mark.parametrize("parameter", ["TileRow", "TileCol"])
@pytest.mark.parametrize("value", [-1, 2**31 - 1, 10**30, "x"])
def test_a_row_or_column_outside_is_out_of_range(site: Service, parameter: str, value: object) -> None:
    """GetTile.Invalid.Tile.Row.No.TileMatrixSetLimits and -.Col.-; what is no number may be called invalid."""
    answer = ask(site, an_offer(site).query(**{parameter: value}))
    if value == "x" and b"InvalidParameterValue" in answer.content:
        refused(answer, "InvalidParameterValue", parameter)
    else:
        refused(answer, "TileOutOfRange", parameter)


def test_links_of_the_capabilities_lead_back(site: Service) -> None:
    """Clause 7.1.1.1: the address of the service metadata gives the same document."""
    root = capabilities(site)
    for link in root.iterfind("w:ServiceMetadataURL", NAMES):
        address = urlsplit(link.get(HREF))
        answer = ask(site, dict(parse_qsl(address.query)), address.path)
        assert answer.status_code == 200
        assert parse(answer.content).tag == root.tag


def test_templates_give_the_same_tile(site: Service) -> None:
    """Clause 10: the RESTful template of a layer, filled in, gives the tile of the KVP request."""
    filled = 0
    offer = an_offer(site)
    layers = capabilities(site).iterfind("w:Contents/w:Layer", NAMES)
    (layer,) = [one for one in layers if text(one, "o:Identifier") == offer.layer]
    for resource in layer.iterfind("w:ResourceURL[@resourceType='tile']", NAMES):
        address = resource.get("template")
        values = {"Style": offer.style, "style": offer.style, "TileMatrixSet": offer.tms, "TileMatrix": offer.matrix,
                  "TileRow": offer.rows[0], "TileCol": offer.cols[0]}  # fmt: skip
        for name, value in values.items():
            address = address.replace("{" + name + "}", str(value))
        assert "{" not in address
        answer = site.client.get(address)
        assert answer.status_code == 200
        assert answer.content == ask(site, offer.query(Format=resource.get("format"))).content
        filled += 1
    assert filled == len(offer.formats)
