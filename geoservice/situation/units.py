"""Reports of units: the latest position of each, and a short track. Blocking; in a transaction of the writer."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any, Literal

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from geoservice.features.level import level_for
from geoservice.situation import tables
from geoservice.situation.desk import exercise_for, turn
from geoservice.situation.errors import ReportContested, ReportRefused, TooManyMarks
from geoservice.situation.model import UnitReport
from geoservice.situation.symbols import STATES, UNITS, require_code
from layers.access import Clearance, Principal
from layers.crs import STORAGE_SRID
from layers.errors import UnknownResource

AHEAD = dt.timedelta(minutes=2)
"""How far the clock of a unit may go before ours."""
_SWEEP_MOST = 10_000
Outcome = Literal["new", "moved", "late", "unchanged"]
_DESCRIBED = ("kind", "name", "status")


@dataclass(frozen=True)
class Limits:
    """How long tracks are kept, and how many units a key may report."""

    track: dt.timedelta
    each: int


@dataclass(frozen=True)
class Told:
    """What became of a report: `late` ones only fill the track, `unchanged` ones were known; and whose it is."""

    outcome: Outcome
    clearance: Clearance
    exercise: str


def report(
    connection: sa.Connection, principal: Principal, number: str, body: UnitReport, now: dt.datetime, limits: Limits
) -> Told:
    """Take a report.

    Args:
        connection: A transaction of the writer.
        principal: Whose key brings it.
        number: Id of the unit.
        body: The report.
        now: The time here.
        limits: What is kept.

    Raises:
        BadBody: When kind or status is not of its code list.
        ReportRefused: When it comes from the future, or from before the tracks that are kept.
        ReportContested: When the unit said something else of the same instant.
        UnknownResource, ExerciseOver, BadParameter: See `desk`.
        TooManyMarks: When the key reports as many units as one may.
    """
    require_code(UNITS, body.kind, "kind")
    require_code(STATES, body.status, "status")
    if body.time > now + AHEAD:
        raise ReportRefused(f"The report says {body.time.isoformat()}, which has not come yet; look at the clock.")
    if body.time < now - limits.track:
        hours = limits.track.total_seconds() / 3600
        raise ReportRefused(f"The report says {body.time.isoformat()}; tracks are kept for {hours:g} hours only.")
    change = turn(connection)
    exercise, least = exercise_for(connection, principal, body.exercise)
    level = level_for(principal, body.clearance, least)
    key = {"id": number, "clearance": int(level), "exercise": exercise}
    known = connection.execute(sa.select(tables.unit).where(*_same(tables.unit, key))).one_or_none()
    if known is None:
        _require_room(connection, principal, limits.each)
    outcome = _outcome(connection, key, known, body)
    if outcome in ("new", "moved"):
        _move(connection, key, body, {"principal": principal.id, "change": change, "received": now})
    if outcome != "unchanged":
        _trace(connection, key, body)
        _sweep(connection, now - limits.track)
    return Told(outcome, level, exercise)


def withdraw(connection: sa.Connection, principal: Principal, number: str, exercise: str | None) -> None:
    """Take a unit off the map, the one of the highest clearance that the principal may see; its track goes.

    Raises:
        UnknownResource, ExerciseOver: When there is none, or its exercise is over.
    """
    change = turn(connection)
    named, _ = exercise_for(connection, principal, exercise)
    table = tables.unit
    seen = table.c.id == number, table.c.exercise == named, table.c.clearance <= int(principal.clearance)
    found = sa.select(table.c.clearance).where(*seen, ~table.c.withdrawn).order_by(table.c.clearance.desc()).limit(1)
    level = connection.execute(found).scalar()
    if level is None:
        raise UnknownResource(f"There is no unit {number[:40]!r}.")
    key = {"id": number, "clearance": level, "exercise": named}
    connection.execute(sa.delete(tables.track).where(*_same(tables.track, key)))
    connection.execute(sa.update(table).where(*_same(table, key)).values(withdrawn=True, change=change))


def _same(table: sa.Table, key: dict[str, Any]) -> list[sa.ColumnElement[bool]]:
    return [table.c[name] == value for name, value in key.items()]


def _outcome(connection: sa.Connection, key: dict[str, Any], known: Any, body: UnitReport) -> Outcome:
    table = tables.track
    place = [getattr(sa.func, name)(sa.type_coerce(table.c.geom, sa.types.NullType())) for name in ("ST_X", "ST_Y")]
    then = sa.select(*place, table.c.heading, table.c.speed).where(*_same(table, key), table.c.time == body.time)
    row = connection.execute(then).one_or_none()
    latest = known is None or known.withdrawn or body.time > known.time
    if row is None:
        return "new" if known is None or known.withdrawn else "moved" if latest else "late"
    same = tuple(row) == (*body.position, body.heading, body.speed)
    if not latest and body.time == known.time:
        same = same and all(getattr(known, name) == getattr(body, name) for name in _DESCRIBED)
    if not same:
        raise ReportContested(
            f"The unit has reported something else for {body.time.isoformat()}; a new report has a later time."
        )
    return "unchanged"


def _require_room(connection: sa.Connection, principal: Principal, most: int) -> None:
    mine = sa.select(sa.func.count()).select_from(tables.unit).where(tables.unit.c.principal == principal.id)
    if connection.execute(mine).scalar_one() >= most:
        raise TooManyMarks(f"A key reports at most {most} units.", most=most)


def _point(body: UnitReport) -> sa.ColumnElement[Any]:
    return sa.func.ST_SetSRID(sa.func.ST_MakePoint(*body.position), STORAGE_SRID)


def _move(connection: sa.Connection, key: dict[str, Any], body: UnitReport, more: dict[str, Any]) -> None:
    told = {name: getattr(body, name) for name in (*_DESCRIBED, "heading", "speed", "time")}
    values = {**told, "geom": _point(body), "withdrawn": False, **more}
    # Who reported it first answers for it in the count of units.
    again = {name: value for name, value in values.items() if name != "principal"}
    placed = insert(tables.unit).values(**key, **values)
    connection.execute(placed.on_conflict_do_update(index_elements=list(key), set_=again))


def _trace(connection: sa.Connection, key: dict[str, Any], body: UnitReport) -> None:
    values = {**key, "time": body.time, "geom": _point(body), "heading": body.heading, "speed": body.speed}
    connection.execute(sa.insert(tables.track).values(**values))


def _sweep(connection: sa.Connection, before: dt.datetime) -> None:
    """Forget the oldest positions, of all units, some at a time."""
    table = tables.track
    old: sa.Select[Any] = (
        sa.select(sa.literal_column("ctid")).select_from(table).where(table.c.time < before).limit(_SWEEP_MOST)
    )
    connection.execute(sa.delete(table).where(sa.literal_column("ctid").in_(old)))
