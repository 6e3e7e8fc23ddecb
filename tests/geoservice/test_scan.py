"""Covered shares of cells against shapely's intersections and exactextract, and sums of blocks against every cell."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import shapely
from affine import Affine
from exactextract import exact_extract
from exactextract.feature import JSONFeatureSource
from exactextract.raster import NumPyRasterSource
from hypothesis import given, settings
from hypothesis import strategies as st

from geoservice.analysis import sums
from geoservice.analysis.cells import on_raster
from geoservice.analysis.scan import Cover, cover
from geoservice.analysis.sums import Parted
from layers.asset import Asset
from tests.support.rasters import grid, write_tif

WIDTH, HEIGHT = 40, 30
GRID = Affine(0.5, 0, 100, 0, -0.25, 40)
WHOLE = 0.5 * 0.25
FLOAT32 = 6e-8
"""exactextract keeps shares with 24 bits."""


def blob(corners: int, x: float, y: float, radius: float, seed: int = 0) -> Any:
    """A star with a rough outline and a hole; it may reach beyond the grid."""
    turn = np.linspace(0, 2 * np.pi, corners, endpoint=False)
    far = radius * np.random.default_rng(seed).uniform(0.8, 1.2, corners)
    outline = np.column_stack([x + far * np.cos(turn), y + far * np.sin(turn)])
    return shapely.Polygon(outline, [outline * 0.25 + np.array([x, y]) * 0.75])


def shares(found: Cover, number: int = 0) -> Any:
    """As a grid; a cell that is told twice is found out."""
    told = np.zeros((HEIGHT, WIDTH))
    ours = found.rim.owner == number
    np.add.at(told, (found.rim.row[ours], found.rim.column[ours]), found.rim.share[ours])
    runs = found.runs.some(np.flatnonzero(found.runs.owner == number))
    for row, begin, end in zip(runs.row, runs.begin, runs.end, strict=True):
        assert begin < end
        told[row, begin:end] += 1
    return told


def expected(shape: Any) -> Any:
    column, row = np.meshgrid(np.arange(WIDTH), np.arange(HEIGHT))
    boxes = shapely.box(100 + column * 0.5, 39.75 - row * 0.25, 100.5 + column * 0.5, 40 - row * 0.25)
    return shapely.area(shapely.intersection(boxes, shape)) / WHOLE


def extracted(shape: Any) -> Any:
    source = NumPyRasterSource(np.zeros((HEIGHT, WIDTH), "u1"), xmin=100, ymin=32.5, xmax=120, ymax=40)
    feature = {"type": "Feature", "properties": {}, "geometry": shapely.geometry.mapping(shape)}
    found = exact_extract(source, JSONFeatureSource(feature), ["cell_id", "coverage"])[0]["properties"]
    told = np.zeros(WIDTH * HEIGHT)
    told[np.asarray(found["cell_id"])] = found["coverage"]
    return told.reshape(HEIGHT, WIDTH)


@settings(max_examples=60, deadline=None)
@given(
    corners=st.integers(3, 300), x=st.floats(99, 121), y=st.floats(32, 41), radius=st.floats(0.01, 9),
    seed=st.integers(0, 99),
)  # fmt: skip
def test_shares_are_those_of_intersections(corners: int, x: float, y: float, radius: float, seed: int) -> None:
    shape = blob(corners, x, y, radius, seed)
    told = shares(cover(np.array([shape]), GRID, WIDTH, HEIGHT))
    assert np.abs(told - expected(shape)).max() < 1e-10
    assert np.abs(told - extracted(shape)).max() < FLOAT32
    assert told.sum() == pytest.approx(expected(shape).sum(), rel=1e-9, abs=1e-12)


@pytest.mark.parametrize(
    "shape",
    [
        shapely.box(101, 38, 103, 39),
        shapely.box(90, 30, 130, 50),
        shapely.box(101.1, 38.1, 101.11, 38.11),
        shapely.MultiPolygon([shapely.box(101, 34, 102, 35), shapely.box(103, 34, 104, 35.1)]).reverse(),
        shapely.difference(shapely.box(101, 34, 108, 39.1), shapely.box(102, 35.1, 106, 38.1)),
        shapely.Polygon([(101, 39), (103, 39), (102, 38)]),
        shapely.MultiPolygon([shapely.box(-170, 30, -160, 40)]),
        shapely.MultiPolygon(),
    ],
    ids=["lines", "all", "tiny", "level", "hole", "corner", "elsewhere", "nothing"],
)
def test_outlines_on_the_lines_of_the_grid(shape: Any) -> None:
    told = shares(cover(np.array([shape], dtype=object), GRID, WIDTH, HEIGHT))
    assert np.abs(told - expected(shape)).max() < 1e-12


def test_a_polygon_is_told_the_same_alone_and_among_others(monkeypatch: pytest.MonkeyPatch) -> None:
    shapes = np.array([blob(50 + 9 * n, 101 + n, 36, 2.5, n) for n in range(12)], dtype=object)
    monkeypatch.setattr("geoservice.analysis.scan._EDGES", 200)
    together = cover(shapes, GRID, WIDTH, HEIGHT)
    for number, shape in enumerate(shapes):
        alone = shares(cover(np.array([shape], dtype=object), GRID, WIDTH, HEIGHT))
        assert np.array_equal(shares(together, number), alone)


def raster(folder: Path) -> tuple[Asset, Any]:
    """A raster of 90 by 100 cells, not whole blocks, with holes in the data."""
    cells = np.random.default_rng(5).gamma(0.6, 80, (90, 100)).astype("float32")
    cells[np.random.default_rng(6).random(cells.shape) < 0.1] = -9999
    file = write_tif(folder / "cells.tif", cells, grid(100, 40, 0.01), nodata=-9999)
    return Asset(file, (100, 39.1, 101, 40), "EPSG:4490"), np.where(cells == -9999, np.nan, cells).astype(float)


def test_sums_of_blocks_runs_and_outlines_are_those_of_every_cell(tmp_path: Path) -> None:
    asset, cells = raster(tmp_path)
    shapes = [shapely.box(100, 39.1, 101, 40), blob(400, 100.5, 39.55, 0.4), shapely.box(100.2, 39.3, 100.8, 39.9)]
    column, row = np.meshgrid(np.arange(100), np.arange(90))
    boxes = shapely.box(100 + column / 100, 39.99 - row / 100, 100.01 + column / 100, 40 - row / 100)
    with on_raster(asset, shapely.box(99, 39, 102, 41)) as here:
        found = here.sums(shapes)
    for number, shape in enumerate(shapes):
        share = shapely.area(shapely.intersection(boxes, shape)) / 1e-4
        inside = cells[(share > 1e-9) & ~np.isnan(cells)]
        assert found.total[number] == pytest.approx(np.nansum(cells * share), rel=1e-9)
        assert found.count[number] == pytest.approx((share * ~np.isnan(cells)).sum(), rel=1e-9)
        assert (found.minimum[number], found.maximum[number]) == (inside.min(), inside.max())


def test_blocks_are_used_and_change_no_figure(tmp_path: Path) -> None:
    shape = np.array([blob(400, 100.5, 39.55, 0.4)], dtype=object)
    found = cover(shape, Affine(0.01, 0, 100, 0, -0.01, 40), 100, 90)
    parted = Parted.of(found, 100, 90)
    blocks = int((parted.blocks.end - parted.blocks.begin).sum())
    left = int((parted.cells.end - parted.cells.begin).sum())
    assert blocks >= 3
    assert blocks * sums.SIDE**2 + left == (found.runs.end - found.runs.begin).sum()


def test_strips_and_neighbours_change_no_bit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asset, _ = raster(tmp_path)
    shapes = [blob(90, 100.3 + n / 50, 39.5, 0.25, n) for n in range(8)]

    def asked(parts: list[Any]) -> Any:
        with on_raster(asset, shapely.box(99, 39, 102, 41)) as here:
            return np.stack(list(here.sums(parts).arrays().values()))

    together = asked(shapes)
    monkeypatch.setattr("geoservice.analysis.sheet.TILE", 32)
    monkeypatch.setattr("geoservice.analysis.sums._AT_ONCE", 50)
    assert np.array_equal(asked(shapes), together)
    assert np.array_equal(np.hstack([asked([shape]) for shape in shapes]), together)
