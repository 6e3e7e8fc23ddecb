"""Quarantine and editions over HTTP: who may, what is shown, mending, giving up, replaying, taking back."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import openpyxl
import pytest
import shapely
from starlette.testclient import TestClient

from geoservice.app import create_app
from geoservice.db.engine import Database
from geoservice.jobs.model import Job
from geoservice.jobs.perform import Performer
from geoservice.jobs.runner import outcome
from geoservice.loads import quarantine as ward
from layers.access import Clearance
from layers.catalog import read_catalog
from tests.contract.test_uploads import make_loader
from tests.support.jobs import claimed, write_layers
from tests.support.loading import load_file, prepared, write_rows
from tests.support.service import Service, bad_spot, canary
from tests.support.service import make_loader as make_cleared_loader

JSON = {"Content-Type": "application/json"}


@dataclass
class Counter:
    """The application over two layers with bad rows, one of them closed; jobs are done by hand."""

    client: TestClient
    database: Database
    keys: dict[str, str]
    folder: Path

    def ask(self, method: str, path: str, who: str | None = "ann", **more: Any) -> Any:
        headers = {**more.pop("headers", {}), **({} if who is None else {"X-API-Key": self.keys[who]})}
        return self.client.request(method, path, headers=headers, **more)

    def rows(self, query: str = "") -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.ask("GET", f"/collections/spot/quarantine{query}").json()["rows"]
        return found

    def work(self) -> tuple[Job, dict[str, Any]]:
        """Do the next job as a runner does it, and conclude it as a worker does."""
        return claimed(
            self.database, lambda job: outcome(Performer(self.database.settings, self.database), job.id, print)
        )


@pytest.fixture(scope="module")
def counter(module_database: Database, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Counter]:
    folder = tmp_path_factory.mktemp("counter")
    layers = write_layers(folder, "spot", "other", row_clearance=None)
    hidden = write_layers(folder / "h", "hidden", row_clearance=None, clearance="internal")
    for file in (hidden / "themes" / "trial").iterdir():
        file.rename(layers / "themes" / "trial" / file.name)
    catalog = read_catalog(layers)
    target = prepared(module_database, catalog)
    for layer in ("spot", "other", "hidden"):
        rows = [bad(i) for i in range(6)] + [{**bad(9), "code": "good", "level": None}]
        load_file(catalog, target, layer, write_rows(folder / f"{layer}.gpkg", rows))
    keys = {
        "ann": make_loader(module_database, "load", clearance=2),
        "low": make_loader(module_database, "load", clearance=0),
        "bob": make_loader(module_database, "load:other", clearance=2),
        "eve": make_loader(module_database, clearance=2),
    }
    settings = module_database.settings.model_copy(update={"layers_dir": layers})
    database = Database.from_settings(settings)
    with TestClient(create_app(settings, catalog), raise_server_exceptions=False) as client:
        yield Counter(client, database, keys, folder)


def bad(number: int) -> dict[str, Any]:
    """A point whose level is no level."""
    point = shapely.Point(100 + number / 1e3, 30)
    return {"code": f"c{number}", "name": f"=n{number}", "level": "cosmic", "geometry": point}


@pytest.mark.parametrize(
    ("who", "layer", "status"),
    [
        ("ann", "spot", 200),
        ("ann", "hidden", 200),
        ("bob", "other", 200),
        ("bob", "spot", 403),
        ("eve", "spot", 403),
        ("low", "spot", 403),
        ("low", "hidden", 404),
        (None, "spot", 401),
        (None, "hidden", 404),
        ("ann", "nowhere", 404),
    ],
)
def test_who_may(counter: Counter, who: str | None, layer: str, status: int) -> None:
    for method, tail, body in (
        ("GET", "", None),
        ("GET", "?f=csv", None),
        ("GET", "?f=geojson", None),
        ("GET", "/1", None),
        ("PATCH", "/1", {"fields": {"level": "public"}}),
        ("POST", "/1/dismiss", {"reason": "x"}),
        ("POST", "/replay", {"ids": [1]}),
    ):
        if status == 200 and (method != "GET" or tail == "/1"):
            continue
        response = counter.ask(method, f"/collections/{layer}/quarantine{tail}", who, json=body)
        assert response.status_code == status, (method, tail, response.text)
        assert "cosmic" not in response.text or status == 200
        if status != 200:
            assert response.headers["content-type"] == "application/problem+json"
        else:
            assert response.headers["cache-control"] == "private, no-store"
    open_rows = counter.ask("GET", "/collections/spot/quarantine?limit=100").json()["numberReturned"]
    assert open_rows == 6, "nobody has changed anything"


def test_the_list_pages_and_filters(counter: Counter) -> None:
    seen, address = [], "/collections/spot/quarantine?limit=4"
    while address:
        page = counter.ask("GET", address).json()
        assert page["numberReturned"] == len(page["rows"]) <= 4
        seen += [row["row"] for row in page["rows"]]
        address = next((x["href"] for x in page["links"] if x["rel"] == "next"), "")
    assert seen == [1, 2, 3, 4, 5, 6]
    assert {row["state"] for row in counter.rows("?state=all")} == {"open"}
    assert len(counter.rows("?reason=COSMIC")) == 6
    assert counter.rows("?reason=%25") == counter.rows("?source=nothing") == counter.rows("?state=dismissed") == []
    for query in ("state=lost", "limit=0", "cursor=x", "f=html", "planet=mars", "reason=%00", "source=%00"):
        assert counter.ask("GET", f"/collections/spot/quarantine?{query}").status_code == 400, query


def test_exports_carry_all_fields_and_page(counter: Counter, monkeypatch: pytest.MonkeyPatch) -> None:
    answer = counter.ask("GET", "/collections/spot/quarantine?f=csv&limit=2")
    assert answer.headers["content-type"].startswith("text/csv")
    assert "attachment" in answer.headers["content-disposition"]
    rows = list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"))))
    assert [(r["code"], r["name"], r["level"]) for r in rows] == [(f"c{i}", f"'=n{i}", "cosmic") for i in range(2)]
    monkeypatch.setattr(ward, "MOST_BYTES", 1)
    address, places = "/collections/spot/quarantine?f=geojson", []
    while address:
        answer = counter.ask("GET", address)
        features = answer.json()["features"]
        assert len(features) <= 1
        places += [round(f["geometry"]["coordinates"][0], 6) for f in features]
        address = answer.links.get("next", {}).get("url", "")
    assert places == [round(100 + i / 1e3, 6) for i in range(6)]


def test_mended_replayed_dismissed(counter: Counter) -> None:
    path = "/collections/spot/quarantine"
    first, second, third = (row["id"] for row in counter.rows()[:3])
    shown = counter.ask("GET", f"{path}/{first}").json()
    assert (shown["fields"]["level"], shown["crs"], shown["mended"]) == ("cosmic", "EPSG:4490", None)
    point = {"type": "Point", "coordinates": [111, 31]}
    mended = counter.ask("PATCH", f"{path}/{first}", json={"fields": {"level": None}, "geometry": point})
    assert mended.status_code == 200, mended.text
    assert (mended.json()["mended"]["fields"]["level"], mended.json()["fields"]["level"]) == (None, "cosmic")
    given_up = counter.ask("POST", f"{path}/{second}/dismiss", json={"reason": "no such place"})
    assert (given_up.status_code, given_up.json()["state"], given_up.json()["remark"]) == (
        200,
        "dismissed",
        "no such place",
    )
    assert counter.ask("POST", f"{path}/{second}/dismiss", json={"reason": "again"}).status_code == 409
    assert counter.ask("PATCH", f"{path}/{second}", json={"fields": {"level": None}}).status_code == 409
    assert counter.ask("POST", f"{path}/replay", json={"ids": [second]}).status_code == 409

    made = counter.ask("POST", f"{path}/replay", json={"ids": [first, third]})
    assert (made.status_code, made.json()["processID"], made.json()["status"]) == (201, "replay", "accepted")
    counter.work()
    done = counter.ask("GET", made.headers["location"]).json()
    assert (done["status"], done["edition"] > 0) == ("successful", True), done
    assert counter.ask("GET", "/collections/spot/items/c0").json()["geometry"]["coordinates"] == [111, 31]
    assert counter.ask("GET", f"{path}/{first}").json()["state"] == "mended"
    assert counter.ask("GET", f"{path}/{third}").json()["state"] == "open", "it failed again"

    back = counter.ask("POST", f"/editions/{done['edition']}/withdraw", json={"reason": "wrong place"})
    assert (back.status_code, back.json()["processID"]) == (201, "withdrawal")
    counter.work()
    assert counter.ask("GET", back.headers["location"]).json()["status"] == "successful"
    assert counter.ask("GET", "/collections/spot/items/c0").status_code == 404
    assert counter.ask("GET", f"{path}/{first}").json()["state"] == "open"
    again = counter.ask("POST", f"/editions/{done['edition']}/withdraw", json={"reason": "twice"})
    assert (again.status_code, "withdrawn already" in again.json()["detail"]) == (409, True)


@pytest.mark.parametrize(
    ("method", "tail", "body", "status"),
    [
        ("GET", "/999", None, 404),
        ("GET", "/x", None, 404),
        ("GET", "/" + "9" * 40, None, 404),
        ("PATCH", "/{other}", {"fields": {"level": None}}, 404),
        ("POST", "/{other}/dismiss", {"reason": "x"}, 404),
        ("POST", "/replay", {"ids": [10**12]}, 404),
        ("POST", "/replay", {"ids": [10**30]}, 400),
        ("POST", "/replay", {"ids": []}, 400),
        ("POST", "/replay", {"source": "\x00"}, 400),
        ("POST", "/replay", {"source": "nothing"}, 409),
        ("PATCH", "/{own}", {"fields": {"planet": "mars"}}, 400),
        ("PATCH", "/{own}", {"fields": {"level": 1}}, 400),
        ("PATCH", "/{own}", {"geometry": "POINT (1"}, 400),
        ("PATCH", "/{own}", {"geometry": {"type": "Cube"}}, 400),
        ("PATCH", "/{own}", {"geometry": {"type": ["Point"], "coordinates": [1, 2]}}, 400),
        ("PATCH", "/{own}", {"geometry": {"type": "Polygon", "coordinates": [[[1, 2]]]}}, 400),
        ("PATCH", "/{own}", {"surprise": 1}, 400),
        ("POST", "/{own}/dismiss", {"reason": ""}, 400),
        ("POST", "/{own}/dismiss", {}, 400),
        ("POST", "/{own}/dismiss", {"reason": "\ud800"}, 400),
    ],
)
def test_bad_wishes(counter: Counter, method: str, tail: str, body: dict[str, Any] | None, status: int) -> None:
    other = counter.ask("GET", "/collections/other/quarantine").json()["rows"][0]["id"]
    own = counter.rows()[-1]["id"]
    path = f"/collections/spot/quarantine{tail.replace('{other}', str(other)).replace('{own}', str(own))}"
    content = None if body is None else json.dumps(body)
    response = counter.ask(method, path, content=content, headers=JSON)
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    assert counter.ask("GET", f"/collections/spot/quarantine/{own}").json()["mended"] is None


@pytest.mark.parametrize(
    ("who", "number", "status"), [("ann", "999", 404), ("ann", "x", 404), ("low", "hidden", 404), (None, "spot", 401),
                                  ("eve", "spot", 403), ("bob", "spot", 403)]
)  # fmt: skip
def test_who_may_not_withdraw(counter: Counter, who: str | None, number: str, status: int) -> None:
    if number in ("hidden", "spot"):
        number = counter.ask("GET", f"/collections/{number}/editions").json()["editions"][-1]["number"]
    response = counter.ask("POST", f"/editions/{number}/withdraw", who, json={"reason": "x"})
    assert response.status_code == status, response.text


def test_an_edition_under_a_later_one_is_not_withdrawn(counter: Counter) -> None:
    catalog = counter.client.app.state.house.catalog  # type: ignore[attr-defined]
    target = prepared(counter.database, catalog)
    row = {**bad(50), "level": None}
    base = load_file(catalog, target, "other", write_rows(counter.folder / "other2.gpkg", [row]))
    load_file(catalog, target, "other", write_rows(counter.folder / "other3.gpkg", [{**row, "name": "later"}]))
    response = counter.ask("POST", f"/editions/{base.edition}/withdraw", json={"reason": "x"})
    assert (response.status_code, response.json()["edition"]) == (409, base.edition)
    assert "first" in response.json()["detail"]


def test_canaries_of_quarantine_need_the_highest_clearance(service: Service) -> None:
    told = canary(Clearance.RESTRICTED, "quarantine", 0).encode()
    assert bad_spot()["code"].encode() == told
    for clearance in Clearance:
        key = make_cleared_loader(service.database, clearance)
        for tail in ("", "?f=csv", "?f=geojson", "/1", "?state=all"):
            path = f"/collections/spot/quarantine{tail}"
            response = service.client.get(path, headers={"X-API-Key": key})
            if clearance is Clearance.RESTRICTED:
                assert response.status_code == 200, "the negative control"
                assert told in response.content
            else:
                assert response.status_code == 403, path
                assert b"CNRY" not in response.content


def test_a_job_that_is_refused_at_the_desk_leaves_a_report(counter: Counter) -> None:
    body = {"layer": "spot", "source": "/nowhere/secret/spot.gpkg", "mapping": "gpkg", "options": {"owner": "county"}}
    assert counter.ask("POST", "/jobs", json=body).status_code == 422
    newest = counter.ask("GET", "/collections/spot/loads?limit=1").json()["loads"][0]
    assert (newest["outcome"], newest["source"]) == ("refused", "spot.gpkg")
    report = counter.ask("GET", f"/loads/{newest['number']}").json()
    assert "no such file" in report["problem"]["detail"]
    assert "secret" not in json.dumps(report)
    before = counter.ask("GET", "/collections/spot/loads?limit=1").json()["loads"][0]["number"]
    assert counter.ask("POST", "/jobs", "bob", json=body).status_code == 403
    assert counter.ask("POST", "/jobs", "low", json={**body, "layer": "hidden"}).status_code == 404
    assert counter.ask("GET", "/collections/spot/loads?limit=1").json()["loads"][0]["number"] == before


def test_exports_for_spreadsheets_and_maps(counter: Counter) -> None:
    path = "/collections/other/quarantine"
    book = counter.ask("GET", f"{path}?f=xlsx")
    assert book.headers["content-type"].endswith("spreadsheetml.sheet")
    assert 'filename="other-quarantine.xlsx"' in book.headers["content-disposition"]
    cells = [cell for row in openpyxl.load_workbook(io.BytesIO(book.content)).worksheets[0].values for cell in row]
    assert "'=n0" in cells
    assert not [cell for cell in cells if str(cell).startswith("=")]
    package = counter.ask("GET", f"{path}?f=gpkg&limit=2")
    assert package.headers["content-type"] == "application/geopackage+sqlite3"
    assert package.content.startswith(b"SQLite format 3")
    assert counter.ask("GET", f"{path}?f=gpkg", "low").status_code == 403
