"""What is beyond a limit now, worst first: the current readings and means of all datastreams in a few statements.

The limits of standards depend on property and unit alone, so that there are some dozens of them for any number of
stations: they are sent along as a table, and the database tells which values are beyond.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONPATH
from sqlalchemy.ext.asyncio import AsyncConnection

from geoservice.edr.model import Box
from geoservice.edr.statements import Stream, inside, placed_streams
from geoservice.exceedances.limits import (
    DECLARED,
    MOST_DECLARED,
    Basis,
    Grade,
    Kind,
    Limit,
    declared_limits,
    kind_of,
    standard_limits,
)
from geoservice.observations.played import EARNEST, Played
from geoservice.observations.read import UNCOUNTED
from geoservice.observations.tables import datastream, latest, observed_property, rollup_day, rollup_hour
from geoservice.observations.units import conversion
from layers.access import Clearance

FRESH = dt.timedelta(days=1)
"""What is older says nothing about now."""
OWN = "own"
"""Standard of a limit that whoever asks made up."""
_ROLLUPS: Mapping[Basis, tuple[sa.Table, dt.timedelta, float]] = {
    "hour": (rollup_hour, dt.timedelta(hours=1), 0.75),
    "day": (rollup_day, dt.timedelta(days=1), 20 / 24),
}
"""Roll-ups, how long they are, and which share of its readings makes one valid (GB 3095-2012, table 4: 45 minutes of an
hour, 20 hours of a day)."""
_PATHS: Mapping[Basis, str] = {
    "reading": '(!exists(@.basis) || @.basis == "reading")',
    "hour": '(@.basis == "hour")',
    "day": '(@.basis == "day")',
}
_Beyond = list[tuple[Stream, float, dt.datetime, Limit]]


@dataclass(frozen=True)
class OwnLimit:
    """A limit that whoever asks made up, for readings.

    Attributes:
        value: The limit.
        below: Whether values must not be below it, instead of above.
        unit: Its unit; None for that of each datastream.
    """

    value: float
    below: bool = False
    unit: str | None = None


@dataclass(frozen=True)
class Current:
    """Which current exceedances are wanted.

    Attributes:
        at: The instant that counts as now (UTC): what is later does not count.
        fresh: How old a reading, or the end of a mean, may be.
        properties: Codes of properties; None for all.
        standard: Of which standard; None for all.
        grade: Grade of the limits of air.
        boxes: Where, in degrees; none for everywhere.
        limit: Most answers.
        own: A limit for the properties, in place of those of standards and thresholds.
        played: Whether played ones are among them.
        share: Of how many equal shares of all datastreams which one is looked at; None for all.
    """

    at: dt.datetime
    fresh: dt.timedelta = FRESH
    properties: tuple[str, ...] | None = None
    standard: str | None = None
    grade: Grade = "2"
    boxes: tuple[Box, ...] = ()
    limit: int = 1000
    own: OwnLimit | None = None
    played: Played = EARNEST
    share: tuple[int, int] | None = None

    def halves(self) -> tuple[Current, Current]:
        """The same wish for each half of the datastreams that it is about."""
        place, of = self.share or (0, 1)
        return replace(self, share=(place, 2 * of)), replace(self, share=(place + of, 2 * of))


@dataclass(frozen=True)
class Standing:
    """A value that is beyond a limit now.

    Attributes:
        stream: The datastream, with its station and place.
        limit: The limit.
        value: The reading or mean, in the unit of the datastream.
        time: When it was read; of a mean its beginning (UTC).
        excess: By which share of the limit the value lies beyond it; of a limit of nothing, the value's size.
    """

    stream: Stream
    limit: Limit
    value: float
    time: dt.datetime
    excess: float


async def beyond_now(connection: AsyncConnection, clearance: Clearance, wish: Current) -> tuple[list[Standing], bool]:
    """What is beyond a limit now of all that a reader may see, worst first, and whether there is more.

    A value that is beyond several limits is told once for each. Readings that are marked as bad or missing do not
    count, nor do means of which too few readings came, or that have not ended and are not complete enough yet.
    """
    limits = await _limits(connection, clearance, wish)
    found: _Beyond = []
    for basis, some in limits.items():
        rows = (await connection.execute(_standard(basis, some, clearance, wish))).mappings()
        found += [(*_read(row), some[row["place"]][2]) for row in rows]
    if wish.own is None and wish.standard in (None, DECLARED):
        for basis in _PATHS:
            found += await _declared_beyond(connection, basis, clearance, wish)
    # A thing that stands at several places at once is told at the first.
    once = {(one.id, limit): (one, number, time, limit) for one, number, time, limit in reversed(found)}
    told = [
        Standing(one, limit, number, time, _excess(number, limit.level)) for one, number, time, limit in once.values()
    ]
    told.sort(key=lambda one: (-one.excess, one.stream.key, one.limit.title))
    return told[: wish.limit], len(told) > wish.limit


def _excess(number: float, level: float) -> float:
    return abs(number - level) / (abs(level) or 1.0)


_Limits = Mapping[Basis, Sequence[tuple[int, str, Limit]]]


async def _limits(connection: AsyncConnection, clearance: Clearance, wish: Current) -> _Limits:
    """The limits of standards that hold now, by basis: number of the property, unit of the values, limit."""
    found = defaultdict[Basis, list[tuple[int, str, Limit]]](list)
    moment = dt.timedelta(microseconds=1)
    for row in await connection.execute(_kinds(clearance, wish)):
        kind = Kind(row.code, row.unit or "")
        for limit in _own(kind, wish) or standard_limits(kind, wish.at, wish.at + moment, wish.grade):
            if wish.standard in (None, limit.standard) or wish.own is not None:
                found[limit.basis].append((row.id, kind.unit, limit))
    return found


def _own(kind: Kind, wish: Current) -> Iterable[Limit] | None:
    """The limit that whoever asks made up, in the unit of the values; none where it cannot be converted."""
    if wish.own is None:
        return None
    own, unit = wish.own, wish.own.unit or kind.unit
    way = conversion(unit, kind.unit)
    if way is None:
        return iter(())
    level = own.value * way.factor + way.shift
    limit = Limit("reading", wish.at, wish.at, own.value, unit, level, False, own.below, OWN, None, OWN, level)
    return iter((limit,))


def _kinds(clearance: Clearance, wish: Current) -> sa.Select[Any]:
    """The properties and units that there are."""
    seen = (datastream.c.clearance <= int(clearance), datastream.c.unit.is_not(None))
    some = sa.select(datastream.c.property, datastream.c.unit).where(*seen).distinct().subquery()
    chosen = sa.select(observed_property.c.id, observed_property.c.code, some.c.unit)
    chosen = chosen.join_from(some, observed_property, observed_property.c.id == some.c.property)
    return chosen.where(*_named(wish), observed_property.c.clearance <= int(clearance)).order_by("code", "unit")


def _named(wish: Current) -> Iterator[sa.ColumnElement[bool]]:
    if wish.properties is not None:
        yield observed_property.c.code == sa.any_(sa.bindparam("codes", list(wish.properties), sa.ARRAY(sa.Text())))


def _standard(
    basis: Basis, limits: Sequence[tuple[int, str, Limit]], clearance: Clearance, wish: Current
) -> sa.Select[Any]:
    """Datastreams whose current value is beyond a limit of their property and unit."""
    wished = _sent(limits)
    # Apart, so that places and names are looked up for those values alone that are beyond.
    pairs = sa.join(
        wished, datastream, sa.and_(datastream.c.property == wished.c.kind, datastream.c.unit == wished.c.unit)
    )
    value = _current(basis, clearance, wish)
    number = value.c.number
    beyond = sa.or_(
        sa.case((wished.c.below, number < wished.c.bound), else_=number > wished.c.bound),
        sa.and_(wished.c.inclusive, number == wished.c.bound),
    )
    excess = sa.func.abs(number - wished.c.level) / sa.func.coalesce(
        sa.func.nullif(sa.func.abs(wished.c.level), 0.0), 1.0
    )
    worst = (
        sa.select(datastream.c.id.label("stream"), wished.c.place, number, value.c.time, excess.label("excess"))
        .select_from(pairs.join(value, value.c.stream == datastream.c.id))
        .where(beyond)
        .cte("worst")
        .prefix_with("MATERIALIZED")
    )
    found = _told(clearance, wish, worst).add_columns(worst.c.place)
    return found.order_by(worst.c.excess.desc(), datastream.c.id).limit(wish.limit + 1)


def _told(clearance: Clearance, wish: Current, values: Any) -> sa.Select[Any]:
    """The streams of some values, each with number and time."""
    found = placed_streams(clearance, wish.played).join(values, values.c.stream == datastream.c.id)
    found = found.add_columns(values.c.number, values.c.time).where(*_named(wish))
    if wish.share is not None:
        place, of = wish.share
        found = found.where(datastream.c.id % of == place)
    return found.where(inside(wish.boxes)) if wish.boxes else found


def _sent(limits: Sequence[tuple[int, str, Limit]]) -> Any:
    """The limits as a table that is sent along."""
    columns: list[tuple[str, list[Any], Any]] = [
        ("kind", [kind for kind, _, _ in limits], sa.BigInteger()),
        ("unit", [unit for _, unit, _ in limits], sa.Text()),
        ("place", list(range(len(limits))), sa.BigInteger()),
        ("bound", [limit.bound for _, _, limit in limits], sa.Double()),
        ("level", [limit.level for _, _, limit in limits], sa.Double()),
        ("inclusive", [limit.inclusive for _, _, limit in limits], sa.Boolean()),
        ("below", [limit.below for _, _, limit in limits], sa.Boolean()),
    ]
    arrays = [sa.bindparam(f"w_{name}", values, type_=sa.ARRAY(kind)) for name, values, kind in columns]
    named = [sa.column(name, kind) for name, _, kind in columns]
    return sa.func.unnest(*arrays).table_valued(*named, name="w").render_derived()


def _current(basis: Basis, clearance: Clearance, wish: Current) -> Any:
    """The value that counts now of each datastream: `stream`, `time`, `number`."""
    since = wish.at - wish.fresh
    if basis == "reading":
        return (
            sa.select(latest.c.datastream.label("stream"), latest.c.phenomenon_time.label("time"), latest.c.number)
            .where(latest.c.number.is_not(None), sa.func.coalesce(latest.c.quality, "").not_in(UNCOUNTED))
            .where(latest.c.phenomenon_time > since, latest.c.phenomenon_time <= wish.at)
            .where(latest.c.clearance <= int(clearance))
            .subquery("v")
        )
    table, length, share = _ROLLUPS[basis]
    ended = sa.and_(table.c.begins <= wish.at - length, table.c.completeness.is_(None))
    return (
        sa.select(
            table.c.datastream.label("stream"),
            table.c.begins.label("time"),
            (table.c.total / table.c.readings).label("number"),
        )
        .where(table.c.datastream == datastream.c.id, table.c.clearance <= int(clearance))
        .where(table.c.begins > since - length, table.c.begins <= wish.at)
        .where(sa.or_(ended, table.c.completeness >= share))
        .order_by(table.c.begins.desc())
        .limit(1)
        .correlate(datastream)
        .lateral("v")
    )


async def _declared_beyond(connection: AsyncConnection, basis: Basis, clearance: Clearance, wish: Current) -> _Beyond:
    """Current values beyond thresholds that their datastreams declare; the database sifts, the limits decide."""
    found: _Beyond = []
    for row in (await connection.execute(_declaring(basis, clearance, wish))).mappings():
        stream, number, time = _read(row)
        for limit in declared_limits(kind_of(stream), wish.at, wish.at):
            if limit.basis == basis and limit.beyond(number):
                found.append((stream, number, time, limit))
    return found


def _declaring(basis: Basis, clearance: Clearance, wish: Current) -> sa.Select[Any]:
    own = f"$.thresholds[0 to {MOST_DECLARED - 1}] ? {_PATHS[basis]}"
    value = _current(basis, clearance, wish)
    given = sa.func.jsonb_build_object("v", value.c.number)
    sifted = _path(f"{own} ? (@.above < $v || @.below > $v)")
    values = (
        sa.select(datastream.c.id.label("stream"), value.c.number, value.c.time)
        .select_from(datastream.join(value, value.c.stream == datastream.c.id))
        .where(sa.func.jsonb_path_exists(datastream.c.properties, sifted, given, sa.true()))
    )
    if basis != "reading":
        # Means are looked up one by one, and most datastreams declare no threshold of any.
        values = values.where(sa.func.jsonb_path_exists(datastream.c.properties, _path(own)))
    # Apart as above; without a limit, which would cut before the worst is known.
    return _told(clearance, wish, values.cte("declaring").prefix_with("MATERIALIZED"))


def _path(text: str) -> sa.ColumnElement[Any]:
    return sa.cast(text, JSONPATH())


def _read(row: Any) -> tuple[Stream, float, dt.datetime]:
    columns = {name: row[name] for name in Stream.__dataclass_fields__}
    return Stream(**columns), float(row["number"]), row["time"].astimezone(dt.UTC)
