"""Coordinate reference systems in which features are handed out, and all the ways to name them.

OGC API - Features Part 2 (18-058r1). A name is looked up in a list and never resolved as an address. All of these stand
on CGCS2000 or WGS 84, which `layers.crs.NULL_LINK` joins; datums without a public transformation are not offered.
Axes come in the order of the authority: latitude before longitude in EPSG:4490 and EPSG:4326, northing before easting
in the Gauss-Krueger zones of CGCS2000, easting before northing in Web Mercator and UTM.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from layers.crs import CRS84_URI, STORAGE_SRID, WEB_MERCATOR_SRID
from layers.errors import BadParameter
from layers.gauss import all_grids

WGS84_SRID = 4326
_UTM_NORTH = 32600
_UTM_ZONES = range(43, 54)
"""UTM zones of China, 72 to 138 degrees east, on WGS 84."""
_EPSG_URI = "http://www.opengis.net/def/crs/EPSG/0/"
_LONGEST = 80


@dataclass(frozen=True, slots=True)
class OfferedCrs:
    """A coordinate reference system in which features can be had.

    Attributes:
        uri: Its name in links, headers and lists.
        srid: EPSG code; that of storage for CRS84.
        swapped: Whether the authority puts latitude or northing first.
        projected: Whether coordinates are metres, not degrees.
    """

    uri: str
    srid: int
    swapped: bool
    projected: bool

    @property
    def names(self) -> tuple[str, ...]:
        """All ways to write it: address, URN, CURIE, safe CURIE."""
        if self.uri == CRS84_URI:
            return (self.uri, "urn:ogc:def:crs:OGC:1.3:CRS84", "OGC:CRS84", "[OGC:CRS84]", "CRS84")
        code = str(self.srid)
        return (self.uri, f"urn:ogc:def:crs:EPSG::{code}", f"EPSG:{code}", f"[EPSG:{code}]")


CRS84 = OfferedCrs(CRS84_URI, STORAGE_SRID, swapped=False, projected=False)


@lru_cache(maxsize=1)
def offered() -> tuple[OfferedCrs, ...]:
    """Every system that is offered; CRS84, the default, comes first."""
    zones = sorted(
        grid.zone.code("cgcs2000", prefixed=grid.prefixed) for grid in all_grids() if grid.datum == "cgcs2000"
    )
    return (
        CRS84,
        OfferedCrs(f"{_EPSG_URI}{STORAGE_SRID}", STORAGE_SRID, swapped=True, projected=False),
        OfferedCrs(f"{_EPSG_URI}{WGS84_SRID}", WGS84_SRID, swapped=True, projected=False),
        OfferedCrs(f"{_EPSG_URI}{WEB_MERCATOR_SRID}", WEB_MERCATOR_SRID, swapped=False, projected=True),
        *(OfferedCrs(f"{_EPSG_URI}{code}", code, swapped=True, projected=True) for code in zones),
        *(
            OfferedCrs(f"{_EPSG_URI}{_UTM_NORTH + zone}", _UTM_NORTH + zone, swapped=False, projected=True)
            for zone in _UTM_ZONES
        ),
    )


@lru_cache(maxsize=1)
def _by_name() -> dict[str, OfferedCrs]:
    return {name: crs for crs in offered() for name in crs.names}


def find_crs(text: str, parameter: str) -> OfferedCrs:
    """The system that a parameter names.

    Raises:
        BadParameter: When it is none of those that are offered.
    """
    try:
        return _by_name()[text]
    except KeyError:
        raise BadParameter(
            f"{parameter} names one of the coordinate reference systems that /collections lists, such as {CRS84_URI} "
            f"or EPSG:4490; {text[:_LONGEST]!r} is none of them.",
            parameter=parameter,
        ) from None
