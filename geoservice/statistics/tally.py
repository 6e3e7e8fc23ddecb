"""Figures that add up: what is known of a group of rows, whichever parts it was put together from.

Sums are decimal numbers of more digits than any of them needs, so that the order of rows changes nothing.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Context, Decimal
from typing import Any, TypeAlias

from geoservice.statistics.wish import Measure

Value: TypeAlias = int | float | str | None
_EXACT = Context(prec=100)
_ZERO = Decimal(0)


@dataclass
class Held:
    """What an attribute says in a group: how many values (of cells: shares), their sum, the lowest, the highest."""

    number: int | Decimal = 0
    total: Decimal = _ZERO
    low: Any = None
    high: Any = None

    def add(self, other: Held) -> None:
        """Take another group in."""
        if not other.number:
            return
        self.total = _EXACT.add(self.total, other.total)
        # Texts have no ends.
        if other.low is not None:
            self.low = other.low if not self.number else min(self.low, other.low)
            self.high = other.high if not self.number else max(self.high, other.high)
        self.number += other.number


@dataclass
class Tally:
    """What is known of a group: number of rows, m2, m, and what attributes say."""

    features: int = 0
    area: Decimal = _ZERO
    length: Decimal = _ZERO
    held: dict[str, Held] = field(default_factory=dict)

    def add(self, other: Tally) -> None:
        """Take another group in."""
        self.features += other.features
        self.area = _EXACT.add(self.area, other.area)
        self.length = _EXACT.add(self.length, other.length)
        for name, held in other.held.items():
            self.held.setdefault(name, Held()).add(held)

    def value(self, measure: Measure) -> Value:
        """A figure; None where there is nothing to be said, which is not zero. Shares are told by `values`."""
        if measure.attribute is None:
            return {"count": self.features, "area": plain(self.area), "length": plain(self.length)}.get(measure.kind)
        held = self.held.get(measure.attribute, Held())
        if measure.kind == "missing":
            return int(self.features - held.number)
        if not held.number:
            return None
        mean = _EXACT.divide(held.total, Decimal(held.number)) if measure.kind == "mean" else None
        return plain({"sum": held.total, "mean": mean, "min": held.low, "max": held.high}[measure.kind])

    def values(self, measures: Iterable[Measure], whole: tuple[Measure, Value]) -> dict[str, Value]:
        """All figures by name.

        Args:
            measures: Which.
            whole: Of what shares are told: a measure and its value for all rows together.
        """
        return {one.name: self._share(*whole) if one.kind == "share" else self.value(one) for one in measures}

    def _share(self, measure: Measure, whole: Value) -> Value:
        part = self.value(measure)
        if not isinstance(whole, int | float) or not isinstance(part, int | float) or not whole:
            return None
        return part / whole


def together(tallies: Iterable[Tally]) -> Tally:
    """All groups as one."""
    whole = Tally()
    for tally in tallies:
        whole.add(tally)
    return whole


def exact(number: float) -> Decimal:
    """A double as PostgreSQL makes a numeric of it: with 15 digits."""
    return Decimal(f"{number:.15g}")


def added(numbers: Iterable[float]) -> Decimal:
    """The sum of doubles in decimal, in whichever order they come."""
    total = _ZERO
    for number in numbers:
        total = _EXACT.add(total, exact(number))
    return total


def plain(value: Any) -> Value:
    """A value as JSON knows it; what is no finite number is None."""
    if value is None or isinstance(value, str | int):
        return value
    if isinstance(value, dt.datetime):
        return value.astimezone(dt.UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, dt.date):
        return value.isoformat()
    number = float(value)
    return number if math.isfinite(number) else None


def tally_of(row: Mapping[str, Any], attributes: tuple[str, ...]) -> Tally:
    """The tally that a row of `grouped_statement` tells."""
    held = {
        name: Held(row[f"n_{i}"], row[f"s_{i}"] or _ZERO, row[f"low_{i}"], row[f"high_{i}"])
        for i, name in enumerate(attributes)
    }
    return Tally(int(row["features"]), row["area"] or _ZERO, row["length"] or _ZERO, held)
