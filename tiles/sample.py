"""Cells of a grid on the pixels of a frame where both have straight rows: no warper is needed, only two axes.

Web Mercator and degrees of longitude and latitude share meridians and parallels, so that the column of a cell depends
on x alone and the row on y alone. Pixels are means of the cells around them, weighted by a triangle as wide as a pixel
or a cell, whichever is wider (the bilinear kernel of GDAL's warper), of the cells that have data.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from rasterio.io import DatasetReader
from rasterio.windows import Window

Values = npt.NDArray[Any]
Mask = npt.NDArray[np.bool_]
_DIGITS = 6


@dataclass(frozen=True, slots=True)
class Axis:
    """Which cells make which pixels along one axis.

    Attributes:
        pixels: The pixels whose middle lies in the grid.
        cells: The cells that are read.
        nearest: For each of the pixels its cell, counted from the first one read.
        taps: For each of the pixels the cells that it is a mean of, counted likewise (pixel, tap).
        weights: Their weights, which add up to 1.
    """

    pixels: slice
    cells: slice
    nearest: npt.NDArray[np.intp]
    taps: npt.NDArray[np.intp]
    weights: npt.NDArray[np.float32]


def axis(places: npt.NDArray[np.float64], cells: int, *, mixed: bool) -> Axis | None:
    """How pixels come from cells along an axis.

    Args:
        places: Where the middles of the pixels lie, in cells from the edge of the grid, ascending.
        cells: How many cells the grid has.
        mixed: Whether pixels are means; else each is the cell it lies in.

    Returns:
        None when no pixel lies in the grid.
    """
    # Grids that lie cell upon pixel stay so: a millionth of a cell is the noise of computing.
    places = np.round(places, _DIGITS)
    within = np.flatnonzero((places >= 0) & (places < cells))
    if not within.size:
        return None
    pixels = slice(int(within[0]), int(within[-1]) + 1)
    inside = places[pixels]
    nearest = np.floor(inside).astype(np.intp)
    if not mixed:
        first = int(nearest[0])
        no_taps, no_weights = np.zeros((len(inside), 0), np.intp), np.zeros((len(inside), 0), np.float32)
        return Axis(pixels, slice(first, int(nearest[-1]) + 1), nearest - first, no_taps, no_weights)
    taps, weights = _triangle(inside - 0.5, cells)
    first, last = int(taps.min()), int(taps.max())
    return Axis(pixels, slice(first, last + 1), nearest - first, taps - first, weights)


def _triangle(middles: npt.NDArray[np.float64], cells: int) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.float32]]:
    """Cells under the triangle around each place (in cells, from the middle of the first one), and their weights."""
    stride = (middles[-1] - middles[0]) / (len(middles) - 1) if len(middles) > 1 else 1.0
    reach = max(1.0, float(stride))
    count = int(np.floor(2 * reach)) + 1
    taps = np.ceil(middles - reach).astype(np.intp)[:, None] + np.arange(count)
    weights = np.maximum(0.0, 1 - np.abs(taps - middles[:, None]) / reach)
    weights[(taps < 0) | (taps >= cells)] = 0.0
    weights /= weights.sum(axis=1, keepdims=True)
    return np.clip(taps, 0, cells - 1), weights.astype(np.float32)


def read_straight(
    dataset: DatasetReader, ways: tuple[Axis, Axis], bands: tuple[int, ...], nodata: float | None, *, any_band: bool
) -> tuple[Values, Mask]:
    """Cells of an open grid on the pixels that two axes say.

    Args:
        dataset: The grid.
        ways: The axis of the columns and that of the rows.
        bands: Bands from 1.
        nodata: Value that means "no data"; None when a mask or nothing says so.
        any_band: Whether a cell counts as soon as one of the bands has data; else all must have.

    Returns:
        Values (band, row, column) and which have data, for the pixels within the grid.
    """
    across, down = ways
    window = Window.from_slices(down.cells, across.cells)
    cells = dataset.read(bands, window=window)
    valid = cell_mask(dataset, cells, nodata, window, any_band=any_band)
    where = np.ix_(down.nearest, across.nearest)
    shown = np.ones((len(down.nearest), len(across.nearest)), dtype=np.bool_) if valid is None else valid[where]
    if not across.taps.shape[1]:
        return cells[:, down.nearest[:, None], across.nearest], shown
    # Single precision is exact for whole numbers up to 2^24; wider ones are mixed in double.
    kind = np.float32 if np.can_cast(cells.dtype, np.float32) else np.float64
    found = cells.astype(kind)
    if valid is None:
        mixed = _mix(found, across, down)
    else:
        found[:, ~valid] = 0
        share = _mix(valid.astype(kind)[None], across, down)
        mixed = _mix(found, across, down) / np.where(share > 0, share, 1)
    return (mixed if cells.dtype.kind == "f" else np.rint(mixed)).astype(cells.dtype), shown


def cell_mask(
    dataset: DatasetReader, cells: Values, nodata: float | None, window: Window, *, any_band: bool
) -> Mask | None:
    """Which cells have data; None when all have."""
    if nodata is None:
        if all("all_valid" in {flag.name for flag in flags} for flags in dataset.mask_flag_enums):
            return None
        found = dataset.dataset_mask(window=window) > 0
    else:
        found = has_data(cells, nodata, any_band=any_band)
    return None if found.all() else np.asarray(found, dtype=np.bool_)


def has_data(cells: Values, nodata: float, *, any_band: bool) -> Mask:
    """Cells (band, row, column) of which one band, or every band, differs from the value for "no data"."""
    there = cells != cells.dtype.type(nodata)
    if cells.dtype.kind == "f":
        # Not a number is never a value, whatever the file says.
        there &= ~np.isnan(cells)
    return np.asarray(there.any(axis=0) if any_band else there.all(axis=0), dtype=np.bool_)


def _mix(cells: Values, across: Axis, down: Axis) -> Values:
    """Weighted means along the rows' axis, then along the columns'."""
    tall = _along(cells, down)
    return np.swapaxes(_along(np.ascontiguousarray(np.swapaxes(tall, 1, 2)), across), 1, 2)


def _along(cells: Values, way: Axis) -> Values:
    """Weighted means along the middle axis of (band, cell, other)."""
    total: Values | None = None
    for tap in range(way.taps.shape[1]):
        part = cells[:, way.taps[:, tap]] * way.weights[:, tap, None].astype(cells.dtype)
        total = part if total is None else np.add(total, part, out=total)
    return cells if total is None else total
