"""A load that is refused before its source is opened leaves a report with the reason, like any other."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import shapely
import sqlalchemy as sa

from geoservice.cli import run
from geoservice.db.credentials import Role
from geoservice.db.engine import Database
from geoservice.jobs.intake import WatchedFolder
from geoservice.jobs.watch import Watcher
from ingest.delivery import Delivery, deliver
from ingest.job import Fetched, Finding, LoadOptions, Origin
from ingest.load import LoadTarget
from layers.catalog import read_catalog
from layers.errors import GeoError, SourceMismatch, SourceMissing, UnknownLayer
from layers.system import load_report
from tests.support.jobs import write_layers
from tests.support.loading import prepared, trial_catalog, trial_layer, write_rows

CATALOG = trial_catalog(
    trial_layer(sources={"gpkg": {"match": ["*.gpkg"]}, "all": {"match": ["none"], "complete": True}}),
    trial_layer("ambiguous", sources={"one": {"match": ["*.gpkg"]}, "two": {"match": ["a*"]}}),
)


@pytest.fixture
def target(database: Database) -> LoadTarget:
    return prepared(database, CATALOG)


def kept(database: Database) -> list[dict[str, Any]]:
    with database.transaction(Role.WRITER) as connection:
        return [dict(row) for row in connection.execute(sa.select(load_report).order_by(load_report.c.id)).mappings()]


def source(folder: Path, name: str = "a.gpkg") -> Path:
    return write_rows(folder / name, [{"code": "a", "name": "n", "geometry": shapely.Point(100, 30)}])


def torn(file: Path) -> Origin:
    """The origin of a snapshot that may lack features."""
    finding = Finding(rule="moving", severity="warning", message="It changed.", count=1)
    facts = {"address": "https://example.org/x", "fetched": "2026-01-01T00:00:00Z", "pages": 2, "features": 1}
    return Origin(kind="wfs", sha256="0" * 64, findings=(finding,), **facts)


@pytest.mark.parametrize(
    "case",
    [
        ("trial", "a.gpkg", "nope", SourceMismatch, "no source mapping 'nope'"),
        ("trial", "a.docx", None, SourceMismatch, "no mapping fits"),
        ("ambiguous", "a.gpkg", None, SourceMismatch, "several mappings fit"),
        ("trial", "absent.gpkg", "gpkg", SourceMissing, "no file"),
    ],
)
def test_each_refusal_leaves_one_report(
    database: Database, target: LoadTarget, tmp_path: Path, case: tuple[str, str, str | None, type[GeoError], str]
) -> None:
    layer, name, mapping, error, said = case
    file = tmp_path / name
    if name != "absent.gpkg":
        source(tmp_path).rename(file)
    delivery = Delivery(layer, file, mapping, LoadOptions(job=7, owner="county"))
    with pytest.raises(error, match=said):
        deliver(CATALOG, target, delivery, principal="officer")
    (report,) = kept(database)
    assert (report["outcome"], report["edition"], report["sha256"]) == ("refused", None, None)
    assert (report["layer"], report["source"], report["principal"], report["job"]) == (layer, name, "officer", 7)
    assert (report["report"]["mapping"], report["report"]["problem"]["kind"]) == (mapping, error.__name__)
    assert said in report["report"]["problem"]["detail"]
    assert report["clearance"] == int(CATALOG.layer(layer).clearance)


def test_a_snapshot_that_may_lack_features_is_refused_with_a_report(
    database: Database, target: LoadTarget, tmp_path: Path
) -> None:
    file = source(tmp_path)
    fetched = Fetched(file, torn(file))
    with pytest.raises(SourceMismatch, match="fetch it again"):
        deliver(CATALOG, target, Delivery("trial", fetched.file, "all", origin=fetched.origin))
    assert [r["outcome"] for r in kept(database)] == ["refused"]


def test_a_layer_that_does_not_exist_can_have_no_report(database: Database, target: LoadTarget, tmp_path: Path) -> None:
    with pytest.raises(UnknownLayer):
        deliver(CATALOG, target, Delivery("nowhere", source(tmp_path)))
    assert kept(database) == []


def test_a_load_that_begins_leaves_one_report_and_not_two(
    database: Database, target: LoadTarget, tmp_path: Path
) -> None:
    deliver(CATALOG, target, Delivery("trial", source(tmp_path)))
    (tmp_path / "b.gpkg").write_bytes(b"no geopackage" * 50)
    with pytest.raises(GeoError):
        deliver(CATALOG, target, Delivery("trial", tmp_path / "b.gpkg"))
    assert [r["outcome"] for r in kept(database)] == ["loaded", "refused"]


def test_the_command_line_keeps_refusals_of_files_jobs_and_remote_sources(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GEOSERVICE_HOME", str(database.settings.home))
    monkeypatch.setenv("GEOSERVICE_DATABASE_NAME", database.settings.database_name)
    monkeypatch.setenv("GEOSERVICE_LAYERS_DIR", str(write_layers(tmp_path, "spot")))
    file = str(source(tmp_path, "spot-1.gpkg"))
    refused = [
        ["ingest", "load", "spot", file, "--mapping", "nope"],
        ["jobs", "add", "spot", file, "--mapping", "nope"],
        ["jobs", "add", "spot", str(tmp_path / "absent.gpkg")],
        ["ingest", "load", "spot", "https://user:pass@elsewhere.example/x?token=s3cret"],
        ["ingest", "load", "spot", "wfs:https://user:pass@elsewhere.example/x?typename=a"],
        ["ingest", "load", "spot", "https://[elsewhere.example/x?token=s3cret"],
        ["ingest", "load", "spot", "wfs:https://[elsewhere.example/x?token=s3cret"],
    ]
    for arguments in refused:
        assert run(arguments) != 0
        assert "Traceback" not in capsys.readouterr().err
    reports = kept(database)
    assert [r["outcome"] for r in reports] == ["refused"] * len(refused)
    assert [r["source"] for r in reports[:3]] == ["spot-1.gpkg", "spot-1.gpkg", "absent.gpkg"]
    assert "elsewhere.example" in reports[3]["source"]
    assert not any(word in str(reports) for word in ("s3cret", "user:pass"))


def test_a_watched_folder_of_one_layer_keeps_refusals(database: Database, tmp_path: Path) -> None:
    catalog = read_catalog(write_layers(tmp_path, "spot"))
    prepared(database, catalog)
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    source(inbox, "spot-1.gpkg")
    entry = WatchedFolder(folder=inbox, settle=0.0, layer="spot", mapping="nope")
    Watcher(database.sync_engine(Role.WRITER), catalog, entry).scan()
    (report,) = kept(database)
    assert (report["outcome"], report["principal"], report["source"]) == ("refused", "watch", "spot-1.gpkg")
    assert (inbox / "refused" / "spot-1.gpkg").is_file()
