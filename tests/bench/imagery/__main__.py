"""Measures raster tiles over HTTP against TiTiler and writes docs/benchmarks-imagery.json and .md."""

from __future__ import annotations

import argparse
import random
import sys
import warnings
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import quote

import numpy as np
import numpy.typing as npt
from rasterio.io import MemoryFile

from geoservice.cli.ingest import target_of
from geoservice.db.credentials import Role
from geoservice.db.embedded import EmbeddedCluster
from geoservice.db.engine import Database
from geoservice.db.provision import open_database
from geoservice.db.sync import require_mode, sync
from geoservice.settings import Settings
from ingest.delivery import Delivery, deliver
from layers.catalog import read_catalog
from tests.bench import machine, pair_cog, servers, table, world
from tests.bench.__main__ import DOCS
from tests.bench.client import BenchError, run_pass
from tests.bench.results import Figures, Side, comparison, in_turn, write
from tests.bench.workload import tile_at
from tiles.image import JPEG_QUALITY

COMMAND = "scripts/bench imagery"
LAYERS_DIR = Path(__file__).parent
CELLS, ZOOMS, SEED, CONNECTIONS = 6000, range(9, 15), 20260101, 4
WEST, SOUTH, EAST, NORTH = 110.05, 30.65, 110.5, 31.0
"""Well inside the picture (degrees)."""
ALIKE = 2.0
"""Both sides draw the same picture: grey levels by which they may differ on average."""
Pixels = npt.NDArray[np.uint8]
FORMATS = {"png": ("png", "png"), "jpeg": ("jpeg", "jpg")}


@dataclass(frozen=True)
class Place:
    """Where it is measured."""

    home: Path
    settings: Settings
    database: Database
    file: Path


def main() -> int:
    """Measure; returns the exit code."""
    asked = _arguments().parse_args()
    place = _prepare(asked.home)
    try:
        found = _measure(place, asked.repetitions, asked.tiles)
        figures = {"command": COMMAND, "machine": machine.facts(place.database), "comparisons": found}
    except BenchError as error:
        print(f"No figures were written: {error}", file=sys.stderr)
        return 1
    finally:
        EmbeddedCluster(place.settings).stop()
    print(table.render(figures))
    write(asked.out / "benchmarks-imagery.json", figures)
    (asked.out / "benchmarks-imagery.md").write_text(table.render(figures), encoding="utf-8")
    return 0


def _prepare(home: Path) -> Place:
    """A database with one picture, loaded as any source is."""
    home.mkdir(parents=True, exist_ok=True)
    home.chmod(0o755)
    settings = Settings(home=home / "imagery", layers_dir=LAYERS_DIR, workers=servers.WORKERS)
    settings.home.mkdir(exist_ok=True)
    settings.home.chmod(0o755)
    database, catalog = open_database(settings), read_catalog(LAYERS_DIR)
    with database.transaction(Role.OWNER) as connection:
        sync(connection, catalog, settings.role_prefix, require_mode(connection))
    target, source = target_of(settings, database), home / "picture.tif"
    if not source.is_file():
        pair_cog.picture(source, CELLS)
    deliver(catalog, target, Delivery("picture", source))
    (file,) = target.rasters.rglob("*.tif")
    return Place(home, settings, database, file)


def _measure(place: Place, repetitions: int, number: int) -> list[Figures]:
    chance = random.Random(SEED)  # noqa: S311 - no secret hangs on it
    places = [(chance.uniform(WEST, EAST), chance.uniform(SOUTH, NORTH)) for _ in range(number)]
    tiles = [tile_at(*where, chance.choice(ZOOMS)) for where in places]
    own = "/collections/picture/map/tiles/WebMercatorQuad/{z}/{y}/{x}?f={f}"
    peer = "/tiles/WebMercatorQuad/{z}/{x}/{y}.{f}?url={url}&resampling=bilinear&reproject=bilinear&tilesize=256"
    url = quote(str(place.file), safe="")
    found = []
    with servers.geoservice(place) as ours, servers.titiler(place.home, JPEG_QUALITY) as theirs:
        for name, (mine, other) in FORMATS.items():
            first = [own.format(z=t.z, x=t.x, y=t.y, f=mine) for t in tiles]
            second = [peer.format(z=t.z, x=t.x, y=t.y, f=other, url=url) for t in tiles]
            _require_alike(_picture(ours, first[0]), _picture(theirs, second[0]))
            sides: list[Side] = [
                ("geoservice", lambda paths=first: run_pass(ours, paths, CONNECTIONS, gzip=False).rate),
                ("TiTiler", lambda paths=second: run_pass(theirs, paths, CONNECTIONS, gzip=False).rate),
            ]
            for _, once in sides:
                once()
            rates = in_turn(sides, repetitions, _tell)
            title = f"Raster tiles over HTTP, {name.upper()}"
            found.append(comparison(title, "tiles/s", _conditions(name, number), rates))
    return found


def _conditions(name: str, number: int) -> str:
    quality = f"with quality {JPEG_QUALITY}" if name == "jpeg" else "of zlib level 6"
    return (
        f"{number} random tiles of 256 pixels, z{ZOOMS[0]} to z{ZOOMS[-1]} (seed {SEED}), of one COG of {CELLS} x "
        f"{CELLS} cells in EPSG:3857 with three bands, as {name.upper()} {quality}, bilinear, over HTTP with "
        f"{servers.WORKERS} workers and {CONNECTIONS} connections, after one pass that is not counted. Both read the "
        "file that geoservice stored; a tile of each is compared before. "
        f"{servers.TITILER} (rio-tiler) with GDAL set as its guide says."
    )


def _picture(port: int, path: str) -> Pixels:
    connection = HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        body = answer.read()
        if answer.status != 200:
            raise BenchError(f"{path} was answered with {answer.status}: {body[:200]!r}")
    finally:
        connection.close()
    # A picture has no place; GDAL would warn.
    with warnings.catch_warnings(), MemoryFile(body) as file:
        warnings.simplefilter("ignore")
        with file.open() as image:
            return image.read([1, 2, 3])


def _require_alike(one: Pixels, other: Pixels) -> None:
    if one.shape != other.shape:
        raise BenchError(f"The sides draw tiles of {one.shape} and {other.shape}.")
    apart = np.abs(one.astype(float) - other).mean()
    if apart > ALIKE:
        raise BenchError(f"The sides draw different pictures: {apart:.1f} grey levels apart on average.")


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=COMMAND, description=__doc__)
    parser.add_argument("--repetitions", type=int, default=3, help="repetitions of each side")
    parser.add_argument("--tiles", type=int, default=300, help="tiles per repetition")
    parser.add_argument("--home", type=Path, default=world.default_home(), help="cluster, picture and peer live here")
    parser.add_argument("--out", type=Path, default=DOCS, help="folder of the figures")
    return parser


if __name__ == "__main__":
    sys.exit(main())
