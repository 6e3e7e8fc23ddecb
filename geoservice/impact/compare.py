"""What differs between two impacts: of two zones, or of one zone at two times. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from layers.impact import Figure, GroupFigure, ImpactAnswer, ImpactSection

_DECIMALS = 4


def compared(first: ImpactAnswer, second: ImpactAnswer) -> list[dict[str, Any]]:
    """Per layer of either answer: the totals, and what the second has more (or less, below zero) by group.

    A difference is null where one of the two has no data: that is not zero.
    """
    ours = {section.layer: section for section in first.sections}
    theirs = {section.layer: section for section in second.sections}
    return [_section(ours.get(name), theirs.get(name)) for name in dict.fromkeys((*ours, *theirs))]


def _section(first: ImpactSection | None, second: ImpactSection | None) -> dict[str, Any]:
    shown = first or second
    if shown is None:
        raise ValueError("a layer of neither answer was compared")
    before, after = _total(first), _total(second)
    return {
        "layer": shown.layer,
        "title": shown.title.model_dump(),
        "role": shown.role,
        "measure": shown.measure,
        "unit": shown.unit,
        "first": _value(before),
        "second": _value(after),
        "difference": _difference(before, after),
        "count_difference": None if before is None or after is None else (after.count or 0) - (before.count or 0),
        "same_edition": first is not None and second is not None and first.edition == second.edition,
        "rows": [] if before is None or after is None else _rows(_rows_of(first), _rows_of(second)),
    }


def _rows(first: Sequence[GroupFigure], second: Sequence[GroupFigure]) -> list[dict[str, Any]]:
    ours, theirs = ({row.code: row for row in rows} for rows in (first, second))
    made = []
    for code in dict.fromkeys((*ours, *theirs)):
        before, after = ours.get(code), theirs.get(code)
        named = before or after
        told = {"code": code, "label": None if named is None else named.label.model_dump()}
        pair = {"first": _value(before) or 0.0, "second": _value(after) or 0.0}
        made.append({**told, **pair, "difference": round(pair["second"] - pair["first"], _DECIMALS)})
    return made


def _total(section: ImpactSection | None) -> Figure | None:
    return None if section is None else section.total


def _rows_of(section: ImpactSection | None) -> Sequence[GroupFigure]:
    return () if section is None else section.rows


def _value(figure: Figure | None) -> float | None:
    return None if figure is None else figure.value


def _difference(first: Figure | None, second: Figure | None) -> float | None:
    return None if first is None or second is None else round(second.value - first.value, _DECIMALS)
