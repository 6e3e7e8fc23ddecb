"""What kind of raster a file really is: decided by its first bytes, and checked against its extension."""

from __future__ import annotations

import re
from pathlib import Path

from layers.errors import SourceUnreadable

_HEAD = 512
EXTENSIONS = {
    ".tif": "geotiff",
    ".tiff": "geotiff",
    ".gtif": "geotiff",
    ".btf": "geotiff",
    ".img": "img",
    ".asc": "asc",
    ".agr": "asc",
    ".nc": "netcdf",
    ".nc4": "netcdf",
    ".cdf": "netcdf",
    ".png": "png",
    ".jpg": "jpeg",
    ".jpeg": "jpeg",
    ".zip": "zip",
}
"""Extension -> the kind that it claims."""
NAMES = {
    "geotiff": "a GeoTIFF",
    "img": "an ERDAS IMAGINE raster",
    "asc": "an Arc/Info ASCII grid",
    "netcdf": "NetCDF",
    "png": "a PNG picture",
    "jpeg": "a JPEG picture",
    "zip": "a ZIP archive",
    "other": "something else",
}
_MAGIC = (
    ((b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"), "geotiff"),
    ((b"EHFA_HEADER_TAG",), "img"),
    ((b"CDF\x01", b"CDF\x02", b"CDF\x05", b"\x89HDF\r\n\x1a\n"), "netcdf"),
    ((b"\x89PNG\r\n\x1a\n",), "png"),
    ((b"\xff\xd8\xff",), "jpeg"),
    ((b"PK\x03\x04", b"PK\x05\x06"), "zip"),
)
_ASCII_GRID = re.compile(rb"(?:\xef\xbb\xbf)?\s*(?:ncols|nrows|xll\w+|yll\w+|cellsize|dx|dy|nodata_value)\s", re.I)


def raster_kind(file: Path, name: str) -> str:
    """Kind of a raster by content, checked against what its extension claims.

    Args:
        file: The file to look at.
        name: Name that the user knows, whose extension counts.

    Returns:
        A key of `NAMES`: one of `ingest.raster_drivers.SOURCE_DRIVERS`, or `zip`.

    Raises:
        SourceUnreadable: When the extension is no raster's, or claims another kind than the content is.
    """
    expected = EXTENSIONS.get(Path(name).suffix.lower())
    if expected is None:
        known = ", ".join(sorted(EXTENSIONS))
        raise SourceUnreadable(
            f"{name} does not have the extension of a raster that is read; those are {known}.", source=name
        )
    with file.open("rb") as handle:
        head = handle.read(_HEAD)
    found = next((kind for starts, kind in _MAGIC if head.startswith(starts)), None)
    if found is None:
        found = "asc" if _ASCII_GRID.match(head) else "other"
    if found != expected:
        raise SourceUnreadable(
            f"{name} should be {NAMES[expected]} by its extension, but it is {NAMES[found]}.",
            source=name,
            expected=expected,
        )
    return found
