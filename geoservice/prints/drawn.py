"""What a reader drew: zones, measured lines and plotted marks that are printed on top of a map."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from geoservice.maps.paper import Paper, lonlat
from geoservice.maps.picture import Overlay
from layers.errors import BadBody
from layers.maplibre import Json
from tiles.plane import Plane
from web.sheet.letters import clipped, plain

MOST_FEATURES, MOST_PLACES = 200, 50_000
_COLOUR, _MEMBERS = re.compile(r"#[0-9a-fA-F]{6}"), frozenset({"colour", "label", "dashed"})
_USUAL, _MOST_LABEL, _BEYOND, _LIMIT = "#c2185b", 60, 8.0, 85.0
_SIZE, _MOST_LON, _MOST_LAT = 11.0, 180.0, 90.0
_KINDS = {shapely.Polygon: "area", shapely.LineString: "line", shapely.Point: "point"}


@dataclass(frozen=True)
class Drawn:
    """A feature that was drawn: geometry in longitude and latitude, colour, label (may be empty), outline dashed."""

    shape: shapely.Geometry
    colour: str
    label: str
    dashed: bool


def drawn_of(value: dict[str, Any] | None) -> tuple[Drawn, ...]:
    """Read what was drawn.

    Args:
        value: GeoJSON FeatureCollection, or None.

    Raises:
        BadBody: When it is none, too large, or says what is not known.
    """
    if value is None:
        return ()
    features = value.get("features")
    if value.get("type") != "FeatureCollection" or not isinstance(features, list):
        raise BadBody("overlays is a GeoJSON FeatureCollection.")
    if len(features) > MOST_FEATURES:
        raise BadBody(f"overlays has at most {MOST_FEATURES} features; these are {len(features)}.")
    found = tuple(_feature(one, number) for number, one in enumerate(features))
    if sum(shapely.get_num_coordinates(one.shape) for one in found) > MOST_PLACES:
        raise BadBody(f"overlays has at most {MOST_PLACES} positions.")
    return found


def _feature(value: Any, number: int) -> Drawn:
    where = f"Feature {number + 1} of overlays"
    if not isinstance(value, dict) or value.get("type") != "Feature" or not isinstance(value.get("geometry"), dict):
        raise BadBody(f"{where} is no GeoJSON feature with a geometry.")
    told = value.get("properties") or {}
    if not isinstance(told, dict) or (strangers := sorted(set(map(str, told)) - _MEMBERS)):
        named = f"; it has {strangers[0][:40]}" if isinstance(told, dict) else ""
        raise BadBody(f"{where} has no properties but colour, label and dashed{named}.")
    colour, label, dashed = told.get("colour", _USUAL), told.get("label", ""), told.get("dashed", False)
    if not isinstance(colour, str) or _COLOUR.fullmatch(colour) is None:
        raise BadBody(f"{where}: colour is written #rrggbb.")
    if not isinstance(label, str) or not isinstance(dashed, bool):
        raise BadBody(f"{where}: label is a text, dashed is true or false.")
    return Drawn(_geometry(value["geometry"], where), colour, plain(label)[:_MOST_LABEL], dashed)


def _geometry(value: dict[str, Any], where: str) -> shapely.Geometry:
    try:
        shape = shapely.from_geojson(json.dumps(value, allow_nan=False))
    except (shapely.errors.GEOSException, ValueError, TypeError, RecursionError):
        raise BadBody(f"{where}: its geometry is not GeoJSON.") from None
    if shape is None or shapely.is_empty(shape):
        raise BadBody(f"{where}: its geometry is empty.")
    west, south, east, north = shapely.bounds(shape).tolist()
    if not (max(-west, east) <= _MOST_LON and max(-south, north) <= _MOST_LAT):
        raise BadBody(f"{where}: positions are longitude, latitude in degrees.")
    return shape


def overlay(plane: Plane, frame: tuple[float, float, float, float], drawn: Sequence[Drawn]) -> Overlay:
    """Features as MapLibre sources and layers: areas under lines under points, labels on top.

    Args:
        plane: The map.
        frame: Left, top, right, bottom in points of what is shown of it.
        drawn: The features, from bottom to top.
    """
    features: list[Json] = []
    paper = Paper("drawn-words")
    for one in drawn:
        parts = on_map(plane, frame, one.shape)
        for part in parts:
            told = {"kind": _KINDS[type(part)], "colour": one.colour, "dashed": one.dashed}
            away = shapely.transform(part, lonlats)
            features.append({"type": "Feature", "properties": told, "geometry": json.loads(shapely.to_geojson(away))})
        if one.label and parts:
            at = shapely.get_coordinates(shapely.point_on_surface(max(parts, key=_extent)))[0]
            shift = _SIZE if isinstance(parts[0], shapely.Point) else 0.0
            width = (frame[2] - frame[0]) / 2
            paper.text((float(at[0]), float(at[1]) - shift), clipped(one.label, _SIZE, width), _SIZE, "center")
    if not features:
        return Overlay()
    source: Json = {"type": "geojson", "data": {"type": "FeatureCollection", "features": features}}
    return Overlay({"drawn": source} | paper.sources(), (*_layers(), *paper.layers))


def _extent(part: shapely.Geometry) -> float:
    return float(shapely.area(part) or shapely.length(part))


def _layers() -> list[Json]:
    def one(name: str, kind: str, paint: Json, *rules: Any) -> Json:
        return {"id": f"drawn-{name}", "type": kind, "source": "drawn", "paint": paint, "filter": ["all", *rules]}

    colour = ["get", "colour"]
    area, point = ["==", ["get", "kind"], "area"], ["==", ["get", "kind"], "point"]
    edged, dashed = ["!=", ["get", "kind"], "point"], ["get", "dashed"]
    casing = {"line-color": "#ffffff", "line-width": 4.0, "line-opacity": 0.8}
    ring = {"circle-stroke-color": "#ffffff", "circle-stroke-width": 1.5}
    return [
        one("fill", "fill", {"fill-color": colour, "fill-opacity": 0.16}, area),
        one("casing", "line", casing, edged),
        one("edge", "line", {"line-color": colour, "line-width": 2.0}, edged, ["!", dashed]),
        one("dashed", "line", {"line-color": colour, "line-width": 2.0, "line-dasharray": [3, 2]}, edged, dashed),
        one("point", "circle", {"circle-color": colour, "circle-radius": 5} | ring, point),
    ]


def on_map(plane: Plane, frame: tuple[float, float, float, float], shape: shapely.Geometry) -> list[shapely.Geometry]:
    """The parts of a geometry that are seen, in points of the map."""

    def points(places: NDArray[Any]) -> NDArray[Any]:
        x, y = plane.point(places[:, 0], places[:, 1])  # type: ignore[arg-type]
        return np.column_stack((x, y))

    known = shapely.intersection(shapely.make_valid(shape), shapely.box(-180.0, -_LIMIT, 180.0, _LIMIT))
    there = shapely.transform(known, points)
    left, top, right, bottom = frame
    box = shapely.box(left - _BEYOND, top - _BEYOND, right + _BEYOND, bottom + _BEYOND)
    parts = shapely.get_parts(shapely.get_parts(shapely.intersection(shapely.make_valid(there), box)))
    return [part for part in parts if type(part) in _KINDS and not part.is_empty]


def lonlats(places: NDArray[Any]) -> NDArray[Any]:
    """Points of a map as the longitudes and latitudes that the renderer takes them from."""
    return np.array([lonlat((float(x), float(y))) for x, y in places], dtype=np.float64).reshape(-1, 2)
