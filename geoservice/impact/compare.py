"""What differs between two impacts: of two zones, or of one zone at two times. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from layers.impact import Figure, GroupFigure, ImpactAnswer, ImpactSection

_DECIMALS = 4


def compared(first: ImpactAnswer, second: ImpactAnswer) -> list[dict[str, Any]]:
    """Per layer of either answer: the totals, and what the second has more (or less, below zero) by group.

    Where one of the two has no data, its values and the differences are null: that is not zero. A group of which one
    side has data and finds no feature is null there as well and named under `absent`; it counts as nothing.
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
        "first_status": "absent" if first is None else first.status,
        "second_status": "absent" if second is None else second.status,
        "rows": _rows(first, second),
    }


def _rows(first: ImpactSection | None, second: ImpactSection | None) -> list[dict[str, Any]]:
    sides = {"first": first, "second": second}
    known = [name for name, section in sides.items() if _total(section) is not None]
    groups = {name: {row.code: row for row in _rows_of(section)} for name, section in sides.items()}
    return [_row(code, {n: rows.get(code) for n, rows in groups.items()}, known) for code in _codes(groups)]


def _codes(groups: Mapping[str, Mapping[str | None, GroupFigure]]) -> Iterable[str | None]:
    return dict.fromkeys(code for rows in groups.values() for code in rows)


def _row(code: str | None, sides: Mapping[str, GroupFigure | None], known: Sequence[str]) -> dict[str, Any]:
    label = next((one.label.model_dump() for one in sides.values() if one is not None), None)
    values = {name: _value(one) for name, one in sides.items()}
    before, after = ((values[name] or 0.0) if name in known else None for name in ("first", "second"))
    return {
        "code": code,
        "label": label,
        **values,
        "difference": None if before is None or after is None else round(after - before, _DECIMALS),
        "absent": [name for name in known if values[name] is None],
    }


def _total(section: ImpactSection | None) -> Figure | None:
    return None if section is None else section.total


def _rows_of(section: ImpactSection | None) -> Sequence[GroupFigure]:
    return () if section is None else section.rows


def _value(figure: Figure | None) -> float | None:
    return None if figure is None else figure.value


def _difference(first: Figure | None, second: Figure | None) -> float | None:
    return None if first is None or second is None else round(second.value - first.value, _DECIMALS)
