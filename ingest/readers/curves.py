"""Circular arcs of WKB (ISO/IEC 13249-3: circular strings, compound curves, curve polygons) drawn as chords.

GEOS has no arcs, and GDAL hands them on as they are when it delivers Arrow. Each control point stays a vertex. An arc
comes out with the same vertices in whichever direction it is drawn, so that neighbours keep their common boundary.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import shapely

from ingest.readers.source import Chunk, Request

UNREADABLE = "The geometry cannot be read: its binary form is damaged, or it is of a kind that is not known here."
STEP = math.radians(1.0)
"""Most of an arc that one chord spans; a chord then leaves its arc by less than 0.004 % of the radius."""
_LINE, _POLYGON, _ARCS, _COMPOUND, _CURVE_POLYGON = 2, 3, 8, 9, 10
_MANY: dict[int, Callable[[Sequence[Any]], Any]] = {
    4: shapely.multipoints,
    5: shapely.multilinestrings,
    6: shapely.multipolygons,
    7: shapely.geometrycollections,
    11: shapely.multilinestrings,
    12: shapely.multipolygons,
}
_POINT = 1
_MOST_DEPTH = 8
_STRAIGHT = 1e-12
Points = npt.NDArray[np.float64]


def straighten(chunk: Chunk, request: Request) -> None:
    """Draw the arcs among the geometries that could not be read, and say so; the others stay as they are."""
    if chunk.geometry is None:
        return
    drawn = []
    for row, text in list(chunk.unread.items()):
        geometry = linear(bytes.fromhex(text), request.plan.limits.vertices)
        if geometry is not None:
            chunk.geometry[row] = geometry
            del chunk.unread[row]
            if chunk.broken.get(row) == UNREADABLE:
                del chunk.broken[row]
            drawn.append(row)
    if drawn:
        chunk.wkb = None
        message = "Circular arcs were drawn as chords of at most one degree; each control point stayed."
        request.notes.add("curves", "info", message, chunk.position[np.array(drawn)])


def linear(wkb: bytes, most: int) -> Any:
    """The geometry with chords in the place of arcs; None when it cannot be read or would have too many vertices.

    Args:
        wkb: ISO WKB, or the older kind with flags for heights.
        most: Most vertices.
    """
    try:
        return _Reader(wkb, most).geometry()
    except (struct.error, ValueError, shapely.errors.ShapelyError):
        return None


class _Reader:
    """Reads one WKB; every length is checked against what there is."""

    def __init__(self, wkb: bytes, most: int) -> None:
        self._wkb = wkb
        self._at = 0
        self._left = most

    def geometry(self, depth: int = 0) -> Any:
        order, kind, dimensions = self._head()
        if kind == _POINT:
            return shapely.points(self._points(order, dimensions, 1)[0])
        if kind in (_LINE, _ARCS, _COMPOUND):
            return shapely.linestrings(self._curve(order, kind, dimensions, depth))
        if kind in (_POLYGON, _CURVE_POLYGON):
            return self._surface(order, kind, dimensions, depth)
        if kind not in _MANY or depth == _MOST_DEPTH:
            raise ValueError(f"kind {kind} of geometry")
        parts = [self.geometry(depth + 1) for _ in range(self._count(order))]
        return _MANY[kind](parts)

    def _surface(self, order: str, kind: int, dimensions: tuple[int, bool], depth: int) -> Any:
        rings = []
        for _ in range(self._count(order)):
            if kind == _POLYGON:
                rings.append(self._points(order, dimensions, self._count(order)))
            else:
                inner, curve, inner_dimensions = self._head()
                rings.append(self._curve(inner, curve, inner_dimensions, depth + 1))
        closed = [shapely.LinearRing(ring) for ring in rings]
        return shapely.Polygon(closed[0], closed[1:]) if closed else shapely.Polygon()

    def _curve(self, order: str, kind: int, dimensions: tuple[int, bool], depth: int) -> Points:
        if kind == _LINE:
            return self._points(order, dimensions, self._count(order))
        if kind == _ARCS:
            return self._arcs(self._points(order, dimensions, self._count(order)))
        if kind != _COMPOUND or depth >= _MOST_DEPTH:
            raise ValueError(f"kind {kind} of curve")
        pieces: list[Points] = []
        for _ in range(self._count(order)):
            piece = self._curve(*self._head(), depth + 1)
            # Each piece begins where the one before it ends.
            pieces.append(piece[1:] if pieces else piece)
        return np.concatenate(pieces) if pieces else np.empty((0, 2))

    def _arcs(self, points: Points) -> Points:
        if len(points) % 2 == 0 and len(points):
            raise ValueError("an even number of points on arcs")
        pieces = [points[:1]]
        for i in range(0, len(points) - 2, 2):
            piece = arc(points[i], points[i + 1], points[i + 2])
            self._take(len(piece))
            pieces.append(piece[1:])
        return np.concatenate(pieces)

    def _head(self) -> tuple[str, int, tuple[int, bool]]:
        order = {0: ">", 1: "<"}.get(self._wkb[self._at] if self._at < len(self._wkb) else -1)
        if order is None:
            raise ValueError("order of bytes")
        (code,) = struct.unpack_from(f"{order}I", self._wkb, self._at + 1)
        self._at += 5
        thousands, kind = divmod(code & 0x0FFF_FFFF, 1000)
        height = thousands in (1, 3) or bool(code & 0x8000_0000)
        measure = thousands in (2, 3) or bool(code & 0x4000_0000)
        return order, kind, (2 + height + measure, height)

    def _count(self, order: str) -> int:
        (count,) = struct.unpack_from(f"{order}I", self._wkb, self._at)
        self._at += 4
        return int(count)

    def _points(self, order: str, dimensions: tuple[int, bool], count: int) -> Points:
        width, height = dimensions
        self._take(count)
        found = np.frombuffer(self._wkb, f"{order}f8", count * width, self._at).reshape(count, width)
        self._at += found.nbytes
        return found[:, : 2 + height].astype(np.float64)

    def _take(self, count: int) -> None:
        self._left -= count
        if self._left < 0:
            raise ValueError("too many vertices")


def arc(start: Points, middle: Points, end: Points) -> Points:
    """Vertices of the arc through three points, these among them; a full circle when it ends where it starts.

    Points on a line give that line. Heights go evenly along the arc.
    """
    if tuple(end[:2]) < tuple(start[:2]):
        return _arc(end, middle, start)[::-1]
    return _arc(start, middle, end)


def _arc(start: Points, middle: Points, end: Points) -> Points:
    # All of it beside the start: eastings of some 10^7 m would leave few digits for squares and angles.
    b, c = middle[:2] - start[:2], end[:2] - start[:2]
    cross = float(b[0] * c[1] - b[1] * c[0])
    if not c.any():
        centre, turn = b / 2, 1.0
    elif abs(cross) <= _STRAIGHT * math.hypot(*b) * math.hypot(*c):
        return np.stack([start, middle, end])
    else:
        # Centre of the circle through the origin, b and c.
        squares = np.array([b @ b, c @ c])
        centre = np.array([squares @ [c[1], -b[1]], squares @ [-c[0], b[0]]]) / (2 * cross)
        turn = math.copysign(1.0, cross)
    angles = [math.atan2(y, x) for x, y in (-centre, b - centre, c - centre)]
    radius = math.hypot(*centre)
    halves = []
    for (here, there), (begin, after) in zip(((start, middle), (middle, end)), pairwise(angles), strict=True):
        sweep = (turn * (after - begin)) % math.tau
        share = np.linspace(0.0, 1.0, max(1, math.ceil(sweep / STEP)) + 1)
        turned = begin + turn * sweep * share
        half = np.empty((len(share), len(start)))
        half[:, :2] = start[:2] + (centre + radius * np.column_stack([np.cos(turned), np.sin(turned)]))
        half[:, 2:] = here[2:] + share[:, None] * (there[2:] - here[2:])
        half[0], half[-1] = here, there
        halves.append(half)
    return np.concatenate([halves[0], halves[1][1:]])
