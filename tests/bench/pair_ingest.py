"""Loading a GeoPackage: the whole load of geoservice against ogr2ogr's COPY into a fresh table."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable

from psycopg import sql

from geoservice.db.credentials import Role
from tests.bench.client import BenchError
from tests.bench.results import Figures, comparison, in_turn, spread
from tests.bench.world import PEER_SCHEMA, World, empty, fill

PEER_TABLE = "parcel"


def measure(world: World, parcels: int, repetitions: int, tell: Callable[[str], None]) -> Figures:
    """Both sides in turn, then loads that change nothing."""
    sides = [("geoservice", lambda: _ours(world)), ("ogr2ogr", lambda: _ogr2ogr(world, parcels))]
    for _, warm_up in sides:
        warm_up()
    found = in_turn(sides, repetitions, tell)
    empty(world)
    fill(world)
    again = [_again(world) for _ in range(repetitions)]
    tell(f"  again: {again}")
    conditions = (
        f"{parcels} parcels of the sample region from a GeoPackage into an empty table. geoservice: `ingest.load`, "
        "with the confined reader, checks of geometry and attributes, comparison with the current rows, edition, "
        "figures and five indexes (feature number, key, geometry, time, edition). ogr2ogr: `PG_USE_COPY YES` into "
        "a fresh table with primary key and GiST index. Both into the same cluster through its socket. geoservice "
        "loading the same file once more, which changes nothing: "
        f"{spread(again)['median']:,.0f} features/s."
    )
    figures = comparison("Loading", "features/s", conditions, found)
    figures["unchanged"] = spread(again)
    return figures


def _ours(world: World) -> float:
    empty(world)
    _checkpoint(world)
    started = time.perf_counter()
    report = fill(world)
    return report.inserted / (time.perf_counter() - started)


def _again(world: World) -> float:
    _checkpoint(world)
    started = time.perf_counter()
    report = fill(world)
    if report.unchanged != report.read:
        raise BenchError("A second load of the same file changed something.")
    return report.unchanged / (time.perf_counter() - started)


def _ogr2ogr(world: World, parcels: int) -> float:
    _fresh_schema(world)
    _checkpoint(world)
    options = ["-nln", f"{PEER_SCHEMA}.{PEER_TABLE}", "-lco", "SPATIAL_INDEX=GIST", "-lco", "GEOMETRY_NAME=geom"]
    options += ["-lco", "FID=fid", "--config", "PG_USE_COPY", "YES", "-q"]
    command = ["ogr2ogr", "-f", "PostgreSQL", f"PG:{world.database.dsn(Role.ADMIN)}", str(world.source), *options]
    started = time.perf_counter()
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    seconds = time.perf_counter() - started
    if done.returncode != 0 or _peer_rows(world) != parcels:
        # The message of a failed run would repeat the connection string.
        raise BenchError("ogr2ogr did not load every parcel.")
    return parcels / seconds


def _fresh_schema(world: World) -> None:
    name = sql.Identifier(PEER_SCHEMA)
    with world.database.psycopg(Role.ADMIN) as connection:
        connection.execute(sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(name))
        connection.execute(sql.SQL("CREATE SCHEMA {}").format(name))


def _peer_rows(world: World) -> int:
    table = sql.Identifier(PEER_SCHEMA, PEER_TABLE)
    with world.database.psycopg(Role.ADMIN) as connection:
        row = connection.execute(sql.SQL("SELECT count(*) FROM {}").format(table)).fetchone()
    return int(row[0]) if row else 0


def _checkpoint(world: World) -> None:
    with world.database.psycopg(Role.ADMIN, autocommit=True) as connection:
        connection.execute("CHECKPOINT")
