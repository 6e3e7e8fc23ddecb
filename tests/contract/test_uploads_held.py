"""Uploads that jobs have taken over: whose they stay, how long, and what happens when they go at the wrong moment."""

from __future__ import annotations

import datetime as dt
import errno
import json
import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from starlette.testclient import TestClient

from geoservice.app import create_app
from geoservice.db.credentials import Role
from geoservice.db.engine import Database
from geoservice.jobs import incoming, queue
from geoservice.jobs import uploads as store_module
from geoservice.jobs.incoming import held, take_over
from geoservice.jobs.leader import Leader
from geoservice.jobs.model import Job
from geoservice.jobs.uploads import UploadStore
from geoservice.jobs.worker import Slot
from geoservice.settings import Settings
from layers.errors import UnknownResource
from tests.contract.test_uploads import PART, TUS, begin_headers, make_loader
from tests.support.jobs import job as job_of
from tests.support.loading import prepared, trial_catalog, trial_layer

SIZE, QUOTA = 400, 1000


@dataclass
class Dock:
    """The service with a small quota, and nobody who does the jobs."""

    client: TestClient
    database: Database
    settings: Settings
    key: str

    @property
    def owner(self) -> str:
        return self.key.split("_")[1]

    @property
    def folders(self) -> list[str]:
        root = self.settings.home / "incoming"
        return sorted(place.name for place in root.iterdir()) if root.is_dir() else []

    def send(self, method: str, path: str, **more: Any) -> Any:
        headers = {**TUS, "X-API-Key": self.key, **more.pop("headers", {})}
        return self.client.request(method, path, headers=headers, **more)

    def begin(self, length: int = SIZE) -> Any:
        return self.send("POST", "/uploads", headers=begin_headers(length, "trial.gpkg"))

    def upload(self) -> str:
        begun = self.begin()
        assert begun.status_code == 201, begun.text
        place = str(begun.headers["location"]).removeprefix("http://testserver")
        sent = self.send("PATCH", place, content=b"x" * SIZE, headers={**PART, "Upload-Offset": "0"})
        assert sent.status_code == 204
        return place.rpartition("/")[2]

    def make(self, *uploads: str) -> Any:
        text = json.dumps({"layer": "trial", "uploads": uploads})
        return self.send("POST", "/jobs", content=text, headers={"Content-Type": "application/json"})

    def job(self) -> int:
        made = self.make(self.upload())
        assert made.status_code == 201, made.text
        return int(made.json()["jobID"])

    def set(self, number: int, **values: Any) -> None:
        with self.database.transaction(Role.WRITER) as connection:
            connection.execute(sa.update(queue.table).where(queue.table.c.id == number).values(**values))


@pytest.fixture(scope="module")
def client(module_database: Database) -> Iterator[TestClient]:
    catalog = trial_catalog(trial_layer())
    prepared(module_database, catalog)
    settings = module_database.settings.model_copy(update={"upload_quota_bytes": QUOTA})
    with TestClient(create_app(settings, catalog), raise_server_exceptions=False) as client:
        yield client


@pytest.fixture
def dock(client: TestClient, module_database: Database) -> Iterator[Dock]:
    """A loader of their own for each test; the jobs of others are over."""
    settings = module_database.settings.model_copy(update={"upload_quota_bytes": QUOTA})
    yield Dock(client, module_database, settings, make_loader(module_database, "load"))
    with module_database.transaction(Role.WRITER) as connection:
        connection.execute(sa.delete(queue.table))
    incoming.sweep_incoming(settings, set(), -1.0)


def test_a_queue_of_jobs_is_no_way_around_the_quota(dock: Dock) -> None:
    jobs = [dock.job(), dock.job()]
    assert held(dock.settings, dock.owner) == 2 * SIZE
    refused = dock.begin()
    assert (refused.status_code, refused.headers["content-type"]) == (413, "application/problem+json")
    assert str(2 * SIZE) in refused.json()["detail"]
    dock.set(jobs[0], state="running", attempts=1)
    assert dock.begin().status_code == 413, "a job at work holds its files too"
    gone = dock.send("DELETE", f"/jobs/{jobs[1]}")
    assert gone.json()["status"] == "dismissed"
    assert dock.begin().status_code == 201


def test_each_has_a_quota_of_their_own(dock: Dock) -> None:
    dock.job()
    dock.job()
    other = make_loader(dock.database, "load")
    headers = {**TUS, **begin_headers(SIZE, "trial.gpkg"), "X-API-Key": other}
    assert dock.client.post("/uploads", headers=headers).status_code == 201


def test_a_job_that_is_done_frees_its_bytes(dock: Dock) -> None:
    number = dock.job()
    stop = threading.Event()
    slot = Slot(dock.database, stop)
    for state, left in (("failed", SIZE), ("done", 0)):
        dock.set(number, state=state)
        slot._discard(job_of(dock.database, number))
        assert held(dock.settings, dock.owner) == left, state
    assert dock.folders == []


def test_an_orphan_that_was_cancelled_leaves_nothing(dock: Dock) -> None:
    """Its worker was killed after somebody had cancelled it: whoever finds it cleans up."""
    number = dock.job()
    dock.set(number, state="running", attempts=1, cancel=True)
    Slot(dock.database, threading.Event())._recover()
    assert job_of(dock.database, number).state == "cancelled"
    assert dock.folders == []


def test_the_sweep_keeps_what_is_needed(dock: Dock) -> None:
    numbers = {state: dock.job() for state in ("queued", "running")}
    for state, number in numbers.items():
        dock.set(number, state=state)
    big = Dock(dock.client, dock.database, dock.settings, make_loader(dock.database, "load"))
    now = dt.datetime.now(dt.UTC)
    fresh, stale = big.job(), big.job()
    big.set(fresh, state="failed", finished=now)
    big.set(stale, state="failed", finished=now - dt.timedelta(hours=25))
    late = Dock(dock.client, dock.database, dock.settings, make_loader(dock.database, "load"))
    done = late.job()
    late.set(done, state="done", finished=now)
    folders = {n: str(job_of(dock.database, n).place["folder"]) for n in (*numbers.values(), fresh, stale, done)}
    old = now.timestamp() - 7200
    for folder in folders.values():
        os.utime(dock.settings.home / "incoming" / folder, (old, old))
    Leader(dock.database, threading.Event())._sweep()
    kept = {folders[n] for n in (*numbers.values(), fresh)}
    assert {name.removesuffix(".owner") for name in dock.folders} == kept


@pytest.mark.parametrize("when", ["forgotten", "expired"])
def test_an_upload_that_goes_while_its_job_is_made(dock: Dock, monkeypatch: pytest.MonkeyPatch, when: str) -> None:
    """Between looking an upload up and taking it over another request forgets it, or its time is up."""
    first, second = dock.upload(), dock.upload()
    real = take_over

    def slow(settings: Settings, owner: str, files: dict[str, Path]) -> str:
        if when == "forgotten":
            assert dock.send("DELETE", f"/uploads/{second}").status_code == 204
        else:
            info = dock.settings.home / "uploads" / second / "info.json"
            info.write_text(json.dumps({**json.loads(info.read_text()), "expires": 0}))
            assert UploadStore(dock.settings).sweep() == 1
        return real(settings, owner, files)

    monkeypatch.setattr(incoming, "take_over", slow)
    monkeypatch.setattr(store_module, "main_file", lambda names: names[0])
    refused = dock.make(second)
    assert (refused.status_code, refused.headers["content-type"]) == (404, "application/problem+json")
    assert second in refused.json()["detail"]
    assert dock.folders == [], "nothing of the job that was not made stays"
    assert dock.send("GET", f"/uploads/{first}").status_code == 200


def test_two_jobs_of_one_upload_at_once(dock: Dock) -> None:
    """Each has files of its own; the upload goes once."""
    store, upload = UploadStore(dock.settings), dock.upload()
    places = [store.gather(dock.owner, [upload]) for _ in range(2)]
    store.drop(dock.owner, [upload])
    store.drop(dock.owner, [upload])
    assert len({place["folder"] for place in places}) == 2
    for place in places:
        file = dock.settings.home / "incoming" / place["folder"] / place["file"]
        assert file.read_bytes() == b"x" * SIZE
    with pytest.raises(UnknownResource):
        store.gather(dock.owner, [upload])


@pytest.mark.parametrize("call", ["mkdir", "link"])
def test_a_disk_that_is_full_when_a_job_is_made(dock: Dock, monkeypatch: pytest.MonkeyPatch, call: str) -> None:
    upload = dock.upload()

    def fails(*_: Any, **__: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(*((Path, "mkdir") if call == "mkdir" else (incoming.os, "link")), fails)
    refused = dock.make(upload)
    monkeypatch.undo()
    assert (refused.status_code, refused.headers["content-type"]) == (507, "application/problem+json")
    assert dock.folders == []
    assert dock.make(upload).status_code == 201, "the upload is still there"


@pytest.mark.parametrize("call", ["write", "fsync"])
def test_a_disk_that_fills_up_under_a_part(dock: Dock, monkeypatch: pytest.MonkeyPatch, call: str) -> None:
    place = str(dock.begin().headers["location"]).removeprefix("http://testserver")

    def fails(*_: Any, **__: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(store_module.os, call, fails)
    refused = dock.send("PATCH", place, content=b"x" * SIZE, headers={**PART, "Upload-Offset": "0"})
    began = dock.begin(1)
    monkeypatch.undo()
    assert (refused.status_code, began.status_code) == (507, 507)
    assert dock.send("HEAD", place).headers["upload-offset"] == "0"
    leftovers = [f.name for f in (dock.settings.home / "uploads" / place.rpartition("/")[2]).iterdir()]
    assert not [name for name in leftovers if name.startswith(".")]
    again = dock.send("PATCH", place, content=b"x" * SIZE, headers={**PART, "Upload-Offset": "0"})
    assert again.status_code == 204


def test_files_of_nobody_count_for_nobody(dock: Dock, tmp_path: Path) -> None:
    """Folders without a note, notes without a folder, and foreign files do no harm."""
    file = tmp_path / "a.gpkg"
    file.write_bytes(b"x" * SIZE)
    root = dock.settings.home / "incoming"
    root.mkdir(exist_ok=True)
    (root / "loose").mkdir()
    (root / "gone.owner").write_text(dock.owner)
    assert held(dock.settings, dock.owner) == 0
    assert incoming.sweep_incoming(dock.settings, set(), -1.0) == 2
    assert dock.folders == []


def test_jobs_in_the_list_are_whole(dock: Dock) -> None:
    """The folder is named in the database before the upload goes, so that a kill in between loses nothing."""
    number = dock.job()
    job: Job = job_of(dock.database, number)
    file = dock.settings.home / "incoming" / str(job.place["folder"]) / str(job.place["file"])
    assert file.read_bytes() == b"x" * SIZE
