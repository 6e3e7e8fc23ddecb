"""Classes of many values at once: the same as the indices give, without telling how each was worked out.

A map of ten thousand stations needs the class of each; the whole answer of an index is for one of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from layers.indices import air, water
from layers.indices.answer import EditionUsed
from layers.indices.rounding import rounded
from layers.indices.tables import Row, rows, table_of

THRESHOLDS = "thresholds"
"""Scale of what is judged by thresholds of its own alone."""
_PRIMARY = 50
_AIR = ("pm25", "pm10", "so2", "no2", "co", "o3")


@dataclass(frozen=True)
class Verdict:
    """The class of a set of values.

    Attributes:
        code: The class, 1 for the best.
        worst: The items that decided; empty when none stands out.
        value: The index itself, where it is a number.
    """

    code: int
    worst: tuple[str, ...]
    value: int | None = None


@dataclass
class AirScorer:
    """Hourly air quality index (HJ 633) by one edition.

    Attributes:
        edition: The edition.
        units: Unit by item.
        by_day: Items of which the hourly index of this edition takes the mean of 24 hours.
    """

    edition: EditionUsed
    units: Mapping[str, str] = field(init=False)
    by_day: frozenset[str] = field(init=False)
    _rows: dict[str, tuple[int, list[Decimal], str]] = field(init=False)
    _known: dict[tuple[str, Decimal], int | None] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Read the breakpoints."""
        table = {(row["item"], row["averaging"]): row for row in table_of(self.edition)}
        found = {name: air.row_of(table, name, "hourly") for name in _AIR}
        self.units = {name: row["unit"] for name, row in found.items()}
        self.by_day = frozenset(name for name, row in found.items() if row["averaging"] == "24h")
        self._rows = {name: (int(row["decimals"]), _points(row), row["above"]) for name, row in found.items()}

    def judge(self, values: Mapping[str, float]) -> Verdict | None:
        """The index of values in the units of `units`; None when none of them gives one."""
        scores = {name: score for name, value in values.items() if (score := self._score(name, value)) is not None}
        if not scores:
            return None
        index = max(scores.values())
        worst = tuple(name for name, score in scores.items() if score == index and score > _PRIMARY)
        return Verdict(int(air.level(index).code), worst, index)

    def _score(self, name: str, value: float) -> int | None:
        decimals, points, above = self._rows[name]
        compared = rounded(max(value, 0.0), decimals)
        known = (name, compared)
        if known not in self._known:
            self._known[known] = air.sub_index(compared, points, above)[0]
        return self._known[known]


@dataclass
class WaterScorer:
    """Class of surface water of rivers (GB 3838) by one edition, of the items by which sections are assessed."""

    edition: EditionUsed
    units: Mapping[str, str] = field(init=False)
    _rows: dict[str, Row] = field(init=False)

    def __post_init__(self) -> None:
        """Read the limits."""
        chosen = (row for row in table_of(self.edition) if row["scope"] in ("any", "river") and row["section"] == "yes")
        self._rows = {row["item"]: row for row in chosen}
        self.units = {name: row["unit"] for name, row in self._rows.items()}

    def judge(self, values: Mapping[str, float]) -> Verdict | None:
        """The class of values in the units of `units`; None without any."""
        places = {name: self._class(self._rows[name], value) for name, value in values.items()}
        if not places:
            return None
        worst = max(places.values())
        return Verdict(worst, tuple(name for name, place in places.items() if place == worst) if worst > 1 else ())

    def _class(self, row: Row, value: float) -> int:
        compared = rounded(value, int(row["decimals"]))
        kept = (n for n in range(1, _WORST) if water.keeps(compared, row[f"class{n}"], row["rule"]))
        return next(kept, _WORST)


_WORST = sum(row["scale"] == "surface-water" for row in rows("classes"))


def _points(row: Row) -> list[Decimal]:
    return [Decimal(row[f"b{node}"]) for node in air.NODES if row[f"b{node}"]]
