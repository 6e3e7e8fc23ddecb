"""The coordinate reference system that a national exchange file states in words: datum, zone width, zone number."""

from __future__ import annotations

import re
from dataclasses import dataclass

import pyproj

from layers.errors import CrsRefused
from layers.gauss import GEOGRAPHIC, PREFIX, SIX_DEGREE, THREE_DEGREE, Datum, Grid, Zone, zone_at

_WORDS: dict[Datum, re.Pattern[str]] = {
    "cgcs2000": re.compile(r"2000|CGCS", re.IGNORECASE),
    "xian1980": re.compile(r"西安|xi'?an|1980|(?<!\d)80", re.IGNORECASE),
    "newbeijing": re.compile(r"新北京|new\s*beijing", re.IGNORECASE),
    "beijing1954": re.compile(r"(?<!新)北京|(?<!new )beijing|克拉索夫|krass?ov?w?s?s?ky|1954|(?<!\d)54", re.IGNORECASE),
}
_AXES: dict[int, Datum] = {6378137: "cgcs2000", 6378140: "xian1980", 6378245: "beijing1954"}
_WIDTHS = {SIX_DEGREE: 6, THREE_DEGREE: 3}


@dataclass(frozen=True)
class Stated:
    """What a file states of its zone; None for what it does not state.

    Attributes:
        number: Zone number.
        width: Width of zones, degrees.
        meridian: Central meridian, degrees east.
    """

    number: int | None = None
    width: int | None = None
    meridian: float | None = None


def datum_of(text: str) -> Datum | None:
    """The datum that a name such as `2000国家大地坐标系` or `80西安坐标系` means; None when it is none of them."""
    found = [datum for datum, words in _WORDS.items() if words.search(text)]
    if "newbeijing" in found:
        return "newbeijing"
    return found[0] if len(found) == 1 else None


def datum_of_ellipsoid(semi_major: float) -> Datum | None:
    """The datum whose ellipsoid has this semi-major axis in metres; None for any other."""
    return _AXES.get(round(semi_major))


def zone_prefix(easting: float) -> int | None:
    """Zone number in front of an easting in metres; None when it carries none."""
    return int(easting // PREFIX) if easting >= 10 * PREFIX else None


def geodetic(datum: Datum) -> pyproj.CRS:
    """The geographic CRS of a datum, degrees."""
    return pyproj.CRS.from_epsg(GEOGRAPHIC[datum])


def grid_of_zone(datum: Datum, stated: Stated, easting: float, name: str) -> Grid:
    """The grid of a file, from what it states and the zone number that its eastings carry; they must agree.

    Args:
        datum: Geodetic system.
        stated: What the file says.
        easting: An easting of the file, metres.
        name: File name for sentences.

    Raises:
        CrsRefused: When the zone is unknown, does not exist, or is contradicted.
    """
    prefix = zone_prefix(easting)
    number = stated.number
    if number is None and stated.meridian is not None:
        found = zone_at(stated.meridian, 6 if stated.width == 6 else 3)  # noqa: PLR2004 - the two widths there are
        number = found.number if found is not None else None
    if prefix is not None and number is not None and prefix != number:
        raise CrsRefused(f"{name} states zone {number}, but its eastings begin with {prefix}.", zone=number)
    number = prefix if number is None else number
    if number is None:
        raise CrsRefused(
            f"{name} states no zone number (带号) and its eastings carry none; without the zone their place is unknown."
        )
    width = next((w for zones, w in _WIDTHS.items() if number in zones), None)
    if width is None:
        raise CrsRefused(
            f"{name} states zone {number}, which China does not have; zones are 13 to 23 (six degrees wide) and 25 to "
            "45 (three degrees wide).",
            zone=number,
        )
    if stated.width not in (None, width):
        raise CrsRefused(f"{name} states zones of {stated.width} degrees, but zone {number} is one of {width} degrees.")
    return Grid(datum, Zone(number), prefix is not None)


def crs_of(grid: Grid) -> pyproj.CRS:
    """The registered CRS of a grid.

    Raises:
        CrsRefused: When the datum of the grid is none of the national ones.
    """
    if grid.code is None:
        raise CrsRefused("The datum of the file is none of the national ones.")
    return pyproj.CRS.from_epsg(grid.code)
