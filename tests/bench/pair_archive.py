"""An archive of vector tiles: ladder and archive of geoservice against tippecanoe, at equal zoom levels."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from geoservice.archives.build import build
from geoservice.archives.request import ArchiveRequest
from tests.bench.client import BenchError
from tests.bench.results import Figures, Side, comparison, in_turn
from tests.bench.world import LAYER, World, raise_ladder

LOW, HIGH = 5, 14


def measure(world: World, parcels: int, repetitions: int, tell: Callable[[str], None]) -> Figures:
    """Both sides in turn."""
    program = tippecanoe()
    if program is None:
        raise BenchError("The pair archive needs tippecanoe: run scripts/install --bench")
    folder = world.home / "archives"
    folder.mkdir(exist_ok=True)
    source = _as_tippecanoe_reads(world, folder)
    sides: list[Side] = [
        ("geoservice, ladder and archive", lambda: _ours(world, folder, parcels)),
        ("tippecanoe", lambda: _theirs(program, source, folder, parcels)),
    ]
    found = in_turn(sides, repetitions, tell)
    sizes = {file.stem: file.stat().st_size >> 20 for file in sorted(folder.glob("*.pmtiles"))}
    conditions = (
        f"{parcels} parcels of the sample region, zoom levels {LOW} to {HIGH}, with key and the public attributes. "
        "geoservice: the ladder built from all rows, then `geoservice tiles build` from one snapshot into PMTiles; the "
        "rows are in the database. tippecanoe 2.72: from a FlatGeobuf file in EPSG:4326, "
        "`--drop-smallest-as-needed` to keep its limit of 500 kB; the time of making that file is not counted. "
        f"Sizes in MiB: {sizes}."
    )
    return comparison("Archive of vector tiles", "features/s", conditions, found)


def tippecanoe() -> str | None:
    """The program, from the environment's packages or the system."""
    own = Path(sys.executable).with_name("tippecanoe")
    return str(own) if own.is_file() else shutil.which("tippecanoe")


def _ours(world: World, folder: Path, parcels: int) -> float:
    file = folder / "geoservice.pmtiles"
    file.unlink(missing_ok=True)
    started = time.perf_counter()
    raise_ladder(world)
    build(world.database, world.catalog, ArchiveRequest((LAYER,), low=LOW, high=HIGH), file)
    return parcels / (time.perf_counter() - started)


def _theirs(program: str, source: Path, folder: Path, parcels: int) -> float:
    order = [program, "--quiet", "--force", "-o", str(folder / "tippecanoe.pmtiles"), "-l", LAYER]
    order += [f"-Z{LOW}", f"-z{HIGH}", "--drop-smallest-as-needed", str(source)]
    started = time.perf_counter()
    _run(order)
    return parcels / (time.perf_counter() - started)


def _as_tippecanoe_reads(world: World, folder: Path) -> Path:
    file = folder / "parcels.fgb"
    if not file.is_file():
        # Feature number and key, as our tiles carry them: the key of a parcel is its number.
        names = ",".join(dict.fromkeys((*world.layer.key, *world.attributes)))
        order = ["ogr2ogr", "-q", "-f", "FlatGeobuf", str(file), str(world.source)]
        _run([*order, "-t_srs", "EPSG:4326", "-select", names])
    return file


def _run(order: list[str]) -> None:
    done = subprocess.run(order, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise BenchError(f"{Path(order[0]).name} failed: {done.stderr.strip()[-300:]}")
