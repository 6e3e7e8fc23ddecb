"""Gauss-Krueger zones of China: zone arithmetic, EPSG codes by formula, and what a coordinate says about its zone.

Zones are 6 degrees wide (13 to 23, central meridians 75E to 135E) or 3 degrees wide (25 to 45, the same meridians), so
that a number says its width. All are transverse Mercator with scale 1 and false northing 0. Eastings carry a false
easting of 500 km; the prefixed form puts the zone number before it, so that an easting has eight digits.
Sources: GB/T 13989 (zones); the EPSG registry (codes), against which the formulas are tested one by one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import pyproj

Datum = Literal["cgcs2000", "xian1980", "beijing1954", "newbeijing"]
Width = Literal[3, 6]

FALSE_EASTING = 500_000.0
PREFIX = 1_000_000.0
FARTHEST = 400_000.0
"""Metres from the central meridian beyond which a coordinate does not belong to its zone."""
NORTHING = (300_000.0, 6_000_000.0)
"""Northings of China in metres: from the southern South China Sea (3 degrees north) to Mohe (53.6 degrees north)."""
SIX_DEGREE = range(13, 24)
THREE_DEGREE = range(25, 46)
GEOGRAPHIC: dict[Datum, int] = {"cgcs2000": 4490, "xian1980": 4610, "beijing1954": 4214, "newbeijing": 4555}
"""EPSG code of the geographic system of each datum."""
NAMES: dict[str, Datum] = {
    "China 2000": "cgcs2000",
    "Xian 1980": "xian1980",
    "Beijing 1954": "beijing1954",
    "New Beijing": "newbeijing",
}
"""Name of each datum in the EPSG registry."""

_SIX: dict[Datum, tuple[int, int]] = {
    "cgcs2000": (4491, 4502),
    "xian1980": (2327, 2338),
    "beijing1954": (21413, 21453),
    "newbeijing": (4568, 4579),
}
_THREE: dict[Datum, tuple[int, int]] = {
    "cgcs2000": (4513, 4534),
    "xian1980": (2349, 2370),
    "beijing1954": (2401, 2422),
}
# New Beijing got its 3-degree codes in several lots.
_NEW_BEIJING_PREFIXED: tuple[int, ...] = (*range(4652, 4657), *range(4766, 4782))
_NEW_BEIJING_PLAIN: tuple[int, ...] = (*range(4782, 4801), 4812, 4822)
_WIDE, _NARROW = 6, 3
_METHOD = "9807"
_LATITUDE, _MERIDIAN, _SCALE, _EAST, _NORTH = "8801", "8802", "8805", "8806", "8807"
_NEAR = 1e-9


@dataclass(frozen=True, order=True)
class Zone:
    """A zone of one width by its number.

    Attributes:
        number: 13 to 23 (6 degrees wide) or 25 to 45 (3 degrees wide).
    """

    number: int

    def __post_init__(self) -> None:
        """Refuse numbers that China does not have.

        Raises:
            ValueError: For any other number.
        """
        if self.number not in SIX_DEGREE and self.number not in THREE_DEGREE:
            raise ValueError(f"there is no zone {self.number} in China; 6-degree zones are 13-23, 3-degree zones 25-45")

    @property
    def width(self) -> Width:
        """Degrees of longitude from edge to edge."""
        return 6 if self.number in SIX_DEGREE else 3

    @property
    def meridian(self) -> int:
        """Central meridian in degrees east: 6N - 3, or 3n."""
        return _WIDE * self.number - _NARROW if self.width == _WIDE else _NARROW * self.number

    @property
    def prefix(self) -> float:
        """What the prefixed form adds to an easting, in metres."""
        return self.number * PREFIX

    def code(self, datum: Datum, *, prefixed: bool) -> int:
        """EPSG code of the zone on a datum.

        Args:
            datum: Geodetic system.
            prefixed: Whether eastings carry the zone number.
        """
        if self.width == _WIDE:
            return _SIX[datum][0 if prefixed else 1] + self.number - SIX_DEGREE.start
        place = self.number - THREE_DEGREE.start
        if datum == "newbeijing":
            return (_NEW_BEIJING_PREFIXED if prefixed else _NEW_BEIJING_PLAIN)[place]
        return _THREE[datum][0 if prefixed else 1] + place


@dataclass(frozen=True)
class Grid:
    """A Gauss-Krueger CRS of China: datum (None when it is another), zone, and whether eastings carry its number."""

    datum: Datum | None
    zone: Zone
    prefixed: bool

    @property
    def code(self) -> int | None:
        """EPSG code, when the datum is one of the four."""
        return None if self.datum is None else self.zone.code(self.datum, prefixed=self.prefixed)


def zone_of(longitude: float, width: Width) -> Zone:
    """The zone in which a longitude (degrees east) lies; western edges belong to their zone.

    Raises:
        ValueError: When China has no such zone.
    """
    number = math.floor(longitude / 6) + 1 if width == _WIDE else math.floor((longitude + 1.5) / 3)
    # A number says its width only within China: 13 would be a 3-degree zone of Africa, and is a 6-degree zone here.
    if number not in (SIX_DEGREE if width == _WIDE else THREE_DEGREE):
        raise ValueError(f"China has no {width}-degree zone at {longitude:g} degrees east")
    return Zone(number)


def zone_at(meridian: float, width: Width) -> Zone | None:
    """The zone with this central meridian (degrees east), or None."""
    number = (meridian + 3) / 6 if width == _WIDE else meridian / 3
    whole = round(number)
    known = SIX_DEGREE if width == _WIDE else THREE_DEGREE
    return Zone(whole) if whole in known and abs(number - whole) < _NEAR else None


def zone_in(easting: float) -> Zone | None:
    """The zone whose number an easting (metres) carries, or None when its leading digits are no zone of China.

    Six-digit eastings carry none. The rest after the prefix must lie within `FARTHEST` of the central meridian.
    """
    number = math.floor(easting / PREFIX) if math.isfinite(easting) else 0
    if number not in SIX_DEGREE and number not in THREE_DEGREE:
        return None
    return Zone(number) if abs(easting - number * PREFIX - FALSE_EASTING) <= FARTHEST else None


@lru_cache(maxsize=512)
def grid_of(crs: pyproj.CRS) -> Grid | None:
    """Recognise a Gauss-Krueger CRS of China by its parameters, whatever it is called; None for any other CRS.

    Six-digit forms with a meridian that both widths have count as 3-degree zones: the coordinates are the same.
    """
    if not crs.is_projected or crs.coordinate_operation is None or crs.geodetic_crs is None:
        return None
    operation = crs.coordinate_operation
    if operation.method_code != _METHOD or not _plain_metres(crs):
        return None
    values = {p.code: float(p.value) for p in operation.params if not isinstance(p.value, str)}
    if abs(values.get(_LATITUDE, 1)) + abs(values.get(_NORTH, 1)) + abs(values.get(_SCALE, 0) - 1) > _NEAR:
        return None
    datum = NAMES.get(crs.geodetic_crs.datum.name) if crs.geodetic_crs.datum is not None else None
    return _placed(datum, values.get(_MERIDIAN, 0.0), values.get(_EAST, 0.0))


def _placed(datum: Datum | None, meridian: float, false_easting: float) -> Grid | None:
    if false_easting == FALSE_EASTING:
        zone = zone_at(meridian, 3)
        return None if zone is None else Grid(datum, zone, prefixed=False)
    zone = zone_in(false_easting)
    if zone is None or zone.meridian != meridian or false_easting != zone.prefix + FALSE_EASTING:
        return None
    return Grid(datum, zone, prefixed=True)


def _plain_metres(crs: pyproj.CRS) -> bool:
    return all(axis.unit_conversion_factor == 1.0 for axis in crs.axis_info)


def all_grids() -> tuple[Grid, ...]:
    """Every zone on every datum in both forms."""
    zones = [Zone(n) for n in (*SIX_DEGREE, *THREE_DEGREE)]
    return tuple(Grid(d, z, prefixed=p) for d in GEOGRAPHIC for z in zones for p in (True, False))
