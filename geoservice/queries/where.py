"""The place that a question is about: a point, any geometry, a box, or something with a name. One reader for all."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely
from sqlalchemy.ext.asyncio import AsyncConnection

from geoservice.analysis.context import AnalysisContext
from geoservice.analysis.geojson import measurable, parse_zone
from geoservice.analysis.place import Box, Place
from geoservice.analysis.request import ZoneRequest, find_place, zone_request
from geoservice.queries.coordinates import outside_world
from layers.crs import STORAGE_SRID
from layers.errors import BadBody, BadGeometry, TooLarge

WAYS = ("geometry", "bbox", "adcode", "division", "alert", "feature", "zone", "sheet", "postcode")
_FLAT = ("Point", "MultiPoint", "LineString", "MultiLineString")
_HALF_TURN = 180.0


@dataclass(frozen=True)
class Where:
    """A geometry in longitude and latitude (degrees), and how the request named it."""

    geometry: shapely.Geometry
    origin: str

    @property
    def ewkb(self) -> bytes:
        """The geometry as EWKB in storage coordinates."""
        return bytes(shapely.to_wkb(shapely.set_srid(self.geometry, STORAGE_SRID), include_srid=True))

    def boxes(self) -> tuple[Box, ...]:
        """Boxes around it: one, or two when it is an area on both sides of the antimeridian."""
        if isinstance(self.geometry, shapely.Polygon | shapely.MultiPolygon):
            return Place(self.geometry, self.origin).boxes()
        west, south, east, north = shapely.bounds(self.geometry).tolist()
        return ((west, south, east, north),)

    def point(self) -> tuple[float, float]:
        """The point itself, or one inside or upon the geometry: longitude, latitude."""
        at = shapely.point_on_surface(self.geometry)
        return float(shapely.get_x(at)), float(shapely.get_y(at))

    def described(self) -> dict[str, Any]:
        """For an answer: how it was named, and its boxes."""
        return {"origin": self.origin, "boxes": [list(box) for box in self.boxes()]}


def at_point(x: float, y: float) -> Where:
    """A point in longitude and latitude."""
    return Where(shapely.Point(x, y), "point")


def read_where(body: object, most_vertices: int) -> Where | ZoneRequest:
    """Read a place; what is named is looked up by `find_where`. Call it in a thread for large bodies.

    Args:
        body: Parsed JSON with exactly one of `geometry` (GeoJSON of any kind, CRS84) or what a zone is named by (see
            `zone_request`): `bbox`, `adcode`, `division`, `alert`, `feature`, `zone` (a kept one), `sheet`, `postcode`.
        most_vertices: Most vertices of a geometry.

    Raises:
        BadBody: When it has none of these, or more than one.
        BadGeometry: When the geometry is not sound.
        TooLarge: When it has too many vertices.
    """
    if not isinstance(body, Mapping) or sum(body.get(way) is not None for way in WAYS) != 1:
        raise BadBody(f"A place is given by exactly one of {', '.join(WAYS[:-1])} or {WAYS[-1]}.")
    if body.get("geometry") is not None:
        return Where(parse_geometry(body["geometry"], most_vertices), "geometry")
    asked = zone_request({way: body[way] for way in WAYS if body.get(way) is not None}, most_vertices)
    return Where(asked.where.geometry, asked.where.origin) if isinstance(asked.where, Place) else asked


async def find_where(connection: AsyncConnection, asked: ZoneRequest, context: AnalysisContext) -> Where:
    """The place of something with a name.

    Raises:
        UnknownFeature: When there is none that the asker may see.
        BadGeometry: When it has no area.
    """
    place = await find_place(connection, asked, context)
    return Where(place.geometry, place.origin)


def parse_geometry(value: object, most_vertices: int) -> shapely.Geometry:
    """A geometry of any kind from GeoJSON, checked; features and collections are read as areas.

    Raises:
        BadGeometry: With the place, when it is malformed, outside the world, empty or crosses itself.
        TooLarge: When it has too many vertices, or edges too long to be measured.
    """
    if not isinstance(value, Mapping):
        raise BadGeometry("geometry is not a GeoJSON object.", where="geometry")
    if value.get("type") not in _FLAT:
        return parse_zone(value, most_vertices)
    return _flat(value, most_vertices)


def _flat(value: Mapping[str, Any], most_vertices: int) -> shapely.Geometry:
    kind, coordinates = value["type"], value.get("coordinates")
    nested = {"Point": [[coordinates]], "MultiPoint": [coordinates], "LineString": [coordinates]}
    lines = nested.get(kind, coordinates)
    if not isinstance(lines, list) or not all(isinstance(line, list) for line in lines) or not lines:
        raise BadGeometry(f"The coordinates of a {kind} are arrays of positions.", where="geometry.coordinates")
    if sum(len(line) for line in lines) > most_vertices:
        raise TooLarge(f"The geometry has more than {most_vertices} vertices.", limit=most_vertices)
    read = [_positions(line) for line in lines]
    if kind in ("LineString", "MultiLineString"):
        return _lines(kind, read)
    return shapely.Point(read[0][0]) if kind == "Point" else shapely.MultiPoint(read[0])


def _lines(kind: str, read: list[Any]) -> shapely.Geometry:
    if any(len(np.unique(line, axis=0)) < len(("begin", "end")) for line in read):
        raise BadGeometry("A line has at least two different positions.", where="geometry.coordinates")
    if any((np.abs(np.diff(line[:, 0])) > _HALF_TURN).any() for line in read):
        raise BadGeometry(
            "An edge spans more than 180 degrees of longitude; write a line over the antimeridian as a "
            "MultiLineString whose parts end at 180 and begin at -180.",
            where="geometry.coordinates",
        )
    return measurable(shapely.LineString(read[0]) if kind == "LineString" else shapely.MultiLineString(read))


def _positions(line: list[Any]) -> Any:
    expected = "a position is [longitude, latitude] in degrees, -180 to 180 and -90 to 90"
    found = list[tuple[float, float]]()
    for number, one in enumerate(line):
        numbers = one[:2] if isinstance(one, list) else []
        sound = len(numbers) == len(("lon", "lat")) and all(
            isinstance(n, int | float) and not isinstance(n, bool) and abs(n) <= _HALF_TURN for n in numbers
        )
        if not sound:
            place = f"geometry.coordinates[{number}]"
            raise BadGeometry(f"{place} is not a position: {expected}.", where=place)
        found.append((float(numbers[0]), float(numbers[1])))
    places = np.array(found, dtype=np.float64).reshape(-1, 2)
    if not len(places) or outside_world(places[:, 0], places[:, 1]).any():
        raise BadGeometry(f"The geometry lies outside the world: {expected}.", where="geometry.coordinates")
    return places


async def read_in_thread(body: object, most_vertices: int) -> Where | ZoneRequest:
    """`read_where`, outside the event loop; but a point is read sooner than a thread takes it over."""
    if _is_point(body):
        return read_where(body, most_vertices)
    return await asyncio.to_thread(read_where, body, most_vertices)


def _is_point(body: object) -> bool:
    """Whether a body is about one point, so that reading it costs nothing."""
    geometry = body.get("geometry") if isinstance(body, Mapping) else None
    coordinates = geometry.get("coordinates") if isinstance(geometry, Mapping) else None
    small = isinstance(coordinates, list) and len(coordinates) <= len(("lon", "lat", "height"))
    return small and isinstance(geometry, Mapping) and geometry.get("type") == "Point"
