"""Where water drains to over a DEM, and how high each cell lies above the cell of the river that it drains to.

Each cell drains to the neighbour of eight that it falls to most steeply (D8); a hollow drains over its lowest rim, as
if it were filled. Both follow from one minimum spanning tree: edges of the grid are ordered by the higher of their two
cells, then by steepness, and joined in this order (Kruskal) with all outlets joined beforehand. The path of a cell to
its outlet is then one whose highest cell is as low as it can be. Ties are broken by the number of the cell.

HAND, the height above the nearest drainage, is the height of a cell less that of its outlet (Nobre et al. 2011).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import breadth_first_order, minimum_spanning_tree

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]
Indexes = npt.NDArray[np.int64]
NOWHERE = -1
_NEIGHBOURS = ((0, 1), (1, 0), (1, 1), (1, -1))
"""Rows and columns to the neighbours with a higher number."""


@dataclass(frozen=True)
class Drainage:
    """Where each cell drains to, by flat numbers of cells.

    Attributes:
        receiver: The next cell downstream; an outlet is its own, and a cell without data has `NOWHERE`.
        order: Cells with an outlet, each behind its receiver.
    """

    receiver: Indexes
    order: Indexes

    def outlet(self) -> Indexes:
        """The outlet of each cell, `NOWHERE` without one."""
        found = self.receiver.copy()
        there = found >= 0
        while True:
            further = found.copy()
            further[there] = found[found[there]]
            if np.array_equal(further, found):
                return found
            found = further

    def path(self, cell: int) -> Indexes:
        """The cells from a cell down to its outlet, both included."""
        found = [cell]
        while (following := int(self.receiver[found[-1]])) != found[-1] and following >= 0:
            found.append(following)
        return np.array(found, dtype=np.int64)

    def upstream(self) -> Floats:
        """How many cells drain through each cell, itself included."""
        count = np.zeros(len(self.receiver))
        count[self.order] = 1.0
        depth = self._depth()
        by_depth = self.order[np.argsort(depth[self.order], kind="stable")]
        bounds = np.flatnonzero(np.diff(depth[by_depth])) + 1
        # From the furthest cells inwards; those of one depth do not drain into one another.
        for group in reversed(np.split(by_depth, bounds)):
            moving = group[self.receiver[group] != group]
            np.add.at(count, self.receiver[moving], count[moving])
        return count

    def _depth(self) -> Indexes:
        """Steps from each cell to its outlet, found by doubling."""
        at = self.receiver.copy()
        there = at >= 0
        steps = np.zeros(len(at), dtype=np.int64)
        steps[there] = at[there] != np.flatnonzero(there)
        while True:
            further = steps.copy()
            further[there] = steps[there] + steps[at[there]]
            if np.array_equal(further, steps):
                return steps
            steps, moved = further, at.copy()
            moved[there] = at[at[there]]
            at = moved


def drainage(heights: Floats, outlets: Mask, cell: tuple[float, float]) -> Drainage:
    """Where the cells of a DEM drain to.

    Args:
        heights: Heights in metres, rows from the north; not a number: no data.
        outlets: Cells where water is at home; those without data do not count.
        cell: Width and height of a cell in metres.
    """
    size = heights.size
    flat = heights.ravel()
    ends = np.flatnonzero(outlets.ravel() & np.isfinite(flat))
    low, high, rank = _edges(heights, cell)
    # The root, one more node, is joined to all outlets before anything else.
    rows = np.concatenate([np.full(len(ends), size), low])
    columns = np.concatenate([ends, high])
    weights = np.concatenate([np.arange(1, len(ends) + 1), rank + len(ends) + 1]).astype(np.float64)
    graph = coo_matrix((weights, (rows, columns)), shape=(size + 1, size + 1)).tocsr()
    order, before = breadth_first_order(minimum_spanning_tree(graph), size, directed=False)
    receiver = np.full(size, NOWHERE, dtype=np.int64)
    inner = order[1:].astype(np.int64)
    receiver[inner] = before[inner]
    receiver[ends] = ends
    return Drainage(receiver, inner)


def _edges(heights: Floats, cell: tuple[float, float]) -> tuple[Indexes, Indexes, Indexes]:
    """Pairs of neighbours with data, and the place of each pair in the order in which they are joined."""
    numbers = np.arange(heights.size).reshape(heights.shape)
    flat = heights.ravel()
    ones, others, steps = list[Indexes](), list[Indexes](), list[Floats]()
    for down, right in _NEIGHBOURS:
        one, other = _pairs(numbers, down, right)
        ones.append(one)
        others.append(other)
        steps.append(np.full(len(one), np.hypot(down * cell[1], right * cell[0])))
    low, high, apart = np.concatenate(ones), np.concatenate(others), np.concatenate(steps)
    there = np.isfinite(flat[low]) & np.isfinite(flat[high])
    low, high, apart = low[there], high[there], apart[there]
    top, fall = np.maximum(flat[low], flat[high]), np.abs(flat[low] - flat[high]) / apart
    joined = np.lexsort((high, low, -fall, top))
    rank = np.empty(len(low), dtype=np.int64)
    rank[joined] = np.arange(len(low))
    return low, high, rank


def _pairs(numbers: Indexes, down: int, right: int) -> tuple[Indexes, Indexes]:
    rows, columns = numbers.shape
    upper = numbers[: rows - down]
    lower = numbers[down:]
    if right < 0:
        return upper[:, -right:].ravel(), lower[:, :right].ravel()
    return upper[:, : columns - right].ravel(), lower[:, right:].ravel()


def rim(shape: tuple[int, ...], heights: Floats) -> Mask:
    """Cells with data at the edge of the grid or beside cells without data: water leaves there."""
    known = np.isfinite(heights)
    inner = np.zeros(shape, dtype=np.bool_)
    inner[1:-1, 1:-1] = True
    for down in (-1, 0, 1):
        for right in (-1, 0, 1):
            inner &= np.roll(known, (down, right), axis=(0, 1))
    return np.asarray(known & ~inner, dtype=np.bool_)
