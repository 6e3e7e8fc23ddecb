"""Streams of progress: they end with the rights of who follows, they are counted, and nothing of them stays behind."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import sqlalchemy as sa

from geoservice.api import job_events
from geoservice.api.job_events import CHECK_SECONDS, Newsroom
from geoservice.app import create_app
from geoservice.db.credentials import Role
from geoservice.db.engine import Database
from geoservice.jobs import queue
from layers.access import Clearance
from layers.system import api_key
from tests.contract.test_uploads import make_loader
from tests.support.jobs import submit, until
from tests.support.loading import prepared, trial_catalog, trial_layer
from tests.support.serving import serving

MOST_EACH, MOST = 2, 3
REVOKED_WITHIN = 15.0
"""Seconds; it takes five on a machine that has time."""


@dataclass
class Hall:
    """The service behind a socket, with few seats, and jobs that wait for ever: nobody works on them."""

    address: str
    database: Database
    newsroom: Newsroom

    @contextmanager
    def follow(self, number: int, key: str) -> Iterator[httpx.Response]:
        headers = {"X-API-Key": key}
        with httpx.stream("GET", f"{self.address}/jobs/{number}/events", headers=headers, timeout=60) as response:
            yield response

    def ask(self, method: str, path: str, key: str) -> httpx.Response:
        return httpx.request(method, f"{self.address}{path}", headers={"X-API-Key": key}, timeout=60)

    def job(self) -> int:
        return submit(self.database, "trial", Path("/nowhere/trial.gpkg"))

    def change(self, key: str, **values: Any) -> None:
        statement = sa.update(api_key).where(api_key.c.id == key.split("_")[1]).values(**values)
        with self.database.transaction(Role.WRITER) as connection:
            connection.execute(statement)

    @property
    def taken(self) -> int:
        return self.newsroom.seats._taken.total()


@pytest.fixture(scope="module")
def hall(module_database: Database) -> Iterator[Hall]:
    catalog = trial_catalog(trial_layer())
    prepared(module_database, catalog)
    changes = {"event_streams_max": MOST, "event_streams_each": MOST_EACH}
    app = create_app(module_database.settings.model_copy(update=changes), catalog)
    with serving(app) as address:
        yield Hall(address, module_database, app.state.house.newsroom)


def seconds_until_silence(response: httpx.Response, change: Any) -> tuple[float, str]:
    """Read the first event, make the change, read to the end of the stream: how long it took, and what was told."""
    lines = response.iter_lines()
    assert any(line.startswith("data:") for line in lines)
    change()
    began = time.monotonic()
    told = "\n".join(lines)
    return time.monotonic() - began, told


@pytest.mark.parametrize(
    "values", [{"revoked": sa.func.now()}, {"rights": []}, {"rights": ["load:other"]}, {"clearance": 1}]
)
def test_a_stream_ends_with_the_rights_of_who_follows(hall: Hall, values: dict[str, Any]) -> None:
    key, number = make_loader(hall.database, "load", clearance=2), hall.job()
    with hall.follow(number, key) as response:
        assert response.status_code == 200
        seconds, told = seconds_until_silence(response, lambda: hall.change(key, **values))
    assert seconds < REVOKED_WITHIN
    assert "data:" not in told, "nothing was told any more"
    until(lambda: hall.taken == 0, patience=10)


def test_a_revoked_key_is_told_nothing_though_much_happens(hall: Hall) -> None:
    """News do not put the question off: a job that changes all the time is followed no longer than a quiet one."""
    key, number = make_loader(hall.database, "load"), hall.job()
    with hall.follow(number, key) as response:
        lines = response.iter_lines()
        assert any(line.startswith("data:") for line in lines)
        hall.change(key, revoked=sa.func.now())
        began = time.monotonic()
        while time.monotonic() - began < 2 * REVOKED_WITHIN:
            with hall.database.transaction(Role.WRITER) as connection:
                told = {"rows": int((time.monotonic() - began) * 1000), "phase": "reading"}
                connection.execute(sa.update(queue.table).where(queue.table.c.id == number).values(**told))
            if hall.taken == 0:
                break
            time.sleep(0.1)
    assert hall.taken == 0
    assert time.monotonic() - began < REVOKED_WITHIN


def test_without_the_question_a_revoked_key_goes_on_listening(hall: Hall, monkeypatch: pytest.MonkeyPatch) -> None:
    """Negative control: the question is what ends the stream."""
    monkeypatch.setattr(job_events, "CHECK_SECONDS", 3600.0)
    key, number = make_loader(hall.database, "load"), hall.job()
    with hall.follow(number, key) as response:
        lines = response.iter_lines()
        assert any(line.startswith("data:") for line in lines)
        hall.change(key, revoked=sa.func.now())
        time.sleep(CHECK_SECONDS + 5)
        assert hall.taken == 1
        with hall.database.transaction(Role.WRITER) as connection:
            queue.cancel(connection, number)
        assert any(line == "event: end" for line in lines)
    until(lambda: hall.taken == 0, patience=10)


def test_streams_are_counted_for_each_and_in_all(hall: Hall) -> None:
    ann, bob, number = make_loader(hall.database, "load"), make_loader(hall.database, "load"), hall.job()
    with ExitStack() as open_streams:
        for _ in range(MOST_EACH):
            assert open_streams.enter_context(hall.follow(number, ann)).status_code == 200
        refused = hall.ask("GET", f"/jobs/{number}/events", ann)
        assert (refused.status_code, refused.headers["content-type"]) == (429, "application/problem+json")
        assert int(refused.headers["retry-after"]) > 0
        assert hall.ask("GET", f"/jobs/{number}", ann).status_code == 200, "asking now and then goes on"
        assert open_streams.enter_context(hall.follow(number, bob)).status_code == 200, "others have seats of their own"
        full = hall.ask("GET", f"/jobs/{number}/events", bob)
        assert (full.status_code, full.headers["content-type"]) == (503, "application/problem+json")
        assert int(full.headers["retry-after"]) > 0
        hidden = hall.ask("GET", "/jobs/999999999/events", ann)
        assert hidden.status_code == 404, "a full house tells nobody of jobs that are not theirs"
    until(lambda: hall.taken == 0, patience=10)
    assert not hall.newsroom._followed
    with hall.follow(number, ann) as response:
        assert response.status_code == 200, "the seats are free again"


def test_clients_that_go_away_at_once_leave_no_seat_taken(hall: Hall) -> None:
    key, number = make_loader(hall.database, "load"), hall.job()
    for _ in range(20):
        with hall.follow(number, key) as response:
            assert response.status_code in (200, 429)
    until(lambda: hall.taken == 0, patience=10)
    assert not hall.newsroom._latest


def test_head_of_a_stream_is_answered_at_once(hall: Hall) -> None:
    key, number = make_loader(hall.database, "load"), hall.job()
    began = time.monotonic()
    response = hall.ask("HEAD", f"/jobs/{number}/events", key)
    assert (response.status_code, response.content) == (200, b"")
    assert response.headers["content-type"].startswith("text/event-stream")
    assert time.monotonic() - began < 10
    until(lambda: hall.taken == 0, patience=10)


def test_a_database_that_is_away_ends_streams(hall: Hall) -> None:
    """What cannot be checked is not told: clients come back by themselves."""
    key, number = make_loader(hall.database, "load", clearance=int(Clearance.RESTRICTED)), hall.job()
    with hall.database.psycopg(Role.ADMIN, autocommit=True) as admin, hall.follow(number, key) as response:
        lines = response.iter_lines()
        assert any(line.startswith("data:") for line in lines)
        admin.execute("ALTER ROLE geoservice_reader_public NOLOGIN")
        try:
            admin.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'geoservice_reader_public'"
            )
            assert "data:" not in "\n".join(lines)
        finally:
            admin.execute("ALTER ROLE geoservice_reader_public LOGIN")
    until(lambda: hall.taken == 0, patience=10)
