"""A small country of squares with known codes, served by the real application."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from geoservice.settings import Settings
from tests.support.atlas import Atlas, standing_atlas
from tests.support.named import standing_names
from tests.support.service import Service


@pytest.fixture(scope="session")
def atlas(cluster_settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Atlas]:
    """The running application over the country; tests only read."""
    with standing_atlas(cluster_settings, tmp_path_factory.mktemp("atlas")) as found:
        yield found


@pytest.fixture(scope="session")
def names(cluster_settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """The running application over well-known names; tests only read."""
    with standing_names(cluster_settings, tmp_path_factory.mktemp("names")) as found:
        yield found
