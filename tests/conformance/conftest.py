"""One running site for all conformance tests of a process."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from geoservice.settings import Settings
from tests.support.service import Service
from tests.support.site import running_site


@pytest.fixture(scope="session")
def site(cluster_settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """The application as the anonymous public meets it; tests only read."""
    with running_site(cluster_settings, tmp_path_factory.mktemp("site")) as found:
        yield found
