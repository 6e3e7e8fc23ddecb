"""Environmental data of stations through the running service: which stations, which values, for whom."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from typing import Any

import pyproj
import pytest
from covjson_pydantic.coverage import Coverage, CoverageCollection
from edr_pydantic.collections import Collection

from geoservice.db.engine import Database
from layers.access import Clearance
from tests.support.loading import prepared, trial_catalog, trial_layer
from tests.support.service import Service, running
from tests.support.stations import Place, furnish, hourly, record

WEST = Place("west", 105.0, 38.0, {"pm25": "ug/m3", "no2": "ug/m3"})
EAST = Place("east/1", 105.1, 38.0, {"pm25": "ug/m3"})
FAR = Place("far", 179.9, 10.0, {"pm25": "ug/m3"})
HIDDEN = Place("CNRY-2-hidden", 105.01, 38.01, {"pm25": "ug/m3", "so2": "ug/m3"}, Clearance.RESTRICTED)
PLACES = [WEST, EAST, FAR, HIDDEN]
CATALOG = trial_catalog(trial_layer("unit", geometry="polygon", style={"fill": "#aabbcc"}))
ROOT = "/collections/observations"
TOP = Clearance.RESTRICTED


@pytest.fixture(scope="module")
def service(module_database: Database) -> Iterator[Service]:
    prepared(module_database, CATALOG)
    furnish(module_database, PLACES)
    readings = [one for n, p in enumerate(PLACES) for one in hourly(p, "pm25", [n * 10.0 + h for h in range(6)])]
    readings += hourly(WEST, "no2", [40.0, 41.0])
    record(module_database, [*readings, *hourly(HIDDEN, "so2", [1.0])])
    with running(module_database, CATALOG) as started:
        yield started


def found(service: Service, question: str, asker: Clearance | None = None) -> dict[str, Any]:
    answer = service.get(f"{ROOT}/{question}", asker)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/prs.coverage+json"
    body: dict[str, Any] = answer.json()
    (Coverage if body["type"] == "Coverage" else CoverageCollection).model_validate_json(answer.content)
    return body


def stations(body: dict[str, Any]) -> set[str]:
    return {one["id"] for one in body["coverages"]}


def test_the_collection_says_what_can_be_asked(service: Service) -> None:
    body = service.get(ROOT).json()
    Collection.model_validate(
        {k: body[k] for k in Collection.model_fields if k in body and k != "extent"}
        | {"extent": {"spatial": body["extent"]["spatial"]}}
    )
    assert set(body["parameter_names"]) == {"pm25", "no2"}
    assert body["parameter_names"]["pm25"]["unit"]["symbol"]["value"]
    assert body["parameter_names"]["pm25"]["observedProperty"]["id"]
    assert body["extent"]["spatial"]["bbox"] == [[105.0, 10.0, 179.9, 38.0]]
    assert body["extent"]["temporal"]["interval"] == [["2026-05-01T00:00:00Z", "2026-05-01T05:00:00Z"]]
    assert set(body["data_queries"]) == {"position", "radius", "area", "cube", "corridor", "locations"}
    assert "observations" in {one["id"] for one in service.get("/collections").json()["collections"]}
    page = service.get(f"{ROOT}?f=html&lang=zh")
    assert (page.status_code, "环境监测数据" in page.text) == (200, True)


def test_locations_lead_to_their_data(service: Service) -> None:
    body = service.get(f"{ROOT}/locations").json()
    assert {one["id"] for one in body["features"]} == {"west", "east/1", "far"}
    for one in body["features"]:
        address = one["properties"]["edrqueryendpoint"]
        data = service.client.get(address).json()
        assert data["type"] == "Coverage"
        assert set(data["ranges"]) == set(one["properties"]["parameter-name"])
    assert {one["id"] for one in service.get(f"{ROOT}/locations?parameter-name=no2").json()["features"]} == {"west"}
    assert service.get(f"{ROOT}/locations?bbox=105.05,37,106,39").json()["numberReturned"] == 1
    assert service.get(f"{ROOT}/locations?datetime=2027-01-01/..").json()["numberReturned"] == 0


def test_a_series_has_all_times_and_gaps(service: Service) -> None:
    body = found(service, "locations/west")
    assert body["domain"]["domainType"] == "PointSeries"
    assert body["domain"]["axes"]["x"]["values"] == [105.0]
    assert body["domain"]["axes"]["t"]["values"][-1] == "2026-05-01T05:00:00Z"
    assert body["ranges"]["pm25"]["values"] == [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]
    assert body["ranges"]["no2"]["values"] == [40.0, 41.0, None, None, None, None]
    assert body["ranges"]["pm25"]["shape"] == [6, 1, 1]
    part = found(service, "locations/west?datetime=2026-05-01T02:00:00Z/2026-05-01T03:00:00Z&parameter-name=pm25")
    assert part["ranges"]["pm25"]["values"] == [2.0, 3.0]
    assert set(part["ranges"]) == {"pm25"}


def test_means_are_those_of_the_readings(service: Service) -> None:
    body = found(service, "locations/west?average=day")
    assert body["ranges"]["pm25"]["values"] == [2.5]
    assert body["ranges"]["no2"]["values"] == [40.5]


@pytest.mark.parametrize("metres", [8_000, 8_800, 20_000])
def test_a_radius_is_measured_on_the_ellipsoid(service: Service, metres: float) -> None:
    geod = pyproj.Geod(ellps="GRS80")
    expected = {p.key for p in PLACES[:3] if geod.inv(105.0, 38.0, p.lon, p.lat)[2] <= metres}
    body = found(service, f"radius?coords=POINT(105 38)&within={metres / 1000}&within-units=km")
    assert stations(body) == expected
    assert len(expected) == (1 if metres == 8_000 else 2), "the oracle must tell the cases apart"


def test_areas_boxes_and_corridors(service: Service) -> None:
    assert stations(found(service, "area?coords=POLYGON((104.9 37.9,105.05 37.9,105.05 37.98,104.9 37.9))")) == set()
    square = "104.9 37.9,105.05 37.9,105.05 38.1,104.9 38.1,104.9 37.9"
    assert stations(found(service, f"area?coords=POLYGON(({square}))")) == {"west"}
    assert stations(found(service, "cube?bbox=104,37,106,39")) == {"west", "east/1"}
    line = "corridor?coords=LINESTRING(104.9 38.01,105.2 38.01)&width-units=m&corridor-width="
    assert stations(found(service, f"{line}2400")) == {"west", "east/1"}
    assert stations(found(service, f"{line}2000")) == set()


def test_a_position_is_answered_by_the_nearest_station(service: Service) -> None:
    assert stations(found(service, "position?coords=POINT(105.09 38)&parameter-name=pm25")) == {"east/1"}
    # Nitrogen dioxide is measured in the west only.
    both = found(service, "position?coords=POINT(105.09 38)")
    assert {one["id"]: sorted(one["ranges"]) for one in both["coverages"]} == {"east/1": ["pm25"], "west": ["no2"]}
    # Over the antimeridian.
    assert stations(found(service, "position?coords=POINT(-179.9 10)")) == {"far"}
    none = service.get(f"{ROOT}/position?coords=POINT(0 0)")
    assert (none.status_code, "50 km" in none.json()["detail"]) == (404, True)


def test_axes_follow_the_crs(service: Service) -> None:
    plain = found(service, "position?coords=POINT(105 38)&parameter-name=no2")
    swapped = found(service, "position?coords=POINT(38 105)&crs=EPSG:4490&parameter-name=no2")
    assert swapped["coverages"][0]["domain"] == plain["coverages"][0]["domain"]
    assert swapped["referencing"][0]["coordinates"] == ["y", "x"]
    assert swapped["referencing"][0]["system"]["id"].endswith("EPSG/0/4490")
    assert stations(found(service, "cube?bbox=37,104,39,105.05&crs=EPSG:4326")) == {"west"}


def test_other_formats_say_the_same(service: Service) -> None:
    features = service.get(f"{ROOT}/locations/west?f=GeoJSON").json()["features"]
    assert [one["properties"]["pm25"] for one in features] == [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]
    assert features[0]["properties"]["datetime"] == "2026-05-01T00:00:00Z"
    answer = service.get(f"{ROOT}/cube?bbox=104,37,106,39&f=csv")
    assert answer.headers["content-type"].startswith("text/csv")
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert {(r["location"], r["datetime"], r["parameter"], float(r["value"])) for r in rows} >= {
        ("east/1", "2026-05-01T05:00:00Z", "pm25", 15.0),
        ("west", "2026-05-01T01:00:00Z", "no2", 41.0),
    }
    assert len(rows) == 14


PATHS = (
    "",
    "/locations",
    "/cube?bbox=104,37,106,39",
    "/cube?bbox=104,37,106,39&f=csv",
    "/position?coords=POINT(105.01 38.01)",
    "/radius?coords=POINT(105 38)&within=50&within-units=km",
)


def test_nobody_sees_stations_above(service: Service) -> None:
    for path in PATHS:
        for asker in (None, Clearance.PUBLIC, Clearance.INTERNAL):
            answer = service.get(ROOT + path, asker)
            assert answer.status_code == 200
            assert "CNRY-2" not in answer.text
            assert "so2" not in answer.text, "nor a property that only they measure"
    assert stations(found(service, "position?coords=POINT(105.01 38.01)&parameter-name=so2", TOP)) == {HIDDEN.key}
    hidden, missing = service.get(f"{ROOT}/locations/{HIDDEN.key}"), service.get(f"{ROOT}/locations/CNRY-2-missing")
    assert hidden.status_code == missing.status_code == 404
    assert hidden.text.replace("hidden", "missing") == missing.text
    refused = service.get(f"{ROOT}/cube?bbox=104,37,106,39&parameter-name=so2")
    assert (refused.status_code, "so2" in refused.json()["detail"].partition(";")[0]) == (400, False)


@pytest.mark.parametrize(
    ("question", "status"),
    [
        ("position", 400),
        ("position?coords=POINT(105)", 422),
        ("position?coords=POINT(nan 38)", 422),
        ("position?coords=POINT(1e999 38)", 422),
        ("position?coords=POINT(190 38)", 422),
        ("position?coords=POINT EMPTY", 422),
        ("position?coords=LINESTRING(1 1,2 2)", 422),
        ("position?coords=POINT(105 38)&crs=EPSG:3857", 400),
        ("position?coords=POINT(105 38)&z=10", 400),
        ("position?coords=POINT Z(105 38 1)", 422),
        ("position?coords=POINT(105 38)&datetime=yesterday", 400),
        ("position?coords=POINT(105 38)&parameter-name=gold", 400),
        ("position?coords=POINT(105 38)&parameter-name=,", 400),
        ("position?coords=POINT(105 38)&f=netcdf", 400),
        ("position?coords=POINT(105 38)&average=year", 400),
        ("position?coords=POINT(105 38)&colour=red", 400),
        ("position?coords=GEOMETRYCOLLECTION(POINT(1 1))", 422),
        ("position?coords=" + "(" * 5000, 422),
        ("radius?coords=POINT(105 38)&within=-1&within-units=km", 400),
        ("radius?coords=POINT(105 38)&within=1&within-units=parsec", 400),
        ("radius?coords=POINT(105 38)&within=501&within-units=km", 400),
        ("radius?coords=POINT(105 38)&within=5&within-units=km&resolution-x=3", 400),
        ("area?coords=POLYGON((0 0,1 1,1 0,0 1,0 0))", 422),
        ("area?coords=POLYGON((0 0,1 1,1 0))", 422),
        ("cube?bbox=1,2,3", 400),
        ("cube?bbox=170,-10,-170,10", 400),
        ("trajectory?coords=LINESTRING(105 38,105.1 38)", 400),
        ("corridor?coords=LINESTRING(105 38,105 38)&corridor-width=1&width-units=km", 422),
        ("locations/none", 404),
        ("locations/a%00b", 404),
    ],
)
def test_bad_questions_are_refused(service: Service, question: str, status: int) -> None:
    answer = service.get(f"{ROOT}/{question}")
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["detail"].endswith(".")
