"""One running site for all conformance tests of a process, and its address for programs of others."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from geoservice.app import create_app
from geoservice.settings import Settings
from tests.conformance.sensorthings import Room, running_room
from tests.support.service import Service
from tests.support.serving import Watched, serving
from tests.support.site import running_site


@pytest.fixture(scope="session")
def site(cluster_settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """The application as the anonymous public meets it; tests only read."""
    with running_site(cluster_settings, tmp_path_factory.mktemp("site")) as found:
        yield found


@pytest.fixture(scope="session")
def watched(site: Service) -> Watched:
    """The application of the same site, which remembers what it was asked for."""
    return Watched(create_app(site.database.settings, site.catalog))


@pytest.fixture(scope="session")
def address(watched: Watched) -> Iterator[str]:
    """The same site behind a real socket on loopback."""
    with serving(watched) as found:
        yield found


@pytest.fixture(scope="module")
def room(cluster_settings: Settings) -> Iterator[Room]:
    """SensorThings behind a real socket, with entities of its own."""
    with running_room(cluster_settings) as found:
        yield found
