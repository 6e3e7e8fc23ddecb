"""Places of questions: well-known text, boxes, distances with units."""

from __future__ import annotations

import datetime as dt
import re
from itertools import pairwise
from typing import Any

import numpy as np
import shapely
from shapely.geometry import mapping

from geoservice.analysis.geojson import parse_zone
from geoservice.edr.model import Along, Around, At, Floats, Within
from geoservice.queries.coordinates import outside_world
from geoservice.queries.ring import buffered
from layers.errors import BadGeometry, BadParameter, TooLarge
from layers.extent import parse_bbox
from layers.offered import OfferedCrs

MOST_POINTS = 1_000
"""Most positions of one question at points or along a line."""
MOST_TEXT = 200_000
METRES = {"m": 1.0, "meters": 1.0, "metres": 1.0, "km": 1000.0, "kilometers": 1000.0, "kilometres": 1000.0,
          "mi": 1609.344, "miles": 1609.344, "nmi": 1852.0}  # fmt: skip
"""Metres of the units of distances: the international mile and the nautical mile."""
MOST_METRES = 500_000.0
_DEEPEST = 3
_NUMBER = r"[-+]?(\d{1,40}(\.\d{0,40})?|\.\d{1,40})([eE][-+]?\d{1,2})?"
_SHAPE = re.compile(r"\s*([A-Za-z]+)\s*(?:ZM|Z|M)?\s*\([-+.0-9eE\s,()]+\)\s*", re.ASCII)
_HUGE = re.compile(r"[eE][-+]?\d{3}|\d{40}", re.ASCII)
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


def read_points(text: str, crs: OfferedCrs) -> At:
    """Points of POINT or MULTIPOINT.

    Raises:
        BadGeometry: When it is none, or lies outside the world.
        TooLarge: When there are too many.
    """
    shape = _read(text, ("POINT", "MULTIPOINT"))
    places = _places(shape, crs)
    return At(places[:, 0], places[:, 1], many=isinstance(shape, shapely.MultiPoint))


def read_circle(text: str, within: str, units: str, crs: OfferedCrs) -> Around:
    """What lies within a distance of a POINT; raises as `read_points`, and BadParameter for the distance."""
    places = _places(_read(text, ("POINT",)), crs)
    return Around(float(places[0, 0]), float(places[0, 1]), read_distance(within, units, "within"))


def read_area(text: str, crs: OfferedCrs, most_vertices: int) -> Within:
    """The area of POLYGON or MULTIPOLYGON; raises as `read_points`, also when it crosses itself."""
    shape: Any = _read(text, ("POLYGON", "MULTIPOLYGON"))
    if crs.swapped:
        shape = shapely.transform(shape, lambda at: at[:, ::-1])
    return Within(parse_zone(mapping(shape), most_vertices))


def read_box(text: str, crs: OfferedCrs) -> Within:
    """A box: west, south, east, north, with lowest and highest height in third and sixth place or without.

    Raises:
        BadParameter: When it is no box, or crosses 180 degrees.
    """
    extent = parse_bbox(_unswapped(text) if crs.swapped else text)
    boxes = extent.boxes()
    if len(boxes) > 1:
        raise BadParameter("A cube cannot cross 180 degrees; ask for each side by itself.", parameter="bbox")
    return Within(shapely.box(*boxes[0]), boxed=True)


def read_line(text: str, crs: OfferedCrs) -> Along:
    """The vertices of LINESTRING, and their times where it is LINESTRINGM (seconds since 1970).

    Raises:
        BadGeometry: When it is no line, lies outside the world, or goes back in time.
        TooLarge: When it has too many vertices.
    """
    shape = _read(text, ("LINESTRING",))
    places = _places(shape, crs)
    if not shapely.has_m(shape):
        return Along(places[:, 0], places[:, 1])
    seconds = shapely.get_coordinates(shape, include_m=True)[:, 2]
    try:
        times = tuple(_EPOCH + dt.timedelta(seconds=float(one)) for one in seconds)
    except (OverflowError, ValueError):
        times = ()
    if len(times) != len(places) or any(after < before for before, after in pairwise(times)):
        raise BadGeometry("The times of LINESTRINGM are seconds since 1970 that do not go back.", where="coords")
    return Along(places[:, 0], places[:, 1], times)


def read_corridor(text: str, width: str, units: str, crs: OfferedCrs) -> Within:
    """What lies within half a width of a LINESTRING; raises as `read_line`, and BadParameter for the width."""
    shape = _read(text, ("LINESTRING", "MULTILINESTRING"))
    places = _places(shape, crs)
    if crs.swapped:
        shape = shapely.transform(shape, lambda at: at[:, ::-1])
    if len(places) < len(("from", "to")) or not shapely.length(shape):
        raise BadGeometry("A corridor goes along a line between different places.", where="coords")
    return Within(buffered(shapely.force_2d(shape), read_distance(width, units, "corridor-width") / 2))


def read_distance(text: str, units: str, parameter: str) -> float:
    """Metres of a distance in a unit.

    Raises:
        BadParameter: When it is no number above 0, too large, or the unit is unknown.
    """
    factor = METRES.get(units.strip().lower())
    if factor is None:
        known = ", ".join(METRES)
        raise BadParameter(f"{parameter}-units is one of {known}; {units[:20]!r} is not.", parameter=parameter)
    metres = float(text) * factor if re.fullmatch(_NUMBER, text, re.ASCII) else 0.0
    if not 0 < metres <= MOST_METRES:
        raise BadParameter(
            f"{parameter} is a number above 0, of at most {MOST_METRES / 1000:g} km; {text[:20]!r} {units} is not.",
            parameter=parameter,
        )
    return metres


def _read(text: str, kinds: tuple[str, ...]) -> shapely.Geometry:
    """A geometry of one of some kinds; flat text only, since nested collections could exhaust the parser's stack."""
    expected = f"coords is a {' or '.join(kinds)} as well-known text"
    if len(text) > MOST_TEXT:
        raise TooLarge(f"{expected} of at most {MOST_TEXT} characters.", limit=MOST_TEXT)
    found = _SHAPE.fullmatch(text)
    kind = found.group(1).upper().removesuffix("Z").removesuffix("M") if found else ""
    if found is None or kind not in kinds or _depth(text) > _DEEPEST or _HUGE.search(text):
        raise BadGeometry(f"{expected}; {text[:60]!r} is not.", where="coords")
    try:
        shape: shapely.Geometry = shapely.from_wkt(text)
    except (shapely.errors.GEOSException, ValueError):
        raise BadGeometry(f"{expected}; {text[:60]!r} cannot be read.", where="coords") from None
    if shapely.has_z(shape):
        raise BadGeometry("The data has no heights, so that coords has none either.", where="coords")
    if shapely.is_empty(shape):
        raise BadGeometry(f"{expected}; this one is empty.", where="coords")
    return shape


def _depth(text: str) -> int:
    deepest = depth = 0
    for sign in text:
        depth += (sign == "(") - (sign == ")")
        deepest = max(deepest, depth)
    return deepest


def _places(shape: shapely.Geometry, crs: OfferedCrs) -> Floats:
    places: Floats = shapely.get_coordinates(shape)
    if crs.swapped:
        places = places[:, ::-1]
    if len(places) > MOST_POINTS:
        raise TooLarge(f"coords has {len(places)} positions and at most {MOST_POINTS} are taken.", limit=MOST_POINTS)
    if outside_world(places[:, 0], places[:, 1]).any():
        raise BadGeometry(
            "coords lies outside the world: longitudes lie in [-180, 180] and latitudes in [-90, 90].", where="coords"
        )
    return np.ascontiguousarray(places)


def _unswapped(text: str) -> str:
    """Corners with longitude first; with heights there are three numbers to a corner."""
    numbers = text.split(",")
    half = len(numbers) // 2
    for first in (0, half):
        numbers[first : first + 2] = numbers[first : first + 2][::-1]
    return ",".join(numbers)
