"""Fixtures shared by all tests: a real PostGIS, started once per test process."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from geoservice.db.engine import Database
from geoservice.settings import Settings
from tests.support.database import copied_database, private_cluster


@pytest.fixture(scope="session")
def cluster_settings() -> Iterator[Settings]:
    """Settings of a running private cluster whose template database is migrated. Do not write into it."""
    with private_cluster() as settings:
        yield settings


@pytest.fixture(scope="module")
def module_database(cluster_settings: Settings) -> Iterator[Database]:
    """A migrated, otherwise empty database shared by the tests of one module."""
    with copied_database(cluster_settings) as database:
        yield database


@pytest.fixture
def database(cluster_settings: Settings) -> Iterator[Database]:
    """A migrated, otherwise empty database for one test alone; `database.settings` is ready for `create_app`."""
    with copied_database(cluster_settings) as fresh:
        yield fresh
