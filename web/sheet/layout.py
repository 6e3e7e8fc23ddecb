"""Papers, and what stands where on them: heading, map, legend, scale and facts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from web.sheet.marks import Rect

Size = Literal["A5", "A4", "A3", "A2", "A1", "A0"]
Orientation = Literal["portrait", "landscape"]
SIZES: dict[str, tuple[float, float]] = {
    "A5": (148.0, 210.0),
    "A4": (210.0, 297.0),
    "A3": (297.0, 420.0),
    "A2": (420.0, 594.0),
    "A1": (594.0, 841.0),
    "A0": (841.0, 1189.0),
}
"""Width and height of papers in portrait (ISO 216), in millimetres."""
POINT = 25.4 / 96
"""Millimetres of a point: a CSS pixel, by which styles of maps measure lines and letters."""
_A4 = 210.0
_MARGIN, _HEAD, _BAND, _SIDE, _GAP, _FOOT = 8.0, 14.0, 5.0, 60.0, 3.0, 64.0


@dataclass(frozen=True, slots=True)
class Layout:
    """Where things stand on a paper.

    Attributes:
        width, height: Of the paper.
        unit: How much larger than on A4 letters and margins are.
        frame: The map; its sides are whole points.
        head: Title and marks.
        legend: Legend.
        facts: Scale, north and what is to be known of the map; in landscape the same column as the legend.
        columns: Of the legend.
    """

    width: float
    height: float
    unit: float
    frame: Rect
    head: Rect
    legend: Rect
    facts: Rect
    columns: int

    @property
    def points(self) -> tuple[int, int, int, int]:
        """The frame in points: left, top, width, height."""
        one = self.frame
        return round(one.x / POINT), round(one.y / POINT), round(one.width / POINT), round(one.height / POINT)

    @property
    def page_points(self) -> tuple[int, int]:
        """Width and height of the paper in points."""
        return round(self.width / POINT), round(self.height / POINT)


def layout(size: str, orientation: str) -> Layout:
    """What stands where on a paper.

    Args:
        size: A name of `SIZES`.
        orientation: `portrait` or `landscape`.

    Raises:
        KeyError: When there is no such paper.
    """
    short, long = SIZES[size]
    unit = (short / _A4) ** 0.5
    return _landscape(long, short, unit) if orientation == "landscape" else _portrait(short, long, unit)


def _landscape(width: float, height: float, unit: float) -> Layout:
    margin, head, band, side = (n * unit for n in (_MARGIN, _HEAD, _BAND, _SIDE))
    left, top = margin + band, margin + head + band
    frame = _whole(left, top, width - 2 * margin - 2 * band - side - _GAP * unit, height - top - margin - band)
    column = Rect(frame.right + band + _GAP * unit, frame.y, width - margin - frame.right - band - _GAP * unit, 0)
    column = Rect(column.x, frame.y, column.width, frame.height)
    return Layout(width, height, unit, frame, Rect(margin, margin, width - 2 * margin, head), column, column, 1)


def _portrait(width: float, height: float, unit: float) -> Layout:
    margin, head, band, foot = (n * unit for n in (_MARGIN, _HEAD, _BAND, _FOOT))
    left, top = margin + band, margin + head + band
    frame = _whole(left, top, width - 2 * left, height - top - margin - band - foot)
    below = frame.bottom + band + _GAP * unit
    third = frame.width * 0.4
    facts = Rect(frame.x, below, third - _GAP * unit, height - margin - below)
    legend = Rect(frame.x + third, below, frame.width - third, height - margin - below)
    return Layout(width, height, unit, frame, Rect(margin, margin, width - 2 * margin, head), legend, facts, 2)


def _whole(x: float, y: float, width: float, height: float) -> Rect:
    """A rectangle whose corners lie on whole points, so that its picture is neither stretched nor shifted."""
    left, top = round(x / POINT), round(y / POINT)
    return Rect(left * POINT, top * POINT, int(width / POINT) * POINT, int(height / POINT) * POINT)


ORIENTATIONS: tuple[str, ...] = get_args(Orientation)
