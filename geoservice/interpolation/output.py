"""Surfaces as files: Cloud-Optimised GeoTIFF with values and errors, picture, contour lines."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import numpy as np
import rasterio
import shapely
from rasterio.crs import CRS
from rasterio.io import MemoryFile
from rasterio.shutil import copy
from shapely.geometry import mapping

from geoservice.interpolation.request import Drawn
from geoservice.interpolation.surface import Floats
from layers.colormap import STEPS, blended
from layers.crs import STORAGE_SRID
from tiles.contour import contour
from tiles.png import truecolour

COLOURS = ("#2c7bb6", "#abd9e9", "#ffffbf", "#fdae61", "#d7191c")
"""From low to high (ColorBrewer RdYlBu, turned round)."""
ERROR_COLOURS = ("#f7f4f9", "#d4b9da", "#c994c7", "#df65b0", "#980043")
"""From small to large errors (ColorBrewer PuRd)."""
Shown = Literal["value", "error"]
LINES = 8
"""About how many heights have lines."""
_NICE = (1.0, 2.0, 5.0, 10.0)
_OPAQUE = 255


def geotiff(one: Drawn) -> bytes:
    """Two bands, value and error, in EPSG:4490; what is out of reach has no data."""
    surface, frame = one.surface, one.surface.frame
    profile: dict[str, Any] = {
        "driver": "GTiff",
        "width": frame.width,
        "height": frame.height,
        "count": 2,
        "dtype": "float32",
        "nodata": float("nan"),
        "crs": CRS.from_epsg(STORAGE_SRID),
        "transform": frame.transform,
    }
    with MemoryFile() as plain, MemoryFile() as whole:
        with plain.open(**profile) as target:
            target.write(np.stack([surface.values, surface.errors]).astype(np.float32))
            target.descriptions = (one.asked.property, "error")
            target.units = (one.sampled.unit, one.sampled.unit)
            target.update_tags(METHOD=json.dumps(one.facts()["method"]), DATETIME=one.facts()["datetime"])
        copy(plain.name, whole.name, driver="COG", COMPRESS="DEFLATE", BLOCKSIZE=256)
        return bytes(whole.read())


def write_geotiff(one: Drawn, path: Path) -> None:
    """Write the file."""
    path.write_bytes(geotiff(one))


def picture(one: Drawn, shown: Shown = "value") -> bytes:
    """A PNG of the values or errors from low to high, north up in degrees; out of reach it is transparent."""
    values = one.surface.values if shown == "value" else one.surface.errors
    seen = np.isfinite(values)
    low, high = (float(values[seen].min()), float(values[seen].max())) if seen.any() else (0.0, 0.0)
    span = high - low or 1.0
    index = np.where(seen, np.round((np.where(seen, values, low) - low) / span * (STEPS - 1)), 0).astype(np.intp)
    colours = np.array(blended(COLOURS if shown == "value" else ERROR_COLOURS), dtype=np.uint8)[index]
    alpha = np.where(seen, _OPAQUE, 0).astype(np.uint8)
    return truecolour(np.concatenate([np.moveaxis(colours, -1, 0), alpha[None]]))


def contours(one: Drawn) -> dict[str, Any]:
    """Lines of equal value as GeoJSON (CRS84)."""
    frame, values = one.surface.frame, one.surface.values
    valid = np.isfinite(values)
    grid = frame.transform
    features = list[dict[str, Any]]()
    for level in _levels(values[valid]):
        for line in contour(np.where(valid, values, 0.0), valid, level):
            moved = shapely.transform(line, lambda at: _placed(at, grid))
            properties = {"value": level, "unit": one.sampled.unit}
            features.append({"type": "Feature", "geometry": mapping(moved), "properties": properties})
    return {"type": "FeatureCollection", "features": features}


def _placed(at: Floats, grid: rasterio.Affine) -> Floats:
    """Longitude and latitude of places counted in columns and rows between the middles of cells."""
    return np.column_stack([grid.c + (at[:, 0] + 0.5) * grid.a, grid.f + (at[:, 1] + 0.5) * grid.e])


def _levels(values: Floats) -> Iterator[float]:
    """Round numbers between the lowest and the highest value, about as many as there are lines."""
    if not values.size or np.ptp(values) == 0:
        return
    low, high = float(values.min()), float(values.max())
    rough = (high - low) / LINES
    power = 10.0 ** np.floor(np.log10(rough))
    step = next(nice for nice in _NICE if nice * power >= rough) * power
    for number in range(int(np.ceil(low / step)), int(np.floor(high / step)) + 1):
        yield round(number * step, 12)
