"""Judges readings before they are written: what can be told without the readings that stand already."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from geoservice.observations.calibration import CALIBRATED, Calibration, apply, is_marked, marked
from geoservice.observations.streams import Stream, Unfit

FUTURE = dt.timedelta(minutes=10)
"""How far a clock of a station may be ahead."""
EARLIEST = dt.datetime(1800, 1, 1, tzinfo=dt.UTC)
"""Readings before are taken for errors."""
MISSING = "missing"
QUALITIES = frozenset(
    {"good", "estimated", "suspect", "bad", "missing", "unchecked", "calibration", "maintenance", CALIBRATED}
)
"""Codes of the list observation-quality@1."""
NUMERIC = ("Measurement", "CountObservation")
Mask = npt.NDArray[np.bool_]
_CONTENT = ("number", "text", "json", "quality", "phenomenon_end", "valid_begin", "valid_end", "parameters", "foi")


@dataclass(frozen=True, slots=True)
class Flaw:
    """Why a reading cannot be written: its position in the source, the rule it breaks, a sentence."""

    position: int
    rule: str
    reason: str


@dataclass
class Judged:
    """Readings that may be written, in the columns of the landing table but for the batch; flaws; doubles."""

    rows: pa.Table
    flaws: list[Flaw]
    doubles: dict[int, int] = field(default_factory=dict)
    """Position of a reading -> position of the same one before it."""


def judge(
    readings: pa.Table, codes: npt.NDArray[np.int64], streams: Sequence[Stream | Unfit], now: dt.datetime
) -> Judged:
    """Judge readings.

    Args:
        readings: In the columns of `reading.SCHEMA`.
        codes: Per reading the place of its datastream in `streams`.
        streams: What the names of the readings stand for.
        now: Time of the writer's clock.
    """
    table = readings.combine_chunks()
    bench = _Bench(table, codes, streams, now)
    for rule in (_unread, _unnamed, _untimed, _unended, _unknown_quality, _unvalued):
        rule(bench)
    bench.calibrate()
    _unbelieved(bench)
    good = np.flatnonzero(bench.open)
    rows = _landing(bench.table.take(pa.array(good)), codes[good], streams, bench.numbers[good])
    rows, doubles = _without_doubles(rows, bench)
    return Judged(rows, sorted(bench.flaws, key=lambda flaw: flaw.position), doubles)


class _Bench:
    """Readings under judgement: `open` are those without a flaw so far, `numbers` are in the datastreams' units."""

    def __init__(
        self, table: pa.Table, codes: npt.NDArray[np.int64], streams: Sequence[Stream | Unfit], now: dt.datetime
    ) -> None:
        self.table, self.codes, self.streams, self.now = table, codes, streams, now
        self.open: Mask = np.ones(table.num_rows, dtype=bool)
        self.flaws: list[Flaw] = []
        self.positions = table["position"].to_numpy()
        given = table["number"].to_numpy(zero_copy_only=False).astype(float)
        self.valued: Mask = table["number"].is_valid().to_numpy(zero_copy_only=False)
        self.numbers: npt.NDArray[np.float64] = given * self.each(lambda s: s.conversion.factor, 1.0)
        self.numbers += self.each(lambda s: s.conversion.shift, 0.0)

    def calibrate(self) -> None:
        """Calibrate numbers whose datastream declares how; what says that it was done already stays as it is."""
        declared = {n: s.calibrations for n, s in enumerate(self.streams) if isinstance(s, Stream) and s.calibrations}
        if not declared:
            return
        chosen = np.flatnonzero(self.open & self.valued & np.isin(self.codes, list(declared)))
        qualities, parameters = (self.table[name].to_pylist() for name in ("quality", "parameters"))
        rows: dict[int, tuple[Calibration, ...]] = {
            row: declared[int(self.codes[row])]
            for row in chosen.tolist()
            if not is_marked(parameters[row], qualities[row])
        }
        made = apply(self.numbers, self.moments("phenomenon_time")[0], rows)
        self.numbers = made.numbers
        endless = self.valued & ~np.isfinite(made.numbers)
        self.refuse(endless, "number", lambda _: "The calibrated result is not a finite number.")
        for row, told in made.told.items():
            parameters[row] = marked(parameters[row], told)
            qualities[row] = CALIBRATED if qualities[row] in (None, "good") else qualities[row]
        for name, values in (("quality", qualities), ("parameters", parameters)):
            place = self.table.schema.get_field_index(name)
            self.table = self.table.set_column(place, name, pa.array(values, pa.string()))

    def each(self, what: Callable[[Stream], float | None], otherwise: float) -> npt.NDArray[np.float64]:
        """A number of each reading's datastream."""
        values = [otherwise if isinstance(s, Unfit) or (v := what(s)) is None else v for s in self.streams]
        return np.array(values or [otherwise], dtype=float)[self.codes]

    def stream(self, row: int) -> Stream | Unfit:
        """The datastream of a reading."""
        return self.streams[int(self.codes[row])]

    def moments(self, column: str) -> tuple[npt.NDArray[np.int64], Mask]:
        """Microseconds since 1970 of a column, and where there is a time at all."""
        moments = self.table[column]
        valid: Mask = moments.is_valid().to_numpy(zero_copy_only=False)
        return moments.cast(pa.int64()).fill_null(0).to_numpy(), valid

    def refuse(self, which: Mask, rule: str, reason: Callable[[int], str]) -> None:
        """Note a flaw of those readings that have none yet."""
        for row in np.flatnonzero(which & self.open):
            self.flaws.append(Flaw(int(self.positions[row]), rule, reason(int(row))))
        self.open &= ~which

    def text(self, column: str, row: int) -> str:
        """A value as text, for sentences."""
        return str(self.table[column][row].as_py())[:80]


def _unread(bench: _Bench) -> None:
    flawed = bench.table["flaw"].is_valid().to_numpy(zero_copy_only=False)
    bench.refuse(flawed, "unreadable", lambda row: str(bench.table["flaw"][row].as_py()))


def _unnamed(bench: _Bench) -> None:
    unfit = np.array([isinstance(s, Unfit) for s in bench.streams] or [False])[bench.codes]
    for rule in sorted({s.rule for s in bench.streams if isinstance(s, Unfit)}):
        of_rule = np.array([isinstance(s, Unfit) and s.rule == rule for s in bench.streams])[bench.codes]
        bench.refuse(unfit & of_rule, rule, lambda row: _reason(bench.stream(row)))


def _reason(stream: Stream | Unfit) -> str:
    return stream.reason if isinstance(stream, Unfit) else ""


def _untimed(bench: _Bench) -> None:
    times, there = bench.moments("phenomenon_time")
    results, resulted = bench.moments("result_time")
    bench.refuse(~there, "time", lambda _: "The reading says no time.")
    bench.refuse(
        times < _micros(EARLIEST), "time", lambda row: f"{bench.text('phenomenon_time', row)} is before the year 1800."
    )
    limit = _micros(bench.now + FUTURE)
    ahead = (times > limit) | (resulted & (results > limit))
    bench.refuse(
        ahead,
        "future",
        lambda row: f"{bench.text('phenomenon_time', row)} is more than ten minutes after this service's clock.",
    )
    oldest = bench.each(lambda s: None if s.oldest is None else float(_micros(s.oldest)), -np.inf)
    bench.refuse(
        times < oldest,
        "expired",
        lambda row: f"Readings of {bench.text('phenomenon_time', row)} are not kept any more by the rule of retention.",
    )


def _unended(bench: _Bench) -> None:
    begins, _ = bench.moments("phenomenon_time")
    ends, ended = bench.moments("phenomenon_end")
    bench.refuse(ended & (ends < begins), "time", lambda _: "The reading ends before it begins.")
    valid_from, opened = bench.moments("valid_begin")
    valid_to, closed = bench.moments("valid_end")
    bench.refuse(opened & closed & (valid_to < valid_from), "time", lambda _: "The valid time ends before it begins.")


def _unknown_quality(bench: _Bench) -> None:
    known = pc.is_in(bench.table["quality"], pa.array([*sorted(QUALITIES), None], pa.string()))
    bench.refuse(
        ~known.to_numpy(zero_copy_only=False),
        "quality",
        lambda row: f"{bench.text('quality', row)!r} is no quality; it is one of {', '.join(sorted(QUALITIES))}.",
    )


def _unvalued(bench: _Bench) -> None:
    """Numbers where numbers are due, and a result at all."""
    bench.refuse(
        bench.valued & ~np.isfinite(bench.numbers), "number", lambda _: "The result is not a finite number (NaN, ±inf)."
    )
    told = bench.valued.copy()
    for column in ("text", "json"):
        told |= bench.table[column].is_valid().to_numpy(zero_copy_only=False)
    lacks = pc.equal(bench.table["quality"], MISSING).fill_null(False).to_numpy(zero_copy_only=False)
    bench.refuse(~told & ~lacks, "result", lambda _: "The reading has no result; say quality missing if that is meant.")
    numeric = np.array([isinstance(s, Stream) and s.kind in NUMERIC for s in bench.streams] or [False])[bench.codes]
    bench.refuse(told & ~bench.valued & numeric, "number", lambda _: "The datastream takes numbers only.")
    counts = np.array([isinstance(s, Stream) and s.kind == NUMERIC[1] for s in bench.streams] or [False])[bench.codes]
    with np.errstate(invalid="ignore"):
        broken = bench.valued & (bench.numbers != np.floor(bench.numbers))
    bench.refuse(counts & broken, "number", lambda _: "The datastream takes whole numbers only.")


def _unbelieved(bench: _Bench) -> None:
    lowest, highest = bench.each(lambda s: s.lowest, -np.inf), bench.each(lambda s: s.highest, np.inf)
    with np.errstate(invalid="ignore"):
        outside = bench.valued & ((bench.numbers < lowest) | (bench.numbers > highest))
    bench.refuse(
        outside,
        "range",
        lambda row: (
            f"{bench.numbers[row]:g} is not between {lowest[row]:g} and {highest[row]:g} (in the datastream's unit)."
        ),
    )


def _micros(moment: dt.datetime) -> int:
    return round(moment.timestamp() * 1_000_000)


def _landing(
    table: pa.Table,
    codes: npt.NDArray[np.int64],
    streams: Sequence[Stream | Unfit],
    numbers: npt.NDArray[np.float64],
) -> pa.Table:
    ids = np.array([s.id if isinstance(s, Stream) else 0 for s in streams] or [0], dtype=np.int64)
    levels = np.array([s.clearance if isinstance(s, Stream) else 0 for s in streams] or [0], dtype=np.int64)
    absent = table["number"].is_null().to_numpy(zero_copy_only=False)
    effective = pc.coalesce(table["result_time"], table["phenomenon_end"], table["phenomenon_time"])
    kept = ("text", "json", "quality", "valid_begin", "valid_end", "parameters", "foi")
    return pa.table(
        {
            "position": table["position"],
            "stream": ids[codes],
            "clearance": levels[codes],
            "phenomenon_time": table["phenomenon_time"],
            "phenomenon_end": table["phenomenon_end"],
            "given": table["result_time"],
            "result_time": effective,
            "number": pa.array(numbers, mask=absent),
            **{name: table[name] for name in kept},
        }
    )


def _without_doubles(rows: pa.Table, bench: _Bench) -> tuple[pa.Table, dict[int, int]]:
    """Take off readings of a time and result time that the source had before: the same, or contradicting, ones."""
    keys = [rows[name].cast(pa.int64()).to_numpy() for name in ("position", "result_time", "phenomenon_time", "stream")]
    order = np.lexsort(keys)
    later = np.ones(max(len(order) - 1, 0), dtype=bool)
    for key in keys[1:]:
        later &= key[order][1:] == key[order][:-1]
    if not later.any():
        return rows, {}
    doubles: dict[int, int] = {}
    dropped = np.zeros(len(order), dtype=bool)
    for first, second in _pairs(order, later):
        dropped[second] = True
        one, other = int(keys[0][first]), int(keys[0][second])
        if _same(rows, first, second):
            doubles[other] = one
        else:
            reason = f"Reading {one + 1} of the same source has the same times and another content."
            bench.flaws.append(Flaw(other, "repeated", reason))
    return rows.take(pa.array(np.flatnonzero(~dropped))), doubles


def _pairs(order: npt.NDArray[np.intp], later: Mask) -> Iterator[tuple[int, int]]:
    """First row of each run of equal keys with each of those after it."""
    first = 0
    for place, repeated in enumerate(later, start=1):
        if repeated:
            yield int(order[first]), int(order[place])
        else:
            first = place


def _same(rows: pa.Table, one: int, other: int) -> bool:
    def content(row: int) -> tuple[Any, ...]:
        return tuple(rows[name][row].as_py() for name in _CONTENT)

    return content(one) == content(other)
