"""Coordinate reference systems: what storage is, and which ways lead there.

Storage is EPSG:4490 (CGCS2000) kept as x=longitude, y=latitude in degrees. CGCS2000, WGS 84 and everything
projected on them are linked by one named null operation, `NULL_LINK`: equal for work at 1 m or coarser.
Datums without a registered, non-ballpark path are refused: PROJ would silently shift nothing and be wrong
by some 50 m for Beijing 1954. What a stranger's file says about its datum is not trusted further than the registry:
a shift of its own (BOUNDCRS, TOWGS84) is ignored, and the name of a linked datum counts only on its ellipsoid.
"""

from __future__ import annotations

import math
from functools import lru_cache

import pyproj
from pyproj.exceptions import CRSError, ProjError

from layers.errors import CrsRefused
from layers.gauss import GEOGRAPHIC, NAMES, grid_of

STORAGE_SRID = 4490
STORAGE_URI = "http://www.opengis.net/def/crs/EPSG/0/4490"
CRS84_URI = "http://www.opengis.net/def/crs/OGC/1.3/CRS84"
WEB_MERCATOR_SRID = 3857

# Looking a CRS without a code up in the registry takes more than a second, so answers about a CRS are kept.
NULL_LINK = "CGCS2000 = WGS 84 (null operation, valid at >= 1 m)"
_NULL_LINKED_DATUMS = frozenset({"China 2000", "World Geodetic System 1984", "World Geodetic System 1984 ensemble"})
_LINKED_AXIS, _LINKED_FLATTENING = 6378137.0, 298.257222
_SAME_FLATTENING = 1e-5
_DEGREE = math.pi / 180
_SAME_UNIT = 1e-12
_PLAIN_AXES = ({"north", "east"}, {"north", "east", "up"})
_CONTROLLED = {GEOGRAPHIC[key]: name for name, key in NAMES.items() if key != "cgcs2000"}
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
    geodetic = _geodetic(crs)
    linked = geodetic.datum is not None and geodetic.datum.name in _NULL_LINKED_DATUMS
    return linked and _on_linked_ellipsoid(geodetic)


@lru_cache(maxsize=256)
def keeps_coordinates(crs: pyproj.CRS) -> bool:
    """Whether its coordinates are those of storage: linked, and longitude and latitude in degrees from Greenwich.

    A rotated pole, grads, another prime meridian or axes to the west or south need a conversion.
    """
    flat = horizontal(crs)
    return is_null_linked(flat) and _is_plain(flat)


@lru_cache(maxsize=256)
def horizontal(crs: pyproj.CRS) -> pyproj.CRS:
    """The horizontal part of a compound CRS, without a datum shift that the source binds to it (TOWGS84)."""
    if crs.is_bound and crs.source_crs is not None:
        return horizontal(crs.source_crs)
    return horizontal(crs.sub_crs_list[0]) if crs.is_compound else crs


@lru_cache(maxsize=256)
def vertical_datum(crs: pyproj.CRS) -> str | None:
    """The vertical part of a compound CRS as `EPSG:n`, or its name when the registry does not know it; None without."""
    if crs.is_bound and crs.source_crs is not None:
        return vertical_datum(crs.source_crs)
    part = next((c for c in crs.sub_crs_list if c.is_vertical), None) if crs.is_compound else None
    return None if part is None else describe(part)


@lru_cache(maxsize=256)
def controlled_datum(crs: pyproj.CRS) -> str | None:
    """The datum that only registered parameters can bring to CGCS2000, by its name in the registry; None for others."""
    geodetic = _geodetic(crs)
    datum = geodetic.datum.name if geodetic.datum is not None else ""
    if datum in _CONTROLLED.values():
        return datum
    return None if datum in _NULL_LINKED_DATUMS else _CONTROLLED.get(geodetic.to_epsg(min_confidence=70) or 0)


@lru_cache(maxsize=256)
def storage_transformer(source: pyproj.CRS) -> pyproj.Transformer | None:
    """The way from a source CRS into storage, axes always x=east/longitude, y=north/latitude.

    Returns:
        None when coordinates may be kept as they are (the null operation), else a transformer.

    Raises:
        CrsRefused: For Beijing 1954, Xian 1980, New Beijing, for geocentric and local systems, and for every datum
            that PROJ could only reach by a ballpark (no-op) shift.
    """
    flat = horizontal(source)
    _refuse_other_kinds(flat)
    _refuse_controlled(flat)
    if keeps_coordinates(flat):
        return None
    if is_null_linked(flat):
        # Here PROJ's "ballpark" between two forms of a linked datum is the null operation, named above.
        return _transformer(flat, _linked_target(flat), null=True)
    return _transformer(flat, pyproj.CRS.from_epsg(4326))


@lru_cache(maxsize=256)
def conversion(source: pyproj.CRS, target: pyproj.CRS) -> pyproj.Transformer | None:
    """The exact way between two CRSs on one datum, axes always x, y; None when their coordinates are the same.

    Raises:
        CrsRefused: When they stand on different datums.
    """
    flat = horizontal(source)
    ours, theirs = _geodetic(flat), _geodetic(target)
    named = ours.datum is not None and theirs.datum is not None and ours.datum.name == theirs.datum.name
    if not named or not _same_ellipsoid(ours, theirs):
        raise CrsRefused(f"{describe(flat)} does not stand on the datum of {describe(target)}.", crs=describe(flat))
    return None if flat == target else _transformer(flat, target)


@lru_cache(maxsize=256)
def describe(crs: pyproj.CRS) -> str:
    """Short name for reports: `EPSG:n` when the registry knows it, else the CRS's own name."""
    grid = grid_of(crs)
    code = grid.code if grid is not None and grid.datum is not None else crs.to_epsg(min_confidence=90)
    return f"EPSG:{code}" if code else crs.name


def _geodetic(crs: pyproj.CRS) -> pyproj.CRS:
    flat = horizontal(crs)
    geodetic = flat.geodetic_crs
    if geodetic is None:
        raise CrsRefused(f"{flat.name} is not tied to the Earth (no geodetic datum).", crs=flat.name)
    base = geodetic.source_crs if geodetic.is_derived else None
    return geodetic if base is None else base


def _on_linked_ellipsoid(geodetic: pyproj.CRS) -> bool:
    ellipsoid = geodetic.ellipsoid
    return (
        ellipsoid is not None
        and ellipsoid.semi_major_metre == _LINKED_AXIS
        and abs(ellipsoid.inverse_flattening - _LINKED_FLATTENING) < _SAME_FLATTENING
    )


def _same_ellipsoid(one: pyproj.CRS, other: pyproj.CRS) -> bool:
    a, b = one.ellipsoid, other.ellipsoid
    if a is None or b is None:
        return False
    close = abs(a.inverse_flattening - b.inverse_flattening) < _SAME_FLATTENING
    return bool(a.semi_major_metre == b.semi_major_metre and close)


def _is_plain(crs: pyproj.CRS) -> bool:
    """Longitude and latitude in degrees from Greenwich, to the east and north, not derived from others."""
    if not crs.is_geographic or crs.is_derived:
        return False
    meridian = crs.prime_meridian
    degrees = all(abs(axis.unit_conversion_factor - _DEGREE) < _SAME_UNIT for axis in crs.axis_info[:2])
    return (
        degrees and {a.direction for a in crs.axis_info} in _PLAIN_AXES and (meridian is None or not meridian.longitude)
    )


def _linked_target(crs: pyproj.CRS) -> pyproj.CRS:
    geodetic = _geodetic(crs)
    if _is_plain(geodetic):
        return geodetic
    datum = geodetic.datum
    return pyproj.CRS.from_epsg(STORAGE_SRID if datum is not None and datum.name == "China 2000" else 4326)


def _refuse_other_kinds(crs: pyproj.CRS) -> None:
    if crs.is_geocentric:
        raise CrsRefused(
            f"{describe(crs)} is geocentric (X, Y, Z from the centre of the Earth); longitude and latitude, or "
            "projected coordinates, were expected.",
            crs=describe(crs),
        )


def _refuse_controlled(source: pyproj.CRS) -> None:
    name = controlled_datum(source)
    if name is not None:
        raise CrsRefused(
            f"{describe(source)} stands on {name}, which has no public transformation to CGCS2000. "
            "Register the local parameters (transformations/*.yaml), or convert it with them first.",
            crs=describe(source),
            datum=name,
        )


@lru_cache(maxsize=64)
def _transformer(source: pyproj.CRS, target: pyproj.CRS, null: bool = False) -> pyproj.Transformer:
    try:
        return pyproj.Transformer.from_crs(source, target, always_xy=True, allow_ballpark=null)
    except ProjError as error:
        raise CrsRefused(
            f"There is no transformation with known accuracy from {describe(source)} to CGCS2000.", crs=describe(source)
        ) from error
