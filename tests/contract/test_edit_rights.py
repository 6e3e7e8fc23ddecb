"""Who may edit what, and what the answers to OPTIONS and to hostile requests are."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from geoservice.db.engine import Database
from geoservice.edits.desk import EditDesk
from tests.support.editing import Office, open_office, point, square

GEOJSON = {"Content-Type": "application/geo+json"}
READING = {"GET", "HEAD", "OPTIONS"}
CHANGING = READING | {"PUT", "PATCH", "DELETE"}


@pytest.fixture(scope="module")
def office(module_database: Database, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    with open_office(module_database, tmp_path_factory.mktemp("office"), edit_max_actions=20) as found:
        yield found


def allowed(office: Office, path: str, who: str | None) -> set[str]:
    answer = office.ask("OPTIONS", path, who)
    assert (answer.status_code, answer.content) == (204, b"")
    return set(answer.headers["allow"].split(", "))


@pytest.mark.parametrize(
    ("who", "layer", "may"),
    [
        ("editor", "spot", True),
        ("editor", "reading", False),
        ("clerk", "spot", True),
        ("clerk", "register", False),
        ("themed", "register", True),
        ("loader", "spot", False),
        ("reader", "spot", False),
        ("stranger", "spot", False),
        (None, "spot", False),
    ],
)
def test_options_name_what_this_principal_may_do(office: Office, who: str | None, layer: str, may: bool) -> None:
    items = f"/collections/{layer}/items"
    assert allowed(office, items, who) == (READING | {"POST"} if may else READING)
    # Whether there is the feature makes no difference: who may not see it learns nothing.
    for key in ("p0", "p2", "none"):
        assert allowed(office, f"{items}/{key}", who) == (CHANGING if may else READING)


@pytest.mark.parametrize(
    ("who", "layer", "ready"),
    [("editor", "spot", True), ("clerk", "spot", True), ("clerk", "register", False), ("reader", "spot", False)],
)
def test_whoever_may_edit_and_looks_finds_the_judge_of_edits_ready(
    office: Office, monkeypatch: pytest.MonkeyPatch, who: str, layer: str, ready: bool
) -> None:
    warmed: list[bool] = []
    monkeypatch.setattr(EditDesk, "warm", lambda _: warmed.append(True))
    for path in (f"/collections/{layer}/items?limit=1", f"/collections/{layer}/schema"):
        assert office.ask("GET", path, who).status_code == 200
    assert warmed == [True, True] * ready


def test_options_of_a_hidden_collection_are_those_of_none(office: Office) -> None:
    hidden, missing = (office.ask("OPTIONS", f"/collections/{n}/items", "clerk") for n in ("vault", "valut"))
    assert (hidden.status_code, missing.status_code) == (404, 404)
    assert hidden.text.replace("vault", "valut") == missing.text


REQUESTS: list[tuple[str, str, Any]] = [
    ("POST", "items", {"type": "Feature", "geometry": point(105, 38), "properties": {"code": "intruder"}}),
    ("PUT", "items/p0", {"type": "Feature", "geometry": point(105, 38), "properties": {"code": "p0"}}),
    ("PATCH", "items/p0", {"properties": {"name": "intruder"}}),
    ("DELETE", "items/p0", None),
]


@pytest.mark.parametrize(("method", "path", "body"), REQUESTS)
@pytest.mark.parametrize(("who", "status"), [(None, 401), ("reader", 403), ("loader", 403), ("stranger", 403)])
def test_without_the_right_nothing_happens(
    office: Office, method: str, path: str, body: Any, who: str | None, status: int
) -> None:
    before, tag = office.editions("spot"), office.get("spot", "p0").headers["etag"]
    more = {} if body is None else {"json": body}
    assert office.ask(method, f"/collections/spot/{path}", who, **more).status_code == status
    assert office.ask(method, f"/collections/vault/{path}", "clerk", **more).status_code == 404
    assert office.ask(method, f"/collections/reading/{path}", "editor", **more).status_code == 405
    assert (office.editions("spot"), office.get("spot", "p0").headers["etag"]) == (before, tag)


def test_a_transaction_needs_the_right_to_each_collection(office: Office) -> None:
    before = office.editions("field")
    actions = [
        {"action": "insert", "collection": "field", "feature": _feature("t", square(105, 38))},
        {"action": "insert", "collection": "register", "feature": _feature("t", None)},
    ]
    headers = {"Content-Type": "application/ogc-tx+json"}
    refused = office.ask("POST", "/transactions", "clerk", json={"transaction": actions}, headers=headers)
    assert refused.status_code == 403
    assert office.editions("field") == before


def _feature(code: str, geometry: Any) -> dict[str, Any]:
    return {"type": "Feature", "geometry": geometry, "properties": {"code": code}}


@pytest.mark.parametrize("media", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""])
def test_bodies_that_a_foreign_page_could_send_are_refused(office: Office, media: str) -> None:
    """A form of another site goes out with the session cookie of the portal; it can have these types, not ours."""
    body = json.dumps(_feature("form", point(105, 38)))
    headers = {"Content-Type": media} if media else {}
    refused = office.ask("POST", "/collections/spot/items", content=body, headers=headers)
    assert refused.status_code == 415
    assert office.get("spot", "form").status_code == 404


DEEP = "[" * 500 + "]" * 500
HOSTILE = [
    b"",
    b"{",
    b"[]",
    b"null",
    b'{"type": "Feature"',
    b'{"type": "Point", "coordinates": [1, 2]}',
    b'{"type": "FeatureCollection", "features": []}',
    b'{"type": "FeatureCollection", "features": {}}',
    b'{"type": "FeatureCollection", "features": [1]}',
    b'{"type": "Feature", "properties": [], "geometry": null}',
    b'{"type": "Feature", "properties": {"code": "h"}, "geometry": []}',
    b'{"type": "Feature", "properties": {"code": "h"}, "geometry": {"type": "Circle"}}',
    b'{"type": "Feature", "properties": {"code": "h"}, "geometry": {"type": "Point", "coordinates": [NaN, 1]}}',
    b'{"type": "Feature", "properties": {"code": "h"}, "geometry": {"type": "Point", "coordinates": [1e999, 1]}}',
    b'{"type": "Feature", "properties": {"code": "h"}, "geometry": {"type": "Point", "coordinates": ["1", 1]}}',
    b'{"type": "Feature", "properties": {"code": "h"}, "geometry": {"type": "Point", "coordinates": [true, 1]}}',
    b'{"type": "Feature", "properties": {"code": "h"}, "geometry": {"type": "Polygon", "coordinates": %s}}'
    % DEEP.encode(),
    ("[" * 100_000).encode(),
    b'{"type": "Feature", "properties": {"code": "\\ud800"}, "geometry": {"type": "Point", "coordinates": [1, 2]}}',
    b'\xff\xfe{"type": "Feature"}',
]


@pytest.mark.parametrize("body", HOSTILE)
def test_hostile_bodies_are_refused_clearly(office: Office, body: bytes) -> None:
    before = office.editions("spot")
    answer = office.ask("POST", "/collections/spot/items", content=body, headers=GEOJSON)
    assert answer.status_code in (400, 422), answer.text
    assert answer.json()["detail"].endswith(".")
    assert office.editions("spot") == before


@pytest.mark.parametrize(
    "geometry",
    [
        {"type": "Point", "coordinates": [1]},
        {"type": "Point", "coordinates": []},
        {"type": "Point", "coordinates": [400, 38]},
        {"type": "Point", "coordinates": [105, 91]},
        {"type": "LineString", "coordinates": [[105, 38]]},
        {"type": "GeometryCollection", "geometries": [point(105, 38)]},
        {"type": "Point"},
    ],
)
def test_geometries_that_are_none_are_refused(office: Office, geometry: dict[str, Any]) -> None:
    answer = office.create("spot", {"code": "hostile"}, geometry)
    assert answer.status_code in (400, 422), answer.text
    assert office.get("spot", "hostile").status_code == 404


@pytest.mark.parametrize("key", ["%00", "1'%20OR%201=1", "..%2f..%2f", "%252e%252e", "٣", "9" * 400])
@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
def test_hostile_ids_name_nothing(office: Office, method: str, key: str) -> None:
    before = office.editions("spot")
    more = {} if method == "DELETE" else {"json": _feature("p0", point(105, 38))}
    assert office.ask(method, f"/collections/spot/items/{key}", **more).status_code == 404
    assert office.editions("spot") == before


@pytest.mark.parametrize("crs", ["EPSG:4326", "http://127.0.0.1/crs", "<file:///etc/passwd>", "x" * 5000])
def test_a_crs_is_looked_up_and_never_resolved(office: Office, crs: str) -> None:
    answer = office.create("spot", {"code": "crs"}, point(105, 38), headers={"Content-Crs": crs})
    assert answer.status_code == 400
    assert "http://www.opengis.net/def/crs/EPSG/0/4490" in answer.json()["detail"]


def test_too_many_edits_are_refused_with_the_limit(office: Office) -> None:
    features = [_feature(f"many{i}", point(105, 38)) for i in range(21)]
    body = {"type": "FeatureCollection", "features": features}
    answer = office.ask("POST", "/collections/spot/items", json=body)
    assert (answer.status_code, answer.json()["maximum"]) == (413, 20)


def test_text_of_rows_is_text_wherever_it_is_shown(office: Office) -> None:
    evil = "</script><img src=x onerror=alert(1)>=cmd|' /C calc'!A0"
    assert office.create("spot", {"code": "evil", "name": evil}, point(105, 38)).status_code == 201
    page = office.ask("GET", "/collections/spot/items/evil?f=html").text
    assert "onerror" in page
    assert "<img src=x" not in page


def test_too_many_edits_are_counted_before_any_is_looked_at(office: Office) -> None:
    rubbish: list[dict[str, Any]] = [{"no": "action"}] * 21
    headers = {"Content-Type": "application/ogc-tx+json"}
    answer = office.ask("POST", "/transactions", json={"transaction": rubbish}, headers=headers)
    assert (answer.status_code, answer.json()["maximum"]) == (413, 20)
    answer = office.ask("POST", "/collections/spot/items", json={"type": "FeatureCollection", "features": rubbish})
    assert (answer.status_code, answer.json()["maximum"]) == (413, 20)


@pytest.mark.parametrize("who", [None, "clerk"])
def test_counts_follow_rows_that_are_closed_and_opened(office: Office, who: str | None) -> None:
    """What the list says there is, is what a crawl finds, also right after a row rose above its reader."""
    # Rows inside the extent of the others: the figures are followed, not computed anew.
    for level in ("restricted", "public", "internal"):
        changed = office.ask("PATCH", "/collections/spot/items/p3", "editor", json={"properties": {"level": level}})
        assert changed.status_code == 204, changed.text
        page = office.ask("GET", "/collections/spot/items?limit=1000", who).json()
        shown = office.ask("GET", "/collections/spot/items?limit=1", who).json()["numberMatched"]
        assert shown == page["numberReturned"] == len(page["features"])
