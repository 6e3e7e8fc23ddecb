"""Which rows have boxes that meet some given boxes: one pass over all rows, in constant memory."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import shapely

from ingest.checks.evidence import Evidence, Rows

Boxes = npt.NDArray[np.float64]
_SIDE = 256
_STEP = 1024


class Raster:
    """A coarse picture of some boxes, which tells quickly of most other boxes that they meet none of them."""

    def __init__(self, boxes: Boxes) -> None:
        """Paint the boxes (west, south, east, north) on a grid over their extent."""
        self._low = boxes[:, :2].min(axis=0)
        self._step = np.maximum((boxes[:, 2:].max(axis=0) - self._low) / _SIDE, 1e-12)
        painted = np.zeros((_SIDE + 2, _SIDE + 2), dtype=np.int64)
        cells = self._cells(boxes)
        # Corners of a summed-area table: its double cumulative sum counts the boxes over each cell.
        for x, y, value in ((0, 1, 1), (2, 3, 1), (0, 3, -1), (2, 1, -1)):
            beyond = cells[:, [x, y]] + [x == 2, y == 3]  # noqa: PLR2004 - columns of a box
            np.add.at(painted, (beyond[:, 0], beyond[:, 1]), value)
        covered = painted.cumsum(axis=0).cumsum(axis=1) > 0
        # And the sum of covered cells, so that any rectangle is asked with four look-ups.
        self._sums = np.zeros((_SIDE + 3, _SIDE + 3), dtype=np.int64)
        self._sums[1:, 1:] = covered.cumsum(axis=0).cumsum(axis=1)
        self._extent = np.concatenate([self._low, boxes[:, 2:].max(axis=0)])

    def may_meet(self, boxes: Boxes) -> npt.NDArray[np.bool_]:
        """Mask of the boxes that may meet a painted one; no box that does is missing."""
        west, south, east, north = self._cells(boxes).T
        total = self._sums[east + 1, north + 1] - self._sums[west, north + 1]
        total = total - self._sums[east + 1, south] + self._sums[west, south]
        low, high = self._extent[:2], self._extent[2:]
        apart = (boxes[:, :2] > high).any(axis=1) | (boxes[:, 2:] < low).any(axis=1)
        return np.asarray((total > 0) & ~apart)

    def _cells(self, boxes: Boxes) -> npt.NDArray[np.int64]:
        low, step = np.tile(self._low, 2), np.tile(self._step, 2)
        return np.asarray(np.clip((boxes - low) / step, 0, _SIDE).astype(np.int64))


def meeting(evidence: Evidence, boxes: Boxes) -> Iterator[tuple[Rows, Rows]]:
    """Pairs of a given box (by number) and a row of the evidence whose boxes meet, block by block of rows."""
    if not len(boxes):
        return
    raster = Raster(boxes)
    tree = shapely.STRtree(_polygons(boxes))
    for start, records in evidence.blocks():
        chosen = np.flatnonzero(raster.may_meet(records["box"]))
        # In a heap every row meets every box: small steps keep the answers small.
        for step in range(0, len(chosen), _STEP):
            some = chosen[step : step + _STEP]
            row, given = tree.query(_polygons(records["box"][some]))
            yield given.astype(np.int64), start + some[row]


def _polygons(boxes: Boxes) -> npt.NDArray[np.object_]:
    return np.asarray(shapely.box(*boxes.T), dtype=object)
