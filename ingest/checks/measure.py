"""Ellipsoidal areas and lengths of many geometries at once, within a budget of vertices."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyproj
import shapely

from layers.area import INVERSE_FLATTENING, MAX_EDGE_DEGREES, SEMI_MAJOR, ellipsoidal_area

Numbers = npt.NDArray[np.float64]
Geometries = npt.NDArray[np.object_]
_BUDGET = 4_000_000
"""Vertices that the densified edges of one geometry may have; a zigzag around the world would have milliards."""
_BLOCK = 500_000
_CURVE, _SURFACE = 1, 2
_FLATTENING = 1.0 / INVERSE_FLATTENING
_E = float(np.sqrt(_FLATTENING * (2 - _FLATTENING)))


def areas(geometries: Geometries) -> Numbers:
    """Areas in square metres by the area rule of `layers.area`.

    Small surfaces, whose edges need no densifying, take a short way: vertices in the cylindrical equal-area
    projection relative to the first vertex of their ring, which also keeps the area of a tiny surface exact.

    Args:
        geometries: Shapely geometries as x=longitude, y=latitude in degrees, or None.

    Returns:
        One number each: 0 for points and lines, NaN for None and for geometries beyond any reasonable size.
    """
    found = np.full(len(geometries), np.nan)
    bounds = shapely.bounds(geometries)
    with np.errstate(invalid="ignore"):
        small = (bounds[:, 2] - bounds[:, 0] < MAX_EDGE_DEGREES) & (bounds[:, 3] - bounds[:, 1] < MAX_EDGE_DEGREES)
    found[small] = _small_areas(geometries[small])
    large = np.flatnonzero(~small & ~shapely.is_missing(geometries))
    cost = shapely.length(geometries[large]) / MAX_EDGE_DEGREES + shapely.get_num_coordinates(geometries[large])
    large = large[cost <= _BUDGET]
    blocks = np.cumsum(cost[cost <= _BUDGET]) // _BLOCK
    for block in np.unique(blocks):
        rows = large[blocks == block]
        found[rows] = ellipsoidal_area(geometries[rows])
    return found


def surfaces(geometries: Geometries) -> npt.NDArray[np.bool_]:
    """Mask of the geometries that have an area."""
    return np.asarray(shapely.get_dimensions(geometries) == _SURFACE)


def curves(geometries: Geometries) -> npt.NDArray[np.bool_]:
    """Mask of the geometries that have a length and no area."""
    return np.asarray(shapely.get_dimensions(geometries) == _CURVE)


def lengths(geometries: Geometries) -> Numbers:
    """Lengths in metres of lines (outlines for surfaces) along geodesics between their vertices; NaN for None."""
    geod = pyproj.Geod(a=SEMI_MAJOR, rf=INVERSE_FLATTENING)
    lines, part_owner = _lines(geometries)
    points, owner = shapely.get_coordinates(lines, return_index=True)
    found = np.where(shapely.is_missing(geometries), np.nan, 0.0)
    if len(points) > 1:
        same = owner[1:] == owner[:-1]
        _, _, steps = geod.inv(points[:-1, 0], points[:-1, 1], points[1:, 0], points[1:, 1])
        np.add.at(found, part_owner[owner[:-1][same]], np.asarray(steps)[same])
    return found


def _lines(geometries: Geometries) -> tuple[Geometries, npt.NDArray[np.int64]]:
    """Single lines and rings of geometries, and the geometry of each."""
    parts, owner = shapely.get_parts(geometries, return_index=True)
    rings, ring_owner = shapely.get_rings(parts, return_index=True)
    single = curves(parts)
    return np.concatenate([parts[single], rings]), np.concatenate([owner[single], owner[ring_owner]])


def _small_areas(geometries: Geometries) -> Numbers:
    parts, owner = shapely.get_parts(geometries, return_index=True)
    rings, ring_part = shapely.get_rings(parts, return_index=True)
    found = np.zeros(len(geometries))
    if not len(rings):
        return found
    points, ring = shapely.get_coordinates(rings, return_index=True)
    starts = np.flatnonzero(np.diff(ring, prepend=-1))
    local = points - points[starts][ring]
    x = np.radians(local[:, 0]) * SEMI_MAJOR
    y = _rise(points[starts][ring][:, 1], local[:, 1])
    # Shoelace over each closed ring; the last vertex repeats the first, so pairs across rings are left out.
    cross = np.zeros(len(points))
    cross[:-1] = x[:-1] * y[1:] - x[1:] * y[:-1]
    cross[:-1][ring[1:] != ring[:-1]] = 0.0
    surface = np.abs(np.add.reduceat(cross, starts)) / 2
    hole = np.ones(len(rings), dtype=bool)
    hole[np.flatnonzero(np.diff(ring_part, prepend=-1))] = False
    np.add.at(found, owner[ring_part], np.where(hole, -surface, surface))
    return found


def _rise(latitude: Numbers, step: Numbers) -> Numbers:
    """Northing of `latitude + step` (degrees) above that of `latitude` in the cylindrical equal-area projection.

    The derivative of the northing, a (1 - e2) cos(phi) / (1 - e2 sin2(phi))^2 (Snyder 1987, 14-14 and 3-12), is
    integrated by Simpson's rule, exact to 1e-12 for steps of up to 0.01 degrees; a difference of two northings would
    lose the last digits.
    """

    def slope(degrees: Numbers) -> Numbers:
        phi = np.radians(degrees)
        return np.asarray(np.cos(phi) / np.square(1 - np.square(_E * np.sin(phi))))

    mean = (slope(latitude) + 4 * slope(latitude + step / 2) + slope(latitude + step)) / 6
    return np.asarray(SEMI_MAJOR * (1 - _E**2) * mean * np.radians(step))
