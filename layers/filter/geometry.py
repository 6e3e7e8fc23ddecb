"""Geometry literals: from coordinates in some CRS to a valid shape in longitude and latitude. GEOS works under budgets.

Nothing is repaired: a geometry that is not valid is refused with the place, before the database sees it. Edges are
straight in the CRS that they are written in; those of a projected CRS get more vertices before they are brought to
degrees.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pyproj
import shapely
from shapely.geometry.base import BaseGeometry

from layers.crs import storage_transformer
from layers.errors import BadFilter, BadGeometry
from layers.filter.budget import Budget
from layers.filter.tree import Shape

Positions: TypeAlias = "npt.NDArray[np.float64]"
MOST_MERGED = 400
"""Vertices of overlapping areas that are merged; each pair of edges might cross."""
MOST_PARTS = 2_000
"""Into how many parts the edges of a literal in a projected CRS are cut at most."""
_DENSE = 1_000.0
_LON, _LAT = 180.0, 90.0
_RING, _LINE = 4, 2
_FLAT, _SOLID = 4, 6
_LEVELS = {"Point": 0, "MultiPoint": 1, "LineString": 1, "MultiLineString": 2, "Polygon": 2, "MultiPolygon": 3}
_MOST_NESTED = 4
_TOO_NESTED = f"Collections of the filter are nested more than {_MOST_NESTED} deep."


class Drawing:
    """Makes shapes of coordinates that are written in one CRS, within the budget of one filter."""

    def __init__(self, budget: Budget, crs: pyproj.CRS | None) -> None:
        """Remember the budget and the CRS; None is CRS84 (longitude, latitude)."""
        self._budget, self._crs = budget, crs

    def shape(self, kind: str, coordinates: object) -> Shape:
        """A shape of GeoJSON's type and coordinates; of a GeometryCollection, its members as such pairs.

        Raises:
            BadGeometry: With the place, when it is malformed, not valid, empty or outside the world.
            BadFilter: When it exceeds the budget.
        """
        raw = self._geometry(kind, coordinates, 0)
        _require_valid(raw)
        return _shape(self._brought(raw))

    def box(self, numbers: Sequence[object]) -> Shape:
        """A box of its least and greatest coordinates, in the axis order of the CRS; heights are ignored.

        In degrees, a box whose first longitude exceeds the second crosses the antimeridian (RFC 7946, 5.2).

        Raises:
            BadGeometry: When these are not 4 or 6 numbers of a box.
        """
        sides = [_number(n) for n in numbers]
        if len(sides) not in (_FLAT, _SOLID):
            raise BadGeometry(f"A BBOX of the filter has 4 or 6 numbers, not {len(sides)}.", where="BBOX")
        half = len(sides) // 2
        (x1, y1), (x2, y2) = (self._ordered(sides[0], sides[1]), self._ordered(sides[half], sides[half + 1]))
        self._budget.vertices(_RING)
        boxes = [(x1, y1, x2, y2)]
        if self._geographic and x1 > x2:
            boxes = [(x1, y1, _LON, y2), (-_LON, y1, x2, y2)]
        if y1 > y2 or any(box[0] > box[2] for box in boxes):
            raise BadGeometry("A BBOX of the filter has its least coordinates first, then its greatest.", where="BBOX")
        parts = [_flat_box(*box) for box in boxes]
        return _shape(self._brought(shapely.union_all(parts), ordered=True))

    @property
    def _geographic(self) -> bool:
        return self._crs is None or self._crs.is_geographic

    def _ordered(self, first: float, second: float) -> tuple[float, float]:
        return (second, first) if _north_first(self._crs) else (first, second)

    def _brought(self, raw: BaseGeometry, *, ordered: bool = False) -> BaseGeometry:
        """The geometry in degrees, x first."""
        if self._crs is None:
            _require_world(raw)
            return raw
        way = _way(self._crs, swap=not ordered and _north_first(self._crs))
        if not self._geographic and raw.length > 0:
            raw = shapely.segmentize(raw, max(_DENSE, raw.length / MOST_PARTS))
        placed = shapely.transform(raw, way)
        _require_world(placed)
        if not self._geographic:
            _require_valid(placed)
        return placed

    def _geometry(self, kind: str, value: object, depth: int) -> BaseGeometry:
        if kind == "GeometryCollection":
            return self._collection(value, depth)
        self._require_level(kind, value)
        makers: dict[str, Callable[[Any], BaseGeometry]] = {
            "Point": lambda one: shapely.Point(self._line([one], kind, 1)[0]),
            "MultiPoint": lambda all_: shapely.MultiPoint(self._line(all_, kind, 1)),
            "LineString": lambda line: shapely.LineString(self._line(line, kind, _LINE)),
            "MultiLineString": lambda lines: shapely.MultiLineString([self._line(one, kind, _LINE) for one in lines]),
            "Polygon": lambda rings: self._polygon(rings, kind),
            "MultiPolygon": lambda all_: shapely.MultiPolygon([self._polygon(one, kind) for one in all_]),
        }
        return makers[kind](value)

    @staticmethod
    def _require_level(kind: str, value: object) -> None:
        if kind not in _LEVELS:
            raise BadGeometry(f"{kind[:40]!r} is no type of geometry; known are {', '.join(_LEVELS)}.", where="type")
        if not _array(value, kind):
            raise BadGeometry(f"A {kind} of the filter is empty.", where=kind)

    def _collection(self, value: object, depth: int) -> BaseGeometry:
        if depth >= _MOST_NESTED:
            raise BadGeometry(
                f"Collections of the filter are nested more than {_MOST_NESTED} deep.", where="geometries"
            )
        members = _array(value, "GeometryCollection")
        if not members:
            raise BadGeometry("A GeometryCollection of the filter is empty.", where="geometries")
        self._budget.node(len(members))
        return shapely.GeometryCollection([self._geometry(kind, inner, depth + 1) for kind, inner in members])

    def _polygon(self, value: object, kind: str) -> shapely.Polygon:
        rings = [self._line(ring, kind, _RING) for ring in _array(value, kind)]
        for number, ring in enumerate(rings):
            if not np.array_equal(ring[0], ring[-1]):
                raise BadGeometry(
                    f"Ring {number} of a {kind} of the filter is not closed: it begins at {_place(ring[0])} and ends "
                    f"at {_place(ring[-1])}.",
                    where=f"ring {number}",
                )
        if not rings:
            raise BadGeometry(f"A {kind} of the filter has no ring.", where=kind)
        return shapely.Polygon(rings[0], rings[1:])

    def _line(self, value: object, kind: str, least: int) -> Positions:
        positions = _array(value, kind)
        self._budget.vertices(len(positions))
        if len(positions) < least:
            raise BadGeometry(f"A part of a {kind} of the filter has fewer than {least} positions.", where=kind)
        return np.array([_position(one, kind) for one in positions], dtype=np.float64)


def _shape(placed: BaseGeometry) -> Shape:
    """A shape of one dimension where that can be; overlapping areas of a collection are merged."""
    if not isinstance(placed, shapely.GeometryCollection):
        return Shape(shapely.to_wkb(placed))
    members = _single(placed)
    dimensions = {int(shapely.get_dimensions(member)) for member in members}
    if len(dimensions) > 1:
        return Shape(shapely.to_wkb(shapely.GeometryCollection(members)), mixed=True)
    several = (shapely.multipoints, shapely.multilinestrings, shapely.multipolygons)[dimensions.pop()]
    whole: Any = several(np.array(members))
    if not whole.is_valid:
        if shapely.get_num_coordinates(whole) > MOST_MERGED:
            raise BadGeometry(
                f"Areas of a collection of the filter overlap; merge them first when they have more than {MOST_MERGED} "
                "vertices.",
                where="geometries",
            )
        whole = shapely.union_all(members)
    return Shape(shapely.to_wkb(whole))


def _single(geometry: BaseGeometry) -> list[BaseGeometry]:
    """The points, lines and polygons of a collection, also of collections inside it."""
    if not hasattr(geometry, "geoms"):
        return [geometry]
    return [single for part in geometry.geoms for single in _single(part)]


def _require_valid(geometry: BaseGeometry) -> None:
    if not geometry.is_valid:
        reason = shapely.is_valid_reason(geometry)
        raise BadGeometry(f"A geometry of the filter is not valid: {reason}.", where=reason)


def _require_world(geometry: BaseGeometry) -> None:
    places = shapely.get_coordinates(geometry)
    # NaN, and what a projection cannot bring back, fails the comparison too.
    wrong = np.flatnonzero(~((np.abs(places[:, 0]) <= _LON) & (np.abs(places[:, 1]) <= _LAT)))
    if wrong.size:
        place = _place(places[wrong[0]])
        raise BadGeometry(
            f"A geometry of the filter lies outside the world, at longitude and latitude {place}; is filter-crs right, "
            "and the order of its axes?",
            where=place,
        )


def _place(position: Positions) -> str:
    return " ".join(f"{value:.15g}" for value in position)


def _flat_box(west: float, south: float, east: float, north: float) -> BaseGeometry:
    """A box, also one without width or height, which is a line or a point."""
    if west == east and south == north:
        return shapely.Point(west, south)
    if west == east or south == north:
        return shapely.LineString([(west, south), (east, north)])
    return shapely.box(west, south, east, north)


def _array(value: object, kind: str) -> Sequence[Any]:
    if not isinstance(value, list | tuple):
        raise BadGeometry(f"The coordinates of a {kind} of the filter are not nested as it needs.", where=kind)
    return value


def _position(value: object, kind: str) -> tuple[float, float]:
    numbers = _array(value, kind)
    if len(numbers) not in (2, 3):
        raise BadGeometry(f"A position of a {kind} of the filter has 2 or 3 numbers, not {len(numbers)}.", where=kind)
    first, second = (_number(number) for number in numbers[:2])
    return first, second


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise BadGeometry("A coordinate of the filter is not a number.", where="coordinates")
    try:
        found = float(value)
    except OverflowError:
        found = math.inf
    if not math.isfinite(found):
        raise BadGeometry("A coordinate of the filter is not a finite number.", where="coordinates")
    return found


def _north_first(crs: pyproj.CRS | None) -> bool:
    return crs is not None and bool(crs.axis_info) and crs.axis_info[0].direction == "north"


@lru_cache(maxsize=256)
def _way(crs: pyproj.CRS, *, swap: bool) -> Callable[[Positions], Positions]:
    """The way of coordinates, as they are written or already x first, to longitude and latitude."""
    transformer = storage_transformer(crs)

    def brought(coordinates: Positions) -> Positions:
        x, y = (coordinates[:, 1], coordinates[:, 0]) if swap else (coordinates[:, 0], coordinates[:, 1])
        if transformer is not None:
            x, y = transformer.transform(x, y)
        return np.column_stack([x, y])

    return brought


def members_of(geojson: Mapping[str, Any], depth: int = 0) -> object:
    """Coordinates of a GeoJSON geometry; of a collection, the pairs of type and coordinates of its members.

    Raises:
        BadFilter: When a member of a collection is no geometry.
    """
    if geojson.get("type") != "GeometryCollection":
        return geojson.get("coordinates")
    if depth > _MOST_NESTED:
        raise BadGeometry(_TOO_NESTED, where="geometries")
    members = geojson.get("geometries")
    if not isinstance(members, list) or not all(
        isinstance(m, dict) and isinstance(m.get("type"), str) for m in members
    ):
        raise BadFilter("A GeometryCollection of the filter has geometries with a type.")
    return [(member["type"], members_of(member, depth + 1)) for member in members]
