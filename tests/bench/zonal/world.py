"""The raster and the divisions: those of the synthetic country, and heights over it that are made here."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import rasterio
from affine import Affine
from rasterio.transform import from_origin
from rasterio.windows import Window

from layers.asset import Asset
from tests.bench.nation import country

SEED = 20260105
SIDE = 20_000
NODATA = -9999.0
_TILE, _ROWS = 512, 2048
_EMPTY = 0.03
"""Share of the squares of 64 by 64 cells that have no data."""
_LAYOUT: dict[str, Any] = {
    "driver": "GTiff", "count": 1, "dtype": "float32", "nodata": NODATA, "crs": "EPSG:4490",
    "tiled": True, "blockxsize": _TILE, "blockysize": _TILE, "compress": "zstd", "predictor": 3,
    "num_threads": "all_cpus", "bigtiff": "if_safer",
}  # fmt: skip


def raster(folder: Path, side: int = SIDE) -> Asset:
    """The raster, laid out as a load lays rasters out (tiles of 512 cells, zstd); made when it is missing."""
    file = folder / f"heights-{side}.tif"
    if not file.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        new = file.with_suffix(".new")
        _write(new, side)
        new.rename(file)
    box = (country.WEST, country.SOUTH, country.WEST + country.WIDTH, country.SOUTH + country.HEIGHT)
    return Asset(file, box, "EPSG:4490")


def grid(side: int = SIDE) -> Affine:
    """From column and row to longitude and latitude: the whole country."""
    north = country.SOUTH + country.HEIGHT
    return from_origin(country.WEST, north, country.WIDTH / side, country.HEIGHT / side)


def divisions(home: Path) -> gpd.GeoDataFrame:
    """The counties of the country: 2,900 with 3,000 corners each."""
    nation = home / "country"
    if not nation.is_dir():
        nation.mkdir(parents=True)
        country.write(nation)
    return gpd.read_file(nation / "counties.gpkg", columns=["admin_code"], engine="pyogrio")


def _write(file: Path, side: int) -> None:
    random = np.random.default_rng(SEED)
    with rasterio.open(file, "w", width=side, height=side, transform=grid(side), **_LAYOUT) as target:
        for top in range(0, side, _ROWS):
            rows = min(_ROWS, side - top)
            target.write(_cells(random, top, rows, side), 1, window=Window(0, top, side, rows))


def _cells(random: np.random.Generator, top: int, rows: int, side: int) -> Any:
    """Hills with decimetres of noise, and squares without data."""
    row, column = np.arange(top, top + rows)[:, None] / side, np.arange(side)[None, :] / side
    hills = 900 + 600 * np.sin(9 * row + 2) * np.cos(7 * column) + 150 * np.sin(80 * row) * np.sin(70 * column + 1)
    cells = np.round(hills + random.standard_normal((rows, side), dtype=np.float32), 1).astype(np.float32)
    squares = random.random((-(-rows // 64), -(-side // 64))) < _EMPTY
    cells[np.repeat(np.repeat(squares, 64, axis=0), 64, axis=1)[:rows, :side]] = NODATA
    return cells
