"""Water on a surface of cells: depressions filled, D8 flow directions, accumulation, erosion by streams.

Priority-flood after Barnes, Lehman and Mulla (2014), doi:10.1016/j.cageo.2013.04.024; D8 after O'Callaghan and
Mark (1984); implicit stream-power erosion after Braun and Willett (2013), doi:10.1016/j.geomorph.2012.10.008.
"""

from __future__ import annotations

import heapq
from collections import deque

import numpy as np

from ingest.sample.chance import FloatArray, IntArray

NEIGHBOURS = ((-1, -1), (-1, 0), (-1, 1), (0, -1), (0, 1), (1, -1), (1, 0), (1, 1))
DIAGONAL = float(np.sqrt(2.0))


def fill_depressions(surface: FloatArray, rise: float = 0.002) -> FloatArray:
    """Raise cells until each has a path to the border of the grid that falls by at least `rise` m per cell.

    Args:
        surface: Heights in metres.
        rise: Least fall per cell in metres; keeps the filled areas from being flat.

    Returns:
        The filled heights; never below the given ones.
    """
    rows, columns = surface.shape
    stride = columns + 2
    height: list[float] = np.pad(surface, 1, constant_values=-np.inf).ravel().tolist()
    closed = _frame(rows, columns)
    heap = _border_heap(height, closed, rows, columns)
    pits: deque[int] = deque()
    offsets = [dy * stride + dx for dy, dx in NEIGHBOURS]
    while heap or pits:
        cell = pits.popleft() if pits else heapq.heappop(heap)[1]
        level = height[cell] + rise
        for offset in offsets:
            other = cell + offset
            if closed[other]:
                continue
            closed[other] = 1
            if height[other] <= level:
                height[other] = level
                pits.append(other)
            else:
                heapq.heappush(heap, (height[other], other))
    return np.array(height).reshape(rows + 2, stride)[1:-1, 1:-1].copy()


def _frame(rows: int, columns: int) -> bytearray:
    closed = np.zeros((rows + 2, columns + 2), dtype=np.uint8)
    closed[[0, -1], :] = 1
    closed[:, [0, -1]] = 1
    return bytearray(closed.ravel().tobytes())


def _border_heap(height: list[float], closed: bytearray, rows: int, columns: int) -> list[tuple[float, int]]:
    index = np.arange((rows + 2) * (columns + 2)).reshape(rows + 2, columns + 2)[1:-1, 1:-1]
    edge = np.unique(np.concatenate([index[0], index[-1], index[:, 0], index[:, -1]])).tolist()
    heap = [(height[i], i) for i in edge]
    for i in edge:
        closed[i] = 1
    heapq.heapify(heap)
    return heap


def flow_directions(surface: FloatArray, aspect: float = 1.0, doubt: FloatArray | None = None) -> IntArray:
    """D8: for each cell the flat index of the neighbour down the steepest slope; the cell itself where none is lower.

    Args:
        surface: Heights in metres.
        aspect: Height of a cell divided by its width, on the ground.
        doubt: Factors on the slopes (8, rows, columns), which keep streams on even land from running in parallel.
    """
    rows, columns = surface.shape
    padded = np.pad(surface, 1, constant_values=np.inf)
    index = np.arange(rows * columns).reshape(rows, columns)
    best = np.zeros_like(surface)
    target = index.copy()
    for number, (dy, dx) in enumerate(NEIGHBOURS):
        neighbour = padded[1 + dy : 1 + dy + rows, 1 + dx : 1 + dx + columns]
        slope = (surface - neighbour) / float(np.hypot(dy * aspect, dx))
        slope = slope if doubt is None else slope * doubt[number]
        steeper = slope > best
        best = np.where(steeper, slope, best)
        target = np.where(steeper, index + dy * columns + dx, target)
    return target


def downstream_order(surface: FloatArray) -> IntArray:
    """Flat indices of cells from the highest to the lowest, equal heights in index order."""
    return np.argsort(-surface.ravel(), kind="stable")


def accumulate(surface: FloatArray, target: IntArray) -> FloatArray:
    """Number of cells (itself included) that drain through each cell."""
    total = [1.0] * surface.size
    to = target.ravel().tolist()
    for cell in downstream_order(surface).tolist():
        receiver = to[cell]
        if receiver != cell:
            total[receiver] += total[cell]
    return np.array(total).reshape(surface.shape)


def erode(surface: FloatArray, steps: int, strength: float, doubt: FloatArray | None = None) -> FloatArray:
    """Let streams cut into a surface without depressions, so that valleys branch as nature's do.

    Each step lowers cells towards the cell they drain to, the more the more water passes (square root of the
    drained area, slope to the first power, implicit in time). Order along the flow is kept, so no pit arises.

    Args:
        surface: Filled heights in metres.
        steps: Number of time steps.
        strength: Erodibility times time step over cell width.
        doubt: Factors on the slopes, see `flow_directions`.
    """
    height = surface.copy()
    for _ in range(steps):
        target = flow_directions(height, doubt=doubt)
        factor = (strength * np.sqrt(accumulate(height, target))).ravel().tolist()
        height = _cut(height, target, factor)
    return height


def _cut(surface: FloatArray, target: IntArray, factor: list[float]) -> FloatArray:
    height = surface.ravel().tolist()
    to = target.ravel().tolist()
    for cell in downstream_order(surface)[::-1].tolist():
        receiver = to[cell]
        if receiver != cell:
            height[cell] = (height[cell] + factor[cell] * height[receiver]) / (1.0 + factor[cell])
    return np.array(height).reshape(surface.shape)
