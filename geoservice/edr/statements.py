"""Statements over the tables of observations: which datastreams, and which of their values."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from geoservice.edr.model import Box, Wanted
from geoservice.observations.played import EARNEST, Played, meant, told
from geoservice.observations.read import UNCOUNTED
from geoservice.observations.tables import (
    datastream,
    location,
    observation,
    observed_property,
    rollup_day,
    rollup_hour,
    rollup_month,
    thing,
    thing_location,
)
from layers.access import Clearance
from layers.crs import STORAGE_SRID

MOST_STREAMS = 20_000
MOST_VALUES = 100_000
_ROLLUPS = {"hour": rollup_hour, "day": rollup_day, "month": rollup_month}


@dataclass(frozen=True)
class Stream:
    """A datastream, with its station, property and place (degrees); `exercise` is not None when it is played."""

    id: int
    key: str
    station: str
    name: str
    property: str
    label: str
    label_zh: str | None
    definition: str
    unit_name: str | None
    unit_symbol: str | None
    unit: str | None
    begins: dt.datetime | None
    ends: dt.datetime | None
    properties: dict[str, Any] | None
    x: float
    y: float
    exercise: str | None = None


@dataclass(frozen=True)
class Value:
    """A number of a datastream at a time (UTC)."""

    stream: int
    time: dt.datetime
    number: float


def streams_statement(
    clearance: Clearance, boxes: Sequence[Box], station: str | None, wanted: Played = EARNEST
) -> sa.Select[Any]:
    """Datastreams with numbers, up to a clearance, where their things are now, in the order of stations.

    Args:
        clearance: The highest that is shown; policies stand behind it.
        boxes: Where to look; none when the station is named.
        station: Key of a thing.
        wanted: Whether played ones are among them.
    """
    found = placed_streams(clearance, wanted)
    if station is not None:
        found = found.where(thing.c.key == station)
    if boxes:
        found = found.where(inside(boxes))
    return found.order_by(thing.c.key, observed_property.c.code, datastream.c.id).limit(MOST_STREAMS + 1)


def inside(boxes: Sequence[Box]) -> sa.ColumnElement[bool]:
    """Whether the place of a thing touches one of some boxes."""
    return sa.or_(*(location.c.geom.op("&&")(sa.func.ST_MakeEnvelope(*box, STORAGE_SRID)) for box in boxes))


def placed_streams(clearance: Clearance, wanted: Played = EARNEST) -> sa.Select[Any]:
    """The columns of `Stream` for every datastream with a place, up to a clearance; of played ones those wanted."""
    tables = (thing, location, thing_location, observed_property, datastream)
    point = sa.func.ST_PointOnSurface(location.c.geom)
    joined = (
        datastream.join(thing, thing.c.id == datastream.c.thing)
        .join(observed_property, observed_property.c.id == datastream.c.property)
        .join(thing_location, sa.and_(thing_location.c.thing == thing.c.id, thing_location.c.until.is_(None)))
        .join(location, location.c.id == thing_location.c.location)
    )
    return (
        sa.select(
            datastream.c.id,
            datastream.c.key,
            thing.c.key.label("station"),
            thing.c.name,
            observed_property.c.code.label("property"),
            observed_property.c.name.label("label"),
            observed_property.c.properties["name_zh"].astext.label("label_zh"),
            observed_property.c.definition,
            datastream.c.unit_name,
            datastream.c.unit_symbol,
            datastream.c.unit,
            datastream.c.phenomenon_begin.label("begins"),
            datastream.c.phenomenon_end.label("ends"),
            datastream.c.properties,
            sa.func.ST_X(point).label("x"),
            sa.func.ST_Y(point).label("y"),
            told().label("exercise"),
        )
        .select_from(joined)
        .where(*(table.c.clearance <= int(clearance) for table in tables), location.c.geom.is_not(None), meant(wanted))
    )


@dataclass(frozen=True)
class Summary:
    """All datastreams with a place, property by property.

    Attributes:
        examples: A datastream of each property, the first that there is.
        box: West, south, east, north of all places (degrees).
        begins, ends: Times of the first and the last reading; None without any.
    """

    examples: tuple[Stream, ...]
    box: Box
    begins: dt.datetime | None
    ends: dt.datetime | None


def summary_statement(clearance: Clearance) -> sa.Select[Any]:
    """By property: number of its first datastream, box of the places, span of the readings."""
    some = placed_streams(clearance)
    geom = location.c.geom
    sides = (("ST_XMin", "min"), ("ST_YMin", "min"), ("ST_XMax", "max"), ("ST_YMax", "max"))
    box = [getattr(sa.func, pick)(getattr(sa.func, side)(geom)).label(side) for side, pick in sides]
    return some.with_only_columns(
        sa.func.min(datastream.c.id).label("first"),
        sa.func.min(datastream.c.phenomenon_begin).label("begins"),
        sa.func.max(datastream.c.phenomenon_end).label("ends"),
        *box,
    ).group_by(datastream.c.property)


async def read_summary(connection: AsyncConnection, clearance: Clearance) -> Summary | None:
    """What there is, without reading each datastream; None when there is nothing that the reader may see."""
    rows = (await connection.execute(summary_statement(clearance))).all()
    if not rows:
        return None
    numbers = sa.bindparam("numbers", [row.first for row in rows], type_=sa.ARRAY(sa.BigInteger()))
    found = placed_streams(clearance).where(datastream.c.id == sa.any_(numbers))
    named = (await connection.execute(found)).mappings()
    once = {row["property"]: Stream(**row) for row in named}
    return Summary(
        examples=tuple(once[name] for name in sorted(once)),
        box=(
            min(row.ST_XMin for row in rows),
            min(row.ST_YMin for row in rows),
            max(row.ST_XMax for row in rows),
            max(row.ST_YMax for row in rows),
        ),
        begins=min((row.begins for row in rows if row.begins), default=None),
        ends=max((row.ends for row in rows if row.ends), default=None),
    )


async def read_streams(
    connection: AsyncConnection,
    clearance: Clearance,
    boxes: Sequence[Box],
    station: str | None,
    wanted: Played = EARNEST,
) -> list[Stream]:
    """The datastreams of `streams_statement`, one more than may be answered where there are more."""
    rows = await connection.execute(streams_statement(clearance, boxes, station, wanted))
    # A thing that stands at several places at once is shown at the first.
    found = dict[int, Stream]()
    for row in rows.mappings():
        found.setdefault(row["id"], Stream(**row))
    return list(found.values())


def values_statement(clearance: Clearance, streams: Sequence[int], wanted: Wanted, most: int) -> sa.Select[Any]:
    """Numbers of some datastreams in an interval, in the order of time: readings that count, or means."""
    table: sa.Table
    number: sa.ColumnElement[Any]
    conditions: list[sa.ColumnElement[bool]]
    if wanted.average is None:
        table, time, number = observation, observation.c.phenomenon_time, observation.c.number
        counted = sa.func.coalesce(observation.c.quality, "").not_in(UNCOUNTED)
        conditions = [observation.c.superseded.is_(False), observation.c.number.is_not(None), counted]
    else:
        table = _ROLLUPS[wanted.average]
        time, number = table.c.begins, table.c.total / table.c.readings
        conditions = [table.c.readings > 0]
    ids = sa.bindparam("ids", list(streams), type_=sa.ARRAY(sa.BigInteger()))
    conditions += [table.c.datastream == sa.any_(ids), table.c.clearance <= int(clearance)]
    if wanted.interval is not None and wanted.interval.start is not None:
        conditions.append(time >= wanted.interval.start)
    if wanted.interval is not None and wanted.interval.end is not None:
        conditions.append(time < wanted.interval.end)
    found = sa.select(table.c.datastream, time.label("time"), number.label("number")).where(*conditions)
    return found.order_by(table.c.datastream, time).limit(most)


async def read_values(
    connection: AsyncConnection, clearance: Clearance, streams: Sequence[int], wanted: Wanted
) -> list[Value]:
    """The numbers of `values_statement`, one more than may be answered where there are more."""
    if not streams:
        return []
    rows = await connection.execute(values_statement(clearance, streams, wanted, MOST_VALUES + 1))
    return [Value(row.datastream, row.time.astimezone(dt.UTC), row.number) for row in rows]
