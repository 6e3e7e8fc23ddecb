"""Tiles by bare statements, without HTTP: what servers of tables send, and what a server on our ladder could."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import asyncpg
import sqlalchemy as sa

from geoservice.db.compiled import Compiled, compile_statement
from layers.crs import STORAGE_SRID, WEB_MERCATOR_SRID
from layers.model import VectorLayer
from layers.table import current_table
from tests.bench.client import BenchError

Job = tuple[Compiled, Mapping[str, Any]]
"""A statement and what it binds."""
SERIAL = {"max_parallel_workers_per_gather": "0"}


def table_statement(layer: VectorLayer, attributes: Sequence[str]) -> Compiled:
    """What a server that draws tiles straight from a table sends; binds z, x and y."""
    table = current_table(layer)
    geom = sa.type_coerce(table.c.geom, sa.types.NullType())
    tile = sa.func.ST_TileEnvelope(*_address())
    margin = sa.func.ST_TileEnvelope(*_address(), sa.func.ST_TileEnvelope(0, 0, 0), 64 / 4096)
    drawn = sa.func.ST_AsMVTGeom(sa.func.ST_Transform(geom, WEB_MERCATOR_SRID), tile, 4096, 64, True)
    columns = (table.c[name] for name in ("fid", "key", *attributes))
    rows = (
        sa.select(drawn.label("geom"), *columns)
        .where(geom.op("&&")(sa.func.ST_Transform(margin, STORAGE_SRID)))
        .subquery("tile")
    )
    encoded = sa.func.ST_AsMVT(rows.table_valued(), layer.name, 4096, "geom", "fid")
    return compile_statement(sa.select(sa.type_coerce(encoded, sa.LargeBinary()).label("tile")))


def _address() -> list[sa.BindParameter[Any]]:
    return [sa.bindparam(name, type_=sa.Integer()) for name in ("z", "x", "y")]


def rate(login: Mapping[str, Any], jobs: Sequence[Job], connections: int, options: Mapping[str, str]) -> float:
    """Tiles per second over some connections, each with one statement under way.

    Args:
        login: Arguments of `asyncpg.connect`.
        jobs: What to run, once each.
        connections: How many connections.
        options: Settings of the sessions.

    Raises:
        BenchError: When nothing was drawn.
    """
    return asyncio.run(_run(login, jobs, connections, options))


async def _run(login: Mapping[str, Any], jobs: Sequence[Job], connections: int, options: Mapping[str, str]) -> float:
    waiting = iter(jobs)
    opened = [await asyncpg.connect(**login, server_settings=dict(options)) for _ in range(connections)]
    started = time.perf_counter()
    sizes = await asyncio.gather(*(_draw(connection, waiting) for connection in opened))
    seconds = time.perf_counter() - started
    for connection in opened:
        await connection.close()
    if not sum(sizes):
        raise BenchError("The statements drew nothing.")
    return len(jobs) / seconds


async def _draw(connection: asyncpg.Connection, waiting: Iterator[Job]) -> int:
    size = 0
    for statement, values in waiting:
        tile = await connection.fetchval(statement.sql, *statement.arguments(values))
        size += len(tile or b"")
    return size
