"""A map of the answer to `POST /impact`: the zone, what it hits, who is cut off, and the figures beside it."""

from __future__ import annotations

from typing import Any

import folium
import shapely
from shapely.geometry import shape

from layers.errors import BadParameter
from web.notebook.asking import Json
from web.notebook.drawing import Box, Key, Shapes, WholeMap

_ZONE = {"color": "#a3201d", "weight": 2.5, "fillColor": "#a3201d", "fillOpacity": 0.15}
_CUT_OFF = "#5b2a86"
_COLOURS = ("#1d6fa5", "#c2185b", "#2e7d4f", "#b7791f", "#4527a0", "#00838f", "#6d4c41", "#37474f")
_WORDS = {
    "cut_off": {"zh": "孤立居民点", "en": "Settlements cut off"},
    "zone": {"zh": "影响范围", "en": "Zone"},
    "no-data": {"zh": "无数据", "en": "no data"},
}
_MARGIN, _TINY = 0.1, 0.01


def impact_map(result: Json, zone: Json | None = None, *, language: str = "en", height: int = 500) -> folium.Map:
    """A Folium map of an impact.

    Args:
        result: The answer to `POST /impact`.
        zone: The zone as GeoJSON (geometry, feature or collection in longitude and latitude), which the answer does not
            repeat.
        language: `zh` or `en`.
        height: Pixels.

    Returns:
        A map that is whole in itself: shown by Jupyter, or saved with `.save("map.html")` and opened without a network.

    Raises:
        BadParameter: When it is no answer of an impact, or shows nothing on the ground.
    """
    if not isinstance(result.get("sections"), list):
        raise BadParameter("result is the answer to POST /impact; it has sections.", parameter="result")
    shapes = [_polygon(one, language) for one in _geometries(zone)]
    lines: list[Json] = [{"text": _said("zone", language), "bold": True}] if shapes else []
    for number, section in enumerate(result["sections"]):
        colour = _COLOURS[number % len(_COLOURS)]
        points = [_point(one, colour, _title(section, language), language) for one in section.get("features") or ()]
        shapes += points
        line = f"{_title(section, language)}: {_figure(section, language)}"
        lines.append({"text": line, **({"colour": colour} if points else {})})
    name = _said("cut_off", language)
    isolated = [
        _point(one, _CUT_OFF, name, language)
        for one in (result.get("ways") or {}).get("settlements") or ()
        if one.get("situation") == "isolated"
    ]
    if isolated:
        lines.append({"text": f"{name}: {len(isolated)}", "colour": _CUT_OFF})
    shapes += isolated
    if not shapes:
        raise BadParameter("The answer lists nothing on the ground; give its zone too.", parameter="zone")
    made = WholeMap(_around(shapes), height)
    made.add_child(Shapes(shapes))
    made.add_child(Key(lines))
    return made


def _geometries(zone: Json | None) -> list[Json]:
    if zone is None:
        return []
    if zone.get("type") == "FeatureCollection":
        return [one["geometry"] for one in zone["features"]]
    return [zone["geometry"] if zone.get("type") == "Feature" else zone]


def _polygon(geometry: Json, language: str) -> Json:
    told = [[_said("zone", language), ""]]
    return {"type": "Feature", "geometry": geometry, "properties": {}, "look": _ZONE, "told": told}


def _point(one: Json, colour: str, kind: str, language: str) -> Json:
    place = {"type": "Point", "coordinates": [one["lon"], one["lat"]]}
    look = {"color": "#ffffff", "weight": 1, "fillColor": colour, "fillOpacity": 0.95, "radius": 5}
    told = [[kind, _words(one.get("label"), language)]]
    return {"type": "Feature", "geometry": place, "properties": {}, "look": look, "told": told}


def _figure(section: Json, language: str) -> str:
    """The total of a section with its unit; a section without data is never shown as zero."""
    total = section.get("total")
    if section.get("status") != "ok" or not total:
        return _said("no-data", language)
    if total.get("ha") is not None:
        return f"{total['ha']:,.1f} ha"
    return f"{total['value']:,.0f} {section.get('unit') or ''}".strip()


def _title(section: Json, language: str) -> str:
    return _words(section.get("title"), language) or str(section.get("layer"))


def _words(pair: Any, language: str) -> str:
    return str(pair.get(language) or pair.get("zh") or "") if isinstance(pair, dict) else str(pair or "")


def _said(key: str, language: str) -> str:
    return _WORDS[key]["zh" if language == "zh" else "en"]


def _around(shapes: list[Json]) -> Box:
    bounds = shapely.total_bounds([shape(one["geometry"]) for one in shapes])
    west, south, east, north = (float(side) for side in bounds)
    wide, high = max(east - west, _TINY) * _MARGIN, max(north - south, _TINY) * _MARGIN
    return west - wide, south - high, east + wide, north + high
