"""The page of a compliance answer: the verdict first, rule by rule, the overlaps with their shares, a sketch."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from web.texts import TEXTS, text

Json = dict[str, Any]
Ring = Sequence[Sequence[float]]

ORDER = ("conflict", "no-data", "attention", "clear")
"""From the worst on, as the verdicts of the rules are weighed."""
_ROLES = ("control", "land", "ownership", "planning", "approval", "protected")
_WIDE, _HIGH, _MARGIN = 320.0, 220.0, 26.0
_BARS = (1.0, 2.0, 5.0)
_LONGEST_BAR = 0.4
_METRES_PER_DEGREE = 111_319.49
_KILOMETRE = 1_000
_MOST_PLACES = 7


@dataclass(frozen=True, slots=True)
class Sketch:
    """A drawing of a red line, north up.

    Attributes:
        path: Its outline as the path of an SVG of `wide` by `high`.
        bar: Length of the scale bar in the drawing.
        length: What that is on the ground, in words.
        corners: Longitude and latitude of the south-western and north-eastern corner, in words.
    """

    path: str
    bar: float
    length: str
    corners: tuple[str, str]
    wide: float = _WIDE
    high: float = _HIGH


def compliance_context(body: Json, language: str) -> Json:
    """What the template of the page needs beside the answer itself.

    Args:
        body: The answer (JSON); its member `outline`, a GeoJSON geometry, is drawn where it is there.
        language: `zh` or `en`.
    """
    whole = body["red_line"]["area"]["m2"]
    origin = f"report_origin_{body['red_line']['origin']}"
    groups = [(verdict, [one for one in body["rules"] if one["verdict"] == verdict]) for verdict in ORDER]
    return {
        "groups": [(verdict, found) for verdict, found in groups if found],
        "roles": [(role, found) for role in _ROLES if (found := _of_role(body, role))],
        "editions": _editions(body["sections"]),
        "origin": text(origin, language) if origin in TEXTS else body["red_line"]["origin"],
        "corners": "  ".join(f"{side:.6f}" for side in body["red_line"]["bbox"]),
        "sketch": sketch(body.get("outline"), body["red_line"]["bbox"]),
        "share": lambda row: 100 * row["m2"] / whole if whole > 0 else 0.0,
        "minute": _minute,
    }


def sketch(outline: Json | None, bbox: Sequence[float]) -> Sketch | None:
    """A drawing of an outline; None without one, and for one on both sides of the antimeridian.

    Args:
        outline: GeoJSON Polygon or MultiPolygon, longitude and latitude in degrees.
        bbox: Its west, south, east, north.
    """
    west, south, east, north = bbox
    if outline is None or west >= east or south >= north:
        return None
    # Degrees of longitude are shorter than those of latitude: drawn as long as they are in the middle.
    narrow = max(math.cos(math.radians((south + north) / 2)), 1e-6)
    scale = min((_WIDE - 2 * _MARGIN) / ((east - west) * narrow), (_HIGH - 2 * _MARGIN) / (north - south))
    left, top = (_WIDE - (east - west) * narrow * scale) / 2, (_HIGH - (north - south) * scale) / 2

    def ring(points: Ring) -> str:
        at = [f"{left + (x - west) * narrow * scale:.1f} {top + (north - y) * scale:.1f}" for x, y, *_ in points]
        return f"M{'L'.join(at)}Z"

    several = outline["type"] == "MultiPolygon"
    polygons = outline["coordinates"] if several else [outline["coordinates"]]
    bar, length = _bar(_METRES_PER_DEGREE / scale)
    corners = _corner(west, south, scale), _corner(east, north, scale)
    return Sketch("".join(ring(one) for polygon in polygons for one in polygon), bar, length, corners)


def _bar(metres: float) -> tuple[float, str]:
    """The longest round scale bar that fits, for so many metres per unit of the drawing; and its length in words."""
    most = metres * _WIDE * _LONGEST_BAR
    ten = 10.0 ** math.floor(math.log10(most))
    length = max(step * ten for step in _BARS if step * ten <= most)
    told = f"{length / _KILOMETRE:g} km" if length >= _KILOMETRE else f"{length:g} m"
    return length / metres, told


def _corner(lon: float, lat: float, scale: float) -> str:
    """A position with as many places as can be told apart in the drawing."""
    places = min(_MOST_PLACES, max(1, math.ceil(math.log10(scale))))
    east, north = ("E" if lon >= 0 else "W"), ("N" if lat >= 0 else "S")
    return f"{abs(lon):.{places}f}° {east}, {abs(lat):.{places}f}° {north}"


def _of_role(body: Json, role: str) -> list[Json]:
    return [one for one in body["sections"] if one["role"] == role]


def _editions(sections: Sequence[Json]) -> list[Json]:
    """Each layer once, also those of several roles."""
    return list({one["layer"]: one for one in sections}.values())


def _minute(moment: str) -> str:
    found = dt.datetime.fromisoformat(moment).astimezone(dt.UTC)
    return f"{found:%Y-%m-%d %H:%M} UTC"
