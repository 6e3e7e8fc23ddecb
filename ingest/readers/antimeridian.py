"""Geometries that jump from +180 to -180 degrees in one edge, as stitched world maps have them, cut at 180 degrees.

RFC 7946, 3.1.9 asks for geometries that are cut there. A ring that turns once around the globe encloses a pole; it is
closed along that pole.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import shapely

Ring = npt.NDArray[np.float64]
_TURN, _HALF, _POLE = 360.0, 180.0, 90.0
_NEARLY = 1e-6
_LINE, _AREA = 1, 2


def jumps(ring: Ring) -> bool:
    """Whether an edge of the ring (n x 2, lon and lat in degrees) spans more than half the globe."""
    return bool(np.any(np.abs(np.diff(ring[:, 0])) > _HALF + _NEARLY))


def crosses(geometry: shapely.Geometry) -> bool:
    """Whether an edge spans more than half the globe and less than all of it.

    An edge from -180 to 180 is the rim of a world map (or runs along a pole); it crosses nothing.
    """
    parts = shapely.get_parts(geometry)
    dimensions = shapely.get_dimensions(parts)
    lines = np.concatenate([shapely.get_rings(parts[dimensions == _AREA]), parts[dimensions == _LINE]])
    coordinates, owner = shapely.get_coordinates(lines, return_index=True)
    steps = np.abs(np.diff(coordinates[:, 0]))
    return bool(((steps > _HALF + _NEARLY) & (steps < _TURN - _NEARLY) & (np.diff(owner) == 0)).any())


def cut_crossing(geometry: shapely.Geometry) -> shapely.Geometry:
    """A geometry whose edges jump over 180 degrees, cut there; each edge goes the short way.

    Args:
        geometry: Line or polygon, single or multi, or a collection of them; longitude and latitude in degrees.

    Returns:
        A geometry within -180 to 180 that covers the same places.
    """
    parts = [_cut_part(p) for p in shapely.get_parts(geometry)]
    singles = [s for p in parts for s in shapely.get_parts(p)]
    return singles[0] if len(singles) == 1 else _multi(singles)


def cut_line(longitudes: Ring, latitudes: Ring) -> shapely.Geometry:
    """A line through points in order, each step the short way round; cut where it crosses 180 degrees.

    Args:
        longitudes: Degrees east, -180 to 180.
        latitudes: Degrees north.

    Returns:
        A line, or a multi-line whose parts meet at +180 and -180.
    """
    x = np.unwrap(longitudes, period=_TURN)
    line = shapely.LineString(np.column_stack([x, latitudes]))
    if x.min() >= -_HALF and x.max() <= _HALF:
        return line
    parts: list[Any] = []
    for turn in range(int(np.floor((x.min() + _HALF) / _TURN)), int(np.ceil((x.max() + _HALF) / _TURN))):
        west = turn * _TURN - _HALF
        piece = shapely.clip_by_rect(line, west, -_POLE, west + _TURN, _POLE)
        parts += [_moved(p, -turn * _TURN) for p in shapely.get_parts(piece) if shapely.get_dimensions(p) == _LINE]
    return parts[0] if len(parts) == 1 else shapely.MultiLineString(parts)


def _cut_part(part: shapely.Geometry) -> shapely.Geometry:
    if not crosses(part):
        return part
    rings = [shapely.get_coordinates(r) for r in shapely.get_rings(part)]
    if rings:
        return cut(rings)
    return cut_line(*shapely.get_coordinates(part).T)


def _multi(singles: list[Any]) -> shapely.Geometry:
    builders: dict[int, Callable[[list[Any]], shapely.Geometry]] = {
        _LINE: shapely.MultiLineString,
        _AREA: shapely.MultiPolygon,
    }
    dimensions = set(shapely.get_dimensions(singles).tolist())
    build = builders.get(dimensions.pop()) if len(dimensions) == 1 else None
    return shapely.GeometryCollection(singles) if build is None else build(singles)


def cut(rings: list[Ring]) -> shapely.Geometry:
    """A polygon given by its shell and holes, some of which jump, as a valid polygon or multipolygon within +-180.

    Args:
        rings: Closed rings, the shell first; coordinates are longitude and latitude in degrees.

    Returns:
        The cut geometry. A shell that goes back on its own way (the frame of a whole world map does) is no stitched
        ring and stays as it is.
    """
    # Even-odd: a hole lies inside its shell, but of two rings around a pole the outer one may be called the hole.
    found: shapely.Geometry = shapely.Polygon()
    for ring in rings:
        area = _wrapped(shapely.make_valid(shapely.Polygon(_unrolled(ring))))
        found = shapely.symmetric_difference(found, area)
    return shapely.Polygon(rings[0], rings[1:]) if shapely.is_empty(found) else found


def _unrolled(ring: Ring) -> Ring:
    """The ring with continuous longitudes, each edge the short way; around a pole it is closed along that pole."""
    steps = np.diff(ring[:, 0])
    steps -= _TURN * np.round(steps / _TURN)
    longitudes = ring[0, 0] + np.concatenate([[0.0], np.cumsum(steps)])
    open_ring = np.column_stack([longitudes, ring[:, 1]])
    if abs(longitudes[-1] - longitudes[0]) < _HALF:
        return open_ring
    pole = -_POLE if ring[:, 1].mean() < 0 else _POLE
    return np.vstack([open_ring, [[longitudes[-1], pole], [longitudes[0], pole]], open_ring[:1]])


def _wrapped(geometry: shapely.Geometry) -> shapely.Geometry:
    """The parts of a geometry within each turn of the globe, moved into -180 to 180."""
    west, _, east, _ = shapely.bounds(geometry)
    turns = range(int(np.floor((west + _HALF) / _TURN)), int(np.floor((east + _HALF) / _TURN)) + 1)
    parts = []
    for turn in turns:
        window = shapely.box(turn * _TURN - _HALF, -_POLE, turn * _TURN + _HALF, _POLE)
        parts.append(_moved(shapely.intersection(geometry, window), -turn * _TURN))
    areas = [p for part in parts for p in shapely.get_parts(part) if shapely.get_dimensions(p) == _AREA]
    return shapely.union_all(areas)


def _moved(geometry: shapely.Geometry, degrees: float) -> shapely.Geometry:
    def shift(coordinates: Ring) -> Ring:
        moved: Ring = np.asarray(coordinates) + np.array([degrees, 0.0])
        return moved

    return shapely.transform(geometry, shift)
