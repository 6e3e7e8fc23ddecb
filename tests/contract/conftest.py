"""One running service with canary rows for all contract tests of a process."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from geoservice.settings import Settings
from tests.support.database import copied_database
from tests.support.service import Service, fill, running, service_catalog


@pytest.fixture(scope="session")
def service(cluster_settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """The application over its own database; tests only read."""
    catalog = service_catalog()
    with copied_database(cluster_settings) as database:
        fill(database, catalog, tmp_path_factory.mktemp("canaries"))
        with running(database, catalog) as found:
            yield found
