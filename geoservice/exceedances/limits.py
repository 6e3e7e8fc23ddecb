"""Which limits hold for a datastream, by day and edition, in its own unit."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal

from geoservice.edr.statements import Stream
from geoservice.observations.units import conversion
from layers.indices.answer import EditionUsed
from layers.indices.tables import Row, editions, table_of

Basis = Literal["reading", "hour", "day"]
Grade = Literal["1", "2"]
AIR, WATER, DECLARED = "GB 3095", "GB 3838", "declared"
CLASS = "3"
"""Class of surface water whose limits are watched: that of good water."""
_BEIJING = dt.timezone(dt.timedelta(hours=8))
"""Where the standards hold; the time zone has no summer time."""
_BASES: Mapping[str, Basis] = {"24h": "day", "1h": "hour", "8h": "reading"}
_WATER_ITEMS = {"dissolved_oxygen": "do"}
MOST_DECLARED = 8
"""Most declared thresholds of a datastream."""
_ENDLESS = 10**300
"""JSON may hold numbers that no reading can have."""


@dataclass(frozen=True)
class Kind:
    """What the limits of a datastream depend on.

    Attributes:
        property: Code of what is measured.
        unit: Code of the unit of its values; empty when it cannot be converted.
        symbol: How that unit is written.
        properties: What the datastream declares of itself, thresholds among it.
    """

    property: str
    unit: str
    symbol: str = ""
    properties: Mapping[str, Any] | None = None


def kind_of(stream: Stream) -> Kind:
    """The kind of a datastream."""
    return Kind(stream.property, stream.unit or "", stream.unit_symbol or "", stream.properties)


@dataclass(frozen=True)
class Limit:
    """A limit of a datastream during an interval.

    Attributes:
        basis: Of readings, or of means over hours or days.
        start, end: The interval (UTC), end excluded.
        value: The limit in the unit of the standard, as it is written there.
        unit: That unit.
        bound: In the unit of the datastream: beyond it (or on it, where `inclusive`) a value exceeds the limit at the
            decimals of the standard.
        below: Whether values must not be below the limit, instead of above.
        standard, edition, title: Where the limit comes from.
        level: The limit itself in the unit of the datastream.
    """

    basis: Basis
    start: dt.datetime
    end: dt.datetime
    value: float
    unit: str
    bound: float
    inclusive: bool
    below: bool
    standard: str
    edition: str | None
    title: str
    level: float

    def beyond(self, number: float) -> bool:
        """Whether a value in the unit of the datastream exceeds the limit."""
        if self.inclusive and number == self.bound:
            return True
        return number < self.bound if self.below else number > self.bound


def limits_of(kind: Kind, start: dt.datetime, end: dt.datetime, grade: Grade) -> Iterator[Limit]:
    """The limits of a datastream in an interval: one for each edition that held meanwhile.

    Of air: GB 3095 of a grade, for hours, days, and running means of 8 hours of ozone. Of surface water: class III of
    GB 3838 for rivers. Besides those thresholds that the datastream declares in its properties:
    `{"thresholds": [{"name": "warning", "above": 3.5, "basis": "reading"}]}`, in its own unit.
    """
    yield from standard_limits(kind, start, end, grade)
    yield from declared_limits(kind, start, end)


def standard_limits(kind: Kind, start: dt.datetime, end: dt.datetime, grade: Grade) -> Iterator[Limit]:
    """Those of standards alone: they depend on property and unit, and not on the datastream."""
    for edition in editions(AIR):
        yield from _within(kind, edition, start, end, lambda one: _of_air(kind, one, grade))
    for edition in editions(WATER):
        yield from _within(kind, edition, start, end, lambda one: _of_water(kind, one))


@dataclass(frozen=True)
class _Found:
    basis: Basis
    value: Decimal
    unit: str
    decimals: int
    below: bool
    title: str


def _within(kind: Kind, edition: EditionUsed, start: dt.datetime, end: dt.datetime, find: Any) -> Iterator[Limit]:
    first, last = max(start, _midnight(edition.start)), end if edition.end is None else min(end, _midnight(edition.end))
    if first >= last:
        return
    for one in find(edition):
        way = conversion(one.unit, kind.unit)
        if way is None:
            continue
        half = Decimal(5).scaleb(-one.decimals - 1)
        bound = one.value - half if one.below else one.value + half
        # Half-way values are rounded to the even digit, so that they exceed an odd limit and not an even one.
        inclusive = int(one.value.scaleb(one.decimals)) % 2 == 1
        yield Limit(
            basis=one.basis,
            start=first,
            end=last,
            value=float(one.value),
            unit=one.unit,
            bound=float(bound) * way.factor + way.shift,
            inclusive=inclusive,
            below=one.below,
            standard=edition.standard,
            edition=edition.edition,
            title=one.title,
            level=float(one.value) * way.factor + way.shift,
        )


def _of_air(kind: Kind, edition: EditionUsed, grade: Grade) -> Iterator[_Found]:
    item, eight = kind.property.removesuffix("_8h"), kind.property.endswith("_8h")
    for row in table_of(edition):
        basis = _BASES.get(row["averaging"])
        if row["item"] == item and basis is not None and eight == (row["averaging"] == "8h"):
            value, decimals = Decimal(row[f"grade{grade}"]), int(row["decimals"])
            yield _Found(basis, value, row["unit"], decimals, below=False, title=f"grade {grade}, {row['averaging']}")


def _of_water(kind: Kind, edition: EditionUsed) -> Iterator[_Found]:
    item = _WATER_ITEMS.get(kind.property, kind.property)
    for row in table_of(edition):
        if row["item"] == item and row["scope"] != "lake" and row["rule"] != "between":
            yield _water(row)


def _water(row: Row) -> _Found:
    value, decimals = Decimal(row[f"class{CLASS}"]), int(row["decimals"])
    return _Found("reading", value, row["unit"], decimals, below=row["rule"] == "least", title=f"class {CLASS}")


def declared_limits(kind: Kind, start: dt.datetime, end: dt.datetime) -> Iterator[Limit]:
    """Those that the datastream declares alone; what is no threshold is passed over."""
    told = (kind.properties or {}).get("thresholds")
    for one in (told if isinstance(told, list) else [])[:MOST_DECLARED]:
        if not isinstance(one, Mapping) or one.get("basis", "reading") not in ("reading", "hour", "day"):
            continue
        for side in ("above", "below"):
            value = one.get(side)
            if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < _ENDLESS:
                yield Limit(
                    basis=one.get("basis", "reading"),
                    start=start,
                    end=end,
                    value=float(value),
                    unit=kind.symbol or kind.unit,
                    bound=float(value),
                    inclusive=False,
                    below=side == "below",
                    standard=DECLARED,
                    edition=None,
                    title=str(one.get("name", side))[:80],
                    level=float(value),
                )


def _midnight(day: dt.date) -> dt.datetime:
    return dt.datetime.combine(day, dt.time(), _BEIJING).astimezone(dt.UTC)
