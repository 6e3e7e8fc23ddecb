"""Plotted marks: made, changed, deleted, put back; each change is a version. Blocking; in a writer's transaction."""

from __future__ import annotations

import datetime as dt
import secrets
from typing import Any

import shapely
import sqlalchemy as sa

from geoservice.features.level import level_for
from geoservice.situation import tables
from geoservice.situation.desk import exercise_for, turn
from geoservice.situation.errors import MarkChanged, NothingToUndo, TooManyMarks
from geoservice.situation.model import MarkBody, NewMark
from geoservice.situation.symbols import MARKS, require_code
from ingest.edit import Condition
from layers.access import Principal
from layers.crs import STORAGE_SRID
from layers.errors import UnknownResource

_CONTENT = ("symbol", "label", "note", "geom", "valid_from", "valid_to", "author", "deleted")
"""What a version holds."""
_TOLD = ("symbol", "label", "note", "valid_from", "valid_to", "author")


def make(connection: sa.Connection, principal: Principal, body: NewMark, geometry: shapely.Geometry, most: int) -> str:
    """Plot a mark; returns its id.

    Args:
        connection: A transaction of the writer.
        principal: Whose key plots it.
        body: What is plotted.
        geometry: Its geometry, checked (longitude, latitude in degrees).
        most: Most marks of one key, deleted ones not counted.

    Raises:
        BadBody: When the symbol is none.
        TooManyMarks: When the key has plotted so many.
        UnknownResource, ExerciseOver, BadParameter: See `desk`.
    """
    require_code(MARKS, body.symbol, "symbol")
    change = turn(connection)
    exercise, least = exercise_for(connection, principal, body.exercise)
    level = level_for(principal, body.clearance, least)
    table = tables.mark
    mine = sa.select(sa.func.count()).select_from(table).where(table.c.principal == principal.id, ~table.c.deleted)
    if connection.execute(mine).scalar_one() >= most:
        raise TooManyMarks(f"A key plots at most {most} marks; delete some that are over.", most=most)
    number = secrets.token_hex(12)
    fixed = {"id": number, "clearance": int(level), "exercise": exercise, "principal": principal.id}
    values = {**_content(body, geometry), "deleted": False, "version": 1, "change": change}
    connection.execute(sa.insert(table).values(**fixed, **values))
    return number


def change(
    connection: sa.Connection,
    principal: Principal,
    number: str,
    condition: Condition,
    body: MarkBody,
    geometry: shapely.Geometry,
) -> None:
    """Replace what a mark says, if it is still the version that the condition names.

    Raises:
        BadBody, UnknownResource, MarkChanged, ExerciseOver: When it cannot be.
    """
    require_code(MARKS, body.symbol, "symbol")
    turned = turn(connection)
    row = _open(connection, principal, number, condition)
    _supersede(connection, row, turned, _content(body, geometry))


def delete(connection: sa.Connection, principal: Principal, number: str, condition: Condition) -> None:
    """Take a mark off the map; undo puts it back.

    Raises:
        UnknownResource, MarkChanged, ExerciseOver: When it cannot be.
    """
    turned = turn(connection)
    row = _open(connection, principal, number, condition)
    _supersede(connection, row, turned, {"deleted": True})


def undo(connection: sa.Connection, principal: Principal, number: str, condition: Condition) -> None:
    """Make the version before the latest the latest again, as a version of its own; also of a deleted mark.

    Raises:
        UnknownResource, MarkChanged, ExerciseOver: When it cannot be.
        NothingToUndo: When there is no earlier version.
    """
    turned = turn(connection)
    row = _open(connection, principal, number, condition, deleted=True)
    table = tables.mark_version
    before = sa.select(*(table.c[name] for name in _CONTENT)).where(
        table.c.id == row.id, table.c.version == row.version - 1
    )
    earlier = connection.execute(before).one_or_none()
    if earlier is None:
        raise NothingToUndo(f"Mark {number[:40]} has no earlier version.")
    _supersede(connection, row, turned, {name: getattr(earlier, name) for name in _CONTENT})


def _content(body: MarkBody, geometry: shapely.Geometry) -> dict[str, Any]:
    wkb = shapely.to_wkb(shapely.set_srid(geometry, STORAGE_SRID), include_srid=True)
    shape = sa.func.ST_GeomFromEWKB(sa.literal(wkb, sa.LargeBinary()))
    return {**{name: getattr(body, name) for name in _TOLD}, "geom": shape}


def _open(
    connection: sa.Connection, principal: Principal, number: str, condition: Condition, *, deleted: bool = False
) -> Any:
    """The latest version of a mark that may be changed now."""
    table = tables.mark
    mine = sa.select(table.c.id, table.c.version, table.c.exercise, table.c.changed, table.c.deleted).where(
        table.c.id == number, table.c.clearance <= int(principal.clearance)
    )
    row = connection.execute(mine).one_or_none()
    if row is None or (row.deleted and not deleted):
        raise UnknownResource(f"There is no mark {number[:40]!r}.")
    exercise_for(connection, principal, row.exercise or None)
    _require(condition, row.version, row.changed)
    return row


def _require(condition: Condition, version: int, changed: dt.datetime) -> None:
    other = condition.editions is not None and version not in condition.editions
    later = condition.unmodified_since is not None and changed > condition.unmodified_since
    if other or later:
        raise MarkChanged("Somebody has changed the mark meanwhile; read it again.", version=version)


def _supersede(connection: sa.Connection, row: Any, turned: int, values: dict[str, Any]) -> None:
    """Keep the latest version as it stands, and write another one."""
    table, kept = tables.mark, tables.mark_version
    names = ("id", "version", "clearance", *_CONTENT, "changed")
    # Geometry goes from row to row as it is.
    columns = [sa.type_coerce(table.c[n], sa.types.NullType()) if n == "geom" else table.c[n] for n in names]
    connection.execute(sa.insert(kept).from_select(list(names), sa.select(*columns).where(table.c.id == row.id)))
    after = {**values, "version": row.version + 1, "changed": sa.func.clock_timestamp(), "change": turned}
    connection.execute(sa.update(table).where(table.c.id == row.id).values(**after))
