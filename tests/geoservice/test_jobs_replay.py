"""Replays and withdrawals as jobs: several loads are one job, and a kill at any step changes nothing in the end."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest
import shapely
import sqlalchemy as sa

from geoservice.db.credentials import Role
from geoservice.db.engine import Database
from geoservice.jobs import queue
from geoservice.jobs.intake import Schedule
from geoservice.jobs.model import JobRequest, replay_request
from geoservice.jobs.schedule import run
from ingest.set_aside import Wanted, mend, rows
from layers.catalog import Catalog, read_catalog
from layers.system import edition
from tests.support.jobs import environment, job, over, slay, until, worker, write_layers
from tests.support.loading import count, load_file, prepared, write_rows

LOCK = sa.text("LOCK TABLE meta.edition IN SHARE ROW EXCLUSIVE MODE")
WAITING = sa.text(
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
)


class Yard:
    """A layer with one mended row from each of two sources."""

    def __init__(self, database: Database, folder: Path) -> None:
        self.database = database
        self.layers = write_layers(folder, "spot", row_clearance=None)
        self.catalog: Catalog = read_catalog(self.layers)
        target = prepared(database, self.catalog)
        good = {"code": "good", "name": "n", "level": None, "geometry": shapely.Point(100, 30)}
        for name in ("spot-1", "spot-2"):
            bad = {**good, "code": name, "level": "cosmic"}
            load_file(self.catalog, target, "spot", write_rows(folder / f"{name}.gpkg", [good, bad]))
        with database.transaction(Role.WRITER) as connection:
            for one in list(rows(connection, Wanted(state="open"))):
                mend(connection, one.id, {"level": None})
        self.environ = environment(database, self.layers)

    def submit(self, request: JobRequest) -> int:
        with self.database.transaction(Role.WRITER) as connection:
            return queue.submit(connection, request).id

    def replays(self) -> int:
        return count(self.database, "meta.edition", "kind = 'replay'")

    def waits(self) -> bool:
        with self.database.transaction(Role.ADMIN) as connection:
            return bool(connection.execute(WAITING).scalar_one())


@pytest.fixture
def yard(database: Database, tmp_path: Path) -> Yard:
    return Yard(database, tmp_path)


def test_a_killed_replay_and_a_killed_withdrawal_are_done_once(yard: Yard) -> None:
    number = yard.submit(replay_request(Wanted("spot"), "someone", "cli"))
    kill_while_waiting(yard)
    assert (job(yard.database, number).state, yard.replays()) == ("running", 0)
    with worker(yard.environ, "--once"):
        done = over(yard.database, number)
    assert (done.state, done.error, yard.replays()) == ("done", None, 2)
    assert count(yard.database, "meta.load_report", f"job = {number}") == 2
    assert count(yard.database, "geo.spot") == 3
    assert count(yard.database, "meta.quarantine", "state = 'mended'") == 2

    place = {"edition": done.edition, "reason": "wrong"}
    back = yard.submit(JobRequest("spot", "someone", "cli", "edition", place, kind="withdrawal"))
    kill_while_waiting(yard)
    assert count(yard.database, "geo.spot") == 3
    with worker(yard.environ, "--once"):
        undone = over(yard.database, back)
    assert (undone.state, undone.error, count(yard.database, "geo.spot")) == ("done", None, 2)
    with yard.database.transaction(Role.OWNER) as connection:
        made = connection.execute(sa.select(edition).where(edition.c.id == undone.edition)).one()
    assert (made.kind, made.undoes, made.reason, made.principal) == ("withdrawal", done.edition, "wrong", "someone")


def kill_while_waiting(yard: Yard) -> None:
    """Let a worker come to the point where it writes its edition, and kill it there."""
    with yard.database.transaction(Role.OWNER) as gate:
        gate.execute(LOCK)
        with worker(yard.environ) as process:
            until(yard.waits)
            slay(process)
    until(lambda: not yard.waits())


def test_what_a_replay_leaves_is_told(yard: Yard) -> None:
    with yard.database.transaction(Role.OWNER) as connection:
        connection.execute(sa.text("UPDATE meta.quarantine SET reader = NULL WHERE source = 'spot-2.gpkg'"))
    schedule = Schedule(name="again", cron="0 3 * * *", layer="spot", replay=True)
    assert schedule.latest(dt.datetime(2026, 1, 2, tzinfo=dt.UTC)).hour == 3
    with yard.database.transaction(Role.WRITER) as connection:
        number = run(connection, yard.catalog, schedule).id
    only = yard.submit(replay_request(Wanted("spot", source="spot-2.gpkg"), "someone", "cli"))
    none = yard.submit(replay_request(Wanted("spot", source="nothing"), "someone", "cli"))
    with worker(yard.environ, "--once"):
        done, refused, idle = (over(yard.database, n) for n in (number, only, none))
    assert (done.state, yard.replays(), count(yard.database, "geo.spot")) == ("done", 1, 2)
    assert done.error is not None
    assert "1 rows of spot-2.gpkg stay in quarantine" in done.error["detail"]
    assert (refused.state, idle.state, idle.edition) == ("refused", "done", None)
    assert refused.error is not None
    assert "older version" in refused.error["detail"]


@pytest.mark.parametrize("wrong", [{}, {"source": "/x", "replay": True}])
def test_a_schedule_has_a_source_or_replays(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="either a source or"):
        Schedule.model_validate({"name": "n", "cron": "0 3 * * *", "layer": "spot", **wrong})
