"""Profiles of attributes: right by counting again, the same in parts as in one piece, nothing above the layer."""

from __future__ import annotations

import datetime as dt
import math
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.profile import MOST_BINS, MOST_PERIODS, MOST_VALUES, AttributeProfile, Profiler, merged
from ingest.wire import arrow_type
from layers.model import TableLayer
from tests.support.loading import trial_layer

NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
WHOLE = st.integers(-(2**63), 2**63 - 1)
DAYS = st.dates()


def table(kind: str, **attribute: Any) -> TableLayer:
    layer = trial_layer(
        kind="table",
        geometry=None,
        style=None,
        key=None,
        time=None,
        row_clearance=None,
        attributes={"value": {"type": kind, **attribute}},
        sources={},
    )
    assert isinstance(layer, TableLayer)
    return layer


def profile(kind: str, *chunks: Sequence[object], **attribute: Any) -> AttributeProfile:
    profiler = Profiler(table(kind, **attribute))
    for chunk in chunks:
        profiler.add(pa.record_batch([pa.array(chunk, arrow_type(kind))], names=["value"]))
    (found,) = profiler.result()
    return found


def parts(kind: str, chunks: Sequence[Sequence[object]]) -> AttributeProfile:
    (found,) = merged([profile(kind, chunk) for chunk in chunks if chunk])
    return found


@pytest.mark.parametrize(("kind", "values"), [("number", NUMBERS), ("integer", WHOLE), ("date", DAYS)])
def test_parts_and_chunks_give_the_profile_of_the_whole(kind: str, values: Any) -> None:
    @settings(max_examples=150, deadline=None)
    @given(st.lists(st.lists(values, max_size=20), min_size=1, max_size=5).filter(any))
    def check(chunks: list[list[Any]]) -> None:
        whole = profile(kind, [value for chunk in chunks for value in chunk])
        assert profile(kind, *chunks) == whole
        assert parts(kind, chunks) == whole
        assert parts(kind, chunks[::-1]) == whole

    check()


@settings(max_examples=100, deadline=None)
@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=200))
def test_bins_count_as_numpy_does(values: list[float]) -> None:
    found = profile("number", values)
    assert found.bins is not None
    edges = np.array(found.bins.edges())
    # numpy closes the last bin at the right; a value there does not occur, because our last edge lies above all.
    assert np.histogram(values, edges)[0].tolist() == list(found.bins.counts)
    assert len(found.bins.counts) <= MOST_BINS
    assert edges[0] <= min(values) == found.minimum
    assert edges[-1] > max(values) == found.maximum


def test_a_usual_range_is_shown_in_many_bins() -> None:
    found = profile("number", np.random.default_rng(1).normal(50, 10, 10_000))
    assert found.bins is not None
    assert len(found.bins.counts) > MOST_BINS / 2 - 2


def test_extreme_numbers_do_no_harm() -> None:
    found = profile("number", [1e308, -1e308, 5e-324, 0.0, math.nan, math.inf, None])
    assert (found.rows, found.nulls, found.minimum, found.maximum) == (7, 3, -1e308, 1e308)
    assert found.bins is not None
    assert sum(found.bins.counts) == 4


@settings(max_examples=100, deadline=None)
@given(st.lists(DAYS, min_size=1, max_size=50))
def test_periods_count_every_day_once(days: list[dt.date]) -> None:
    found = profile("date", days)
    assert found.periods is not None
    assert sum(found.periods.counts) == len(days)
    assert len(found.periods.counts) <= MOST_PERIODS
    assert (found.minimum, found.maximum) == (min(days).isoformat(), max(days).isoformat())
    if found.periods.unit in ("day", "month", "year"):
        size = {"day": 10, "month": 7, "year": 4}[found.periods.unit]
        expected = Counter(day.isoformat()[:size] for day in days)
        counted = zip(found.periods.labels(), found.periods.counts, strict=True)
        assert {label: count for label, count in counted if count} == expected


def test_decades_are_named_by_their_first_year() -> None:
    found = profile("date", [dt.date(1760, 1, 1), dt.date(1969, 12, 31), dt.date(1970, 1, 1), dt.date(2026, 5, 1)])
    assert found.periods is not None
    named = {x: n for x, n in zip(found.periods.labels(), found.periods.counts, strict=True) if n}
    assert named == {"1760s": 1, "1960s": 1, "1970s": 1, "2020s": 1}


def test_times_are_counted_in_utc() -> None:
    moment = dt.datetime(2026, 1, 1, 3, tzinfo=dt.timezone(dt.timedelta(hours=8)))
    found = profile("datetime", [moment])
    assert found.periods is not None
    assert found.periods.labels() == ("2025-12-31",)
    assert found.minimum == "2025-12-31T19:00:00Z"


def test_frequent_values_come_first_until_there_are_too_many() -> None:
    found = profile("text", ["b", "a", None], ["b", "c" * 100])
    assert found.values == {"b": 2, "a": 1, "c" * 59 + "…": 1}
    assert list(found.values) == ["b", "a", "c" * 59 + "…"]
    many = [str(n) for n in range(MOST_VALUES + 1)]
    assert profile("text", many).values is None
    assert parts("text", [many[:300], many[300:]]).values is None
    assert profile("text", many[:-1]).values is not None


def trial_batch(levels: Sequence[str | None]) -> pa.RecordBatch:
    return pa.record_batch(
        {
            "code": [str(place) for place in range(len(levels))],
            "name": [f"CNRY-{level}" for level in levels],
            "amount": [float(place) for place in range(len(levels))],
            "level": pa.array(levels, pa.string()),
            "secret": ["CNRY-secret"] * len(levels),
            "seen": pa.array([None] * len(levels), pa.date32()),
        }
    )


@pytest.mark.parametrize(
    ("clearance", "shown"),
    [("public", {"public", "None"}), ("internal", {"public", "internal", "None"})],
)
def test_rows_and_attributes_above_the_layer_are_not_profiled(clearance: str, shown: set[str]) -> None:
    profiler = Profiler(trial_layer(clearance=clearance))  # type: ignore[arg-type]
    profiler.add(trial_batch(["public", "internal", "restricted", "RESTRICTED", "unheard-of", None]))
    found = {one.attribute: one for one in profiler.result()}
    assert set(found["name"].values or ()) == {f"CNRY-{level}" for level in shown}
    assert found["amount"].rows == len(shown)
    assert "secret" not in found


def test_without_a_clearance_of_rows_and_attributes_all_is_profiled() -> None:
    """Negative control of the test above."""
    attributes = {name: {"type": "text"} for name in ("code", "name", "level", "secret")}
    layer = trial_layer(row_clearance=None, attributes=attributes, time=None)
    profiler = Profiler(layer)  # type: ignore[arg-type]
    profiler.add(trial_batch(["public", "restricted"]))
    found = {one.attribute: one for one in profiler.result()}
    assert found["name"].rows == 2
    assert found["secret"].values == {"CNRY-secret": 2}
