"""The loader is killed after each of its steps and at random; the end is that of an undisturbed load.

Each kill hits a first load and a load that inserts, updates, deletes, quarantines and repairs. In between, readers see
the state before or the state after, never anything else.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import shapely
import sqlalchemy as sa

from geoservice.db.credentials import Role
from geoservice.db.engine import Database
from ingest.delivery import Delivery, deliver
from ingest.record import LoadTarget
from layers.catalog import Catalog, read_catalog
from tests.fault.loader import DONE
from tests.support.jobs import environment, until, write_layers
from tests.support.loading import prepared, write_rows
from tests.support.traces import content

STEPS = (
    "ingest.landing:create:after",
    "ingest.landing:fill:before",
    "ingest.landing:fill:after",
    "ingest.late:move:after",
    "ingest.beside:complete:before",
    "ingest.beside:complete:after",
    "ingest.load:open_book:after",
    "ingest.load:open_edition:after",
    "ingest.beside:adopt:after",
    "ingest.diff:land:after",
    "ingest.diff:archive:after",
    "ingest.diff:update_changed:after",
    "ingest.diff:insert_new:after",
    "ingest.indexes:ensure:after",
    "ingest.figures:renew:after",
    "ingest.load:close_edition:before",
    "ingest.load:close_edition:after",
    "ingest.landing:drop:before",
    "ingest.landing:drop:after",
)
FIRST_ONLY = ("beside",)
LATER_ONLY = ("ingest.diff",)
ROWS = 300
RANDOM_KILLS = 6


def rows(version: int) -> list[dict[str, Any]]:
    """Version 2 lacks some rows of version 1, changes some, adds some, repeats one; both have bad and broken ones."""
    found = []
    for i in range(0 if version == 1 else 20, ROWS if version == 1 else ROWS + 30):
        shape: Any = shapely.box(100 + i / 100, 30, 100.01 + i / 100, 30.01)
        if i % 61 == 5:
            x = 100 + i / 100
            shape = shapely.Polygon([(x, 31), (x + 0.01, 31.01), (x + 0.01, 31), (x, 31.01)])
        name = f"n{i}" if i % 7 or version == 1 else f"changed {i}"
        level = "nonsense" if i % 83 == 11 else None
        found.append({"code": f"c{i}", "name": name, "level": level, "geometry": shape})
    # A repeated key would send a first load the way of comparison.
    return found if version == 1 else [*found, {**found[0], "name": "repeated"}]


class Dock:
    """Two databases' worth of the same layer: `kill` is disturbed, `calm` is not."""

    def __init__(self, database: Database, folder: Path) -> None:
        self.database = database
        self.layers = write_layers(folder, "kill", "calm", geometry="polygon", style={"fill": "#aabbcc"})
        self.catalog: Catalog = read_catalog(self.layers)
        self.target: LoadTarget = prepared(database, self.catalog)
        self.files = {
            (layer, version): write_rows(folder / f"{layer}-{version}.gpkg", rows(version))
            for layer in ("kill", "calm")
            for version in (1, 2)
        }

    def load(self, layer: str, version: int) -> Any:
        return deliver(self.catalog, self.target, Delivery(layer, self.files[layer, version]))

    def start(self, version: int, step: str) -> subprocess.Popen[bytes]:
        order = {
            "settings": self.database.settings.model_dump_json(),
            "layers": str(self.layers),
            "layer": "kill",
            "source": str(self.files["kill", version]),
            "step": step,
        }
        return subprocess.Popen(
            [sys.executable, "-m", "tests.fault.loader", json.dumps(order)],
            env={**environment(self.database, self.layers), "PYTHONPATH": os.getcwd()},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def state(self, layer: str) -> dict[str, Any]:
        """Rows, history, quarantine and editions of a layer, without numbers and clocks."""
        found = content(self.database)
        queries = {
            "quarantine": "SELECT position, reason, state FROM meta.quarantine WHERE layer = :layer ORDER BY position",
            "editions": "SELECT inserted, updated, deleted, kind FROM meta.edition WHERE layer = :layer ORDER BY id",
            "figures": "SELECT clearance, rows, west, east FROM meta.layer_figures WHERE layer = :layer ORDER BY 1",
            "outbox": "SELECT west, south, east, north FROM meta.outbox WHERE layer = :layer ORDER BY id",
            "repairs": "SELECT r.position, r.rule FROM meta.repair AS r JOIN meta.edition AS e ON e.id = r.edition "
            "WHERE e.layer = :layer ORDER BY e.id, 1",
        }
        with self.database.transaction(Role.OWNER) as connection:
            books = {
                n: [tuple(r) for r in connection.execute(sa.text(q), {"layer": layer})] for n, q in queries.items()
            }
        return {"rows": found[f"geo.{layer}"], "history": found[f"hist.{layer}"], **books}

    def leftovers(self) -> list[str]:
        with self.database.transaction(Role.OWNER) as connection:
            return sa.inspect(connection).get_table_names(schema="staging")

    def settled(self) -> bool:
        """Whether the server has noticed that the killed process is gone."""
        busy = sa.text(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
            "AND pid <> pg_backend_pid() AND usename LIKE '%_writer'"
        )
        with self.database.transaction(Role.ADMIN) as connection:
            return connection.execute(busy).scalar_one() == 0


@pytest.fixture
def dock(database: Database, tmp_path: Path) -> Dock:
    return Dock(database, tmp_path)


def kill_each(dock: Dock, version: int, steps: list[str], before: dict[str, Any], after: dict[str, Any]) -> None:
    """Kill at each step in turn; a step behind the commit leaves the state after, every other one the state before."""
    for step in steps:
        process = dock.start(version, step)
        out, said = process.communicate(timeout=300)
        assert process.returncode == -9, f"{step} was not met: {out.decode()} {said.decode()[-2000:]}"
        until(dock.settled)
        found = dock.state("kill")
        committed = "landing:drop" in step
        assert found == (after if committed else before), step
        if committed:
            return
    raise AssertionError("no step behind the commit was among them")


def steps_of(version: int) -> list[str]:
    other = LATER_ONLY if version == 1 else FIRST_ONLY
    return [s for s in STEPS if not any(word in s for word in other)]


@pytest.mark.slow
def test_killed_after_each_step(dock: Dock) -> None:
    nothing = dock.state("kill")
    for version in (1, 2):
        before = dock.state("kill") if version == 2 else nothing
        report = dock.load("calm", version)
        assert report.balanced
        after = dock.state("calm")
        kill_each(dock, version, steps_of(version), before, after)
        # Once more after the last kill: everything is there already, and what lay about is swept.
        again = dock.load("kill", version)
        assert again.balanced
        assert again.edition is None
        assert dock.state("kill") == after
        assert dock.leftovers() == []


@pytest.mark.slow
def test_killed_at_random(dock: Dock) -> None:
    chance = random.Random(11)  # noqa: S311 - the same moments each time
    for version in (1, 2):
        before, _ = dock.state("kill"), dock.load("calm", version)
        after = dock.state("calm")
        for _ in range(RANDOM_KILLS):
            process = dock.start(version, "")
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout=chance.uniform(0.5, 6.0))
            process.kill()
            process.communicate()
            until(dock.settled)
            assert dock.state("kill") in (before, after)
        process = dock.start(version, "")
        out, said = process.communicate(timeout=300)
        assert out.decode() == DONE, said.decode()[-2000:]
        assert dock.state("kill") == after
        assert dock.leftovers() == []


def test_a_kill_that_leaves_a_trace_would_be_seen(dock: Dock) -> None:
    """Control: rows committed outside the transaction are a difference, and so is a landing table."""
    dock.load("calm", 1)
    dock.load("kill", 1)
    same = dock.state("calm")
    assert dock.state("kill") == same
    with dock.database.transaction(Role.WRITER) as connection:
        connection.execute(sa.text("UPDATE geo.kill SET name = 'half' WHERE key = 'c1'"))
    assert dock.state("kill") != same
    with dock.database.transaction(Role.WRITER) as connection:
        connection.execute(sa.text("CREATE UNLOGGED TABLE staging.kill__00000000 (x int)"))
    assert dock.leftovers() == ["kill__00000000"]
