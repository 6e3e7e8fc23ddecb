"""Ellipsoidal areas and lengths of many geometries at once, within a budget of vertices."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyproj
import shapely

from ingest.checks.curves import Geometries, Owners, curves_of
from layers.area import INVERSE_FLATTENING, MAX_EDGE_DEGREES, SEMI_MAJOR, ellipsoidal_area

Numbers = npt.NDArray[np.float64]
_BUDGET = 4_000_000
"""Vertices that the densified edges of one geometry may have; a zigzag around the world would have milliards."""
_BLOCK = 500_000
_NEAR = 1.01
_POLAR = 85.0
"""Degrees of latitude beyond which a small surface may reach over parallels of very different length."""
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
    found = np.where(shapely.is_missing(geometries), np.nan, 0.0)
    known = curves_of(geometries)
    points, curve = known.points, known.number
    if len(points) > 1:
        same = curve[1:] == curve[:-1]
        _, _, steps = geod.inv(points[:-1, 0], points[:-1, 1], points[1:, 0], points[1:, 1])
        np.add.at(found, known.owner[curve[:-1][same]], np.asarray(steps)[same])
    return found


def thinness(geometries: Geometries, areas: Numbers, limit: float) -> Numbers:
    """Thinness 4 pi A / P^2 of surfaces: 1 for a circle, near 0 for a sliver.

    The outline is measured along geodesics only where the answer comes near the limit; elsewhere by the radii of
    curvature in the middle of the surface, which for the sizes concerned is right to a thousandth.

    Args:
        geometries: Surfaces as x=longitude, y=latitude in degrees.
        areas: Their areas in square metres.
        limit: The thinness about which it is asked.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        found = 4 * np.pi * areas / np.square(_rough_outlines(geometries))
        near = ~(found > _NEAR * limit)
        found[near] = 4 * np.pi * areas[near] / np.square(lengths(geometries[near]))
    return found


def _rough_outlines(geometries: Geometries) -> Numbers:
    """Metres of the outlines of small surfaces; NaN for larger ones and for those near a pole."""
    found = np.full(len(geometries), np.nan)
    bounds = shapely.bounds(geometries)
    with np.errstate(invalid="ignore"):
        small = (bounds[:, 2:] - bounds[:, :2] < MAX_EDGE_DEGREES).all(axis=1) & (np.abs(bounds[:, 3]) < _POLAR)
    chosen = np.flatnonzero(small)
    known = curves_of(geometries[chosen])
    if not len(known):
        return found
    phi = np.radians((bounds[chosen, 1] + bounds[chosen, 3]) / 2)
    curvature = 1 - np.square(_E * np.sin(phi))
    east = np.radians(SEMI_MAJOR * np.cos(phi) / np.sqrt(curvature))
    north = np.radians(SEMI_MAJOR * (1 - _E**2) / curvature**1.5)
    scale = np.column_stack([east, north])[known.owner]
    steps = np.diff(known.points, axis=0, append=0.0) * np.repeat(scale, known.counts, axis=0)
    metres = np.hypot(steps[:, 0], steps[:, 1])
    # From the last vertex of a ring to the first of the next one there is no edge.
    metres[known.starts + known.counts - 1] = 0.0
    found[chosen] = np.bincount(known.owner, np.add.reduceat(metres, known.starts), minlength=len(chosen))
    return found


def _small_areas(geometries: Geometries) -> Numbers:
    known = curves_of(geometries)
    if not len(known):
        return np.zeros(len(geometries))
    first = known.points[known.starts]
    local = known.points - np.repeat(first, known.counts, axis=0)
    x = np.radians(local[:, 0]) * SEMI_MAJOR
    y = _rise(first[:, 1], known.counts, local[:, 1])
    # Shoelace over each closed ring, whose last vertex repeats the first; between rings there is no edge.
    cross = np.zeros(len(x))
    cross[:-1] = x[:-1] * y[1:] - x[1:] * y[:-1]
    cross[known.starts + known.counts - 1] = 0.0
    surface = np.abs(np.add.reduceat(cross, known.starts)) / 2
    signed = np.where(known.shell, surface, -surface)
    return np.asarray(np.bincount(known.owner, signed, minlength=len(geometries)), dtype=np.float64)


def _rise(latitude: Numbers, counts: Owners, step: Numbers) -> Numbers:
    """Northing of vertices above the first one of their ring in the cylindrical equal-area projection, in metres.

    The derivative of the northing, a (1 - e2) cos(phi) / (1 - e2 sin2(phi))^2 (Snyder 1987, 14-14 and 3-12), is
    developed to its second derivative: exact to 1e-9 m for steps of up to 0.01 degrees. A difference of two northings
    would lose the last digits.

    Args:
        latitude: Of the first vertex of each ring (degrees).
        counts: Vertices of each ring.
        step: Latitude of each vertex above that of the first one of its ring (degrees).
    """
    slope, bend, twist = (np.repeat(some, counts) for some in _slope_of_northing(np.radians(latitude)))
    turn = np.radians(step)
    return np.asarray(SEMI_MAJOR * (1 - _E**2) * turn * (slope + turn / 2 * (bend + turn / 3 * twist)))


def _slope_of_northing(phi: Numbers) -> tuple[Numbers, Numbers, Numbers]:
    """cos(phi) / w^2 with w = 1 - e2 sin2(phi), and its first and second derivative by phi."""
    sine, cosine, e2 = np.sin(phi), np.cos(phi), _E**2
    w = 1 - e2 * np.square(sine)
    crossed = np.square(sine * cosine)
    slope = cosine / w**2
    bend = sine * (4 * e2 * np.square(cosine) / w - 1) / w**2
    twist = cosine * (4 * e2 * (np.square(cosine) - 3 * np.square(sine) + 6 * e2 * crossed / w) / w - 1) / w**2
    return slope, bend, twist
