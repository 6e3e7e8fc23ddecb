"""Schedules against planned times written out by hand, over nights, daylight saving and downtime."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest
import sqlalchemy as sa

from geoservice.db.credentials import Role
from geoservice.db.engine import Database
from geoservice.jobs.intake import Schedule, read_intake
from geoservice.jobs.schedule import tick
from layers.errors import ConfigurationError, UnknownLayer
from layers.system import job as table
from tests.support.loading import trial_catalog, trial_layer

CATALOG = trial_catalog(trial_layer())


def at(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text).replace(tzinfo=dt.UTC)


def plan(**changes: str) -> Schedule:
    return Schedule.model_validate(
        {
            "name": "n",
            "cron": "30 2 * * *",
            "zone": "Asia/Shanghai",
            "layer": "trial",
            "source": "/srv/a.gpkg",
            **changes,
        }
    )


@pytest.mark.parametrize(
    ("cron", "zone", "now", "latest"),
    [
        ("30 2 * * *", "Asia/Shanghai", "2026-07-10T18:30:00", "2026-07-10T18:30:00"),
        ("30 2 * * *", "Asia/Shanghai", "2026-07-10T18:29:59", "2026-07-09T18:30:00"),
        ("*/15 * * * *", "UTC", "2026-07-10T10:14:00", "2026-07-10T10:00:00"),
        ("0 3 * * mon", "UTC", "2026-07-10T00:00:00", "2026-07-06T03:00:00"),
        ("0 12 * * *", "Europe/Berlin", "2026-03-28T23:00:00", "2026-03-28T11:00:00"),
        ("0 12 * * *", "Europe/Berlin", "2026-03-29T23:00:00", "2026-03-29T10:00:00"),
    ],
)
def test_planned_times(cron: str, zone: str, now: str, latest: str) -> None:
    assert plan(cron=cron, zone=zone).latest(at(now)) == at(latest)


def ticks(database: Database, schedule: Schedule, *moments: str) -> list[bool]:
    made = []
    for moment in moments:
        with database.transaction(Role.WRITER) as connection:
            made.append(tick(connection, CATALOG, schedule, at(moment)) is not None)
            connection.execute(sa.update(table).values(state="done"))
    return made


def test_one_job_for_each_time_and_one_for_all_missed(database: Database) -> None:
    made = ticks(
        database,
        plan(),
        "2026-07-10T12:00:00",  # first seen: nothing is made up for
        "2026-07-10T18:29:00",
        "2026-07-10T18:30:05",  # its time
        "2026-07-10T18:31:00",
        "2026-07-15T09:00:00",  # five days nobody was there
        "2026-07-15T09:00:01",
        "2026-07-15T18:30:00",
    )
    assert made == [False, False, True, False, True, False, True]


def test_no_second_job_while_the_first_one_waits(database: Database) -> None:
    minutely = plan(cron="* * * * *")
    with database.transaction(Role.WRITER) as connection:
        assert tick(connection, CATALOG, minutely, at("2026-07-10T12:00:00")) is None
        assert tick(connection, CATALOG, minutely, at("2026-07-10T12:01:00")) is not None
        assert tick(connection, CATALOG, minutely, at("2026-07-10T12:02:00")) is None
        connection.execute(sa.update(table).values(state="done"))
        assert tick(connection, CATALOG, minutely, at("2026-07-10T12:03:00")) is not None


def test_a_tick_that_is_rolled_back_comes_again(database: Database) -> None:
    ticks(database, plan(), "2026-07-10T12:00:00")
    with database.sync_engine(Role.WRITER).connect() as connection:
        assert tick(connection, CATALOG, plan(), at("2026-07-10T18:30:00")) is not None
        connection.rollback()
    assert ticks(database, plan(), "2026-07-10T18:30:01") == [True]


def test_an_unknown_layer_is_said(database: Database) -> None:
    ticks(database, plan(layer="nowhere"), "2026-07-10T12:00:00")
    with pytest.raises(UnknownLayer), database.transaction(Role.WRITER) as connection:
        tick(connection, CATALOG, plan(layer="nowhere"), at("2026-07-11T12:00:00"))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("format: 2", "wrong at format"),
        ("format: 1\nwatch: [{folder: in}]", "whole path"),
        ("format: 1\nwatch: [{folder: /a, color: red}]", "color"),
        ("format: 1\nwatch: [{folder: /a}, {folder: /a}]", "same folder twice"),
        ("format: 1\nschedules: [{name: a, cron: '61 * * * *', layer: b, source: c}]", "cron expression"),
        ("format: 1\nschedules: [{name: a, cron: '* * * * *', zone: Mars/Base, layer: b, source: c}]", "time zone"),
        ("format: [", "cannot be read"),
        ("- 1", "wrong at"),
    ],
)
def test_wrong_watch_files_name_the_place(tmp_path: Path, text: str, expected: str) -> None:
    file = tmp_path / "watch.yaml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigurationError, match=expected):
        read_intake(file)


def test_no_watch_file_is_nothing(tmp_path: Path) -> None:
    assert read_intake(None).watch == ()
    with pytest.raises(ConfigurationError, match="cannot be read"):
        read_intake(tmp_path / "absent.yaml")
