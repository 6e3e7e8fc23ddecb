"""What the values of a source look like: per attribute the range, empty values, frequent values, histogram, periods.

Everything is added chunk by chunk in constant memory, and profiles of parts merge to exactly the profile of the whole:
bins have widths that are powers of two and edges that are multiples of the width, so the final bins follow from the
smallest and the largest value alone; periods are days, months, years or decades by the same rule; frequent values are
counted until there are too many different ones, and then not at all.

Only what every reader of the layer may see is profiled: the rows and attributes that lie no higher than the layer, so
that a report can be shown to all who may read it.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import BaseModel, ConfigDict, Field

from layers.access import Clearance
from layers.model import Attribute, RowLayer

MOST_VALUES = 500
"""Attributes with more different values than this have no table of frequent values."""
MOST_BINS = 64
MOST_PERIODS = 120
_SHOWN = 60
_EXACT_BITS = 50
"""Bins are never so narrow that their number would not fit the 53 bits of a double."""
_LEAST_EXPONENT = -1074
"""Two to this power is the least positive double."""
_UNITS: tuple[Literal["day", "month", "year", "decade"], ...] = ("day", "month", "year", "decade")
_EPOCH = 1970

Numbers = npt.NDArray[Any]
Cut = Annotated[str, Field(max_length=_SHOWN)]


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Bins(_Value):
    """A histogram: bin i holds the values from (first + i) * 2**exponent up to, not including, the next edge."""

    exponent: int
    first: int
    counts: tuple[int, ...] = Field(max_length=MOST_BINS)

    def edges(self) -> tuple[float, ...]:
        """The edges of the bins, one more than there are bins."""
        return tuple(math.ldexp(self.first + i, self.exponent) for i in range(len(self.counts) + 1))


class Periods(_Value):
    """Counts per day, month, year or decade (UTC); `first` counts those units from 1970."""

    unit: Literal["day", "month", "year", "decade"]
    first: int
    counts: tuple[int, ...] = Field(max_length=MOST_PERIODS)

    def labels(self) -> tuple[str, ...]:
        """The periods as `2026-04-01`, `2026-04`, `2026` or `2020s`."""
        return tuple(_label(self.unit, self.first + i) for i in range(len(self.counts)))


class AttributeProfile(_Value):
    """What the values of one attribute look like.

    Attributes:
        attribute: Name of the attribute.
        rows: Rows profiled. nulls: rows without a (finite) value.
        minimum, maximum: Of numbers as they are, of dates and times as ISO 8601 text; None for texts.
        values: Value -> how often, for texts, codes and truth values; None when there are more than `MOST_VALUES`.
            Long values are cut.
        bins: Histogram of a number. periods: counts of a date or time.
    """

    attribute: str
    rows: int = Field(ge=0)
    nulls: int = Field(ge=0)
    minimum: float | int | Cut | None = None
    maximum: float | int | Cut | None = None
    values: Annotated[dict[Cut, int], Field(max_length=MOST_VALUES)] | None = None
    bins: Bins | None = None
    periods: Periods | None = None


class Profiler:
    """Profiles the good rows of a layer, batch by batch."""

    def __init__(self, layer: RowLayer) -> None:
        """Start with nothing seen."""
        self._layer = layer
        open_to_all = {n: a for n, a in layer.attributes.items() if a.effective_clearance(layer) <= layer.clearance}
        self._seen = [_new(name, attribute) for name, attribute in open_to_all.items()]

    def add(self, batch: pa.RecordBatch) -> None:
        """Take the rows of a batch; it holds at least the attributes of the layer."""
        rows = _open_rows(self._layer, batch)
        for attribute in self._seen:
            attribute.add(rows.column(attribute.name))

    def result(self) -> tuple[AttributeProfile, ...]:
        """The profiles in the order of the layer's attributes; none when no row was seen."""
        return tuple(attribute.profile() for attribute in self._seen if attribute.rows)


def merged(profiles: Iterable[AttributeProfile]) -> tuple[AttributeProfile, ...]:
    """One profile per attribute, from those of several parts of a source."""
    found: dict[str, AttributeProfile] = {}
    for one in profiles:
        found[one.attribute] = _joined(found[one.attribute], one) if one.attribute in found else one
    return tuple(found.values())


def _open_rows(layer: RowLayer, batch: pa.RecordBatch) -> pa.RecordBatch:
    if layer.row_clearance is None:
        return batch
    # What states a clearance that is none counts as the highest; what states none has the layer's own.
    low = pa.array([None, *(level.label for level in Clearance if level <= layer.clearance)], pa.string())
    return batch.filter(pc.is_in(batch.column(layer.row_clearance), value_set=low))


def _new(name: str, attribute: Attribute) -> _Attribute:
    kinds: Mapping[str, type[_Attribute]] = {
        "integer": _Numeric,
        "number": _Numeric,
        "date": _Temporal,
        "datetime": _Temporal,
    }
    return kinds.get(attribute.type, _Worded)(name)


@dataclass
class _Attribute:
    """Running figures of one attribute."""

    name: str
    rows: int = 0
    nulls: int = 0

    def add(self, column: pa.Array) -> None:
        """Take the values of a batch."""
        self.rows += len(column)
        self.nulls += column.null_count
        if column.null_count < len(column):
            self.take(column)

    def take(self, column: pa.Array) -> None:
        """Take a column that has at least one value."""
        raise NotImplementedError

    def profile(self) -> AttributeProfile:
        """The figures as a value."""
        return AttributeProfile(attribute=self.name, rows=self.rows, nulls=self.nulls, **self.parts())

    def parts(self) -> dict[str, Any]:
        """What this kind of attribute adds to the profile."""
        raise NotImplementedError


@dataclass
class _Worded(_Attribute):
    """Texts, codes and truth values: how often each."""

    counts: Counter[str] | None = field(default_factory=Counter)

    def take(self, column: pa.Array) -> None:
        if self.counts is None:
            return
        found = pc.value_counts(column.drop_null())
        for value, count in zip(found.field(0).to_pylist(), found.field(1).to_pylist(), strict=True):
            self.counts[_text(value)] += count
        if len(self.counts) > MOST_VALUES:
            self.counts = None

    def parts(self) -> dict[str, Any]:
        return {"values": None if self.counts is None else dict(_ranked(self.counts))}


@dataclass
class _Numeric(_Attribute):
    """Numbers: range and histogram."""

    minimum: float | int | None = None
    maximum: float | int | None = None
    bins: Bins | None = None

    def take(self, column: pa.Array) -> None:
        values = column.drop_null().to_numpy(zero_copy_only=False)
        if values.dtype.kind == "f":
            finite = values[np.isfinite(values)]
            self.nulls += len(values) - len(finite)
            values = finite
        if not len(values):
            return
        low, high = values.min().item(), values.max().item()
        self.minimum = low if self.minimum is None else min(self.minimum, low)
        self.maximum = high if self.maximum is None else max(self.maximum, high)
        exponent = _exponent(self.minimum, self.maximum)
        fresh = _binned(values, exponent)
        self.bins = fresh if self.bins is None else _added(_widened(self.bins, exponent), fresh)

    def parts(self) -> dict[str, Any]:
        return {"minimum": self.minimum, "maximum": self.maximum, "bins": self.bins}


@dataclass
class _Temporal(_Attribute):
    """Dates and times (UTC): range and counts per period."""

    minimum: np.datetime64 | None = None
    maximum: np.datetime64 | None = None
    periods: Periods | None = None

    def take(self, column: pa.Array) -> None:
        kept = column.drop_null()
        naive = kept.cast(pa.timestamp("us")) if pa.types.is_timestamp(kept.type) else kept
        moments = naive.to_numpy(zero_copy_only=False)
        low, high = moments.min(), moments.max()
        self.minimum = low if self.minimum is None else min(self.minimum, low)
        self.maximum = high if self.maximum is None else max(self.maximum, high)
        fresh = _counted(moments.astype("datetime64[D]"))
        self.periods = fresh if self.periods is None else _together(self.periods, fresh)

    def parts(self) -> dict[str, Any]:
        return {"minimum": _iso(self.minimum), "maximum": _iso(self.maximum), "periods": self.periods}


def _iso(value: np.datetime64 | None) -> str | None:
    # Python's own dates end with the year 9999; those of a source need not.
    if value is None:
        return None
    is_day = np.datetime_data(value.dtype)[0] == "D"
    return str(value) if is_day else f"{np.datetime_as_string(value, unit='s')}Z"


def _text(value: object) -> str:
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"


def _ranked(counts: Mapping[str, int]) -> list[tuple[str, int]]:
    """Most frequent first; ties in the order of the text, so that parts and the whole agree."""
    return sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))


def _exponent(low: float, high: float) -> int:
    """The narrowest power of two whose multiples divide the range into at most `MOST_BINS` bins."""
    whole = isinstance(low, int) and isinstance(high, int)
    least = 0 if whole else max(_magnitude(low), _magnitude(high), _LEAST_EXPONENT + _EXACT_BITS) - _EXACT_BITS
    if low == high:
        return least
    # Divided first, because the width of the range may exceed the largest double.
    found = max(least, math.frexp(high / MOST_BINS - low / MOST_BINS)[1] - 2)
    while _place(high, found) - _place(low, found) >= MOST_BINS:
        found += 1
    return found


def _magnitude(value: float) -> int:
    return math.frexp(value)[1] if value else _LEAST_EXPONENT


def _place(value: float, exponent: int) -> int:
    if isinstance(value, int):
        return value >> exponent
    return math.floor(math.ldexp(value, -exponent) or max(min(value, 0.0), -1.0))


def _binned(values: Numbers, exponent: int) -> Bins:
    if values.dtype.kind == "f":
        scaled = np.ldexp(values, -exponent)
        # What becomes too small for a double must stay below zero if it was.
        places = np.floor(np.where(scaled == 0, np.clip(values, -1, 0), scaled)).astype(np.int64)
    else:
        places = values.astype(np.int64) >> exponent
    first = int(places.min())
    return Bins(exponent=exponent, first=first, counts=tuple(np.bincount(places - first).tolist()))


def _widened(bins: Bins, exponent: int) -> Bins:
    """The same counts in bins of a greater width."""
    if exponent == bins.exponent:
        return bins
    places = [(bins.first + i) >> (exponent - bins.exponent) for i in range(len(bins.counts))]
    counts = [0] * (places[-1] - places[0] + 1)
    for place, count in zip(places, bins.counts, strict=True):
        counts[place - places[0]] += count
    return Bins(exponent=exponent, first=places[0], counts=tuple(counts))


def _added(one: Bins, other: Bins) -> Bins:
    first, counts = _overlaid((one.first, one.counts), (other.first, other.counts))
    return Bins(exponent=one.exponent, first=first, counts=counts)


def _overlaid(*parts: tuple[int, tuple[int, ...]]) -> tuple[int, tuple[int, ...]]:
    first = min(start for start, _ in parts)
    counts = [0] * (max(start + len(these) for start, these in parts) - first)
    for start, these in parts:
        for i, count in enumerate(these):
            counts[start - first + i] += count
    return first, tuple(counts)


def _counted(days: Numbers) -> Periods:
    for unit in _UNITS:
        places = _units(days, unit)
        first, last = int(places.min()), int(places.max())
        if last - first < MOST_PERIODS or unit == _UNITS[-1]:
            break
    places = np.maximum(places, last - MOST_PERIODS + 1)
    first = int(places.min())
    return Periods(unit=unit, first=first, counts=tuple(np.bincount(places - first).tolist()))


def _units(days: Numbers, unit: str) -> Numbers:
    if unit == "day":
        return days.astype(np.int64)
    if unit == "month":
        return days.astype("datetime64[M]").astype(np.int64)
    years = days.astype("datetime64[Y]").astype(np.int64)
    return years if unit == "year" else (years + _EPOCH) // 10 - _EPOCH // 10


def _together(one: Periods, other: Periods) -> Periods:
    """Counts of both in the finer of the units that is coarse enough."""
    for unit in _UNITS[max(_UNITS.index(one.unit), _UNITS.index(other.unit)) :]:
        first, counts = _overlaid(_coarser(one, unit), _coarser(other, unit))
        if len(counts) <= MOST_PERIODS:
            break
    else:
        over = len(counts) - MOST_PERIODS
        first, counts = first + over, (sum(counts[: over + 1]), *counts[over + 1 :])
    return Periods(unit=unit, first=first, counts=counts)


def _coarser(periods: Periods, unit: str) -> tuple[int, tuple[int, ...]]:
    if unit == periods.unit:
        return periods.first, periods.counts
    days = np.array([_start(periods.unit, periods.first + i) for i in range(len(periods.counts))], "datetime64[D]")
    places = _units(days, unit)
    first = int(places.min())
    totals = np.bincount(places - first, weights=np.array(periods.counts, dtype=np.float64))
    return first, tuple(int(total) for total in totals)


def _start(unit: str, place: int) -> str:
    """The first day of a period, as text."""
    if unit == "day":
        return str(np.datetime64(place, "D"))
    if unit == "month":
        return f"{np.datetime64(place, 'M')}-01"
    year = place if unit == "year" else (place + _EPOCH // 10) * 10 - _EPOCH
    return f"{np.datetime64(year, 'Y')}-01-01"


def _label(unit: str, place: int) -> str:
    start = _start(unit, place)
    cut = {"day": len(start), "month": -3, "year": -6, "decade": -6}[unit]
    return f"{start[:cut]}s" if unit == "decade" else start[:cut]


def _joined(one: AttributeProfile, other: AttributeProfile) -> AttributeProfile:
    """The profile of the rows of both."""
    values = None
    if one.values is not None and other.values is not None:
        counts = Counter(one.values) + Counter(other.values)
        values = dict(_ranked(counts)) if len(counts) <= MOST_VALUES else None
    return AttributeProfile(
        attribute=one.attribute,
        rows=one.rows + other.rows,
        nulls=one.nulls + other.nulls,
        minimum=_extreme(min, one.minimum, other.minimum),
        maximum=_extreme(max, one.maximum, other.maximum),
        values=values,
        bins=_joined_bins(one, other),
        periods=_joined_periods(one.periods, other.periods),
    )


def _extreme(choose: Any, one: Any, other: Any) -> Any:
    known = [value for value in (one, other) if value is not None]
    return choose(known) if known else None


def _joined_bins(one: AttributeProfile, other: AttributeProfile) -> Bins | None:
    if one.bins is None or other.bins is None:
        return one.bins or other.bins
    low, high = _extreme(min, one.minimum, other.minimum), _extreme(max, one.maximum, other.maximum)
    exponent = max(_exponent(low, high), one.bins.exponent, other.bins.exponent)
    return _added(_widened(one.bins, exponent), _widened(other.bins, exponent))


def _joined_periods(one: Periods | None, other: Periods | None) -> Periods | None:
    if one is None or other is None:
        return one or other
    return _together(one, other)
