"""Kept reports of loads, and editions: the statements and how they run on a reader's connection."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import asyncpg
import sqlalchemy as sa
from asyncpg.pool import PoolConnectionProxy

from geoservice.db.compiled import Compiled, compile_statement
from layers.access import Clearance
from layers.extent import Extent
from layers.system import edition, layer_figures, load_report

Connection: TypeAlias = "PoolConnectionProxy[asyncpg.Record]"
_LINEAGE = ("committed", "kind", "owner", "received", "tools", "undoes", "undone_by", "reason")


@dataclass(frozen=True, slots=True)
class LoadRecord:
    """One load as it was kept. `lineage` are columns of its edition; empty when it made none.

    `report` is an `ingest.job.IngestReport`, or says what ended the load (`problem`). Readers of the database have
    everything but this; `geoservice.loads.kept` fills it in.
    """

    number: int
    layer: str
    started: dt.datetime
    finished: dt.datetime
    outcome: str
    edition: int | None
    job: int | None
    principal: str
    source: str
    sha256: str | None
    report: Mapping[str, Any] = field(default_factory=dict)
    lineage: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class EditionRecord:
    """One edition, and the load that made it (None for a withdrawal)."""

    number: int
    load: int | None
    source: str
    mapping: str
    inserted: int
    updated: int
    deleted: int
    lineage: Mapping[str, Any]


def loads_statement(*, all_outcomes: bool, one: bool = False) -> sa.Select[Any]:
    """Loads of the layer bound as `layer`, newest first, from the number `before` down; or the one `number`.

    The reports are not among the columns: no reader may select them.

    Args:
        all_outcomes: Also those that made no edition.
        one: Select by `number` instead of `layer`.
    """
    table = load_report
    columns = [column for column in table.c if column.name not in ("clearance", "report")]
    lineage = [edition.c[n].label(f"edition_{n}") for n in _LINEAGE]
    statement = sa.select(*columns, *lineage).select_from(table.outerjoin(edition, edition.c.id == table.c.edition))
    if not all_outcomes:
        statement = statement.where(table.c.outcome == "loaded")
    if one:
        return statement.where(table.c.id == sa.bindparam("number", type_=sa.BigInteger()))
    before = sa.bindparam("before", type_=sa.BigInteger())
    return (
        statement.where(table.c.layer == sa.bindparam("layer", type_=sa.Text()), table.c.id < before)
        .order_by(table.c.id.desc())
        .limit(sa.bindparam("limit", type_=sa.BigInteger()))
    )


def editions_statement() -> sa.Select[Any]:
    """Editions of the layer bound as `layer`, newest first, from the number `before` down."""
    made = sa.select(sa.func.max(load_report.c.id)).where(
        load_report.c.edition == edition.c.id, load_report.c.outcome == "loaded"
    )
    columns = [edition.c[n] for n in ("id", "source", "mapping", "inserted", "updated", "deleted")]
    lineage = [edition.c[n].label(f"edition_{n}") for n in _LINEAGE]
    return (
        sa.select(*columns, *lineage, made.correlate(edition).scalar_subquery().label("load"))
        .where(
            edition.c.layer == sa.bindparam("layer", type_=sa.Text()),
            edition.c.id < sa.bindparam("before", type_=sa.BigInteger()),
        )
        .order_by(edition.c.id.desc())
        .limit(sa.bindparam("limit", type_=sa.BigInteger()))
    )


def extent_statement(clearance: Clearance) -> sa.Select[Any]:
    """Box around the rows of the layer bound as `layer` up to a clearance."""
    figures = layer_figures
    return sa.select(*(figures.c[n] for n in ("west", "south", "east", "north"))).where(
        figures.c.layer == sa.bindparam("layer", type_=sa.Text()), figures.c.clearance == int(clearance)
    )


_COMPILED: dict[tuple[object, ...], Compiled] = {}


def _compiled(key: tuple[object, ...], statement: sa.Select[Any]) -> Compiled:
    if key not in _COMPILED:
        _COMPILED[key] = compile_statement(statement)
    return _COMPILED[key]


async def read_load(connection: Connection, number: int) -> LoadRecord | None:
    """The load of a number without its report, as far as the connection's role may see it."""
    compiled = _compiled(("one",), loads_statement(all_outcomes=True, one=True))
    row = await connection.fetchrow(compiled.sql, *compiled.arguments({"number": number}))
    return None if row is None else load_of(row)


async def read_loads(
    connection: Connection, layer: str, *, all_outcomes: bool, before: int, limit: int
) -> list[LoadRecord]:
    """At most `limit` loads of a layer with numbers below `before`, newest first, without their reports."""
    compiled = _compiled(("loads", all_outcomes), loads_statement(all_outcomes=all_outcomes))
    values = {"layer": layer, "before": before, "limit": limit}
    return [load_of(row) for row in await connection.fetch(compiled.sql, *compiled.arguments(values))]


async def read_editions(connection: Connection, layer: str, *, before: int, limit: int) -> list[EditionRecord]:
    """At most `limit` editions of a layer with numbers below `before`, newest first."""
    compiled = _compiled(("editions",), editions_statement())
    values = {"layer": layer, "before": before, "limit": limit}
    return [_edition_of(row) for row in await connection.fetch(compiled.sql, *compiled.arguments(values))]


async def read_extent(connection: Connection, layer: str, clearance: Clearance) -> Extent | None:
    """Box around what a reader of this clearance sees of a layer; None when that is nothing."""
    compiled = _compiled(("extent", clearance), extent_statement(clearance))
    row = await connection.fetchrow(compiled.sql, *compiled.arguments({"layer": layer}))
    return None if row is None or row["west"] is None else Extent(*row.values())


def load_of(row: Mapping[str, Any]) -> LoadRecord:
    """A record from a row of `loads_statement`."""
    return LoadRecord(
        number=row["id"],
        layer=row["layer"],
        started=row["started"],
        finished=row["finished"],
        outcome=row["outcome"],
        edition=row["edition"],
        job=row["job"],
        principal=row["principal"],
        source=row["source"],
        sha256=row["sha256"],
        lineage=_lineage(row) if row["edition"] is not None else {},
    )


def _edition_of(row: Mapping[str, Any]) -> EditionRecord:
    names = ("source", "mapping", "inserted", "updated", "deleted", "load")
    return EditionRecord(number=row["id"], lineage=_lineage(row), **{name: row[name] for name in names})


def _lineage(row: Mapping[str, Any]) -> dict[str, Any]:
    found = {name: row[f"edition_{name}"] for name in _LINEAGE}
    return {**found, "tools": _json(found["tools"])}


def _json(value: Any) -> Any:
    """JSON comes as text from asyncpg and as values from psycopg."""
    return json.loads(value) if isinstance(value, str) else value
