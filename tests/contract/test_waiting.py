"""Requests that meet locks, a full pool or a lost server: 503 with Retry-After in good time, and never a fault."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from psycopg import sql
from starlette.testclient import TestClient

from geoservice.app import create_app
from geoservice.db.credentials import Role
from geoservice.db.engine import Database
from tests.contract.test_quarantine_api import bad
from tests.contract.test_uploads import make_loader
from tests.support.loading import load_file, prepared, trial_catalog, trial_layer, write_rows

PATIENCE = 0.5
"""Seconds that a request waits here for a lock or a connection."""
POOL = 2
JSON = {"Content-Type": "application/json"}
RAISES = """
    CREATE FUNCTION meta.refuse() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN RAISE EXCEPTION 'no' USING ERRCODE = '{}'; END $$;
    CREATE TRIGGER refuse BEFORE INSERT ON meta.job EXECUTE FUNCTION meta.refuse();
"""


@dataclass
class Counter:
    """The service with short patience, a loaded edition and a row of quarantine."""

    client: TestClient
    database: Database
    key: str
    source: Path
    edition: int

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        text = None if body is None else json.dumps(body)
        return self.client.request(method, path, content=text, headers={"X-API-Key": self.key, **JSON})

    def make(self) -> Any:
        return self.ask("POST", "/jobs", {"layer": "trial", "source": str(self.source)})


@pytest.fixture(scope="module")
def counter(module_database: Database, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Counter]:
    folder, catalog = tmp_path_factory.mktemp("waiting"), trial_catalog(trial_layer(row_clearance=None))
    target = prepared(module_database, catalog)
    source = write_rows(folder / "trial.gpkg", [{**bad(0), "level": None}, bad(1)])
    report = load_file(catalog, target, "trial", source)
    assert (report.inserted, report.quarantined) == (1, 1)
    assert report.edition
    changes = {"pool_timeout": PATIENCE, "pool_max": POOL, "source_folders": (folder,)}
    settings = module_database.settings.model_copy(update=changes)
    key = make_loader(module_database, "load", clearance=2)
    with TestClient(create_app(settings, catalog), raise_server_exceptions=False) as client:
        yield Counter(client, module_database, key, source, report.edition)


def refused(response: Any) -> None:
    """503 as problem details, with the time after which to come again."""
    assert response.status_code == 503, response.text
    assert response.headers["content-type"] == "application/problem+json"
    assert int(response.headers["retry-after"]) > 0
    assert response.json()["detail"].endswith(".")


@pytest.mark.parametrize(
    ("table", "method", "path", "body"),
    [
        ("job", "POST", "/jobs", {"layer": "trial", "source": "{source}"}),
        ("job", "GET", "/jobs", None),
        ("job", "GET", "/jobs/1", None),
        ("job", "GET", "/jobs/1/events", None),
        ("job", "DELETE", "/jobs/1", None),
        ("job", "POST", "/editions/{edition}/withdraw", {"reason": "x"}),
        ("edition", "POST", "/editions/{edition}/withdraw", {"reason": "x"}),
        ("quarantine", "GET", "/collections/trial/quarantine", None),
        ("quarantine", "GET", "/collections/trial/quarantine?f=csv", None),
        ("quarantine", "GET", "/collections/trial/quarantine/1", None),
        ("quarantine", "PATCH", "/collections/trial/quarantine/1", {"fields": {"name": "m"}}),
        ("quarantine", "POST", "/collections/trial/quarantine/1/dismiss", {"reason": "x"}),
        ("quarantine", "POST", "/collections/trial/quarantine/replay", {"ids": [1]}),
        ("quarantine", "GET", "/loads/1", None),
        ("repair", "GET", "/loads/1", None),
    ],
)
def test_a_lock_is_waited_for_but_not_long(
    counter: Counter, table: str, method: str, path: str, body: dict[str, Any] | None
) -> None:
    filled = json.loads(json.dumps(body).replace("{source}", str(counter.source)))
    address = path.replace("{edition}", str(counter.edition))
    with counter.database.psycopg(Role.OWNER) as holder:
        name = sql.Identifier("meta", table)
        holder.execute(sql.SQL("LOCK TABLE {} IN ACCESS EXCLUSIVE MODE").format(name))
        began = time.monotonic()
        response = counter.ask(method, address, filled)
        seconds = time.monotonic() - began
    refused(response)
    assert PATIENCE / 2 < seconds < 10 * PATIENCE, "it has waited, and has given up in time"


def test_a_row_that_a_load_holds_is_not_mended_meanwhile(counter: Counter) -> None:
    with counter.database.psycopg(Role.WRITER) as load:
        load.execute("SELECT id FROM meta.quarantine WHERE id = 1 FOR UPDATE")
        refused(counter.ask("PATCH", "/collections/trial/quarantine/1", {"fields": {"name": "m"}}))
        assert counter.ask("GET", "/collections/trial/quarantine/1").status_code == 200, "reading waits for nobody"
    assert counter.ask("GET", "/collections/trial/quarantine/1").json()["mended"] is None


def test_a_pool_that_is_used_up_is_503_and_recovers(counter: Counter) -> None:
    """More requests than connections, all of which meet a lock that is held longer than they wait."""
    with ThreadPoolExecutor(12) as crowd, counter.database.psycopg(Role.OWNER) as holder:
        holder.execute("LOCK TABLE meta.job IN ACCESS EXCLUSIVE MODE")
        answers = list(crowd.map(lambda _: counter.ask("GET", "/jobs"), range(24)))
    for response in answers:
        refused(response)
    said = {response.json()["detail"].partition(";")[0] for response in answers}
    assert len(said) == 2, "some had a connection and met the lock, some had none"
    assert counter.ask("GET", "/jobs").status_code == 200


def test_a_statement_that_takes_too_long_is_503(counter: Counter) -> None:
    catalog = counter.client.app.state.house.catalog  # type: ignore[attr-defined]
    short = counter.database.settings.model_copy(update={"analysis_timeout": 0.2, "pool_timeout": 5.0})
    app = create_app(short, catalog)
    with TestClient(app, raise_server_exceptions=False) as client, counter.database.psycopg(Role.OWNER) as holder:
        holder.execute("LOCK TABLE meta.job IN ACCESS EXCLUSIVE MODE")
        refused(client.get("/jobs", headers={"X-API-Key": counter.key}))


@pytest.mark.parametrize(("state", "status"), [("40P01", 503), ("57P01", 503), ("53300", 503), ("P0001", 500)])
def test_what_the_server_says_is_told_apart(counter: Counter, state: str, status: int) -> None:
    """Deadlocks, shutdowns and full servers pass by; anything else is a fault of ours and stays one."""
    with counter.database.psycopg(Role.OWNER) as owner:
        owner.execute(RAISES.format(state).encode())
    try:
        response = counter.make()
    finally:
        with counter.database.psycopg(Role.OWNER) as owner:
            owner.execute("DROP TRIGGER refuse ON meta.job")
            owner.execute("DROP FUNCTION meta.refuse()")
    assert response.status_code == status, response.text
    assert "no" not in response.json()["detail"].split() or status == 503


def test_lost_connections_are_replaced(counter: Counter) -> None:
    assert counter.ask("GET", "/jobs").status_code == 200
    with counter.database.psycopg(Role.ADMIN) as admin:
        found = admin.execute(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        ).fetchone()
    assert found is not None
    assert found[0] >= 1
    assert counter.ask("GET", "/jobs").status_code == 200


def test_nothing_was_done_by_what_was_refused(counter: Counter) -> None:
    assert counter.ask("GET", "/jobs").json()["jobs"] == []
    row = counter.ask("GET", "/collections/trial/quarantine/1").json()
    assert (row["state"], row["mended"]) == ("open", None)
