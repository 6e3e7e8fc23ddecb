"""Readings are written once, revised by result time, converted, and set aside with a reason."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import Any

import pytest
import sqlalchemy as sa

from geoservice.db.credentials import Role
from geoservice.db.engine import Database
from geoservice.observations import quarantine, tables
from geoservice.observations.errors import ReadingsRefused
from geoservice.observations.reading import Reading
from geoservice.observations.register import ensure_properties
from layers.access import Clearance
from tests.support.observing import HOUR, NOON, SOURCE, level, points, seen, station, stored, written


@pytest.fixture
def gauge(obs: Database) -> Database:
    """A gauge with one datastream, `g:level`, in metres."""
    station(obs, "g", level("g:level", "g"))
    return obs


def at(hours: float, result: Any, **said: Any) -> Reading:
    return Reading(NOON + hours * HOUR, result, **{"datastream": "g:level", **said})


def counts(outcome: Any) -> tuple[int, int, int, int]:
    return outcome.inserted, outcome.revised, outcome.unchanged, outcome.quarantined


def test_a_second_load_changes_nothing(gauge: Database) -> None:
    readings = [at(i, float(i)) for i in range(48)]
    first, second = written(gauge, readings), written(gauge, readings)
    assert counts(first) == (48, 0, 0, 0)
    assert counts(second) == (0, 0, 48, 0)
    assert second.batch is None
    assert len(stored(gauge, "id")) == 48


async def test_a_reading_that_differs_is_a_revision_and_the_latest_result_counts(gauge: Database) -> None:
    written(gauge, [at(0, 1.0), at(1, 2.0)])
    assert counts(written(gauge, [at(0, 1.5), at(1, 2.0)])) == (0, 1, 1, 0)
    later, earlier = at(1, 2.9, result_time=NOON + 9 * HOUR), at(1, 2.1, result_time=NOON)
    assert counts(written(gauge, [later])) == (0, 1, 0, 0)
    # A result that came to be earlier arrives late: it is kept, and does not count.
    assert counts(written(gauge, [earlier])) == (0, 1, 0, 0)
    assert [p.result for p in await points(gauge, "g:level")] == [1.5, 2.9]
    assert len(stored(gauge, "id")) == 5
    (value,) = await seen(gauge)
    assert (value.result, value.time) == (2.9, NOON + HOUR)


def test_the_same_result_time_with_another_content_contradicts(gauge: Database) -> None:
    one = at(0, 1.0, result_time=NOON + HOUR)
    written(gauge, [one])
    outcome = written(gauge, [replace(one, result=2.0), one])
    assert [f.rule for f in outcome.flaws] == ["repeated", "contradicts"]
    assert counts(written(gauge, [replace(one, result=2.0)])) == (0, 0, 0, 1)
    assert stored(gauge, "number", "superseded") == [(1.0, False)]


def test_doubles_within_a_source(gauge: Database) -> None:
    outcome = written(gauge, [at(0, 1.0), at(0, 1.0), at(0, 2.0), at(1, 1.0)])
    assert counts(outcome) == (2, 0, 1, 1)
    assert [(f.position, f.rule) for f in outcome.flaws] == [(2, "repeated")]


def test_units_are_converted_or_refused(gauge: Database) -> None:
    outcome = written(gauge, [at(0, 100.0, unit="cm"), at(1, 10.0, unit="ft"), at(2, 3.0, unit="m³/s")])
    assert [f.rule for f in outcome.flaws] == ["unit"]
    assert [row[0] for row in stored(gauge, "number")] == pytest.approx([1.0, 3.048], rel=1e-12)


@pytest.mark.parametrize(
    ("reading", "rule"),
    [
        (at(0, 1.0, datastream="nobody"), "unknown"),
        (at(0, 1.0, datastream=None, station="g", property="pm25"), "unknown"),
        (at(0, float("nan")), "number"),
        (at(0, float("inf")), "number"),
        (at(0, "high"), "number"),
        (at(0, None), "result"),
        (at(0, 99_999.0), "range"),
        (at(0, 1.0, quality="splendid"), "quality"),
        (at(0, 1.0, end=NOON - HOUR), "time"),
        (replace(at(0, 1.0), time=dt.datetime(1492, 1, 1, tzinfo=dt.UTC)), "time"),
    ],
)
def test_what_is_wrong_is_set_aside_with_its_rule(gauge: Database, reading: Reading, rule: str) -> None:
    outcome = written(gauge, [at(5, 1.0), reading])
    assert [(f.position, f.rule) for f in outcome.flaws] == [(1, rule)]
    assert counts(outcome) == (1, 0, 0, 1)
    written(gauge, [reading])
    with gauge.transaction(Role.WRITER) as connection:
        waiting = quarantine.waiting(connection, 10)
    assert [(row["rule"], row["position"]) for row in waiting] == [(rule, 1)]


def test_the_future_begins_after_ten_minutes(gauge: Database) -> None:
    now = dt.datetime.now(dt.UTC)
    soon, late = (replace(at(0, 1.0), time=now + dt.timedelta(minutes=m)) for m in (9, 12))
    assert [(f.position, f.rule) for f in written(gauge, [soon, late]).flaws] == [(1, "future")]


def test_a_missing_reading_is_kept_as_missing(gauge: Database) -> None:
    assert counts(written(gauge, [at(0, None, quality="missing")])) == (1, 0, 0, 0)


def test_station_and_property_name_a_datastream_while_there_is_one(gauge: Database) -> None:
    named = at(0, 1.0, datastream=None, station="g", property="water_level")
    assert counts(written(gauge, [named])) == (1, 0, 0, 0)
    station(gauge, "g", level("g:other", "g"))
    assert [f.rule for f in written(gauge, [replace(named, time=NOON + HOUR)]).flaws] == ["ambiguous"]


def test_quarantine_is_replayed_once_the_station_is_known(gauge: Database) -> None:
    written(gauge, [at(0, 120.0, datastream="late", unit="cm", quality="good"), at(1, 1.0, datastream="never")])
    station(gauge, "h", level("late", "h"))
    with gauge.transaction(Role.WRITER) as connection:
        outcome = quarantine.replay(connection, "tester", 100)
    assert counts(outcome) == (1, 0, 0, 1)
    assert stored(gauge, "number", "quality", "phenomenon_time") == [(1.2, "good", NOON)]
    with gauge.transaction(Role.WRITER) as connection:
        assert [row["raw"]["datastream"] for row in quarantine.waiting(connection, 10)] == ["never"]
        assert quarantine.dismiss(connection, "unknown") == 1


def test_strict_writes_all_or_nothing_and_tells_numbers(gauge: Database) -> None:
    with pytest.raises(ReadingsRefused, match="nothing was written") as refused:
        written(gauge, [at(0, 1.0), at(1, float("nan"))], strict=True)
    assert refused.value.facts["findings"][0]["position"] == 1
    assert stored(gauge, "id") == []
    first = written(gauge, [at(0, 1.0), at(1, 2.0)], strict=True)
    again = written(gauge, [at(1, 2.0), at(1, 2.0), at(0, 1.0)], strict=True)
    assert again.numbers == {0: first.numbers[1], 1: first.numbers[1], 2: first.numbers[0]}
    assert {row[0] for row in stored(gauge, "id")} == set(first.numbers.values())


def test_who_writes_knows_no_datastream_above_them(obs: Database) -> None:
    station(obs, "g", level("g:level", "g"), clearance=Clearance.INTERNAL)
    assert [f.rule for f in written(obs, [at(0, 1.0)], replace(SOURCE, clearance=Clearance.PUBLIC)).flaws] == [
        "unknown"
    ]
    assert counts(written(obs, [at(0, 1.0)], replace(SOURCE, clearance=Clearance.INTERNAL))) == (1, 0, 0, 0)


def test_parts_are_months_lately_and_years_before(gauge: Database) -> None:
    old = dt.datetime(1961, 7, 20, tzinfo=dt.UTC)
    written(gauge, [replace(at(0, 1.0), time=old), replace(at(0, 1.0), time=old + 90 * 24 * HOUR), at(0, 2.0)])
    with gauge.transaction(Role.OWNER) as connection:
        names = sa.inspect(connection).get_table_names(schema="obs")
    assert {name for name in names if name.startswith("observation_")} == {"observation_1961", "observation_202603"}


def test_spans_of_datastreams_and_batches(gauge: Database) -> None:
    outcome = written(gauge, [at(3, 1.0), at(1, 1.0, end=NOON + 8 * HOUR)])
    with gauge.transaction(Role.WRITER) as connection:
        stream = connection.execute(sa.select(tables.datastream)).one()
        batch = connection.execute(sa.select(tables.batch)).one()
    assert (stream.phenomenon_begin, stream.phenomenon_end) == (NOON + HOUR, NOON + 8 * HOUR)
    assert (batch.id, batch.begins, batch.ends, batch.inserted) == (outcome.batch, NOON + HOUR, NOON + 8 * HOUR, 2)


def test_unknown_properties_have_no_limits(obs: Database) -> None:
    with obs.transaction(Role.WRITER) as connection:
        ensure_properties(connection, ["pm25", "oddity", "pm25"])
        rows = connection.execute(sa.select(tables.observed_property.c.code, tables.observed_property.c.highest)).all()
    assert dict(rows) == {"pm25": 5000.0, "oddity": None}
