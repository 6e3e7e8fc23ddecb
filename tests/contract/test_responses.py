"""Responses against schemas written from the standards, and the behaviours that no schema can say."""

from __future__ import annotations

import datetime as dt
import gzip
import html
from typing import Any

import jsonschema
import mapbox_vector_tile
import morecantile
import pytest
import shapely

from layers.access import Clearance
from tests.contract import schemas
from tests.support.loading import trial_layer
from tests.support.service import SQUARE, Service, spot_rows

TOP = Clearance.RESTRICTED


def valid(body: Any, schema: schemas.Schema) -> Any:
    """Check a body against a schema, formats included, and return it."""
    jsonschema.validate(body, schema, format_checker=jsonschema.FormatChecker())
    return body


@pytest.mark.parametrize(
    ("path", "schema"),
    [
        ("/", schemas.LANDING),
        ("/conformance", schemas.CONFORMANCE),
        ("/collections", schemas.COLLECTIONS),
        ("/collections/spot", schemas.COLLECTION),
        ("/collections/reading", schemas.COLLECTION),
        ("/collections/spot/items", schemas.FEATURES),
        ("/collections/area/items", schemas.FEATURES),
        ("/collections/reading/items", schemas.FEATURES),
        ("/collections/spot/items/CNRY-0-spot-0", schemas.FEATURE),
        ("/collections/spot/tiles", schemas.TILESETS),
        ("/collections/spot/tiles/WebMercatorQuad", schemas.TILESET),
        ("/collections/spot/tiles/WebMercatorQuad?f=tilejson", schemas.TILEJSON),
        ("/tileMatrixSets/WebMercatorQuad", schemas.TILE_MATRIX_SET),
    ],
)
def test_bodies_follow_the_standards(service: Service, path: str, schema: schemas.Schema) -> None:
    response = service.get(path, TOP)
    assert response.status_code == 200, response.text
    assert "json" in response.headers["content-type"]
    valid(response.json(), schema)


def test_landing_links_lead_somewhere(service: Service) -> None:
    links = service.get("/").json()["links"]
    relations = {link["rel"] for link in links}
    assert {"self", "alternate", "service-desc", "service-doc", "conformance", "data"} <= relations
    for link in links:
        response = service.client.get(link["href"])
        assert response.status_code == 200, link
        assert response.headers["content-type"].startswith(link["type"].partition(";")[0]), link


def test_every_link_of_a_collection_answers(service: Service) -> None:
    for collection in service.get("/collections", TOP).json()["collections"]:
        for link in service.get(f"/collections/{collection['id']}", TOP).json()["links"]:
            if not link.get("templated"):
                response = service.client.get(link["href"], headers={"X-API-Key": service.keys[TOP]})
                assert response.status_code == 200, link


def test_paging_visits_every_feature_once(service: Service) -> None:
    address, seen = "/collections/spot/items?limit=7", []
    while address:
        page = valid(service.get(address, TOP).json(), schemas.FEATURES)
        assert page["numberMatched"] == 30
        seen += [f["id"] for f in page["features"]]
        assert page["numberReturned"] == len(page["features"])
        address = next((link["href"] for link in page["links"] if link["rel"] == "next"), None)
    assert sorted(seen) == sorted(r["code"] for r in spot_rows())


@pytest.mark.parametrize(
    "bbox",
    ["105,38,105.05,38.05", "105.05,38.05,105.15,38.15", "-180,-90,180,90", "105.1,38,180,90", "170,-10,-170,10"],
)
def test_bbox_agrees_with_shapely(service: Service, bbox: str) -> None:
    west, south, east, north = map(float, bbox.split(","))
    boxes = [shapely.box(west, south, east, north)]
    if west > east:
        boxes = [shapely.box(west, south, 180, north), shapely.box(-180, south, east, north)]
    expected = {r["code"] for r in spot_rows() if any(b.intersects(r["geometry"]) for b in boxes)}
    found = service.get(f"/collections/spot/items?limit=100&bbox={bbox}", TOP).json()
    assert {f["id"] for f in found["features"]} == expected
    # All of them are on the page, so that their number is known.
    assert found["numberMatched"] == len(expected)
    part = service.get(f"/collections/spot/items?limit=1&bbox={bbox}", TOP).json()
    assert ("numberMatched" in part) == (len(expected) < 2)


@pytest.mark.parametrize(
    ("text", "first", "last"),
    [
        ("2026-03-15", "2026-03-15", "2026-03-15"),
        ("2026-03-15T12:00:00Z", "2026-03-15", "2026-03-15"),
        ("2026-03-01/2026-05-15", "2026-03-01", "2026-05-15"),
        ("../2026-02-15", "0001-01-01", "2026-02-15"),
        ("2026-11-16/..", "2026-11-16", "9999-12-31"),
        ("2026-03-14T23:00:00-02:00", "2026-03-15", "2026-03-15"),
    ],
)
def test_datetime_selects_days(service: Service, text: str, first: str, last: str) -> None:
    expected = {
        r["code"]
        for r in spot_rows()
        if dt.date.fromisoformat(first) <= dt.date.fromisoformat(r["seen"]) <= dt.date.fromisoformat(last)
    }
    found = service.get(f"/collections/spot/items?limit=100&datetime={text.replace('+', '%2B')}", TOP).json()
    assert {f["id"] for f in found["features"]} == expected


def test_datetime_of_a_series(service: Service) -> None:
    page = service.get("/collections/reading/items?limit=100&datetime=2026-01-01T03:00:00Z/2026-01-01T05:00:00Z").json()
    moments = {f["properties"]["moment"] for f in page["features"]}
    assert moments == {f"2026-01-01T0{h}:00:00+00:00" for h in (3, 4, 5)}


def test_items_carry_what_was_loaded(service: Service) -> None:
    row = spot_rows()[3]
    feature = service.get(f"/collections/spot/items/{row['code']}", TOP).json()
    assert feature["geometry"]["coordinates"] == pytest.approx([row["geometry"].x, row["geometry"].y], abs=1e-9)
    assert dict(feature["properties"].items()) == {
        k: row[k] for k in ("code", "name", "amount", "level", "secret", "seen")
    }


def test_vector_tile_by_an_independent_decoder(service: Service) -> None:
    tile = morecantile.tms.get("WebMercatorQuad").tile(105.1, 38.1, 13)
    response = service.get(f"/collections/area/tiles/WebMercatorQuad/13/{tile.y}/{tile.x}", TOP)
    assert response.headers["content-type"] == "application/vnd.mapbox-vector-tile"
    layer = mapbox_vector_tile.decode(response.content, default_options={"y_coord_down": True})["area"]
    assert layer["extent"] == 4096
    bounds = morecantile.tms.get("WebMercatorQuad").bounds(tile)
    west, east = ((lon - bounds.left) / (bounds.right - bounds.left) * 4096 for lon in (105, 105.2))
    shapes = [shapely.geometry.shape(f["geometry"]) for f in layer["features"]]
    drawn = shapely.union_all([s.buffer(0) for s in shapes])
    assert drawn.bounds[0] == pytest.approx(max(west, -64), abs=2)
    assert drawn.bounds[2] == pytest.approx(min(east, 4160), abs=2)
    assert {f["properties"]["name"] for f in layer["features"]} <= {"class 0", "class 1"}


def test_an_empty_tile_is_no_content_and_one_beyond_the_limits_is_missing(service: Service) -> None:
    (limit,) = [
        one
        for one in service.get("/collections/spot/tiles/WebMercatorQuad").json()["tileMatrixSetLimits"]
        if one["tileMatrix"] == "12"
    ]
    # The points lie on a diagonal: the corner beside it is empty.
    corner = f"/collections/spot/tiles/WebMercatorQuad/12/{limit['maxTileRow']}/{limit['maxTileCol']}"
    response = service.get(corner)
    assert (response.status_code, response.content) == (204, b"")
    missing = service.get("/collections/spot/tiles/WebMercatorQuad/12/0/0")
    assert missing.status_code == 404
    assert "has tiles from row" in missing.json()["detail"]


def test_bodies_are_packed_and_revalidated(service: Service) -> None:
    path = "/collections/spot/items?limit=30"
    packed = service.get(path, TOP, **{"Accept-Encoding": "gzip"})
    plain = service.get(path, TOP, **{"Accept-Encoding": "identity"})
    assert packed.headers["content-encoding"] == "gzip"
    assert "content-encoding" not in plain.headers
    assert packed.json() == plain.json()
    assert packed.headers["etag"] != plain.headers["etag"]
    assert {"Accept-Encoding", "Authorization", "Cookie"} <= {v.strip() for v in plain.headers["vary"].split(",")}
    again = service.get(path, TOP, **{"Accept-Encoding": "identity", "If-None-Match": plain.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert gzip.compress(b"x")[:2] == b"\x1f\x8b"


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/collections/none", 404),
        ("/collections/spot/items/none", 404),
        ("/collections/spot/items/%00", 404),
        ("/collections/reading/tiles", 404),
        ("/collections/spot/items?limit=0", 400),
        ("/collections/spot/items?limit=-1", 400),
        ("/collections/spot/items?limit=ten", 400),
        ("/collections/spot/items?limit=%D9%A3", 400),
        ("/collections/spot/items?limit=5&limit=6", 400),
        ("/collections/spot/items?limit=1e9", 400),
        ("/collections/spot/items?limt=5", 400),
        ("/collections/spot/items?bbox=1,2,3", 400),
        ("/collections/spot/items?bbox=0,50,10,40", 400),
        ("/collections/spot/items?bbox=-200,0,10,40", 400),
        ("/collections/spot/items?bbox=nan,0,10,40", 400),
        ("/collections/spot/items?bbox=a,b,c,d", 400),
        ("/collections/spot/items?bbox=", 400),
        ("/collections/spot/items?datetime=yesterday", 400),
        ("/collections/spot/items?datetime=2026-02-30", 400),
        ("/collections/spot/items?datetime=2026-05-01/2026-04-01", 400),
        ("/collections/spot/items?cursor=abc", 400),
        ("/collections/spot/items?cursor=99999999999999999999999", 400),
        ("/collections/spot/items?f=exe", 400),
        ("/collections/spot?lang=fr", 400),
        ("/collections/spot/tiles/WebMercatorQuad/3/8/0", 404),
        ("/collections/spot/tiles/WebMercatorQuad/30/0/0", 404),
        ("/collections/spot/tiles/WebMercatorQuad/3/-1/0", 404),
        ("/collections/spot/tiles/WebMercatorQuad/a/b/c", 404),
        ("/collections/spot/tiles/WebMercatorQuad/3/" + "9" * 400 + "/0", 404),
        ("/collections/spot/tiles/NoSuchSet/3/0/0", 404),
        ("/collections/spot/tiles/WebMercatorQuad/3/0/0?f=png", 400),
        ("/collections/spot/map/tiles/WebMercatorQuad/3/0/0", 404),
        ("/tileMatrixSets/NoSuchSet", 404),
        ("/nowhere", 404),
        ("/collections/", 404),
        ("/static/../../pyproject.toml", 404),
        ("/static/%2e%2e/%2e%2e/pyproject.toml", 404),
    ],
)
def test_bad_input_gets_a_problem(service: Service, path: str, status: int) -> None:
    response = service.get(path)
    assert response.status_code == status, response.text
    assert response.headers["content-type"].startswith("application/problem+json")
    assert valid(response.json(), schemas.PROBLEM)["status"] == status
    assert response.headers["cache-control"] == "no-store"


def test_huge_limit_is_clamped(service: Service) -> None:
    response = service.get("/collections/spot/items?limit=1000000000", TOP)
    assert response.status_code == 200
    assert response.json()["numberReturned"] == 30


def test_wrong_method_and_unacceptable_type(service: Service) -> None:
    refused = service.client.delete("/collections")
    assert (refused.status_code, refused.headers["content-type"]) == (405, "application/problem+json")
    assert "GET" in refused.headers["allow"]
    assert service.get("/collections", Accept="application/xml").status_code == 406


def test_html_twins(service: Service) -> None:
    for path in ("/", "/collections", "/collections/spot", "/collections/spot/items", "/conformance", "/api"):
        response = service.get(path, Accept="text/html,application/xhtml+xml,*/*;q=0.8")
        assert response.headers["content-type"].startswith("text/html"), path
        assert "unsafe-inline" not in response.headers["content-security-policy"].partition("style-src")[0]
        assert "<html" in response.text


@pytest.mark.parametrize("path", ["/collections/none", "/nowhere", "/collections/spot/items?bbox=1"])
def test_browsers_get_errors_as_a_page(service: Service, path: str) -> None:
    page = service.get(path, Accept="text/html,application/xhtml+xml,*/*;q=0.8")
    told = service.get(path).json()
    assert page.headers["content-type"].startswith("text/html")
    assert page.status_code == told["status"]
    assert page.headers["cache-control"] == "no-store"
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert html.escape(told["detail"].partition("'")[0]) in page.text


def test_programs_get_errors_as_problems_whatever_they_accept(service: Service) -> None:
    for accept in ("application/json", "image/png", "*/*", ""):
        response = service.get("/collections/none", Accept=accept)
        assert response.headers["content-type"] == "application/problem+json", accept


@pytest.mark.parametrize(
    ("body", "media"),
    [(b"no json", "application/json"), (b"[]", "application/json"), (b'{"bbox": [1, 2, 3, 4]}', "text/plain")],
)
def test_what_is_no_json_object_is_told_so(service: Service, body: bytes, media: str) -> None:
    response = service.client.post("/analysis/zone", content=body, headers={"Content-Type": media})
    assert response.status_code == 400
    assert "Content-Type: application/json" in response.json()["detail"]


def test_security_headers_everywhere(service: Service) -> None:
    for path in ("/", "/nowhere", "/health/live", "/collections/spot/tiles/WebMercatorQuad/0/0/0", "/static/none.js"):
        headers = service.get(path).headers
        assert headers["x-content-type-options"] == "nosniff", path
        assert headers["content-security-policy"], path
        assert "server" not in headers


def test_health(service: Service) -> None:
    assert service.get("/health/live").json() == {"status": "alive"}
    assert service.get("/health/ready").json() == {"status": "ready"}


def test_sign_in_and_out(service: Service) -> None:
    assert service.client.get("/session").json()["anonymous"] is True
    assert service.client.post("/session", json={"key": "wrong"}).status_code == 401
    assert service.client.post("/session", json={"nokey": 1}).status_code == 400
    done = service.client.post("/session", json={"key": service.keys[TOP]})
    try:
        cookie = done.headers["set-cookie"].lower()
        assert done.status_code == 204
        assert "httponly" in cookie
        assert "samesite=strict" in cookie
        assert service.client.get("/session").json()["clearance"] == "restricted"
        assert service.client.get("/collections/way").status_code == 200
    finally:
        service.client.delete("/session")
    assert service.client.get("/collections/way").status_code == 404


def test_oversized_body_is_refused(service: Service) -> None:
    body = b"x" * (service.database.settings.max_body_bytes + 1)
    announced = service.client.post("/session", content=body, headers={"Content-Type": "application/json"})
    chunked = service.client.post("/session", content=iter([body]), headers={"Content-Type": "application/json"})
    assert (announced.status_code, chunked.status_code) == (413, 413)


def test_square_is_where_the_rows_are(service: Service) -> None:
    extent = service.get("/collections/spot", TOP).json()["extent"]["spatial"]["bbox"][0]
    assert shapely.box(*extent).within(SQUARE)


def test_attribution_names_what_is_loaded() -> None:
    layer = trial_layer(
        licence={"share": "unconditional", "basis": "test", "attribution": "The Agency"},
        sources={"own": {"match": ["a.gpkg"]}, "open": {"match": ["b.gpkg"], "attribution": "© Others"}},
    )
    assert layer.crediting([]).licence.attribution == "The Agency"
    assert layer.crediting(["open"]).licence.attribution == "© Others"
    assert layer.crediting(["own", "open"]).licence.attribution == "The Agency; © Others"
