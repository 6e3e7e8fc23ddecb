"""In which CRS the coordinates of a question are written, and their way to longitude and latitude.

A CRS is looked up in a list; nothing is resolved. Coordinates are always x (east) before y (north), in every CRS,
because columns are named and need no order of axes.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
import pyproj

from layers.crs import CRS84_URI, STORAGE_SRID, WEB_MERCATOR_SRID, storage_transformer
from layers.errors import CrsRefused
from layers.extent import MAX_LAT, MAX_LON
from layers.gauss import SIX_DEGREE, THREE_DEGREE, Zone

Floats = npt.NDArray[np.float64]
_WGS84_SRID = 4326
_EPSG_FORMS = ("EPSG:", "http://www.opengis.net/def/crs/EPSG/0/", "urn:ogc:def:crs:EPSG::")
_CRS84_FORMS = (CRS84_URI, "CRS84", "OGC:CRS84", "urn:ogc:def:crs:OGC:1.3:CRS84")


@lru_cache(maxsize=1)
def input_codes() -> frozenset[int]:
    """EPSG codes in which coordinates may be given: geographic, Web Mercator, Gauss-Krueger zones of CGCS2000."""
    zones = [Zone(number) for number in (*SIX_DEGREE, *THREE_DEGREE)]
    projected = {zone.code("cgcs2000", prefixed=prefixed) for zone in zones for prefixed in (True, False)}
    return frozenset({STORAGE_SRID, _WGS84_SRID, WEB_MERCATOR_SRID} | projected)


def parse_input_crs(text: str | None) -> int:
    """The EPSG code of the CRS that a request names; longitude and latitude when it names none.

    Raises:
        CrsRefused: When it is not in the list.
    """
    if text is None or text in _CRS84_FORMS:
        return STORAGE_SRID
    for form in _EPSG_FORMS:
        code = text.removeprefix(form)
        if code != text and code.isascii() and code.isdigit() and int(code[:9]) in input_codes():
            return int(code[:9])
    raise CrsRefused(
        f"Coordinates are given in CRS84, EPSG:4490, EPSG:4326, EPSG:3857 or a Gauss-Krueger zone of CGCS2000 "
        f"(EPSG:4491 to 4554); {text[:60]!r} is none of these.",
        crs=text[:60],
    )


def to_storage(x: Floats, y: Floats, code: int) -> tuple[Floats, Floats]:
    """Longitudes and latitudes in degrees of coordinates in a CRS of the list; infinite where it has no answer."""
    transformer = storage_transformer(pyproj.CRS.from_epsg(code))
    if transformer is None:
        return x, y
    lon, lat = transformer.transform(x, y)
    return np.asarray(lon, dtype=np.float64), np.asarray(lat, dtype=np.float64)


def outside_world(x: Floats, y: Floats) -> npt.NDArray[np.bool_]:
    """Which places are none: not finite, or beyond 180 degrees of longitude or 90 of latitude."""
    with np.errstate(invalid="ignore"):
        inside: Any = (np.abs(x) <= MAX_LON) & (np.abs(y) <= MAX_LAT)
    return np.asarray(~inside, dtype=np.bool_)
