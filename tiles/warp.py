"""Cells of a COG on the grid of a tile: the right overview, warped to Web Mercator.

CRSs that `layers.crs.NULL_LINK` joins with WGS 84 are handed to the warper as EPSG:4326 when they are geographic:
PROJ takes 12 to 37 times as long for EPSG:4490, with the same result. Every call opens what it reads, so calls may
run in any number of threads; memory is bounded by one tile and GDAL's block cache.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
import pyproj
import rasterio
from affine import Affine
from rasterio._err import CPLE_BaseError
from rasterio.crs import CRS
from rasterio.enums import Resampling
from rasterio.errors import RasterioError
from rasterio.io import DatasetReader
from rasterio.vrt import WarpedVRT
from rasterio.warp import transform as transform_points

from layers.asset import Asset
from layers.crs import keeps_coordinates
from layers.errors import AssetUnavailable, CrsRefused
from tiles.grid import bounds_mercator

Values = npt.NDArray[Any]
Mask = npt.NDArray[np.bool_]
READ_OPTIONS: dict[str, Any] = {
    "GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR",
    "GDAL_PAM_ENABLED": "NO",
    "GDAL_CACHEMAX": 128 << 20,
    "VSI_CACHE": "FALSE",
    "GDAL_NUM_THREADS": "1",
}
"""GDAL settings of every read: no look at neighbouring files, no side-car, a bounded block cache."""
_PROBES = 3
_SLACK = 1.01
_TOLERANCE = 0.125


@dataclass(frozen=True)
class Opened:
    """What never changes about a COG, kept by file (files are named after their content).

    Attributes:
        crs: CRS for the warper. transform, width, height: the grid. overviews: decimations, ascending.
        nodata: Value for "no data", None when a mask or nothing says so.
    """

    crs: CRS
    transform: Affine
    width: int
    height: int
    overviews: tuple[int, ...]
    nodata: float | None


@contextmanager
def reading(asset: Asset, overview: int | None = None) -> Iterator[DatasetReader]:
    """Open the COG of an asset, or one of its overviews (numbered from 0), for reading.

    Raises:
        AssetUnavailable: When the file is missing or cannot be read to the end.
    """
    level = {} if overview is None else {"OVERVIEW_LEVEL": overview}
    try:
        with rasterio.Env(**READ_OPTIONS), rasterio.open(asset.path, driver="GTiff", **level) as dataset:
            yield dataset
    except (RasterioError, CPLE_BaseError) as error:
        raise AssetUnavailable(
            f"Raster file {asset.path.name} is missing or damaged; load its source again.", file=asset.path.name
        ) from error


def opened(asset: Asset) -> Opened:
    """The unchanging facts of an asset's file.

    Raises:
        AssetUnavailable: When the file is missing or damaged.
    """
    return _opened(asset)


@lru_cache(maxsize=1024)
def _opened(asset: Asset) -> Opened:
    with reading(asset) as dataset:
        return Opened(
            crs=web_crs(dataset.crs),
            transform=dataset.transform,
            width=dataset.width,
            height=dataset.height,
            overviews=tuple(dataset.overviews(1)),
            nodata=dataset.nodata,
        )


def web_crs(crs: CRS) -> CRS:
    """The CRS that the warper is given: EPSG:4326 for every geographic CRS that the null link joins with it."""
    try:
        known = pyproj.CRS.from_wkt(crs.to_wkt(version="WKT2_2019"))
        linked = keeps_coordinates(known)
    except CrsRefused:
        # A file without a datum never comes in by a load; it is drawn as its own CRS says.
        linked = False
    return CRS.from_epsg(4326) if linked else crs


def read_tile(
    asset: Asset, address: tuple[int, int, int], size: int, bands: tuple[int, ...], resampling: Resampling
) -> tuple[Values, Mask, float]:
    """Cells of an asset on the pixels of a tile.

    Args:
        asset: The COG.
        address: Zoom level, row, column in WebMercatorQuad.
        size: Pixels along an edge.
        bands: Bands from 1.
        resampling: How cells become pixels, after the overview was chosen.

    Returns:
        Values (band, row, column), which pixels have data, and how many cells of the full raster one cell of the
        overview that was read stands for.

    Raises:
        AssetUnavailable: When the file is missing or damaged.
    """
    facts = opened(asset)
    bounds = bounds_mercator(*address)
    level = _overview(facts, bounds, size)
    step = (bounds[2] - bounds[0]) / size
    with reading(asset, level) as dataset:
        options: dict[str, Any] = {
            "src_crs": facts.crs,
            "crs": CRS.from_epsg(3857),
            "transform": Affine(step, 0.0, bounds[0], 0.0, -step, bounds[3]),
            "width": size,
            "height": size,
            "resampling": resampling,
            "tolerance": _TOLERANCE,
        }
        if facts.nodata is None:
            options["add_alpha"] = True
        else:
            # The warper moves a valid value that equals `nodata` by one, so that it stays visible: in colour images
            # a band of 0 becomes 1.
            options |= {"src_nodata": facts.nodata, "nodata": facts.nodata}
        with WarpedVRT(dataset, **options) as warped:
            values = warped.read(bands)
            mask = warped.dataset_mask() > 0 if facts.nodata is None else _has_data(values, facts.nodata)
        share = facts.width * facts.height / (dataset.width * dataset.height)
    return values, mask, share


def _has_data(values: Values, nodata: float) -> Mask:
    """Pixels of which at least one band has data."""
    if np.isnan(nodata):
        return np.asarray(~np.isnan(values).all(axis=0), dtype=np.bool_)
    return np.asarray((values != values.dtype.type(nodata)).any(axis=0), dtype=np.bool_)


def _overview(facts: Opened, bounds: tuple[float, float, float, float], size: int) -> int | None:
    """The coarsest overview that is not coarser than the pixels of the tile; None for the full raster."""
    pixel = _pixel_in_cells(facts, bounds, size)
    fitting = [i for i, decimation in enumerate(facts.overviews) if decimation <= pixel * _SLACK]
    return fitting[-1] if fitting else None


def _pixel_in_cells(facts: Opened, bounds: tuple[float, float, float, float], size: int) -> float:
    """How many cells one pixel of the tile spans, where it spans fewest; infinite where the CRS does not reach."""
    west, south, east, north = bounds
    step = (east - west) / size
    x, y = (a.ravel() for a in np.meshgrid(np.linspace(west, east, _PROBES), np.linspace(south, north, _PROBES)))
    places = np.stack([np.concatenate([x, x + step, x]), np.concatenate([y, y, y + step])])
    column, row = _cells(facts, CRS.from_epsg(3857), places[0], places[1])
    here, right, above = np.split(np.stack([column, row]), 3, axis=1)
    spans = np.maximum(np.hypot(*(right - here)), np.hypot(*(above - here)))
    finite = spans[np.isfinite(spans)]
    return float(finite.min()) if finite.size else np.inf


def _cells(facts: Opened, crs: CRS, x: Values, y: Values) -> tuple[Values, Values]:
    """Column and row (not rounded) of places given in a CRS."""
    found_x, found_y = transform_points(crs, facts.crs, x.tolist(), y.tolist())
    grid = facts.transform
    return (np.asarray(found_x) - grid.c) / grid.a, (np.asarray(found_y) - grid.f) / grid.e


def cell_at(asset: Asset, lon: float, lat: float) -> tuple[int, int] | None:
    """Column and row of the cell at a place (degrees); None when the asset does not reach there.

    Raises:
        AssetUnavailable: When the file is missing or damaged.
    """
    facts = opened(asset)
    column, row = _cells(facts, CRS.from_epsg(4326), np.array([lon]), np.array([lat]))
    if not (np.isfinite(column[0]) and np.isfinite(row[0])):
        return None
    place = int(np.floor(column[0])), int(np.floor(row[0]))
    return place if 0 <= place[0] < facts.width and 0 <= place[1] < facts.height else None
