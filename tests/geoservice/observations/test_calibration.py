"""Readings are calibrated by what their datastream, or its sensor, declares for the time at which they were read."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

import pytest
import sqlalchemy as sa

from geoservice.db.credentials import Role
from geoservice.db.engine import Database
from geoservice.observations.calibration import calibrations_of
from geoservice.observations.reading import Reading
from geoservice.observations.tables import datastream, sensor
from tests.support.observing import HOUR, NOON, level, rolled, seen, station, stored, written

FIRST = {"from": "2026-03-01T00:00:00Z", "until": "2026-03-01T14:00:00Z", "factor": 1.1, "offset": -0.5}
SECOND = {"from": "2026-03-01T14:00:00Z", "factor": 2}


@pytest.fixture
def gauge(obs: Database) -> Database:
    """A gauge with one datastream, `g:level`, in metres."""
    station(obs, "g", level("g:level", "g"))
    return obs


def declare(database: Database, table: sa.Table, *some: Mapping[str, Any]) -> None:
    properties = {"calibrations": list(some)} if some else None
    with database.transaction(Role.WRITER) as connection:
        connection.execute(sa.update(table).values(properties=properties))


def at(hours: float, result: Any, **said: Any) -> Reading:
    return Reading(NOON + hours * HOUR, result, **{"datastream": "g:level", **said})


def told(database: Database) -> list[tuple[Any, ...]]:
    return [
        (number, quality, None if parameters is None else parameters["calibration"]["raw"])
        for number, quality, parameters in stored(database, "number", "quality", "parameters")
    ]


def test_each_reading_is_calibrated_by_what_held_when_it_was_read(gauge: Database) -> None:
    """Worked out by hand: 10 x 1.1 - 0.5, 10 x 2; before the first span nothing is known, and nothing done."""
    declare(gauge, datastream, FIRST, SECOND)
    written(gauge, [at(-13, 10.0), at(0, 10.0), at(1.9, 1000.0, unit="cm"), at(2, 10.0)])
    assert [number for number, *_ in told(gauge)] == pytest.approx([10.0, 10.5, 10.5, 20.0])
    assert [rest for _, *rest in told(gauge)] == [[None, None], *[["calibrated", 10.0]] * 3]
    (parameters,) = stored(gauge, "parameters")[1]
    assert parameters["calibration"] == {"raw": 10.0, "factor": 1.1, "offset": -0.5, "from": "2026-03-01T00:00:00Z"}


def test_without_a_declaration_nothing_is_touched(gauge: Database) -> None:
    """Negative control."""
    written(gauge, [at(0, 10.0)])
    assert told(gauge) == [(10.0, None, None)]


async def test_calibrated_values_count_and_what_is_bad_stays_bad(gauge: Database) -> None:
    declare(gauge, datastream, FIRST)
    written(gauge, [at(0, 10.0, quality="good"), at(0.5, 20.0, quality="bad"), at(0.7, 20.0, quality="suspect")])
    assert [row[:2] for row in told(gauge)] == [(10.5, "calibrated"), (21.5, "bad"), (21.5, "suspect")]
    (hour,) = await rolled(gauge, "g:level", "hour")
    assert (hour.lowest, hour.highest) == (10.5, 21.5)
    (latest,) = await seen(gauge)
    assert latest.quality == "suspect"


def test_what_comes_back_from_here_is_not_calibrated_again(gauge: Database) -> None:
    declare(gauge, datastream, FIRST)
    written(gauge, [at(0, 10.0, parameters={"note": "kept"})])
    (row,) = stored(gauge, "number", "quality", "parameters")
    assert row[2]["note"] == "kept"
    same = written(gauge, [at(0, row[0], quality=row[1], parameters=row[2])])
    again = written(gauge, [at(0, 10.0, parameters={"note": "kept"})])
    assert (same.unchanged, again.unchanged) == (1, 1)
    assert len(stored(gauge, "id")) == 1


def test_a_later_list_changes_what_is_sent_again_and_nothing_else(gauge: Database) -> None:
    declare(gauge, datastream, FIRST)
    written(gauge, [at(0, 10.0), at(1, 10.0)])
    declare(gauge, datastream, {**FIRST, "factor": 3})
    assert written(gauge, [at(0, 10.0)]).revised == 1
    assert [(row[0], row[1]) for row in stored(gauge, "number", "superseded")] == [
        (10.5, True),
        (29.5, False),
        (10.5, False),
    ]


def test_a_sensor_may_declare_it_and_the_datastream_decides(gauge: Database) -> None:
    declare(gauge, sensor, SECOND)
    written(gauge, [at(3, 10.0)])
    declare(gauge, datastream, {**SECOND, "factor": 5})
    written(gauge, [at(4, 10.0)])
    assert [row[0] for row in told(gauge)] == [20.0, 50.0]


def test_limits_are_those_of_calibrated_values(gauge: Database) -> None:
    declare(
        gauge,
        datastream,
        {**SECOND, "factor": 1000},
    )
    outcome = written(gauge, [at(3, 10.0), at(1, 10.0)])
    assert [(flaw.position, flaw.rule) for flaw in outcome.flaws] == [(0, "range")]
    declare(gauge, datastream, {**SECOND, "factor": 1e308})
    assert [flaw.rule for flaw in written(gauge, [at(3, 100.0)]).flaws] == ["number"]


BAD = [
    "twice",
    [1],
    [{"factor": 2}],
    [{**FIRST, "colour": "red"}],
    [{**FIRST, "factor": 0}],
    [{**FIRST, "factor": True}],
    [{**FIRST, "offset": "1"}],
    [{**FIRST, "until": FIRST["from"]}],
    [{**FIRST, "from": "yesterday"}],
    [SECOND, FIRST],
    [FIRST, {**SECOND, "from": "2026-03-01T13:59:59Z"}],
    [SECOND, {**SECOND, "from": "2027-03-01T14:00:00Z"}],
]


@pytest.mark.parametrize("given", BAD, ids=range(len(BAD)))
def test_lists_that_cannot_be_applied_are_refused(given: Any) -> None:
    with pytest.raises(ValueError, match="calibrations is an array"):
        calibrations_of({"calibrations": given})


def test_a_list_that_was_spoiled_in_the_database_sets_readings_aside(gauge: Database) -> None:
    """Nobody knows what to do with them: writing them uncalibrated would be a guess."""
    with gauge.transaction(Role.WRITER) as connection:
        connection.execute(sa.update(datastream).values(properties={"calibrations": "twice"}))
    outcome = written(gauge, [at(0, 1.0)])
    assert [flaw.rule for flaw in outcome.flaws] == ["calibration"]
    assert stored(gauge, "id") == []


def test_spans_are_half_open() -> None:
    one, other = calibrations_of({"calibrations": [FIRST, SECOND]})
    assert one.ends == other.begins == dt.datetime(2026, 3, 1, 14, tzinfo=dt.UTC)
    assert (other.ends, other.factor, other.offset) == (None, 2.0, 0.0)
