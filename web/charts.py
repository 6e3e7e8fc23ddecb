"""Geometry of small charts: numbers in, places and sizes out. The templates draw them as SVG."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from web.numbers import plain

WIDTH, HEIGHT = 320.0, 96.0
_LEAST_SEGMENT = 6.0
_LEAST_COLUMN = 1.5
_GAP = 0.12
_MOST_TICKS = 4
_NEAR_EDGE = 0.15
_LEAST_SPAN = 1e-6
_LEAST_SQUEEZE = 0.05
_MARGIN = 14.0
_HIGHEST = 0.7


@dataclass(frozen=True, slots=True)
class Segment:
    """A part of a stacked bar."""

    key: str
    count: int
    share: float
    x: float
    width: float


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a chart, from the bottom up."""

    x: float
    y: float
    width: float
    height: float
    label: str
    count: int


@dataclass(frozen=True, slots=True)
class Tick:
    """A word below the columns."""

    x: float
    anchor: str
    label: str


@dataclass(frozen=True, slots=True)
class Columns:
    """A column chart in a box of `WIDTH` x `HEIGHT`."""

    columns: tuple[Column, ...]
    ticks: tuple[Tick, ...]


@dataclass(frozen=True, slots=True)
class Dot:
    """A place on a sketch map; `number` is that of its finding."""

    x: float
    y: float
    severity: str
    number: int


@dataclass(frozen=True, slots=True)
class Sketch:
    """Places in a box of their own, north up: a map without a ground."""

    width: float
    height: float
    frame: tuple[float, float, float, float] | None
    dots: tuple[Dot, ...]


def stacked(parts: Iterable[tuple[str, int]], width: float = 1000.0) -> tuple[Segment, ...]:
    """One bar divided by counts. Parts without rows are left out; a small part stays wide enough to be seen."""
    kept = [(key, count) for key, count in parts if count > 0]
    total = sum(count for _, count in kept)
    if not total:
        return ()
    widths = [max(count / total * width, _LEAST_SEGMENT) for _, count in kept]
    # What small parts were given is taken from the largest.
    widths[widths.index(max(widths))] -= sum(widths) - width
    segments, x = [], 0.0
    for (key, count), wide in zip(kept, widths, strict=True):
        segments.append(Segment(key, count, count / total, round(x, 2), round(wide, 2)))
        x += wide
    return tuple(segments)


def columns(labels: Sequence[str], counts: Sequence[int], ticks: Sequence[tuple[float, str]]) -> Columns:
    """A column per count.

    Args:
        labels: What each column stands for.
        counts: How many; the greatest reaches the top.
        ticks: Places from 0 (left) to 1 (right), and the words there.
    """
    top, step = max(counts, default=0) or 1, WIDTH / max(len(counts), 1)
    made = []
    for place, (label, count) in enumerate(zip(labels, counts, strict=True)):
        high = max(count / top * HEIGHT, _LEAST_COLUMN) if count else 0.0
        x = (place + _GAP / 2) * step
        box = (round(x, 2), round(HEIGHT - high, 2), round(step * (1 - _GAP), 2), round(high, 2))
        made.append(Column(*box, label=label, count=count))
    return Columns(tuple(made), tuple(_tick(place, label) for place, label in ticks))


def histogram(edges: Sequence[float], counts: Sequence[int]) -> Columns:
    """A column per class, with the outer edges and a middle one below."""
    labels = [f"{plain(low)} – {plain(high)}" for low, high in pairwise(edges)]
    middle = len(edges) // 2
    ticks = [(0.0, plain(edges[0])), (middle / len(counts), plain(edges[middle])), (1.0, plain(edges[-1]))]
    return columns(labels, counts, ticks if len(counts) > 1 else [ticks[0], ticks[-1]])


def timeline(labels: Sequence[str], counts: Sequence[int]) -> Columns:
    """A column per period, some of them named below."""
    last = len(labels) - 1
    chosen = sorted({round(i * last / (_MOST_TICKS - 1)) for i in range(_MOST_TICKS)})
    if last < _MOST_TICKS - 1:
        chosen = [0, last] if last else [0]
    return columns(labels, counts, [((place + 0.5) / len(labels), labels[place]) for place in chosen])


def sketch(
    places: Iterable[tuple[float, float, str, int]], extent: Sequence[float] | None, width: float = 640.0
) -> Sketch | None:
    """Places (longitude, latitude, severity, number of the finding) on a sketch map; None without places.

    A degree of longitude is drawn shorter by the cosine of the middle latitude.
    """
    found = list(places)
    if not found:
        return None
    corners = [] if extent is None or extent[0] > extent[2] else [(extent[0], extent[3]), (extent[2], extent[1])]
    known = [*((lon, lat) for lon, lat, _, _ in found), *corners]
    west, north = min(lon for lon, _ in known), max(lat for _, lat in known)
    wide, high = max(lon for lon, _ in known) - west, north - min(lat for _, lat in known)
    squeeze = max(math.cos(math.radians(north - high / 2)), _LEAST_SQUEEZE)
    scale = min(width / max(wide * squeeze, _LEAST_SPAN), width * _HIGHEST / max(high, _LEAST_SPAN))

    def put(lon: float, lat: float) -> tuple[float, float]:
        return round(_MARGIN + (lon - west) * squeeze * scale, 1), round(_MARGIN + (north - lat) * scale, 1)

    frame = None
    if corners:
        (left, upper), (right, lower) = (put(*corner) for corner in corners)
        frame = (left, upper, round(right - left, 1), round(lower - upper, 1))
    dots = tuple(Dot(*put(lon, lat), severity, number) for lon, lat, severity, number in found)
    size = (round(wide * squeeze * scale + 2 * _MARGIN, 1), round(high * scale + 2 * _MARGIN, 1))
    return Sketch(*size, frame, dots)


def _tick(place: float, label: str) -> Tick:
    anchor = "start" if place < _NEAR_EDGE else "end" if place > 1 - _NEAR_EDGE else "middle"
    x = 0.0 if anchor == "start" else WIDTH if anchor == "end" else place * WIDTH
    return Tick(round(x, 2), anchor, label)
