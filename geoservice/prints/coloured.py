"""A map of statistics on paper: divisions coloured by class, those without a figure hatched, and what credits them.

The classes come with the request, as the reader saw them; which divisions there are, and where, is read for the reader.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

import shapely

from geoservice.features.past import moment_asked
from geoservice.house import House
from geoservice.impact.divisions import Divisions
from geoservice.impact.fetch import Ground
from geoservice.maps.picture import Overlay, Shown
from geoservice.prints.asked import Coloured, SheetLayer
from geoservice.prints.drawn import lonlats, on_map
from geoservice.prints.layers import Chosen
from geoservice.statistics.places import open_divisions, parse_within, read_places
from layers.access import Principal
from layers.errors import BadBody, BadParameter
from layers.maplibre import Json, LegendClass
from layers.model import TableLayer, Text
from tiles.plane import Plane
from web.sheet.view import Group
from web.texts import text

_NOTHING, _PALE, _EDGE = "#7d8791", "#f4f4f2", "#4b5560"
_HAIR = 0.2
"""Points by which an outline may be off on paper; a country's are drawn from millions of corners."""
_SOURCE = "coloured"


@dataclass(frozen=True)
class Colouring:
    """Divisions with their classes.

    Attributes:
        asked: What was asked for.
        divisions: Those of the level that the reader may see.
    """

    asked: Coloured
    divisions: Divisions


async def credited(house: House, asker: Principal, asked: Coloured | None) -> tuple[Chosen, ...]:
    """The collection of the figures and that of the divisions, as they are told among the sources.

    Raises:
        UnknownLayer: When the asker sees no such collection.
        BadParameter: When it is a table, the asker sees no divisions, or the instant is none.
        BadBody: When a division has a class that is not listed.
    """
    if asked is None:
        return ()
    parse_within(asked.within)
    moment_asked(asked.as_of)
    if any(number >= len(asked.classes) for number in asked.places.values()):
        raise BadBody(f"coloured.places counts the {len(asked.classes)} classes from 0.")
    layer, decision = house.open_layer(asker, asked.collection)
    if isinstance(layer, TableLayer):
        raise BadParameter("coloured.collection is one with a place on the map.", parameter="coloured")
    divided, seen = open_divisions(house.catalog, asker)
    states = await house.states(asker, [layer, divided])
    both = [
        (Shown(layer, decision), SheetLayer(id=layer.name, filter=asked.filter, as_of=asked.as_of)),
        (Shown(divided, seen), SheetLayer(id=divided.name)),
    ]
    return tuple(
        Chosen(shown, states[one.id], shown.layer.crediting(states[one.id].mappings), one) for shown, one in both
    )


async def colouring(house: House, asker: Principal, asked: Coloured | None) -> Colouring | None:
    """The divisions of a map of statistics, as the asker may see them.

    Raises:
        BadParameter: When `within` names no division that the asker may see.
    """
    if asked is None:
        return None
    async with house.pools.raw(asker.clearance) as connection:
        ground = Ground(connection, house.reading, None)
        places = await read_places(ground, open_divisions(house.catalog, asker), asked.level, asked.within)
    return Colouring(asked, places.divisions)


def colours(plane: Plane, frame: tuple[float, float, float, float], found: Colouring | None) -> Overlay:
    """Divisions as MapLibre layers below the names of a map.

    Args:
        plane: The map.
        frame: Left, top, right, bottom in points of what is shown of it.
        found: The divisions; None for none.
    """
    if found is None:
        return Overlay()
    features: list[Json] = []
    for member, shape in zip(found.divisions.members, found.divisions.shapes, strict=True):
        number = found.asked.places.get(member.code)
        colour = {} if number is None else {"colour": found.asked.classes[number].colour}
        for part in on_map(plane, frame, shape):
            away = shapely.transform(shapely.simplify(part, _HAIR), lonlats)
            features.append({"type": "Feature", "properties": colour, "geometry": json.loads(shapely.to_geojson(away))})
    source: Json = {"type": "geojson", "data": {"type": "FeatureCollection", "features": features}}
    return Overlay({_SOURCE: source}, below=tuple(_layers()))


def group_of(found: Colouring, shown: Overlay) -> Group:
    """The part of the legend: every class, for together they are a scale, and what is hatched in view."""
    asked = found.asked
    classes = [LegendClass(_said(one.label), "fill", one.colour, outline=_EDGE) for one in asked.classes]
    features = shown.sources[_SOURCE]["data"]["features"]
    if any("colour" not in one["properties"] for one in features):
        nothing = Text(zh=text("no_data_short", "zh"), en=text("no_data_short", "en"))
        classes.append(LegendClass(nothing, "fill", _NOTHING, hatch=True))
    return Group(_said(asked.title), tuple(classes))


def beside(layers: Sequence[Chosen], more: Sequence[Chosen]) -> tuple[Chosen, ...]:
    """Layers with those that are not among them."""
    names = {one.shown.layer.name for one in layers}
    return (*layers, *(one for one in more if one.shown.layer.name not in names))


def _said(words: str) -> Text:
    return Text(zh=words, en=words)


def _layers() -> list[Json]:
    def one(name: str, kind: str, paint: Json, **more: object) -> Json:
        return {"id": f"{_SOURCE}-{name}", "type": kind, "source": _SOURCE, "paint": paint, **more}

    known, unknown = ["has", "colour"], ["!", ["has", "colour"]]
    return [
        one("fill", "fill", {"fill-color": ["get", "colour"], "fill-opacity": 0.88}, filter=known),
        one("pale", "fill", {"fill-color": _PALE, "fill-opacity": 0.82}, filter=unknown),
        one("nothing", "fill", {"fill-pattern": f"hatch:{_NOTHING}", "fill-opacity": 0.75}, filter=unknown),
        one("edge", "line", {"line-color": _EDGE, "line-width": 0.8}),
    ]
