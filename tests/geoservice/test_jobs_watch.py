"""Watched folders: growing files, families, temporary names, restarts at any moment, nothing loaded twice."""

from __future__ import annotations

import json
import os
from pathlib import Path

import geopandas as gpd
import pytest
import shapely

from geoservice.db.credentials import Role
from geoservice.db.engine import Database
from geoservice.jobs import queue
from geoservice.jobs.intake import WatchedFolder
from geoservice.jobs.model import Job
from geoservice.jobs.perform import Performer
from geoservice.jobs.watch import Watcher
from geoservice.settings import Settings
from layers.catalog import read_catalog
from layers.errors import GeoError
from tests.support.jobs import until, write_layers
from tests.support.loading import count, prepared, write_rows


class Basin:
    """A watched folder whose jobs are done when the test says so."""

    def __init__(self, database: Database, folder: Path, settle: float = 0.0, layer: str | None = None) -> None:
        self.database = database
        layers = write_layers(folder, "spot", "other", row_clearance=None)
        self.catalog = read_catalog(layers)
        prepared(database, self.catalog)
        self.settings: Settings = database.settings.model_copy(update={"layers_dir": layers})
        self.inbox = folder / "inbox"
        self.inbox.mkdir()
        self.entry = WatchedFolder(folder=self.inbox, settle=settle, layer=layer)
        self.engine = database.sync_engine(Role.WRITER)
        self.restart()

    def restart(self) -> None:
        """A new process takes over."""
        self.watcher = Watcher(self.engine, self.catalog, self.entry)

    def jobs(self) -> list[Job]:
        with self.engine.begin() as connection:
            return queue.listing(connection, limit=100)[::-1]

    def do(self) -> Job | None:
        """Do the next job as a worker would."""
        with self.engine.connect() as session:
            with session.begin():
                job = queue.claim(session)
            if job is None:
                return None
            try:
                Performer(self.settings, self.database).perform(job)
                state, error = "done", None
            except GeoError as refusal:
                state, error = "refused", {"title": refusal.title, "detail": refusal.detail}
            with session.begin():
                queue.finish(session, job, state, error)  # type: ignore[arg-type]
                queue.release(session, job)
        return job

    def names(self, folder: str = ".") -> set[str]:
        place = self.inbox / folder
        return {p.name for p in place.iterdir() if p.is_file()} if place.is_dir() else set()


def points(file: Path, name: str = "n") -> Path:
    rows = [{"code": f"c{i}", "name": f"{name}{i}", "geometry": shapely.Point(100 + i / 1e3, 30)} for i in range(4)]
    return write_rows(file, rows)


@pytest.fixture
def basin(database: Database, tmp_path: Path) -> Basin:
    return Basin(database, tmp_path)


def test_a_file_becomes_a_job_and_is_put_away_with_its_report(basin: Basin) -> None:
    points(basin.inbox / "spot-1.gpkg")
    basin.watcher.scan()
    (job,) = basin.jobs()
    assert (job.layer, job.mapping, job.origin, job.state) == ("spot", "gpkg", "watch", "queued")
    basin.watcher.scan()
    assert len(basin.jobs()) == 1
    assert basin.do() is not None
    basin.watcher.scan()
    assert basin.names() == set()
    assert basin.names("done") == {"spot-1.gpkg", "spot-1.gpkg.report.json"}
    report = json.loads((basin.inbox / "done" / "spot-1.gpkg.report.json").read_text(encoding="utf-8"))
    assert (report["state"], report["report"]["inserted"], report["job"]) == ("done", 4, job.id)
    assert count(basin.database, "geo.spot") == 4


def test_a_refused_file_tells_why_and_may_come_again(basin: Basin) -> None:
    for _ in range(2):
        (basin.inbox / "spot-1.gpkg").write_bytes(b"no geopackage" * 50)
        basin.watcher.scan()
        assert basin.do() is not None
        basin.watcher.scan()
    assert len(basin.jobs()) == 2, "who puts it there again wants another try"
    reports = [n for n in basin.names("refused") if n.endswith(".report.json")]
    assert len(reports) == 2
    for name in reports:
        assert json.loads((basin.inbox / "refused" / name).read_text(encoding="utf-8"))["error"]["detail"]


def test_a_file_that_no_layer_knows_is_refused_without_a_job(basin: Basin) -> None:
    (basin.inbox / "mystery.gpkg").write_bytes(b"x")
    basin.watcher.scan()
    assert basin.jobs() == []
    assert "mystery.gpkg" in basin.names("refused")


def test_a_growing_file_is_left_alone(database: Database, tmp_path: Path) -> None:
    basin = Basin(database, tmp_path, settle=0.6)
    whole = points(tmp_path / "whole.gpkg").read_bytes()
    target = basin.inbox / "spot-1.gpkg"
    with target.open("wb") as slow:
        for start in range(0, len(whole), len(whole) // 5 + 1):
            slow.write(whole[start : start + len(whole) // 5 + 1])
            slow.flush()
            basin.watcher.scan()
            assert basin.jobs() == []

    def taken() -> bool:
        basin.watcher.scan()
        return bool(basin.jobs())

    until(taken, every=0.05)
    assert len(basin.jobs()) == 1
    assert basin.do() is not None
    assert count(database, "geo.spot") == 4


def test_an_announced_end_needs_no_waiting(database: Database, tmp_path: Path) -> None:
    basin = Basin(database, tmp_path, settle=3600)
    points(basin.inbox / "spot-1.gpkg")
    basin.watcher.scan()
    assert basin.jobs() == []
    (basin.inbox / "spot-1.gpkg.done").touch()
    basin.watcher.scan()
    assert len(basin.jobs()) == 1
    basin.do()
    basin.watcher.scan()
    assert basin.names() == set()


@pytest.mark.parametrize("name", [".spot-1.gpkg", "~spot.gpkg", "spot-1.gpkg.part", "spot-1.gpkg.filepart", "spot.tmp"])
def test_temporary_names_are_ignored(basin: Basin, name: str) -> None:
    points(basin.inbox / "spot-1.gpkg").rename(basin.inbox / name)
    basin.watcher.scan()
    assert basin.jobs() == []
    assert basin.names() == {name}
    assert not (basin.inbox / "refused").exists()


def test_links_are_not_followed(basin: Basin, tmp_path: Path) -> None:
    (basin.inbox / "spot-1.gpkg").symlink_to(points(tmp_path / "elsewhere.gpkg"))
    basin.watcher.scan()
    assert basin.jobs() == []


def test_a_name_that_is_no_text_is_refused_and_stops_nobody_else(basin: Basin) -> None:
    """As an old system writes Chinese names: bytes of GBK."""
    name = "spot-地块.gpkg".encode("gbk")
    points(basin.inbox / "spot-good.gpkg")
    os.rename(os.fsencode(points(basin.inbox / "spot-a.gpkg")), os.path.join(os.fsencode(basin.inbox), name))
    basin.watcher.scan()
    basin.watcher.scan()
    assert [job.source for job in basin.jobs()] == ["spot-good.gpkg"]
    assert os.fsdecode(name) in basin.names("refused")
    report = json.loads(next((basin.inbox / "refused").glob("*.report.json")).read_text(encoding="utf-8"))
    assert "UTF-8" in report["error"]


@pytest.mark.parametrize("where", ["done", "refused"])
def test_nothing_is_put_away_through_a_link(basin: Basin, tmp_path: Path, where: str) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (basin.inbox / where).symlink_to(outside)
    file = points(basin.inbox / "spot-a.gpkg") if where == "done" else basin.inbox / "unknown.gpkg"
    if where == "refused":
        file.write_bytes(b"no layer knows this")
    for _ in range(3):
        basin.watcher.scan()
        basin.do()
    assert list(outside.iterdir()) == []
    assert file.is_file(), "it waits until the folder is mended"


def test_a_family_stays_together(database: Database, tmp_path: Path) -> None:
    basin = Basin(database, tmp_path)
    entry = basin.entry.model_copy(update={"layer": "other", "mapping": "gpkg"})
    basin.entry = entry
    basin.restart()
    frame = gpd.read_file(points(tmp_path / "x.gpkg"))
    shape = tmp_path / "shape"
    shape.mkdir()
    frame.to_file(shape / "other.shp")
    files = sorted(shape.iterdir(), key=lambda p: p.suffix == ".shp")
    for file in files[:-1]:
        file.rename(basin.inbox / file.name)
    basin.watcher.scan()
    assert basin.jobs() == [], "companions wait for the .shp"
    files[-1].rename(basin.inbox / files[-1].name)
    basin.watcher.scan()
    (job,) = basin.jobs()
    assert job.source == "other.shp"
    basin.do()
    basin.watcher.scan()
    assert basin.names() == set()
    assert {f.name for f in files} <= basin.names("done")
    assert count(database, "geo.other") == 4


def test_a_restart_at_any_moment_loses_and_doubles_nothing(basin: Basin) -> None:
    points(basin.inbox / "spot-1.gpkg")
    for does in ("look", "work", "look"):
        if does == "work":
            basin.do()
        else:
            basin.watcher.scan()
        basin.restart()
        basin.watcher.scan()
    assert len(basin.jobs()) == 1
    assert basin.names("done") >= {"spot-1.gpkg"}
    assert basin.jobs()[0].filed is not None


def test_killed_between_moving_and_noting(basin: Basin) -> None:
    points(basin.inbox / "spot-1.gpkg")
    basin.watcher.scan()
    basin.do()
    (basin.inbox / "done").mkdir()
    (basin.inbox / "spot-1.gpkg").rename(basin.inbox / "done" / "spot-1.gpkg")
    basin.restart()
    basin.watcher.scan()
    assert len(basin.jobs()) == 1
    assert basin.jobs()[0].filed is not None


def test_the_same_content_again_is_not_loaded_again(basin: Basin, tmp_path: Path) -> None:
    first, second = points(tmp_path / "a.gpkg"), points(tmp_path / "b.gpkg", "m")
    contents = [first.read_bytes(), first.read_bytes(), second.read_bytes(), first.read_bytes()]
    for content in contents:
        (basin.inbox / "spot-1.gpkg").write_bytes(content)
        basin.watcher.scan()
        basin.do()
        basin.watcher.scan()
    # The second delivery is the state that stands; the fourth brings back what the third had replaced.
    assert len(basin.jobs()) == 3
    assert len([n for n in basin.names("done") if n.endswith(".gpkg")]) == 4


def test_a_file_replaced_while_its_job_waits(basin: Basin, tmp_path: Path) -> None:
    points(basin.inbox / "spot-1.gpkg")
    basin.watcher.scan()
    basin.do()
    (basin.inbox / "spot-1.gpkg").write_bytes(points(tmp_path / "b.gpkg", "later").read_bytes())
    basin.watcher.scan()
    assert basin.names() == {"spot-1.gpkg"}, "the new file is not put away as if it had been loaded"
    basin.watcher.scan()
    assert len(basin.jobs()) == 2
