"""In which CRS a file has its coordinates."""

from __future__ import annotations

from functools import lru_cache

import pyproj

from geoservice.formats.known import FileFormat
from layers.errors import NotAcceptable
from layers.extent import Extent
from layers.gauss import Width, zone_of
from layers.offered import CRS84, OfferedCrs, find_crs

_BOUNDARY = "boundary"
_NARROW: Width = 3


def crs_for(chosen: FileFormat, asked: str | None, extent: Extent | None) -> OfferedCrs:
    """The CRS of a file: the one asked for, or CRS84; boundary points stand in the zone of the middle of their extent.

    Raises:
        BadParameter: When the one asked for is not offered.
        NotAcceptable: When the format cannot have it, or there is no zone.
    """
    crs = CRS84 if asked is None else find_crs(asked, "crs")
    if chosen.plain and crs is not CRS84:
        raise NotAcceptable(f"Coordinates of {chosen.name} are longitude and latitude (CRS84); leave crs out.")
    if chosen.name == _BOUNDARY and asked is None:
        return _zone(extent)
    return crs


def _zone(extent: Extent | None) -> OfferedCrs:
    unknown = NotAcceptable(
        "Boundary points are written in a Gauss-Krueger zone of China, and the rows do not tell which; name one, such "
        "as crs=EPSG:4527."
    )
    if extent is None or extent.west > extent.east:
        raise unknown
    try:
        zone = zone_of((extent.west + extent.east) / 2, _NARROW)
    except ValueError:
        raise unknown from None
    return find_crs(f"EPSG:{zone.code('cgcs2000', prefixed=True)}", "crs")


@lru_cache(maxsize=128)
def pyproj_of(crs: OfferedCrs) -> pyproj.CRS:
    """The same CRS for libraries."""
    return pyproj.CRS.from_user_input("OGC:CRS84" if crs is CRS84 else f"EPSG:{crs.srid}")
