"""Writing a whole collection into a file, as the process `export` does, against ogr2ogr from the same table."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import psutil
from psycopg import sql

from geoservice.db.credentials import Role
from geoservice.exports.run import RESULT, run
from geoservice.exports.wish import ExportInputs
from geoservice.jobs.execute import begun
from layers.access import ANONYMOUS
from tests.bench.client import BenchError
from tests.bench.results import Figures, Side, comparison, in_turn
from tests.bench.world import LAYER, World

DRIVERS = {"gpkg": "GPKG", "parquet": "Parquet", "flatgeobuf": "FlatGeobuf"}
MEBIBYTE = 1 << 20


def measure(world: World, parcels: int, repetitions: int, tell: Callable[[str], None]) -> list[Figures]:
    """GeoPackage, GeoParquet and FlatGeobuf; where ogr2ogr has no driver, it writes the GeoPackage."""
    known = subprocess.run(["ogr2ogr", "--formats"], check=True, capture_output=True, text=True).stdout
    figures = []
    for form, driver in DRIVERS.items():
        peer = driver if f" {driver} -" in known else DRIVERS["gpkg"]
        ours, theirs = f"geoservice, {form}", f"ogr2ogr, {peer}"
        sides: list[Side] = [
            (ours, lambda form=form: _ours(world, form, parcels)),  # type: ignore[misc]
            (theirs, lambda peer=peer: _ogr2ogr(world, peer, parcels)),  # type: ignore[misc]
        ]
        for _, warm_up in sides:
            warm_up()
        found = in_turn(sides, repetitions, tell)
        peak = psutil.Process().memory_info().rss // MEBIBYTE
        conditions = (
            f"{parcels} parcels, every attribute that the public may see, from the table into one file in EPSG:4490, "
            "through the cluster's socket. geoservice: snapshot, row rule, feature numbers in order, digest of the "
            f"file. Memory of the measuring process afterwards: {peak} MB."
        )
        figures.append(comparison(f"Export to {form}", "features/s", conditions, found))
    return figures


def _ours(world: World, form: str, parcels: int) -> float:
    with TemporaryDirectory(dir=world.home) as folder:
        started = time.perf_counter()
        places = Path(folder), None
        with begun(world.database, world.catalog, ANONYMOUS, places, lambda done, total: None) as execution:
            run(execution, ExportInputs(collection=LAYER.rpartition("/")[2], f=form, crs="EPSG:4490"))
        seconds = time.perf_counter() - started
        if execution.outputs[RESULT].facts["rows"] != parcels:
            raise BenchError("The export did not write every parcel.")
    return parcels / seconds


def _ogr2ogr(world: World, driver: str, parcels: int) -> float:
    names = [sql.Identifier(name) for name in ("key", *world.attributes, "geom")]
    chosen = sql.SQL("SELECT {} FROM {}").format(sql.SQL(", ").join(names), sql.Identifier("geo", world.layer.name))
    with TemporaryDirectory(dir=world.home) as folder:
        command = ["ogr2ogr", "-f", driver, str(Path(folder) / "parcels"), f"PG:{world.database.dsn(Role.ADMIN)}"]
        started = time.perf_counter()
        done = subprocess.run([*command, "-sql", chosen.as_string(), "-q"], check=False, capture_output=True)
        seconds = time.perf_counter() - started
    if done.returncode != 0:
        # The message of a failed run would repeat the connection string.
        raise BenchError("ogr2ogr did not write the parcels.")
    return parcels / seconds
