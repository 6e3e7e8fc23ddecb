"""Raster layers and GeoTIFFs made for tests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import rasterio
from affine import Affine
from rasterio.enums import ColorInterp
from rasterio.io import MemoryFile

from ingest.job import IngestPlan, ReadLimits, plan
from layers.catalog import Catalog, parse_layer
from layers.codelist import Code, CodeList
from layers.model import RasterLayer

COVER = CodeList(
    "cover@1",
    {
        "1": Code("1", "水", "Water", "#0000ff"),
        "2": Code("2", "林", "Forest", "#008000"),
        "3": Code("3", "田", "Field", "#ffd700"),
    },
)
BASE: dict[str, Any] = {
    "format": 1,
    "kind": "raster",
    "title": {"zh": "栅格", "en": "Raster"},
    "authority": {"kind": "surveying"},
    "cycle": "P1Y",
    "licence": {"share": "unconditional", "basis": "test"},
    "clearance": "public",
    "bands": [{"name": "height", "unit": "m", "nodata": -9999, "range": [0, 1000]}],
    "cog": {"blocksize": 128, "compress": "deflate"},
    "style": {"ramp": "grey", "stretch": [0, 255]},
    "sources": {"tif": {"match": ["*.tif"]}},
}
CLASSED: dict[str, Any] = {
    "bands": [{"name": "class", "nodata": 255}],
    "list": "cover@1",
    "style": {"classes": "cover@1"},
    "cog": {"blocksize": 128, "compress": "deflate", "overviews": "mode"},
}
COLOURED: dict[str, Any] = {
    "bands": [{"name": n, "nodata": 0} for n in ("red", "green", "blue")],
    "style": {"rgb": [1, 2, 3], "stretch": [0, 255]},
}
PEOPLE: dict[str, Any] = {
    "bands": [{"name": "people", "nodata": -1}],
    "style": {"ramp": "grey", "stretch": [0, 10]},
    "cog": {"blocksize": 128, "compress": "deflate", "overviews": "sum"},
}


def raster_layer(name: str = "relief", **changes: Any) -> RasterLayer:
    """A small raster layer; keyword arguments replace parts of its file."""
    layer = parse_layer({**BASE, **changes}, theme="trial", name=name)
    assert isinstance(layer, RasterLayer)
    return layer


def mapped(**mapping: Any) -> dict[str, Any]:
    """The part of a layer file that reads every .tif in this way."""
    return {"sources": {"tif": {"match": ["*.tif"], **mapping}}}


def raster_catalog(*layers: RasterLayer) -> Catalog:
    """A catalogue of these layers and the code list of the tests."""
    return Catalog().with_(layers, [COVER])


def raster_plan(layer: RasterLayer, file: Path, limits: ReadLimits | None = None) -> IngestPlan:
    """The plan of a load by the file's name."""
    return plan(layer, file, {COVER.id: COVER}, limits=limits)


def grid(west: float, north: float, cell: float) -> Affine:
    """The transform of a north-up grid of square cells."""
    return Affine(cell, 0.0, west, 0.0, -cell, north)


def write_tif(
    file: Path, cells: npt.NDArray[Any], transform: Affine | None = None, crs: str | None = "EPSG:4490", **profile: Any
) -> Path:
    """Write cells (row, column) or (band, row, column) as a plain GeoTIFF, without any help of the product."""
    bands = cells if cells.ndim == 3 else cells[None]
    options = {"palette": None, "mask": None, "alpha": False, **profile}
    palette, mask, alpha = (options.pop(key) for key in ("palette", "mask", "alpha"))
    profile = {"driver": "GTiff", "dtype": bands.dtype, "count": len(bands), **options}
    with (
        rasterio.Env(GDAL_TIFF_INTERNAL_MASK="YES"),
        rasterio.open(
            file,
            "w",
            width=bands.shape[2],
            height=bands.shape[1],
            transform=grid(100, 40, 0.01) if transform is None else transform,
            crs=crs,
            **profile,
        ) as target,
    ):
        if alpha:
            target.colorinterp = [*target.colorinterp[:-1], ColorInterp.alpha]
        target.write(bands)
        if palette:
            target.write_colormap(1, palette)
        if mask is not None:
            target.write_mask(mask)
    return file


def ramp_of_numbers(rows: int, columns: int, dtype: str = "float32") -> npt.NDArray[Any]:
    """Cells 0, 1, 2 ... row by row."""
    return np.arange(rows * columns).reshape(rows, columns).astype(dtype)


def decoded(image: bytes) -> npt.NDArray[np.uint8]:
    """Red, green, blue and alpha (band, row, column) of an image; a JPEG, which has no alpha, gives three bands."""
    with MemoryFile(image) as memory, memory.open() as dataset:
        bands = np.asarray(dataset.read())
        if dataset.colorinterp[0] == ColorInterp.palette:
            colours = dataset.colormap(1)
            table = np.array([colours.get(number, (0, 0, 0, 0)) for number in range(256)], dtype=np.uint8)
            bands = np.moveaxis(table[bands[0]], -1, 0)
        if dataset.driver == "JPEG" or len(bands) == 4:
            return bands
        return np.concatenate([bands, np.full_like(bands[:1], 255)])
