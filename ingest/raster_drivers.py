"""The GDAL drivers of the child that reads rasters: an allow-list for the library that reads them."""

from __future__ import annotations

from functools import lru_cache

import rasterio

RASTER_DRIVER = "GTiff"
"""The driver that may open a raster source; no other is tried, whatever the file holds."""
NEEDED_DRIVERS = frozenset({RASTER_DRIVER, "COG", "MEM"})
"""Drivers that are left in the child: those that open and those that write."""


@lru_cache(maxsize=1)
def raster_skip_list() -> str:
    """All drivers of this GDAL but the needed ones, as GDAL_SKIP wants them."""
    return ",".join(sorted(set(registered()) - NEEDED_DRIVERS))


def registered() -> tuple[str, ...]:
    """Drivers that this process can open files with."""
    with rasterio.Env() as env:
        return tuple(sorted(env.drivers()))


def strangers() -> tuple[str, ...]:
    """Drivers registered in this process that the allow-list does not name."""
    return tuple(name for name in registered() if name not in NEEDED_DRIVERS)
