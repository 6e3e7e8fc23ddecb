"""Measures how long a drone orthophoto takes from the first byte of its upload to its first tile.

`python -m tests.bench.orthophoto` makes a picture of 12,000 x 12,000 cells with alpha (about 300 MB), starts the
service with one worker for jobs, sends the picture by tus in parts, asks for the job and draws tiles. Nothing is
written to the docs: the time hangs on the machine and on its disk.
"""

from __future__ import annotations

import argparse
import base64
import io
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import morecantile
import numpy as np
import rasterio
from affine import Affine
from PIL import Image
from pyproj import Transformer
from rasterio.enums import ColorInterp
from rasterio.windows import Window

from geoservice.db.credentials import Role
from geoservice.db.embedded import EmbeddedCluster
from geoservice.db.engine import Database
from geoservice.db.provision import open_database
from geoservice.db.sync import require_mode, sync
from geoservice.settings import Settings
from layers.catalog import Catalog, read_catalog
from tests.bench import servers
from tests.bench.client import BenchError
from tests.contract.test_uploads import make_loader

LAYER, CRS, CELL, SIDE, SEED = "orthophoto", "EPSG:4544", 0.05, 12_000, 20260614
MIDDLE = (105.1, 38.1)
PART, BLOCK, PATIENCE = 16 << 20, 1024, 300.0
TUS = {"Tus-Resumable": "1.0.0"}
ZOOMS = (13, 16, 19, 20)


@dataclass(frozen=True)
class Place:
    """Where it is measured."""

    home: Path
    settings: Settings
    database: Database


def main() -> int:
    """Measure; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--home", type=Path, default=Path(tempfile.gettempdir()) / "geoservice-orthophoto")
    parser.add_argument("--side", type=int, default=SIDE, help="Cells along a side of the picture.")
    asked = parser.parse_args()
    place = _prepare(asked.home)
    try:
        _measure(place, _picture(asked.home, asked.side))
    finally:
        EmbeddedCluster(place.settings).stop()
    return 0


def _prepare(home: Path) -> Place:
    """A database with the layer and nothing in it."""
    home.mkdir(parents=True, exist_ok=True)
    home.chmod(0o755)
    settings = Settings(home=home / "service", workers=servers.WORKERS)
    settings.home.mkdir(exist_ok=True)
    settings.home.chmod(0o755)
    database = open_database(settings)
    with database.transaction(Role.OWNER) as connection:
        catalog = Catalog().with_([read_catalog().layer(LAYER)])
        sync(connection, catalog, settings.role_prefix, require_mode(connection))
    return Place(home, settings, database)


def _picture(home: Path, side: int) -> Path:
    """A picture with grain, so that it packs no better than a photograph, and open corners; a new flight each time."""
    taken = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=int(time.time() // 60) % 500_000)
    file = home / f"dom_{taken:%Y%m%dT%H%M}.tif"
    for former in home.glob("dom_*.tif"):
        former.unlink()
    x, y = Transformer.from_crs("EPSG:4490", CRS, always_xy=True).transform(*MIDDLE)
    transform = Affine(CELL, 0, x - side * CELL / 2, 0, -CELL, y + side * CELL / 2)
    shape = {"width": side, "height": side, "count": 4, "dtype": "uint8", "crs": CRS, "transform": transform}
    packed = {"tiled": True, "blockxsize": 512, "blockysize": 512, "compress": "deflate", "zlevel": 1}
    chance = np.random.default_rng(SEED)
    with rasterio.open(file, "w", driver="GTiff", photometric="RGB", interleave="pixel", **shape, **packed) as target:
        target.colorinterp = [ColorInterp.red, ColorInterp.green, ColorInterp.blue, ColorInterp.alpha]
        for row in range(0, side, BLOCK):
            high = min(BLOCK, side - row)
            bands = np.empty((4, high, side), dtype=np.uint8)
            bands[:3] = chance.integers(90, 130, (3, high, side), dtype=np.uint8)
            bands[:3] += (np.arange(side, dtype=np.uint32) * 100 // side).astype(np.uint8)
            bands[3] = 255
            bands[3, :, : max(side // 8 - row, 0)] = 0
            target.write(bands, window=Window(0, row, side, high))
    return file


@contextmanager
def _step(name: str) -> Iterator[None]:
    begun = time.monotonic()
    yield
    print(f"{name:<28}{time.monotonic() - begun:8.1f} s", flush=True)


def _measure(place: Place, file: Path) -> None:
    print(f"{file.name}: {file.stat().st_size / 1e6:,.0f} MB", flush=True)
    key = make_loader(place.database, f"load:{LAYER}")
    with (
        servers.geoservice(place, kept=True) as port,
        httpx.Client(base_url=f"http://127.0.0.1:{port}", headers={"X-API-Key": key}, timeout=PATIENCE) as client,
        _step("upload to tile"),
    ):
        with _step("upload"):
            upload = _upload(client, file)
        with _step("job"):
            _ended(client, _good(client.post("/jobs", json={"layer": LAYER, "uploads": [upload]})).headers["location"])
        for zoom in ZOOMS:
            with _step(f"tile at zoom level {zoom}"):
                _tile(client, zoom)


def _upload(client: httpx.Client, file: Path) -> str:
    name = base64.b64encode(file.name.encode()).decode()
    about = {"Upload-Length": str(file.stat().st_size), "Upload-Metadata": f"filename {name}"}
    place = _good(client.post("/uploads", headers={**TUS, **about})).headers["location"]
    media, at = {**TUS, "Content-Type": "application/offset+octet-stream"}, 0
    with file.open("rb") as handle:
        while part := handle.read(PART):
            _good(client.patch(place, content=part, headers={**media, "Upload-Offset": str(at)}))
            at += len(part)
    return str(place.rpartition("/")[2])


def _ended(client: httpx.Client, place: str) -> None:
    ending = time.monotonic() + PATIENCE
    while time.monotonic() < ending:
        found: dict[str, Any] = _good(client.get(place)).json()
        if found["status"] == "successful":
            return
        if found["status"] in ("failed", "dismissed"):
            raise BenchError(f"The job ended as {found['status']}: {found}")
        time.sleep(0.2)
    raise BenchError(f"The job did not end in {PATIENCE:g} s.")


def _tile(client: httpx.Client, zoom: int) -> None:
    tile = morecantile.tms.get("WebMercatorQuad").tile(*MIDDLE, zoom)
    path = f"/collections/{LAYER}/map/tiles/WebMercatorQuad/{zoom}/{tile.y}/{tile.x}?f=png"
    answer = _good(client.get(path))
    image = Image.open(io.BytesIO(answer.content)).convert("RGBA")
    if not image.getchannel("A").getextrema()[1]:
        raise BenchError(f"The tile at zoom level {zoom} shows nothing.")


def _good(answer: httpx.Response) -> httpx.Response:
    if answer.is_error:
        raise BenchError(f"{answer.request.url} was answered with {answer.status_code}: {answer.text[:300]}")
    return answer


if __name__ == "__main__":
    raise SystemExit(main())
