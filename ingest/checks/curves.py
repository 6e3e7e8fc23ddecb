"""Rings of surfaces and single lines of many geometries, as one run of vertices.

Taking geometries apart in GEOS copies every part and every ring. Most surfaces are one ring, whose vertices can be had
without that.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import shapely

Geometries = npt.NDArray[np.object_]
Coordinates = npt.NDArray[np.float64]
Owners = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]
_LINE, _SURFACE = 1, 2
_FIRST_AND_LAST = 2


@dataclass(frozen=True)
class Curves:
    """Rings and lines, one after the other.

    Attributes:
        points: Vertices of all curves, of shape (n, 2), as x=longitude, y=latitude; a ring ends with its first vertex.
        counts: Vertices of each curve, at least one.
        owner: Number of the geometry of each curve.
        shell: Whether it is no hole: an outer ring or a line.
    """

    points: Coordinates
    counts: Owners
    owner: Owners
    shell: Mask

    def __len__(self) -> int:
        """Number of curves."""
        return len(self.counts)

    @property
    def starts(self) -> Owners:
        """Place of the first vertex of each curve."""
        return np.cumsum(self.counts) - self.counts

    @property
    def number(self) -> Owners:
        """For each vertex the number of its curve."""
        return np.repeat(np.arange(len(self.counts)), self.counts)


def curves_of(geometries: Geometries) -> Curves:
    """The rings of surfaces and the single lines of geometries; points, empty and missing geometries have none."""
    one = single_rings(geometries)
    whole = np.flatnonzero(one).astype(np.int64)
    found = Curves(*_vertices(geometries[whole]), whole, np.ones(len(whole), dtype=bool))
    if len(whole) == len(geometries):
        return found
    others = np.flatnonzero(~one).astype(np.int64)
    more = _taken_apart(geometries[others])
    return Curves(
        np.concatenate([found.points, more.points]),
        np.concatenate([found.counts, more.counts]),
        np.concatenate([found.owner, others[more.owner]]),
        np.concatenate([found.shell, more.shell]),
    )


def single_rings(geometries: Geometries) -> Mask:
    """Surfaces that are one ring, as a polygon or as the only part of a multipolygon. Some of the latter may be missed.

    A multipolygon does not tell the holes of its part; but if it has one, its first ring closes before the last vertex.
    """
    kind = shapely.get_type_id(geometries)
    filled = shapely.get_num_coordinates(geometries) > 0
    found = (kind == shapely.GeometryType.POLYGON) & (shapely.get_num_interior_rings(geometries) == 0) & filled
    parted = (kind == shapely.GeometryType.MULTIPOLYGON) & (shapely.get_num_geometries(geometries) == 1) & filled
    if parted.any():
        points, counts = _vertices(geometries[parted])
        starts = np.cumsum(counts) - counts
        closing = (points == np.repeat(points[starts], counts, axis=0)).all(axis=1)
        met = np.add.reduceat(closing.astype(np.int64), starts)
        found[parted] = closing[starts + counts - 1] & (met == _FIRST_AND_LAST)
    return np.asarray(found)


def _vertices(geometries: Geometries) -> tuple[Coordinates, Owners]:
    return shapely.get_coordinates(geometries), shapely.get_num_coordinates(geometries).astype(np.int64)


def _taken_apart(geometries: Geometries) -> Curves:
    parts, owner = shapely.get_parts(geometries, return_index=True)
    dimensions = shapely.get_dimensions(parts)
    solid, lines = np.flatnonzero(dimensions == _SURFACE), np.flatnonzero(dimensions == _LINE)
    rings, ring_part = shapely.get_rings(parts[solid], return_index=True)
    shell = np.ones(len(rings) + len(lines), dtype=bool)
    shell[1 : len(rings)] = ring_part[1:] != ring_part[:-1]
    curves = np.concatenate([rings, parts[lines]])
    owners = np.concatenate([owner[solid][ring_part], owner[lines]]).astype(np.int64)
    points, counts = _vertices(curves)
    kept = counts > 0
    return Curves(points, counts[kept], owners[kept], shell[kept])
