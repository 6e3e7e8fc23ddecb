"""The description of the map service for one reader (OGC 06-042, 7.2 and annex E.1)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote

from lxml import etree

from geoservice.features.state import LayerState
from geoservice.maps.encode import FORMATS
from geoservice.maps.renderer import MOST_PIXELS
from geoservice.wms.answers import EXCEPTIONS
from geoservice.wms.info import INFO_FORMATS
from geoservice.wms.tree import DEFAULT_STYLE, MOST_LAYERS, Group
from layers.extent import Extent
from layers.model import RasterLayer, Text, VectorLayer
from tiles.plane import Box, map_crs, map_systems, mercator_of

WMS, XLINK = "http://www.opengis.net/wms", "http://www.w3.org/1999/xlink"
XSI = "http://www.w3.org/2001/XMLSchema-instance"
SCHEMA = "http://schemas.opengis.net/wms/1.3.0/capabilities_1_3_0.xsd"
_SCALE_OF_LEVEL = 279541132.0143589
"""Scale denominator of zoom level 0 with 512 points of 0.28 mm (OGC 17-083r4, annex D.1, halved)."""
_BOXES = ("CRS:84", "EPSG:4326", "EPSG:4490", "EPSG:3857")
_TITLE = Text(zh="地理信息服务", en="geoservice")
_ABSTRACT = Text(
    zh="开放空间地理信息服务的地图：与门户相同的样式。",
    en="Maps of the open geospatial service, in the styles of its portal.",
)
Element = etree._Element


@dataclass(frozen=True)
class Described:
    """What the description is made of.

    Attributes:
        address: Address of the service, without a query.
        groups: Groups of layers that the reader may see.
        states: Their states, by name.
        language: `zh`, `en`, or None for titles in both.
        most: Pixels that a side of a map may have.
        sequence: Number of the latest edition that the reader may know of (`updateSequence`).
        legends: Width and height of the legends, by layer.
    """

    address: str
    groups: tuple[Group, ...]
    states: Mapping[str, LayerState]
    language: str | None
    most: int
    sequence: int
    legends: Mapping[str, tuple[int, int]]

    def words(self, text: Text) -> str:
        """A text in the language asked for, or in both."""
        if self.language is not None:
            return text.of(self.language)
        return text.zh if text.zh == text.en else f"{text.zh} {text.en}"


def capabilities(about: Described) -> bytes:
    """The capabilities document as XML."""
    names = {None: WMS, "xlink": XLINK, "xsi": XSI}
    root = etree.Element(f"{{{WMS}}}WMS_Capabilities", nsmap=names, version="1.3.0", updateSequence=str(about.sequence))
    root.set(f"{{{XSI}}}schemaLocation", f"{WMS} {SCHEMA}")
    _service(root, about)
    part = _add(root, "Capability")
    _requests(_add(part, "Request"), about)
    exceptions = _add(part, "Exception")
    for form in EXCEPTIONS:
        _add(exceptions, "Format", form)
    _tree(part, about)
    return bytes(etree.tostring(root, xml_declaration=True, encoding="UTF-8"))


def _service(root: Element, about: Described) -> None:
    service = _add(root, "Service")
    _add(service, "Name", "WMS")
    _add(service, "Title", about.words(_TITLE))
    _add(service, "Abstract", about.words(_ABSTRACT))
    _keywords(service, ("WMS", "CGCS2000", "GIS"))
    _link(service, about.address)
    _add(service, "Fees", "none")
    _add(service, "AccessConstraints", "none")
    _add(service, "LayerLimit", str(MOST_LAYERS))
    side = min(about.most, math.isqrt(MOST_PIXELS))
    _add(service, "MaxWidth", str(side))
    _add(service, "MaxHeight", str(side))


def _requests(requests: Element, about: Described) -> None:
    for name, formats in (("GetCapabilities", ("text/xml",)), ("GetMap", FORMATS), ("GetFeatureInfo", INFO_FORMATS)):
        request = _add(requests, name)
        for media in formats:
            _add(request, "Format", media)
        get = _add(_add(_add(request, "DCPType"), "HTTP"), "Get")
        _link(get, f"{about.address}?")


def _tree(part: Element, about: Described) -> None:
    root = _add(part, "Layer")
    _add(root, "Title", about.words(_TITLE))
    for name in map_systems():
        _add(root, "CRS", name)
    members = [layer for group in about.groups for layer in group.members]
    _geographic(root, _whole(about, members) or Extent(-180.0, -90.0, 180.0, 90.0))
    for group in about.groups:
        branch = _add(root, "Layer")
        _add(branch, "Title", about.words(group.title))
        for layer in group.members:
            _layer(branch, layer, about)


def _layer(branch: Element, layer: VectorLayer | RasterLayer, about: Described) -> None:
    state = about.states[layer.name]
    own = _add(branch, "Layer", queryable="1")
    _add(own, "Name", layer.name)
    _add(own, "Title", about.words(layer.title))
    if layer.abstract is not None:
        _add(own, "Abstract", about.words(layer.abstract))
    _keywords(own, (layer.theme,))
    extent = state.extent or Extent(-180.0, -90.0, 180.0, 90.0)
    _geographic(own, extent)
    _boxes(own, extent)
    _dimension(own, layer, state)
    credit = layer.crediting(state.mappings).licence.attribution
    if credit:
        _add(_add(own, "Attribution"), "Title", credit)
    data = _add(own, "DataURL")
    _add(data, "Format", "text/html")
    _link(data, about.address.removesuffix("/wms") + f"/collections/{layer.name}?f=html")
    _style(own, layer, about)
    begins = max(layer.tiles.from_, layer.portal.from_zoom)
    if begins:
        _add(own, "MaxScaleDenominator", f"{_SCALE_OF_LEVEL / 2**begins:.6f}")


def _geographic(own: Element, extent: Extent) -> None:
    box = _add(own, "EX_GeographicBoundingBox")
    crosses = extent.west > extent.east
    sides = {
        "westBoundLongitude": -180.0 if crosses else extent.west,
        "eastBoundLongitude": 180.0 if crosses else extent.east,
        "southBoundLatitude": extent.south,
        "northBoundLatitude": extent.north,
    }
    for name, value in sides.items():
        _add(box, name, f"{value:.9f}")


def _boxes(own: Element, extent: Extent) -> None:
    west, east = (extent.west, extent.east) if extent.west <= extent.east else (-180.0, 180.0)
    degrees: Box = (west, extent.south, east, extent.north)
    for name in _BOXES:
        crs = map_crs(name)
        box = mercator_of(degrees) if crs.kind == "mercator" else degrees
        left, bottom, right, top = box
        sides = (bottom, left, top, right) if crs.swapped else box
        written = dict(zip(("minx", "miny", "maxx", "maxy"), (f"{v:.9f}" for v in sides), strict=True))
        _add(own, "BoundingBox", CRS=name, **written)


def _dimension(own: Element, layer: VectorLayer | RasterLayer, state: LayerState) -> None:
    if not isinstance(layer, VectorLayer) or layer.time is None or state.begins is None or state.ends is None:
        return
    first, last = (moment.strftime("%Y-%m-%dT%H:%M:%SZ") for moment in (state.begins, state.ends))
    span = f"{first}/{last}"
    _add(own, "Dimension", f"{span}/PT1S", name="time", units="ISO8601", default=span)


def _style(own: Element, layer: VectorLayer | RasterLayer, about: Described) -> None:
    style = _add(own, "Style")
    _add(style, "Name", DEFAULT_STYLE)
    _add(style, "Title", about.words(Text(zh="默认样式", en="Default style")))
    wide, high = about.legends[layer.name]
    legend = _add(style, "LegendURL", width=str(wide), height=str(high))
    _add(legend, "Format", "image/png")
    query = f"?SERVICE=WMS&VERSION=1.3.0&REQUEST=GetLegendGraphic&FORMAT=image/png&LAYER={quote(layer.name)}"
    _link(legend, about.address + query)


def _whole(about: Described, members: list[VectorLayer | RasterLayer]) -> Extent | None:
    found = [state.extent for layer in members if (state := about.states[layer.name]).extent is not None]
    whole: Extent | None = None
    for extent in found:
        if extent is None or extent.west > extent.east:
            continue
        whole = extent if whole is None else whole.union(extent)
    return whole


def _add(parent: Element, name: str, text: str | None = None, /, **attributes: str) -> Element:
    made = etree.SubElement(parent, f"{{{WMS}}}{name}", attributes)
    if text is not None:
        made.text = "".join(c if c.isprintable() else " " for c in text)
    return made


def _keywords(parent: Element, words: tuple[str, ...]) -> None:
    listed = _add(parent, "KeywordList")
    for word in words:
        _add(listed, "Keyword", word)


def _link(parent: Element, address: str) -> None:
    found = _add(parent, "OnlineResource")
    found.set(f"{{{XLINK}}}type", "simple")
    found.set(f"{{{XLINK}}}href", address)
