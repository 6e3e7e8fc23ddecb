"""Which rasters of a layer a map tile shows: by time, by order, by footprint, and as of an earlier instant."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import morecantile
import numpy as np
import pytest

from geoservice.db.credentials import Role
from geoservice.db.engine import Database
from geoservice.features.assets import Which, around, assets_of, assets_statement
from ingest.raster import load_raster
from layers.access import ANONYMOUS, decide
from tests.support.loading import prepared
from tests.support.rasters import decoded, grid, raster_catalog, raster_layer, raster_plan, write_tif
from tests.support.service import Service, running
from tiles.grid import bounds_degrees

SCENES = raster_layer("scenes", time="scene_%Y%m%d", order="newest")
OLDEST = raster_layer("oldest", time="scene_%Y%m%d", order="oldest")
PLAIN = raster_layer("plain")
CATALOG = raster_catalog(SCENES, OLDEST, PLAIN)
Z = 12
pytestmark = pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")


@pytest.fixture(scope="module")
def service(module_database: Database, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("sources")
    target = prepared(module_database, CATALOG)

    def load(layer: Any, name: str, value: int, west: float = 105.0) -> None:
        file = write_tif(folder / f"{name}.tif", np.full((50, 50), value, dtype="float32"), grid(west, 39, 0.01))
        load_raster(raster_plan(layer, file), target)

    # The latest scene is not the last to be loaded.
    for layer in (SCENES, OLDEST):
        load(layer, "scene_20220101", 200)
        load(layer, "scene_20200101", 100)
        load(layer, "scene_20210615", 150)
        load(layer, "undated", 50)
    load(SCENES, "scene_20230101", 250, west=110.0)
    load(PLAIN, "first", 10)
    load(PLAIN, "first", 20)
    with running(module_database, CATALOG) as started:
        yield started


def path(layer: str, query: str = "", lon: float = 105.25, ending: str = "png") -> str:
    tile = morecantile.tms.get("WebMercatorQuad").tile(lon, 38.75, Z)
    return f"/collections/{layer}/map/tiles/WebMercatorQuad/{Z}/{tile.y}/{tile.x}?f={ending}{query}"


def shown(service: Service, layer: str, query: str = "") -> set[int]:
    answer = service.get(path(layer, query))
    assert answer.status_code == 200, answer.text
    pixels = decoded(answer.content)
    return set(pixels[0][pixels[3] > 0].tolist())


@pytest.mark.parametrize(
    ("query", "value"),
    [
        ("", {200}),
        ("&datetime=2021-06-15", {150}),
        ("&datetime=2021-06-15T12:00:00Z", {150}),
        ("&datetime=../2021-12-31", {150}),
        ("&datetime=2020-01-01/2020-12-31", {100}),
        ("&datetime=2021-01-01/..", {200}),
        ("&datetime=1999-01-01", set()),
    ],
)
def test_the_newest_of_the_time_that_is_asked_for(service: Service, query: str, value: set[int]) -> None:
    assert shown(service, "scenes", query) == value


def test_the_layer_file_says_which_lies_on_top(service: Service) -> None:
    assert shown(service, "oldest") == {100}
    assert shown(service, "plain") == {20}


def test_as_it_was_before_an_edition(service: Service) -> None:
    editions = service.get("/collections/plain/editions").json()["editions"]
    latest, former = (edition["number"] for edition in editions[:2])
    assert shown(service, "plain", f"&edition={latest}") == {20}
    assert shown(service, "plain", f"&edition={former}") == {10}
    committed = next(e["committed"] for e in editions if e["number"] == former)
    assert shown(service, "plain", f"&as-of={committed.replace('+00:00', 'Z')}") == {10}


@pytest.mark.parametrize(
    ("layer", "query"),
    [
        ("plain", "&datetime=2020-01-01"),
        ("scenes", "&datetime=yesterday"),
        ("scenes", "&datetime=2022-01-01/2020-01-01"),
        ("plain", "&as-of=2999-01-01T00:00:00Z"),
        ("plain", "&edition=999999"),
        ("plain", "&edition=1&as-of=2020-01-01T00:00:00Z"),
    ],
)
def test_times_that_cannot_be_answered(service: Service, layer: str, query: str) -> None:
    answer = service.get(path(layer, query))
    assert answer.status_code in (400, 404)
    assert answer.json()["detail"].endswith(".")


def test_only_footprints_near_the_tile_are_read(service: Service, module_database: Database) -> None:
    decision = decide(ANONYMOUS, "read", SCENES)
    tile = morecantile.tms.get("WebMercatorQuad").tile(110.25, 38.75, Z)
    which = Which(around(bounds_degrees(Z, tile.y, tile.x)))
    with module_database.transaction(Role.WRITER) as connection:
        rows = connection.execute(assets_statement(SCENES, decision.rule, which)).mappings().all()
        everything = connection.execute(assets_statement(SCENES, decision.rule)).mappings().all()
    found = assets_of(SCENES, [dict(row) for row in rows], Path("folder"), which)
    assert [asset.name for asset in found] == ["scene_20230101.tif"]
    assert len(everything) == 5


class TestLooks:
    """The document that says what may be asked of a raster."""

    def test_times_and_how_many(self, service: Service) -> None:
        found = service.get("/collections/scenes/map/looks").json()
        assert found["rasters"] == 5
        assert found["times"] == [
            f"{day}T00:00:00Z" for day in ("2023-01-01", "2022-01-01", "2021-06-15", "2020-01-01")
        ]
        assert found["order"] == "newest"
        assert "times" not in service.get("/collections/plain/map/looks").json()

    def test_everything_it_names_is_taken(self, service: Service) -> None:
        found = service.get("/collections/plain/map/looks").json()
        assert [band["name"] for band in found["bands"]] == ["height"]
        assert found["algorithms"] == []
        for name in found["colormaps"][::40]:
            assert service.get(path("plain", f"&rescale=0,1&colormap={name}")).status_code == 200
        for name, count in found["expression"]["functions"].items():
            formula = f"{name}({','.join(['height'] * count)})"
            assert service.get(path("plain", f"&rescale=0,1&expression={formula}")).status_code == 200
        for size in found["sizes"]:
            assert service.get(path("plain", f"&size={size}")).status_code == 200

    def test_it_is_a_page_too(self, service: Service) -> None:
        page = service.get("/collections/plain/map/looks?f=html&lang=zh")
        assert page.status_code == 200
        assert "栅格的显示方式" in page.text
