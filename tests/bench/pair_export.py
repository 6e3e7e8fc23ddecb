"""Writing a whole collection into a file, as the process `export` does, against ogr2ogr from the same table."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import psutil
from psycopg import sql

from geoservice.db.credentials import Role
from tests.bench.client import BenchError
from tests.bench.results import Figures, Side, comparison, in_turn
from tests.bench.world import LAYER, World

DRIVERS = {"gpkg": "GPKG", "parquet": "Parquet", "flatgeobuf": "FlatGeobuf"}
MEBIBYTE = 1 << 20
_LOOKS_PER_SECOND = 20


def measure(world: World, parcels: int, repetitions: int, tell: Callable[[str], None]) -> list[Figures]:
    """GeoPackage, GeoParquet and FlatGeobuf; where ogr2ogr has no driver, it writes the GeoPackage."""
    known = subprocess.run(["ogr2ogr", "--formats"], check=True, capture_output=True, text=True).stdout
    figures = []
    for form, driver in DRIVERS.items():
        peer = driver if f" {driver} -" in known else DRIVERS["gpkg"]
        figures.append(_compared(world, (form, peer), parcels, repetitions, tell))
    return figures


def _compared(
    world: World, formats: tuple[str, str], parcels: int, repetitions: int, tell: Callable[[str], None]
) -> Figures:
    form, peer = formats
    ours, theirs = f"geoservice, {form}", f"ogr2ogr, {peer}"
    peaks = {ours: 0, theirs: 0}
    sides: list[Side] = [
        (ours, lambda: _ours(world, form, parcels, peaks, ours)),
        (theirs, lambda: _ogr2ogr(world, peer, parcels, peaks, theirs)),
    ]
    found = in_turn(sides, repetitions, tell)
    most = [f"{name} {peak} MB" for name, peak in peaks.items()]
    tell(f"  most memory: {', '.join(most)}")
    conditions = (
        f"{parcels} parcels, every attribute that the public may see, from the table into one file in EPSG:4490, "
        "through the cluster's socket, each side in a process of its own. geoservice: snapshot, row rule, feature "
        f"numbers in order, digest of the file. Most memory of each process and its children: {', '.join(most)}."
    )
    return {**comparison(f"Export to {form}", "features/s", conditions, found), "peak": most}


def _ours(world: World, form: str, parcels: int, peaks: dict[str, int], name: str) -> float:
    inputs = {"collection": LAYER.rpartition("/")[2], "f": form, "crs": "EPSG:4490"}
    with TemporaryDirectory(dir=world.home) as folder:
        told = json.dumps({"home": str(world.settings.home), "folder": folder, "inputs": inputs})
        said = _watched([sys.executable, "-m", "tests.bench.export_once", told], peaks, name)
    done = json.loads(said)
    if done["rows"] != parcels:
        raise BenchError("The export did not write every parcel.")
    return parcels / float(done["seconds"])


def _ogr2ogr(world: World, driver: str, parcels: int, peaks: dict[str, int], name: str) -> float:
    names = [sql.Identifier(name) for name in ("key", *world.attributes, "geom")]
    chosen = sql.SQL("SELECT {} FROM {}").format(sql.SQL(", ").join(names), sql.Identifier("geo", world.layer.name))
    with TemporaryDirectory(dir=world.home) as folder:
        command = ["ogr2ogr", "-f", driver, str(Path(folder) / "parcels"), f"PG:{world.database.dsn(Role.ADMIN)}"]
        started = time.perf_counter()
        _watched([*command, "-sql", chosen.as_string(), "-q"], peaks, name)
        return parcels / (time.perf_counter() - started)


def _watched(command: Sequence[str], peaks: dict[str, int], name: str) -> str:
    """Run a program, note the most memory (MB, resident) that it and its children had; what it printed."""
    process = psutil.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    while process.poll() is None:
        peaks[name] = max(peaks[name], _memory(process) // MEBIBYTE)
        time.sleep(1 / _LOOKS_PER_SECOND)
    said = str(process.stdout.read())
    if process.returncode != 0:
        # The message of a failed run would repeat the connection string.
        raise BenchError(f"{Path(command[0]).name} did not write the parcels.")
    return said


def _memory(process: psutil.Popen) -> int:
    total = 0
    with suppress(psutil.Error):
        for one in (process, *process.children(recursive=True)):
            total += one.memory_info().rss
    return total
