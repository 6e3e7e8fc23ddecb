"""OGC API Features Parts 1 and 2: what the suite ets-ogcapi-features10 asks, asked of every collection that there is.

Docstrings name the requirement of OGC 17-069r4 or 18-058r1 behind each question. Expected features come from the rows
that were loaded, coordinates from pyproj.
"""

from __future__ import annotations

import datetime as dt
import re
from typing import Any

import jsonschema
import pyproj
import pytest
import shapely
from openapi_spec_validator import validate
from shapely.geometry import shape

from tests.contract import schemas
from tests.support.service import Service
from tests.support.site import SIDE, SOUTH, WEST, fields, spots

SPEC = "http://www.opengis.net/spec/ogcapi-features"
CLASSES = {*(f"{SPEC}-1/1.0/conf/{name}" for name in ("core", "geojson", "html", "oas30")), f"{SPEC}-2/1.0/conf/crs"}
CRS84 = "http://www.opengis.net/def/crs/OGC/1.3/CRS84"
GEOJSON = "application/geo+json"
ROWS = {"spot": spots(), "field": fields()}
ITEMS = ("/collections/{collection_id}/items", "/collections/{collection_id}/items/{feature_id}")
IDENTIFIER = re.compile(r"http://www\.opengis\.net/def/crs/[A-Z]+/[\d.]+/\w+")
Json = dict[str, Any]


def fetched(site: Service, address: str, **parameters: Any) -> Json:
    """A JSON document."""
    answer = site.client.get(address, params=parameters or None, headers={"Accept": f"{GEOJSON}, application/json"})
    assert answer.status_code == 200, (address, parameters, answer.text)
    body: Json = answer.json()
    return body


def found(site: Service, layer: str, **parameters: Any) -> set[str]:
    """Codes of the features that a question finds."""
    body = fetched(site, f"/collections/{layer}/items", limit=100, **parameters)
    jsonschema.validate(body, schemas.FEATURES)
    assert body["numberReturned"] == len(body["features"])
    return {feature["id"] for feature in body["features"]}


def collections(site: Service) -> list[Json]:
    """Collections of features."""
    listed: list[Json] = fetched(site, "/collections")["collections"]
    return [one for one in listed if one.get("itemType") == "feature"]


def test_the_api_is_found_and_valid(site: Service) -> None:
    """/req/core/root-success, api-definition-success, /req/oas30/oas-definition-1 and -2."""
    links = fetched(site, "/")["links"]
    assert {"service-desc", "service-doc", "conformance", "data"} <= {link["rel"] for link in links}
    described = [link for link in links if link["rel"] == "service-desc"]
    # Suites take the first one, and know version 3.0.
    assert described[0]["type"] == "application/vnd.oai.openapi+json;version=3.0"
    for link in described:
        answer = site.client.get(link["href"])
        assert answer.headers["content-type"].startswith(link["type"])
        validate(answer.json())
        assert set(ITEMS) <= set(answer.json()["paths"])


def test_declared_classes(site: Service) -> None:
    """/req/core/conformance-success; /conf/crs."""
    assert set(fetched(site, "/conformance")["conformsTo"]) >= CLASSES


def parameter(site: Service, name: str, path: str = ITEMS[0]) -> Json:
    """A parameter as the OpenAPI document defines it."""
    listed = fetched(site, "/api", f="3.0")["paths"][path]["get"]["parameters"]
    (one,) = [each for each in listed if each["name"] == name]
    assert (one["in"], one.get("required", False)) == ("query", False)
    assert (one["style"], one["explode"]) == ("form", False)
    definition: Json = one["schema"]
    return definition


def test_parameters_are_defined_to_the_letter(site: Service) -> None:
    """/req/core/fc-limit-definition, fc-bbox-definition, fc-time-definition; /req/crs/fc-crs-definition and others."""
    limit = parameter(site, "limit")
    assert (limit["type"], limit["minimum"]) == ("integer", 1)
    assert 1 <= limit["default"] <= limit["maximum"]
    box = parameter(site, "bbox")
    assert (box["type"], box["items"]["type"], box["minItems"], box["maxItems"]) == ("array", "number", 4, 6)
    assert parameter(site, "datetime")["type"] == "string"
    for name in ("crs", "bbox-crs"):
        assert (parameter(site, name)["type"], parameter(site, name)["format"]) == ("string", "uri")
    assert parameter(site, "crs", ITEMS[1])["format"] == "uri"


def test_collections_say_what_they_hold(site: Service) -> None:
    """/req/core/fc-md-success, fc-md-items, fc-md-items-links, fc-md-extent, sfc-md-success, fc-md-links."""
    listing = fetched(site, "/collections")
    jsonschema.validate(listing, schemas.COLLECTIONS)
    assert {link["rel"] for link in listing["links"]} >= {"self", "alternate"}
    assert {one["id"] for one in collections(site)} == {"spot", "field", "way"}
    for one in collections(site):
        alone = fetched(site, f"/collections/{one['id']}")
        jsonschema.validate(alone, schemas.COLLECTION)
        for name in ("id", "title", "description", "extent", "itemType"):
            assert one[name] == alone[name], name
        media = {link["type"] for link in one["links"] if link["rel"] == "items"}
        assert media == {GEOJSON, "text/html"}
        west, south, east, north = one["extent"]["spatial"]["bbox"][0]
        assert WEST <= west <= east <= WEST + SIDE + 1e-9
        assert SOUTH <= south <= north <= SOUTH + SIDE + 1e-9


def test_pages_are_linked(site: Service) -> None:
    """/req/core/fc-response, fc-links, fc-rel-type, fc-numberMatched, fc-numberReturned; next and prev."""
    for one in collections(site):
        page = fetched(site, f"/collections/{one['id']}/items", limit=5)
        assert {link["rel"] for link in page["links"]} >= {"self", "alternate"}
        assert all(link["type"] for link in page["links"])
        assert page["numberReturned"] == len(page["features"]) <= 5
        assert page["numberMatched"] == one["itemCount"]
        for link in page["links"]:
            answer = site.client.get(link["href"])
            assert answer.status_code == 200, link
            assert answer.headers["content-type"].startswith(link["type"])


@pytest.mark.parametrize("layer", sorted(ROWS))
def test_the_union_of_pages_is_the_collection(site: Service, layer: str) -> None:
    """/rec/core/fc-next-1: by links alone, every feature once."""
    for limit in (1, 2, 5, 11, 100):
        seen, address = [], f"/collections/{layer}/items?limit={limit}"
        while address:
            page = fetched(site, address)
            assert len(page["features"]) <= limit
            seen += [feature["id"] for feature in page["features"]]
            address = next((link["href"] for link in page["links"] if link["rel"] == "next"), "")
        assert sorted(seen) == sorted(row["code"] for row in ROWS[layer])


@pytest.mark.parametrize(
    "box",
    [
        (WEST, SOUTH, WEST + 0.05, SOUTH + 0.05),
        (WEST + 0.11, SOUTH + 0.11, WEST + 0.19, SOUTH + 0.19),
        (WEST, SOUTH + SIDE / 2, WEST, SOUTH + SIDE / 2),
        (-180.0, -90.0, 180.0, 90.0),
        (WEST + 0.1, SOUTH, -170.0, SOUTH + 1),
        (170.0, -50.0, -170.0, -30.0),
        (0.0, 0.0, 1.0, 1.0),
    ],
)
def test_boxes(site: Service, box: tuple[float, float, float, float]) -> None:
    """/req/core/fc-bbox-definition, fc-bbox-response: also with heights, over 180 degrees, as a point, and empty."""
    west, south, east, north = box
    parts = [shapely.box(*box)]
    if west > east:
        parts = [shapely.box(west, south, 180, north), shapely.box(-180, south, east, north)]
    for layer, rows in ROWS.items():
        expected = {row["code"] for row in rows if any(part.intersects(row["geometry"]) for part in parts)}
        assert found(site, layer, bbox=",".join(map(str, box))) == expected
        assert found(site, layer, bbox=f"{west},{south},-100,{east},{north},9000") == expected


def moments() -> list[tuple[str, dt.date, dt.date]]:
    """Texts of `datetime` with the first and last day that they mean."""
    first, last = dt.date.min, dt.date.max
    march, may = dt.date(2026, 3, 15), dt.date(2026, 5, 15)
    return [
        ("2026-03-15", march, march),
        ("2026-03-15T11:59:59Z", march, march),
        ("2026-03-15T23:30:00.5+08:00", march, march),
        ("2026-03-15/2026-05-15", march, may),
        ("2026-03-15T00:00:00Z/2026-05-15T23:59:59Z", march, may),
        ("../2026-05-15", first, may),
        ("/2026-05-15", first, may),
        ("2026-03-15/..", march, last),
        ("2026-03-15/", march, last),
        ("2031-01-01/..", dt.date(2031, 1, 1), last),
    ]


@pytest.mark.parametrize(("text", "first", "last"), moments())
def test_times(site: Service, text: str, first: dt.date, last: dt.date) -> None:
    """/req/core/fc-time-definition, fc-time-response: instants, closed and half-open intervals, .. and nothing."""
    expected = {row["code"] for row in spots() if first <= dt.date.fromisoformat(row["seen"]) <= last}
    assert found(site, "spot", datetime=text) == expected
    # No row of the squares has a time, so all of them match (fc-time-response, C).
    assert found(site, "field", datetime=text) == {"south", "north"}


def test_conditions_are_joined(site: Service) -> None:
    """/req/core/fc-response: bbox and datetime hold together."""
    box = shapely.box(WEST, SOUTH, WEST + 0.1, SOUTH + 0.1)
    expected = {row["code"] for row in spots() if row["seen"] >= "2026-03-01" and box.intersects(row["geometry"])}
    assert found(site, "spot", bbox=",".join(map(str, box.bounds)), datetime="2026-03-01/..") == expected


@pytest.mark.parametrize(
    "query",
    [
        "unknownQueryParameter=1", "Limit=5", "limit=0", "limit=-1", "limit=a", "limit=", "limit=1.5",
        "bbox=1,2,3", "bbox=1,2,3,4,5", "bbox=1,2,3,4,5,6,7", "bbox=1;2;3;4", "bbox=1,60,2,50", "bbox=1,2,3,inf",
        "datetime=", "datetime=2026", "datetime=2026-03-15T00:00:00", "datetime=../../..", "datetime=2026-13-01/..",
        "datetime=2026-03-15/2026-03-14", "crs=unknown", "crs=http://www.opengis.net/def/crs/EPSG/0/0", "bbox-crs=x",
        "f=unknown",
    ],
)  # fmt: skip
def test_wrong_parameters(site: Service, query: str) -> None:
    """/req/core/query-param-unknown, query-param-invalid; /req/crs/fc-crs-valid-value, fc-bbox-crs-valid-value."""
    for one in collections(site):
        assert site.get(f"/collections/{one['id']}/items?{query}").status_code == 400


def test_one_feature(site: Service) -> None:
    """/req/core/f-success, f-links: self, alternate, collection."""
    for layer, rows in ROWS.items():
        for row in rows:
            answer = site.get(f"/collections/{layer}/items/{row['code']}")
            assert answer.headers["content-type"].startswith(GEOJSON)
            feature = answer.json()
            jsonschema.validate(feature, schemas.FEATURE)
            assert {"self", "alternate", "collection"} <= {link["rel"] for link in feature["links"]}
            assert shape(feature["geometry"]).normalize().equals_exact(row["geometry"].normalize(), 1e-9)
    assert site.get("/collections/spot/items/unknown").status_code == 404
    assert site.get("/collections/hidden/items").status_code == 404


def test_pages_for_people(site: Service) -> None:
    """/req/html/content and definition: every resource has its page, and the page names the features."""
    for path in ("/", "/conformance", "/collections", "/collections/spot", "/collections/spot/items",
                 "/collections/spot/items/s3"):  # fmt: skip
        answer = site.get(path, Accept="text/html")
        assert answer.headers["content-type"].startswith("text/html")
    page = site.get("/collections/spot/items?limit=5&sortby=-code", Accept="text/html").text
    assert all(row["code"] in page for row in sorted(spots(), key=lambda row: str(row["code"]))[-5:])
    assert 'rel="next"' in page


def systems(site: Service, collection: Json) -> list[str]:
    """Systems of a collection, the pointer to the global list resolved."""
    listed: list[str] = fetched(site, "/collections")["crs"]
    return [uri for one in collection["crs"] for uri in (listed if one == "#/crs" else [one])]


def test_systems_are_listed(site: Service) -> None:
    """/req/crs/crs-uri, fc-md-crs-list, fc-md-storageCrs, fc-md-storageCrs-valid-value, fc-md-crs-list-global."""
    for one in collections(site):
        known = systems(site, one)
        assert known == fetched(site, f"/collections/{one['id']}")["crs"]
        assert known[0] == CRS84
        assert all(IDENTIFIER.fullmatch(uri) for uri in known)
        assert one["storageCrs"] in known


def test_every_system_of_every_collection_answers(site: Service) -> None:
    """/req/crs/fc-crs-action, ogc-crs-header, ogc-crs-header-value: each is said, and coordinates are in it."""
    places = {row["code"]: row["geometry"] for row in spots()}
    for one in collections(site):
        for uri in systems(site, one):
            answer = site.client.get(f"/collections/{one['id']}/items", params={"crs": uri, "limit": "1"})
            assert answer.status_code == 200, (uri, answer.text)
            assert answer.headers["content-crs"] == f"<{uri}>"
            if one["id"] == "spot":
                (feature,) = answer.json()["features"]
                place = places[feature["id"]]
                expected = pyproj.Transformer.from_crs(CRS84, uri).transform(place.x, place.y)
                assert feature["geometry"]["coordinates"] == pytest.approx(expected, rel=1e-9, abs=2e-3), uri


def test_default_systems(site: Service) -> None:
    """/req/crs/fc-crs-default-value, fc-bbox-crs-valid-defaultValue: CRS84 said is CRS84 left out."""
    box = f"{WEST},{SOUTH},{WEST + 0.1},{SOUTH + 0.1}"
    assert found(site, "spot", bbox=box, **{"bbox-crs": CRS84}) == found(site, "spot", bbox=box)
    plain = site.get("/collections/spot/items")
    assert plain.headers["content-crs"] == f"<{CRS84}>"
    assert fetched(site, "/collections/spot/items", crs=CRS84)["features"] == plain.json()["features"]


def test_boxes_in_every_system(site: Service) -> None:
    """/req/crs/fc-bbox-crs-action: the box around a point, in each system, finds that point."""
    row = spots()[4]
    place = row["geometry"]
    for uri in systems(site, collections(site)[0]):
        x, y = pyproj.Transformer.from_crs(CRS84, uri).transform(place.x, place.y)
        half = 1e-4 if abs(x) < 360 else 20
        box = ",".join(map(repr, (x - half, y - half, x + half, y + half)))
        assert found(site, "spot", bbox=box, **{"bbox-crs": uri}) == {row["code"]}, uri
