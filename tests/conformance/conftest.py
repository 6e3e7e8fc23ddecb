"""One running site for all conformance tests of a process, and its address for programs of others."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from geoservice.app import create_app
from geoservice.settings import Settings
from tests.support.service import Service
from tests.support.serving import serving
from tests.support.site import running_site


@pytest.fixture(scope="session")
def site(cluster_settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """The application as the anonymous public meets it; tests only read."""
    with running_site(cluster_settings, tmp_path_factory.mktemp("site")) as found:
        yield found


@pytest.fixture(scope="session")
def address(site: Service) -> Iterator[str]:
    """The same site behind a real socket on loopback."""
    with serving(create_app(site.database.settings, site.catalog)) as found:
        yield found
