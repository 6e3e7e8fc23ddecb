"""Statements over the tables of observations: datastreams with their hour at a time, and the hours of an interval."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from geoservice.edr.model import Box
from geoservice.observations.played import EARNEST, Played, meant, told
from geoservice.observations.tables import (
    datastream,
    location,
    observation,
    observed_property,
    rollup_hour,
    thing,
    thing_location,
)
from layers.access import Clearance
from layers.crs import STORAGE_SRID
from layers.errors import TooLarge

MOST_STREAMS = 120_000
DAY: sa.ColumnElement[dt.timedelta] = sa.literal_column("interval '24 hours'")
ENOUGH_HOURS = 20
"""Hours of a valid mean of 24 hours (GB 3095-2012, table 4)."""


@dataclass(frozen=True, slots=True)
class Stream:
    """A datastream of a station with its latest hour at the time that was asked about.

    Attributes:
        id: Its number.
        key: Its public id.
        station, name, name_zh: Key and names of its thing; the Chinese one where it is known.
        x, y: Longitude and latitude in degrees.
        property: Code of what it observes.
        unit: Symbol or name of its unit.
        cadence: How often a reading is due.
        properties: Free properties, with declared thresholds.
        hour: Begin of the latest hour with readings that count; None without any.
        mean: Their mean.
        of_day: Mean of the 24 hours until then, where an index of that time takes it.
        exercise: What says that it is played (see `observations.played`); None when it is meant in earnest.
    """

    id: int
    key: str
    station: str
    name: str
    name_zh: str | None
    x: float
    y: float
    property: str
    unit: str
    cadence: dt.timedelta | None
    properties: Mapping[str, Any] | None
    hour: dt.datetime | None
    mean: float | None
    of_day: float | None
    exercise: str | None = None


@dataclass(frozen=True, slots=True)
class ByDay:
    """Which properties have a mean of 24 hours in an index, and before which instant."""

    properties: tuple[str, ...]
    before: dt.datetime


def streams_statement(
    clearance: Clearance,
    at: dt.datetime,
    by_day: ByDay,
    box: Sequence[Box] = (),
    station: str | None = None,
    wanted: Played = EARNEST,
) -> sa.Select[Any]:
    """Datastreams of numbers up to a clearance, each with its latest hour that began by an instant.

    Of those that are played (see `observations.played`) only the wanted ones.
    """
    joined = (
        datastream.join(thing, thing.c.id == datastream.c.thing)
        .join(observed_property, observed_property.c.id == datastream.c.property)
        .join(thing_location, sa.and_(thing_location.c.thing == thing.c.id, thing_location.c.until.is_(None)))
        .join(location, location.c.id == thing_location.c.location)
    )
    hour = _hour(clearance, at)
    day = _day(clearance, hour, by_day)
    tables = (thing, location, thing_location, observed_property, datastream)
    conditions: list[sa.ColumnElement[bool]] = [table.c.clearance <= int(clearance) for table in tables]
    conditions.append(meant(wanted))
    if station is not None:
        conditions.append(thing.c.key == station)
    if box:
        near = [location.c.geom.op("&&")(sa.func.ST_MakeEnvelope(*one, STORAGE_SRID)) for one in box]
        conditions.append(sa.or_(*near))
    point = sa.func.ST_PointOnSurface(location.c.geom)
    return (
        sa.select(
            datastream.c.id,
            datastream.c.key,
            thing.c.key.label("station"),
            thing.c.name,
            thing.c.properties["name_zh"].astext.label("name_zh"),
            sa.func.ST_X(point).label("x"),
            sa.func.ST_Y(point).label("y"),
            observed_property.c.code.label("property"),
            sa.func.coalesce(datastream.c.unit, datastream.c.unit_symbol, "").label("unit"),
            datastream.c.cadence,
            datastream.c.properties,
            hour.c.begins.label("hour"),
            hour.c.mean,
            day.c.mean.label("of_day"),
            told().label("exercise"),
        )
        .select_from(joined.outerjoin(hour, sa.true()).outerjoin(day, sa.true()))
        .where(*conditions, location.c.geom.is_not(None))
        .order_by(thing.c.key, observed_property.c.code, datastream.c.id, location.c.id)
        .limit(MOST_STREAMS + 1)
    )


def _hour(clearance: Clearance, at: dt.datetime) -> sa.FromClause:
    """The latest hour of a datastream that began by an instant."""
    one = rollup_hour
    return (
        sa.select(one.c.begins, (one.c.total / one.c.readings).label("mean"))
        .where(one.c.datastream == datastream.c.id, one.c.clearance <= int(clearance))
        .where(one.c.begins <= sa.bindparam("at", at, type_=sa.DateTime(timezone=True)))
        .order_by(one.c.begins.desc())
        .limit(1)
        .lateral("hour")
    )


def _day(clearance: Clearance, hour: sa.FromClause, by_day: ByDay) -> sa.FromClause:
    """The mean of the 24 hours until the latest one, of few datastreams: the condition on the code comes first."""
    one = rollup_hour.alias("of_day")
    codes = sa.bindparam("by_day", list(by_day.properties), type_=sa.ARRAY(sa.Text()))
    before = sa.bindparam("before", by_day.before, type_=sa.DateTime(timezone=True))
    enough = sa.func.count() >= ENOUGH_HOURS
    return (
        sa.select(sa.func.avg(one.c.total / one.c.readings).label("mean"))
        .where(observed_property.c.code == sa.any_(codes), hour.c.begins < before)
        .where(one.c.datastream == datastream.c.id, one.c.clearance <= int(clearance))
        .where(one.c.begins <= hour.c.begins, one.c.begins > hour.c.begins - DAY)
        .having(enough)
        .lateral("day")
    )


async def read_streams(connection: AsyncConnection, statement: sa.Select[Any]) -> list[Stream]:
    """The datastreams of `streams_statement`; a thing that stands at several places is told once.

    Raises:
        TooLarge: When there are too many.
    """
    rows = (await connection.execute(statement)).all()
    if len(rows) > MOST_STREAMS:
        raise TooLarge(f"More than {MOST_STREAMS:,} datastreams lie there; ask for a smaller bbox.", limit=MOST_STREAMS)
    found = dict[int, Stream]()
    for row in rows:
        if row.id not in found:
            found[row.id] = Stream(*row)
    return list(found.values())


@dataclass(frozen=True, slots=True)
class Hour:
    """The mean of a datastream in an hour (begin, UTC)."""

    stream: int
    begins: dt.datetime
    mean: float


async def read_hours(
    connection: AsyncConnection, clearance: Clearance, streams: Sequence[int], times: Sequence[dt.datetime]
) -> list[Hour]:
    """The hours of some datastreams that begin at some times, in their order."""
    ids = sa.bindparam("ids", list(streams), type_=sa.ARRAY(sa.BigInteger()))
    begins = sa.bindparam("times", list(times), type_=sa.ARRAY(sa.DateTime(timezone=True)))
    one = rollup_hour
    chosen = (
        sa.select(one.c.datastream, one.c.begins, one.c.total / one.c.readings)
        .where(one.c.datastream == sa.any_(ids), one.c.begins == sa.any_(begins))
        .where(one.c.clearance <= int(clearance))
        .order_by(one.c.begins, one.c.datastream)
    )
    return [Hour(*row) for row in await connection.execute(chosen)]


@dataclass(frozen=True, slots=True)
class Latest:
    """The latest reading of a datastream by an instant: its time, number or text, and quality."""

    stream: int
    time: dt.datetime
    number: float | None
    text: str | None
    quality: str | None


async def read_latest(
    connection: AsyncConnection, clearance: Clearance, streams: Sequence[int], at: dt.datetime
) -> dict[int, Latest]:
    """The latest readings of a few datastreams, with those that are marked as bad: whoever looks wants to know."""
    ids = sa.bindparam("ids", list(streams), type_=sa.ARRAY(sa.BigInteger()))
    wanted = sa.func.unnest(ids).table_valued(sa.column("stream", sa.BigInteger()), name="w").render_derived()
    one = observation
    last = (
        sa.select(one.c.phenomenon_time, one.c.number, one.c.text, one.c.quality)
        .where(one.c.datastream == wanted.c.stream, one.c.clearance <= int(clearance), ~one.c.superseded)
        .where(one.c.phenomenon_time <= sa.bindparam("at", at, type_=sa.DateTime(timezone=True)))
        .order_by(one.c.phenomenon_time.desc())
        .limit(1)
        .lateral("last")
    )
    rows = await connection.execute(sa.select(wanted.c.stream, last).select_from(sa.join(wanted, last, sa.true())))
    return {row.stream: Latest(*row) for row in rows}
