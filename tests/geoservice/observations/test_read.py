"""Readers see latest values, series and roll-ups up to their clearance; the database holds where the code forgets."""

from __future__ import annotations

import datetime as dt
import math
from zoneinfo import ZoneInfo

import pandas as pd
import pytest
import sqlalchemy as sa

from geoservice.db.credentials import Role
from geoservice.db.engine import Database
from geoservice.observations import retention, rollup
from geoservice.observations.errors import UnknownStream
from geoservice.observations.read import Rollup, Wanted
from geoservice.observations.reading import Reading
from geoservice.observations.register import Station, ensure_stations, remove_streams
from geoservice.observations.removal import remove_readings
from geoservice.observations.tables import datastream, rollup_due, thing_location
from layers.access import Clearance
from layers.extent import Extent
from tests.support.observing import HOUR, NOON, level, points, rolled, seen, station, stored, written

SHANGHAI = "Asia/Shanghai"
READ = ("thing", "location", "thing_location", "sensor", "observed_property", "datastream", "observation", "latest")


@pytest.fixture
def three(obs: Database) -> Database:
    """A station per clearance with one reading each; the public one moved once."""
    for clearance in Clearance:
        name = clearance.label
        place = (100.0 + clearance, 30.0)
        station(obs, name, level(f"{name}:level", name), clearance=clearance, place=place)
        written(obs, [Reading(NOON, 1.0 + clearance, datastream=f"{name}:level")])
    return obs


@pytest.mark.parametrize("clearance", list(Clearance))
async def test_nobody_sees_above_their_clearance(three: Database, clearance: Clearance) -> None:
    names = [level.label for level in Clearance if level <= clearance]
    assert [value.station for value in await seen(three, clearance=clearance)] == names
    for level_ in Clearance:
        if level_ <= clearance:
            assert len(await points(three, f"{level_.label}:level", clearance)) == 1
        else:
            with pytest.raises(UnknownStream):
                await points(three, f"{level_.label}:level", clearance)


@pytest.mark.parametrize("table", READ)
def test_the_database_itself_hides_what_is_above(three: Database, table: str) -> None:
    """The second net: a reader that asks for everything gets what is theirs."""
    counted = sa.select(sa.func.count()).select_from(sa.table(table, schema="obs"))
    found = []
    for clearance in Clearance:
        with three.transaction(Role.reader(clearance)) as connection:
            found.append(connection.execute(counted).scalar_one())
    assert found == ([1, 1, 1] if table in ("sensor", "observed_property") else [1, 2, 3])


@pytest.mark.parametrize("table", ["batch", "quarantine", "retention", "followed"])
def test_books_are_for_the_writer(three: Database, table: str) -> None:
    counted = sa.select(sa.func.count()).select_from(sa.table(table, schema="obs"))
    denied = pytest.raises(sa.exc.ProgrammingError, match="permission denied")
    with denied, three.transaction(Role.READER_RESTRICTED) as connection:
        connection.execute(counted)


async def test_a_station_that_is_closed_takes_its_readings_along(three: Database) -> None:
    with three.transaction(Role.WRITER) as connection:
        ensure_stations(connection, [Station("public", "Public", (100.0, 30.0), clearance=Clearance.RESTRICTED)])
    rollup.refresh_all(three)
    assert await seen(three) == []
    assert len(await seen(three, clearance=Clearance.RESTRICTED)) == 3
    counted = sa.select(sa.func.count()).select_from(sa.table("rollup_day", schema="obs"))
    with three.transaction(Role.READER_PUBLIC) as connection:
        assert connection.execute(counted).scalar_one() == 0


async def test_latest_values_by_property_station_box_and_time(three: Database) -> None:
    async def stations(**said: object) -> list[str]:
        return [v.station for v in await seen(three, Wanted(**said), Clearance.RESTRICTED)]  # type: ignore[arg-type]

    assert await stations(properties=("pm25",)) == []
    assert await stations(properties=("water_level",), stations=("internal", "nobody")) == ["internal"]
    assert await stations(box=Extent(100.5, 29, 103, 31)) == ["internal", "restricted"]
    assert await stations(box=Extent(101.5, 29, 100.5, 31)) == ["public", "restricted"]
    assert await stations(since=NOON + HOUR) == []
    assert await stations(until=NOON) == []
    assert await stations(since=NOON, limit=2) == ["public", "internal"]


async def test_a_station_that_moved_is_where_it_is_now(three: Database) -> None:
    with three.transaction(Role.WRITER) as connection:
        ensure_stations(connection, [Station("public", "Public", (120.0, 25.0))])
    (value,) = await seen(three)
    assert (value.lon, value.lat, value.name) == (120.0, 25.0, "Public")
    with three.transaction(Role.READER_PUBLIC) as connection:
        ends = connection.execute(sa.select(thing_location.c.until).order_by(thing_location.c.id)).scalars().all()
    assert [end is None for end in ends] == [False, True]


def hourly(days: int, skip: int = 7) -> list[Reading]:
    """Readings every half hour, some missing, of a wave; absurd ones are marked as what does not count."""
    readings = [
        Reading(NOON + i * HOUR / 2, round(math.sin(i / 9) * 5, 3), datastream="g:level")
        for i in range(days * 48)
        if i % skip
    ]
    absurd = {"bad": 88.0, "missing": 99.0, "calibration": 111.0, "maintenance": -77.0}
    marked = [
        Reading(NOON + HOUR / 16 * place, value, datastream="g:level", quality=quality)
        for place, (quality, value) in enumerate(absurd.items(), start=1)
    ]
    return [*readings, *marked]


def figures(readings: list[Reading], step: str, due: float) -> list[tuple[object, ...]]:
    """The same figures by pandas, in the time zone of Shanghai."""
    counted = [r for r in readings if r.quality is None]
    frame = pd.DataFrame({"v": [r.result for r in counted]}, index=pd.DatetimeIndex([r.time for r in counted]))
    local = frame.tz_convert(SHANGHAI).resample({"hour": "h", "day": "D", "month": "MS"}[step])
    made = local.agg(["count", "min", "max", "mean"])["v"]
    whole = [
        (at + {"hour": HOUR, "day": pd.Timedelta("1D")}.get(step, pd.offsets.MonthBegin())) - at for at in made.index
    ]
    return [
        (
            at,
            row["count"],
            row["min"],
            row["max"],
            pytest.approx(row["mean"]),
            pytest.approx(min(1, row["count"] / (w / HOUR / due))),
        )
        for (at, row), w in zip(made.iterrows(), whole, strict=True)
        if row["count"]
    ]


def told(rows: list[Rollup]) -> list[tuple[object, ...]]:
    return [(r.begins, r.readings, r.lowest, r.highest, r.mean, r.completeness) for r in rows]


@pytest.mark.parametrize("step", ["hour", "day", "month"])
async def test_rollups_are_those_of_pandas_before_and_after_they_are_kept(obs: Database, step: str) -> None:
    station(obs, "g", level("g:level", "g", cadence=HOUR / 2, zone=SHANGHAI))
    readings = hourly(40)
    written(obs, readings)
    expected = figures(readings, step, 0.5)
    assert told(await rolled(obs, "g:level", step)) == expected  # type: ignore[arg-type]
    assert rollup.refresh_all(obs) == 41
    assert told(await rolled(obs, "g:level", step)) == expected  # type: ignore[arg-type]
    with obs.transaction(Role.WRITER) as connection:
        assert connection.execute(sa.select(sa.func.count()).select_from(rollup_due)).scalar_one() == 0


async def test_late_and_revised_readings_reach_the_rollups(obs: Database) -> None:
    station(obs, "g", level("g:level", "g", zone=SHANGHAI, cadence=None))
    readings = hourly(3)
    written(obs, readings[:100])
    rollup.refresh_all(obs)
    revised = Reading(readings[5].time, -4.0, datastream="g:level")
    written(obs, [*readings[100:], revised])
    expected = [row[:5] for row in figures([*readings[:5], revised, *readings[6:]], "day", 1)]
    assert [row[:5] for row in told(await rolled(obs, "g:level", "day"))] == expected
    rollup.refresh_all(obs)
    days = told(await rolled(obs, "g:level", "day"))
    assert [row[:5] for row in days] == expected
    assert {row[5] for row in days} == {None}


async def test_a_span_takes_the_rollups_that_begin_in_it(obs: Database) -> None:
    station(obs, "g", level("g:level", "g", zone=SHANGHAI))
    written(obs, hourly(5))
    begin = dt.datetime(2026, 3, 2, tzinfo=ZoneInfo(SHANGHAI))
    span = (begin, begin + dt.timedelta(days=2))
    due = await rolled(obs, "g:level", "day", span)
    rollup.refresh_all(obs)
    kept = await rolled(obs, "g:level", "day", span)
    assert [(row.begins, row.readings) for row in kept] == [(row.begins, row.readings) for row in due]
    assert [row.mean for row in kept] == pytest.approx([row.mean for row in due])
    assert [row.begins for row in due] == [begin, begin + dt.timedelta(days=1)]


async def test_removed_readings_are_gone_from_everything(obs: Database) -> None:
    station(obs, "g", level("g:level", "g"))
    written(obs, [Reading(NOON + i * HOUR, float(i), datastream="g:level") for i in range(30)])
    rollup.refresh_all(obs)
    with obs.transaction(Role.WRITER) as connection:
        gone = [("g:level", NOON + i * HOUR) for i in range(10, 30)]
        assert remove_readings(connection, gone) == 20
    rollup.refresh_all(obs)
    assert [v.result for v in await seen(obs)] == [9.0]
    assert sum(r.readings for r in await rolled(obs, "g:level", "hour")) == 10
    with obs.transaction(Role.WRITER) as connection:
        stream = connection.execute(sa.select(datastream)).one()
        assert stream.phenomenon_end == NOON + 9 * HOUR
        remove_streams(connection, [stream.id])
    assert stored(obs, "id") == []
    assert await seen(obs) == []


async def test_retention_lets_readings_go_and_keeps_their_rollups(obs: Database) -> None:
    now = dt.datetime.now(dt.UTC).replace(minute=0, second=0, microsecond=0)
    station(obs, "g", level("g:level", "g"), level("g:rain", "g", property="rain", unit="mm"))
    times = [now - dt.timedelta(days=d) for d in (400, 200, 2)]
    for key in ("g:level", "g:rain"):
        written(obs, [Reading(time, 1.0, datastream=key) for time in times])
    with obs.transaction(Role.WRITER) as connection:
        retention.set_rule(connection, None, dt.timedelta(days=100))
        retention.set_rule(connection, "rain", dt.timedelta(days=300))
    assert retention.retain(obs) == (3, 1)
    assert retention.retain(obs) == (0, 0)
    assert len(await points(obs, "g:level")) == 1
    assert len(await points(obs, "g:rain")) == 2
    assert sum(r.readings for r in await rolled(obs, "g:level", "day")) == 3
    assert [f.rule for f in written(obs, [Reading(times[0], 1.0, datastream="g:level")]).flaws] == ["expired"]
    with obs.transaction(Role.WRITER) as connection:
        retention.set_rule(connection, None, None)
    assert retention.retain(obs) == (0, 0)


def test_reads_use_the_index_behind_the_policies(obs: Database) -> None:
    """A policy over a function that is not leakproof would make PostgreSQL read every part from end to end."""
    station(obs, "g", level("g:level", "g"))
    written(obs, [Reading(NOON + i * HOUR, 1.0, datastream="g:level") for i in range(3000)][:3000])
    plan = sa.text(
        "EXPLAIN SELECT number FROM obs.observation WHERE datastream = 1 AND phenomenon_time >= '2026-03-02' "
        "AND phenomenon_time < '2026-03-03' AND NOT superseded"
    )
    with obs.transaction(Role.READER_PUBLIC) as connection:
        connection.execute(sa.text("SET LOCAL enable_seqscan = off"))
        lines = "\n".join(connection.execute(plan).scalars())
    assert "datastream_phenomenon_time_result_time" in lines
    assert lines.count("observation_2") == lines.count("observation_202603")
