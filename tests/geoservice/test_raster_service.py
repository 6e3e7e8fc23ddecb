"""Rasters through the running service: tiles, their errors, and who may see which."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rasterio.io import MemoryFile

from geoservice.db.engine import Database
from ingest.raster import load_raster
from layers.access import Clearance
from tests.support.loading import prepared
from tests.support.rasters import CLASSED, grid, raster_catalog, raster_layer, raster_plan, write_tif
from tests.support.service import Service, running
from tiles.grid import tile_matrix_set

RELIEF = raster_layer("relief", style={"ramp": "grey", "stretch": [0, 255]})
SECRET = raster_layer("secret_cover", clearance="restricted", **CLASSED)
CATALOG = raster_catalog(RELIEF, SECRET)
pytestmark = pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")


@pytest.fixture(scope="module")
def service(module_database: Database, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("sources")
    target = prepared(module_database, CATALOG)
    place = grid(105, 39, 0.01)
    load_raster(raster_plan(RELIEF, write_tif(folder / "a.tif", np.full((50, 50), 80, dtype="float32"), place)), target)
    load_raster(raster_plan(SECRET, write_tif(folder / "b.tif", np.full((50, 50), 2, dtype="uint8"), place)), target)
    with running(module_database, CATALOG) as started:
        yield started


def tile(layer: str, lon: float, lat: float, z: int, ending: str = "") -> str:
    address = tile_matrix_set("WebMercatorQuad").tile(lon, lat, z)
    return f"/collections/{layer}/map/tiles/WebMercatorQuad/{z}/{address.y}/{address.x}{ending}"


def pixels(response: Any) -> np.ndarray[Any, Any]:
    with MemoryFile(response.content) as memory, memory.open() as dataset:
        return np.asarray(dataset.read())


def test_a_tile_in_each_format(service: Service) -> None:
    for name, media in (("png", "image/png"), ("webp", "image/webp"), ("jpeg", "image/jpeg")):
        answer = service.get(tile("relief", 105.25, 38.75, 12, f"?f={name}"))
        assert (answer.status_code, answer.headers["content-type"]) == (200, media)
        assert abs(int(pixels(answer)[0].max()) - 80) <= 2


def test_where_nothing_is_the_tile_is_transparent(service: Service) -> None:
    answer = service.get(tile("relief", -60, -30, 6, "?f=png"))
    assert answer.status_code == 200
    assert not pixels(answer).any()


def test_a_restricted_raster_does_not_exist_for_others(service: Service) -> None:
    path = tile("secret_cover", 105.25, 38.75, 12, "?f=png")
    unknown = tile("no_such_layer", 105.25, 38.75, 12, "?f=png")
    for clearance in (None, Clearance.PUBLIC, Clearance.INTERNAL):
        assert service.get(path, clearance).status_code == service.get(unknown, clearance).status_code == 404
    shown = service.get(path, Clearance.RESTRICTED)
    assert shown.status_code == 200
    assert pixels(shown)[:, 128, 128].tolist() == [0, 128, 0, 255]


@pytest.mark.parametrize("address", ["25/0/0", "3/8/0", "3/0/-1", "x/0/0"])
def test_addresses_outside_the_grid(service: Service, address: str) -> None:
    answer = service.get(f"/collections/relief/map/tiles/WebMercatorQuad/{address}?f=png")
    assert answer.status_code == 404
    assert "whole number from 0 to" in answer.json()["detail"]


def test_a_lost_file_is_unavailable_and_names_no_path(service: Service, module_database: Database) -> None:
    folder: Path = module_database.settings.home / "rasters"
    files = list(folder.iterdir())
    assert files
    for file in files:
        file.rename(file.with_suffix(".away"))
    try:
        answer = service.get(tile("relief", 105.3, 38.7, 13, "?f=png"))
    finally:
        for file in files:
            file.with_suffix(".away").rename(file)
    assert answer.status_code == 503
    assert "missing or damaged" in answer.json()["detail"]
    assert str(folder) not in answer.text
