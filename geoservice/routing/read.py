"""Reading the roads of a network: which there are in which edition, and the columns of those that are new.

A network is brought up to date by comparing the editions of its rows with those it was made from; only what differs is
fetched. That is right whatever happened in between: loads, edits, withdrawals, clearances that were raised.
"""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import sqlalchemy as sa

from geoservice.db.compiled import Compiled, compile_statement
from geoservice.db.pools import RawConnection
from geoservice.db.reading import Reading
from geoservice.features.lookup import label_columns
from geoservice.features.past import edition_then
from geoservice.routing.errors import NetworkUnavailable
from geoservice.routing.graph import Graph, Stamp
from geoservice.routing.roads import Longs, Roads, Row
from layers.access import Decision
from layers.model import VectorLayer
from layers.network import Network
from layers.system import edition, layer_state
from layers.table import AS_OF, held, history_table, row_predicate

CHUNK = 2000
"""Roads that are fetched at a time, so that the event loop is free every few milliseconds."""
_LISTED = 5000
MICROSECONDS = 1_000_000


@dataclass(frozen=True)
class Source:
    """Where a network is read from: the layer, what the reader may see of it, the instant (None: now)."""

    layer: VectorLayer
    network: Network
    decision: Decision
    as_of: dt.datetime | None = None


@dataclass(frozen=True)
class Editions:
    """The edition of the layer that a source stands for, and the number of the latest one; 0: nothing is loaded."""

    then: Stamp
    latest: int


async def editions_of(connection: RawConnection, reading: Reading, source: Source) -> Editions:
    """The editions of a source, as they are now."""
    compiled = _compiled(reading, source, "editions", editions_statement)
    found = await connection.fetchrow(compiled.sql, *compiled.arguments({AS_OF: source.as_of}))
    if found is None:
        return Editions(Stamp(), 0)
    then = Stamp() if found["number"] is None else Stamp(found["number"], found["committed"])
    return Editions(then, found["latest"] or 0)


async def hides(connection: RawConnection, reading: Reading, source: Source, known: Roads) -> bool:
    """Whether roads of a network made earlier are such that the reader may not see them any more.

    Roads that were deleted are not: the reader finds them in history.
    """
    listed = await _listed(connection, reading, source)
    gone = np.setdiff1d(known.fid, listed[:, 0]).tolist()
    if not gone:
        return False
    compiled = _compiled(reading, source, "ended", ended_statement)
    ended = await connection.fetchval(compiled.sql, *compiled.arguments({"fids": gone}))
    return bool(ended < len(gone))


async def read_roads(
    connection: RawConnection, reading: Reading, source: Source, basis: Graph | None, most: int
) -> tuple[Stamp, Roads]:
    """The roads of a source and their edition, from one snapshot.

    Args:
        connection: A read-only connection of the decision's clearance.
        reading: Compiled statements of this process.
        source: What to read.
        basis: The network as it was made for the same reader at another time; what did not change is taken from there.
        most: How many features a network may have.

    Raises:
        NetworkUnavailable: When there are more.
    """
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        editions = await editions_of(connection, reading, source)
        there = await _listed(connection, reading, source)
        if len(there) > most:
            raise NetworkUnavailable(
                f"The network of {source.layer.name} has {len(there)} roads, more than the {most} that this service "
                "keeps in memory."
            )
        known = basis.roads if basis is not None and await _is_ours(connection, reading, source, basis.stamp) else None
        stays, missing = _compared(known, there)
        parts = [] if known is None else [await asyncio.to_thread(known.take, stays)]
        compiled = _compiled(reading, source, "rows", rows_statement)
        for start in range(0, len(missing), CHUNK):
            wanted = missing[start : start + CHUNK].tolist()
            rows = await connection.fetch(compiled.sql, *compiled.arguments({AS_OF: source.as_of, "fids": wanted}))
            parts.append(await asyncio.to_thread(Roads.of, [Row(*row) for row in rows]))
    return editions.then, await asyncio.to_thread(Roads.together, parts or [Roads.of([])])


def editions_statement(source: Source) -> sa.Select[Any]:
    """The layer's edition, now or at the bound instant, and the number of the latest one."""
    latest = layer_state.c.edition
    then = latest if source.as_of is None else edition_then(source.layer)
    joined = layer_state.outerjoin(edition, edition.c.id == then)
    columns = (edition.c.id.label("number"), _microseconds().label("committed"), latest.label("latest"))
    return sa.select(*columns).select_from(joined).where(layer_state.c.layer == source.layer.name)


def stamp_statement(source: Source) -> sa.Select[Any]:
    """When the edition of the layer with the number bound as `number` was committed."""
    number = sa.bindparam("number", type_=sa.BigInteger())
    return sa.select(_microseconds()).where(edition.c.layer == source.layer.name, edition.c.id == number)


def ended_statement(source: Source) -> sa.Select[Any]:
    """How many of the features bound as `fids` have a former version that the reader may see."""
    table = history_table(source.layer)
    fids = sa.bindparam("fids", type_=sa.ARRAY(sa.BigInteger()))
    seen = (row_predicate(table, source.decision.rule), table.c.fid == sa.any_(fids))
    return sa.select(sa.func.count(sa.distinct(table.c.fid))).where(*seen)


def listing_statement(source: Source) -> sa.Select[Any]:
    """Feature number and edition of every road that the reader may see and that has a geometry."""

    def rows_of(table: sa.Table) -> sa.Select[Any]:
        visible = (row_predicate(table, source.decision.rule), table.c.geom.is_not(None))
        return sa.select(table.c.fid, table.c["_edition"]).where(*visible)

    return held(source.layer, rows_of, past=source.as_of is not None)


def rows_statement(source: Source) -> sa.Select[Any]:
    """The columns of `Row` for the features whose numbers are bound as `fids`."""
    fids = sa.bindparam("fids", type_=sa.ARRAY(sa.BigInteger()))

    def rows_of(table: sa.Table) -> sa.Select[Any]:
        plain = sa.type_coerce(table.c.geom, sa.types.NullType())
        seen = (row_predicate(table, source.decision.rule), table.c.fid == sa.any_(fids), table.c.geom.is_not(None))
        return sa.select(
            table.c.fid,
            table.c["_edition"],
            table.c.key,
            sa.type_coerce(sa.func.ST_AsBinary(plain), sa.LargeBinary()).label("wkb"),
            _seen(table, source, source.network.class_, sa.Text()).label("kind"),
            _seen(table, source, source.network.oneway, sa.Boolean()).label("oneway"),
            _seen(table, source, source.network.limit, sa.Double()).label("speed"),
            *label_columns(source.layer, table, source.decision),
        ).where(*seen)

    return held(source.layer, rows_of, past=source.as_of is not None)


async def _listed(connection: RawConnection, reading: Reading, source: Source) -> Longs:
    """Feature number and edition of the roads that there are, row by row."""
    compiled = _compiled(reading, source, "listing", listing_statement)
    found: list[tuple[int, int]] = []
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        cursor = connection.cursor(compiled.sql, *compiled.arguments({AS_OF: source.as_of}), prefetch=_LISTED)
        async for row in cursor:
            found.append((row[0], row[1]))
    return np.array(found, dtype=np.int64).reshape(-1, 2)


def _microseconds() -> sa.ColumnElement[int]:
    """When an edition was committed."""
    return sa.cast(sa.extract("epoch", edition.c.committed) * MICROSECONDS, sa.BigInteger())


async def _is_ours(connection: RawConnection, reading: Reading, source: Source, stamp: Stamp) -> bool:
    """Whether this database has the edition: a graph of another one tells nothing about its rows."""
    compiled = _compiled(reading, source, "stamp", stamp_statement)
    found = await connection.fetchval(compiled.sql, *compiled.arguments({"number": stamp.edition}))
    return bool(found == stamp.committed)


def _seen(table: sa.Table, source: Source, name: str | None, kind: sa.types.TypeEngine[Any]) -> sa.ColumnElement[Any]:
    """An attribute, or null where the network has none or the reader may not see it."""
    if name is None or name not in source.decision.attributes:
        return sa.cast(sa.null(), kind)
    return sa.cast(table.c[name], kind)


def _compared(basis: Roads | None, there: Longs) -> tuple[Longs, Longs]:
    """Numbers of the basis' features that are still the same, and feature numbers of those that have to be fetched."""
    if basis is None or not len(basis):
        return np.zeros(0, dtype=np.int64), there[:, 0]
    kind = np.dtype([("fid", np.int64), ("edition", np.int64)])
    known = np.empty(len(basis), dtype=kind)
    known["fid"], known["edition"] = basis.fid, basis.edition
    wanted = np.empty(len(there), dtype=kind)
    wanted["fid"], wanted["edition"] = there.T
    return np.flatnonzero(np.isin(known, wanted)), there[~np.isin(wanted, known), 0]


def _compiled(reading: Reading, source: Source, name: str, made: Callable[[Source], sa.Select[Any]]) -> Compiled:
    decision = source.decision
    clearance = decision.rule.max_clearance
    shape = ("network", name, source.layer.name, clearance, decision.attributes, source.as_of is None)
    compiled = reading.statements.get(shape)
    if compiled is None:
        compiled = compile_statement(made(source), reading.schema(clearance))
        reading.statements[shape] = compiled
    return compiled
