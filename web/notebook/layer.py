"""A map of a layer, or of those of its features that meet a filter."""

from __future__ import annotations

import math
from typing import Any

import folium
import shapely
from shapely.geometry import shape

from layers.errors import BadParameter
from web.notebook.asking import Json, Service
from web.notebook.drawing import Box, Key, Picture, Shapes, WholeMap
from web.notebook.looks import Looks
from web.sheet.letters import plain

_MOST, _MOST_TOLD, _MOST_KEY = 20_000, 30, 14
_WIDE, _LEAST, _MOST_SIDE = 1000, 120, 2000
_MARGIN, _TINY, _LIMIT = 0.1, 0.002, 84.0
_SHORT = 200


def layer_map(
    url: str,
    layer: str,
    *,
    filter: str | None = None,
    token: str | None = None,
    as_of: str | None = None,
    bbox: Box | None = None,
    options: Json | None = None,
) -> folium.Map:
    """A Folium map of a layer, in the layer's own colours; a click tells the attributes of a feature.

    Args:
        url: Address of the service, such as `http://127.0.0.1:8000`.
        layer: Collection.
        filter: Condition in CQL2 text, such as `"class = '0101'"`; without one all features count.
        token: API key; the map shows what it may see. Without one: what is public.
        as_of: RFC 3339 instant: features as they were then.
        bbox: West, south, east, north in degrees: only features that meet it.
        options: `limit` (most features, 2000), `language` (`zh` or `en`), `background` (False: none), `height` (px).

    Returns:
        A map that is whole in itself: shown by Jupyter, or saved with `.save("map.html")` and opened without a network.

    Raises:
        BadParameter: When the service refuses, in its own words, or there is no feature to show.
        RemoteUnavailable: When the service does not answer.
    """
    chosen = {"limit": 2000, "language": "en", "background": True, "height": 500, **(options or {})}
    if not 1 <= chosen["limit"] <= _MOST:
        raise BadParameter(f"limit is a number from 1 to {_MOST}.", parameter="limit")
    service = Service(url, token)
    try:
        box = None if bbox is None else ",".join(f"{side:.7f}" for side in bbox)
        found, more = service.features(layer, chosen["limit"], filter=filter, as_of=as_of, bbox=box)
        if not found:
            raise BadParameter(f"No feature of {layer} is there for this key, filter and box.", parameter="filter")
        looks = Looks(service.get(f"/collections/{layer}/styles/default", f="json").json(), layer)
        title = service.get(f"/collections/{layer}", f="json", lang=chosen["language"]).json().get("title", layer)
        around = _around(found)
        made = WholeMap(around, chosen["height"])
        if chosen["background"]:
            made.add_child(_background(service, around, chosen["language"]))
    finally:
        service.close()
    made.add_child(Shapes([_shown(one, looks) for one in found]))
    made.add_child(Key(_key(str(title), found, looks, more=more)))
    return made


def _around(features: list[Json]) -> Box:
    """A box around features with a margin."""
    shapes = [shape(one["geometry"]) for one in features if one.get("geometry")]
    if not shapes:
        raise BadParameter("The features have no geometry to show.", parameter="layer")
    west, south, east, north = (float(side) for side in shapely.total_bounds(shapes))
    wide, high = max(east - west, _TINY) * _MARGIN, max(north - south, _TINY) * _MARGIN
    return max(west - wide, -180.0), max(south - high, -_LIMIT), min(east + wide, 180.0), min(north + high, _LIMIT)


def _background(service: Service, box: Box, language: str) -> Picture:
    """The base map of the service as a picture, as wide and high as the box is in Web Mercator."""
    west, south, east, north = box
    share = (_up(north) - _up(south)) / math.radians(east - west)
    wide = min(_WIDE, round(_MOST_SIDE / share)) if share > 1 else _WIDE
    wide, high = max(wide, _LEAST), max(round(wide * share), _LEAST)
    sides = ",".join(f"{side:.7f}" for side in box)
    asked = {"bbox": sides, "width": wide, "height": high, "furniture": "no", "f": "png", "lang": language}
    return Picture(service.get("/maps/static", **asked).content, box)


def _up(lat: float) -> float:
    return math.asinh(math.tan(math.radians(lat)))


def _shown(feature: Json, looks: Looks) -> Json:
    told = feature.get("properties") or {}
    rows = [[str(name), _words(value)] for name, value in told.items() if value is not None][:_MOST_TOLD]
    number = [["id", str(feature["id"])]] if "id" in feature else []
    return {
        "type": "Feature",
        "geometry": feature.get("geometry"),
        "properties": {},
        "look": looks.of(told),
        "told": [*number, *rows],
    }


def _words(value: Any) -> str:
    return plain(str(value))[:_SHORT]


def _key(title: str, found: list[Json], looks: Looks, *, more: bool) -> list[Json]:
    count = f"{len(found):,} +" if more else f"{len(found):,}"
    lines: list[Json] = [{"text": f"{title} ({count})", "bold": True}]
    classes = looks.classes([one.get("properties") or {} for one in found])
    lines += [{"text": name, "colour": colour} for name, colour in classes[:_MOST_KEY]]
    if len(classes) > _MOST_KEY:
        lines.append({"text": f"… + {len(classes) - _MOST_KEY}"})
    return lines
