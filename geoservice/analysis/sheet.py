"""Some rows of a raster, of which no more is read than is asked for.

A raster is read in squares that lie as the tiles of a COG do, so that nothing is unpacked twice and what lies between
the outlines of a zone is not unpacked at all where the sums of its blocks are kept.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
from rasterio.enums import MaskFlags
from rasterio.io import DatasetReader
from rasterio.windows import Window

from geoservice.analysis.cell_areas import CellAreas, Frame
from geoservice.analysis.scan import Floats, Longs
from geoservice.analysis.sums import SIDE, Sums, block_sums
from ingest.cog import with_data

TILE = 512
"""Rows and columns of a square; the largest tile of a COG, and a multiple of the others and of a block."""
MOST_CELLS = 16_000_000
"""Cells of a sheet, which bound its memory."""


@dataclass(frozen=True)
class CoveredCells:
    """Cells of one sheet that the zone covers, one entry per cell.

    Attributes:
        values: Cell values. valid: whether the cell has data.
        share: Covered share of the cell, above 0 and at most 1.
        area: Ellipsoidal area of the whole cell in square metres.
    """

    values: npt.NDArray[Any]
    valid: npt.NDArray[np.bool_]
    share: Floats
    area: Floats


def rows_of_sheet(columns: int) -> int:
    """Rows of a sheet of so many columns: those of a square, or fewer where the raster is very wide."""
    rows = TILE
    while rows > SIDE and rows * columns > MOST_CELLS:
        rows //= 2
    return rows


class Sheet:
    """Rows and columns of the first band; cells and blocks are named by their places in the raster."""

    def __init__(
        self,
        dataset: DatasetReader,
        frame: Frame,
        rows: tuple[int, int],
        columns: tuple[int, int],
        kept: Sums | None = None,
    ) -> None:
        """Remember where it lies; nothing is read before it is asked for.

        Args:
            dataset: The opened raster.
            frame: Its grid.
            rows: First row, which begins a block, and the one after the last.
            columns: First column, and the one after the last; widened to whole squares.
            kept: Sums of all blocks of the raster, by row and column of the block, where they are kept.
        """
        self._dataset, self._kept, (self._top, bottom) = dataset, kept, rows
        self._left, right = columns[0] // TILE * TILE, min(-(-columns[1] // TILE) * TILE, frame.width)
        self._areas = CellAreas(frame, rows, (self._left, right))
        shape = (bottom - self._top, right - self._left)
        self._values = np.empty(shape, dtype=dataset.dtypes[0])
        self._valid = np.empty(shape, dtype=np.bool_)
        self._read = np.zeros(-(-shape[1] // TILE), dtype=np.bool_)
        self._added = np.zeros(len(self._read), dtype=np.bool_)
        self._blocks = Sums.room((shape[0] // SIDE, shape[1] // SIDE) if kept is None else (0, 0))

    def cells(self, row: Longs, column: Longs) -> Sums:
        """Cells, every one for itself."""
        at = self._at(row, column)
        return Sums.of(self._values[at], self._valid[at], self._areas.of(row, column))

    def covered(self, row: Longs, column: Longs, share: Floats) -> CoveredCells:
        """Cells with their shares."""
        at = self._at(row, column)
        return CoveredCells(self._values[at], self._valid[at], share, self._areas.of(row, column))

    def blocks(self, row: Longs, column: Longs) -> Sums:
        """Blocks; row and column are those of blocks."""
        if self._kept is not None:
            return self._kept.some((row, column))
        at = (row - self._top // SIDE, column - self._left // SIDE)
        for begin, end in _stretches(self._squares(at[1] * SIDE) & ~self._added):
            self._add(self._blocks, begin, end)
        return self._blocks.some(at)

    def whole_blocks(self) -> Sums:
        """All blocks that lie wholly in it."""
        high, wide = (size // SIDE for size in self._values.shape)
        row, column = np.meshgrid(np.arange(high), np.arange(wide), indexing="ij")
        return self.blocks(row + self._top // SIDE, column + self._left // SIDE)

    def _at(self, row: Longs, column: Longs) -> tuple[Longs, Longs]:
        at = (row - self._top, column - self._left)
        self._see(self._squares(at[1]))
        return at

    def _squares(self, column: Longs) -> npt.NDArray[np.bool_]:
        """In which squares columns of the sheet lie."""
        found = np.zeros(len(self._read), dtype=np.bool_)
        found[column // TILE] = True
        return found

    def _see(self, squares: npt.NDArray[np.bool_]) -> None:
        """Read those squares that were not read yet; neighbours together."""
        for begin, end in _stretches(squares & ~self._read):
            self._read[begin:end] = True
            part = np.s_[:, begin * TILE : min(end * TILE, self._values.shape[1])]
            high, wide = self._values[part].shape
            window = Window(self._left + begin * TILE, self._top, wide, high)
            self._values[part] = self._dataset.read(1, window=window)
            self._valid[part] = self._with_data(self._values[part], window)

    def _with_data(self, values: npt.NDArray[Any], window: Window) -> npt.NDArray[np.bool_]:
        found = with_data(values, self._dataset.nodata)
        flags = set(self._dataset.mask_flag_enums[0])
        if flags <= {MaskFlags.nodata} or MaskFlags.all_valid in flags:
            return found
        return np.asarray(found & (self._dataset.read_masks(1, window=window) > 0), dtype=np.bool_)

    def _add(self, blocks: Sums, begin: int, end: int) -> None:
        """Add up the blocks of some squares, one after the other: they stay near the processor."""
        for number in range(begin, end):
            left = number * TILE
            right = min(left + TILE, self._values.shape[1])
            self._see(self._squares(np.array([left])))
            rows = np.arange(self._values.shape[0])[:, None] + self._top
            columns = np.arange(left, right)[None, :] + self._left
            area = self._areas.of(rows, columns)
            part = np.s_[:, left:right]
            blocks.put(np.s_[:, left // SIDE : right // SIDE], block_sums(self._values[part], self._valid[part], area))
            self._added[number] = True


def _stretches(squares: npt.NDArray[np.bool_]) -> list[tuple[int, int]]:
    """First one, and the one after the last, of neighbours."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], squares, [False]]).astype(np.int8)))
    return list(pairwise(edges.tolist()))[::2]
