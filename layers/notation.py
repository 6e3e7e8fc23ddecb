"""Coordinates as people write them: read from any common notation, and written in all of them.

What is read: decimal degrees, degrees with minutes and seconds (signs, letters or Chinese words), ISO 6709, `geo:`
addresses (RFC 5870) and Gauss-Krueger eastings and northings of CGCS2000. Plain pairs of numbers do not say which
comes first; such a text has two readings, and the likelier comes first. Points are longitude, latitude in degrees.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache

import pyproj

from layers.crs import STORAGE_SRID
from layers.errors import BadParameter
from layers.extent import MAX_LAT, MAX_LON, Extent
from layers.gauss import FALSE_EASTING, FARTHEST, NORTHING, Width, Zone, zone_in, zone_of

LONGEST = 200
"""Most characters of a text that is read."""
CHINA = Extent(73.0, 3.0, 136.0, 54.0)
"""A box around China: what lies in it is the likelier reading of a pair of plain numbers."""
_SIXTY = 60
_LEAST_METRES = 100_000.0
_DIGITS = 8
_EXPECTED = (
    "coordinates such as 116.3914, 39.9072; 39°54′26″N 116°23′29″E; 北纬39度54分26秒 东经116度23分29秒; "
    "geo:39.9072,116.3914; +39.9072+116.3914/; or a Gauss-Krueger easting with its zone and a northing were expected"
)
_WORDS = {"北纬": "N", "南纬": "S", "东经": "E", "西经": "W", "北": "N", "南": "S", "东": "E", "西": "W"}
_MARKS: dict[str, str | int | None] = {
    "度": "°",
    "º": "°",
    "分": "'",
    "秒": '"',
    "′": "'",
    "’": "'",
    "‘": "'",
    "”": '"',
    "“": '"',
    "″": '"',
    "−": "-",
    "；": ",",
    ";": ",",
    "、": ",",
    "，": ",",
}
_NUMBER = r"[+-]?\d{1,12}(?:\.\d{0,15})?"
_PAIR = re.compile(rf"\s*({_NUMBER})\s*[,\s]\s*({_NUMBER})\s*", re.ASCII)
_GEO = re.compile(rf"geo:({_NUMBER}),({_NUMBER})(?:,{_NUMBER})?(?:,[\w.=,-]*)?", re.ASCII | re.IGNORECASE)
_ISO = re.compile(
    r"([+-])(\d{2}(?:\d{2}){0,2}(?:\.\d+)?)([+-])(\d{3}(?:\d{2}){0,2}(?:\.\d+)?)(?:[+-][\d.]+)?/?", re.ASCII
)
_ANGLE = (
    r"(?P<d{n}>\d{{1,3}}(?:\.\d{{0,15}})?)\s*°?(?:\s*(?P<m{n}>\d{{1,2}}(?:\.\d{{0,15}})?)\s*'?)?"
    r"(?:\s*(?P<s{n}>\d{{1,2}}(?:\.\d{{0,15}})?)\s*\"?)?"
)
_PLACES = (rf"(?P<h{{n}}>[NSEW])\s*{_ANGLE}", rf"{_ANGLE}\s*(?P<h{{n}}>[NSEW])", rf"(?P<h{{n}}>[+-]?){_ANGLE}")
"""An angle with its letter before it, after it, or with a sign: both angles of a point are written alike."""
_ANGLES = tuple(re.compile(rf"\s*{p.format(n=1)}\s*[,/]?\s*{p.format(n=2)}\s*", re.ASCII) for p in _PLACES)


@dataclass(frozen=True, slots=True)
class Reading:
    """One way to understand a text.

    Attributes:
        lon: Longitude in degrees, CGCS2000 (equal to WGS 84 at a metre).
        lat: Latitude in degrees.
        notation: `decimal`, `sexagesimal`, `iso6709`, `geo` or `gauss-krueger`.
        order: Which came first in the text: `lon-lat`, `lat-lon`, `easting-northing` or `northing-easting`.
        certain: Whether the text itself says so, rather than a guess.
        zone: Number of the Gauss-Krueger zone, where one was read.
    """

    lon: float
    lat: float
    notation: str
    order: str
    certain: bool
    zone: int | None = None


@dataclass(frozen=True, slots=True)
class Projected:
    """A point in a Gauss-Krueger zone of CGCS2000: easting with and without the zone number, northing, in metres."""

    zone: int
    meridian: int
    easting: float
    prefixed: float
    northing: float
    crs: str


def read_coordinates(text: str, zone: int | None = None) -> tuple[Reading, ...]:
    """All readings of a text, the likeliest first.

    Args:
        text: What somebody wrote.
        zone: Number of the Gauss-Krueger zone of six-digit eastings.

    Raises:
        BadParameter: When it is none of the known notations, or an angle lies outside the world.
    """
    if len(text) > LONGEST:
        raise BadParameter(f"Coordinates are at most {LONGEST} characters.", parameter="q", maximum=LONGEST)
    plain = _plain(text)
    readings = _addressed(plain) or _paired(plain, zone) or _angled(plain)
    if not readings:
        raise BadParameter(f"{text[:60]!r} was not understood; {_EXPECTED}.", parameter="q")
    return readings


def _plain(text: str) -> str:
    folded = unicodedata.normalize("NFKC", text).replace("′′", '"').replace("''", '"').strip()
    for word, letter in _WORDS.items():
        folded = folded.replace(word, letter)
    return folded.translate(str.maketrans(_MARKS)).upper()


def _addressed(plain: str) -> tuple[Reading, ...]:
    if found := _GEO.fullmatch(plain):
        return _one(float(found[2]), float(found[1]), "geo", "lat-lon")
    if found := _ISO.fullmatch(plain):
        lat = _signed(found[1], _run_together(found[2], 2))
        return _one(_signed(found[3], _run_together(found[4], 3)), lat, "iso6709", "lat-lon")
    return ()


def _one(lon: float, lat: float, notation: str, order: str) -> tuple[Reading, ...]:
    if not _on_earth(lon, lat):
        raise BadParameter(
            f"Latitudes lie in [-90, 90] and longitudes in [-180, 180]; {lat:g}, {lon:g} do not.", parameter="q"
        )
    return (Reading(lon, lat, notation, order, certain=True),)


def _paired(plain: str, zone: int | None) -> tuple[Reading, ...]:
    found = _PAIR.fullmatch(plain)
    if found is None:
        return ()
    one, other = float(found[1]), float(found[2])
    if max(abs(one), abs(other)) >= _LEAST_METRES:
        return _metres(one, other, zone)
    return _either(one, other, "decimal")


def _either(one: float, other: float, notation: str) -> tuple[Reading, ...]:
    """Both readings of a pair that does not say which comes first, as far as they lie on the globe."""
    orders = (("lon-lat", one, other), ("lat-lon", other, one))
    possible = [(order, lon, lat) for order, lon, lat in orders if _on_earth(lon, lat)]
    if not possible:
        return _one(one, other, notation, "lon-lat")
    possible.sort(key=lambda reading: not _in_china(reading[1], reading[2]))
    certain = len(possible) == 1
    return tuple(Reading(lon, lat, notation, order, certain) for order, lon, lat in possible)


def _metres(one: float, other: float, zone: int | None) -> tuple[Reading, ...]:
    orders = (("easting-northing", one, other), ("northing-easting", other, one))
    found = [r for order, easting, northing in orders if (r := _unprojected(easting, northing, zone, order))]
    if not found:
        raise BadParameter(
            "Gauss-Krueger coordinates were read, but neither number is an easting with its zone before it "
            "(eight digits such as 39500000); give the zone, 13 to 23 or 25 to 45, as zone.",
            parameter="zone" if zone is None else "q",
        )
    return tuple(found)


def _unprojected(easting: float, northing: float, number: int | None, order: str) -> Reading | None:
    zone = zone_in(easting)
    certain = zone is not None
    if zone is None and number is not None and abs(easting - FALSE_EASTING) <= FARTHEST:
        zone, easting = _known_zone(number), easting + number * 1_000_000
    if zone is None or not NORTHING[0] <= northing <= NORTHING[1]:
        return None
    lon, lat = _inverse(zone.number).transform(easting, northing)
    return Reading(lon, lat, "gauss-krueger", order, certain, zone.number)


def _known_zone(number: int) -> Zone:
    try:
        return Zone(number)
    except ValueError as error:
        raise BadParameter(f"{str(error).capitalize()}.", parameter="zone") from error


def _angled(plain: str) -> tuple[Reading, ...]:
    found = next((match for pattern in _ANGLES if (match := pattern.fullmatch(plain))), None)
    if found is None:
        return ()
    one, other = _side(found, 1), _side(found, 2)
    letters = found["h1"] + found["h2"]
    if not any(letter in "NSEW" for letter in letters):
        return _either(one, other, "sexagesimal") if "°" in plain else ()
    lat_first = letters[0] in "NS"
    if lat_first == (letters[1] in "NS"):
        raise BadParameter("A point has one angle to the north or south and one to the east or west.", parameter="q")
    lat, lon = (one, other) if lat_first else (other, one)
    return _one(lon, lat, "sexagesimal", "lat-lon" if lat_first else "lon-lat")


def _side(found: re.Match[str], n: int) -> float:
    parts = [found[f"{part}{n}"] or "0" for part in "dms"]
    for place, finer in ((0, parts[1:]), (1, parts[2:])):
        if "." in parts[place] and any(float(part) for part in finer):
            raise BadParameter("Only the last part of an angle has decimals.", parameter="q")
    value = _angle(*(float(part) for part in parts))
    return -value if found[f"h{n}"] in ("S", "W", "-") else value


def _angle(degrees: float, minutes: float, seconds: float) -> float:
    if minutes >= _SIXTY or seconds >= _SIXTY:
        raise BadParameter("Minutes and seconds of an angle lie below 60.", parameter="q")
    return degrees + minutes / _SIXTY + seconds / _SIXTY**2


def _run_together(text: str, width: int) -> float:
    """An angle of ISO 6709, whose degrees, minutes and seconds stand without marks."""
    whole, _, rest = text.partition(".")
    parts = [whole[:width], whole[width : width + 2], whole[width + 2 :]]
    last = max(i for i, part in enumerate(parts) if part)
    parts[last] += f".{rest}"
    return _angle(*(float(part or "0") for part in parts))


def _signed(sign: str, value: float) -> float:
    return -value if sign == "-" else value


def _on_earth(lon: float, lat: float) -> bool:
    return abs(lon) <= MAX_LON and abs(lat) <= MAX_LAT


def _in_china(lon: float, lat: float) -> bool:
    return CHINA.west <= lon <= CHINA.east and CHINA.south <= lat <= CHINA.north


def sexagesimal(lon: float, lat: float, language: str) -> str:
    """A point in degrees, minutes and seconds to 0.01 second (0.3 m), latitude first as both languages have it."""
    if language == "zh":
        north, east = "北纬" if lat >= 0 else "南纬", "东经" if lon >= 0 else "西经"
        return f"{north}{_parts(lat, '度', '分', '秒')} {east}{_parts(lon, '度', '分', '秒')}"
    return (
        f"{_parts(lat, '°', '′', '″')}{'N' if lat >= 0 else 'S'} {_parts(lon, '°', '′', '″')}{'E' if lon >= 0 else 'W'}"
    )


def _parts(value: float, *marks: str) -> str:
    # Rounded as a whole first, so that no part ever reads 60.
    hundredths = round(abs(value) * _SIXTY**2 * 100)
    minutes, rest = divmod(hundredths, _SIXTY * 100)
    degrees, minutes = divmod(minutes, _SIXTY)
    return f"{degrees}{marks[0]}{minutes:02d}{marks[1]}{rest // 100:02d}.{rest % 100:02d}{marks[2]}"


def iso6709(lon: float, lat: float) -> str:
    """A point as ISO 6709 annex H writes it: signed decimal degrees, latitude first."""
    return f"{lat:+0{_DIGITS + 4}.{_DIGITS}f}{lon:+0{_DIGITS + 5}.{_DIGITS}f}/"


def geo_address(lon: float, lat: float) -> str:
    """A point as a `geo:` address (RFC 5870), latitude first."""
    return f"geo:{_short(lat)},{_short(lon)}"


def _short(value: float) -> str:
    text = f"{value:.{_DIGITS}f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def projected(lon: float, lat: float, width: Width) -> Projected | None:
    """A point in its Gauss-Krueger zone of 3 or 6 degrees on CGCS2000; None where China has no such zone."""
    try:
        zone = zone_of(lon, width)
    except ValueError:
        return None
    easting, northing = _forward(zone.number).transform(lon, lat)
    code = zone.code("cgcs2000", prefixed=True)
    return Projected(zone.number, zone.meridian, easting - zone.prefix, easting, northing, f"EPSG:{code}")


@lru_cache(maxsize=64)
def _forward(zone: int) -> pyproj.Transformer:
    return pyproj.Transformer.from_crs(STORAGE_SRID, Zone(zone).code("cgcs2000", prefixed=True), always_xy=True)


@lru_cache(maxsize=64)
def _inverse(zone: int) -> pyproj.Transformer:
    return pyproj.Transformer.from_crs(Zone(zone).code("cgcs2000", prefixed=True), STORAGE_SRID, always_xy=True)
