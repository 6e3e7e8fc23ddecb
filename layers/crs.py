"""Coordinate reference systems: what storage is, and which ways lead there.

Storage is EPSG:4490 (CGCS2000) kept as x=longitude, y=latitude in degrees. CGCS2000, WGS 84 and everything
projected on them are linked by one named null operation, `NULL_LINK`: equal for work at 1 m or coarser.
Datums without a registered, non-ballpark path are refused: PROJ would silently shift nothing and be wrong
by some 50 m for Beijing 1954.
"""

from __future__ import annotations

from functools import lru_cache

import pyproj
from pyproj.exceptions import CRSError, ProjError

from layers.errors import CrsRefused

STORAGE_SRID = 4490
STORAGE_URI = "http://www.opengis.net/def/crs/EPSG/0/4490"
CRS84_URI = "http://www.opengis.net/def/crs/OGC/1.3/CRS84"
WEB_MERCATOR_SRID = 3857

# Looking a CRS without a code up in the registry takes more than a second, so answers about a CRS are kept.
NULL_LINK = "CGCS2000 = WGS 84 (null operation, valid at >= 1 m)"
_NULL_LINKED_DATUMS = frozenset({"China 2000", "World Geodetic System 1984", "World Geodetic System 1984 ensemble"})
_CONTROLLED = {
    4214: "Beijing 1954",
    4610: "Xian 1980",
    4555: "New Beijing",
}
"""Geodetic systems whose way to CGCS2000 is controlled data (EPSG has none): only registered parameters may serve."""


def parse_crs(text: str) -> pyproj.CRS:
    """Read a CRS from `EPSG:n` or WKT.

    Raises:
        CrsRefused: When it is not known. Addresses are never resolved.
    """
    if "://" in text and not text.startswith("http://www.opengis.net/def/crs/"):
        raise CrsRefused("A coordinate reference system is named by a code such as EPSG:4490, not by an address.")
    try:
        return pyproj.CRS.from_user_input(text)
    except CRSError as error:
        raise CrsRefused(f"Unknown coordinate reference system {text[:80]!r}.", crs=text[:200]) from error


@lru_cache(maxsize=256)
def is_null_linked(crs: pyproj.CRS) -> bool:
    """Whether the CRS stands on CGCS2000 or WGS 84, so that no datum shift is needed."""
    datum = _geodetic(crs).datum
    return datum is not None and datum.name in _NULL_LINKED_DATUMS


@lru_cache(maxsize=256)
def storage_transformer(source: pyproj.CRS) -> pyproj.Transformer | None:
    """The way from a source CRS into storage, axes always x=east/longitude, y=north/latitude.

    Returns:
        None when coordinates may be kept as they are (the null operation), else a transformer.

    Raises:
        CrsRefused: For Beijing 1954, Xian 1980, New Beijing, and for every datum that PROJ could only
            reach by a ballpark (no-op) shift.
    """
    geodetic = _geodetic(source)
    _refuse_controlled(source, geodetic)
    if is_null_linked(source):
        return None if source.is_geographic and not _is_other_meridian(geodetic) else _transformer(source, geodetic)
    return _transformer(source, pyproj.CRS.from_epsg(4326))


@lru_cache(maxsize=256)
def describe(crs: pyproj.CRS) -> str:
    """Short name for reports: `EPSG:n` when the registry knows it, else the CRS's own name."""
    code = crs.to_epsg(min_confidence=90)
    return f"EPSG:{code}" if code else crs.name


def _geodetic(crs: pyproj.CRS) -> pyproj.CRS:
    if crs.is_compound:
        return _geodetic(crs.sub_crs_list[0])
    geodetic = crs.geodetic_crs
    if geodetic is None:
        raise CrsRefused(f"{crs.name} is not tied to the Earth (no geodetic datum).", crs=crs.name)
    return geodetic


def _refuse_controlled(source: pyproj.CRS, geodetic: pyproj.CRS) -> None:
    code = geodetic.to_epsg(min_confidence=70)
    name = _CONTROLLED.get(code or 0)
    datum = geodetic.datum.name if geodetic.datum is not None else ""
    if name is None:
        name = next((n for n in _CONTROLLED.values() if datum == n), None)
    if name is not None:
        raise CrsRefused(
            f"{describe(source)} stands on {name}, which has no public transformation to CGCS2000. "
            "Convert it with registered local parameters first.",
            crs=describe(source),
        )


def _is_other_meridian(geodetic: pyproj.CRS) -> bool:
    meridian = geodetic.prime_meridian
    return meridian is not None and meridian.longitude != 0


@lru_cache(maxsize=64)
def _transformer(source: pyproj.CRS, target: pyproj.CRS) -> pyproj.Transformer:
    try:
        return pyproj.Transformer.from_crs(source, target, always_xy=True, allow_ballpark=False)
    except ProjError as error:
        raise CrsRefused(
            f"There is no transformation with known accuracy from {describe(source)} to CGCS2000.", crs=describe(source)
        ) from error
