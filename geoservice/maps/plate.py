"""The map of a report: a zone by classes over the layers that the portal shows, with scale bar and north arrow."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from geoservice.house import House
from geoservice.maps.paper import Paper, Place, lonlat
from geoservice.maps.picture import MapRequest, Overlay, Shown, draw_map
from geoservice.maps.static import draw_scale, plane_around, usual
from layers.access import Principal, decide
from layers.maplibre import Json, LegendClass, legend
from layers.model import Layer, TableLayer
from layers.stylesheet import GROUND, as_seen
from tiles.plane import Box, Plane, map_crs

WIDTH, HEIGHT, RATIO = 1000, 540, 2.0
PAPER_WIDTH = 0.178
"""Metres between the margins of a page of A4, which the map fills."""
_MARGIN, _TOLERANCE, _BEYOND = 0.12, 0.4, 64.0
_LEAST_DEGREES = 0.01
_MOST_MARKS, _MOST_CLASSES = 400, 8
_LIMIT = 85.0
_INK = "#1f2328"


@dataclass(frozen=True)
class Ground:
    """A part of the zone: polygon in longitude and latitude, its colour and how opaque, its label in the legend."""

    shape: shapely.Geometry
    colour: str
    label: str
    opacity: float = 0.5


@dataclass(frozen=True)
class Mark:
    """A place to be marked: longitude, latitude, colour, kind in the legend, name beside it (may be empty)."""

    lon: float
    lat: float
    colour: str
    kind: str
    name: str = ""


@dataclass(frozen=True)
class Drawing:
    """A map that was drawn.

    Attributes:
        image: PNG.
        metres: Metres on the ground between its sides.
        layers: Layers that are shown.
        legend: Their classes, as far as they are few.
        credits: Whom to credit.
        reviews: Map review numbers of the layers.
    """

    image: bytes
    metres: float
    layers: tuple[Layer, ...]
    legend: tuple[LegendClass, ...]
    credits: tuple[str, ...]
    reviews: tuple[str, ...]

    @property
    def scale(self) -> int:
        """Denominator of the scale on A4, to two digits."""
        exact = self.metres / PAPER_WIDTH
        step = 10 ** max(len(str(int(exact))) - 2, 0)
        return max(int(round(exact / step) * step), 1)


async def draw_plate(
    house: House, asker: Principal, zone: Sequence[Ground], marks: Sequence[Mark], language: str
) -> Drawing:
    """Draw the map of a report.

    Args:
        house: The service.
        asker: Who will read it; only layers and rows that they may see are drawn.
        zone: Parts of the zone, the worst first.
        marks: Places to be marked.
        language: `zh` or `en`, for labels.

    Raises:
        MapUnavailable: When it cannot be drawn.
    """
    plane = plane_around(map_crs("EPSG:3857"), _around(zone), WIDTH, HEIGHT)
    layers = usual(house, asker)
    states = await house.states(asker, layers)
    layers = [layer for layer in layers if states[layer.name].edition is not None]
    shown = [Shown(one, decide(asker, "read", one)) for one in layers if not isinstance(one, TableLayer)]
    overlay = await asyncio.to_thread(_overlay, plane, zone, marks[:_MOST_MARKS], language)
    request = MapRequest(plane, shown, GROUND, language, RATIO, mixed=True, overlay=overlay)
    image = await draw_map(house, asker, request)
    drawn = [one for one in shown if plane.zoom >= max(one.layer.portal.from_zoom, one.layer.tiles.from_)]
    credited = [one.layer.crediting(states[one.layer.name].mappings).licence.attribution for one in drawn]
    reviews = [one.layer.release.review_number for one in drawn if one.layer.release is not None]
    return Drawing(
        image=image,
        metres=plane.ground * WIDTH,
        layers=tuple(one.layer for one in drawn),
        legend=tuple(_classes(drawn, house)),
        credits=tuple(dict.fromkeys(filter(None, credited))),
        reviews=tuple(dict.fromkeys(filter(None, reviews))),
    )


def _around(zone: Sequence[Ground]) -> Box:
    """A box around a zone with a margin, not smaller than about a kilometre."""
    west, south, east, north = shapely.total_bounds(np.array([one.shape for one in zone], dtype=np.object_)).tolist()
    wide, high = max(east - west, _LEAST_DEGREES), max(north - south, _LEAST_DEGREES)
    west, south = max(west - wide * _MARGIN, -180.0), max(south - high * _MARGIN, -_LIMIT)
    return west, south, min(east + wide * _MARGIN, 180.0), min(north + high * _MARGIN, _LIMIT)


def _overlay(plane: Plane, zone: Sequence[Ground], marks: Sequence[Mark], language: str) -> Overlay:
    paper = Paper("report")
    sources, layers = _zone_layers(plane, zone)
    for one in marks:
        at = plane.point(one.lon, one.lat)
        if 0 <= at[0] <= plane.width and 0 <= at[1] <= plane.height:
            ring = {"circle-stroke-color": "#ffffff", "circle-stroke-width": 1.5}
            paper.circle(at, {"circle-color": one.colour, "circle-radius": 5} | ring)
            if one.name:
                paper.text((at[0] + 8, at[1]), one.name, 11)
    draw_scale(paper, plane, language)
    draw_north(paper, (plane.width - 30.0, 16.0))
    return Overlay(sources | paper.sources(), (*layers, *paper.layers))


def _zone_layers(plane: Plane, zone: Sequence[Ground]) -> tuple[Json, list[Json]]:
    """The zone as MapLibre source and layers: fills under a casing, the worst class on top."""
    features = []
    for number, one in enumerate(zone):
        shape = _on_paper(plane, one.shape)
        if shape is not None:
            properties = {"n": number, "colour": one.colour, "opacity": one.opacity}
            features.append(
                {"type": "Feature", "properties": properties, "geometry": json.loads(shapely.to_geojson(shape))}
            )
    features.reverse()
    sources: Json = {"zone": {"type": "geojson", "data": {"type": "FeatureCollection", "features": features}}}
    fill = {"fill-color": ["get", "colour"], "fill-opacity": ["get", "opacity"]}
    edge = {"line-color": ["get", "colour"], "line-width": 2.2}
    casing = {"line-color": "#ffffff", "line-width": 4.2, "line-opacity": 0.85}
    kinds = (("fill", fill), ("line", casing), ("line", edge))
    made = [{"id": f"zone-{n}", "type": k, "source": "zone", "paint": paint} for n, (k, paint) in enumerate(kinds)]
    return sources, made


def _on_paper(plane: Plane, shape: shapely.Geometry) -> shapely.Geometry | None:
    """A polygon in the renderer's plane: no finer than can be seen, and cut a little beyond the edge of the map."""

    def points(places: NDArray[Any]) -> NDArray[Any]:
        x, y = plane.point(places[:, 0], places[:, 1])  # type: ignore[arg-type]
        return np.column_stack((x, y))

    limits = shapely.box(-180.0, -_LIMIT, 180.0, _LIMIT)
    on_image = shapely.transform(shapely.intersection(shape, limits), points)
    simple = shapely.make_valid(shapely.simplify(on_image, _TOLERANCE))
    frame = shapely.box(-_BEYOND, -_BEYOND, plane.width + _BEYOND, plane.height + _BEYOND)
    cut = shapely.intersection(simple, frame)
    parts = [p for p in shapely.get_parts(cut) if isinstance(p, shapely.Polygon) and not p.is_empty]
    if not parts:
        return None
    return shapely.transform(shapely.multipolygons(parts), _lonlats)


def _lonlats(places: NDArray[Any]) -> NDArray[Any]:
    return np.array([lonlat((float(x), float(y))) for x, y in places], dtype=np.float64).reshape(-1, 2)


def draw_north(paper: Paper, at: Place) -> None:
    """Draw a north arrow, its tip at a place; in the planes of these maps north is up."""
    x, y = at
    paper.area([(x, y), (x + 9, y + 26), (x, y + 20)], {"fill-color": _INK})
    paper.area([(x, y), (x - 9, y + 26), (x, y + 20)], {"fill-color": "#ffffff", "fill-outline-color": _INK})
    paper.line([(x, y), (x + 9, y + 26), (x, y + 20), (x - 9, y + 26), (x, y)], {"line-color": _INK, "line-width": 1})
    paper.text((x, y + 28), "N", 13, "top")


def _classes(shown: Iterable[Shown], house: House) -> Iterator[LegendClass]:
    """Legend of the layers on the map; where one has many classes it is named once."""
    for one in shown:
        found = legend(as_seen(one.layer, one.decision.attributes), house.catalog.codelists)
        if len(found) > _MOST_CLASSES:
            yield LegendClass(one.layer.title, found[0].shape, found[0].colour)
        else:
            yield from found
