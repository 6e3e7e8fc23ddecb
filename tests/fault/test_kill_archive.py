"""A build of an archive is killed with SIGKILL; started again it goes on, and the file is that of a calm build."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import shapely

from geoservice.archives.build import build
from geoservice.archives.request import ArchiveRequest
from geoservice.db.engine import Database
from ingest.load import LoadTarget
from layers.catalog import Catalog, read_catalog
from tests.support.jobs import write_layers
from tests.support.loading import load_file, prepared, write_rows


class Dock:
    """A layer of points far apart, so that an archive has many parts, and a way to be killed."""

    def __init__(self, database: Database, folder: Path) -> None:
        self.database, self.folder = database, folder
        self.layers = write_layers(folder, "mark", tiles={"from": 4, "to": 12})
        self.catalog: Catalog = read_catalog(self.layers)
        self.target: LoadTarget = prepared(database, self.catalog)

    def load(self, number: int) -> None:
        rows: list[dict[str, Any]] = [
            {"code": f"m{i}", "name": f"{number}", "geometry": shapely.Point(80 + i % 10 * 4, 20 + i // 10 * 3)}
            for i in range(100)
        ]
        load_file(self.catalog, self.target, "mark", write_rows(self.folder / f"mark{number}.gpkg", rows))

    def killed(self, file: Path, parts: int) -> None:
        order = {
            "settings": self.database.settings.model_dump_json(),
            "folder": str(self.layers),
            "layers": ["mark"],
            "file": str(file),
            "parts": parts,
        }
        command = [sys.executable, "-m", "tests.fault.archiver", json.dumps(order)]
        ended = subprocess.run(command, capture_output=True, check=False, timeout=120)
        assert ended.returncode == -signal.SIGKILL, ended.stderr.decode()

    def calm(self, file: Path) -> tuple[bytes, bool]:
        made = build(self.database, self.catalog, ArchiveRequest(("mark",)), file)
        return made.file.read_bytes(), made.resumed


@pytest.fixture
def dock(database: Database, tmp_path: Path) -> Dock:
    found = Dock(database, tmp_path)
    found.load(1)
    return found


def drawn_parts(file: Path) -> dict[str, float]:
    """Parts on the shelf, with the time at which they were put there."""
    return {p.name: p.stat().st_mtime_ns for p in file.with_name(f"{file.name}.parts").glob("*.npy")}


def test_a_killed_build_goes_on_and_ends_with_the_same_bytes(dock: Dock, tmp_path: Path) -> None:
    expected, resumed = dock.calm(tmp_path / "calm" / "mark.pmtiles")
    assert not resumed
    file = tmp_path / "killed" / "mark.pmtiles"
    dock.killed(file, 5)
    first = drawn_parts(file)
    assert len(first) >= 5
    assert not file.exists()
    dock.killed(file, len(first) + 7)
    second = drawn_parts(file)
    assert first.items() <= second.items(), "a part was drawn twice"
    assert len(second) > len(first)
    assert dock.calm(file) == (expected, True)
    assert not drawn_parts(file)


def test_after_another_edition_it_starts_anew(dock: Dock, tmp_path: Path) -> None:
    """Parts of two editions must not share an archive."""
    file = tmp_path / "mark.pmtiles"
    dock.killed(file, 5)
    dock.load(2)
    found, resumed = dock.calm(file)
    expected, _ = dock.calm(tmp_path / "calm" / "mark.pmtiles")
    assert not resumed
    assert found == expected
