"""Drainage over DEMs, against the priority flood and against steepest descents that are looked up one by one."""

from __future__ import annotations

import heapq
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from geoservice.hazards.terrain import NOWHERE, drainage, rim

HEIGHTS = arrays(np.float64, st.tuples(st.integers(3, 9), st.integers(3, 9)), elements=st.integers(0, 12).map(float))


def neighbours(shape: tuple[int, int], row: int, column: int) -> list[tuple[int, int]]:
    around = [(row + d, column + r) for d in (-1, 0, 1) for r in (-1, 0, 1) if (d, r) != (0, 0)]
    return [(r, c) for r, c in around if 0 <= r < shape[0] and 0 <= c < shape[1]]


def filled(heights: Any, outlets: Any) -> Any:
    """Heights after hollows are filled: Barnes, Lehman and Mulla's priority flood, cell by cell."""
    level = np.full(heights.shape, np.inf)
    queue = [(heights[at], at) for at in map(tuple, np.argwhere(outlets))]
    for height, at in queue:
        level[at] = height
    heapq.heapify(queue)
    while queue:
        height, at = heapq.heappop(queue)
        for other in neighbours(heights.shape, *at):
            if np.isinf(level[other]) and np.isfinite(heights[other]):
                level[other] = max(height, heights[other])
                heapq.heappush(queue, (level[other], other))
    return level


@settings(max_examples=30)
@given(HEIGHTS, st.integers(0, 80))
def test_water_takes_the_lowest_way_out(heights: Any, hole: int) -> None:
    heights[np.unravel_index(hole % heights.size, heights.shape)] = np.nan
    outlets = rim(heights.shape, heights)
    found = drainage(heights, outlets, (30.0, 30.0))
    level, flat = filled(heights, outlets).ravel(), heights.ravel()
    ends = found.outlet()
    for cell in range(heights.size):
        if not np.isfinite(flat[cell]):
            assert found.receiver[cell] == NOWHERE
            continue
        path = found.path(cell)
        assert flat[path].max() == level[cell]
        assert outlets.ravel()[path[-1]]
        assert ends[cell] == path[-1]


@settings(max_examples=30)
@given(HEIGHTS)
def test_a_cell_above_others_falls_most_steeply(heights: Any) -> None:
    shape = heights.shape
    # Different heights everywhere, and no hollows: each cell has a lower neighbour to the south.
    heights = heights + np.arange(shape[0])[::-1, None] * 20.0 + np.arange(heights.size).reshape(shape) * 1e-3
    outlets = np.zeros(shape, dtype=bool)
    outlets[-1] = True
    found = drainage(heights, outlets, (30.0, 40.0))
    for row in range(shape[0] - 1):
        for column in range(shape[1]):

            def slope(other: tuple[int, int], row: int = row, column: int = column) -> float:
                away = np.hypot((other[0] - row) * 40.0, (other[1] - column) * 30.0)
                return float((heights[row, column] - heights[other]) / away)

            steepest = max(slope(other) for other in neighbours(shape, row, column))
            receiver = divmod(int(found.receiver[row * shape[1] + column]), shape[1])
            assert slope(receiver) == pytest.approx(steepest)


@settings(max_examples=30)
@given(HEIGHTS)
def test_what_drains_through_a_cell_is_what_has_it_on_its_way(heights: Any) -> None:
    found = drainage(heights, rim(heights.shape, heights), (1.0, 1.0))
    expected = np.zeros(heights.size)
    for cell in range(heights.size):
        expected[found.path(cell)] += 1
    assert found.upstream().tolist() == expected.tolist()


def test_cells_apart_from_every_outlet_have_none() -> None:
    heights = np.ones((3, 5))
    heights[:, 2] = np.nan
    outlets = np.zeros((3, 5), dtype=bool)
    outlets[0, 0] = True
    found = drainage(heights, outlets, (1.0, 1.0))
    assert (found.outlet().reshape(3, 5)[:, :2] == 0).all()
    assert (found.outlet().reshape(3, 5)[:, 2:] == NOWHERE).all()
