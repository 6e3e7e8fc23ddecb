"""Raster values at places: the cell that a place lies in, or a mean of the four cells around it, in any number at once.

Files are read block by block, each block once for all places in it; the topmost file with data at a place answers.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from rasterio.crs import CRS
from rasterio.io import DatasetReader
from rasterio.warp import transform
from rasterio.windows import Window

from layers.asset import Asset
from tiles.handles import reading

Floats = npt.NDArray[np.float64]
Box = tuple[float, float, float, float]
Method = Literal["nearest", "bilinear"]
_WORLD = CRS.from_epsg(4326)
_LINKED = 4490
_BLOCK = 512


def sampled(assets: Sequence[Asset], x: Floats, y: Floats, bands: int, method: Method) -> Floats:
    """Values of each band at places; not a number where no file has data.

    Args:
        assets: Files of a layer, the topmost first.
        x: Longitudes in degrees; not a number: nowhere.
        y: Latitudes in degrees.
        bands: How many bands the layer has.
        method: `nearest`: the cell that the place lies in. `bilinear`: the mean of the four cells whose middles are
            around the place, weighted by nearness, of those that have data.

    Returns:
        An array (band, place).

    Raises:
        AssetUnavailable: When a file is missing or damaged.
    """
    found = np.full((bands, len(x)), np.nan)
    open_ = np.isfinite(x) & np.isfinite(y)
    for asset in assets:
        west, south, east, north = asset.bounds
        near = np.flatnonzero(open_ & (x >= west) & (x <= east) & (y >= south) & (y <= north))
        if near.size:
            values = _of_asset(asset, x[near], y[near], bands, method)
            found[:, near] = values
            # A place counts as answered when any of its bands has data.
            open_[near] = np.isnan(values).all(axis=0)
    return found


def _of_asset(asset: Asset, x: Floats, y: Floats, bands: int, method: Method) -> Floats:
    with reading(asset) as dataset:
        column, row = _cells(dataset, x, y)
        found = np.full((bands, len(x)), np.nan)
        inside = (column >= 0) & (column < dataset.width) & (row >= 0) & (row < dataset.height)
        for members, window in _windows(column, row, inside, dataset):
            cells = _read(dataset, window, bands)
            place = column[members] - window.col_off, row[members] - window.row_off
            found[:, members] = _nearest(cells, *place) if method == "nearest" else _bilinear(cells, *place)
    return found


def _cells(dataset: DatasetReader, x: Floats, y: Floats) -> tuple[Floats, Floats]:
    """Columns and rows, not whole numbers, of places in degrees."""
    crs = dataset.crs
    if crs is not None and crs != _WORLD and crs.to_epsg() != _LINKED:
        xs, ys = transform(_WORLD, crs, x, y)
        x, y = np.asarray(xs), np.asarray(ys)
    column, row = ~dataset.transform * (x, y)
    # Cells that begin where a place lies own it, whatever the last bit says.
    return np.round(column, 9), np.round(row, 9)


def _windows(
    column: Floats, row: Floats, inside: npt.NDArray[np.bool_], dataset: DatasetReader
) -> Iterator[tuple[npt.NDArray[np.intp], Window]]:
    """Places by the block of cells that they lie in, and the window to read for them: a cell more on each side."""
    there = np.flatnonzero(inside)
    across, down = (column[there] // _BLOCK).astype(np.int64), (row[there] // _BLOCK).astype(np.int64)
    code = down * (dataset.width // _BLOCK + 1) + across
    order = np.argsort(code, kind="stable")
    starts = np.flatnonzero(np.append(True, np.diff(code[order]) != 0)) if len(order) else np.zeros(0, dtype=np.int64)
    for group in np.split(order, starts[1:]) if len(order) else ():
        members = there[group]
        low = int(column[members].min()) - 1, int(row[members].min()) - 1
        high = int(column[members].max()) + 2, int(row[members].max()) + 2
        left, top = max(low[0], 0), max(low[1], 0)
        right, bottom = min(high[0], dataset.width), min(high[1], dataset.height)
        yield members, Window(left, top, right - left, bottom - top)


def _read(dataset: DatasetReader, window: Window, bands: int) -> Floats:
    numbers = list(range(1, min(bands, dataset.count) + 1))
    cells: Any = dataset.read(numbers, window=window, masked=True)
    values = np.full((bands, *cells.shape[1:]), np.nan)
    values[: len(numbers)] = np.where(np.ma.getmaskarray(cells), np.nan, cells.data.astype(np.float64))
    return values


def _nearest(cells: Floats, column: Floats, row: Floats) -> Floats:
    found: Floats = cells[:, np.floor(row).astype(np.intp), np.floor(column).astype(np.intp)]
    return found


def _bilinear(cells: Floats, column: Floats, row: Floats) -> Floats:
    left, top = np.floor(column - 0.5).astype(np.intp), np.floor(row - 0.5).astype(np.intp)
    across, down = column - 0.5 - left, row - 0.5 - top
    total, weight = np.zeros((len(cells), len(column))), np.zeros((len(cells), len(column)))
    for step_down, share_down in ((0, 1 - down), (1, down)):
        for step_across, share_across in ((0, 1 - across), (1, across)):
            # Beyond the edge of the raster its outermost cells go on.
            at_row = np.clip(top + step_down, 0, cells.shape[1] - 1)
            at_column = np.clip(left + step_across, 0, cells.shape[2] - 1)
            values, share = cells[:, at_row, at_column], share_down * share_across
            there = np.isfinite(values)
            total += np.where(there, values, 0.0) * share
            weight += there * share
    with np.errstate(invalid="ignore"):
        found: Floats = np.where(weight > 0, total / np.where(weight > 0, weight, 1.0), np.nan)
    # A place in a cell without data has none, however near its neighbours are.
    own = _nearest(cells, column, row)
    return np.where(np.isnan(own), np.nan, found)
