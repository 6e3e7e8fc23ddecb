"""Optimistic locking, requests that may be repeated, several edits as one, many writers at once, QGIS."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from psycopg import sql

from geoservice.db.credentials import Role
from geoservice.db.engine import Database
from geoservice.edits import desk as desk_module
from geoservice.edits import memo as memos
from tests.support.editing import Office, open_office, point, square
from tests.support.loading import count

TRANSACTION = {"Content-Type": "application/ogc-tx+json"}


@pytest.fixture(scope="module")
def office(module_database: Database, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    with open_office(module_database, tmp_path_factory.mktemp("office"), pool_timeout=60.0) as found:
        yield found


def feature(code: str, geometry: Any = None, **properties: Any) -> dict[str, Any]:
    return {"type": "Feature", "geometry": geometry or point(105, 38), "properties": {"code": code, **properties}}


def transact(office: Office, *actions: dict[str, Any], who: str = "editor", **headers: str) -> Any:
    body = {"semantic": "atomic", "transaction": list(actions)}
    return office.ask("POST", "/transactions", who, json=body, headers={**TRANSACTION, **headers})


def test_a_version_is_the_same_in_every_encoding(office: Office) -> None:
    """Each representation has an entity tag of its own; a condition asks for the version in it."""
    path = "/collections/spot/items/p0"
    forms = [
        office.ask("GET", path, headers={"Accept-Encoding": "identity"}),
        office.ask("GET", path, headers={"Accept-Encoding": "gzip"}),
        office.ask("GET", f"{path}?f=html"),
        office.ask("GET", path, "clerk"),
    ]
    tags = [form.headers["etag"] for form in forms]
    assert len(set(tags)) >= 3
    for number, tag in enumerate(tags):
        done = office.ask("PATCH", path, json={"properties": {"amount": 50 + number}}, headers={"If-Match": tag})
        assert done.status_code == (204 if number == 0 else 412), done.text
    fresh = office.get("spot", "p0").headers["etag"]
    listed = f'"1-abc", {fresh}, W/"7"'
    assert office.ask("DELETE", path, headers={"If-Match": listed}).status_code == 204


@pytest.mark.parametrize(
    ("field", "value", "status"),
    [
        ("If-Match", '"999999999"', 412),
        ("If-Match", "nonsense", 412),
        ("If-Match", 'W/"{tag}"', 412),
        ("If-Match", '"{tag}"', 204),
        ("If-Match", "*", 204),
        ("If-Unmodified-Since", "Sat, 01 Jan 2000 00:00:00 GMT", 412),
        ("If-Unmodified-Since", "Fri, 01 Jan 2100 00:00:00 GMT", 204),
        ("If-Unmodified-Since", "yesterday", 400),
    ],
)
def test_conditions(office: Office, field: str, value: str, status: int) -> None:
    path = "/collections/spot/items/p3"
    version = office.get("spot", "p3").headers["geoservice-version"]
    before = office.editions("spot")
    done = office.ask(
        "PATCH", path, json={"properties": {"amount": 60.5 + before}}, headers={field: value.replace("{tag}", version)}
    )
    assert done.status_code == status, done.text
    assert office.editions("spot") == before + (status == 204)


def test_versions_can_be_required(module_database: Database, tmp_path: Path) -> None:
    with open_office(module_database, tmp_path, edit_version_required=True) as strict:
        path = "/collections/spot/items/p6"
        for method in ("PUT", "PATCH", "DELETE"):
            more = {} if method == "DELETE" else {"json": feature("p6")}
            assert strict.ask(method, path, **more).status_code == 428
        refused = transact(strict, {"action": "delete", "collection": "spot", "id": "p6"})
        assert refused.status_code == 428
        version = {"If-Match": strict.get("spot", "p6").headers["etag"]}
        assert strict.ask("PATCH", path, json={"properties": {"amount": 61}}, headers=version).status_code == 204


def test_a_repeated_request_has_its_effect_once(office: Office) -> None:
    headers = {"Idempotency-Key": '"order-1"'}
    body = feature("once", amount=1)
    first = office.ask("POST", "/collections/spot/items", json=body, headers=headers)
    again = [office.ask("POST", "/collections/spot/items", json=body, headers=headers) for _ in range(3)]
    assert first.status_code == 201
    assert {a.status_code for a in again} == {201}
    assert {a.headers["location"] for a in again} == {first.headers["location"]}
    assert {a.headers["etag"] for a in again} == {first.headers["etag"]}
    assert {a.headers["idempotent-replayed"] for a in again} == {"true"}
    other = office.ask("POST", "/collections/spot/items", json=feature("twice"), headers=headers)
    assert other.status_code == 422
    elsewhere = office.ask("POST", "/collections/field/items", json=body, headers=headers)
    assert (elsewhere.status_code, elsewhere.json()["title"]) == (422, other.json()["title"])
    assert count(office.database, "geo.spot", "key = 'twice'") == 0
    # The key of one principal is nothing to another; and without a key the second request is another one.
    assert office.ask("POST", "/collections/spot/items", "themed", json=body, headers=headers).status_code == 409
    assert office.ask("POST", "/collections/spot/items", json=body).status_code == 409


def test_a_refused_request_may_be_mended_under_its_key(office: Office) -> None:
    headers = {"Idempotency-Key": "order-2"}
    bad = office.ask("POST", "/collections/field/items", json=feature("k", point(1, 1)), headers=headers)
    good = office.ask("POST", "/collections/field/items", json=feature("k", square(105, 38)), headers=headers)
    assert (bad.status_code, good.status_code) == (422, 201)


def test_the_same_key_at_the_same_time_is_a_conflict(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    inside, go_on = threading.Event(), threading.Event()
    real = desk_module.EditDesk.apply

    def slow(*given: Any) -> Any:
        inside.set()
        assert go_on.wait(30)
        return real(*given)

    monkeypatch.setattr(desk_module.EditDesk, "apply", slow)
    headers = {"Idempotency-Key": "order-3"}
    with ThreadPoolExecutor(1) as pool:
        body = feature("busy")
        first = pool.submit(office.ask, "POST", "/collections/spot/items", json=body, headers=headers)
        assert inside.wait(30)
        second = office.ask("POST", "/collections/spot/items", json=body, headers=headers)
        go_on.set()
        assert first.result().status_code == 201
    assert second.status_code == 409
    assert second.json()["title"] == "Request is under way"


def test_answers_are_forgotten_in_time(office: Office) -> None:
    headers = {"Idempotency-Key": "order-4"}
    assert office.ask("POST", "/collections/spot/items", json=feature("old"), headers=headers).status_code == 201
    with office.database.transaction(Role.WRITER) as connection:
        assert memos.sweep(connection, hours=1) == 0
        connection.exec_driver_sql("UPDATE meta.request_memo SET created = now() - interval '2 days'")
        assert memos.sweep(connection, hours=24) >= 1
    assert office.ask("POST", "/collections/spot/items", json=feature("old"), headers=headers).status_code == 409


def test_a_collection_of_features_is_one_edition(office: Office) -> None:
    before = office.editions("field")
    features = [feature(f"c{i}", square(105 + i / 10, 38)) for i in range(5)]
    made = office.ask("POST", "/collections/field/items", json={"type": "FeatureCollection", "features": features})
    assert made.status_code == 201
    assert [r["id"] for r in made.json()["results"]] == [f"c{i}" for i in range(5)]
    assert office.editions("field") == before + 1
    features = [feature(f"d{i}", square(105 + i / 10, 38) if i != 3 else point(1, 1)) for i in range(5)]
    bad = office.ask("POST", "/collections/field/items", json={"type": "FeatureCollection", "features": features})
    assert bad.status_code == 422
    assert [f["action"] for f in bad.json()["findings"]] == [3]
    assert count(office.database, "geo.field", "key LIKE 'd%'") == 0
    assert office.editions("field") == before + 1


def test_a_transaction_is_all_or_nothing_over_collections(office: Office) -> None:
    office.create("register", {"code": "r1", "amount": 1})
    before = office.editions("register"), office.editions("field")
    actions = (
        {"action": "insert", "collection": "field", "feature": feature("tx", square(105.5, 38))},
        {"action": "update", "collection": "register", "id": "r1", "feature": {"properties": {"amount": 2}}},
        {"action": "delete", "collection": "register", "id": "absent"},
    )
    missing = transact(office, *actions)
    assert (missing.status_code, missing.json()["action"]) == (404, 2)
    assert (office.editions("register"), office.editions("field")) == before
    assert office.get("field", "tx").status_code == 404
    done = transact(office, *actions[:2])
    assert done.status_code == 200, done.text
    assert done.json()["summary"] == {"insert": 1, "replace": 0, "update": 1, "delete": 0}
    assert set(done.json()["editions"]) == {"field", "register"}
    assert office.get("register", "r1").json()["properties"]["amount"] == 2
    stale = {"action": "delete", "collection": "register", "id": "r1", "ifMatch": '"1"'}
    assert transact(office, stale).status_code == 412
    twice = {"action": "update", "collection": "register", "id": "r1", "feature": {"properties": {"amount": 3}}}
    assert transact(office, twice, twice).json()["findings"][0]["rule"] == "once"


@pytest.mark.parametrize(
    "action",
    [
        {"action": "upsert", "collection": "field"},
        {"action": "insert", "collection": "field", "id": "x", "feature": {}},
        {"action": "delete", "collection": "field"},
        {"action": "delete", "collection": "field", "id": "x", "feature": {}},
        {"action": "update", "collection": "field", "id": "x"},
        {"action": "delete", "collection": "field", "id": "x", "filter": "1=1"},
    ],
)
def test_malformed_actions_are_named(office: Office, action: dict[str, Any]) -> None:
    answer = transact(office, action)
    assert answer.status_code == 400
    assert answer.json()["title"] == "Invalid request body"


def test_of_many_writers_with_one_version_one_succeeds(office: Office) -> None:
    # None of the writers asks for this amount: an edit that changes nothing makes no version.
    office.create("register", {"code": "race", "amount": 99})
    version = {"If-Match": office.get("register", "race").headers["etag"]}
    path = "/collections/register/items/race"

    def write(number: int) -> int:
        method = ("PATCH", "PUT", "DELETE")[number % 3]
        more: dict[str, Any] = {"json": {"properties": {"amount": number}}} if method == "PATCH" else {}
        if method == "PUT":
            more = {"json": {"type": "Feature", "geometry": None, "properties": {"code": "race", "amount": number}}}
        return int(office.ask(method, path, headers=version, **more).status_code)

    with ThreadPoolExecutor(8) as pool:
        # From 1: to write the 0 that is there changes nothing, and leaves the version as it is.
        answers = list(pool.map(write, range(1, 21)))
    assert answers.count(204) == 1, answers
    # Who comes after a deletion finds no feature instead of another version.
    assert set(answers) - {204} in ({412}, {404})


def test_no_update_is_lost_and_history_is_serial(office: Office) -> None:
    """Each writer reads, adds to what it read under a condition, and tries again: in the end all have been counted."""
    office.create("register", {"code": "sum", "amount": 0})
    path, writers, each = "/collections/register/items/sum", 6, 4

    def add(_: int) -> None:
        for _ in range(each):
            status = 0
            while status != 204:
                found = office.get("register", "sum")
                patch = {"properties": {"amount": found.json()["properties"]["amount"] + 1}}
                tag = {"If-Match": found.headers["etag"]}
                status = office.ask("PATCH", path, json=patch, headers=tag).status_code
                assert status in (204, 412)

    with ThreadPoolExecutor(writers) as pool:
        list(pool.map(add, range(writers)))
    assert office.get("register", "sum").json()["properties"]["amount"] == writers * each
    with office.database.psycopg(Role.WRITER) as connection:
        query = sql.SQL("SELECT amount, _valid_from, {} FROM {} WHERE key = 'sum'")
        hist, geo = sql.Identifier("hist", "register"), sql.Identifier("geo", "register")
        past = connection.execute(query.format(sql.Identifier("_valid_to"), hist)).fetchall()
        now = connection.execute(query.format(sql.NULL, geo)).fetchall()
    versions = sorted([*past, *now], key=lambda row: row[1])
    assert [amount for amount, _, _ in versions] == list(range(writers * each + 1))
    assert [end for _, _, end in versions[:-1]] == [begin for _, begin, _ in versions[1:]]


def test_qgis_edits_as_it_does(office: Office) -> None:
    """The requests of QGIS 3.40's OAPIF provider: OPTIONS twice, POST, PATCH twice, PUT, DELETE."""
    items = "/collections/field/items"
    crs = {"Content-Crs": "<http://www.opengis.net/def/crs/OGC/1.3/CRS84>"}
    assert "POST" in office.ask("OPTIONS", items).headers["allow"]
    assert {"PUT", "PATCH", "DELETE"} <= set(office.ask("OPTIONS", f"{items}/unknown").headers["allow"].split(", "))
    drawn = {
        "type": "Feature",
        "geometry": {"type": "Polygon", "coordinates": [[[105.6, 38.0], [105.7, 38.0], [105.7, 38.1], [105.6, 38.0]]]},
        "properties": {"code": "qgis", "name": "新建", "amount": None, "spot": None},
    }
    made = office.ask("POST", items, json=drawn, headers={**crs, "Content-Type": "application/geo+json"})
    assert made.status_code == 201
    key = made.headers["location"].rpartition("/items/")[2]
    merge = {"Content-Type": "application/merge-patch+json"}
    assert office.ask("PATCH", f"{items}/{key}", json={"properties": {"amount": 3.5}}, headers=merge).status_code < 300
    moved = {"geometry": square(105.6, 38.0, 0.05)}
    assert office.ask("PATCH", f"{items}/{key}", json=moved, headers={**crs, **merge}).status_code < 300
    whole = {**drawn, "id": key, "bbox": [0, 0, 1, 1]}
    assert office.ask("PUT", f"{items}/{key}", json=whole, headers=crs).status_code < 300
    assert office.get("field", key).json()["properties"] == drawn["properties"]
    assert office.ask("DELETE", f"{items}/{key}").status_code < 300
    assert office.get("field", key).status_code == 404
