"""Fixtures of the tests with files that mean harm: the dock, a listener, and a file that nothing may give away."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from geoservice.db.engine import Database
from tests.support.dock import PLANTED, Dock, Listener, dock, listening


@pytest.fixture(scope="module")
def house(module_database: Database, tmp_path_factory: pytest.TempPathFactory) -> Dock:
    """Where the files of a module arrive."""
    return dock(module_database, tmp_path_factory.mktemp("dock"))


@pytest.fixture
def listener() -> Iterator[Listener]:
    """A server that notes who calls."""
    with listening() as found:
        yield found


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    """A table that every user of the machine may read, and whose content must turn up nowhere."""
    tmp_path.chmod(0o755)
    file = tmp_path / "secret.csv"
    file.write_text(f"{PLANTED}\n{PLANTED}\n")
    file.chmod(0o644)
    return file
