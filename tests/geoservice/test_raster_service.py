"""Rasters through the running service: tiles, their errors, and who may see which."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import morecantile
import numpy as np
import pytest

from geoservice.db.engine import Database
from ingest.raster import load_raster
from layers.access import Clearance
from tests.support.loading import prepared
from tests.support.rasters import CLASSED, decoded, grid, raster_catalog, raster_layer, raster_plan, write_tif
from tests.support.service import Service, running

RELIEF = raster_layer("relief", style={"ramp": "grey", "stretch": [0, 255]})
SECRET = raster_layer("secret_cover", clearance="restricted", **CLASSED)
HEIGHTS = raster_layer("heights", bands=[{"name": "height", "nodata": -9999, "vertical_datum": "EPSG:5737"}])
CATALOG = raster_catalog(RELIEF, SECRET, HEIGHTS)
pytestmark = pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")


@pytest.fixture(scope="module")
def service(module_database: Database, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("sources")
    target = prepared(module_database, CATALOG)
    place = grid(105, 39, 0.01)
    load_raster(raster_plan(RELIEF, write_tif(folder / "a.tif", np.full((50, 50), 80, dtype="float32"), place)), target)
    load_raster(raster_plan(HEIGHTS, folder / "a.tif"), target)
    load_raster(raster_plan(SECRET, write_tif(folder / "b.tif", np.full((50, 50), 2, dtype="uint8"), place)), target)
    with running(module_database, CATALOG) as started:
        yield started


def tile(layer: str, lon: float, lat: float, z: int, ending: str = "") -> str:
    address = morecantile.tms.get("WebMercatorQuad").tile(lon, lat, z)
    return f"/collections/{layer}/map/tiles/WebMercatorQuad/{z}/{address.y}/{address.x}{ending}"


def pixels(response: Any) -> np.ndarray[Any, Any]:
    return decoded(response.content)


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


class TestLooks:
    """What a request may say about the picture, and what it may not."""

    def test_bands_ranges_and_colours(self, service: Service) -> None:
        answer = service.get(tile("heights", 105.25, 38.75, 12, "?f=png&rescale=0,200&colormap=grey"))
        assert answer.status_code == 200
        assert set(pixels(answer)[0].ravel().tolist()) == {102}
        half = service.get(tile("heights", 105.25, 38.75, 12, "?f=png&expression=height/2&rescale=0,200&size=512"))
        assert pixels(half).shape == (4, 512, 512)
        assert set(pixels(half)[0].ravel().tolist()) == {51}

    def test_heights_in_colours(self, service: Service) -> None:
        red, green, blue, _ = pixels(
            service.get(tile("heights", 105.25, 38.75, 12, "?f=png&algorithm=terrainrgb"))
        ).astype(float)
        assert np.allclose(-10_000 + 0.1 * (65_536 * red + 256 * green + blue), 80)

    @pytest.mark.parametrize(
        "query",
        [
            "size=1000000",
            "width=1000000",
            "expression=" + "(" * 300 + "height",
            "expression=__import__('os')&rescale=0,1",
            "expression=9**9**9**9&rescale=0,1",
            "colormap=no_such_map",
            "rescale=nan,1",
            "rescale=NaN,NaN",
            "bands=" + ",".join(["height"] * 3000),
            "bands=7",
            "bands=height&bands=height",
            "algorithm=terrainrgb&f=jpeg",
            "algorithm=hillshade&altitude=1e400",
            "azimuth=10",
            "f=bmp",
        ],
    )
    def test_what_cannot_be_drawn_is_refused_in_a_sentence(self, service: Service, query: str) -> None:
        answer = service.get(tile("heights", 105.25, 38.75, 12, f"?{query}"))
        assert answer.status_code == 400
        assert answer.json()["detail"].endswith(".")
        assert len(answer.content) < 1500

    def test_a_layer_without_heights_has_no_relief(self, service: Service) -> None:
        answer = service.get(tile("relief", 105.25, 38.75, 12, "?algorithm=hillshade"))
        assert answer.status_code == 400
        assert "no heights" in answer.json()["detail"]

    def test_parameters_open_no_door(self, service: Service) -> None:
        query = "?f=png&bands=1&rescale=0,9"
        for clearance in (None, Clearance.INTERNAL):
            assert service.get(tile("secret_cover", 105.25, 38.75, 12, query), clearance).status_code == 404
            assert service.get(tile("secret_cover", 105.25, 38.75, 12, "?bands=999"), clearance).status_code == 404

    @pytest.mark.parametrize(
        ("accept", "media"),
        [
            ("image/webp", "image/webp"),
            ("image/avif,image/webp,image/apng,*/*;q=0.8", "image/webp"),
            ("image/jpeg;q=0.9, image/png;q=0.5", "image/jpeg"),
            ("*/*", "image/png"),
        ],
    )
    def test_the_format_follows_the_accept_header(self, service: Service, accept: str, media: str) -> None:
        answer = service.get(tile("heights", 105.25, 38.75, 12), Accept=accept)
        assert answer.headers["content-type"] == media
        assert "Accept" in answer.headers["vary"]
        assert "content-encoding" not in answer.headers

    def test_an_accept_header_that_excludes_all_images(self, service: Service) -> None:
        answer = service.get(tile("heights", 105.25, 38.75, 12), Accept="application/pdf")
        assert answer.status_code == 406
