"""Which cells of a grid polygons cover, and to what share: exact, and without touching a cell inside.

Every edge is parted at the lines of the grid. A part that runs southwards through a cell says that what lies east of it
is inside, one that runs northwards says that it is outside. Added up from west to east that gives the covered share of
each cell on the outline, and the runs of cells between them that are wholly inside. The work grows with the outline and
not with the area. Heights of parts are whole numbers (2**-52 of a cell), so that they cancel exactly and the answer for
a polygon does not depend on those that are asked about together with it.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import shapely
from affine import Affine

Floats = npt.NDArray[np.float64]
Longs = npt.NDArray[np.int64]
Shapes = npt.NDArray[np.object_]
LEAST_SHARE = 1e-12
"""A smaller share of a cell comes of rounding where an outline runs along the line of a grid."""
_UNIT = 1 << 52
_ROUNDED = 8 * float(np.finfo(np.float64).eps)
_EDGES = 30_000
"""Edges that are parted together: few enough that the arrays stay near the processor."""


@dataclass(frozen=True)
class Rim:
    """Cells on the outlines, one entry each: number of the polygon, row, column, covered share (0 to 1)."""

    owner: Longs
    row: Longs
    column: Longs
    share: Floats

    def some(self, at: Longs | slice) -> Rim:
        """Some of them."""
        return Rim(self.owner[at], self.row[at], self.column[at], self.share[at])


@dataclass(frozen=True)
class Runs:
    """Cells wholly inside: number of the polygon, row, first column, and the column after the last one."""

    owner: Longs
    row: Longs
    begin: Longs
    end: Longs

    def some(self, at: Longs | slice) -> Runs:
        """Some of them."""
        return Runs(self.owner[at], self.row[at], self.begin[at], self.end[at])

    @classmethod
    def together(cls, parts: list[Runs]) -> Runs:
        """Several together."""
        return cls(*(np.concatenate([getattr(part, name) for part in parts]) for name in _RUN))


@dataclass(frozen=True)
class Cover:
    """What polygons cover of a grid, by polygon, row and column."""

    rim: Rim
    runs: Runs


@dataclass(frozen=True)
class _Edges:
    """Straight parts of outlines in cells: x eastwards, y southwards, y0 < y1; `way` is 1 where the east is inside."""

    owner: Longs
    x0: Floats
    y0: Floats
    x1: Floats
    y1: Floats
    way: Longs

    def __len__(self) -> int:
        return len(self.owner)


@dataclass(frozen=True)
class _Marks:
    """What parts of edges say, by key (polygon, row, column): height, and the area to the east within the cell."""

    key: Longs
    height: Longs
    area: Floats


_RUN = ("owner", "row", "begin", "end")
_RIM = ("owner", "row", "column", "share")


def cover(shapes: Shapes, grid: Affine, width: int, height: int) -> Cover:
    """The cells of a grid that polygons cover.

    Args:
        shapes: Valid polygons or multipolygons in the coordinates of the grid; they may overlap one another.
        grid: From column and row to coordinates; north is up.
        width: Columns.
        height: Rows.
    """
    edges = _edges(shapes, grid)
    found = [_scanned(_some(edges, part), width, height) for part in _portions(edges)]
    rim = Rim(*(np.concatenate([getattr(one.rim, name) for one in found]) for name in _RIM))
    return Cover(rim, Runs.together([one.runs for one in found]))


def _edges(shapes: Shapes, grid: Affine) -> _Edges:
    """Edges of all rings, without level ones: they part nothing from what lies east."""
    outlines, owner = shapely.get_parts(shapes, return_index=True)
    rings, part = shapely.get_rings(outlines, return_index=True)
    outer = np.ones(len(part), dtype=np.bool_)
    outer[1:] = part[1:] != part[:-1]
    way = np.where(shapely.is_ccw(rings) == outer, 1, -1)
    at, ring = shapely.get_coordinates(rings, return_index=True)
    x, y = _placed(at[:, 0], grid.c, grid.a), _placed(at[:, 1], grid.f, grid.e)
    there = np.flatnonzero((ring[1:] == ring[:-1]) & (y[1:] != y[:-1]))
    down = y[there] < y[there + 1]
    begin, end = np.where(down, there, there + 1), np.where(down, there + 1, there)
    ring = ring[there]
    toward = np.where(down, way[ring], -way[ring]).astype(np.int64)
    return _Edges(owner[part[ring]].astype(np.int64), x[begin], y[begin], x[end], y[end], toward)


def _placed(at: Floats, origin: float, step: float) -> Floats:
    """Coordinates in cells; where only their rounding parts them from a line of the grid, they are on it."""
    found = (at - origin) / step
    line = np.rint(found)
    return np.where(np.abs(found - line) <= _ROUNDED * np.abs(at / step), line, found)


def _portions(edges: _Edges) -> list[slice]:
    """Edges in portions that bound memory; those of a polygon stay together."""
    if len(edges) <= _EDGES:
        return [slice(0, len(edges))]
    borders = np.append(np.flatnonzero(np.diff(edges.owner)) + 1, len(edges))
    cuts = [0]
    while cuts[-1] < len(edges):
        wanted = np.searchsorted(borders, cuts[-1] + _EDGES, side="right") - 1
        cuts.append(int(borders[max(wanted, np.searchsorted(borders, cuts[-1], side="right"))]))
    return [slice(begin, end) for begin, end in pairwise(cuts)]


def _some(edges: _Edges, part: slice) -> _Edges:
    return _Edges(*(getattr(edges, name)[part] for name in ("owner", "x0", "y0", "x1", "y1", "way")))


def _scanned(edges: _Edges, width: int, height: int) -> Cover:
    marks = _merged(_marks(*_by_row(edges, height), width, height))
    place, column = marks.key // (width + 1), marks.key % (width + 1) - 1
    new = np.ones(len(place), dtype=np.bool_)
    new[1:] = place[1:] != place[:-1]
    gone = np.cumsum(marks.height)
    first = np.flatnonzero(new)
    before = (gone - marks.height)[first]
    # What all marks further west in the row say; 0 or the whole height of a cell where no outline is.
    after = gone - np.repeat(before, np.diff(np.append(first, len(place))))
    share = np.minimum((after - marks.height) / _UNIT + marks.area, 1.0)
    last = np.append(new[1:], True)[: len(new)]
    end = np.where(last, width, np.append(column[1:], 0)[: len(column)])
    gap = end > column + 1
    inside = np.flatnonzero(gap & (after == _UNIT))
    runs = Runs(place[inside] // height, place[inside] % height, column[inside] + 1, end[inside])
    # Level edges leave no marks: between two marks they part the height of all cells alike.
    level = np.flatnonzero(gap & (after > 0) & (after < _UNIT))
    number, between = spread(column[level] + 1, end[level] - 1)
    place = np.concatenate([place, place[level][number]])
    column = np.concatenate([column, between])
    share = np.concatenate([share, (after[level] / _UNIT)[number]])
    return Cover(_rim(place, column, share, width, height), runs)


def _rim(place: Longs, column: Longs, share: Floats, width: int, height: int) -> Rim:
    at = np.flatnonzero((column >= 0) & (share > LEAST_SHARE))
    at = at[np.argsort(place[at] * width + column[at], kind="stable")]
    return Rim(place[at] // height, place[at] % height, column[at], share[at])


def _by_row(edges: _Edges, height: int) -> tuple[_Edges, Longs]:
    """Edges parted at the rows' borders, within the grid; and the row of each part."""
    first = np.maximum(np.floor(edges.y0), 0.0).astype(np.int64)
    last = np.minimum(np.ceil(edges.y1) - 1, height - 1.0).astype(np.int64)
    number, row = spread(first, last)
    x0, y0, x1, y1 = (getattr(edges, name)[number] for name in ("x0", "y0", "x1", "y1"))
    slope = (x1 - x0) / (y1 - y0)
    top, bottom = np.maximum(y0, row), np.minimum(y1, row + 1.0)
    west, east = np.minimum(x0, x1), np.maximum(x0, x1)
    begin = np.where(top == y0, x0, np.clip(x0 + (top - y0) * slope, west, east))
    end = np.where(bottom == y1, x1, np.clip(x0 + (bottom - y0) * slope, west, east))
    parts = _Edges(edges.owner[number], begin, top - row, end, bottom - row, edges.way[number])
    return parts, row


def _marks(parts: _Edges, row: Longs, width: int, height: int) -> _Marks:
    """Parts of rows parted at the columns' borders; what lies west of the grid counts in column -1."""
    west, east = np.minimum(parts.x0, parts.x1), np.maximum(parts.x0, parts.x1)
    begin = np.maximum(np.floor(west), -1.0)
    end = np.minimum(np.maximum(np.ceil(east) - 1, begin), width - 1.0)
    number, column = spread(begin.astype(np.int64), end.astype(np.int64))
    x0, y0, x1, y1 = (getattr(parts, name)[number] for name in ("x0", "y0", "x1", "y1"))
    west, east = west[number], east[number]
    left = np.where(column < 0, west, np.maximum(west, column))
    right = np.minimum(east, column + 1.0)
    wide = x1 != x0
    steep = (y1 - y0) / np.where(wide, x1 - x0, 1.0)
    low, high = (
        np.where(x == x0, y0, np.where(x == x1, y1, np.clip(y0 + (x - x0) * steep, y0, y1))) for x in (left, right)
    )
    low, high = np.where(wide, low, y0), np.where(wide, high, y1)
    # Whole numbers: what one part of an edge loses in rounding, its neighbour gains.
    tall = np.abs(np.rint(high * _UNIT).astype(np.int64) - np.rint(low * _UNIT).astype(np.int64)) * parts.way[number]
    area = tall / _UNIT * (1.0 - ((left - column) + (right - column)) / 2)
    key = (parts.owner[number] * height + row[number]) * (width + 1) + column + 1
    return _Marks(key, tall, area)


def _merged(marks: _Marks) -> _Marks:
    """One mark for each cell, by key."""
    order = np.argsort(marks.key, kind="stable")
    key, tall, area = marks.key[order], marks.height[order], marks.area[order]
    if not len(key):
        return marks
    first = np.flatnonzero(np.append(True, key[1:] != key[:-1]))
    return _Marks(key[first], np.add.reduceat(tall, first), np.add.reduceat(area, first))


def spread(first: Longs, last: Longs) -> tuple[Longs, Longs]:
    """Every whole number from the first to the last of each pair: number of the pair, and the number."""
    count = np.maximum(last - first + 1, 0)
    number = np.repeat(np.arange(len(first)), count)
    before = np.repeat(np.cumsum(count) - count, count)
    return number, first[number] + (np.arange(len(number)) - before)
