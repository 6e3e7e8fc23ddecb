"""Marks of a printed map as the renderer of maps draws them: a picture of the whole paper."""

from __future__ import annotations

from collections.abc import Iterable

from geoservice.maps.paper import Paper
from geoservice.maps.picture import Overlay
from layers.maplibre import Json
from web.sheet.layout import POINT, Layout
from web.sheet.marks import WHITE, Disc, Mark, Patch, Point, Rect, Stroke, Words

_SIDES = {"start": "left", "middle": "center", "end": "right"}
_BOLD = 0.35


def inked(place: Layout, marks: Iterable[Mark]) -> Overlay:
    """White around the frame, and all marks on it."""
    paper = Paper("sheet")
    frame = place.frame
    # A point more than the paper, since its sides need not be whole points.
    wide, high = place.width + 1, place.height + 1
    for one in (
        Rect(0, 0, wide, frame.y),
        Rect(0, frame.bottom, wide, high - frame.bottom),
        Rect(0, frame.y, frame.x, frame.height),
        Rect(frame.right, frame.y, wide - frame.right, frame.height),
    ):
        paper.area([_points(corner) for corner in one.corners], {"fill-color": WHITE, "fill-antialias": False})
    for mark in marks:
        _draw(paper, mark)
    return Overlay(paper.sources(), tuple(paper.layers))


def _points(at: Point) -> Point:
    return at[0] / POINT, at[1] / POINT


def _draw(paper: Paper, mark: Mark) -> None:
    if isinstance(mark, Words):
        # The packaged letters have one weight; heavier ones get an edge of their own colour.
        look: Json = {"text-color": mark.colour, "text-halo-color": mark.colour if mark.bold else WHITE}
        look |= {"text-halo-width": _BOLD if mark.bold else 0.0}
        if mark.text:
            paper.text(_points(mark.at), mark.text, mark.size / POINT, _SIDES[mark.anchor], look, mark.turn)
    elif isinstance(mark, Stroke):
        paint: Json = {"line-color": mark.colour, "line-width": mark.width / POINT}
        if mark.dash is not None:
            paint["line-dasharray"] = [part / mark.width for part in mark.dash]
        paper.line([_points(point) for point in mark.points], paint)
    elif isinstance(mark, Patch):
        paper.area([_points(corner) for corner in mark.corners], {"fill-color": mark.fill})
    else:
        _disc(paper, mark)


def _disc(paper: Paper, mark: Disc) -> None:
    edge: Json = {"circle-stroke-color": mark.edge, "circle-stroke-width": 0.2 / POINT}
    paper.circle(_points(mark.at), {"circle-color": mark.fill, "circle-radius": mark.radius / POINT} | edge)
