"""Reconciling the tables: commands at the same moment do not trip over each other or wait for a long load."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest
import shapely
import sqlalchemy as sa

from geoservice.cli import run
from geoservice.cli.layers import ensure_tables, synchronise
from geoservice.db.credentials import Role
from geoservice.db.engine import Database
from geoservice.db.sync import stands
from layers.catalog import read_catalog
from tests.support.loading import count, write_rows

pytestmark = pytest.mark.usefixtures("short_waits")


@pytest.fixture
def short_waits(database: Database) -> None:
    """A statement that would wait behind a lock fails in the end instead of hanging the test."""
    with database.psycopg(Role.ADMIN, autocommit=True) as admin:
        admin.execute("ALTER DATABASE " + database.settings.database_name + " SET lock_timeout = '120s'")


def test_many_reconcile_at_the_same_moment(database: Database) -> None:
    together = Barrier(3)

    def one(_: int) -> int:
        together.wait(10)
        return len(synchronise(database.settings, database).created)

    with ThreadPoolExecutor(3) as pool:
        made = sorted(pool.map(one, range(3)))
    assert made[:2] == [0, 0]
    assert made[2] > 0


def test_a_command_does_not_wait_for_the_load_of_another_layer(
    database: Database, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    synchronise(database.settings, database)
    monkeypatch.setenv("GEOSERVICE_HOME", str(database.settings.home))
    monkeypatch.setenv("GEOSERVICE_DATABASE_NAME", database.settings.database_name)
    file = write_rows(
        tmp_path / "sample_airport.gpkg", [{"airport_id": "a1", "name_en": "A", "geometry": shapely.Point(100, 30)}]
    )
    with database.transaction(Role.WRITER) as busy:
        busy.execute(sa.text("LOCK TABLE geo.landuse_patch IN ROW EXCLUSIVE MODE"))
        assert run(["ingest", "load", "airport", str(file)]) == 0
    assert count(database, "geo.airport") == 1


def test_a_changed_definition_is_reconciled(database: Database) -> None:
    catalog = read_catalog(database.settings.layers_dir)
    synchronise(database.settings, database)
    with database.transaction(Role.OWNER) as connection:
        assert stands(connection, catalog)
        connection.execute(sa.text("UPDATE meta.layer_state SET definition = 'former' WHERE layer = 'airport'"))
        connection.execute(sa.text("ALTER TABLE geo.airport DROP COLUMN name_en"))
        assert not stands(connection, catalog)
    ensure_tables(database.settings, database)
    with database.transaction(Role.OWNER) as connection:
        assert stands(connection, catalog)
        connection.execute(sa.text("SELECT name_en FROM geo.airport"))
