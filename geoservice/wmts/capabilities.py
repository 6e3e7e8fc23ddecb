"""The description of the tile service for one asker (OGC 07-057r7, 7.1.1; OWS Common 1.1)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lxml import etree

from geoservice.features.state import LayerState
from geoservice.wmts.asked import VERSION
from geoservice.wmts.info import INFO_FORMATS
from geoservice.wmts.tile import STYLE, Drawn, endings_of, formats_of
from layers.model import Text
from tiles.grid import WEB_MERCATOR_QUAD
from tiles.sets.document import CRS84_NAMES
from tiles.sets.model import Matrix, MatrixSet

WMTS, OWS = "http://www.opengis.net/wmts/1.0", "http://www.opengis.net/ows/1.1"
XLINK, XSI = "http://www.w3.org/1999/xlink", "http://www.w3.org/2001/XMLSchema-instance"
SCHEMA = "http://schemas.opengis.net/wmts/1.0/wmtsGetCapabilities_response.xsd"
XML = "application/xml"
_LANG = "{http://www.w3.org/XML/1998/namespace}lang"
_TITLE = Text(zh="地理信息服务", en="geoservice")
_ABSTRACT = Text(
    zh="开放空间地理信息服务的瓦片：网络墨卡托、CGCS2000 经纬度和高斯-克吕格投影带。",
    en="Tiles of the open geospatial service: Web Mercator, longitude and latitude of CGCS2000, Gauss-Krueger zones.",
)
_SCALE_SET = "urn:ogc:def:wkss:OGC:1.0:GoogleMapsCompatible"
Element = etree._Element


@dataclass(frozen=True)
class Offer:
    """A layer, its state for the asker, and the sets in which it has tiles."""

    layer: Drawn
    state: LayerState
    grids: Sequence[MatrixSet]


def capabilities(address: str, offers: Sequence[Offer]) -> bytes:
    """The document as XML.

    Args:
        address: Address of the service, without a query and without a slash at the end.
        offers: What the asker may see.
    """
    names = {None: WMTS, "ows": OWS, "xlink": XLINK, "xsi": XSI}
    root = etree.Element(f"{{{WMTS}}}Capabilities", nsmap=names, version=VERSION)
    root.set(f"{{{XSI}}}schemaLocation", f"{WMTS} {SCHEMA}")
    _identification(root)
    _provider(root, address)
    _operations(root, address)
    contents = etree.SubElement(root, f"{{{WMTS}}}Contents")
    for offer in offers:
        _layer(contents, address, offer)
    used = {grid.id: grid for offer in offers for grid in offer.grids}
    for grid in used.values():
        _set(contents, grid)
    link = etree.SubElement(root, f"{{{WMTS}}}ServiceMetadataURL")
    link.set(f"{{{XLINK}}}href", f"{address}/{VERSION}/WMTSCapabilities.xml")
    return bytes(etree.tostring(root, xml_declaration=True, encoding="UTF-8"))


def _ows(parent: Element, name: str, text: str | None = None, attributes: Mapping[str, str] | None = None) -> Element:
    made = etree.SubElement(parent, f"{{{OWS}}}{name}", dict(attributes or {}))
    made.text = text
    return made


def _wmts(parent: Element, name: str, text: str | None = None, attributes: Mapping[str, str] | None = None) -> Element:
    made = etree.SubElement(parent, f"{{{WMTS}}}{name}", dict(attributes or {}))
    made.text = text
    return made


def _described(parent: Element, title: Text, abstract: Text | None) -> None:
    for name, text in (("Title", title), ("Abstract", abstract)):
        for language in ("zh", "en") if text is not None else ():
            _ows(parent, name, _printable(text.of(language)) if text else None, {_LANG: language})


def _printable(text: str) -> str:
    """XML cannot carry control characters."""
    return "".join(char if char.isprintable() else " " for char in text)


def _identification(root: Element) -> None:
    part = _ows(root, "ServiceIdentification")
    _described(part, _TITLE, _ABSTRACT)
    _ows(part, "ServiceType", "OGC WMTS")
    _ows(part, "ServiceTypeVersion", VERSION)
    _ows(part, "Fees", "none")
    _ows(part, "AccessConstraints", "none")


def _provider(root: Element, address: str) -> None:
    part = _ows(root, "ServiceProvider")
    _ows(part, "ProviderName", _TITLE.en)
    _ows(part, "ProviderSite", None, {f"{{{XLINK}}}href": address.removesuffix("/wmts") + "/"})
    _ows(part, "ServiceContact")


def _operations(root: Element, address: str) -> None:
    part = _ows(root, "OperationsMetadata")
    for name in ("GetCapabilities", "GetTile", "GetFeatureInfo"):
        operation = _ows(part, "Operation", None, {"name": name})
        http = _ows(_ows(operation, "DCP"), "HTTP")
        for encoding, href in (("KVP", f"{address}?"), ("RESTful", f"{address}/{VERSION}/")):
            get = _ows(http, "Get", None, {f"{{{XLINK}}}href": href})
            _values(get, "Constraint", "GetEncoding", encoding)
        if name == "GetCapabilities":
            _values(operation, "Parameter", "AcceptFormats", XML)


def _values(parent: Element, kind: str, name: str, value: str) -> None:
    _ows(_ows(_ows(parent, kind, None, {"name": name}), "AllowedValues"), "Value", value)


def _layer(contents: Element, address: str, offer: Offer) -> None:
    layer, extent = offer.layer, offer.state.extent
    own = _wmts(contents, "Layer")
    _described(own, layer.title, layer.abstract)
    if extent is not None:
        west, east = (extent.west, extent.east) if extent.west <= extent.east else (-180.0, 180.0)
        box = _ows(own, "WGS84BoundingBox")
        _ows(box, "LowerCorner", f"{west!r} {extent.south!r}")
        _ows(box, "UpperCorner", f"{east!r} {extent.north!r}")
    _ows(own, "Identifier", layer.name)
    style = _wmts(own, "Style", None, {"isDefault": "true"})
    _ows(style, "Identifier", STYLE)
    for media in formats_of(layer):
        _wmts(own, "Format", media)
    for media in INFO_FORMATS:
        _wmts(own, "InfoFormat", media)
    for grid in offer.grids:
        _link(own, grid, offer)
    for ending, media in endings_of(layer).items():
        place = f"{address}/{VERSION}/{layer.name}/{STYLE}/{{TileMatrixSet}}/{{TileMatrix}}/{{TileRow}}/{{TileCol}}"
        resource = {"resourceType": "tile", "format": media, "template": f"{place}.{ending}"}
        _wmts(own, "ResourceURL", None, resource)


def _link(own: Element, grid: MatrixSet, offer: Offer) -> None:
    link = _wmts(own, "TileMatrixSetLink")
    _wmts(link, "TileMatrixSet", grid.id)
    if offer.state.extent is None:
        return
    tiles = offer.layer.tiles
    found = grid.limits(offer.state.extent, grid.levels(tiles.from_, tiles.to))
    if not found:
        return
    limits = _wmts(link, "TileMatrixSetLimits")
    for one in found:
        entry = _wmts(limits, "TileMatrixLimits")
        _wmts(entry, "TileMatrix", str(one["tileMatrix"]))
        for name in ("MinTileRow", "MaxTileRow", "MinTileCol", "MaxTileCol"):
            _wmts(entry, name, str(one[name[0].lower() + name[1:]]))


def _set(contents: Element, grid: MatrixSet) -> None:
    part = _wmts(contents, "TileMatrixSet")
    _described(part, grid.title, None)
    _ows(part, "Identifier", grid.id)
    _ows(part, "SupportedCRS", _urn(grid))
    if grid.id == WEB_MERCATOR_QUAD:
        _wmts(part, "WellKnownScaleSet", _SCALE_SET)
    for matrix in grid.matrices.values():
        _matrix(part, grid, matrix)


def _urn(grid: MatrixSet) -> str:
    return "urn:ogc:def:crs:OGC:1.3:CRS84" if grid.crs_uri in CRS84_NAMES else f"urn:ogc:def:crs:EPSG::{grid.srid}"


def _matrix(part: Element, grid: MatrixSet, matrix: Matrix) -> None:
    entry = _wmts(part, "TileMatrix")
    _ows(entry, "Identifier", str(matrix.level))
    _wmts(entry, "ScaleDenominator", repr(matrix.scale))
    # In the order of the axes of the CRS: its name is a URN of the registry.
    corner = (matrix.north, matrix.west) if grid.crs.axis_info[0].direction == "north" else (matrix.west, matrix.north)
    _wmts(entry, "TopLeftCorner", f"{corner[0]!r} {corner[1]!r}")
    for name, value in (("TileWidth", matrix.size), ("TileHeight", matrix.size)):
        _wmts(entry, name, str(value))
    for name, value in (("MatrixWidth", matrix.width), ("MatrixHeight", matrix.height)):
        _wmts(entry, name, str(value))


def report(detail: str, code: str, locator: str | None) -> bytes:
    """An exception report (OWS Common 1.1, clause 8)."""
    root = etree.Element(f"{{{OWS}}}ExceptionReport", nsmap={"ows": OWS}, version="1.1.0")
    root.set(_LANG, "en")
    exception = _ows(root, "Exception", None, {"exceptionCode": code} | ({"locator": locator} if locator else {}))
    _ows(exception, "ExceptionText", _printable(detail))
    return bytes(etree.tostring(root, xml_declaration=True, encoding="UTF-8"))
