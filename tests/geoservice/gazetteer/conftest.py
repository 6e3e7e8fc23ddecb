"""A small country of squares with known codes, served by the real application."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from geoservice.settings import Settings
from tests.support.atlas import Atlas, standing_atlas


@pytest.fixture(scope="session")
def atlas(cluster_settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Atlas]:
    """The running application over the country; tests only read."""
    with standing_atlas(cluster_settings, tmp_path_factory.mktemp("atlas")) as found:
        yield found
