"""Units, marks and exercises as readers see them: GeoJSON (CRS84) up to a clearance, of one exercise or of none."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from geoservice.situation import tables
from geoservice.situation.model import stamp
from geoservice.situation.symbols import MARKS, STATES, UNITS, labelled
from layers.access import Clearance
from layers.crs import STORAGE_SRID
from layers.errors import UnknownResource
from layers.extent import Extent

SILENT = dt.timedelta(minutes=15)
"""A unit that has not reported for so long is shown as stale."""
_DIGITS = 9
MARK_TIMES = ("valid_from", "valid_to", "created", "changed")


@dataclass(frozen=True)
class Scope:
    """Who looks at what: clearance, exercise (None for what is meant in earnest), and the time now."""

    clearance: Clearance
    exercise: Exercise | None
    now: dt.datetime

    @property
    def named(self) -> str:
        """The exercise as rows name it."""
        return tables.NO_EXERCISE if self.exercise is None else self.exercise.id


@dataclass(frozen=True)
class Exercise:
    """An exercise."""

    id: str
    title: Mapping[str, str]
    clearance: Clearance
    started: dt.datetime
    stopped: dt.datetime | None
    change: int

    def reference(self) -> dict[str, Any]:
        """How everything that belongs to it names it."""
        return {"id": self.id, "title": dict(self.title)}

    def document(self) -> dict[str, Any]:
        """It as a document."""
        return {
            "exercise": self.reference(),
            "id": self.id,
            "title": dict(self.title),
            "clearance": self.clearance.label,
            "state": "running" if self.stopped is None else "stopped",
            "started": stamp(self.started),
            **({} if self.stopped is None else {"stopped": stamp(self.stopped)}),
        }


async def exercises(connection: AsyncConnection, clearance: Clearance, limit: int) -> list[Exercise]:
    """Exercises up to a clearance, the latest first."""
    table = tables.exercise.c
    mine = _exercises(clearance).order_by(table.started.desc(), table.id).limit(limit)
    return [_exercise(row) for row in await connection.execute(mine)]


async def exercise(connection: AsyncConnection, clearance: Clearance, number: str) -> Exercise:
    """One exercise.

    Raises:
        UnknownResource: When there is none up to the clearance.
    """
    rows = await connection.execute(_exercises(clearance).where(tables.exercise.c.id == number))
    if (row := rows.one_or_none()) is None:
        raise UnknownResource(f"There is no exercise {number[:40]!r}.")
    return _exercise(row)


async def members(connection: AsyncConnection, scope: Scope) -> list[dict[str, str]]:
    """Alerts and zones that were made to belong to the exercise of a scope."""
    table = tables.member.c
    mine = table.exercise == scope.named, table.clearance <= int(scope.clearance)
    rows = await connection.execute(sa.select(table.kind, table.object).where(*mine).order_by(table.kind, table.object))
    return [{"kind": row.kind, "id": row.object} for row in rows]


async def units(
    connection: AsyncConnection, scope: Scope, extent: Extent | None, limit: int, after: int = 0
) -> list[tuple[int, dict[str, Any]]]:
    """Latest positions of units as features, each with the number of its last change, in their order.

    One more than the limit tells that there are more.
    """
    table = tables.unit
    chosen = _units(scope).where(~table.c.withdrawn, table.c.change > after)
    chosen = _within(chosen, table, extent).order_by(table.c.change).limit(limit + 1)
    return [(row.change, unit_feature(row, scope)) for row in await connection.execute(chosen)]


async def unit(connection: AsyncConnection, scope: Scope, number: str) -> dict[str, Any]:
    """The unit of an id; where there are several, the one of the highest clearance.

    Raises:
        UnknownResource: When there is none that the reader may see.
    """
    table = tables.unit.c
    found = _units(scope).where(table.id == number, ~table.withdrawn).order_by(table.clearance.desc()).limit(1)
    row = (await connection.execute(found)).first()
    if row is None:
        raise UnknownResource(f"There is no unit {number[:40]!r}.")
    return unit_feature(row, scope)


async def track(connection: AsyncConnection, scope: Scope, number: str, since: dt.datetime | None) -> dict[str, Any]:
    """Where a unit was, as a feature with a line (or a point, or no geometry) and the time of each position.

    Raises:
        UnknownResource: See `unit`.
    """
    found = await unit(connection, scope, number)
    table = tables.track
    level = Clearance.parse(found["properties"]["clearance"])
    mine = table.c.id == number, table.c.exercise == scope.named, table.c.clearance == int(level)
    columns = (*_place(table), table.c.time, table.c.heading, table.c.speed)
    chosen = sa.select(*columns).where(*mine, *(() if since is None else (table.c.time >= since,)))
    rows = (await connection.execute(chosen.order_by(table.c.time))).all()
    places = [[row.x, row.y] for row in rows]
    kind = "LineString" if len(places) > 1 else "Point"
    geometry = {"type": kind, "coordinates": places if kind == "LineString" else places[0]} if places else None
    series = {"times": [stamp(row.time) for row in rows], "headings": [row.heading for row in rows]}
    series["speeds"] = [row.speed for row in rows]
    return {**found, "geometry": geometry, "properties": {**found["properties"], **series}}


async def marks(
    connection: AsyncConnection, scope: Scope, extent: Extent | None, limit: int, after: int = 0
) -> list[tuple[int, dict[str, Any]]]:
    """Marks that hold now, in the same way."""
    table = tables.mark
    begun = sa.or_(table.c.valid_from.is_(None), table.c.valid_from <= scope.now)
    stands = sa.or_(table.c.valid_to.is_(None), table.c.valid_to > scope.now)
    chosen = _marks(scope).where(~table.c.deleted, table.c.change > after, begun, stands)
    chosen = _within(chosen, table, extent).order_by(table.c.change).limit(limit + 1)
    return [(row.change, mark_feature(row, scope)) for row in await connection.execute(chosen)]


async def find_mark(connection: AsyncConnection, clearance: Clearance, number: str) -> tuple[Any, Exercise | None]:
    """A mark by its id, and its exercise; a deleted one only for who asks for its versions.

    Raises:
        UnknownResource: When there is none that the reader may see.
    """
    table = tables.mark
    columns = [table.c[name] for name in _MARK]
    mine = sa.select(*columns, _shape(table)).where(table.c.id == number, table.c.clearance <= int(clearance))
    row = (await connection.execute(mine)).one_or_none()
    if row is None:
        raise UnknownResource(f"There is no mark {number[:40]!r}.")
    return row, None if not row.exercise else await exercise(connection, clearance, row.exercise)


async def versions(connection: AsyncConnection, scope: Scope, row: Any) -> list[dict[str, Any]]:
    """All versions of a mark, the latest first."""
    table = tables.mark_version
    columns = [table.c[name] for name in _MARK if name in table.c]
    mine = table.c.id == row.id, table.c.clearance <= int(scope.clearance)
    earlier = await connection.execute(sa.select(*columns, _shape(table)).where(*mine).order_by(table.c.version.desc()))
    return [mark_feature(one, scope) for one in (row, *earlier)]


async def changed(connection: AsyncConnection, scope: Scope, after: int, limit: int) -> list[tuple[int, str, Any]]:
    """What became of units and marks since a change: number, `unit` or `mark`, and the feature, None for what went."""
    told = list[tuple[int, str, dict[str, Any]]]()
    for kind, table, chosen, gone in (
        ("unit", tables.unit, _units(scope), tables.unit.c.withdrawn),
        ("mark", tables.mark, _marks(scope), tables.mark.c.deleted),
    ):
        found = chosen.add_columns(gone.label("gone")).where(table.c.change > after).order_by(table.c.change)
        for row in await connection.execute(found.limit(limit)):
            whole = unit_feature(row, scope) if kind == "unit" else mark_feature(row, scope)
            reference = {"id": row.id, "clearance": Clearance(row.clearance).label, "gone": True}
            told.append((row.change, kind, reference if row.gone else whole))
    return sorted(told, key=lambda one: one[0])[:limit]


async def latest(connection: AsyncConnection, scope: Scope) -> int:
    """Number of the latest change of units and marks that the reader may know of."""
    found = list[int]()
    for table in (tables.unit, tables.mark):
        mine = table.c.exercise == scope.named, table.c.clearance <= int(scope.clearance)
        number = await connection.execute(sa.select(sa.func.coalesce(sa.func.max(table.c.change), 0)).where(*mine))
        found.append(int(number.scalar_one()))
    return max(found)


_UNIT = ("id", "clearance", "kind", "name", "status", "heading", "speed", "time", "received", "change")
_MARK = (
    "id", "clearance", "exercise", "symbol", "label", "note", "valid_from", "valid_to", "author", "deleted", "version",
    "created", "changed", "change",
)  # fmt: skip


def _exercises(clearance: Clearance) -> sa.Select[Any]:
    table = tables.exercise.c
    names = ("id", "title", "clearance", "started", "stopped", "change")
    return sa.select(*(table[name] for name in names)).where(table.clearance <= int(clearance))


def _exercise(row: Any) -> Exercise:
    return Exercise(row.id, row.title, Clearance(row.clearance), row.started, row.stopped, row.change)


def _units(scope: Scope) -> sa.Select[Any]:
    table = tables.unit
    mine = table.c.exercise == scope.named, table.c.clearance <= int(scope.clearance)
    return sa.select(*(table.c[name] for name in _UNIT), *_place(table)).where(*mine)


def _marks(scope: Scope) -> sa.Select[Any]:
    table = tables.mark
    mine = table.c.exercise == scope.named, table.c.clearance <= int(scope.clearance)
    return sa.select(*(table.c[name] for name in _MARK), _shape(table)).where(*mine)


def _place(table: sa.Table) -> Sequence[sa.ColumnElement[Any]]:
    bare = sa.type_coerce(table.c.geom, sa.types.NullType())
    return sa.func.ST_X(bare, type_=sa.Double()).label("x"), sa.func.ST_Y(bare, type_=sa.Double()).label("y")


def _shape(table: sa.Table) -> sa.ColumnElement[Any]:
    return sa.func.ST_AsGeoJSON(sa.type_coerce(table.c.geom, sa.types.NullType()), _DIGITS, 0).label("shape")


def _within(chosen: sa.Select[Any], table: sa.Table, extent: Extent | None) -> sa.Select[Any]:
    """Rows whose geometry meets a box. The bare && may run before row policies and so keeps the index."""
    if extent is None:
        return chosen
    bare = sa.type_coerce(table.c.geom, sa.types.NullType())
    boxes = [sa.func.ST_MakeEnvelope(*box, STORAGE_SRID) for box in extent.boxes()]
    return chosen.where(sa.or_(*(sa.and_(bare.op("&&")(box), sa.func.ST_Intersects(bare, box)) for box in boxes)))


def unit_feature(row: Any, scope: Scope) -> dict[str, Any]:
    """A unit as a feature."""
    properties = {
        **_belongs(scope),
        "kind": row.kind,
        "kindTitle": labelled(UNITS, row.kind),
        "name": row.name,
        "status": row.status,
        "statusTitle": labelled(STATES, row.status),
        "heading": row.heading,
        "speed": row.speed,
        "time": stamp(row.time),
        "received": stamp(row.received),
        "stale": row.time < scope.now - SILENT,
        "clearance": Clearance(row.clearance).label,
    }
    return {
        "type": "Feature",
        "id": row.id,
        "geometry": {"type": "Point", "coordinates": [row.x, row.y]},
        "properties": properties,
    }


def mark_feature(row: Any, scope: Scope) -> dict[str, Any]:
    """A version of a mark as a feature."""
    properties = {
        **_belongs(scope),
        "symbol": row.symbol,
        "symbolTitle": labelled(MARKS, row.symbol),
        "label": row.label,
        "note": row.note,
        "author": row.author,
        **{name: stamp(getattr(row, name)) for name in MARK_TIMES if getattr(row, name, None) is not None},
        "version": row.version,
        "clearance": Clearance(row.clearance).label,
        **({"deleted": True} if row.deleted else {}),
    }
    return {"type": "Feature", "id": row.id, "geometry": json.loads(row.shape), "properties": properties}


def _belongs(scope: Scope) -> dict[str, Any]:
    """What marks everything of an exercise."""
    return {} if scope.exercise is None else {"exercise": scope.exercise.reference()}
