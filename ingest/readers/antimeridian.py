"""Rings that jump from +180 to -180 degrees in one edge, as stitched world topologies have them, cut at 180 degrees.

RFC 7946, 3.1.9 asks for geometries that are cut there. A ring that turns once around the globe encloses a pole; it is
closed along that pole.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import shapely

Ring = npt.NDArray[np.float64]
_TURN, _HALF, _POLE = 360.0, 180.0, 90.0
_NEARLY = 1e-6
_AREA = 2


def jumps(ring: Ring) -> bool:
    """Whether an edge of the ring (n x 2, lon and lat in degrees) spans more than half the globe."""
    return bool(np.any(np.abs(np.diff(ring[:, 0])) > _HALF + _NEARLY))


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
