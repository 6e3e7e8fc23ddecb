"""An export whose worker is killed leaves nothing that looks like a result, and is done again."""

from __future__ import annotations

import json
from pathlib import Path

import sqlalchemy as sa

from geoservice.db.credentials import Role
from geoservice.db.engine import Database
from geoservice.exports.process import EXPORT
from geoservice.jobs import queue
from geoservice.jobs.model import EXECUTION, JobRequest
from geoservice.jobs.results import results_folder
from geoservice.processes.model import read_manifest
from geoservice.security.keys import make_key
from layers.catalog import read_catalog
from layers.system import api_key
from tests.support.jobs import environment, job, over, slay, until, worker, write_layers
from tests.support.loading import load_file, prepared, write_rows
from tests.support.service import spot_rows


def ask(database: Database, **inputs: str) -> int:
    """Put an export into the queue, for the holder of a fresh key."""
    made = make_key()
    values = {"id": made.id, "name": "me", "digest": made.digest, "clearance": 0}
    options = {"process": EXPORT, "inputs": {"collection": "spot", **inputs}}
    request = JobRequest("", made.id, "api", EXPORT, {}, options=options, kind=EXECUTION)
    with database.transaction(Role.WRITER) as connection:
        connection.execute(sa.insert(api_key).values(**values))
        return queue.submit(connection, request).id


def test_a_killed_export_is_done_again(database: Database, tmp_path: Path) -> None:
    layers = write_layers(tmp_path, "spot")
    catalog = read_catalog(layers)
    target = prepared(database, catalog)
    load_file(catalog, target, "spot", write_rows(tmp_path / "spot.gpkg", spot_rows()))
    number = ask(database, f="ndjson")
    folder, environ = results_folder(database.settings, number), environment(database, layers)
    with database.transaction(Role.OWNER) as connection:
        # Nobody can read the rows, so the export stands still in the middle of its work.
        connection.execute(sa.text("LOCK TABLE geo.spot IN ACCESS EXCLUSIVE MODE"))
        with worker(environ) as process:
            blocked = sa.text("SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'geo.spot'::regclass")
            until(lambda: connection.execute(blocked).scalar_one())
            slay(process)
        assert read_manifest(folder) is None
    with worker(environ):
        done = over(database, number)
    assert (done.state, done.attempts) == ("done", 2)
    outputs = read_manifest(folder)
    assert outputs is not None
    lines = (folder / str(outputs["file"].file)).read_text(encoding="utf-8").splitlines()
    assert outputs["file"].facts["rows"] == len(lines) == 10
    assert {json.loads(line)["properties"]["level"] for line in lines} == {"public"}
    assert len(list(folder.iterdir())) == 2


def test_a_refused_export_leaves_its_reason_and_no_file(database: Database, tmp_path: Path) -> None:
    layers = write_layers(tmp_path, "spot")
    prepared(database, read_catalog(layers))
    number = ask(database, f="boundary", template="nowhere")
    with worker(environment(database, layers), "--once"):
        over(database, number)
    ended = job(database, number)
    assert ended.state == "refused"
    assert "template is one of" in (ended.error or {})["detail"]
    assert read_manifest(results_folder(database.settings, number)) is None
