"""From untrusted GeoJSON to a polygon that may be asked about. Pure, no database; GEOS works under budgets.

Positions are longitude, latitude (CRS84, RFC 7946 section 4); edges are straight in longitude and latitude.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from typing import Any, TypeAlias

import numpy as np
import shapely

from geoservice.analysis.tangles import require_mergeable, require_untangled
from layers.area import MAX_EDGE_DEGREES
from layers.errors import BadGeometry, TooLarge

PolygonGeometry: TypeAlias = shapely.Polygon | shapely.MultiPolygon

MAX_DEPTH = 4
"""Nesting of collections; GeoJSON asks for none (RFC 7946, 3.1.8), programs write one or two."""
MAX_PIECES = 500_000
"""Pieces of at most 1 km (of the equator) into which measuring cuts edges: a few long edges are many of them. The box
around the world has 120,000."""
MIN_RING = 4
HALF_TURN = 180.0
QUARTER_TURN = 90.0
_WORLD = np.array([HALF_TURN, QUARTER_TURN])
_SAME_AS_CRS84 = ("CRS84", "EPSG::4326", "EPSG:4326", "EPSG::4490", "EPSG:4490", "EPSG/0/4326", "EPSG/0/4490")
_FLAT_TYPES = ("Point", "MultiPoint", "LineString", "MultiLineString")
_EXPECTED = "a zone is a GeoJSON Polygon or MultiPolygon, or a Feature, FeatureCollection or GeometryCollection of such"


def parse_zone(geojson: Mapping[str, Any], most: int | Budget) -> PolygonGeometry:
    """Read the polygon of a zone from GeoJSON.

    Polygons of a collection may overlap or touch: they are merged. Heights are ignored.

    Args:
        geojson: A parsed GeoJSON object; positions are longitude, latitude in degrees (CRS84).
        most: Most positions of all rings together, or what is left of them for several zones together.

    Returns:
        A valid polygon or multipolygon in longitude and latitude. A zone over the antimeridian comes as parts
        that end at +180 and begin at -180 (RFC 7946, 3.1.9).

    Raises:
        BadGeometry: With the place (`where`), when it is no area, malformed, outside the world, self-crossing,
            empty, or has an edge that spans more than 180 degrees.
        TooLarge: When it has more vertices than allowed, a longer outline than `measurable` takes, or a collection
            whose outlines cross too often.
    """
    budget = most if isinstance(most, Budget) else Budget(most)
    parts = list(_parts(geojson, "zone", budget, 0))
    if not parts:
        raise BadGeometry(f"The zone is empty; {_EXPECTED}.", where="zone")
    merged = parts[0] if len(parts) == 1 else _merge(parts)
    return checked(measurable(merged), "zone")


def measurable(geometry: shapely.Geometry) -> shapely.Geometry:
    """The geometry, when its edges can be cut into pieces of 1 km, as the area rule (`layers.area`) cuts them.

    Args:
        geometry: Lines or areas in longitude and latitude, degrees.

    Raises:
        TooLarge: When there would be more than `MAX_PIECES`; few vertices far apart can fill any memory.
    """
    pieces = int(shapely.length(geometry) / MAX_EDGE_DEGREES)
    if pieces > MAX_PIECES:
        raise TooLarge(
            f"The geometry has edges of {pieces:,} km together, as long as degrees are on the equator; at most "
            f"{MAX_PIECES:,} are measured. Ask about its parts.",
            limit=MAX_PIECES,
        )
    return geometry


def checked(geometry: shapely.Geometry, where: str) -> PolygonGeometry:
    """Make sure that a geometry is a zone: a valid polygon or multipolygon with an area.

    Raises:
        BadGeometry: With the kind of geometry or the place where it crosses itself.
    """
    if not isinstance(geometry, shapely.Polygon | shapely.MultiPolygon):
        kind = type(geometry).__name__
        raise BadGeometry(f"A {kind} has no area; draw a buffer around it: {_EXPECTED}.", where=where, type=kind)
    if geometry.is_empty:
        raise BadGeometry(f"The zone is empty; {_EXPECTED}.", where=where)
    if not geometry.is_valid:
        reason = shapely.is_valid_reason(geometry)
        raise BadGeometry(f"The zone is not a proper area: {reason} (longitude latitude).", where=where, reason=reason)
    if not geometry.area > 0:
        raise BadGeometry("The zone has no area.", where=where)
    return geometry


class Budget:
    """Positions that may still be read."""

    def __init__(self, most: int) -> None:
        """Allow so many positions."""
        self.most, self.used = most, 0

    def spend(self, number: int) -> None:
        """Count positions.

        Raises:
            TooLarge: When there are more than allowed.
        """
        self.used += number
        if self.used > self.most:
            raise TooLarge(
                f"The zone has more than {self.most} vertices; simplify it or ask about its parts.", limit=self.most
            )


def _parts(value: object, where: str, budget: Budget, depth: int) -> Iterator[PolygonGeometry]:
    """The polygons of a GeoJSON object, one by one, each valid."""
    if not isinstance(value, Mapping):
        raise BadGeometry(f"{where} is not a GeoJSON object; {_EXPECTED}.", where=where)
    if depth > MAX_DEPTH:
        raise BadGeometry(f"{where} is nested more than {MAX_DEPTH} deep.", where=where)
    _check_crs(value, where)
    kind = value.get("type")
    if kind == "Feature":
        yield from _parts(value.get("geometry"), f"{where}.geometry", budget, depth + 1)
    elif kind in ("FeatureCollection", "GeometryCollection"):
        member = "features" if kind == "FeatureCollection" else "geometries"
        for number, item in enumerate(_array(value.get(member), f"{where}.{member}")):
            yield from _parts(item, f"{where}.{member}[{number}]", budget, depth + 1)
    else:
        area = _geometry(kind, value.get("coordinates"), where, budget)
        require_untangled(area)
        yield checked(area, where)


def _check_crs(value: Mapping[str, Any], where: str) -> None:
    """Refuse the `crs` member of the older GeoJSON when it names something else than longitude and latitude."""
    crs = value.get("crs")
    if crs is None:
        return
    properties = crs.get("properties") if isinstance(crs, Mapping) else None
    name = properties.get("name") if isinstance(properties, Mapping) else None
    if not (isinstance(name, str) and name.endswith(_SAME_AS_CRS84)):
        raise BadGeometry(
            f"{where} names a coordinate reference system; GeoJSON is read as longitude, latitude (CRS84).",
            where=f"{where}.crs",
        )


def _geometry(kind: object, coordinates: object, where: str, budget: Budget) -> PolygonGeometry:
    place = f"{where}.coordinates"
    if kind == "Polygon":
        return _polygon(coordinates, place, budget)
    if kind == "MultiPolygon":
        members = enumerate(_array(coordinates, place))
        return shapely.MultiPolygon([_polygon(member, f"{place}[{number}]", budget) for number, member in members])
    if kind in _FLAT_TYPES:
        raise BadGeometry(f"A {kind} has no area; draw a buffer around it: {_EXPECTED}.", where=where, type=kind)
    raise BadGeometry(f"{where} has the type {str(kind)[:40]!r}; {_EXPECTED}.", where=f"{where}.type")


def _polygon(value: object, where: str, budget: Budget) -> shapely.Polygon:
    rings = [_ring(ring, f"{where}[{number}]", budget) for number, ring in enumerate(_array(value, where))]
    if not rings:
        raise BadGeometry(f"{where} has no ring.", where=where)
    return shapely.Polygon(rings[0], rings[1:])


def _ring(value: object, where: str, budget: Budget) -> np.ndarray[Any, np.dtype[np.float64]]:
    positions = _array(value, where)
    budget.spend(len(positions))
    ring = _quick(positions)
    if ring is None:
        read = [_position(item, f"{where}[{number}]") for number, item in enumerate(positions)]
        ring = np.array(read, dtype=np.float64)
    if len(ring) < MIN_RING or not np.array_equal(ring[0], ring[-1]):
        raise BadGeometry(
            f"{where} is not closed: a ring has at least {MIN_RING} positions and ends where it began "
            "(RFC 7946, 3.1.6).",
            where=where,
        )
    _check_spans(ring, where)
    return ring


def _quick(positions: Sequence[Any]) -> np.ndarray[Any, np.dtype[np.float64]] | None:
    """Positions that are all in order, at once; None where one may not be, so that they have to be looked at singly."""
    if set(map(type, positions)) != {list} or set(map(type, chain.from_iterable(positions))) != {float}:
        return None
    if len(set(map(len, positions))) != 1:
        return None
    ring = np.array(positions, dtype=np.float64)
    fits = ring.shape[1] >= len(_WORLD) and bool((np.abs(ring[:, :2]) <= _WORLD).all())
    return ring[:, :2] if fits else None


def _check_spans(ring: np.ndarray[Any, np.dtype[np.float64]], where: str) -> None:
    wide = np.flatnonzero(np.abs(np.diff(ring[:, 0])) > HALF_TURN)
    if wide.size:
        place = f"{where}[{int(wide[0])}]"
        raise BadGeometry(
            f"The edge that begins at {place} spans more than 180 degrees of longitude. Write a zone over the "
            "antimeridian as a MultiPolygon whose parts end at 180 and begin at -180; give a zone that is really "
            "that wide more vertices.",
            where=place,
        )


def _position(value: object, where: str) -> tuple[float, float]:
    numbers = _array(value, where)[:2]
    expected = "a position is [longitude, latitude] in degrees, -180 to 180 and -90 to 90"
    if len(numbers) < len(("longitude", "latitude")) or not all(_is_number(number) for number in numbers):
        raise BadGeometry(f"{where} is not a position: {expected}.", where=where)
    lon, lat = numbers
    # Comparing before converting keeps integers of any size from overflowing; NaN fails both comparisons.
    if not (abs(lon) <= HALF_TURN and abs(lat) <= QUARTER_TURN):
        raise BadGeometry(f"{where} lies outside the world: {expected}.", where=where)
    return float(lon), float(lat)


def _is_number(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return isinstance(value, int) or math.isfinite(value)


def _array(value: object, where: str) -> Sequence[Any]:
    if not isinstance(value, list | tuple):
        raise BadGeometry(f"{where} is missing or not an array.", where=where)
    return value


def _merge(parts: Sequence[PolygonGeometry]) -> shapely.Geometry:
    """The union of valid polygons; what GEOS may have to look at is counted before it begins."""
    whole = shapely.get_parts(np.array(parts))
    apart = shapely.MultiPolygon(list(whole))
    require_untangled(apart)
    if apart.is_valid:
        return apart
    require_mergeable(parts)
    return shapely.union_all(whole)
