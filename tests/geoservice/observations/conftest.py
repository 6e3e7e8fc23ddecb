"""A database with the rights of observations, emptied before each test: copying one takes longer than most tests."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from geoservice.db.credentials import Role
from geoservice.db.engine import Database
from geoservice.observations.tables import metadata
from tests.support.loading import prepared, trial_catalog


@pytest.fixture(scope="module")
def observing(module_database: Database) -> Database:
    """A migrated database whose readers have their rights on observations, without layers."""
    prepared(module_database, trial_catalog())
    return module_database


@pytest.fixture
def obs(observing: Database) -> Database:
    """The same without any observation; numbers begin at 1."""
    every = ", ".join(f"obs.{table.name}" for table in metadata.sorted_tables)
    with observing.transaction(Role.OWNER) as connection:
        connection.execute(sa.text(f"TRUNCATE {every} RESTART IDENTITY"))
        connection.execute(sa.text("SELECT obs.drop_empty_parts()"))
    return observing
