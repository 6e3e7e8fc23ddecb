"""Workers are killed at every phase of a load: the job is done once, and the end is that of an undisturbed load.

A phase is held by a lock that the test takes on a table which that phase needs; the product has no hook for this.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psutil
import pytest
import shapely
import sqlalchemy as sa

from geoservice.db.credentials import Role
from geoservice.db.engine import Database
from ingest.delivery import Delivery, deliver
from layers.catalog import read_catalog
from layers.system import edition, load_report
from tests.support.jobs import PATIENCE, environment, job, over, slay, submit, until, worker, write_layers
from tests.support.loading import prepared, write_rows
from tests.support.traces import content

ROWS = 1500
LOCKS = {
    "meta.edition": sa.text("LOCK TABLE meta.edition IN SHARE ROW EXCLUSIVE MODE"),
    "meta.load_report": sa.text("LOCK TABLE meta.load_report IN SHARE ROW EXCLUSIVE MODE"),
    "hist.kill": sa.text("LOCK TABLE hist.kill IN SHARE ROW EXCLUSIVE MODE"),
}
"""What each phase needs and none before it."""
Victim = Callable[[subprocess.Popen[bytes]], None]


class Yard:
    """Two layers of the same shape: one whose loads are disturbed, one whose are not."""

    def __init__(self, database: Database, folder: Path) -> None:
        self.database, self.folder = database, folder
        self.layers = write_layers(folder, "kill", "calm", row_clearance=None)
        self.catalog = read_catalog(self.layers)
        self.target = prepared(database, self.catalog)
        self.environ = environment(database, self.layers)

    def file(self, layer: str, version: int) -> Path:
        rows = [
            {
                "code": f"c{i}",
                "name": f"n{i} {version if i % 3 == 0 else ''}",
                "geometry": shapely.Point(100 + i / 1e4, 30),
            }
            for i in range(ROWS + 50 * version)
            if (i + version) % 10
        ]
        return write_rows(self.folder / f"{layer}-{version}.gpkg", rows)

    def same(self) -> bool:
        found = content(self.database)
        same_rows = found["geo.kill"] == found["geo.calm"]
        return same_rows and found["hist.kill"] == found["hist.calm"] and len(found["geo.kill"]) > ROWS / 2

    def editions(self, layer: str, number: int) -> int:
        """Editions and reports of a job: one of each, or none."""
        with self.database.transaction(Role.OWNER) as connection:
            reports = connection.execute(sa.select(load_report.c.edition).where(load_report.c.job == number)).scalars()
            named = list(reports)
            whole = connection.execute(sa.select(sa.func.count()).where(edition.c.layer == layer)).scalar_one()
        assert len(named) == 1, "one load of the job came to its end"
        return int(whole)

    def leftovers(self) -> list[str]:
        with self.database.transaction(Role.OWNER) as connection:
            return sa.inspect(connection).get_table_names(schema="staging")

    @contextmanager
    def held(self, table: str | None) -> Iterator[None]:
        """No other session may write into this table; a phase that needs it stands still."""
        if table is None:
            yield
            return
        with self.database.transaction(Role.OWNER) as connection:
            connection.execute(sa.text("SELECT set_config('lock_timeout', '20s', true)"))
            connection.execute(LOCKS[table])
            yield


@pytest.fixture
def yard(database: Database, tmp_path: Path) -> Yard:
    return Yard(database, tmp_path)


def everything(process: subprocess.Popen[bytes]) -> None:
    slay(process)


def only_the_worker(process: subprocess.Popen[bytes]) -> None:
    children = psutil.Process(process.pid).children(recursive=True)
    process.kill()
    process.wait()
    until(lambda: not any(c.is_running() and c.status() != psutil.STATUS_ZOMBIE for c in children), 10)


def only_the_runner(process: subprocess.Popen[bytes]) -> None:
    for child in psutil.Process(process.pid).children():
        os.kill(child.pid, signal.SIGKILL)


STAGES: list[tuple[str, str | None, Victim]] = [
    ("starting", None, everything),
    ("reading", None, everything),
    ("comparing", "meta.edition", everything),
    ("comparing", "meta.edition", only_the_worker),
    ("writing", "hist.kill", everything),
    ("writing", "hist.kill", only_the_runner),
    ("committing", "meta.load_report", everything),
    ("committing", "meta.load_report", only_the_worker),
]


def test_killed_at_every_phase(yard: Yard) -> None:
    deliver(yard.catalog, yard.target, Delivery("kill", yard.file("kill", 0)))
    deliver(yard.catalog, yard.target, Delivery("calm", yard.file("calm", 0)))
    for version, (phase, table, victim) in enumerate(STAGES, start=1):
        number = submit(yard.database, "kill", yard.file("kill", version))
        with worker(yard.environ) as process:
            until(lambda n=number: job(yard.database, n).state == "running", every=0.005)
            with yard.held(table):
                until(lambda p=phase, n=number: job(yard.database, n).phase == p, every=0.005)
                victim(process)
                assert not job(yard.database, number).over, (phase, victim.__name__)
            if victim is only_the_runner:
                found = over(yard.database, number)
                until(lambda: not yard.leftovers())
        if victim is not only_the_runner:
            with worker(yard.environ, "--once") as heir:
                found = over(yard.database, number)
                assert heir.wait(PATIENCE) == 0
        assert (found.state, found.attempts, found.deaths) == ("done", 2, 1), (phase, victim.__name__, found)
        deliver(yard.catalog, yard.target, Delivery("calm", yard.file("calm", version)))
        assert yard.same(), (phase, victim.__name__)
        assert yard.editions("kill", number) == version + 1
        assert not yard.leftovers()


def test_killed_at_random(yard: Yard) -> None:
    chance = random.Random(20260725)  # noqa: S311 - a test that can be repeated
    for version in range(4):
        number = submit(yard.database, "kill", yard.file("kill", version))
        with worker(yard.environ) as process:
            until(lambda n=number: job(yard.database, n).state != "queued", every=0.005)
            time.sleep(chance.uniform(0.0, 6.0))
            slay(process)
        with worker(yard.environ):
            found = over(yard.database, number)
        assert found.state == "done"
        deliver(yard.catalog, yard.target, Delivery("calm", yard.file("calm", version)))
        assert yard.same()
        assert yard.editions("kill", number) == version + 1


def test_cancelled_at_random(yard: Yard) -> None:
    chance = random.Random(7)  # noqa: S311 - a test that can be repeated
    deliver(yard.catalog, yard.target, Delivery("kill", yard.file("kill", 0)))
    before = content(yard.database)
    with worker(yard.environ, "--concurrency", "1"):
        for version in range(1, 5):
            number = submit(yard.database, "kill", yard.file("kill", version))
            until(lambda n=number: job(yard.database, n).state == "running", every=0.005)
            time.sleep(chance.uniform(0.0, 2.5))
            asked = time.monotonic()
            with yard.database.psycopg(Role.WRITER, autocommit=True) as connection:
                connection.execute("UPDATE meta.job SET cancel = true WHERE id = %s AND state = 'running'", (number,))
            found = over(yard.database, number)
            assert time.monotonic() - asked < 10, "two seconds on a machine that has nothing else to do"
            if found.state == "cancelled":
                assert content(yard.database) == before
            else:
                assert found.state == "done"
                before = content(yard.database)


def test_cancelled_in_sql(yard: Yard) -> None:
    deliver(yard.catalog, yard.target, Delivery("kill", yard.file("kill", 0)))
    before = content(yard.database)
    number = submit(yard.database, "kill", yard.file("kill", 1))
    with worker(yard.environ), ExitStack() as stack:
        until(lambda: job(yard.database, number).state == "running", every=0.005)
        stack.enter_context(yard.held("hist.kill"))
        until(lambda: job(yard.database, number).phase == "writing")
        with yard.database.psycopg(Role.WRITER, autocommit=True) as connection:
            connection.execute("UPDATE meta.job SET cancel = true WHERE id = %s", (number,))
        assert over(yard.database, number).state == "cancelled"
    assert content(yard.database) == before
