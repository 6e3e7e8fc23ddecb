"""Writing of Cloud-Optimised GeoTIFFs (OGC 21-026): a plain file is filled first, then laid out with overviews.

Runs inside the confined child. The layout comes from GDAL's COG driver; overviews that hold sums, which GDAL cannot
make, are written here and only laid out by it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import rasterio
from affine import Affine
from rasterio.crs import CRS
from rasterio.shutil import copy
from rasterio.windows import Window

from layers.errors import SourceMismatch
from layers.model import CogProfile

Cells = npt.NDArray[Any]
CELLS_PER_CHUNK = 4_000_000
_BARE_BYTES = 1 << 30
_TILE = 512
RGB = 3
_LOSSY = frozenset({"jpeg", "webp"})
_ARITHMETIC = frozenset({"average", "bilinear", "sum"})


@dataclass(frozen=True)
class Storage:
    """How a raster is stored.

    Attributes:
        crs: CRS of the cells, as the file will state it.
        transform: From column and row to coordinates; north is up.
        width, height: Size in cells.
        count: Bands. dtype: numpy name of the cell type.
        nodata: Value that means "no data"; None when `masked` says so or every cell is valid.
        masked: Whether validity is kept in a mask band.
        classed: Whether cells are codes: they are never averaged.
        palette: Colour (r, g, b, a) by cell value, kept from the source.
        names, units: Name and unit of each band; an empty unit is not written.
    """

    crs: CRS
    transform: Affine
    width: int
    height: int
    count: int
    dtype: str
    nodata: float | None
    masked: bool = False
    classed: bool = False
    palette: dict[int, tuple[int, int, int, int]] = field(default_factory=dict)
    names: tuple[str, ...] = ()
    units: tuple[str, ...] = ()


@dataclass(frozen=True)
class Chunk:
    """Full rows of cells: values with masked cells filled, and which cells are valid, both (band, row, column)."""

    row: int
    values: Cells
    valid: npt.NDArray[np.bool_]


def rows_per_chunk(width: int, count: int, block: int) -> int:
    """How many rows to read at once: whole blocks of the source where they fit the budget of cells."""
    rows = max(1, CELLS_PER_CHUNK // (width * count))
    return rows // block * block if rows > block else rows


def write_plain(path: Path, storage: Storage, chunks: Iterator[Chunk]) -> None:
    """Write the cells to an ordinary GeoTIFF, in the order they come."""
    mask = {"GDAL_TIFF_INTERNAL_MASK": "YES"} if storage.masked else {}
    with rasterio.Env(**mask), rasterio.open(path, "w", **_profile(storage)) as target:
        for chunk in chunks:
            window = Window(0, chunk.row, storage.width, chunk.values.shape[1])
            target.write(chunk.values, window=window)
            if storage.masked:
                target.write_mask(chunk.valid.all(axis=0), window=window)
        if storage.palette:
            target.write_colormap(1, storage.palette)
        for place, (name, unit) in enumerate(zip(storage.names, storage.units, strict=True), 1):
            target.set_band_description(place, name)
            if unit:
                target.set_band_unit(place, unit)


def read_plain(path: Path, storage: Storage) -> Iterator[tuple[Cells, npt.NDArray[np.bool_]]]:
    """The cells of a plain file again: values and validity, chunk by chunk."""
    step = rows_per_chunk(storage.width, storage.count, 1)
    with rasterio.open(path, driver="GTiff") as source:
        for row in range(0, storage.height, step):
            window = Window(0, row, storage.width, min(step, storage.height - row))
            values = source.read(window=window)
            inside = source.dataset_mask(window=window) > 0 if storage.masked else True
            yield values, with_data(values, storage.nodata) & inside


def with_data(values: Cells, nodata: float | None) -> npt.NDArray[np.bool_]:
    """Where cells hold neither the value that means no data nor "not a number"."""
    good = ~np.isnan(values) if values.dtype.kind == "f" else np.ones(values.shape, dtype=np.bool_)
    if nodata is None or math.isnan(nodata):
        return good
    # A tag such as -3.4028234663852886e+38 is written in decimal digits: decimals compare in the type of the cells.
    limit = values.dtype.type(nodata) if values.dtype.kind == "f" else nodata
    return np.asarray(good & (values != limit), dtype=np.bool_)


def publish(plain: Path, target: Path, storage: Storage, profile: CogProfile) -> None:
    """Lay a plain file out as COG.

    Raises:
        SourceMismatch: When the layer's compression cannot hold this raster.
    """
    _check_compression(storage, profile)
    resampling = "mode" if storage.classed and profile.overviews in _ARITHMETIC else profile.overviews
    options = {
        "BLOCKSIZE": profile.blocksize,
        "COMPRESS": profile.compress.upper(),
        "BIGTIFF": "IF_SAFER",
        "NUM_THREADS": "ALL_CPUS",
        "STATISTICS": "NO",
        "ADD_ALPHA": "NO",
    }
    if profile.compress not in _LOSSY:
        options["PREDICTOR"] = "NO" if storage.classed else "YES"
    if resampling == "sum":
        _write_sums(plain, storage, profile.blocksize)
        options["OVERVIEWS"] = "FORCE_USE_EXISTING"
    else:
        options |= {"OVERVIEWS": "IGNORE_EXISTING", "OVERVIEW_RESAMPLING": resampling.upper()}
    # Siblings must be seen here, because overviews of sums lie in files beside the plain one. Overviews pass through a
    # working file of GDAL, which is packed only where the plain file is.
    working = {} if _is_large(storage) else {"COG_TMP_COMPRESSION": "NONE"}
    with rasterio.Env(GDAL_DISABLE_READDIR_ON_OPEN="NO", **working):
        copy(plain, target, driver="COG", **options)


def _check_compression(storage: Storage, profile: CogProfile) -> None:
    if profile.compress in _LOSSY and (storage.dtype != "uint8" or storage.count != RGB or storage.classed):
        raise SourceMismatch(
            f"Compression {profile.compress} is lossy and holds three 8-bit bands; this raster has {storage.count} "
            f"band(s) of {storage.dtype}.",
            compress=profile.compress,
        )


def _profile(storage: Storage) -> dict[str, Any]:
    return {
        "driver": "GTiff",
        "crs": storage.crs,
        "transform": storage.transform,
        "width": storage.width,
        "height": storage.height,
        "count": storage.count,
        "dtype": storage.dtype,
        "nodata": storage.nodata,
        "interleave": "pixel" if storage.count == RGB else "band",
        "photometric": "RGB" if storage.count == RGB and storage.dtype == "uint8" else "MINISBLACK",
        "bigtiff": "if_safer",
        **_packing(storage),
    }


def _packing(storage: Storage) -> dict[str, Any]:
    """This file lives for seconds: bare while it is small, in tiles because it is read again in squares."""
    if _is_large(storage):
        return {"compress": "zstd", "zstd_level": 1, "num_threads": "ALL_CPUS"}
    if min(storage.width, storage.height) <= _TILE:
        return {}
    return {"tiled": True, "blockxsize": _TILE, "blockysize": _TILE}


def _is_large(storage: Storage) -> bool:
    """Whether files that live for seconds are better packed than bare."""
    return storage.width * storage.height * storage.count * np.dtype(storage.dtype).itemsize > _BARE_BYTES


def _write_sums(plain: Path, storage: Storage, block: int) -> None:
    """Overviews in which a cell is the sum of its 2 x 2 cells: GDAL finds them as `.ovr`, `.ovr.ovr` and so on."""
    finer, level, shape = plain, storage, (storage.height, storage.width)
    while max(shape) > block:
        level = _coarser(level)
        coarser = finer.with_name(finer.name + ".ovr")
        _halve(finer, coarser, level)
        finer, shape = coarser, (level.height, level.width)


def _coarser(storage: Storage) -> Storage:
    return Storage(
        crs=storage.crs,
        transform=storage.transform @ Affine.scale(2.0),
        width=(storage.width + 1) // 2,
        height=(storage.height + 1) // 2,
        count=storage.count,
        dtype=storage.dtype,
        nodata=storage.nodata,
    )


def _halve(finer: Path, coarser: Path, level: Storage) -> None:
    step = max(1, CELLS_PER_CHUNK // (4 * level.width * level.count))
    with rasterio.open(finer, driver="GTiff") as source, rasterio.open(coarser, "w", **_profile(level)) as target:
        for row in range(0, level.height, step):
            rows = min(step, level.height - row)
            window = Window(0, 2 * row, source.width, min(2 * rows, source.height - 2 * row))
            values = _sum_blocks(source.read(window=window, masked=True))
            filled = values.filled(level.nodata) if level.nodata is not None else values.data
            target.write(filled.astype(level.dtype), window=Window(0, row, level.width, rows))


def _sum_blocks(values: np.ma.MaskedArray[Any, Any]) -> np.ma.MaskedArray[Any, Any]:
    """Sums of 2 x 2 cells; a block without a valid cell stays without data."""
    count, height, width = values.shape
    valid = ~np.ma.getmaskarray(values)
    padding = ((0, 0), (0, height % 2), (0, width % 2))
    exact = np.pad(np.where(valid, values.data, 0).astype(np.float64), padding)
    shape = (count, (height + 1) // 2, 2, (width + 1) // 2, 2)
    sums = exact.reshape(shape).sum(axis=(2, 4))
    return np.ma.MaskedArray(sums, mask=~np.pad(valid, padding).reshape(shape).any(axis=(2, 4)))
