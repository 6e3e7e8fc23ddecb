"""Which polygon of a set holds a point: a grid of cells answers for most points, exact predicates for the rest.

**A point on a border** belongs to the polygon of the lowest rank among those that hold it, their borders included.
Ranks follow the order of public keys, so that the answer does not depend on where or how it is computed.

Cells that no border crosses lie in the same polygons with all their points; a number in an array says in which one.
For a point in any other cell the polygons whose borders cross the cell are asked one by one, by GEOS's prepared
predicate, which is exact for coordinates in double precision. Which cells a border crosses is over-estimated and never
under-estimated: the cell of a coordinate is a monotone function of it, so that an edge cannot leave the box of cells
between those of its ends.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import shapely

Floats = npt.NDArray[np.float64]
Ranks = npt.NDArray[np.int32]
Shapes = npt.NDArray[np.object_]

NOBODY = -1
_NONE = np.int32(np.iinfo(np.int32).max)
SMALLEST_SIDE, LARGEST_SIDE = 64, 4096
_CELLS_PER_POLYGON = 64
_MOST_WINDOW_CELLS = 400_000_000
"""Cells of the boxes of all polygons together: what building a grid has to look at."""
_BLOCK_VERTICES = 400_000
_LONGEST = 0.9
"""Cells: an edge is cut into pieces that are no longer, so that the corners of a piece's box are all of its cells."""
_MARGIN = 1e-9
"""Cells: more than the error of cutting an edge."""
VERTEX_BYTES = 64
"""Memory of a vertex: 24 bytes or less for its coordinates, the others for the prepared predicate (measured)."""
CELL_BYTES = 8
_TURN, _HALF_TURN = 360.0, 180.0


@dataclass(frozen=True)
class _Frame:
    """The grid: its south-western corner (degrees), cells per degree, and how many cells there are."""

    west: float
    south: float
    across: float
    up: float
    side: int

    def column(self, x: Floats) -> Floats:
        """Columns, not yet whole numbers; monotone in x."""
        return (x - self.west) * self.across

    def row(self, y: Floats) -> Floats:
        """Rows, not yet whole numbers; monotone in y."""
        return (y - self.south) * self.up

    def whole(self, places: Floats) -> npt.NDArray[np.int64]:
        """Numbers of columns or rows; what lies on the far edge belongs to the last one."""
        return np.clip(np.floor(places).astype(np.int64), 0, self.side - 1)


class PolygonIndex:
    """Polygons by rank, ready to be asked for points. Reading is safe in several threads at once."""

    def __init__(self, polygons: Shapes) -> None:
        """Build the grid; this takes seconds for thousands of large polygons and holds no lock of the interpreter long.

        Args:
            polygons: Polygons and multipolygons in longitude and latitude, the lowest rank first; None and empty ones
                hold nothing.
        """
        self._polygons = polygons
        shapely.prepare(polygons)
        self._frame = _frame(polygons)
        side = self._frame.side if self._frame is not None else 0
        self._cover = np.full(side * side, _NONE, dtype=np.int32)
        self._slot = np.full(side * side, NOBODY, dtype=np.int32)
        self._starts = np.zeros(1, dtype=np.int64)
        self._ranks = np.zeros(0, dtype=np.int32)
        if self._frame is not None:
            self._fill(self._frame)

    @property
    def size(self) -> int:
        """Bytes of memory, estimated."""
        vertices = int(shapely.get_num_coordinates(self._polygons).sum())
        return vertices * VERTEX_BYTES + len(self._cover) * CELL_BYTES + len(self._ranks) * 4

    def find(self, x: Floats, y: Floats) -> Ranks:
        """For each point the lowest rank of a polygon that holds it, -1 where there is none.

        The meridians 180 and -180 are one: a point on it belongs to polygons that end at either.

        Args:
            x: Longitudes in degrees; what is not a number lies nowhere.
            y: Latitudes in degrees.
        """
        found = self._lowest(x, y)
        seam = np.flatnonzero(np.abs(x) == _HALF_TURN)
        if seam.size:
            found[seam] = np.minimum(found[seam], self._lowest(-x[seam], y[seam]))
        found[found == _NONE] = NOBODY
        return found

    def _lowest(self, x: Floats, y: Floats) -> Ranks:
        frame = self._frame
        if frame is None:
            return np.full(len(x), _NONE, dtype=np.int32)
        column, row = frame.column(x), frame.row(y)
        inside = (column >= 0) & (column <= frame.side) & (row >= 0) & (row <= frame.side)
        cell = np.zeros(len(x), dtype=np.int64)
        cell[inside] = frame.whole(row[inside]) * frame.side + frame.whole(column[inside])
        found = np.where(inside, self._cover[cell], _NONE).astype(np.int32)
        crossed = np.flatnonzero(inside & (self._slot[cell] >= 0))
        self._ask(found, crossed, self._slot[cell[crossed]], x, y)
        return found

    def _ask(self, found: Ranks, points: npt.NDArray[np.intp], slots: Ranks, x: Floats, y: Floats) -> None:
        """Ask the polygons whose borders cross the cells of some points, and lower what was found for these."""
        counts = self._starts[slots + 1] - self._starts[slots]
        point = np.repeat(points, counts)
        rank = self._ranks[spread(self._starts[slots], counts)]
        better = rank < found[point]
        point, rank = point[better], rank[better]
        holds = shapely.intersects_xy(self._polygons[rank], x[point], y[point])
        np.minimum.at(found, point[holds], rank[holds])

    def _fill(self, frame: _Frame) -> None:
        cells, ranks = _crossed(self._polygons, frame)
        self._cover_whole_cells(frame, cells, ranks)
        order = np.lexsort((ranks, cells))
        cells, self._ranks = cells[order], ranks[order]
        distinct, starts = np.unique(cells, return_index=True)
        self._starts = np.append(starts, len(cells)).astype(np.int64)
        self._slot[distinct] = np.arange(len(distinct), dtype=np.int32)

    def _cover_whole_cells(self, frame: _Frame, cells: npt.NDArray[np.int64], ranks: Ranks) -> None:
        """Write into each cell the lowest rank of a polygon that it lies in as a whole; `cells` is sorted by rank."""
        bounds = np.searchsorted(ranks, np.arange(len(self._polygons) + 1))
        cover = self._cover.reshape(frame.side, frame.side)
        for rank in range(len(self._polygons) - 1, -1, -1):
            mine = cells[bounds[rank] : bounds[rank + 1]]
            if mine.size:
                _cover_one(cover, frame, self._polygons[rank], mine, rank)


def spread(starts: npt.NDArray[Any], counts: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
    """Numbers of runs one after the other: for starts 5, 9 and counts 2, 1 these are 5, 6, 9."""
    ends = np.cumsum(counts)
    total = int(ends[-1]) if len(ends) else 0
    numbers: npt.NDArray[np.int64] = np.arange(total, dtype=np.int64) + np.repeat(starts - (ends - counts), counts)
    return numbers


def _frame(polygons: Shapes) -> _Frame | None:
    bounds = shapely.bounds(polygons)
    bounds = bounds[~np.isnan(bounds[:, 0])]
    if not len(bounds):
        return None
    west, south = bounds[:, :2].min(axis=0).tolist()
    east, north = bounds[:, 2:].max(axis=0).tolist()
    wide, high = max(east - west, 1e-9), max(north - south, 1e-9)
    shares = (bounds[:, 2] - bounds[:, 0]) / wide * ((bounds[:, 3] - bounds[:, 1]) / high)
    wanted = np.sqrt(len(bounds)) * _CELLS_PER_POLYGON
    affordable = np.sqrt(_MOST_WINDOW_CELLS / max(float(shares.sum()), 1e-9))
    side = int(np.clip(min(wanted, affordable), SMALLEST_SIDE, LARGEST_SIDE))
    return _Frame(west, south, side / wide, side / high, side)


def _crossed(polygons: Shapes, frame: _Frame) -> tuple[npt.NDArray[np.int64], Ranks]:
    """Pairs of a cell and the rank of a polygon whose border may cross it, in the order of ranks."""
    cells, ranks = [np.zeros(0, dtype=np.int64)], [np.zeros(0, dtype=np.int32)]
    for first, last in _blocks(polygons):
        parts, owner_of_part = shapely.get_parts(polygons[first:last], return_index=True)
        rings, part_of_ring = shapely.get_rings(parts, return_index=True)
        points, ring = shapely.get_coordinates(rings, return_index=True)
        edges = np.flatnonzero(ring[:-1] == ring[1:])
        owner = owner_of_part[part_of_ring[ring[edges]]]
        ends = np.column_stack([frame.column(points[:, 0]), frame.row(points[:, 1])])
        touched, whose = _cells_of(ends[edges], ends[edges + 1], owner, frame)
        cells.append(touched)
        ranks.append((whose + first).astype(np.int32))
    return np.concatenate(cells), np.concatenate(ranks)


def _blocks(polygons: Shapes) -> Iterator[tuple[int, int]]:
    """Ranges of polygons of which no two share a block, so that the memory of building stays small."""
    ends = np.cumsum(shapely.get_num_coordinates(polygons))
    first = 0
    while first < len(polygons):
        before = ends[first - 1] if first else 0
        last = max(first + 1, int(np.searchsorted(ends, before + _BLOCK_VERTICES, side="right")))
        yield first, last
        first = last


def _cells_of(
    begin: Floats, end: Floats, owner: npt.NDArray[np.intp], frame: _Frame
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Distinct cells that edges (in columns and rows) may cross, with their owners, in the order of owners."""
    pieces = np.maximum(1, np.ceil(np.abs(end - begin).max(axis=1) / _LONGEST)).astype(np.int64)
    edge = np.repeat(np.arange(len(begin)), pieces)
    step = spread(np.zeros(len(begin), dtype=np.int64), pieces)
    share = (step / pieces[edge])[:, None]
    way = (end - begin)[edge]
    one = begin[edge] + way * share
    other = np.where((step + 1 == pieces[edge])[:, None], end[edge], one + way / pieces[edge][:, None])
    low = frame.whole(np.minimum(one, other) - _MARGIN)
    high = frame.whole(np.maximum(one, other) + _MARGIN)
    codes = [
        owner[edge] * (frame.side * frame.side) + row * frame.side + column
        for column in (low[:, 0], high[:, 0])
        for row in (low[:, 1], high[:, 1])
    ]
    distinct = np.unique(np.concatenate([_thinned(code) for code in codes]))
    return distinct % (frame.side * frame.side), distinct // (frame.side * frame.side)


def _thinned(codes: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Without repetitions in a row: the vertices of a border lie together."""
    return codes[np.append(True, codes[1:] != codes[:-1])] if len(codes) else codes


def _cover_one(
    cover: npt.NDArray[np.int32], frame: _Frame, polygon: shapely.Geometry, crossed: npt.NDArray[np.int64], rank: int
) -> None:
    rows, columns = np.divmod(crossed, frame.side)
    top, left = int(rows.min()), int(columns.min())
    free = np.ones((int(rows.max()) - top + 1, int(columns.max()) - left + 1), dtype=np.bool_)
    free[rows - top, columns - left] = False
    # Neighbours in a row that the border does not cross lie on the same side of it: one of them is asked.
    begins = free.copy()
    begins[:, 1:] &= ~free[:, :-1]
    at = np.nonzero(begins)
    if not at[0].size:
        return
    x = frame.west + (at[1] + left + 0.5) / frame.across
    y = frame.south + (at[0] + top + 0.5) / frame.up
    inside = np.asarray(shapely.intersects_xy(polygon, x, y), dtype=np.bool_)
    run = np.cumsum(begins.ravel()).reshape(begins.shape) - 1
    held = free & inside[np.maximum(run, 0)]
    window = cover[top : top + free.shape[0], left : left + free.shape[1]]
    window[held] = rank
