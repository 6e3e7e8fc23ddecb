"""Environmental data of rasters through the running service, against the numbers that were written into them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pyproj
import pytest
import shapely
from covjson_pydantic.coverage import Coverage, CoverageCollection

from geoservice.db.engine import Database
from ingest.raster import load_raster
from layers.access import Clearance
from tests.support.loading import prepared, trial_catalog, trial_layer
from tests.support.rasters import COVER, grid, ramp_of_numbers, raster_layer, raster_plan, write_tif
from tests.support.service import Service, running

RELIEF = raster_layer("relief", time="r%Y")
SECRET = raster_layer("secret_relief", clearance="restricted")
UNIT = trial_layer("unit", geometry="polygon", style={"fill": "#aabbcc"})
CATALOG = trial_catalog(UNIT).with_([RELIEF, SECRET], [COVER])
VALUES = ramp_of_numbers(100, 100)
ROOT = "/collections/relief"


@pytest.fixture(scope="module")
def service(module_database: Database, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("sources")
    target = prepared(module_database, CATALOG)
    load_raster(raster_plan(RELIEF, write_tif(folder / "r2020.tif", VALUES, grid(105, 39, 0.01))), target)
    later = write_tif(folder / "r2021.tif", VALUES[:50, :50] + 20_000, grid(105, 39, 0.01))
    load_raster(raster_plan(RELIEF, later), target)
    load_raster(raster_plan(SECRET, write_tif(folder / "s.tif", VALUES, grid(105, 39, 0.01))), target)
    with running(module_database, CATALOG) as started:
        yield started


def expected(lon: float, lat: float) -> float:
    """The number of a cell, by the ramp that was written."""
    column, row = int((lon - 105) / 0.01), int((39 - lat) / 0.01)
    return float(VALUES[row, column]) + (20_000 if row < 50 and column < 50 else 0)


def found(service: Service, question: str) -> dict[str, Any]:
    answer = service.get(f"{ROOT}/{question}")
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    (Coverage if body["type"] == "Coverage" else CoverageCollection).model_validate_json(answer.content)
    return body


def band(body: dict[str, Any]) -> Any:
    (one,) = body["ranges"].values()
    values = np.array([np.nan if v is None else v for v in one["values"]], dtype=float)
    return values.reshape(one["shape"])


def test_cells_at_points(service: Service) -> None:
    body = found(service, "position?coords=POINT(105.123 38.777)")
    assert body["domain"]["domainType"] == "Point"
    assert band(body).item() == expected(105.123, 38.777)
    many = found(service, "position?coords=MULTIPOINT((105.123 38.777),(105.905 38.105))")
    assert [band(one).item() for one in many["coverages"]] == [expected(105.123, 38.777), expected(105.905, 38.105)]
    old = found(service, "position?coords=POINT(105.123 38.777)&datetime=2020-06-01")
    assert band(old).item() == expected(105.123, 38.777) - 20_000
    assert service.get(f"{ROOT}/position?coords=POINT(0 0)").status_code == 404


def test_cells_along_a_line(service: Service) -> None:
    at = [(105.105, 38.905), (105.505, 38.505), (105.905, 38.105)]
    line = ",".join(f"{x} {y}" for x, y in at)
    body = found(service, f"trajectory?coords=LINESTRING({line})")
    assert body["domain"]["domainType"] == "MultiPoint"
    assert [tuple(one) for one in body["domain"]["axes"]["composite"]["values"]] == at
    assert band(body).tolist() == [expected(*one) for one in at]
    timed = ",".join(f"{x} {y} {1_700_000_000 + n}" for n, (x, y) in enumerate(at))
    body = found(service, f"trajectory?coords=LINESTRING M({timed})")
    assert body["domain"]["domainType"] == "Trajectory"
    assert body["domain"]["axes"]["composite"]["values"][1] == ["2023-11-14T22:13:21Z", 105.505, 38.505]
    back = "105.1 38.9 20,105.2 38.8 10"
    assert service.get(f"{ROOT}/trajectory?coords=LINESTRING M({back})").status_code == 422


def test_grids_of_boxes_and_areas(service: Service) -> None:
    body = found(service, "cube?bbox=105.4,38.4,105.6,38.6")
    x, y = body["domain"]["axes"]["x"]["values"], body["domain"]["axes"]["y"]["values"]
    assert (len(x), len(y)) == (20, 20)
    assert band(body).tolist() == [[expected(lon, lat) for lon in x] for lat in y]
    triangle = shapely.Polygon([(105.1, 38.1), (105.3, 38.1), (105.1, 38.3)])
    body = found(service, f"area?coords={triangle.wkt}")
    x, y = np.meshgrid(body["domain"]["axes"]["x"]["values"], body["domain"]["axes"]["y"]["values"])
    inside = shapely.contains_xy(triangle, x, y)
    edge = shapely.distance(triangle.exterior, shapely.points(x, y)) < 1e-9
    assert (np.isfinite(band(body)) == inside)[~edge].all()
    assert 100 < inside.sum() < 300


def test_cells_around_a_point_and_beside_a_line(service: Service) -> None:
    geod = pyproj.Geod(ellps="GRS80")
    body = found(service, "radius?coords=POINT(105.5 38.5)&within=5&within-units=km")
    x, y = np.meshgrid(body["domain"]["axes"]["x"]["values"], body["domain"]["axes"]["y"]["values"])
    metres = geod.inv(np.full(x.shape, 105.5), np.full(x.shape, 38.5), x, y)[2]
    got = np.isfinite(band(body))
    # The circle is a polygon of 128 corners: cells within three metres of its edge may lie on either side.
    clear = np.abs(metres - 5000) > 3
    assert (got == (metres <= 5000))[clear].all()
    body = found(service, "corridor?coords=LINESTRING(105.2 38.5,105.8 38.5)&corridor-width=4&width-units=km")
    assert np.isfinite(band(body)).any(axis=1).sum() == 4, "cells of 1.1 km whose middle is within 2 km"


def test_fewer_columns_and_formats(service: Service) -> None:
    body = found(service, "cube?bbox=105,38,106,39&resolution-x=10&resolution-y=10")
    assert band(body).shape == (10, 10)
    rows = service.get(f"{ROOT}/cube?bbox=105.4,38.4,105.42,38.42&f=csv").text.splitlines()
    assert len(rows) == 1 + 4
    features = service.get(f"{ROOT}/cube?bbox=105.4,38.4,105.42,38.42&f=GeoJSON").json()["features"]
    name = RELIEF.bands[0].name
    for one in features:
        assert one["properties"][name] == expected(*one["geometry"]["coordinates"])


def test_the_collection_says_what_can_be_asked(service: Service) -> None:
    body = service.get(ROOT).json()
    assert set(body["data_queries"]) == {"position", "radius", "area", "cube", "trajectory", "corridor"}
    assert set(body["parameter_names"]) == {one.name for one in RELIEF.bands}
    assert body["output_formats"] == ["CoverageJSON", "GeoJSON", "CSV"]


def test_nobody_asks_rasters_above(service: Service) -> None:
    question = "position?coords=POINT(105.5 38.5)"
    hidden = service.get(f"/collections/secret_relief/{question}")
    missing = service.get(f"/collections/secret_nothing/{question}")
    assert hidden.status_code == missing.status_code == 404
    assert hidden.text.replace("relief", "nothing") == missing.text
    assert service.get(f"/collections/secret_relief/{question}", Clearance.RESTRICTED).status_code == 200


@pytest.mark.parametrize(
    ("question", "status"),
    [
        ("cube?bbox=105,38,106,39&resolution-x=0", 400),
        ("cube?bbox=105,38,106,39&resolution-x=1000&resolution-y=1000", 413),
        ("cube?bbox=0,0,1,1", 404),
        ("position?coords=POINT(105.5 38.5)&average=day", 400),
        ("position?coords=POINT(105.5 38.5)&parameter-name=gold", 400),
        ("position?coords=MULTIPOINT(" + ",".join(["105 38"] * 1001) + ")", 413),
        ("area?coords=POINT(105 38)", 422),
    ],
)
def test_bad_questions_are_refused(service: Service, question: str, status: int) -> None:
    answer = service.get(f"{ROOT}/{question}")
    assert answer.status_code == status, answer.text


def test_features_have_no_environmental_data(service: Service) -> None:
    assert service.get("/collections/unit/position?coords=POINT(105 38)").status_code == 404
