"""Jobs that are cancelled at the wrong moment: before each step of a load, at its end, twice, and by two at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import shapely
from starlette.testclient import TestClient

from geoservice.app import create_app
from geoservice.db.engine import Database
from geoservice.jobs.model import Job
from geoservice.jobs.perform import Performer
from geoservice.jobs.runner import outcome
from layers.catalog import read_catalog
from tests.contract.test_uploads import TUS, begin_headers, make_loader
from tests.support.jobs import claimed, write_layers
from tests.support.loading import prepared, write_rows
from tests.support.traces import books

SET_APART = frozenset({"load_report", "job"})
STEPS = ("reading", "the first row", "comparing", "indexing", "committing")
"""What a first load tells of, in this order."""
ROWS = 40


@dataclass
class Berth:
    """The service, and a worker that does jobs by hand."""

    client: TestClient
    database: Database
    key: str
    file: Path

    def ask(self, method: str, path: str, **more: Any) -> Any:
        return self.client.request(method, path, headers={"X-API-Key": self.key, **more.pop("headers", {})}, **more)

    def make(self, **options: Any) -> str:
        """A job of a fresh upload; its number."""
        content = self.file.read_bytes()
        begun = self.ask("POST", "/uploads", headers={**TUS, **begin_headers(len(content), "spot.gpkg")})
        place = str(begun.headers["location"]).removeprefix("http://testserver")
        part = {**TUS, "Content-Type": "application/offset+octet-stream", "Upload-Offset": "0"}
        assert self.ask("PATCH", place, content=content, headers=part).status_code == 204
        body = {"layer": "spot", "uploads": [place.rpartition("/")[2]], "options": options}
        made = self.ask("POST", "/jobs", json=body)
        assert made.status_code == 201, made.text
        return str(made.json()["jobID"])

    def work(self, hear: Callable[[Job, dict[str, Any]], None]) -> dict[str, Any]:
        """Do the next job; `hear` is told what the runner says, while it does it."""
        performer = Performer(self.database.settings, self.database)
        _, message = claimed(self.database, lambda job: outcome(performer, job.id, lambda said: hear(job, said)))
        return message

    def held(self) -> set[Path]:
        """Files of jobs, and the notes whose they are."""
        root = self.database.settings.home / "incoming"
        return set(root.iterdir()) if root.is_dir() else set()

    def state(self, number: str) -> str:
        return str(self.ask("GET", f"/jobs/{number}").json()["status"])


@pytest.fixture(scope="module")
def berth(module_database: Database, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Berth]:
    folder = tmp_path_factory.mktemp("berth")
    layers = write_layers(folder, "spot", row_clearance=None)
    catalog = read_catalog(layers)
    prepared(module_database, catalog)
    rows = [{"code": f"c{n}", "name": "n", "geometry": shapely.Point(100 + n / 100, 30)} for n in range(ROWS)]
    file = write_rows(folder / "spot.gpkg", [*rows, {"code": None, "name": "x", "geometry": shapely.Point(99, 30)}])
    settings = module_database.settings.model_copy(update={"layers_dir": layers})
    with TestClient(create_app(settings, catalog), raise_server_exceptions=False) as client:
        key = make_loader(module_database, "load")
        yield Berth(client, Database.from_settings(settings), key, file)


@pytest.mark.parametrize("phase", STEPS)
def test_before_each_step(berth: Berth, phase: str) -> None:
    """Whenever the wish comes before the commit, nothing of the load is there, and the job says so."""
    before, number, cancelled = books(berth.database, SET_APART), berth.make(), list[int]()

    def hear(_: Job, said: dict[str, Any]) -> None:
        met = said.get("phase") == phase or (phase == "the first row" and said.get("rows"))
        if met and not cancelled:
            cancelled.append(berth.ask("DELETE", f"/jobs/{number}").status_code)

    message = berth.work(hear)
    assert cancelled == [200]
    assert message == {"lost": True}
    assert berth.state(number) == "dismissed"
    assert books(berth.database, SET_APART) == before
    assert berth.ask("DELETE", f"/jobs/{number}").status_code == 409


def test_a_waiting_job_is_never_begun(berth: Berth) -> None:
    held = berth.held()
    number = berth.make()
    assert len(berth.held()) == len(held) + 2
    with ThreadPoolExecutor(8) as crowd:
        codes = sorted(crowd.map(lambda _: berth.ask("DELETE", f"/jobs/{number}").status_code, range(8)))
    assert codes == [200] + [409] * 7, "one has cancelled it, the others came too late"
    with pytest.raises(AssertionError, match="a job waits"):
        berth.work(lambda *_: None)
    assert berth.held() == held


def test_a_dry_run_leaves_its_report_alone(berth: Berth) -> None:
    before, number = books(berth.database, SET_APART), berth.make(dry_run=True)
    berth.work(lambda *_: None)
    assert berth.state(number) == "successful"
    assert books(berth.database, SET_APART) == before


def test_after_the_end_it_is_too_late(berth: Berth) -> None:
    """Negative control of the others: undisturbed, the same job loads the same file."""
    before, number = books(berth.database, SET_APART), berth.make()
    assert "done" in berth.work(lambda *_: None)
    refused = berth.ask("DELETE", f"/jobs/{number}")
    assert (refused.status_code, berth.state(number)) == (409, "successful")
    assert books(berth.database, SET_APART) != before
    assert berth.ask("GET", "/collections/spot/items").json()["numberMatched"] == ROWS
