"""Coverages through the running service and as jobs: parameters, zones, errors, and who may see which raster."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import shapely
import sqlalchemy as sa
from rasterio.io import MemoryFile

from geoservice.coverages.errors import CoverageTooLarge
from geoservice.coverages.process import CoverageInputs, run
from geoservice.db.credentials import Role
from geoservice.db.engine import Database
from geoservice.jobs.execute import begun
from ingest.raster import load_raster
from layers.access import Clearance, Principal
from layers.errors import UnknownLayer
from layers.system import raster_asset
from tests.support.loading import load_file, prepared, trial_catalog, trial_layer, write_rows
from tests.support.rasters import COVER, grid, ramp_of_numbers, raster_layer, raster_plan, write_tif
from tests.support.service import Service, running

RELIEF = raster_layer("relief", time="r%Y")
SECRET = raster_layer("secret_relief", clearance="restricted")
UNIT = trial_layer("unit", geometry="polygon", style={"fill": "#aabbcc"})
CATALOG = trial_catalog(UNIT).with_([RELIEF, SECRET], [COVER])
VALUES = ramp_of_numbers(100, 100)
PUBLIC = Principal("somebody", Clearance.PUBLIC)
COG = "image/tiff; application=geotiff; profile=cloud-optimized"


@pytest.fixture(scope="module")
def service(module_database: Database, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("sources")
    target = prepared(module_database, CATALOG)
    load_raster(raster_plan(RELIEF, write_tif(folder / "r2020.tif", VALUES, grid(105, 39, 0.01))), target)
    later = write_tif(folder / "r2021.tif", VALUES[:50, :50] + 20_000, grid(105, 39, 0.01))
    load_raster(raster_plan(RELIEF, later), target)
    load_raster(raster_plan(SECRET, write_tif(folder / "s.tif", VALUES, grid(105, 39, 0.01))), target)
    rows = [
        {"code": "open", "name": "a", "level": "public", "geometry": shapely.box(105.1, 38.8, 105.3, 38.9)},
        {"code": "shut", "name": "b", "level": "restricted", "geometry": shapely.box(105.1, 38.8, 105.3, 38.9)},
    ]
    load_file(CATALOG, target, "unit", write_rows(folder / "unit.gpkg", rows))
    with running(module_database, CATALOG) as started:
        yield started


def path(query: str = "", layer: str = "relief") -> str:
    return f"/collections/{layer}/coverage{query}"


def opened(content: bytes) -> tuple[np.ma.MaskedArray[Any, Any], dict[str, Any]]:
    with MemoryFile(content) as memory, memory.open() as found:
        return found.read(1, masked=True), {"tags": found.tags(), "crs": found.crs, "bounds": tuple(found.bounds)}


def test_a_box_of_cells(service: Service) -> None:
    answer = service.get(path("?bbox=105.4,38.4,105.6,38.6&f=geotiff"))
    assert (answer.status_code, answer.headers["content-type"]) == (200, COG)
    got, facts = opened(answer.content)
    expected = VALUES[40:60, 40:60].copy()
    expected[:10, :10] += 20_000
    assert np.array_equal(got.filled(-1), expected)
    assert facts["bounds"] == pytest.approx((105.4, 38.4, 105.6, 38.6))
    assert answer.headers["content-crs"] == "<http://www.opengis.net/def/crs/EPSG/0/4490>"
    assert answer.headers["geoservice-edition"] == facts["tags"]["EDITION"]
    assert answer.headers["geoservice-clearance"] == "public"
    assert "unconditional" in answer.headers["geoservice-licence"]
    assert int(answer.headers["content-length"]) == len(answer.content)
    again = service.get(path("?bbox=105.4,38.4,105.6,38.6"), None, **{"If-None-Match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


def test_the_collection_leads_there(service: Service) -> None:
    links = service.get("/collections/relief").json()["links"]
    (found,) = (one for one in links if one["rel"] == "http://www.opengis.net/def/rel/ogc/1.0/coverage")
    assert found["type"] == COG
    assert service.get("/" + found["href"].split("/", 3)[3]).status_code == 200


@pytest.mark.parametrize(
    "body",
    [
        {"feature": {"collection": "unit", "id": "open"}},
        {"zone": {"type": "Polygon", "coordinates": [[[105.1, 38.8], [105.3, 38.8], [105.3, 38.9], [105.1, 38.9]]]}},
        {"bbox": [105.1, 38.8, 105.3, 38.9]},
    ],
)
def test_a_zone_by_each_name(service: Service, body: dict[str, Any]) -> None:
    if "zone" in body:
        body["zone"]["coordinates"][0].append([105.1, 38.8])
    answer = service.client.post(path("?datetime=2020-06-01"), json=body)
    assert answer.status_code == 200, answer.text
    got, _ = opened(answer.content)
    assert np.array_equal(got.filled(-1), VALUES[10:20, 10:30])


def test_times_and_sizes(service: Service) -> None:
    old, _ = opened(service.get(path("?datetime=2020-01-01/2020-12-31&bbox=105,38.9,105.1,39")).content)
    assert old.max() < 20_000
    new, _ = opened(service.get(path("?datetime=2021-02-01")).content)
    assert new.shape == (50, 50)
    assert new.min() >= 20_000
    small, facts = opened(service.get(path("?width=20&crs=EPSG:3857")).content)
    assert small.shape[1] == 20
    assert facts["crs"].to_epsg() == 3857


@pytest.mark.parametrize(
    ("query", "status", "word"),
    [
        ("?bbox=1,2,3", 400, "bbox"),
        ("?bbox=105,38,105,39", 422, "no area"),
        ("?bbox=170,38,-170,39", 422, "180 degrees"),
        ("?crs=EPSG:2154", 400, "crs"),
        ("?width=0", 400, "width"),
        ("?f=png", 400, "geotiff"),
        ("?datetime=yesterday", 400, "datetime"),
        ("?datetime=1999-01-01", 404, "of that time"),
        ("?edition=999999", 400, "edition"),
        ("?bbox=10,10,11,11", 404, "no raster"),
        ("?width=5000&height=5000", 413, "process `coverage`"),
        ("?scale=2", 400, "scale"),
    ],
)
def test_what_cannot_be_given_is_said(service: Service, query: str, status: int, word: str) -> None:
    answer = service.get(path(query))
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert word in answer.json()["detail"]


def test_what_others_may_not_see_is_not_there(service: Service, database_of_assets: sa.Engine) -> None:
    for asker in (None, Clearance.INTERNAL):
        for query in ("", "?bbox=1,2,3,4", "?width=5000&height=5000"):
            hidden, unknown = service.get(path(query, "secret_relief"), asker), service.get(path(query, "none"), asker)
            assert (hidden.status_code, unknown.status_code) == (404, 404)
            assert hidden.json()["title"] == unknown.json()["title"]
    shown = service.get(path(layer="secret_relief"), Clearance.RESTRICTED)
    assert shown.status_code == 200
    assert "private" in shown.headers["cache-control"]
    body = {"feature": {"collection": "unit", "id": "shut"}}
    assert service.client.post(path(), json=body).status_code == 404
    # A single raster above the asker does not show in an open collection, and the one below it does.
    which = (raster_asset.c.layer == "relief", raster_asset.c.source == "r2021.tif")
    with database_of_assets.begin() as connection:
        connection.execute(sa.update(raster_asset).where(*which).values(clearance=int(Clearance.RESTRICTED)))
    try:
        public, _ = opened(service.get(path()).content)
        assert public.max() < 20_000
        inner, _ = opened(service.get(path(), Clearance.RESTRICTED).content)
        assert inner.max() > 20_000
    finally:
        with database_of_assets.begin() as connection:
            connection.execute(sa.update(raster_asset).where(*which).values(clearance=0))


@pytest.fixture
def database_of_assets(module_database: Database) -> Iterator[sa.Engine]:
    engine = module_database.sync_engine(Role.WRITER)
    yield engine
    engine.dispose()


def carried_out(database: Database, folder: Path, inputs: CoverageInputs, who: Principal = PUBLIC) -> Any:
    folder.mkdir(exist_ok=True)
    told: list[tuple[int, int | None]] = []
    with begun(database, CATALOG, who, (folder, None), lambda done, total: told.append((done, total))) as execution:
        run(execution, inputs)
    execution.conclude()
    assert told[-1][0] == told[-1][1]
    return execution.outputs["file"]


def test_a_job_makes_the_same_file(service: Service, module_database: Database, tmp_path: Path) -> None:
    """Also one that is too large to wait for."""
    answer = service.get(path("?bbox=105.4,38.4,105.6,38.6"))
    inputs = CoverageInputs(collection="relief", bbox=[105.4, 38.4, 105.6, 38.6])
    output = carried_out(module_database, tmp_path / "a", inputs)
    assert output.layers == ("relief",)
    assert output.media == COG
    assert output.file == f"relief-{output.facts['edition']}.tif"
    assert (tmp_path / "a" / output.file).read_bytes() == answer.content
    output = carried_out(module_database, tmp_path / "b", CoverageInputs(collection="relief", width=4500, height=4000))
    with rasterio.open(tmp_path / "b" / output.file) as found:
        assert (found.width, found.height) == (4500, 4000)
    assert sorted(one.name for one in (tmp_path / "b").iterdir()) == ["manifest.json", output.file]


def test_a_job_is_asked_for_and_decided_on(service: Service, module_database: Database, tmp_path: Path) -> None:
    described = service.get("/processes/coverage").json()
    assert described["jobControlOptions"] == ["async-execute"]
    assert {"collection", "zone", "sheet", "as-of"} <= set(described["inputs"])
    with pytest.raises(UnknownLayer):
        carried_out(module_database, tmp_path / "a", CoverageInputs(collection="secret_relief"))
    huge = CoverageInputs(collection="relief", width=1_000_000, height=1_000_000)
    with pytest.raises(CoverageTooLarge, match="bytes"):
        carried_out(module_database, tmp_path / "b", huge)
