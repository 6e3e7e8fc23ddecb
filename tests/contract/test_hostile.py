"""Requests that mean harm, or merely surprise: answered as HTTP says, never with a fault of ours."""

from __future__ import annotations

import pytest

from layers.access import Clearance
from tests.support.service import Service

PAGES = ("/", "/collections", "/collections/spot/items", "/portal", "/health/live", "/static/portal/main.js")
HALF = '{"\\ud800": 1}'
JSON = {"Content-Type": "application/json"}


@pytest.mark.parametrize("path", PAGES)
def test_head_is_get_without_the_body(service: Service, path: str) -> None:
    head, get = service.client.head(path), service.client.get(path)
    assert (head.status_code, get.status_code) == (200, 200)
    assert head.content == b""
    assert head.headers["content-type"] == get.headers["content-type"]
    # A page with a nonce of its own is packed into a few bytes more or less each time.
    near = 64 if path == "/portal" else 0
    assert abs(int(head.headers["content-length"]) - int(get.headers["content-length"])) <= near
    assert head.headers.get("etag") == get.headers.get("etag")


def test_head_of_what_is_missing_has_no_body(service: Service) -> None:
    response = service.client.head("/collections/nothing")
    assert (response.status_code, response.content) == (404, b"")


@pytest.mark.parametrize(
    ("path", "methods"),
    [
        ("/collections", "GET, HEAD, OPTIONS"),
        ("/session", "DELETE, GET, HEAD, OPTIONS, POST"),
        ("/analysis/zone", "OPTIONS, POST"),
    ],
)
def test_options_and_refusals_tell_the_methods(service: Service, path: str, methods: str) -> None:
    options, refused = service.client.options(path), service.client.put(path)
    assert (options.status_code, options.headers["allow"], options.content) == (204, methods, b"")
    assert (refused.status_code, refused.headers["allow"]) == (405, methods)
    assert "access-control-allow-origin" not in options.headers


@pytest.mark.parametrize("path", ["/analysis/zone", "/session"])
def test_half_a_character_is_refused(service: Service, path: str) -> None:
    response = service.client.post(path, content=HALF, headers=JSON)
    assert response.status_code == 400
    assert response.json()["status"] == 400


@pytest.mark.parametrize("body", ["[" * 100_000, '{"bbox": [' + "9" * 5000 + ",0,1,1]}", b'{"adcode": "\xff"}', "{"])
def test_bodies_that_are_no_json(service: Service, body: str | bytes) -> None:
    response = service.client.post("/analysis/zone", content=body, headers=JSON)
    assert response.status_code == 400
    assert "expected" in response.json()["detail"] or "JSON" in response.json()["detail"]


def test_what_is_made_for_somebody_stays_out_of_shared_caches(service: Service) -> None:
    for path in ("/collections", "/collections/spot", "/collections/spot/items", "/collections/spot/schema"):
        personal = service.get(path, Clearance.RESTRICTED)
        assert "private" in personal.headers["cache-control"], path
        assert "private" not in service.get(path).headers["cache-control"], path


def test_a_dead_session_is_taken_back(service: Service) -> None:
    response = service.client.get("/portal", headers={"Cookie": "geoservice_session=gs_dead"})
    assert response.status_code == 401
    assert 'geoservice_session=""' in response.headers["set-cookie"]
    assert "Max-Age=0" in response.headers["set-cookie"]
    for headers in ({"X-API-Key": "gs_dead"}, {"X-API-Key": "gs_dead", "Cookie": "geoservice_session=other"}):
        assert "set-cookie" not in service.client.get("/portal", headers=headers).headers


def test_a_format_that_is_excluded_is_not_sent(service: Service) -> None:
    response = service.get("/collections", Accept="application/json;q=0, */*")
    assert response.headers["content-type"].startswith("text/html")
    assert service.get("/collections", Accept="application/json;q=0, text/html;q=0, */*").status_code == 406
