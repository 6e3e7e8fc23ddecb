"""Filling, flow and accumulation against slow but obvious methods."""

from __future__ import annotations

import numpy as np
import pytest

from ingest.sample.chance import FloatArray
from ingest.sample.hydrology import NEIGHBOURS, accumulate, erode, fill_depressions, flow_directions


def lowest_spill(surface: FloatArray) -> FloatArray:
    """Height of the lowest pass on the way to the border, by relaxing until nothing changes."""
    rows, columns = surface.shape
    level = np.full((rows, columns), np.inf)
    level[[0, -1], :], level[:, [0, -1]] = surface[[0, -1], :], surface[:, [0, -1]]
    while True:
        padded = np.pad(level, 1, constant_values=np.inf)
        around = [padded[1 + dy : 1 + dy + rows, 1 + dx : 1 + dx + columns] for dy, dx in NEIGHBOURS]
        better = np.minimum(level, np.maximum(surface, np.min(around, axis=0)))
        if np.array_equal(better, level):
            return level
        level = better


@pytest.mark.parametrize("seed", range(6))
def test_filling_without_rise_gives_the_height_of_the_lowest_pass(seed: int) -> None:
    surface = np.random.default_rng(seed).random((23, 31)) * 100
    np.testing.assert_array_equal(fill_depressions(surface, rise=0.0), lowest_spill(surface))


def test_filling_with_rise_leaves_no_cell_without_a_lower_neighbour() -> None:
    surface = np.random.default_rng(1).random((40, 50)) * 10
    filled = fill_depressions(surface, rise=0.01)
    target = flow_directions(filled)
    inner = np.zeros(surface.shape, dtype=bool)
    inner[1:-1, 1:-1] = True
    own = np.arange(surface.size).reshape(surface.shape)
    assert np.all(filled >= surface)
    assert np.all(target[inner] != own[inner])


def test_flow_goes_down_the_steepest_slope_and_diagonals_are_longer() -> None:
    surface = np.array([[9.0, 9.0, 9.0], [9.0, 5.0, 4.0], [9.0, 9.0, 3.7]])
    assert flow_directions(surface)[1, 1] == 5  # 1.0 to the east, 1.3 / sqrt(2) = 0.92 to the south-east


def test_accumulation_counts_every_cell_once_at_the_outlets() -> None:
    filled = fill_depressions(np.random.default_rng(3).random((30, 30)) * 10, rise=0.01)
    target = flow_directions(filled)
    total = accumulate(filled, target)
    outlets = target.ravel() == np.arange(filled.size)
    assert total.ravel()[outlets].sum() == filled.size


def test_accumulation_of_a_slope_grows_by_one_per_row() -> None:
    surface = np.repeat(np.arange(5.0, 0.0, -1.0)[:, None], 4, axis=1)
    total = accumulate(surface, flow_directions(surface))
    np.testing.assert_array_equal(total, np.repeat(np.arange(1.0, 6.0)[:, None], 4, axis=1))


def test_erosion_lowers_and_makes_no_pits() -> None:
    filled = fill_depressions(np.random.default_rng(5).random((30, 30)) * 50, rise=0.01)
    eroded = erode(filled, steps=4, strength=0.05)
    target = flow_directions(eroded)
    inside = np.s_[1:-1, 1:-1]
    assert np.all(eroded <= filled)
    assert np.all(target[inside] != np.arange(eroded.size).reshape(eroded.shape)[inside])
