"""Polygons that are plainly valid: a proof that costs a quarter of asking GEOS, for nearly all parcels there are.

A ring is simple when, seen from some point, each edge runs on to the left (or each to the right) and they go round
once: then every edge lies in a sector of its own. The mean of the vertices is such a point for most shapes that people
draw. What cannot be proved in this way is not wrong; GEOS judges it.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import shapely

from ingest.readers.source import Geometries

_BLOCK = 2048
"""Geometries at a time: their vertices stay in the processor's cache."""
_ROUNDING = 8 * np.finfo(np.float64).eps
"""Bound of the relative error of a cross product of differences, with room to spare (2.5 eps suffice)."""
_TINY = 1e-290
"""Products below are not trusted, because they may have lost digits."""
_LEFT, _RIGHT, _CROSSED = 1, 1 << 20, 1 << 40
"""What an edge adds to the sum of its ring; sums stay apart for rings of up to a million vertices."""
_LONGEST = 1 << 19
Mask = npt.NDArray[np.bool_]
Numbers = npt.NDArray[np.float64]
Counts = npt.NDArray[np.int64]


def valid(geometries: Geometries) -> Mask:
    """Whether geometries are valid in the sense of OGC 06-103r4 (6.1), as GEOS decides; false for missing ones."""
    found = np.zeros(len(geometries), dtype=bool)
    for start in range(0, len(geometries), _BLOCK):
        block = geometries[start : start + _BLOCK]
        proved = proved_valid(block)
        proved[~proved] = shapely.is_valid(block[~proved])
        found[start : start + _BLOCK] = proved
    return found


def proved_valid(geometries: Geometries) -> Mask:
    """Polygons of one ring (alone or as the only part of a multipolygon) whose ring is proved to be simple."""
    found = np.zeros(len(geometries), dtype=bool)
    counts = shapely.get_num_coordinates(geometries).astype(np.int64)
    kind, parts = shapely.get_type_id(geometries), shapely.get_num_geometries(geometries)
    solid = (kind == shapely.GeometryType.POLYGON) | (kind == shapely.GeometryType.MULTIPOLYGON)
    which = solid & (parts == 1) & (counts > 0) & (counts <= _LONGEST)
    if which.any():
        # With a hole there are edges to the right, or they go round twice: nothing is proved.
        found[which] = _go_round_once(shapely.get_coordinates(geometries[which]), counts[which])
    return found


def _go_round_once(points: Numbers, counts: Counts) -> Mask:
    """Whether closed rings, one after the other, go once round the mean of their vertices without turning back."""
    starts = np.cumsum(counts) - counts
    with np.errstate(over="ignore", invalid="ignore"):
        x, y = (_from_mean(points[:, axis], starts, counts) for axis in (0, 1))
        ahead, back = x[:-1] * y[1:], x[1:] * y[:-1]
        turn = ahead - back
        certain = np.abs(turn) > (np.abs(ahead) + np.abs(back)) * _ROUNDING + _TINY
    above = y >= 0
    edges = np.zeros(len(points), dtype=np.int64)
    edges[:-1] = np.where(certain, np.where(turn > 0, _LEFT, _RIGHT), 0) + (above[1:] != above[:-1]) * _CROSSED
    # From the last vertex of a ring to the first of the next one there is no edge.
    edges[starts + counts - 1] = 0
    sums = np.add.reduceat(edges, starts)
    once = sums - 2 * _CROSSED
    return np.asarray((once == (counts - 1) * _LEFT) | (once == (counts - 1) * _RIGHT))


def _from_mean(values: Numbers, starts: Counts, counts: Counts) -> Numbers:
    """Coordinates as seen from the mean of their ring, whose last vertex repeats the first."""
    values = np.ascontiguousarray(values)
    mean = (np.add.reduceat(values, starts) - values[starts]) / np.maximum(counts - 1, 1)
    return np.asarray(values - np.repeat(mean, counts))
