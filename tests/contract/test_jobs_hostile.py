"""Wishes for jobs that mean harm: answered as HTTP says; and what the loader of a file learns of it."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from geoservice.app import create_app
from geoservice.db.credentials import Role
from geoservice.db.engine import Database
from geoservice.jobs import queue
from geoservice.jobs.model import JobRequest, Progress
from ingest.delivery import Delivery, deliver
from ingest.job import LoadOptions
from layers.access import Clearance
from layers.catalog import Catalog
from layers.errors import CrsRefused, SourceError
from tests.contract.test_uploads import make_loader
from tests.support.dock import listening
from tests.support.loading import prepared, trial_catalog, trial_layer, write_rows
from tests.support.service import canary, spot_rows
from tests.support.service import make_loader as _cleared

ROWS = 31
TOLD = canary(Clearance.PUBLIC, "finding", 0)
"""A value that only the full view of a report tells."""
LONG = "a" * 300


@dataclass
class Desk:
    """The service with two loaders, and a folder from which jobs may load."""

    client: TestClient
    database: Database
    catalog: Catalog
    folder: Path
    keys: dict[str, str]

    def ask(self, method: str, path: str, who: str, **more: Any) -> Any:
        headers = {"X-API-Key": self.keys[who], **more.pop("headers", {})}
        return self.client.request(method, path, headers=headers, **more)

    def wish(self, **body: Any) -> Any:
        text = json.dumps({"layer": "trial", **body})
        return self.ask("POST", "/jobs", "low", content=text, headers={"Content-Type": "application/json"})


@pytest.fixture(scope="module")
def desk(module_database: Database) -> Iterator[Desk]:
    catalog = trial_catalog(trial_layer())
    prepared(module_database, catalog)
    with tempfile.TemporaryDirectory() as directory:
        folder = Path(directory).resolve()
        odd = {**spot_rows(1)[0], "code": "odd", "seen": TOLD}
        write_rows(folder / "trial.gpkg", [*spot_rows(ROWS - 1), odd])
        (folder / "loop").symlink_to(folder / "loop")
        settings = module_database.settings.model_copy(
            update={"source_folders": (folder,), "remote_hosts": ("geo.example",)}
        )
        keys = {"low": make_loader(module_database, "load"), "high": _cleared(module_database, Clearance.RESTRICTED)}
        with TestClient(create_app(settings, catalog), raise_server_exceptions=False) as client:
            yield Desk(client, module_database, catalog, folder, keys)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"options": {"owner": "a\0b"}}, 400),
        ({"options": {"owner": "\ud800"}}, 400),
        ({"options": {"owner": "a\nb"}}, 400),
        ({"options": {"owner": "x" * 201}}, 400),
        ({"source": "{folder}/a\0b.gpkg"}, 400),
        ({"source": f"{{folder}}/{LONG}.gpkg"}, 422),
        ({"source": "{folder}/loop"}, 422),
        ({"source": "{folder}/loop/x.gpkg"}, 422),
        ({"source": "{folder}/trial.gpkg/x"}, 422),
        ({"source": "https://geo.example/\0"}, 400),
        ({"source": "https://geo.example/\r\nHost: x"}, 400),
        ({"source": "https://geo.example/x", "mapping": "m\0"}, 400),
        ({"source": "{folder}/none.gpkg", "mapping": "m\0"}, 400),
        ({"source": "{folder}/none.gpkg", "mapping": "\ud800"}, 400),
        ({"source": "https://geo.example/x", "mapping": "nonsense"}, 422),
        ({"source": "https://geo.example/x", "options": {"owner": "\0"}}, 400),
        ({"source": "https://[::1/x"}, 403),
        ({"source": "https://geo.example:99999999/x"}, 403),
        ({"source": "https://user:word@geo.example/x"}, 403),
        ({"source": "http://127.0.0.1/x"}, 403),
        ({"source": "http://127.1/x"}, 403),
        ({"source": "http://2130706433/x"}, 403),
        ({"source": "http://[::ffff:127.0.0.1]/x"}, 403),
        ({"source": "HTTP://LOCALHOST./x"}, 403),
        ({"source": "http://geo.example.attacker.example/x"}, 403),
    ],
)
def test_a_wish_that_means_harm_is_refused_at_the_desk(desk: Desk, body: dict[str, Any], status: int) -> None:
    source = str(body.get("source", "{folder}/trial.gpkg")).replace("{folder}", str(desk.folder))
    response = desk.wish(**{**body, "source": source})
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    assert desk.ask("GET", "/jobs", "low").json()["numberReturned"] == 0


@pytest.mark.parametrize(
    "crs",
    [
        "http://127.0.0.1:{port}/x",
        "+init=http://127.0.0.1:{port}/x:1",
        "+proj=longlat +nadgrids=/etc/passwd",
        "+init=/etc/passwd:root",
        "urn:ogc:def:crs:EPSG::99999999",
        "a\0b",
        "\ud800",
        "x" * 201,
        "'; SELECT 1",
    ],
)
def test_a_crs_that_means_harm_is_fetched_by_nobody(desk: Desk, crs: str) -> None:
    """Refused at the desk, or by the confined reader: no address is asked, no file is quoted, nothing is loaded."""
    with listening() as (port, heard):
        said = crs.replace("{port}", str(port))
        response = desk.wish(source=str(desk.folder / "trial.gpkg"), options={"crs": said, "dry_run": True})
        assert response.status_code in (201, 400, 422), response.text
        if response.status_code == 201:
            number = int(response.json()["jobID"])
            with desk.database.transaction(Role.WRITER) as connection:
                job = queue.get(connection, number)
            target = prepared(desk.database, desk.catalog)
            options = LoadOptions(crs=said, dry_run=True)
            with pytest.raises((CrsRefused, SourceError)) as refused:
                deliver(desk.catalog, target, Delivery("trial", Path(job.place["path"]), "gpkg", options))
            assert "root:" not in refused.value.detail
            assert desk.ask("DELETE", f"/jobs/{number}", "low").status_code == 200
    assert heard == []


def put(desk: Desk, place: dict[str, Any]) -> int:
    """A job of the lower loader that has been begun, and has read all rows."""
    request = JobRequest("trial", desk.keys["low"].split("_")[1], "api", "trial.gpkg", place, "gpkg")
    with desk.database.transaction(Role.WRITER) as connection:
        queue.submit(connection, request)
        job = queue.claim(connection)
        assert job is not None
        assert queue.beat(connection, job, Progress("checking", ROWS, ROWS))
    return job.id


def carry_out(desk: Desk, number: int) -> str:
    """Load the file as a dry run of the job; the address of the report."""
    with desk.database.transaction(Role.WRITER) as connection:
        job = queue.get(connection, number)
    target = prepared(desk.database, desk.catalog)
    options = LoadOptions(dry_run=True, job=number, attempt=job.attempts)
    delivery = Delivery("trial", desk.folder / "trial.gpkg", "gpkg", options)
    return f"/loads/{deliver(desk.catalog, target, delivery, principal=job.principal).load}"


@pytest.mark.parametrize(("kind", "sees"), [("uploaded", True), ("named", False), ("remote", False)])
def test_only_who_brought_a_file_sees_all_that_it_holds(desk: Desk, kind: str, sees: bool) -> None:
    """A loader below the rows of a file may have the server load it, and learns nothing of what it holds."""
    places = {
        "uploaded": {"folder": "f", "file": "trial.gpkg"},
        "named": {"path": str(desk.folder / "trial.gpkg")},
        "remote": {"remote": "https://geo.example/collections/trial"},
    }
    number = put(desk, places[kind])
    for who, told in (("low", sees), ("high", True)):
        listed = desk.ask("GET", "/jobs", who).json()["jobs"][0]
        for body in (listed, desk.ask("GET", f"/jobs/{number}", who).json()):
            assert (body["jobID"], body.get("rows")) == (str(number), ROWS if told else None)
            assert (str(ROWS) in body["message"]) is told
    report = carry_out(desk, number)
    for page in ("json", "html"):
        assert (TOLD in desk.ask("GET", f"{report}?f={page}", "low").text) is sees, page
        assert TOLD in desk.ask("GET", f"{report}?f={page}", "high").text, page
    assert (desk.ask("GET", report, "low").json()["counts"] is not None) is sees
    entries = desk.ask("GET", "/collections/trial/loads", "low").json()["loads"]
    assert (entries[0]["counts"] is not None) is sees
    events = desk.ask("GET", f"/jobs/{number}/events", "low").text
    assert events
    assert (f"-{ROWS}\n" in events and f'"rows":{ROWS}' in events) is sees
