"""The GDAL drivers of the child that reads rasters: an allow-list for the library that reads them.

A source is opened with the one driver of the kind that its content and its extension agree on; no other is tried.
"""

from __future__ import annotations

from functools import lru_cache

from ingest import gdal_probe

RASTER_DRIVER = "GTiff"
"""The driver of what is written, and of what is read again after that."""
SOURCE_DRIVERS = {
    "geotiff": RASTER_DRIVER,
    "img": "HFA",
    "asc": "AAIGrid",
    "netcdf": "netCDF",
    "png": "PNG",
    "jpeg": "JPEG",
}
"""Kind of a source -> the driver that may open it."""
NEEDED_DRIVERS = frozenset({*SOURCE_DRIVERS.values(), "COG", "MEM"})
"""Drivers that are left in the child: those that open and those that write."""


@lru_cache(maxsize=1)
def raster_skip_list() -> str:
    """All drivers of this GDAL but the needed ones, as GDAL_SKIP wants them."""
    return ",".join(sorted(gdal_probe.all_drivers("rasterio") - NEEDED_DRIVERS))


def registered() -> tuple[str, ...]:
    """Drivers that this process can open files with."""
    return gdal_probe.registered("rasterio")


def strangers() -> tuple[str, ...]:
    """Drivers registered in this process that the allow-list does not name."""
    return tuple(name for name in registered() if name not in NEEDED_DRIVERS)
