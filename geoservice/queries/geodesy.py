"""Distances on the ellipsoid, exact to a millimetre, from points to points, lines and areas.

Edges are straight in longitude and latitude, as everywhere in this product. The shortest geodesic to an edge is found
by bounds that no edge can escape (a distance on the sphere is wrong by less than 0.6 %), then by search along the few
edges that are left, where each distance is that of the geodesic (Karney 2013, as PROJ computes it).
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt
import pyproj
import shapely

from layers.area import INVERSE_FLATTENING, SEMI_MAJOR

Floats = npt.NDArray[np.float64]
Shapes = npt.NDArray[np.object_]

MEAN_RADIUS = 6_371_008.8
"""Metres: radius of the sphere that bounds are computed on."""
SPHERE_ERROR = 0.006
"""By how much a distance on the sphere may differ from that on the ellipsoid, in either direction."""
_LONGEST_PIECE = 0.2
"""Degrees: edges are searched in pieces no longer, on which the distance has one minimum."""
_SEARCH_STEPS = 48
_GOLDEN = 0.6180339887498949
_TURN, _HALF_TURN, _POLE = 360.0, 180.0, 90.0


@lru_cache(maxsize=1)
def ellipsoid() -> pyproj.Geod:
    """The ellipsoid of CGCS2000."""
    return pyproj.Geod(a=SEMI_MAJOR, rf=INVERSE_FLATTENING)


def distances(x: Floats, y: Floats, shapes: Shapes) -> Floats:
    """Metres from each point to the shape of the same number; 0 inside an area and on its border.

    Args:
        x: Longitudes in degrees.
        y: Latitudes in degrees.
        shapes: Geometries in longitude and latitude; not a number comes of one that is missing or empty.
    """
    found = np.full(len(x), np.nan)
    points = shapely.get_type_id(shapes) == shapely.GeometryType.POINT.value
    points &= ~shapely.is_empty(shapes)
    if points.any():
        found[points] = geodesics(x[points], y[points], shapely.get_x(shapes[points]), shapely.get_y(shapes[points]))
    rest = np.flatnonzero(~points & ~shapely.is_missing(shapes) & ~shapely.is_empty(shapes))
    inside = shapely.intersects_xy(shapes[rest], x[rest], y[rest])
    found[rest[inside]] = 0.0
    for number in rest[~inside]:
        found[number] = _to_edges(float(x[number]), float(y[number]), shapes[number])
    return found


def geodesics(x: Floats, y: Floats, other_x: Floats, other_y: Floats) -> Floats:
    """Metres along the geodesics between pairs of points in degrees."""
    _, _, metres = ellipsoid().inv(x, y, other_x, other_y)
    return np.asarray(metres, dtype=np.float64)


def _to_edges(x: float, y: float, shape: shapely.Geometry) -> float:
    """Metres from a point to the nearest point of the vertices and edges of a shape that does not hold it."""
    begin, end = _edges(shape)
    # Longitudes as seen from the point, so that an edge on the other side of 180 degrees is as near as it is.
    turned = _HALF_TURN - (_HALF_TURN - (begin[:, 0] - x)) % _TURN - begin[:, 0] + x
    begin = begin + np.column_stack([turned, np.zeros(len(turned))])
    end = end + np.column_stack([turned, np.zeros(len(turned))])
    near = _on_sphere(x, y, begin), _on_sphere(x, y, end)
    least = (near[0] + near[1] - _longest(begin, end)) / 2 * (1 - SPHERE_ERROR)
    most = float(np.minimum(*near).min()) * (1 + SPHERE_ERROR)
    kept = least <= most
    return _searched(x, y, *_in_pieces(begin[kept], end[kept]))


def _edges(shape: shapely.Geometry) -> tuple[Floats, Floats]:
    """Ends of all edges; a lone point is an edge without length."""
    parts = shapely.get_parts(shape)
    while (shapely.get_type_id(parts) >= shapely.GeometryType.MULTIPOINT.value).any():
        parts = shapely.get_parts(parts)
    areas = shapely.get_type_id(parts) == shapely.GeometryType.POLYGON.value
    lines = np.concatenate([shapely.get_rings(parts[areas]), parts[~areas]])
    places, line = shapely.get_coordinates(lines, return_index=True)
    joined = line[:-1] == line[1:]
    alone = np.bincount(line, minlength=len(lines))[line] == 1
    begin = np.concatenate([places[:-1][joined], places[alone]])
    return begin, np.concatenate([places[1:][joined], places[alone]])


def _on_sphere(x: float, y: float, places: Floats) -> Floats:
    """Metres on the sphere between a point and places (haversine formula)."""
    lon, lat = np.radians(places[:, 0] - x), np.radians(places[:, 1])
    own = np.radians(y)
    half = np.sin((lat - own) / 2) ** 2 + np.cos(lat) * np.cos(own) * np.sin(lon / 2) ** 2
    metres: Floats = 2 * MEAN_RADIUS * np.arcsin(np.sqrt(np.minimum(half, 1.0)))
    return metres


def _longest(begin: Floats, end: Floats) -> Floats:
    """Metres that an edge is long at most: its longitudes are taken where parallels are longest along it."""
    widest = np.where(
        begin[:, 1] * end[:, 1] <= 0,
        1.0,
        np.cos(np.radians(np.minimum(np.abs(begin[:, 1]), np.abs(end[:, 1])))),
    )
    across, up = np.radians(end[:, 0] - begin[:, 0]) * widest, np.radians(end[:, 1] - begin[:, 1])
    metres: Floats = MEAN_RADIUS * np.hypot(across, up) * (1 + SPHERE_ERROR)
    return metres


def _in_pieces(begin: Floats, end: Floats) -> tuple[Floats, Floats]:
    way = end - begin
    counts = np.maximum(1, np.ceil(np.abs(way).max(axis=1) / _LONGEST_PIECE)).astype(np.int64)
    edge = np.repeat(np.arange(len(begin)), counts)
    step = np.arange(len(edge)) - np.repeat(np.cumsum(counts) - counts, counts)
    first = begin[edge] + way[edge] * (step / counts[edge])[:, None]
    last = begin[edge] + way[edge] * ((step + 1) / counts[edge])[:, None]
    return first, last


def _searched(x: float, y: float, begin: Floats, end: Floats) -> float:
    """The least geodesic to any of some pieces of edges, by golden-section search along all of them at once."""

    def metres(share: Floats) -> Floats:
        at = begin + (end - begin) * share[:, None]
        return geodesics(np.full(len(at), x), np.full(len(at), y), _turned(at[:, 0]), at[:, 1])

    low, high = np.zeros(len(begin)), np.ones(len(begin))
    best = np.minimum(metres(low), metres(high))
    for _ in range(_SEARCH_STEPS):
        width = (high - low) * _GOLDEN
        left, right = high - width, low + width
        at_left, at_right = metres(left), metres(right)
        best = np.minimum(best, np.minimum(at_left, at_right))
        nearer = at_left < at_right
        low, high = np.where(nearer, low, left), np.where(nearer, right, high)
    return float(best.min())


def _turned(lon: Floats) -> Floats:
    turned: Floats = (lon + _HALF_TURN) % _TURN - _HALF_TURN
    return turned


def reach(x: float, y: float, metres: float) -> tuple[tuple[float, float, float, float], ...]:
    """Boxes in degrees that hold everything within a distance of a point: one, or two over 180 degrees.

    Args:
        x: Longitude in degrees.
        y: Latitude in degrees.
        metres: The distance.
    """
    # The shortest degree of latitude has 110,574 m (at the equator); the sphere of the polar radius is inside all.
    high = metres / 110_574.0 * (1 + SPHERE_ERROR)
    south, north = y - high, y + high
    if south <= -_POLE or north >= _POLE:
        return ((-_HALF_TURN, max(south, -_POLE), _HALF_TURN, min(north, _POLE)),)
    # The farthest meridian that a circle of this angle touches (spherical trigonometry), with a margin.
    sine = np.sin(np.radians(high)) / np.cos(np.radians(y))
    wide = float(np.degrees(np.arcsin(min(1.0, sine)))) * (1 + SPHERE_ERROR) if sine < 1 else _HALF_TURN
    if wide >= _HALF_TURN:
        return ((-180.0, south, 180.0, north),)
    west, east = x - wide, x + wide
    if west < -_HALF_TURN:
        return ((-180.0, south, east, north), (west + _TURN, south, 180.0, north))
    if east > _HALF_TURN:
        return ((west, south, 180.0, north), (-180.0, south, east - _TURN, north))
    return ((west, south, east, north),)
