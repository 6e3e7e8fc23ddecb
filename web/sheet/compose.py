"""Puts a printed map together: from what it says to marks at places of the paper."""

from __future__ import annotations

import math
from collections.abc import Iterator

from web.sheet.layout import Layout
from web.sheet.legend import legend_marks
from web.sheet.letters import clipped, text_width, wrapped
from web.sheet.marks import ALERT, GREY, INK, WHITE, Mark, Patch, Point, Rect, Stroke, Words
from web.sheet.view import SheetView
from web.texts import text

TITLE, SUBTITLE, SMALL, NOTE = 6.0, 3.2, 2.6, 2.1
_SCALE_HEIGHT, _LINE = 19.0, 1.35
_FACTS_SHARE = 0.5
_KILOMETRE, _METRE_MM = 1000.0, 1000.0
_STEPS = (1, 2, 4, 6, 8)
_PARTS = 4


def compose(view: SheetView, place: Layout) -> list[Mark]:
    """All marks of a printed map but the map itself, from bottom to top."""
    facts = facts_lines(view, place)
    step = NOTE * _LINE * place.unit
    column = place.facts
    below = Rect(column.x, column.bottom - len(facts) * step, column.width, len(facts) * step)
    scale_top = below.y - _SCALE_HEIGHT * place.unit
    if place.legend != place.facts:
        # Beside the legend the scale stands on top.
        scale_top, below = column.y, Rect(column.x, column.y + _SCALE_HEIGHT * place.unit, column.width, below.height)
    marks = [*view.grid, *_frame(place), *_head(view, place)]
    marks += _scale(view, Rect(column.x, scale_top, column.width, _SCALE_HEIGHT * place.unit), place.unit)
    marks += [
        Words((below.x, below.y + (n + 0.5) * step), line, NOTE * place.unit, colour=GREY)
        for n, line in enumerate(facts)
    ]
    if view.legend is not None:
        room = place.legend
        if place.legend == place.facts:
            room = Rect(room.x, room.y, room.width, scale_top - room.y - 2 * place.unit)
        marks += legend_marks(view, room, place.unit, place.columns)
    return [*marks, *(_exercise(place) if view.exercise else ())]


def facts_lines(view: SheetView, place: Layout) -> list[str]:
    """The remark and the facts as lines that fit; the remark comes first, what has no room is cut off."""
    size, column = NOTE * place.unit, place.facts
    step = size * _LINE
    share = _FACTS_SHARE if place.legend == place.facts and view.legend is not None else 1.0
    most = max(int((column.height * share - (1.0 if share == 1.0 else 0.0) * _SCALE_HEIGHT * place.unit) / step), 3)
    lines = [line for fact in view.facts for line in wrapped(fact, size, column.width)]
    room = max(most - len(lines), 2) if view.remark else 0
    remark = wrapped(view.remark, size, column.width, room) if view.remark else []
    found = [*remark, *lines]
    return found if len(found) <= most else [*found[: most - 1], clipped(f"{found[most - 1]} …", size, column.width)]


def say(key: str, view: SheetView) -> str:
    """A word in the languages of the map."""
    return " ".join(dict.fromkeys(text(key, language) for language in view.languages))


def _frame(place: Layout) -> Iterator[Mark]:
    thin, band = 0.2 * place.unit, 4.6 * place.unit
    yield Stroke(place.frame.ring, thin)
    yield Stroke(place.frame.grown(band).ring, 0.7 * place.unit)


def _head(view: SheetView, place: Layout) -> Iterator[Mark]:
    head, unit = place.head, place.unit
    room = head.width
    words = [say(key, view) for key, told in _told(view) if told]
    for word in words:
        wide = text_width(word, SUBTITLE * unit) + 4 * unit
        room -= wide + 2 * unit
        box = Rect(head.x + room + 2 * unit, head.y + 1.2 * unit, wide, 6.4 * unit)
        yield Patch(box.corners, "#fdeceb")
        yield Stroke(box.ring, 0.4 * unit, ALERT)
        middle = (box.x + wide / 2, box.y + box.height / 2)
        yield Words(middle, word, SUBTITLE * unit, "middle", ALERT, bold=True)
    title = clipped(view.title, TITLE * unit, room)
    # A longer title is set smaller before anything of it is cut off.
    size = TITLE * unit if title == view.title else TITLE * unit * 0.66
    yield Words((head.x, head.y + 4.4 * unit), clipped(view.title, size, room), size, bold=True)
    if view.subtitle:
        told = clipped(view.subtitle, SUBTITLE * unit, head.width)
        yield Words((head.x, head.y + 10.6 * unit), told, SUBTITLE * unit, colour=GREY)


def _told(view: SheetView) -> tuple[tuple[str, bool], ...]:
    return ("print_exercise", view.exercise), ("print_fictional", view.fictional)


def scale_bar(scale: int, room: float) -> float:
    """The longest length on the ground (m) of 1, 2, 4, 6 or 8 times a power of ten whose bar fits.

    Args:
        scale: Denominator of the scale.
        room: Millimetres.
    """
    most = room / _METRE_MM * scale
    power = 10.0 ** math.floor(math.log10(most))
    return max((n * power for n in _STEPS if n * power <= most), default=power)


def _scale(view: SheetView, box: Rect, unit: float) -> Iterator[Mark]:
    """Numeric scale, a bar that is true at the middle of the map, and the way to true north."""
    yield Words((box.x, box.y + 2.4 * unit), numeric(view.scale), 3.4 * unit, bold=True)
    length = scale_bar(view.scale, box.width - 22 * unit)
    wide, top, height = length / view.scale * _METRE_MM, box.y + 6.2 * unit, 1.6 * unit
    part = wide / _PARTS
    for n in range(_PARTS):
        corner = Rect(box.x + n * part, top, part, height)
        yield Patch(corner.corners, INK if n % 2 == 0 else WHITE)
    yield Stroke(Rect(box.x, top, wide, height).ring, 0.2 * unit)
    kilometres = length >= _KILOMETRE
    name = text("print_km" if kilometres else "print_m", view.languages[0])
    for n in (0, _PARTS // 2, _PARTS):
        value = length * n / _PARTS / (_KILOMETRE if kilometres else 1.0)
        words = f"{value:g} {name}" if n == _PARTS else f"{value:g}"
        yield Words((box.x + n * part, top + height + 2.2 * unit), words, SMALL * unit, "middle" if n else "start")
    yield from north_arrow((box.right - 8 * unit, box.y + 8.6 * unit), 7 * unit, view.north)


def numeric(scale: int) -> str:
    """A scale as it is written, such as `1 : 50 000`; the spaces keep the number together."""
    return f"1 : {scale:,}".replace(",", "\u00a0")


def north_arrow(middle: Point, half: float, turn: float) -> Iterator[Mark]:
    """An arrow to true north with its letter.

    Args:
        middle: Its middle.
        half: Half of its length.
        turn: Where north is, in degrees clockwise from the upper side of the paper.
    """
    angle = math.radians(turn)

    def at(right: float, up: float) -> Point:
        x, y = right * half, up * half
        return (
            middle[0] + x * math.cos(angle) + y * math.sin(angle),
            middle[1] + x * math.sin(angle) - y * math.cos(angle),
        )

    tip, foot, right, left = at(0, 0.75), at(0, -0.55), at(0.42, -0.85), at(-0.42, -0.85)
    yield Patch((tip, right, foot), INK)
    yield Patch((tip, left, foot), WHITE)
    yield Stroke((tip, right, foot, left, tip), half * 0.04)
    yield Stroke((tip, foot), half * 0.04)
    yield Words(at(0, 1.1), "N", half * 0.46, "middle", bold=True)


def _exercise(place: Layout) -> Iterator[Mark]:
    """A striped frame along the edge of the paper: an exercise must not be taken for anything else."""
    wide = 3.2 * place.unit
    edge = Rect(0, 0, place.width, place.height).grown(-wide / 2)
    yield Stroke(edge.ring, wide, "#ffd54a")
    yield Stroke(edge.ring, wide, ALERT, dash=(6 * place.unit, 6 * place.unit))
