"""What lies at a place of a map (OGC 06-042, 7.4): features and cells that the reader may see."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from lxml import etree

from geoservice.features.assets import read_assets
from geoservice.features.query import FeatureQuery
from geoservice.features.read import read_page
from geoservice.house import House
from geoservice.maps.picture import Shown
from geoservice.wms.pairs import Pairs, WmsError
from geoservice.wms.tree import wanted
from geoservice.wms.view import plane_of
from layers.access import Principal
from layers.extent import Extent
from layers.model import RasterLayer
from tiles.plane import Plane, window
from tiles.raster import point_value

Json = dict[str, Any]
JSON, GEOJSON, HTML, TEXT, XML = "application/json", "application/geo+json", "text/html", "text/plain", "text/xml"
INFO_FORMATS = (HTML, JSON, GEOJSON, TEXT, XML)
TOLERANCE = 4.0
"""Points around the place within which features are found."""
_MOST = 100


async def find_info(house: House, asker: Principal, pairs: Pairs) -> Json:
    """The features and cells at the place, as a GeoJSON feature collection.

    Raises:
        WmsError: When a parameter is no good.
    """
    old = pairs.version == "1.1.1"
    plane = plane_of(pairs, house.settings.map_max_side)
    asked = wanted(house, asker, pairs, "QUERY_LAYERS")
    drawn = {one.layer.name for one in wanted(house, asker, pairs)}
    if missing := [one.layer.name for one in asked if one.layer.name not in drawn]:
        raise WmsError(f"QUERY_LAYERS names layers of the map; {missing[0]} is not in LAYERS.", "LayerNotDefined")
    place = _place(pairs, plane, ("X", "Y") if old else ("I", "J"))
    count = pairs.number("FEATURE_COUNT", 1, _MOST, 1)
    found: list[Json] = []
    # The topmost layer comes first, as it is seen.
    for shown in reversed(asked):
        if plane.zoom >= max(shown.layer.tiles.from_, shown.layer.portal.from_zoom):
            found += await _at(house, asker, shown, plane, place, count)
    return {"type": "FeatureCollection", "features": found}


def _place(pairs: Pairs, plane: Plane, names: tuple[str, str]) -> tuple[float, float]:
    sides = plane.width, plane.height
    try:
        column, row = (pairs.number(name, 0, side - 1) for name, side in zip(names, sides, strict=True))
    except WmsError as error:
        raise WmsError(error.detail, "InvalidPoint") from None
    return column + 0.5, row + 0.5


async def _at(
    house: House, asker: Principal, shown: Shown, plane: Plane, place: tuple[float, float], count: int
) -> list[Json]:
    layer = shown.layer
    async with house.pools.raw(asker.clearance) as connection:
        if isinstance(layer, RasterLayer):
            assets = await read_assets(connection, house.reading, layer, shown.decision, house.rasters)
            return await asyncio.to_thread(_cell, layer, assets, *plane.degrees(*place))
        box = _around(plane, place)
        if box is None:
            return []
        query = FeatureQuery(count, box, shown.question.interval)
        page = await read_page(connection, house.reading, layer, shown.decision, query)
    features: list[Json] = json.loads(f"[{page.features}]")
    return [{**one, "collection": layer.name, "title": layer.title.model_dump()} for one in features]


def _around(plane: Plane, place: tuple[float, float]) -> Extent | None:
    across, down = plane.steps
    x, y = plane.box[0] + place[0] * across, plane.box[3] - place[1] * down
    wide, high = TOLERANCE * across, TOLERANCE * down
    box = window(plane.crs, (x - wide, y - high, x + wide, y + high))
    return None if box is None else Extent(*box)


def _cell(layer: RasterLayer, assets: list[Any], lon: float, lat: float) -> list[Json]:
    found = point_value(assets, lon, lat)
    if found is None:
        return []
    values = {band.name: value for band, value in zip(layer.bands, found.values, strict=False)}
    geometry = {"type": "Point", "coordinates": [lon, lat]}
    own: Json = {"type": "Feature", "geometry": geometry, "properties": values, "collection": layer.name}
    return [{**own, "title": layer.title.model_dump()}]


def as_text(found: Json, language: str) -> str:
    """What was found as plain text, a line per attribute."""
    lines = list[str]()
    for feature in found["features"]:
        lines.append(f"{feature['title'][language]} ({feature['collection']}) {feature.get('id', '')}".rstrip())
        lines += [f"  {name} = {value}" for name, value in (feature.get("properties") or {}).items()]
    nothing = "此处没有要素。" if language == "zh" else "Nothing was found here."
    return "\n".join(lines or [nothing]) + "\n"


def as_xml(found: Json) -> bytes:
    """What was found as XML, an element per attribute."""
    root = etree.Element("FeatureInfoResponse")
    for feature in found["features"]:
        entry = etree.SubElement(root, "Feature", collection=feature["collection"], id=_clean(feature.get("id", "")))
        for name, value in (feature.get("properties") or {}).items():
            etree.SubElement(entry, "Attribute", name=name).text = None if value is None else _clean(value)
    return bytes(etree.tostring(root, xml_declaration=True, encoding="UTF-8"))


def _clean(value: object) -> str:
    return "".join(c if c.isprintable() else " " for c in str(value))
