"""Contour lines through the running service: tiles, TileJSON, errors, and who may see them."""

from __future__ import annotations

from collections.abc import Iterator

import mapbox_vector_tile
import morecantile
import numpy as np
import pytest

from geoservice.db.engine import Database
from ingest.raster import load_raster
from layers.access import Clearance
from tests.support.loading import prepared
from tests.support.rasters import grid, raster_catalog, raster_layer, raster_plan, write_tif
from tests.support.service import Service, running

BANDS = [{"name": "height", "nodata": -9999, "vertical_datum": "EPSG:5737"}]
HEIGHTS = raster_layer("heights", bands=BANDS)
SECRET = raster_layer("secret_heights", bands=BANDS, clearance="restricted")
RELIEF = raster_layer("relief")
CATALOG = raster_catalog(HEIGHTS, SECRET, RELIEF)


@pytest.fixture(scope="module")
def service(module_database: Database, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("sources")
    target = prepared(module_database, CATALOG)
    # 1 m per cell of 0.01 degrees to the east.
    slope = np.tile(np.arange(50.0, dtype="float32") * 10, (50, 1))
    for layer in (HEIGHTS, SECRET, RELIEF):
        load_raster(raster_plan(layer, write_tif(folder / "a.tif", slope, grid(105, 39, 0.01))), target)
    with running(module_database, CATALOG) as started:
        yield started


def path(layer: str, query: str = "", lon: float = 105.25) -> str:
    tile = morecantile.tms.get("WebMercatorQuad").tile(lon, 38.75, 11)
    return f"/collections/{layer}/contours/tiles/WebMercatorQuad/11/{tile.y}/{tile.x}{query}"


def test_lines_at_the_heights_that_are_asked_for(service: Service) -> None:
    for query, step in (("", 100), ("?interval=20", 20), ("?interval=50&f=mvt&bands=height", 50)):
        answer = service.get(path("heights", query))
        assert answer.status_code == 200
        assert answer.headers["content-type"] == "application/vnd.mapbox-vector-tile"
        features = mapbox_vector_tile.decode(answer.content)["contour"]["features"]
        heights = [feature["properties"]["height"] for feature in features]
        assert heights
        assert np.diff(heights).tolist() == [step] * (len(heights) - 1)
        assert all(height % step == 0 for height in heights)


def test_no_lines_no_content(service: Service) -> None:
    assert service.get(path("heights", lon=-60)).status_code == 204


@pytest.mark.parametrize("query", ["?interval=0", "?interval=nan", "?interval=0.1", "?bands=2", "?f=png", "?size=512"])
def test_what_cannot_be_drawn_is_refused(service: Service, query: str) -> None:
    answer = service.get(path("heights", query))
    assert answer.status_code == 400
    assert answer.json()["detail"].endswith(".")


def test_a_raster_without_heights_has_no_lines(service: Service) -> None:
    answer = service.get(path("relief"))
    assert answer.status_code == 404
    assert "vertical datum" in answer.json()["detail"]


def test_lines_of_a_restricted_raster_do_not_exist_for_others(service: Service) -> None:
    for address in (
        path("secret_heights"),
        "/collections/secret_heights/contours",
        "/collections/secret_heights/map/looks",
    ):
        for clearance in (None, Clearance.INTERNAL):
            assert service.get(address, clearance).status_code == 404
        assert service.get(address, Clearance.RESTRICTED).status_code == 200
        assert "private" in service.get(address, Clearance.RESTRICTED).headers["cache-control"]


def test_tilejson_leads_to_the_tiles(service: Service) -> None:
    found = service.get("/collections/heights/contours").json()
    assert found["tilejson"] == "3.0.0"
    assert [layer["id"] for layer in found["vector_layers"]] == ["contour"]
    tile = morecantile.tms.get("WebMercatorQuad").tile(105.25, 38.75, 11)
    address = found["tiles"][0].replace("{z}", "11").replace("{y}", str(tile.y)).replace("{x}", str(tile.x))
    assert service.get("/" + address.split("/", 3)[3]).status_code == 200
    assert service.get("/collections/heights/contours?f=html&lang=zh").status_code == 200
    looks = service.get("/collections/heights/map/looks").json()
    assert "hillshade" in looks["algorithms"]
    templates = [link["href"] for link in looks["links"] if link.get("title", "").startswith("Heights for raster-dem")]
    assert len(templates) == 2
    for template in templates:
        address = template.replace("{z}", "11").replace("{y}", str(tile.y)).replace("{x}", str(tile.x))
        assert service.get("/" + address.split("/", 3)[3]).headers["content-type"] == "image/png"
    assert any(link["href"].endswith("/collections/heights/contours") for link in looks["links"])
