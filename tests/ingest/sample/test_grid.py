"""The lattice of cells: nearest cells, floods, moving averages, outlines."""

from __future__ import annotations

import numpy as np
import pytest
import shapely

from ingest.sample.grid import METRES_X, METRES_Y, Grid, blur, flood, nearest_true

GRID = Grid(west=105.0, north=38.9, cell=0.001, rows=37, columns=52)


@pytest.mark.parametrize("share", [0.002, 0.05, 0.6])
def test_nearest_true_cell_is_the_nearest(share: float) -> None:
    mask = np.random.default_rng(7).random(GRID.shape) < share
    index, distance = nearest_true(GRID, mask)
    rows, columns = np.nonzero(mask)
    r, c = np.indices(GRID.shape)
    away = np.hypot((r[..., None] - rows) * 0.001 * METRES_Y, (c[..., None] - columns) * 0.001 * METRES_X)
    np.testing.assert_allclose(distance, away.min(axis=-1), atol=1e-9)
    found = np.hypot((index // 52 - r) * 0.001 * METRES_Y, (index % 52 - c) * 0.001 * METRES_X)
    np.testing.assert_allclose(found, distance, atol=1e-9)


def test_without_true_cells_nothing_is_near() -> None:
    index, distance = nearest_true(GRID, np.zeros(GRID.shape, dtype=bool))
    assert np.all(index == -1)
    assert np.all(np.isinf(distance))


def test_reach_keeps_near_distances() -> None:
    mask = np.zeros(GRID.shape, dtype=bool)
    mask[10, 10] = True
    full, short = nearest_true(GRID, mask)[1], nearest_true(GRID, mask, reach=400.0)[1]
    near = full < 400.0
    np.testing.assert_array_equal(short[near], full[near])


def test_flood_stays_behind_a_wall_and_does_not_pass_corners() -> None:
    allowed = np.array([[1, 1, 0, 1], [1, 0, 1, 1], [1, 1, 0, 1]], dtype=bool)
    reached = flood(allowed, [(0, 0)])
    np.testing.assert_array_equal(reached, [[1, 1, 0, 0], [1, 0, 0, 0], [1, 1, 0, 0]])


def test_flood_from_a_closed_cell_is_empty() -> None:
    assert not flood(np.zeros((3, 3), dtype=bool), [(1, 1)]).any()


def test_blur_keeps_the_level_and_averages_a_square() -> None:
    values = np.zeros((9, 9))
    values[4, 4] = 9.0
    once = blur(values, radius=1, passes=1)
    assert once[3, 3] == pytest.approx(1.0)
    assert once.sum() == pytest.approx(9.0)
    np.testing.assert_allclose(blur(np.full((6, 8), 4.2), radius=2), 4.2)


def test_outlines_of_cells_have_their_area_and_holes() -> None:
    mask = np.zeros(GRID.shape, dtype=bool)
    mask[5:10, 5:10] = True
    mask[7, 7] = False
    (outline,) = GRID.polygons(mask)
    assert outline.area == pytest.approx(24 * 0.001**2)
    assert len(outline.interiors) == 1


def test_bilinear_meets_cell_centres_and_midpoints() -> None:
    values = np.arange(GRID.rows * GRID.columns, dtype=np.float64).reshape(GRID.shape)
    points = np.array([[105.0035, 38.8975], [105.004, 38.8975]])
    np.testing.assert_allclose(GRID.bilinear(values, points), [values[2, 3], (values[2, 3] + values[2, 4]) / 2])


def test_mask_takes_cells_whose_centre_is_inside() -> None:
    mask = GRID.mask([shapely.box(105.0004, 38.8976, 105.0026, 38.8996)])
    assert mask.sum() == 3 * 2
