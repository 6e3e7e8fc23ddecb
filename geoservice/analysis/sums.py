"""Sums over the cells that polygons cover: whole blocks of cells first, then what is left of runs, then the outlines.

A block is 16 by 16 cells and lies at multiples of 16 from the corner of its raster. Its sum is the same whether it was
kept beside the raster or is made of the cells now, and it is added up in the same order, so that figures are the same
to the last bit either way.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from geoservice.analysis.scan import Cover, Floats, Longs, Rim, Runs, spread

SIDE = 16
"""Rows and columns of a block."""
_AT_ONCE = 500_000
"""Cells that are gathered at a time."""
_NAMES = ("total", "count", "area")


@dataclass(frozen=True)
class Sums:
    """What cells with data add up to, one entry for each polygon, run or block.

    Attributes:
        total: Sum of the values, each by its share.
        count: Number of the cells, each by its share.
        area: Square metres of them, each by its share.
        minimum, maximum: Of the values of all cells that are touched; infinite where there are none.
    """

    total: Floats
    count: Floats
    area: Floats
    minimum: Floats
    maximum: Floats

    def some(self, at: Any) -> Sums:
        """Some of them, by an index of numpy."""
        return Sums(*(array[at] for array in self.arrays().values()))

    def arrays(self) -> dict[str, Floats]:
        """By name."""
        return {name: getattr(self, name) for name in (*_NAMES, "minimum", "maximum")}

    @classmethod
    def none(cls, number: int) -> Sums:
        """So many of nothing."""
        return cls(*(np.full(number, value) for value in (0.0, 0.0, 0.0, np.inf, -np.inf)))

    @classmethod
    def room(cls, shape: tuple[int, int]) -> Sums:
        """Room for so many rows and columns, to be filled."""
        return cls(*(np.empty(shape) for _ in range(5)))

    @classmethod
    def of(cls, value: npt.NDArray[np.generic], valid: npt.NDArray[np.bool_], area: Floats) -> Sums:
        """Every cell for itself."""
        number = value.astype(np.float64)
        data = valid.astype(np.float64)
        return cls(
            np.where(valid, number, 0.0), data, data * area, np.where(valid, number, np.inf),
            np.where(valid, number, -np.inf),
        )  # fmt: skip

    def times(self, share: Floats) -> Sums:
        """Each by its share."""
        return Sums(self.total * share, self.count * share, self.area * share, self.minimum, self.maximum)

    def put(self, at: Any, others: Sums) -> None:
        """Write others in some places, by an index of numpy."""
        for name, array in others.arrays().items():
            self.arrays()[name][at] = array

    def joined(self, first: Longs) -> Sums:
        """Groups of neighbours together; `first` says where each begins, and none is empty."""
        total, count, area = (np.add.reduceat(getattr(self, name), first) for name in _NAMES)
        return Sums(
            total,
            count,
            area,
            np.minimum.reduceat(self.minimum, first),
            np.maximum.reduceat(self.maximum, first),
        )

    def added(self, others: Sums) -> Sums:
        """Entry by entry, both together."""
        total, count, area = (getattr(self, name) + getattr(others, name) for name in _NAMES)
        return Sums(
            total,
            count,
            area,
            np.minimum(self.minimum, others.minimum),
            np.maximum(self.maximum, others.maximum),
        )


class Sheet(Protocol):
    """Some rows of a raster, whose cells and blocks can be asked for by their places in the raster."""

    def cells(self, row: Longs, column: Longs) -> Sums:
        """Cells, every one for itself."""

    def blocks(self, row: Longs, column: Longs) -> Sums:
        """Blocks; row and column are those of blocks."""


@dataclass(frozen=True)
class Parted:
    """What polygons cover, by what it takes to add it up: runs of whole blocks, other runs of cells, the outlines."""

    blocks: Runs
    cells: Runs
    rim: Rim

    @classmethod
    def of(cls, cover: Cover, width: int, height: int, *, blocks: bool = True) -> Parted:
        """Part runs of cells in a raster of so many columns and rows; without `blocks` they stay as they are."""
        if not blocks:
            return cls(cover.runs.some(slice(0, 0)), cover.runs, cover.rim)
        whole = _blocks(cover.runs, width, height)
        return cls(whole, _rest(cover.runs, whole, width, height), cover.rim)

    def by_row(self) -> Parted:
        """The same from north to south, as `within` wants it."""
        blocks, cells, rim = (np.argsort(one.row, kind="stable") for one in (self.blocks, self.cells, self.rim))
        return Parted(self.blocks.some(blocks), self.cells.some(cells), self.rim.some(rim))

    def within(self, top: int, bottom: int) -> Parted:
        """What lies in some rows; both are multiples of the side of a block, or ends of the raster."""
        return Parted(
            self.blocks.some(_between(self.blocks.row, top // SIDE, -(-bottom // SIDE))),
            self.cells.some(_between(self.cells.row, top, bottom)),
            self.rim.some(_between(self.rim.row, top, bottom)),
        )

    def top(self) -> int:
        """The first row in which something is covered."""
        return min(map(_least, (self.blocks.row * SIDE, self.cells.row, self.rim.row)))

    def columns(self) -> tuple[int, int] | None:
        """First column, and the column after the last one; None when nothing is covered."""
        begins = [*map(_least, (self.blocks.begin * SIDE, self.cells.begin, self.rim.column))]
        ends = [*map(_most, (self.blocks.end * SIDE, self.cells.end, self.rim.column + 1))]
        return (min(begins), max(ends)) if max(ends) else None


@dataclass(frozen=True)
class Pieces:
    """Sums of the parts of a `Parted`, in their order."""

    blocks: Sums
    cells: Sums
    rim: Sums

    @classmethod
    def of(cls, sheet: Sheet, parted: Parted) -> Pieces:
        """Look them up."""
        rim = sheet.cells(parted.rim.row, parted.rim.column).times(parted.rim.share)
        return cls(_run_sums(sheet.blocks, parted.blocks), _run_sums(sheet.cells, parted.cells), rim)


def by_owner(parts: list[tuple[Parted, Pieces]], number: int) -> Sums:
    """Sums of polygons from those of their parts, which come from one sheet after the other.

    Args:
        parts: What was looked up in each sheet.
        number: How many polygons there are.
    """
    total = Sums.none(number)
    for name in ("blocks", "cells", "rim"):
        owner = np.concatenate([np.zeros(0, dtype=np.int64), *(getattr(one, name).owner for one, _ in parts)])
        if not len(owner):
            continue
        values = _together([getattr(pieces, name) for _, pieces in parts])
        # Sheets come from north to south and parts by row, so that the order within a polygon is always the same.
        order = np.argsort(owner, kind="stable")
        first = np.flatnonzero(np.append(True, np.diff(owner[order]) != 0))
        found = Sums.none(number)
        found.put(owner[order][first], values.some(order).joined(first))
        total = total.added(found)
    return total


def block_sums(values: npt.NDArray[Any], valid: npt.NDArray[np.bool_], area: Floats) -> Sums:
    """Sums of whole blocks of cells, whose first one begins a block; what is left over belongs to none.

    The order of additions is spelled out: it must not hang on how many cells there are.

    Args:
        values: Values of the cells.
        valid: Whether each has data.
        area: Square metres of each.
    """
    numbers = values if values.dtype.kind == "f" else values.astype(np.float64)
    whole = bool(valid.all())
    total = numbers if whole else np.where(valid, numbers, numbers.dtype.type(0))
    low = numbers if whole else np.where(valid, numbers, numbers.dtype.type(np.inf))
    high = numbers if whole else np.where(valid, numbers, numbers.dtype.type(-np.inf))
    return Sums(
        _folded(total, np.add),
        _folded(valid.astype(np.float32), np.add),
        _folded(area if whole else np.where(valid, area, 0.0), np.add),
        _folded(low, np.minimum),
        _folded(high, np.maximum),
    )


def _folded(cells: npt.NDArray[np.floating[Any]], join: np.ufunc) -> Floats:
    rows, columns = (size // SIDE * SIDE for size in cells.shape)
    tall = cells[:rows:SIDE, :columns].astype(np.float64)
    for step in range(1, SIDE):
        join(tall, cells[step:rows:SIDE, :columns], out=tall)
    found = tall[:, ::SIDE].copy()
    for step in range(1, SIDE):
        join(found, tall[:, step::SIDE], out=found)
    return found


def _blocks(runs: Runs, width: int, height: int) -> Runs:
    """Runs of blocks that are wholly inside: those that runs of all their rows cross."""
    high, wide = -(-height // SIDE), width // SIDE + 2
    first, last = -(-runs.begin // SIDE), runs.end // SIDE
    there = np.flatnonzero(first < last)
    row = runs.owner[there] * high + runs.row[there] // SIDE
    key = np.concatenate([row * wide + first[there], row * wide + last[there]])
    order = np.argsort(key, kind="stable")
    depth = np.cumsum(np.repeat([1, -1], len(there))[order])
    key = key[order]
    full = np.flatnonzero((depth[:-1] == SIDE) & (key[1:] > key[:-1]))
    begin, end = key[full], key[full + 1]
    return Runs(begin // wide // high, begin // wide % high, begin % wide, end % wide)


def _rest(runs: Runs, blocks: Runs, width: int, height: int) -> Runs:
    """What whole blocks leave of the runs of cells, by polygon, row and column."""
    rows = np.arange(SIDE)[None, :]
    place = ((blocks.owner[:, None] * height + blocks.row[:, None] * SIDE + rows) * (width + 1)).ravel()
    hole, after = (place + np.repeat(column * SIDE, SIDE) for column in (blocks.begin, blocks.end))
    line = (runs.owner * height + runs.row) * (width + 1)
    # Every hole lies within one run, so that the sorted begins and ends belong together.
    begin, end = (np.sort(np.concatenate(two)) for two in ((line + runs.begin, after), (line + runs.end, hole)))
    left = np.flatnonzero(begin < end)
    begin, end = begin[left], end[left]
    row = begin // (width + 1)
    return Runs(row // height, row % height, begin % (width + 1), end - row * (width + 1))


def _run_sums(looked: Callable[[Longs, Longs], Sums], runs: Runs) -> Sums:
    """Sums of runs; a few at a time, so that memory does not grow with what they hold."""
    found = Sums.none(len(runs.owner))
    ends = np.cumsum(runs.end - runs.begin)
    begun = 0
    while begun < len(ends):
        before = int(ends[begun - 1]) if begun else 0
        done = max(begun + 1, int(np.searchsorted(ends, before + _AT_ONCE, side="right")))
        number, column = spread(runs.begin[begun:done], runs.end[begun:done] - 1)
        first = np.append(0, ends[begun : done - 1] - before)
        values = looked(runs.row[begun:done][number], column)
        found.put(np.arange(begun, done), values.joined(first))
        begun = done
    return found


def _between(row: Longs, top: int, bottom: int) -> slice:
    begin, end = np.searchsorted(row, [top, bottom]).tolist()
    return slice(begin, end)


def _together(sums: list[Sums]) -> Sums:
    return Sums(*(np.concatenate([one.arrays()[name] for one in sums]) for name in sums[0].arrays()))


def _least(values: Longs) -> int:
    return int(values.min()) if len(values) else 1 << 62


def _most(values: Longs) -> int:
    return int(values.max()) if len(values) else 0
