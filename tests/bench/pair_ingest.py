"""Loading a GeoPackage: whole loads of geoservice, and its bare machinery, against ogr2ogr into a fresh table."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import adbc_driver_postgresql.dbapi as adbc
import psutil
import pyarrow as pa
import pyarrow.compute as pc
import pyogrio
import yaml
from psycopg import sql

from geoservice.db.credentials import Role
from layers.catalog import read_catalog
from layers.checks import SetRule
from tests.bench.client import BenchError
from tests.bench.results import Figures, Side, comparison, in_turn, spread
from tests.bench.world import LAYER, PEER_SCHEMA, World, empty, fill

PEER_TABLE = "parcel"


def measure(world: World, parcels: int, repetitions: int, tell: Callable[[str], None]) -> list[Figures]:
    """Whole loads, the bare machinery, and loads that change nothing, all in turn with ogr2ogr."""
    plain = _without_set_rules(world)
    ogr = {
        "ogr2ogr, default order": lambda: _ogr2ogr(world, parcels, indexes_first=True),
        "ogr2ogr, indexes afterwards": lambda: _ogr2ogr(world, parcels, indexes_first=False),
    }
    sides: list[Side] = [
        ("geoservice, all checks", lambda: _ours(world)),
        ("geoservice, checks of single rows", lambda: _ours(plain)),
        ("machinery: Arrow into COPY, two streams", lambda: _machinery(world, parcels)),
        *ogr.items(),
    ]
    for _, warm_up in sides:
        warm_up()
    found = in_turn(sides, repetitions, tell)
    peaks = [f"{name} {peak} MB" for name, peak in (("all checks", _peak(world)), ("single rows", _peak(plain)))]
    empty(world)
    fill(world)
    again = [_again(world) for _ in range(repetitions)]
    tell(f"  again: {again}; peak memory: {', '.join(peaks)}")
    conditions = (
        f"{parcels} parcels of the sample region from a GeoPackage into an empty table, through the cluster's socket. "
        "geoservice: `ingest.load`, with the confined reader, checks, comparison, digests, profile, edition, figures "
        "and five indexes (feature number, key, geometry, time, edition), with and without the layer's rules about "
        "rows together (overlaps and gaps). Machinery: what is left when nothing is checked, digested or recorded: "
        "GDAL's Arrow stream into binary COPY, then key and GiST index side by side. ogr2ogr: `PG_USE_COPY YES`, with "
        "its GiST index before the rows (its default) or with key and GiST index afterwards. Loading the same file "
        f"once more: {spread(again)['median']:,.0f} features/s. Peak memory of the loader and its readers (sum of "
        f"proportional set sizes): {', '.join(peaks)}."
    )
    ours = ("geoservice, all checks", "geoservice, checks of single rows", "machinery: Arrow into COPY, two streams")
    titles = ("Loading, with all checks", "Loading, with checks of single rows", "Loading, the bare machinery")
    figures = [
        comparison(title, "features/s", conditions if n == 0 else "As above.", {k: found[k] for k in (name, *ogr)})
        for n, (title, name) in enumerate(zip(titles, ours, strict=True))
    ]
    figures[0]["unchanged"] = spread(again)
    figures[0]["peak"] = peaks
    return figures


def _without_set_rules(world: World) -> World:
    """The same layer without its rules about rows together and about other layers."""
    kept = tuple(r for r in world.layer.checks if not isinstance(r, SetRule) and getattr(r, "layer", None) is None)
    return replace(world, catalog=world.catalog.with_([world.layer.model_copy(update={"checks": kept})]))


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


def _peak(world: World) -> int:
    """Most memory (MB) of a process that does nothing but load, with all its children; shared pages count once."""
    empty(world)
    environment = {**os.environ, "GEOSERVICE_HOME": str(world.settings.home)}
    order = [sys.executable, "-m", "geoservice", "ingest", "load", LAYER, str(world.source), "--json"]
    with tempfile.TemporaryDirectory() as folder:
        if world.layer.checks != read_catalog(None).layer(LAYER).checks:
            environment["GEOSERVICE_LAYERS_DIR"] = str(_layers_of(world, Path(folder)))
        process = psutil.Popen(order, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        most = 0
        while process.poll() is None:
            most = max(most, _memory(process))
            time.sleep(0.05)
    if process.returncode != 0:
        raise BenchError("The load whose memory was watched failed.")
    return most >> 20


def _memory(process: psutil.Popen) -> int:
    total = 0
    for one in (process, *process.children(recursive=True)):
        with contextlib.suppress(psutil.Error):
            if "postgres" not in one.name():
                total += one.memory_full_info().pss
    return total


def _layers_of(world: World, folder: Path) -> Path:
    place = folder / "themes" / world.layer.theme
    place.mkdir(parents=True)
    content = world.layer.model_dump(mode="json", by_alias=True, exclude={"theme", "name"}, exclude_none=True)
    (place / f"{LAYER}.yaml").write_text(yaml.safe_dump(content, allow_unicode=True), encoding="utf-8")
    return folder


def _machinery(world: World, parcels: int) -> float:
    _fresh_schema(world)
    columns = pyogrio.read_info(world.source)["fields"]
    table = sql.Identifier(PEER_SCHEMA, PEER_TABLE)
    listed = sql.SQL(", ").join(sql.SQL("{} text").format(sql.Identifier(name)) for name in columns)
    with world.database.psycopg(Role.ADMIN) as connection:
        make = sql.SQL("CREATE TABLE {} (fid bigint, {}, geom geometry(Geometry, 4490))")
        connection.execute(make.format(table, listed))
    _checkpoint(world)
    started = time.perf_counter()
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda half: _copy(world, half, parcels), (0, 1)))
        indexes = (
            sql.SQL("CREATE INDEX ON {} USING gist (geom)").format(table),
            sql.SQL("CREATE UNIQUE INDEX ON {} ({})").format(table, sql.Identifier(world.layer.key[0])),
        )
        list(pool.map(lambda statement: _run(world, statement), indexes))
    seconds = time.perf_counter() - started
    if _peer_rows(world) != parcels:
        raise BenchError("The machinery did not load every parcel.")
    return parcels / seconds


def _copy(world: World, half: int, parcels: int) -> None:
    """One half of the rows as GDAL's Arrow stream, sent by binary COPY; texts, as no attribute is looked at."""
    where = f"fid <= {parcels // 2}" if half == 0 else f"fid > {parcels // 2}"
    reading = pyogrio.open_arrow(world.source, use_pyarrow=True, return_fids=True, where=where, datetime_as_string=True)
    with (
        adbc.connect(world.database.dsn(Role.ADMIN)) as connection,
        connection.cursor() as cursor,
        reading as (_, rows),
    ):
        for batch in rows:
            cursor.adbc_ingest(PEER_TABLE, _as_text(batch), mode="append", db_schema_name=PEER_SCHEMA)
        connection.commit()


def _as_text(batch: pa.RecordBatch) -> pa.Table:
    columns = {}
    for name, column in zip(batch.schema.names, batch.columns, strict=True):
        other = {"wkb_geometry": "geom", "OGC_FID": "fid"}.get(name, name)
        kept = other in ("geom", "fid")
        columns[other] = column if kept or pa.types.is_string(column.type) else pc.cast(column, pa.string())
    return pa.table(columns)


def _run(world: World, statement: sql.Composed) -> None:
    with world.database.psycopg(Role.ADMIN) as connection:
        connection.execute(statement)


def _ogr2ogr(world: World, parcels: int, *, indexes_first: bool) -> float:
    _fresh_schema(world)
    _checkpoint(world)
    index = "GIST" if indexes_first else "NONE"
    options = ["-nln", f"{PEER_SCHEMA}.{PEER_TABLE}", "-lco", f"SPATIAL_INDEX={index}", "-lco", "GEOMETRY_NAME=geom"]
    options += ["-lco", "FID=fid", "--config", "PG_USE_COPY", "YES", "-q"]
    command = ["ogr2ogr", "-f", "PostgreSQL", f"PG:{world.database.dsn(Role.ADMIN)}", str(world.source), *options]
    started = time.perf_counter()
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if not indexes_first and done.returncode == 0:
        table, key = sql.Identifier(PEER_SCHEMA, PEER_TABLE), sql.Identifier(world.layer.key[0])
        _run(world, sql.SQL("CREATE UNIQUE INDEX ON {} ({})").format(table, key))
        _run(world, sql.SQL("CREATE INDEX ON {} USING gist (geom)").format(table))
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
