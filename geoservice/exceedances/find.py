"""Events of exceedance: runs of values beyond a limit, found by the database."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import aggregate_order_by
from sqlalchemy.ext.asyncio import AsyncConnection

from geoservice.edr.model import Box
from geoservice.edr.statements import MOST_STREAMS, Stream, read_streams
from geoservice.exceedances.limits import Basis, Grade, Limit, kind_of, limits_of
from geoservice.observations.played import EARNEST, Played
from geoservice.observations.read import UNCOUNTED
from geoservice.observations.tables import observation, rollup_day, rollup_hour
from layers.access import Clearance
from layers.errors import TooLarge

MOST_VALUES = 5_000_000
"""Most values that are looked at for one answer, as far as can be told beforehand."""
_SPANS: dict[Basis, dt.timedelta] = {"reading": dt.timedelta(0), "hour": dt.timedelta(hours=1), "day": dt.timedelta(1)}
_PER_DAY: dict[Basis, int] = {"reading": 24, "hour": 24, "day": 1}
_WORLD: tuple[Box, ...] = ((-180.0, -90.0, 180.0, 90.0),)
_HALF_DAY = 43_200


@dataclass(frozen=True)
class Wish:
    """Which exceedances are wanted.

    Attributes:
        start, end: In which interval (UTC), end excluded.
        properties: Codes of properties; None for all.
        station: Key of a station; None for all.
        standard: Of which standard; None for all.
        grade: Grade of the limits of air.
        boxes: Where; the whole world by default.
        limit: Most events.
        played: Whether played ones are among them.
    """

    start: dt.datetime
    end: dt.datetime
    properties: tuple[str, ...] | None = None
    station: str | None = None
    standard: str | None = None
    grade: Grade = "2"
    boxes: tuple[Box, ...] = _WORLD
    limit: int = 1000
    played: Played = EARNEST


@dataclass(frozen=True)
class Exceedance:
    """A run of consecutive values beyond a limit.

    Attributes:
        stream: The datastream.
        limit: The limit.
        begin: Beginning of the first value.
        end: End of the last value; of readings its time.
        values: How many.
        worst, worst_time: The value that is furthest beyond, in the unit of the datastream, and its beginning.
    """

    stream: Stream
    limit: Limit
    begin: dt.datetime
    end: dt.datetime
    values: int
    worst: float
    worst_time: dt.datetime


async def find_exceedances(
    connection: AsyncConnection, clearance: Clearance, wish: Wish
) -> tuple[list[Exceedance], bool]:
    """The exceedances of the datastreams that a reader may see, the latest first, and whether there are more.

    Raises:
        TooLarge: When too many values would have to be looked at.
    """
    streams = await read_streams(connection, clearance, () if wish.station else wish.boxes, wish.station, wish.played)
    wanted = [one for one in streams if wish.properties is None or one.property in wish.properties]
    limits = [(one, limit) for one in wanted for limit in limits_of(kind_of(one), wish.start, wish.end, wish.grade)]
    kept = [(one, limit) for one, limit in limits if wish.standard in (None, limit.standard)]
    _require_few(kept, len(streams))
    found = list[Exceedance]()
    groups = defaultdict[Basis, list[tuple[Stream, Limit]]](list)
    for pair in kept:
        groups[pair[1].basis].append(pair)
    for basis, pairs in groups.items():
        rows = await connection.execute(events_statement(basis, pairs, clearance, wish.limit + 1))
        found += [_event(row, pairs[row.place], _SPANS[basis]) for row in rows]
    found.sort(key=lambda one: (one.begin, one.stream.key, one.limit.title), reverse=True)
    return found[: wish.limit], len(found) > wish.limit


def _event(row: Any, pair: tuple[Stream, Limit], span: dt.timedelta) -> Exceedance:
    stream, limit = pair
    begin, end, at = (moment.astimezone(dt.UTC) for moment in (row.begin, row.end, row.worst_time))
    return Exceedance(stream, limit, begin, end + span, row.values, row.worst, at)


def _require_few(pairs: Sequence[tuple[Stream, Limit]], streams: int) -> None:
    days = sum(_PER_DAY[limit.basis] * ((limit.end - limit.start).total_seconds() / 86_400) for _, limit in pairs)
    if streams > MOST_STREAMS or days > MOST_VALUES:
        raise TooLarge(
            f"About {days:,.0f} values would have to be looked at, and at most {MOST_VALUES:,} are; narrow the "
            "question by datetime, property, station or bbox.",
            limit=MOST_VALUES,
        )


def events_statement(
    basis: Basis, pairs: Sequence[tuple[Stream, Limit]], clearance: Clearance, most: int
) -> sa.Select[Any]:
    """Runs of consecutive values beyond limits: place of the limit, begin, end, number of values, the worst one.

    Means follow each other when their hours or days do; readings when no other reading lies between them.
    """
    values = _values(basis, clearance)
    wish = _wishes(pairs)
    beyond = sa.case(
        (
            wish.c.below,
            sa.or_(values.c.number < wish.c.bound, sa.and_(wish.c.inclusive, values.c.number == wish.c.bound)),
        ),
        else_=sa.or_(values.c.number > wish.c.bound, sa.and_(wish.c.inclusive, values.c.number == wish.c.bound)),
    )
    epoch = sa.extract("epoch", values.c.time)
    counted: dict[Basis, sa.ColumnElement[Any]] = {
        "reading": sa.func.row_number().over(partition_by=wish.c.place, order_by=values.c.time),
        "hour": sa.cast(sa.func.floor(epoch / 3600), sa.BigInteger()),
        "day": sa.cast(sa.func.floor((epoch + _HALF_DAY) / 86_400), sa.BigInteger()),
    }
    ranked = (
        sa.select(
            wish.c.place,
            wish.c.below,
            values.c.time,
            values.c.number,
            counted[basis].label("position"),
            beyond.label("beyond"),
        )
        .select_from(sa.join(wish, values, values.c.stream == wish.c.stream))
        .where(values.c.time >= wish.c.begins, values.c.time < wish.c.ends)
        .cte("ranked")
    )
    over = sa.func.row_number().over(partition_by=ranked.c.place, order_by=ranked.c.time)
    runs = sa.select(ranked, (ranked.c.position - over).label("run")).where(ranked.c.beyond).cte("runs")
    by_worst = sa.case((runs.c.below, runs.c.number), else_=-runs.c.number)
    return (
        sa.select(
            runs.c.place,
            sa.func.min(runs.c.time).label("begin"),
            sa.func.max(runs.c.time).label("end"),
            sa.func.count().label("values"),
            _first(runs.c.number, by_worst, runs.c.time).label("worst"),
            _first(runs.c.time, by_worst, runs.c.time).label("worst_time"),
        )
        .group_by(runs.c.place, runs.c.run)
        .order_by(sa.func.min(runs.c.time).desc(), runs.c.place)
        .limit(most)
    )


def _first(column: sa.ColumnElement[Any], *order: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
    """The value of a column in the row that comes first."""
    ordered: Any = aggregate_order_by(column, *order)
    return sa.func.array_agg(ordered, type_=sa.ARRAY(column.type))[1]


def _values(basis: Basis, clearance: Clearance) -> sa.Subquery:
    if basis == "reading":
        counted = sa.func.coalesce(observation.c.quality, "").not_in(UNCOUNTED)
        chosen = sa.select(
            observation.c.datastream.label("stream"),
            observation.c.phenomenon_time.label("time"),
            observation.c.number,
        ).where(
            ~observation.c.superseded, observation.c.number.is_not(None), counted,
            observation.c.clearance <= int(clearance),
        )  # fmt: skip
    else:
        table = rollup_hour if basis == "hour" else rollup_day
        mean = (table.c.total / table.c.readings).label("number")
        chosen = sa.select(table.c.datastream.label("stream"), table.c.begins.label("time"), mean)
        chosen = chosen.where(table.c.clearance <= int(clearance))
    return chosen.subquery("v")


def _wishes(pairs: Sequence[tuple[Stream, Limit]]) -> Any:
    """The limits as a table that is sent along."""
    moment = sa.DateTime(timezone=True)
    columns: list[tuple[str, list[Any], Any]] = [
        ("stream", [stream.id for stream, _ in pairs], sa.BigInteger()),
        ("place", list(range(len(pairs))), sa.BigInteger()),
        ("begins", [limit.start for _, limit in pairs], moment),
        ("ends", [limit.end for _, limit in pairs], moment),
        ("bound", [limit.bound for _, limit in pairs], sa.Double()),
        ("inclusive", [limit.inclusive for _, limit in pairs], sa.Boolean()),
        ("below", [limit.below for _, limit in pairs], sa.Boolean()),
    ]
    arrays = [sa.bindparam(f"w_{name}", values, type_=sa.ARRAY(kind)) for name, values, kind in columns]
    named = [sa.column(name, kind) for name, _, kind in columns]
    return sa.func.unnest(*arrays).table_valued(*named, name="w").render_derived()
