"""Stations, datastreams and readings made for tests."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from geoservice.db.credentials import Role
from geoservice.db.engine import Database
from geoservice.db.pools import Pools
from geoservice.observations.read import (
    LatestValue,
    Point,
    Rollup,
    Step,
    Wanted,
    latest,
    rollups,
    series,
    stream_number,
)
from geoservice.observations.reading import Reading, Source
from geoservice.observations.register import Station, StreamWish, ensure_stations, ensure_streams
from geoservice.observations.tables import observation
from geoservice.observations.write import Outcome, write
from layers.access import Clearance

SOURCE = Source("load", "test", "tester")
NOON = dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC)
HOUR = dt.timedelta(hours=1)
EVER = (dt.datetime(1900, 1, 1, tzinfo=dt.UTC), dt.datetime(2100, 1, 1, tzinfo=dt.UTC))


def station(database: Database, key: str, *streams: StreamWish, **said: Any) -> None:
    """Have a station at 116 E, 40 N with datastreams."""
    with database.transaction(Role.WRITER) as connection:
        ensure_stations(connection, [Station(key, key.title(), **{"place": (116.0, 40.0), **said})])
        ensure_streams(connection, streams)


def level(key: str, of: str, **said: Any) -> StreamWish:
    """A datastream of water level in metres, due hourly."""
    return StreamWish(key, of, **{"property": "water_level", "unit": "m", "name": key, "cadence": HOUR, **said})


def written(database: Database, readings: Sequence[Reading], source: Source = SOURCE, **how: Any) -> Outcome:
    """Write readings in a transaction of their own."""
    with database.transaction(Role.WRITER) as connection:
        return write(connection, readings, source, **how)


def stored(database: Database, *columns: str) -> list[tuple[Any, ...]]:
    """Columns of all readings, in the order of phenomenon and result time."""
    chosen = sa.select(*(observation.c[name] for name in columns))
    with database.transaction(Role.WRITER) as connection:
        rows = connection.execute(chosen.order_by(observation.c.phenomenon_time, observation.c.result_time))
        return [tuple(row) for row in rows]


async def seen(
    database: Database, wanted: Wanted | None = None, clearance: Clearance = Clearance.PUBLIC
) -> list[LatestValue]:
    """Latest values as a reader sees them."""
    async with Pools(database) as pools, pools.raw(clearance) as connection:
        return await latest(connection, wanted or Wanted())


async def points(database: Database, key: str, clearance: Clearance = Clearance.PUBLIC) -> list[Point]:
    """The whole series of a datastream as a reader sees it."""
    async with Pools(database) as pools, pools.raw(clearance) as connection:
        return await series(connection, await stream_number(connection, key), *EVER, 100_000)


async def rolled(
    database: Database, key: str, step: Step, span: tuple[dt.datetime, dt.datetime] = EVER
) -> list[Rollup]:
    """Roll-ups of a datastream as the public sees them."""
    async with Pools(database) as pools, pools.raw(Clearance.PUBLIC) as connection:
        return await rollups(connection, await stream_number(connection, key), *span, step)
