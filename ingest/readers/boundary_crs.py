"""The coordinate reference system that a national exchange file states in words: datum, zone width, zone number."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

import pyproj

from layers.errors import CrsRefused

Datum = Literal["cgcs2000", "xian1980", "beijing1954"]
PREFIX = 1_000_000.0
"""Metres per zone number in an easting that carries it: zone 39 begins at 39,000,000 m."""
_FALSE_EASTING = 500_000.0
_GEODETIC: dict[Datum, int] = {"cgcs2000": 4490, "xian1980": 4610, "beijing1954": 4214}
_WORDS: dict[Datum, re.Pattern[str]] = {
    "cgcs2000": re.compile(r"2000|CGCS", re.IGNORECASE),
    "xian1980": re.compile(r"西安|1980|(?<!\d)80"),
    "beijing1954": re.compile(r"北京|1954|(?<!\d)54"),
}
# First codes of the series of zones: (six degrees, three degrees), zones 13 and 25 (EPSG registry).
_WITH_ZONE: dict[Datum, tuple[int, int]] = {
    "cgcs2000": (4491, 4513),
    "xian1980": (2327, 2349),
    "beijing1954": (21413, 2401),
}
_MERIDIAN_ONLY: dict[Datum, tuple[int, int]] = {
    "cgcs2000": (4502, 4534),
    "xian1980": (2338, 2370),
    "beijing1954": (21453, 2422),
}
_ZONES = {6: range(13, 24), 3: range(25, 46)}


@dataclass(frozen=True)
class Zone:
    """A Gauss-Krueger zone: datum, width in degrees, number, and whether eastings carry the number."""

    datum: Datum
    width: int
    number: int
    prefixed: bool

    @property
    def crs(self) -> pyproj.CRS:
        """The registered CRS (standards of zones: EPSG; axes in the registry are north, east).

        Raises:
            CrsRefused: When there is no such zone in China.
        """
        zones = _ZONES.get(self.width)
        if zones is None or self.number not in zones:
            raise CrsRefused(
                f"There is no zone {self.number} of {self.width} degrees in China; zones are 13 to 23 (six degrees) "
                "and 25 to 45 (three degrees).",
                zone=self.number,
                width=self.width,
            )
        series = _WITH_ZONE if self.prefixed else _MERIDIAN_ONLY
        six, three = series[self.datum]
        first = six if self.width == 6 else three  # noqa: PLR2004 - the two widths there are
        return pyproj.CRS.from_epsg(first + self.number - zones.start)


def datum_of(text: str) -> Datum | None:
    """The datum that a name such as `2000国家大地坐标系` or `80西安坐标系` means; None when it is none of the three."""
    found = [datum for datum, words in _WORDS.items() if words.search(text)]
    return found[0] if len(found) == 1 else None


def width_of_zone(number: int) -> int | None:
    """Width in degrees of the zone with this number: numbers of six-degree zones in China end below 24."""
    return next((width for width, zones in _ZONES.items() if number in zones), None)


def zone_of_meridian(degrees: float, width: int) -> int | None:
    """Number of the zone whose central meridian is this longitude, in degrees; None when it is none."""
    number = degrees / 3 if width == 3 else (degrees + 3) / 6  # noqa: PLR2004 - CM = 3n, CM = 6N - 3
    return round(number) if abs(number - round(number)) < 1e-9 else None  # noqa: PLR2004 - exact but for rounding


def zone_prefix(easting: float) -> int | None:
    """Zone number in front of an easting in metres; None when it carries none."""
    return int(easting // PREFIX) if easting >= 10 * PREFIX else None


def geodetic(datum: Datum) -> pyproj.CRS:
    """The geographic CRS of a datum, degrees."""
    return pyproj.CRS.from_epsg(_GEODETIC[datum])
