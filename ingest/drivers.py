"""The GDAL drivers that may open a vector source: an allow-list, held in the library that reads.

GDAL opens far more than an extension says, and a skip-list of known dangers misses the next one. So every driver
that this build of GDAL has is skipped by name, save these; the child refuses to work when another one is left.
"""

from __future__ import annotations

from functools import lru_cache

from ingest import gdal_probe

ALLOWED_DRIVERS = frozenset(
    {
        "GPKG",
        "ESRI Shapefile",
        "OpenFileGDB",
        "GeoJSON",
        "GeoJSONSeq",
        "LIBKML",
        "KML",
        "GML",
        "GPX",
        "DXF",
        "MapInfo File",
        "FlatGeobuf",
    }
)


@lru_cache(maxsize=1)
def skip_list() -> str:
    """All vector drivers of this GDAL but the allowed ones, as GDAL_SKIP wants them (commas: names have spaces)."""
    return ",".join(sorted(gdal_probe.all_drivers("pyogrio") - ALLOWED_DRIVERS))


def registered() -> tuple[str, ...]:
    """Vector drivers that this process can open files with."""
    return gdal_probe.registered("pyogrio")


def strangers() -> tuple[str, ...]:
    """Drivers registered in this process that the allow-list does not name."""
    return tuple(name for name in registered() if name not in ALLOWED_DRIVERS)
