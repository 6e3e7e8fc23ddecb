"""Vector tiles: our service over HTTP against the bare statement of a table-serving tile server, without HTTP."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence

import asyncpg
import sqlalchemy as sa

from geoservice.db.compiled import Compiled, compile_statement
from geoservice.db.credentials import Role
from layers.crs import STORAGE_SRID, WEB_MERCATOR_SRID
from layers.table import current_table
from tests.bench import servers, workload
from tests.bench.client import BenchError, run_pass
from tests.bench.results import Figures, Side, comparison, in_turn
from tests.bench.workload import TileAddress
from tests.bench.world import LAYER, PEER_ROLE, World, peer_reader

CONNECTIONS = 4
"""On both sides: where other programs run too, more connections would get a larger share of the machine."""
SERIAL = {"max_parallel_workers_per_gather": "0"}


def measure(world: World, repetitions: int, requests: int, tell: Callable[[str], None]) -> Figures:
    """Both sides in turn."""
    addresses = workload.tiles(world.bounds(), requests)
    paths = [f"/collections/{LAYER}/tiles/WebMercatorQuad/{a.z}/{a.y}/{a.x}" for a in addresses]
    statement, password = _statement(world), peer_reader(world)
    with servers.geoservice(world) as port:
        run_pass(port, paths[: requests // 4], CONNECTIONS, gzip=False)
        sides: list[Side] = [
            ("geoservice", lambda: run_pass(port, paths, CONNECTIONS, gzip=False).rate),
            ("ST_AsMVT", lambda: _plain(world, password, statement, addresses, {})),
            ("ST_AsMVT, parallel query off", lambda: _plain(world, password, statement, addresses, SERIAL)),
        ]
        found = in_turn(sides, repetitions, tell)
    mix = ", ".join(f"z{z} {share} %" for z, share in workload.ZOOMS.items())
    conditions = (
        f"{len(addresses)} tiles of the layer {LAYER} ({mix}; seed {workload.SEED}), none from a cache. geoservice: "
        f"HTTP, {servers.WORKERS} workers, {CONNECTIONS} connections, bodies not compressed; low zooms from the "
        "layer's ladder, with the attributes that they need, z14 and above from its rows. ST_AsMVT: "
        "`ST_AsMVT(ST_AsMVTGeom(ST_Transform(geom, 3857), ST_TileEnvelope(z, x, y), 4096, 64, true))` over the same "
        f"table with an index test on the stored geometry, {CONNECTIONS} database connections, no HTTP, planner "
        "settings of the server unless stated. It delivers fid, key and the public attributes at every zoom: "
        f"{', '.join(world.attributes)}."
    )
    return comparison("Vector tiles", "tiles/s", conditions, found)


def _statement(world: World) -> Compiled:
    """What a server that draws tiles straight from a table sends."""
    table = current_table(world.layer)
    geom = sa.type_coerce(table.c.geom, sa.types.NullType())
    tile = sa.func.ST_TileEnvelope(*(sa.bindparam(name, type_=sa.Integer()) for name in ("z", "x", "y")))
    margin = sa.func.ST_TileEnvelope(
        *(sa.bindparam(name, type_=sa.Integer()) for name in ("z", "x", "y")),
        sa.func.ST_TileEnvelope(0, 0, 0),
        64 / 4096,
    )
    drawn = sa.func.ST_AsMVTGeom(sa.func.ST_Transform(geom, WEB_MERCATOR_SRID), tile, 4096, 64, True)
    columns = (table.c[name] for name in ("fid", "key", *world.attributes))
    rows = (
        sa.select(drawn.label("geom"), *columns)
        .where(geom.op("&&")(sa.func.ST_Transform(margin, STORAGE_SRID)))
        .subquery("tile")
    )
    encoded = sa.func.ST_AsMVT(rows.table_valued(), LAYER, 4096, "geom", "fid")
    return compile_statement(sa.select(sa.type_coerce(encoded, sa.LargeBinary()).label("tile")))


def _plain(
    world: World, password: str, statement: Compiled, addresses: Sequence[TileAddress], options: dict[str, str]
) -> float:
    return asyncio.run(_run(world, password, statement, addresses, options))


async def _run(
    world: World, password: str, statement: Compiled, addresses: Sequence[TileAddress], options: dict[str, str]
) -> float:
    arguments = {**world.database.asyncpg_arguments(Role.READER_PUBLIC), "user": PEER_ROLE, "password": password}
    waiting = iter(addresses)
    connections = [await asyncpg.connect(**arguments, server_settings=options) for _ in range(CONNECTIONS)]
    started = time.perf_counter()
    sizes = await asyncio.gather(*(_draw(connection, statement, waiting) for connection in connections))
    seconds = time.perf_counter() - started
    for connection in connections:
        await connection.close()
    if not all(sizes):
        raise BenchError("The plain statement drew nothing.")
    return len(addresses) / seconds


async def _draw(connection: asyncpg.Connection, statement: Compiled, waiting: Iterator[TileAddress]) -> int:
    size = 0
    for address in waiting:
        values = {"z": address.z, "x": address.x, "y": address.y}
        tile = await connection.fetchval(statement.sql, *statement.arguments(values))
        size += len(tile or b"")
    return size
