"""Raster values equal what rasterio samples, for any number of places and files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from rasterio.transform import from_origin
from rasterio.warp import transform

from geoservice.queries.cells import sampled
from layers.asset import Asset

Numbers = np.ndarray[Any, Any]
WEST, NORTH, CELL = 105.0, 38.0, 0.01


def grid_file(path: Path, cells: Numbers, crs: str = "EPSG:4490", origin: tuple[float, float] = (WEST, NORTH)) -> Asset:
    size = CELL if crs == "EPSG:4490" else 1_000.0
    options = {"driver": "GTiff", "height": cells.shape[1], "width": cells.shape[2], "count": cells.shape[0]}
    place = from_origin(*origin, size, size)
    with rasterio.open(path, "w", dtype="float32", nodata=-9999.0, crs=crs, transform=place, **options) as target:
        target.write(cells.astype("float32"))
        bounds = target.bounds
    if crs != "EPSG:4490":
        xs, ys = transform(crs, "EPSG:4326", [bounds.left, bounds.right], [bounds.bottom, bounds.top])
        return Asset(path, (xs[0] - 0.1, ys[0] - 0.1, xs[1] + 0.1, ys[1] + 0.1), crs)
    return Asset(path, tuple(bounds), crs)


def random_cells(seed: int, bands: int = 2, size: tuple[int, int] = (700, 1_100)) -> Numbers:
    rng = np.random.default_rng(seed)
    cells = rng.uniform(0, 1_000, (bands, *size))
    cells[:, rng.uniform(size=size) < 0.05] = -9999.0
    return cells


def test_nearest_as_rasterio_samples(tmp_path: Path) -> None:
    asset = grid_file(tmp_path / "a.tif", random_cells(1))
    rng = np.random.default_rng(2)
    x, y = rng.uniform(WEST - 0.5, WEST + 11.5, 5_000), rng.uniform(NORTH - 7.5, NORTH + 0.5, 5_000)
    found = sampled([asset], x, y, 2, "nearest")
    with rasterio.open(asset.path) as dataset:
        expected = np.array([v.filled(np.nan) for v in dataset.sample(zip(x, y, strict=True), masked=True)]).T
    inside = (x >= WEST) & (x < WEST + 11) & (y <= NORTH) & (y > NORTH - 7)
    expected[:, ~inside] = np.nan
    np.testing.assert_array_equal(found, expected)
    assert 0 < np.isnan(found[0]).sum() < 5_000


def test_another_crs_as_rasterio_samples(tmp_path: Path) -> None:
    asset = grid_file(tmp_path / "utm.tif", random_cells(3, 1, (300, 300)), "EPSG:32648", (400_000.0, 4_300_000.0))
    rng = np.random.default_rng(4)
    easting, northing = rng.uniform(401_000, 699_000, 2_000), rng.uniform(4_001_000, 4_299_000, 2_000)
    x, y = map(np.array, transform("EPSG:32648", "EPSG:4326", easting, northing))
    found = sampled([asset], x, y, 1, "nearest")
    with rasterio.open(asset.path) as dataset:
        expected = np.array(
            [v.filled(np.nan) for v in dataset.sample(zip(easting, northing, strict=True), masked=True)]
        ).T
    np.testing.assert_array_equal(found, expected)


def test_bilinear_is_exact_on_a_plane(tmp_path: Path) -> None:
    rows, columns = np.mgrid[0:50, 0:60]
    # The mean of four cells of a plane is the plane itself between the middles of cells.
    asset = grid_file(tmp_path / "plane.tif", (3.0 * columns - 2.0 * rows + 7.0)[None])
    rng = np.random.default_rng(5)
    x, y = rng.uniform(WEST + 0.01, WEST + 0.59, 500), rng.uniform(NORTH - 0.49, NORTH - 0.01, 500)
    expected = 3.0 * ((x - WEST) / CELL - 0.5) - 2.0 * ((NORTH - y) / CELL - 0.5) + 7.0
    assert sampled([asset], x, y, 1, "bilinear")[0] == pytest.approx(expected, abs=1e-3)
    # Half a cell from the edge there is nothing to mix with: the outermost cell goes on.
    assert sampled([asset], np.array([WEST + 0.001]), np.array([NORTH - 0.005]), 1, "bilinear")[0, 0] == 7.0


def test_bilinear_leaves_out_what_has_no_data(tmp_path: Path) -> None:
    cells = np.array([[[1.0, -9999.0], [3.0, 5.0]]])
    asset = grid_file(tmp_path / "hole.tif", cells)
    # At the common corner the three cells with data weigh the same.
    corner = sampled([asset], np.array([WEST + CELL * 0.999999]), np.array([NORTH - CELL * 1.000001]), 1, "bilinear")
    assert corner[0, 0] == pytest.approx(3.0, abs=1e-3)
    hole = sampled([asset], np.array([WEST + 1.5 * CELL]), np.array([NORTH - 0.5 * CELL]), 1, "bilinear")
    assert np.isnan(hole[0, 0])


def test_the_topmost_file_with_data_answers(tmp_path: Path) -> None:
    top, below = np.full((1, 10, 10), -9999.0), np.full((1, 10, 10), 2.0)
    top[0, :5] = 1.0
    assets = [grid_file(tmp_path / "top.tif", top), grid_file(tmp_path / "below.tif", below)]
    x, y = np.full(3, WEST + 0.05), np.array([NORTH - 0.02, NORTH - 0.08, np.nan])
    found = sampled(assets, x, y, 1, "nearest")[0]
    assert found[:2].tolist() == [1.0, 2.0]
    assert np.isnan(found[2])
