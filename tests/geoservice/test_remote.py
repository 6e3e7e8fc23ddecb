"""From one geoservice into another layer, by the command line and real HTTP; what the settings forbid is not asked."""

from __future__ import annotations

import json
import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import uvicorn

from geoservice.app import create_app
from geoservice.cli import run
from geoservice.db.engine import Database
from geoservice.remote import access_of, snapshot
from geoservice.settings import Settings
from layers.catalog import Catalog
from layers.errors import ConfigurationError, RemoteRefused
from tests.ingest.remote.servers import serving
from tests.support.loading import count, load_file, prepared, trial_catalog, trial_layer, write_rows
from tests.support.service import spot_rows

MIRROR = """
format: 1
kind: vector
title: {zh: 镜像, en: Mirror}
authority: {kind: surveying}
cycle: P1Y
licence: {share: unconditional, basis: test}
clearance: public
geometry: point
key: [code]
attributes:
  code: {type: text, required: true}
  name: {type: text}
style: {circle: {colour: "#336699"}}
sources:
  remote: {match: ["http://127.0.0.1:*/collections/spot*"], complete: true}
"""


@contextmanager
def served(database: Database, catalog: Catalog) -> Iterator[str]:
    """The application on a port of the loopback address."""
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(create_app(database.settings, catalog), log_level="error", lifespan="on")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    deadline = time.monotonic() + 60
    while not server.started and time.monotonic() < deadline:
        time.sleep(0.05)
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(30)


@pytest.fixture
def layers_dir(tmp_path: Path) -> Path:
    folder = tmp_path / "layers" / "themes" / "trial"
    folder.mkdir(parents=True)
    (folder / "mirror.yaml").write_text(MIRROR, encoding="utf-8")
    return tmp_path / "layers"


@pytest.fixture
def here(database: Database, layers_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Database:
    """The command line works on this test's database, with the mirror layer."""
    monkeypatch.setenv("GEOSERVICE_HOME", str(database.settings.home))
    monkeypatch.setenv("GEOSERVICE_DATABASE_NAME", database.settings.database_name)
    monkeypatch.setenv("GEOSERVICE_LAYERS_DIR", str(layers_dir))
    return database


def test_one_geoservice_reads_from_another(
    here: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    source = trial_catalog(trial_layer("spot"))
    rows = spot_rows(30)
    load_file(source, prepared(here, source), "spot", write_rows(tmp_path / "spot.gpkg", rows))
    with served(here, source) as url:
        monkeypatch.setenv("GEOSERVICE_REMOTE_HOSTS", json.dumps([url.removeprefix("http://")]))
        address = f"{url}/collections/spot"
        assert run(["ingest", "load", "mirror", f"{address}?limit=4", "--json"]) == 0
        report = json.loads(capsys.readouterr().out)
        assert run(["ingest", "load", "mirror", address]) == 0
    # The anonymous public sees a third of the rows; nothing above may arrive.
    assert (report["read"], report["inserted"], report["quarantined"]) == (10, 10, 0)
    origin = report["summary"]["facts"]["origin"]
    assert origin["address"] == f"{address}?limit=4"
    assert (origin["kind"], origin["pages"], origin["features"]) == ("ogc-features", 3, 10)
    assert origin["sha256"] == report["sha256"]
    assert "nothing changed" in capsys.readouterr().out
    assert count(here, "geo.mirror") == 10
    same = "code IN (SELECT code FROM geo.spot WHERE _clearance = 0)"
    assert count(here, "geo.mirror", same) == 10
    assert list((here.settings.home / "remote").iterdir()) == []


def test_a_host_that_is_not_listed_is_not_asked(
    here: Database, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving(lambda _: (200, {}, b"{}")) as listener:
        address = listener.url("/collections/spot")
        assert run(["ingest", "load", "mirror", address]) == 2
        assert "not among the remote hosts" in " ".join(capsys.readouterr().err.split())
        assert listener.asked == []
        monkeypatch.setenv("GEOSERVICE_REMOTE_HOSTS", json.dumps([f"127.0.0.1:{listener.port}"]))
        assert run(["ingest", "load", "mirror", address]) != 0
        assert len(listener.asked) == 1


def test_a_changing_source_is_not_taken_for_the_whole_layer(
    here: Database, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    page = {"type": "FeatureCollection", "numberMatched": 9, "features": [{"type": "Feature", "properties": {}}]}
    with serving(lambda _: (200, {}, json.dumps(page).encode())) as server:
        monkeypatch.setenv("GEOSERVICE_REMOTE_HOSTS", json.dumps([f"127.0.0.1:{server.port}"]))
        assert run(["ingest", "load", "mirror", server.url("/collections/spot")]) == 2
    assert "what is missing would be deleted" in " ".join(capsys.readouterr().err.split())


def test_what_a_killed_command_left_is_removed(database: Database) -> None:
    folder = database.settings.home / "remote"
    names = {
        "snapshot-4194305-dead": 3600,
        "snapshot-4194305-fresh": 1,
        f"snapshot-{os.getpid()}-mine": 3600,
        "x": 3600,
    }
    for name, age in names.items():
        (folder / name).mkdir(parents=True, exist_ok=True)
        os.utime(folder / name, (time.time() - age,) * 2)
    with pytest.raises(RemoteRefused), snapshot(database.settings, "https://example.org/collections/a"):
        pass
    assert {p.name for p in folder.iterdir()} == set(names) - {"snapshot-4194305-dead"}
    for name in set(names) - {"snapshot-4194305-dead"}:
        (folder / name).rmdir()


def test_databases_are_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GEOSERVICE_REMOTE_DATABASES", json.dumps({"cadastre": "postgresql://u:s3cret@h/d"}))
    assert "s3cret" not in repr(Settings())
    monkeypatch.setenv("GEOSERVICE_REMOTE_DATABASES", json.dumps({"Bad name": "postgresql://u@h/d"}))
    with pytest.raises(ValueError, match="pattern"):
        Settings()


def test_entries_of_the_list_are_checked() -> None:
    with pytest.raises(ConfigurationError, match="expected a host name"):
        access_of(Settings(remote_hosts=("http://geo.example",)))
