"""The legend of a printed map: classes in view, layer by layer, in columns."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from layers.maplibre import LegendClass
from layers.model import Text
from web.sheet.letters import wrapped
from web.sheet.marks import INK, Disc, Mark, Patch, Rect, Stroke, Words
from web.sheet.view import Group, SheetView
from web.texts import text

SIZE, HEAD = 2.6, 3.2
_STEP, _SWATCH, _ROOM, _MOST_LINES = 3.5, (6.0, 2.8), 8.0, 2


@dataclass(frozen=True, slots=True)
class _Row:
    """One entry: its lines, and its swatch; None for the title of a layer."""

    lines: tuple[str, ...]
    shown: LegendClass | None
    height: float


def legend_marks(view: SheetView, room: Rect, unit: float, columns: int) -> Iterator[Mark]:
    """The legend; what has no room is counted in a last line.

    Args:
        view: What the map says; it has a legend.
        room: Where it stands.
        unit: How much larger than on A4 letters are.
        columns: How many columns it has.
    """
    heading = " ".join(dict.fromkeys(text("print_legend", language) for language in view.languages))
    yield Words((room.x, room.y + 2 * unit), heading, HEAD * unit, bold=True)
    top, gap = room.y + 5.4 * unit, 3 * unit
    below = Rect(room.x, top, room.width, room.bottom - top)
    # Where one column more holds everything, or more of it, it is worth its narrower lines.
    for number in (columns, columns + 1):
        wide = (room.width - gap * (number - 1)) / number
        rows = [row for group in view.legend or () for row in _rows(group, view.languages, wide, unit)]
        placed = _placed(rows, below, number, wide + gap, unit)
        if len(placed) == len(rows):
            break
    for row, at in zip(rows, placed, strict=False):
        yield from _drawn(row, at, unit)
    if rest := sum(1 for one in rows[len(placed) :] if one.shown is not None):
        words = text("print_more", view.languages[0]).replace("{n}", str(rest))
        at = (room.x + (number - 1) * (wide + gap), room.bottom - _STEP * unit / 2)
        yield Words(at, words, SIZE * unit)


def _placed(rows: list[_Row], room: Rect, columns: int, step: float, unit: float) -> list[tuple[float, float]]:
    """Where rows stand, as far as they have room; the last column keeps a line for what has none."""
    found: list[tuple[float, float]] = []
    column, y = 0, room.y
    for number, row in enumerate(rows):
        # A title does not stand alone at the end of a column.
        needed = row.height + (rows[number + 1].height if row.shown is None and number + 1 < len(rows) else 0)
        kept = _STEP * unit if column == columns - 1 and number < len(rows) - 1 else 0.0
        if y + needed > room.bottom - kept:
            if column == columns - 1:
                break
            column, y = column + 1, room.y
        found.append((room.x + column * step, y))
        y += row.height
    return found


def _rows(group: Group, languages: tuple[str, ...], wide: float, unit: float) -> Iterator[_Row]:
    single = len(group.classes) == 1 and group.classes[0].label == group.title
    if not single:
        lines = wrapped(_named(group.title, languages), SIZE * unit, wide, _MOST_LINES)
        yield _Row(tuple(lines), None, len(lines) * _STEP * unit)
    for one in group.classes:
        lines = wrapped(_named(one.label, languages), SIZE * unit, wide - _ROOM * unit, _MOST_LINES)
        yield _Row(tuple(lines), one, (len(lines) * _STEP + 0.4) * unit)


def _named(title: Text, languages: tuple[str, ...]) -> str:
    return " ".join(dict.fromkeys(title.of(language) for language in languages))


def _drawn(row: _Row, at: tuple[float, float], unit: float) -> Iterator[Mark]:
    (x, y), step = at, _STEP * unit
    if row.shown is not None:
        wide, high = _SWATCH[0] * unit, _SWATCH[1] * unit
        yield from swatch(row.shown, Rect(x, y + (step - high) / 2, wide, high), unit)
        x += _ROOM * unit
    for number, line in enumerate(row.lines):
        yield Words((x, y + (number + 0.5) * step), line, SIZE * unit, bold=row.shown is None)


def swatch(shown: LegendClass, box: Rect, unit: float) -> Iterator[Mark]:
    """The sign of a class in a box."""
    middle = box.y + box.height / 2
    if shown.shape == "circle":
        yield Disc((box.x + box.width / 2, middle), box.height * 0.4, shown.colour, shown.outline or "#ffffff")
    elif shown.shape == "line":
        yield from _line(shown, ((box.x, middle), (box.right, middle)), unit)
    elif shown.shape == "ramp" and shown.colours:
        part = box.width / len(shown.colours)
        for n, colour in enumerate(shown.colours):
            yield Patch(Rect(box.x + n * part, box.y, part, box.height).corners, colour)
    else:
        yield from _patch(shown, box, unit)


def _line(shown: LegendClass, ends: tuple[tuple[float, float], tuple[float, float]], unit: float) -> Iterator[Mark]:
    # Widths of styles are in points; a swatch is no thicker than a line of text.
    wide = min(shown.width * 0.26, 1.6) * unit
    if shown.outline:
        yield Stroke(ends, wide + 0.4 * unit, shown.outline)
    yield Stroke(ends, wide, shown.colour, dash=(1.2 * unit, 0.8 * unit) if shown.dash else None)


def _patch(shown: LegendClass, box: Rect, unit: float) -> Iterator[Mark]:
    if shown.hatch:
        for n in range(3):
            left = box.x + box.width * n / 3
            yield Stroke(((left, box.bottom), (left + box.width / 3, box.y)), 0.35 * unit, shown.colour)
    else:
        yield Patch(box.corners, shown.colour)
    edge = shown.colour if shown.hatch else (shown.outline or INK)
    yield Stroke(box.ring, 0.15 * unit, edge)
