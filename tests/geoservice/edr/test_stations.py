"""Environmental data of stations through the running service: which stations, which values, for whom."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from typing import Any

import jsonschema
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
SQUARE = "POLYGON((104.9 37.9,105.2 37.9,105.2 38.1,104.9 38.1,104.9 37.9))"
QUERIES = {
    "position": ("coords=POINT(105 38)", {"coords"}),
    "radius": ("coords=POINT(105 38)&within=20&within-units=km", {"coords", "within", "within-units"}),
    "area": (f"coords={SQUARE}", {"coords"}),
    "cube": ("bbox=104,37,106,39", {"bbox"}),
    "trajectory": ("coords=LINESTRING(104.9 38,105.2 38)", {"coords"}),
    "corridor": (
        "coords=LINESTRING(104.9 38,105.2 38)&corridor-width=2&width-units=km",
        {"coords", "corridor-width", "width-units"},
    ),
    "locations": ("", set()),
    "items": ("", set()),
}
"""Kinds of questions, one that finds something, and the parameters that must be given (19-086r6, 8.3)."""
TEXT: dict[str, Any] = {"type": "string", "minLength": 1}
POINTS: dict[str, Any] = {
    "type": "object",
    "required": ["type", "features", "numberReturned", "links"],
    "properties": {
        "type": {"const": "FeatureCollection"},
        "features": {
            "type": "array",
            "items": {
                "required": ["type", "id", "geometry", "properties"],
                "properties": {
                    "geometry": {"properties": {"type": {"const": "Point"}}},
                    "properties": {
                        "required": ["datetime", "label", "parameter-name", "edrqueryendpoint"],
                        "properties": {
                            "datetime": TEXT,
                            "label": TEXT,
                            "edrqueryendpoint": {**TEXT, "pattern": "^http"},
                            "parameter-name": {"type": "array", "items": TEXT, "minItems": 1},
                        },
                    },
                },
            },
        },
    },
}
"""What the standard asks of GeoJSON of places (19-086r6, annex of schemas: edrFeatureCollectionGeoJSON)."""


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
    assert set(body["data_queries"]) == set(QUERIES)
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


def test_a_trajectory_tells_the_stations_beside_it_in_the_order_of_the_way(service: Service) -> None:
    """From the east to the west, 4,440 m beside both; lengths by pyproj along the parallel."""
    body = found(service, "trajectory?coords=LINESTRING(105.2 38.04,104.9 38.04)")
    assert [one["id"] for one in body["coverages"]] == ["east/1", "west"]
    geod = pyproj.Geod(a=6378137.0, rf=298.257222101)
    places = {one.key: one.lon for one in PLACES}
    for one in body["coverages"]:
        metres = geod.inv(105.2, 38.04, places[one["id"]], 38.04)[2]
        assert one["geoservice:alongMetres"] == pytest.approx(metres, rel=1e-4)
    assert [one["id"] for one in found(service, "trajectory?coords=LINESTRING(104.9 38,105.2 38)")["coverages"]] == [
        "west",
        "east/1",
    ]
    assert stations(found(service, "trajectory?coords=LINESTRING(104.9 38.05,105.2 38.05)")) == set(), "5.5 km away"
    plain = service.get(f"{ROOT}/trajectory?coords=LINESTRING(104.9 38,105.2 38)&f=GeoJSON").json()
    assert {round(one["properties"]["along"], -3) for one in plain["features"]} == {9000.0, 18000.0}


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


def test_declared_classes(service: Service) -> None:
    """/conf/core/conformance: the classes, with that of the core and of collections in both editions."""
    declared = set(service.get("/conformance?f=json").json()["conformsTo"])
    assert {f"http://www.opengis.net/spec/ogcapi-edr-1/{e}/conf/core" for e in ("1.0", "1.1")} <= declared
    assert "http://www.opengis.net/spec/ogcapi-edr-1/1.1/conf/html" not in declared


def test_the_collection_has_what_the_standard_wants(service: Service) -> None:
    """/conf/collections: links, extent, crs, formats, parameters with what is observed, questions with links."""
    for body in (
        service.get(f"{ROOT}?f=json").json(),
        next(one for one in service.get("/collections").json()["collections"] if one["id"] == "observations"),
    ):
        assert {one["rel"] for one in body["links"]} >= {"self"}
        west, south, east, north = body["extent"]["spatial"]["bbox"][0]
        assert west <= east
        assert south <= north
        assert {"CoverageJSON", "GeoJSON"} <= set(body["output_formats"])
        assert "http://www.opengis.net/def/crs/OGC/1.3/CRS84" in body["crs"]
        for name, one in body["parameter_names"].items():
            assert (one["type"], one["id"]) == ("Parameter", name)
            assert one["observedProperty"]["label"]
        assert set(body["data_queries"]) == set(QUERIES)
        for kind, one in body["data_queries"].items():
            assert one["link"]["variables"]["query_type"] == kind
            assert one["link"]["rel"] == "data"


@pytest.mark.parametrize("kind", QUERIES)
def test_every_question_answers_in_every_format_it_names(service: Service, kind: str) -> None:
    """/conf/queries: the link of a question leads to it, and each of its formats is to be had."""
    link = service.get(f"{ROOT}?f=json").json()["data_queries"][kind]["link"]
    media = {"CoverageJSON": "application/prs.coverage+json", "GeoJSON": "application/geo+json", "CSV": "text/csv"}
    for form in link["variables"]["output_formats"]:
        answer = service.client.get(f"{link['href']}?{QUERIES[kind][0]}&f={form}".replace("?&", "?"))
        assert answer.status_code == 200, answer.text
        assert answer.headers["content-type"].partition(";")[0] == media[form]


@pytest.mark.parametrize("kind", QUERIES)
def test_parameters_are_defined(service: Service, kind: str) -> None:
    """/conf/oas30 and the definitions of parameters: each in the query, and those that must be given as required."""
    paths = service.get("/api?f=3.0").json()["paths"]
    path = paths.get(f"{ROOT}/{kind}") or paths[f"/collections/{{collection_id}}/{kind}"]
    told = {one["name"]: one for one in path["get"]["parameters"] if one["in"] == "query"}
    assert {name for name, one in told.items() if one.get("required")} == QUERIES[kind][1]
    assert {"datetime", "parameter-name", "f"} <= set(told)
    for name in QUERIES[kind][1]:
        without = "&".join(one for one in QUERIES[kind][0].split("&") if not one.startswith(f"{name}="))
        assert service.get(f"{ROOT}/{kind}?{without}").status_code == 400


@pytest.mark.parametrize("kind", ["locations", "items"])
def test_places_follow_the_schema_of_the_standard(service: Service, kind: str) -> None:
    body = service.get(f"{ROOT}/{kind}").json()
    jsonschema.Draft202012Validator(POINTS).validate(body)
    body["features"][0]["properties"].pop("label")
    assert list(jsonschema.Draft202012Validator(POINTS).iter_errors(body)), "the schema must be able to fail"


def test_the_union_of_the_pages_of_items_is_all(service: Service) -> None:
    address, seen = f"{ROOT}/items?limit=1&f=GeoJSON", []
    while address:
        body = service.client.get(address).json()
        assert (body["numberMatched"], body["numberReturned"]) == (3, 1)
        seen += [one["id"] for one in body["features"]]
        address = next((one["href"] for one in body["links"] if one["rel"] == "next"), "")
    assert seen == ["east/1", "far", "west"]
    assert service.get(f"{ROOT}/items?parameter-name=no2").json()["numberMatched"] == 1
    assert service.get(f"{ROOT}/items/west").json() == service.get(f"{ROOT}/locations/west").json()


def test_features_tell_what_was_measured(service: Service) -> None:
    told = service.get(f"{ROOT}/locations/west?f=GeoJSON").json()["parameters"]
    assert told == service.get(f"{ROOT}?lang=en").json()["parameter_names"]


PATHS = (
    "",
    "/locations",
    "/items",
    "/items?limit=1",
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
        ("trajectory?coords=LINESTRING M(105 38 0,105.1 38 60)", 400),
        ("trajectory?coords=LINESTRING(105 38,105 38)", 422),
        ("trajectory?coords=POINT(105 38)", 422),
        ("corridor?coords=LINESTRING(105 38,105 38)&corridor-width=1&width-units=km", 422),
        ("locations/none", 404),
        ("items/none", 404),
        ("items?limit=0", 400),
        ("items?limit=many", 400),
        ("items?colour=red", 400),
        ("area?coords=POLYGON((0 0,1 0,1 1,0 0))&f=png", 400),
        ("corridor?coords=LINESTRING(105 38,106 38)&corridor-width=1001&width-units=km", 400),
        ("locations/a%00b", 404),
    ],
)
def test_bad_questions_are_refused(service: Service, question: str, status: int) -> None:
    answer = service.get(f"{ROOT}/{question}")
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["detail"].endswith(".")
