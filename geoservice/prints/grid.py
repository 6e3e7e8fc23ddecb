"""The grid of a printed map: lines of longitude and latitude, or of a Gauss-Krueger zone, with numbers at the frame."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import shapely

from geoservice.prints.place import Placed
from layers.errors import BadParameter
from tiles.plane import place_in
from web.sheet.layout import POINT, Layout
from web.sheet.marks import Mark, Point, Rect, Stroke, Words

_ARC_SECONDS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 18_000, 36_000, 54_000, 108_000)
_FEWEST, _SAMPLES, _PAST = 3.2, 24, 0.05
_SECONDS, _MINUTES = 3600, 60
_COLOUR, _WIDTH, _LETTERS = "#5a6b7b", 0.12, 2.2
_LABEL_OUT, _CORNER = 2.4, 8.0
_KILOMETRE = 1000
_EDGE = 1e-6


@dataclass(frozen=True)
class _Family:
    """Lines of one direction: values and how they are written, and the place of the paper of a value and a share."""

    values: list[float]
    written: Callable[[float], str]
    line: Callable[[float, float], Point]
    upright: bool
    samples: int = 1


def grid_marks(spot: Placed, place: Layout, kind: str) -> Iterator[Mark]:
    """The lines of a grid within the frame, and their numbers around it.

    Args:
        spot: Where the map lies.
        place: What stands where.
        kind: As `grid_kind` found it.
    """
    if kind == "none":
        return
    for family in _metres(spot, place) if kind == "metres" else _degrees(spot, place):
        for value in family.values:
            yield from _line(family, value, place)


def grid_kind(spot: Placed, asked: str | None) -> str:
    """The grid that is drawn: the one that was asked for, or the usual one.

    Raises:
        BadParameter: When metres are asked for and the CRS has none that mean anything.
    """
    if asked == "metres" and spot.plane.crs.kind != "zone":
        raise BadParameter("A grid in metres needs a Gauss-Krueger zone as crs; ask for degrees.", parameter="grid")
    return asked or ("metres" if spot.plane.crs.kind == "zone" else "degrees")


def _line(family: _Family, value: float, place: Layout) -> Iterator[Mark]:
    # From a little before the frame to a little past it, so that the frame cuts it.
    shares = [n / family.samples * (1 + 2 * _PAST) - _PAST for n in range(family.samples + 1)]
    points = [family.line(value, share) for share in shares]
    if not all(math.isfinite(x) and math.isfinite(y) for x, y in points):
        return
    frame, words = place.frame, family.written(value)
    for part in shapely.get_parts(shapely.clip_by_rect(shapely.linestrings(points), *_sides(frame))):
        if part.geom_type != "LineString" or part.is_empty:
            continue
        places = tuple((float(x), float(y)) for x, y in shapely.get_coordinates(part))
        yield Stroke(places, _WIDTH * place.unit, _COLOUR)
        for end in (places[0], places[-1]):
            label = _label(end, frame, family.upright, words, place.unit)
            if label is not None:
                yield label


def _sides(frame: Rect) -> tuple[float, float, float, float]:
    return frame.x, frame.y, frame.right, frame.bottom


def _label(end: Point, frame: Rect, upright: bool, words: str, unit: float) -> Words | None:
    """A number outside of the frame where a line of its direction leaves it; none near a corner."""
    (x, y), out, corner = end, _LABEL_OUT * unit, _CORNER * unit
    if upright and min(abs(y - frame.y), abs(y - frame.bottom)) < _EDGE and frame.x + corner < x < frame.right - corner:
        at = (x, frame.y - out) if abs(y - frame.y) < _EDGE else (x, frame.bottom + out)
        return Words(at, words, _LETTERS * unit, "middle")
    side = min(abs(x - frame.x), abs(x - frame.right)) < _EDGE
    if not upright and side and frame.y + corner < y < frame.bottom - corner:
        left = abs(x - frame.x) < _EDGE
        at = (frame.x - out, y) if left else (frame.right + out, y)
        return Words(at, words, _LETTERS * unit, "middle", turn=-90.0 if left else 90.0)
    return None


def _metres(spot: Placed, place: Layout) -> list[_Family]:
    left, bottom, right, top = spot.plane.box
    least = min(right - left, top - bottom) / _FEWEST
    power = 10.0 ** math.floor(math.log10(least))
    step = max(n * power for n in (1, 2, 5) if n * power <= least)
    digits = 0 if step >= _KILOMETRE else len(str(int(_KILOMETRE // step))) - 1

    def written(value: float) -> str:
        return f"{value / _KILOMETRE:.{digits}f}"

    return [
        _Family(
            _between(left, right, step), written, lambda x, s: _paper(spot, place, x, bottom + (top - bottom) * s), True
        ),
        _Family(
            _between(bottom, top, step), written, lambda y, s: _paper(spot, place, left + (right - left) * s, y), False
        ),
    ]


def _degrees(spot: Placed, place: Layout) -> list[_Family]:
    plane = spot.plane
    edge = np.array(spot.outline())
    edge = edge[np.isfinite(edge).all(axis=1)]
    if not len(edge):
        return []
    (west, south), (east, north) = edge.min(axis=0).tolist(), edge.max(axis=0).tolist()
    least = min(east - west, north - south) * _SECONDS / _FEWEST
    seconds = max((n for n in _ARC_SECONDS if n <= least), default=_ARC_SECONDS[0])
    step = seconds / _SECONDS

    def at(lon: float, lat: float) -> Point:
        return _paper(spot, place, *place_in(plane.crs, lon, lat))

    def written(value: float, letters: str) -> str:
        return _sexagesimal(abs(value), seconds) + (letters[0] if value >= 0 else letters[1])

    return [
        _Family(
            _between(west, east, step),
            lambda lon: written(lon, "EW"),
            lambda lon, s: at(lon, south + (north - south) * s),
            True,
            _SAMPLES,
        ),
        _Family(
            _between(south, north, step),
            lambda lat: written(lat, "NS"),
            lambda lat, s: at(west + (east - west) * s, lat),
            False,
            _SAMPLES,
        ),
    ]


def _between(low: float, high: float, step: float) -> list[float]:
    return [n * step for n in range(math.ceil(low / step), math.floor(high / step) + 1)]


def _paper(spot: Placed, place: Layout, x: float, y: float) -> Point:
    """A place of the CRS as millimetres of the paper."""
    plane = spot.plane
    across, down = plane.steps
    return (
        place.frame.x + (x - plane.box[0]) / across * POINT,
        place.frame.y + (plane.box[3] - y) / down * POINT,
    )


def _sexagesimal(value: float, step: int) -> str:
    whole = round(value * _SECONDS)
    degrees, minutes, seconds = whole // _SECONDS, whole // _MINUTES % _MINUTES, whole % _MINUTES
    if step % _SECONDS == 0:
        return f"{degrees}°"
    return f"{degrees}°{minutes:02}′" if step % _MINUTES == 0 else f"{degrees}°{minutes:02}′{seconds:02}″"
