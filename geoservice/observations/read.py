"""Reads: the latest value of each datastream, and the readings of one datastream or their roll-ups.

Connections are those of a reader's clearance, whose row policies show what it may see.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal, NamedTuple

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY

from geoservice.db.compiled import Compiled, compile_statement
from geoservice.db.pools import RawConnection
from geoservice.observations import tables
from geoservice.observations.errors import UnknownStream
from layers.crs import STORAGE_SRID
from layers.extent import Extent

Step = Literal["hour", "day", "month"]
_ROLLUPS = {"hour": tables.rollup_hour, "day": tables.rollup_day, "month": tables.rollup_month}
_LONGEST = dt.timedelta(days=32)
_STEPS: dict[str, tuple[sa.ColumnElement[Any], sa.ColumnElement[Any]]] = {
    "hour": (sa.literal_column("'hour'"), sa.literal_column("interval '1 hour'")),
    "day": (sa.literal_column("'day'"), sa.literal_column("interval '1 day'")),
    "month": (sa.literal_column("'month'"), sa.literal_column("interval '1 month'")),
}
UNCOUNTED = ("bad", "missing", "calibration", "maintenance")
"""Qualities of readings that roll-ups leave out."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which latest values are wanted; what is None does not matter.

    Attributes:
        properties: Codes of observed properties.
        stations: Keys of things.
        box: Places of the things; it may cross the antimeridian.
        since: Values of before this instant are left out.
        until: Values of this instant or after are left out.
        limit: How many at most, in the order of datastream numbers.
        after: Begin after the datastream of this number.
    """

    properties: tuple[str, ...] | None = None
    stations: tuple[str, ...] | None = None
    box: Extent | None = None
    since: dt.datetime | None = None
    until: dt.datetime | None = None
    limit: int = 10_000
    after: int = 0


class LatestValue(NamedTuple):
    """The latest reading of a datastream that counts; longitude and latitude in degrees, where the place is known."""

    stream: int
    datastream: str
    station: str
    name: str
    property: str
    unit: str | None
    lon: float | None
    lat: float | None
    time: dt.datetime
    result_time: dt.datetime
    result: Any
    quality: str | None


class Point(NamedTuple):
    """A reading of a series: its time, the end of its time where it has one, result, quality, result time."""

    time: dt.datetime
    end: dt.datetime | None
    result: Any
    quality: str | None
    result_time: dt.datetime


@dataclass(frozen=True, slots=True)
class Rollup:
    """Figures of the readings of an hour, day or month, in the unit of the datastream.

    Attributes:
        completeness: Share of the readings that were due (0 to 1); None where nothing says how many were.
    """

    begins: dt.datetime
    readings: int
    lowest: float
    highest: float
    mean: float
    completeness: float | None


async def latest(connection: RawConnection, wanted: Wanted) -> list[LatestValue]:
    """Latest values, in the order of datastream numbers; those of a thing at several places are told once."""
    shape = (wanted.properties is not None, wanted.stations is not None, wanted.box is not None)
    west, south, east, north = (wanted.box or Extent(0.0, 0.0, 0.0, 0.0)).as_list()
    values = {
        "properties": list(wanted.properties or ()),
        "stations": list(wanted.stations or ()),
        "west": west,
        "south": south,
        "east": east,
        "north": north,
        "since": wanted.since or _EVER[0],
        "until": wanted.until or _EVER[1],
        "most": wanted.limit,
        "after": wanted.after,
    }
    compiled = _latest(*shape, wanted.box is not None and west > east)
    rows = await connection.fetch(compiled.sql, *compiled.arguments(values))
    # The first of several rows of a datastream counts; turned twice, the order is that of the numbers again.
    once = {row[0]: row for row in reversed(rows)}
    return [_value(row) for row in reversed(once.values())]


_EVER = (dt.datetime(1, 1, 2, tzinfo=dt.UTC), dt.datetime(9999, 12, 30, tzinfo=dt.UTC))


def _value(row: Sequence[Any]) -> LatestValue:
    """A row of `_latest`: the columns in the order of the fields, then those of results that are no numbers."""
    value = LatestValue(*row[:_FIELDS])
    return value if value.result is not None else value._replace(result=_other(*row[_FIELDS:]))


def _point(row: Sequence[Any]) -> Point:
    """A row of `_series`, likewise."""
    point = Point(*row[:_POINT_FIELDS])
    return point if point.result is not None else point._replace(result=_other(*row[_POINT_FIELDS:]))


_FIELDS, _POINT_FIELDS = len(LatestValue._fields), len(Point._fields)


def _other(text: str | None, told: str | None) -> Any:
    return text if told is None else json.loads(told)


@cache
def _latest(by_property: bool, by_station: bool, by_box: bool, across: bool) -> Compiled:
    value, stream, thing, observed = tables.latest, tables.datastream, tables.thing, tables.observed_property
    history, place = tables.thing_location, tables.location
    open_place = sa.and_(history.c.thing == thing.c.id, history.c.until.is_(None))
    # Where the box is asked for, whoever has no place is not in it.
    joined = (
        sa.join(value, stream, value.c.datastream == stream.c.id)
        .join(observed, stream.c.property == observed.c.id)
        .join(thing, stream.c.thing == thing.c.id)
        .outerjoin(history, open_place)
        .outerjoin(place, history.c.location == place.c.id)
    )
    spot = sa.func.ST_PointOnSurface(place.c.geom, type_=sa.types.NullType())
    is_point = sa.func.GeometryType(place.c.geom, type_=sa.Text()) == "POINT"
    point = sa.case((is_point, sa.type_coerce(place.c.geom, sa.types.NullType())), else_=spot)
    chosen = (
        sa.select(
            stream.c.id,
            stream.c.key,
            thing.c.key.label("station"),
            thing.c.name,
            observed.c.code.label("property"),
            sa.func.coalesce(stream.c.unit_symbol, stream.c.unit_name).label("unit"),
            sa.func.ST_X(point, type_=sa.Double()).label("lon"),
            sa.func.ST_Y(point, type_=sa.Double()).label("lat"),
            value.c.phenomenon_time,
            value.c.result_time,
            value.c.number,
            value.c.quality,
            value.c.text,
            sa.cast(value.c.json, sa.Text()).label("json"),
        )
        .select_from(joined)
        .where(stream.c.id > _bound("after", sa.BigInteger()), *_spans(value.c.phenomenon_time, "since", "until"))
        .order_by(stream.c.id)
        .limit(_bound("most", sa.BigInteger()))
    )
    if by_property:
        chosen = chosen.where(observed.c.code == sa.any_(_bound("properties", ARRAY(sa.Text()))))
    if by_station:
        chosen = chosen.where(thing.c.key == sa.any_(_bound("stations", ARRAY(sa.Text()))))
    if by_box:
        chosen = chosen.where(_inside(place.c.geom, across))
    return compile_statement(chosen)


def _inside(geom: sa.ColumnElement[Any], across: bool) -> sa.ColumnElement[bool]:
    def box(west: sa.ColumnElement[Any], east: sa.ColumnElement[Any]) -> sa.ColumnElement[bool]:
        south, north = _bound("south", sa.Double()), _bound("north", sa.Double())
        window = sa.func.ST_MakeEnvelope(west, south, east, north, STORAGE_SRID, type_=sa.types.NullType())
        return sa.type_coerce(geom, sa.types.NullType()).bool_op("&&")(window)

    west, east = _bound("west", sa.Double()), _bound("east", sa.Double())
    if not across:
        return box(west, east)
    return sa.or_(box(west, sa.literal_column("180.0")), box(sa.literal_column("-180.0"), east))


def _bound(name: str, kind: sa.types.TypeEngine[Any]) -> sa.BindParameter[Any]:
    return sa.bindparam(name, type_=kind)


def _spans(column: sa.ColumnElement[Any], begin: str, end: str) -> Sequence[sa.ColumnElement[bool]]:
    moment = sa.DateTime(timezone=True)
    return column >= _bound(begin, moment), column < _bound(end, moment)


async def stream_number(connection: RawConnection, key: str) -> int:
    """Number of the datastream of a key.

    Raises:
        UnknownStream: When there is none, or not for this reader.
    """
    number = await connection.fetchval("SELECT id FROM obs.datastream WHERE key = $1", key)
    if number is None:
        raise UnknownStream(f"There is no datastream {key[:200]!r}.")
    return int(number)


async def series(
    connection: RawConnection, stream: int, begin: dt.datetime, end: dt.datetime, limit: int
) -> list[Point]:
    """Readings of a datastream that count, in the order of time.

    Args:
        connection: Of the reader.
        stream: Number of the datastream.
        begin: From this phenomenon time on.
        end: Before this one.
        limit: How many at most.
    """
    compiled = _series()
    rows = await connection.fetch(
        compiled.sql, *compiled.arguments({"stream": stream, "begin": begin, "end": end, "most": limit})
    )
    return [_point(row) for row in rows]


@cache
def _series() -> Compiled:
    one = tables.observation
    return compile_statement(
        sa.select(
            one.c.phenomenon_time,
            one.c.phenomenon_end,
            one.c.number,
            one.c.quality,
            one.c.result_time,
            one.c.text,
            sa.cast(one.c.json, sa.Text()).label("json"),
        )
        .where(
            one.c.datastream == _bound("stream", sa.BigInteger()),
            *_spans(one.c.phenomenon_time, "begin", "end"),
            ~one.c.superseded,
        )
        .order_by(one.c.phenomenon_time)
        .limit(_bound("most", sa.BigInteger()))
    )


async def rollups(
    connection: RawConnection, stream: int, begin: dt.datetime, end: dt.datetime, step: Step
) -> list[Rollup]:
    """Roll-ups of a datastream that begin in a span of time; where some are due, they are worked out from readings.

    Args:
        connection: Of the reader.
        stream: Number of the datastream.
        begin: Hours, days or months that begin at this instant or later.
        end: And before this one.
        step: Which of them.
    """
    due, whole = _due(), {"stream": stream, "begin": begin, "end": end, "last": end + _LONGEST}
    fresh = not await connection.fetchval(due.sql, *due.arguments(whole))
    compiled = _kept(step) if fresh else _made(step)
    rows = await connection.fetch(compiled.sql, *compiled.arguments(whole))
    return [Rollup(*row) for row in rows]


@cache
def _due() -> Compiled:
    due = tables.rollup_due
    first = _bound("begin", sa.DateTime(timezone=True)) - sa.literal_column("interval '1 day'")
    last = _bound("last", sa.DateTime(timezone=True))
    found = sa.exists().where(
        due.c.datastream == _bound("stream", sa.BigInteger()), due.c.day >= first, due.c.day < last
    )
    return compile_statement(sa.select(found))


@cache
def _kept(step: Step) -> Compiled:
    kept = _ROLLUPS[step]
    return compile_statement(
        sa.select(
            kept.c.begins,
            kept.c.readings,
            kept.c.lowest,
            kept.c.highest,
            (kept.c.total / kept.c.readings).label("mean"),
            kept.c.completeness,
        )
        .where(kept.c.datastream == _bound("stream", sa.BigInteger()), *_spans(kept.c.begins, "begin", "end"))
        .order_by(kept.c.begins)
    )


@cache
def _made(step: Step) -> Compiled:
    """The same figures, from the readings; the same rules as in sql/rollup_refresh.sql."""
    one, stream = tables.observation, tables.datastream
    unit, length = _STEPS[step]
    begins = sa.func.date_trunc(unit, one.c.phenomenon_time, stream.c.zone, type_=sa.DateTime(timezone=True))
    local = sa.func.timezone(stream.c.zone, begins)
    seconds = sa.extract("epoch", sa.func.timezone(stream.c.zone, local + length) - begins)
    came = sa.func.count() * sa.extract("epoch", stream.c.cadence) / seconds
    # The least of 1 and nothing would be 1.
    share = sa.case((stream.c.cadence.is_not(None), sa.func.least(1.0, sa.cast(came, sa.Double()))))
    counted = sa.and_(*(one.c.quality.is_distinct_from(code) for code in UNCOUNTED))
    return compile_statement(
        sa.select(
            begins.label("begins"),
            sa.func.count().label("readings"),
            sa.func.min(one.c.number),
            sa.func.max(one.c.number),
            (sa.func.sum(one.c.number) / sa.func.count()).label("mean"),
            share.label("completeness"),
        )
        .select_from(sa.join(one, stream, one.c.datastream == stream.c.id))
        .where(
            one.c.datastream == _bound("stream", sa.BigInteger()),
            *_spans(one.c.phenomenon_time, "begin", "last"),
            *_spans(begins, "begin", "end"),
            ~one.c.superseded,
            one.c.number.is_not(None),
            counted,
        )
        .group_by(begins, stream.c.zone, stream.c.cadence)
        .order_by(begins)
    )
