"""From tallies to the figures of a section: totals, groups, severity classes, divisions. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

from geoservice.analysis.sections import UNCLASSIFIED
from geoservice.impact.divisions import Divisions
from geoservice.impact.rounding import rounded_parts
from geoservice.impact.tally import Key, Sum
from geoservice.impact.zoned import Severity
from layers.area import SQUARE_METRES_PER_HECTARE, SQUARE_METRES_PER_MU
from layers.codelist import CodeList
from layers.hazard import Bound
from layers.impact import ClassFigure, DivisionFigure, Figure, GroupFigure, RankFigure
from layers.model import Text

HECTARE_DECIMALS, MU_DECIMALS = 4, 2
_NO_DIVISION = Text(zh="不在任何区划内", en="in no division")
_NOTHING = Sum()
_BEST: Bound = "best"


class Sums(Protocol):
    """Sums by some of rank, division and code."""

    def by(self, names: Sequence[str]) -> dict[Key, Sum]:
        """Sums in the order of their keys."""

    def unknown(self, names: Sequence[str]) -> frozenset[Key]:
        """Keys of which nothing is known, so that they have no sum, not even zero."""


@dataclass(frozen=True)
class Ledger:
    """All sums of a layer, at the best estimate and at the bounds there are.

    Attributes:
        sums: By estimate.
        codes: The codes that places stand for; empty where nothing is grouped.
        counted: Whether numbers of features are told.
    """

    sums: Mapping[Bound, Sums]
    codes: tuple[str | None, ...]
    counted: bool = True

    def table(self, names: Sequence[str]) -> dict[Key, dict[Bound, Sum]]:
        """Per key the sum of each estimate; keys that occur at the bounds only are there, too.

        An estimate of which nothing is known is left out.
        """
        made = {bound: sums.by(names) for bound, sums in self.sums.items()}
        unknown = {bound: sums.unknown(names) for bound, sums in self.sums.items()}
        keys = sorted({key for some in (*made.values(), *unknown.values()) for key in some})
        return {
            key: {bound: found.get(key, _NOTHING) for bound, found in made.items() if key not in unknown[bound]}
            for key in keys
        }

    def total(self) -> dict[Bound, Sum]:
        """Everything."""
        return self.table(()).get((), dict.fromkeys(self.sums, _NOTHING))


@dataclass(frozen=True)
class Words:
    """How figures are told: the code list of the groups, and whether they are areas."""

    codes: CodeList | None
    areas: bool

    def label(self, code: str | None) -> Text:
        """Name of a group."""
        if code is None:
            return UNCLASSIFIED
        found = self._labels.get(code)
        if found is None:
            # Thousands of divisions tell the same few groups.
            found = self._labels[code] = self._label(code)
        return found

    def order(self, code: str | None) -> tuple[bool, int, str]:
        """Where a group stands: in the order of the list, strangers after it, what has no class at the end."""
        return (code is None, self._places.get(code or "", len(self._places)), code or "")

    def _label(self, code: str) -> Text:
        if self.codes is None:
            return Text(zh=code, en=code)
        return Text(zh=self.codes.label(code, "zh"), en=self.codes.label(code, "en"))

    @cached_property
    def _labels(self) -> dict[str, Text]:
        return {}

    @cached_property
    def _places(self) -> dict[str, int]:
        return {one: place for place, one in enumerate(self.codes.codes)} if self.codes else {}


def figure_of(ledger: Ledger, sums: Mapping[Bound, Sum], words: Words) -> Figure:
    """A single figure."""
    found: Figure = _told([(Figure, {}, sums)], ledger, words)[0]
    return found


def group_figures(ledger: Ledger, words: Words) -> tuple[GroupFigure, ...]:
    """The figure of each group."""
    return _groups(ledger, ledger.table(("code",)), words)


def parent_figures(rows: Sequence[GroupFigure], words: Words) -> tuple[GroupFigure, ...]:
    """Groups by the first level of a code list that has levels, such as cultivated land; empty for other lists."""
    if words.codes is None or not any(code.parent for code in words.codes.codes.values()):
        return ()
    found: dict[str | None, list[GroupFigure]] = {}
    for row in rows:
        found.setdefault(_root(words.codes, row.code), []).append(row)
    made = []
    for code in sorted(found, key=words.order):
        bounds = {name: _added([getattr(row, name) for row in found[code]]) for name in ("low", "high", "ha", "mu")}
        value = round(sum(row.value for row in found[code]), 4)
        counts = [row.count for row in found[code] if row.count is not None]
        told = {"value": value, "count": sum(counts) if counts else None, **bounds}
        made.append(GroupFigure(code=code, label=words.label(code), **told))
    return tuple(made)


def class_figures(ledger: Ledger, classes: Sequence[Severity], words: Words) -> tuple[ClassFigure, ...]:
    """The figure of each severity class, also of those that hold nothing; not of those of which nothing is known."""
    by_rank = ledger.table(("rank",))
    rows = _nested(ledger.table(("rank", "code"))) if ledger.codes else {}
    empty = dict.fromkeys(ledger.sums, _NOTHING)
    named = [
        (
            ClassFigure,
            {
                "rank": one.rank,
                "code": one.code,
                "label": one.label,
                "rows": _groups(ledger, rows.get(one.rank, {}), words),
            },
            sums,
        )
        for one in classes
        if _BEST in (sums := by_rank.get((one.rank,), empty))
    ]
    return tuple(_told(named, ledger, words))


def division_figures(ledger: Ledger, divisions: Divisions, words: Words) -> tuple[DivisionFigure, ...]:
    """The figure of each division in which there is something, what lies in none at the end."""
    table = ledger.table(("division",))
    ranks = _nested(ledger.table(("division", "rank")))
    rows = _nested(ledger.table(("division", "code"))) if ledger.codes else {}
    named = []
    for key in sorted((key for key, sums in table.items() if _BEST in sums), key=lambda key: (key[0] < 0, key)):
        place = key[0]
        inside = [
            RankFigure(
                rank=rank[0],
                value=sums["best"].value,
                count=sums["best"].features if ledger.counted else None,
                **{name: sums[name].value for name in ("low", "high") if name in sums},
            )
            for rank, sums in ranks.get(place, {}).items()
            if _BEST in sums
        ]
        told = {**_division(divisions, place), "classes": tuple(inside)}
        named.append((DivisionFigure, {**told, "rows": _groups(ledger, rows.get(place, {}), words)}, table[key]))
    return tuple(_told(named, ledger, words))


def _groups(ledger: Ledger, table: Mapping[Key, Mapping[Bound, Sum]], words: Words) -> tuple[GroupFigure, ...]:
    by_code = sorted(((ledger.codes[key[0]], sums) for key, sums in table.items()), key=lambda one: words.order(one[0]))
    return tuple(
        _told([(GroupFigure, {"code": c, "label": words.label(c)}, sums) for c, sums in by_code], ledger, words)
    )


def _told(
    named: Sequence[tuple[Callable[..., Any], dict[str, Any], Mapping[Bound, Sum]]], ledger: Ledger, words: Words
) -> list[Any]:
    """Figures that are parts of one whole, so that their rounded areas add up."""
    best = [sums["best"].value for _, _, sums in named]
    extra: list[dict[str, float]] = [{} for _ in named]
    if words.areas:
        hectares = rounded_parts([value / SQUARE_METRES_PER_HECTARE for value in best], HECTARE_DECIMALS)
        mu = rounded_parts([value / SQUARE_METRES_PER_MU for value in best], MU_DECIMALS)
        extra = [{"ha": one, "mu": other} for one, other in zip(hectares, mu, strict=True)]
    made = []
    for (kind, given, sums), areas in zip(named, extra, strict=True):
        bounds = {name: sums[name].value for name in ("low", "high") if name in sums}
        count = sums["best"].features if ledger.counted else None
        made.append(kind(value=sums["best"].value, count=count, **bounds, **areas, **given))
    return made


def _nested(table: Mapping[Key, Mapping[Bound, Sum]]) -> dict[int, dict[Key, Mapping[Bound, Sum]]]:
    found: dict[int, dict[Key, Mapping[Bound, Sum]]] = {}
    for key, sums in table.items():
        found.setdefault(key[0], {})[key[1:]] = sums
    return found


def _division(divisions: Divisions, place: int) -> dict[str, Any]:
    if place < 0:
        return {"code": None, "label": _NO_DIVISION}
    member = divisions.members[place]
    return {"code": member.code, "label": member.label, "level": member.level, "parent": member.parent}


def _root(codes: CodeList, code: str | None) -> str | None:
    for _ in codes.codes:
        entry = codes.codes.get(code) if code is not None else None
        if entry is None or entry.parent is None:
            break
        code = entry.parent
    return code


def _added(values: Sequence[float | None]) -> float | None:
    there = [value for value in values if value is not None]
    return round(sum(there), 4) if there else None
