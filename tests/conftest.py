"""Fixtures shared by all tests: a clean environment and a real PostGIS, started once per test process."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

from geoservice.db.engine import Database
from geoservice.settings import Settings
from tests.support.county import WrittenCounty, written_county
from tests.support.database import copied_database, private_cluster

PREFIX = "GEOSERVICE_"
DATA = "GEOSERVICE_DATA"
TEST_ONLY = "GEOSERVICE_TEST_"


# A busy machine is slow now and then: how long one example takes says nothing about the code.
hypothesis.settings.register_profile("house", deadline=None)
hypothesis.settings.load_profile("house")


def pytest_configure() -> None:
    """Forget the operator's settings: no test may ever touch a database that is in use."""
    for name in [name for name in os.environ if name.startswith(PREFIX)]:
        if name != DATA and not name.startswith(TEST_ONLY):
            del os.environ[name]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Select the tests of the real data pack by the variable that names it; say so when it is not set."""
    if os.environ.get(DATA):
        return
    reason = pytest.mark.skip(reason=f"{DATA} is not set: it names the folder of the real data pack")
    for item in items:
        if item.get_closest_marker("realdata"):
            item.add_marker(reason)


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Folder of the real data pack (tests that use it carry the marker `realdata`)."""
    return Path(os.environ[DATA])


@pytest.fixture(scope="session")
def shared_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that all processes of this run share."""
    own = tmp_path_factory.getbasetemp()
    return own.parent if "PYTEST_XDIST_WORKER" in os.environ else own


@pytest.fixture(scope="session")
def small_county(shared_folder: Path) -> WrittenCounty:
    """The sample county with 500 patches, as its makers write it. Do not write into its folder."""
    return written_county(shared_folder)


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
