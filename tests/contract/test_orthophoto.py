"""Orthophotos of drones, from the upload to the map: one picture, the latest flight on top, earlier ones by time."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import morecantile
import numpy as np
import pytest
import rasterio
from affine import Affine
from PIL import Image
from pyproj import Transformer
from rasterio.enums import ColorInterp

from geoservice.db.credentials import Role
from geoservice.db.engine import Database
from ingest.job import plan
from ingest.raster import load_raster
from ingest.record import LoadTarget
from layers.catalog import Catalog, read_catalog
from tests.contract.test_jobs_api import Quay, served
from tests.contract.test_uploads import make_loader
from tests.support.jobs import environment
from tests.support.loading import prepared

LAYER, ZOOM, SIDE, CELL = "orthophoto", 17, 600, 0.5
RED, GREEN, BLUE = (200, 40, 40), (40, 180, 60), (40, 60, 200)
# CGCS2000 / Gauss-Krueger zone 35 by its number, zone 35 by its meridian, and a zone of UTM, about the same place.
GAUSS_NUMBERED, GAUSS, UTM = "EPSG:4523", "EPSG:4544", "EPSG:32648"
PLACE = (105.1, 38.1)
pytestmark = pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")


@pytest.fixture(scope="module")
def quay(module_database: Database, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Quay]:
    folder = tmp_path_factory.mktemp("flights")
    prepared(module_database, Catalog().with_([read_catalog().layer(LAYER)]))
    keys = {"ann": make_loader(module_database, f"load:{LAYER}")}
    with served(environment(module_database, folder)) as (address, _):
        yield Quay(module_database, address, folder, keys)


def photo(file: Path, crs: str, colour: tuple[int, int, int], east: float = 0.0) -> Path:
    """A square of 300 m in one colour, so many metres east of the place; its north-west corner is transparent."""
    x, y = Transformer.from_crs("EPSG:4490", crs, always_xy=True).transform(*PLACE)
    bands = np.empty((4, SIDE, SIDE), dtype=np.uint8)
    bands[:3] = np.array(colour, dtype=np.uint8)[:, None, None]
    bands[3] = 255
    bands[3, : SIDE // 4, : SIDE // 4] = 0
    half = SIDE * CELL / 2
    profile = {"driver": "GTiff", "width": SIDE, "height": SIDE, "count": 4, "dtype": "uint8", "crs": crs}
    transform = Affine(CELL, 0, x - half + east, 0, -CELL, y + half)
    with rasterio.open(file, "w", transform=transform, photometric="RGB", **profile) as target:
        target.colorinterp = [ColorInterp.red, ColorInterp.green, ColorInterp.blue, ColorInterp.alpha]
        target.write(bands)
    return file


def sent(quay: Quay, file: Path) -> None:
    """Upload a flight and wait until its job has ended."""
    made = quay.make(layer=LAYER, uploads=[quay.upload(file)])
    assert made.status_code in (201, 202), made.text
    ended = quay.ended(made.headers["location"])
    assert ended["status"] == "successful", ended


def loaded(quay: Quay, file: Path) -> None:
    """The same without the way over HTTP, which takes processes of its own."""
    layer = read_catalog().layer(LAYER)
    load_raster(
        plan(layer, file, {}),
        LoadTarget(quay.database.sync_engine(Role.WRITER), "", quay.database.settings.home / "rasters"),
    )


def seen(quay: Quay, east: float, north: float, query: str = "") -> tuple[int, ...]:
    """Red, green, blue and alpha of the map at a spot so many metres from the place."""
    lon, lat = PLACE[0] + east / 87_700, PLACE[1] + north / 111_000
    mercator = morecantile.tms.get("WebMercatorQuad")
    tile = mercator.tile(lon, lat, ZOOM)
    path = f"/collections/{LAYER}/map/tiles/WebMercatorQuad/{ZOOM}/{tile.y}/{tile.x}?f=png{query}"
    answer = quay.ask("GET", path, None)
    if answer.status_code == 204:
        return 0, 0, 0, 0
    assert answer.status_code == 200, answer.text
    image = Image.open(io.BytesIO(answer.content)).convert("RGBA")
    west, south, right, top = mercator.bounds(tile)
    column, row = (lon - west) / (right - west) * image.width, (top - lat) / (top - south) * image.height
    found: tuple[int, ...] = image.getpixel((int(column), int(row)))
    return found


def near(found: tuple[int, ...], colour: tuple[int, int, int]) -> bool:
    return found[3] == 255 and all(abs(a - b) <= 2 for a, b in zip(found, colour, strict=False))


def test_flights_become_one_picture_with_the_latest_on_top(quay: Quay) -> None:
    sent(quay, photo(quay.folder / "dom_20260614T0930.tif", GAUSS_NUMBERED, RED))
    assert near(seen(quay, 50, 0), RED)
    assert seen(quay, -110, 110)[3] == 0, "what the flight did not see stays open"
    # Another place at the same time, and the same place later, in other zones; the earlier flight comes in last.
    loaded(quay, photo(quay.folder / "dom_20260615T0200.tif", UTM, BLUE, east=200))
    loaded(quay, photo(quay.folder / "dom_20260613T0800.tif", GAUSS, GREEN))
    assert near(seen(quay, 300, 0), BLUE), "several flights are one picture"
    assert near(seen(quay, 120, -20), BLUE), "where they overlap the latest lies on top"
    assert near(seen(quay, 0, 0), RED), "a flight that is loaded last and was flown first lies below"
    assert near(seen(quay, 120, -20, "&datetime=2026-06-14"), RED)
    assert near(seen(quay, 0, 0, "&datetime=../2026-06-13"), GREEN)
    assert near(seen(quay, 60, 110), RED), "through the open corner of the latest the one below is seen"
    assert seen(quay, 0, 0, "&datetime=2026-06-20")[3] == 0


def test_the_layer_says_from_when_to_when_it_was_flown(quay: Quay) -> None:
    extent = quay.ask("GET", f"/collections/{LAYER}", None).json()["extent"]
    assert extent["temporal"]["interval"] == [["2026-06-13T08:00:00Z", "2026-06-15T02:00:59Z"]]
