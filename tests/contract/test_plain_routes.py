"""Requests that take the short way are answered as those that take the long one, to the byte."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import quote

import pytest
from starlette.routing import Match

from geoservice.http.plain_route import PlainRoute
from layers.access import Clearance
from tests.support.service import Service

SPOTS = "/collections/spot/items"
FILTER = quote("amount > 2 AND S_INTERSECTS(geometry, POLYGON((105 38, 105.2 38, 105.2 38.2, 105 38)))")
PLAIN = [
    SPOTS,
    f"{SPOTS}?f=json",
    f"{SPOTS}?limit=2",
    f"{SPOTS}?limit=2&bbox=105,38,105.1,38.1&f=json",
    f"{SPOTS}?limit=2&filter={FILTER}",
    f"{SPOTS}?filter-lang=cql2-text&filter={FILTER}&f=html",
    f"{SPOTS}?limit=",
    f"{SPOTS}?limit=0",
    f"{SPOTS}?sortby=-amount&properties=amount&skipGeometry=true",
    f"{SPOTS}?sortby=secret",
    f"{SPOTS}?as-of=2020-01-01T00:00:00Z",
    f"{SPOTS}?cursor=nonsense",
    f"{SPOTS}?f=csv",
    f"{SPOTS}?f=nonsense",
    "/collections/nowhere/items",
    f"{SPOTS}/{{id}}",
    f"{SPOTS}/{{id}}?f=json",
    f"{SPOTS}/{{id}}?crs=EPSG:4490&max-allowable-offset=1",
    f"{SPOTS}/no/such%20one",
    f"{SPOTS}/",
]
LONG = [
    f"{SPOTS}?lang=zh&f=html",
    f"{SPOTS}?lang=xx",
    f"{SPOTS}?nonsense=1",
    f"{SPOTS}?limit=1&limit=2",
    f"{SPOTS}?amount=3",
    f"{SPOTS}/{{id}}?nonsense=1",
    f"{SPOTS}/{{id}}?lang=xx",
    f"{SPOTS}/{{id}}?f=json&f=json",
]


def short_way(service: Service, path: str) -> bool:
    """Whether a request would take the short way."""
    place, _, query = path.partition("?")
    scope = {"type": "http", "method": "GET", "path": place, "query_string": query.encode()}
    routes = [route for route in service.client.app.router.routes if isinstance(route, PlainRoute)]
    return any(route.matches(scope)[0] is Match.FULL for route in routes)


def answer(service: Service, path: str, clearance: Clearance | None) -> tuple[int, str, dict[str, str]]:
    """Status, body and header fields; but pages have marks for their scripts that are new each time."""
    response = service.get(path, clearance)
    body, fields = response.text, {k: v for k, v in response.headers.items() if k != "date"}
    if mark := re.search("nonce-([^']+)'", fields["content-security-policy"]):
        body = body.replace(mark.group(1), "")
        for varying in ("content-security-policy", "etag", "content-length"):
            fields.pop(varying, None)
    return response.status_code, body, fields


@pytest.mark.parametrize("clearance", [None, Clearance.RESTRICTED])
@pytest.mark.parametrize("path", [*PLAIN, *LONG])
def test_both_ways_lead_to_the_same_answer(
    service: Service, monkeypatch: pytest.MonkeyPatch, path: str, clearance: Clearance | None
) -> None:
    key = service.get(f"{SPOTS}?limit=1").json()["features"][0]["id"]
    path = path.replace("{id}", quote(key, safe=""))
    assert short_way(service, path) is (path.partition("?")[2] not in {one.partition("?")[2] for one in LONG})
    shortly = answer(service, path, clearance)
    router: Any = service.client.app.router
    monkeypatch.setattr(router, "routes", [one for one in router.routes if not isinstance(one, PlainRoute)])
    assert not short_way(service, path)
    assert shortly == answer(service, path, clearance)


def test_other_methods_take_the_long_way(service: Service) -> None:
    routes = [route for route in service.client.app.router.routes if isinstance(route, PlainRoute)]
    for method in ("POST", "PUT", "DELETE", "OPTIONS", "HEAD"):
        scope = {"type": "http", "method": method, "path": SPOTS, "query_string": b""}
        assert all(route.matches(scope)[0] is Match.NONE for route in routes)


@pytest.mark.parametrize("path", [SPOTS, f"{SPOTS}/1"])
def test_a_wrong_key_is_refused_on_the_short_way(service: Service, path: str) -> None:
    assert short_way(service, path)
    assert service.client.get(path, headers={"X-API-Key": "nonsense"}).status_code == 401
