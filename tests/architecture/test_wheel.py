"""The wheel carries everything that runs, and nothing else."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.architecture.checkout import PACKAGES, ROOT, committed

LIMIT = 300
# Data that the packages read: each must be inside, or an installed service lacks it.
DATA = (".yaml", ".csv", ".sql", ".html", ".json", ".js", ".css", ".svg", ".mako", ".typed")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this checkout, built without a network."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", str(ROOT), "--no-deps", "--no-index", "--no-build-isolation"]
    run = subprocess.run(
        [*command, "--disable-pip-version-check", "--quiet", "--wheel-dir", str(folder)],
        capture_output=True,
        text=True,
        timeout=LIMIT,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def names(wheel: Path) -> set[str]:
    """Files inside the wheel."""
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def missing(names: set[str], wanted: set[str]) -> set[str]:
    return wanted - names


def wanted_files() -> set[str]:
    """Committed modules and data of the five packages."""
    inside = (file.relative_to(ROOT) for file in committed())
    return {p.as_posix() for p in inside if p.parts[0] in PACKAGES and p.suffix in {".py", *DATA}}


def test_all_modules_and_data_are_inside(names: set[str]) -> None:
    wanted = wanted_files()
    assert {Path(name).suffix for name in wanted} >= {".py", ".yaml", ".csv", ".sql", ".html", ".json", ".js", ".css"}
    assert not missing(names, wanted)


def test_front_end_assets_are_inside(names: set[str]) -> None:
    vendor = ROOT / "web/static/vendor"
    assert (vendor / "assets.json").is_file(), "run scripts/install"
    wanted = {f.relative_to(ROOT).as_posix() for f in vendor.rglob("*") if f.is_file()}
    assert len(wanted) > 50
    assert not missing(names, wanted)


def test_nothing_else_is_inside(names: set[str]) -> None:
    heads = {name.split("/")[0] for name in names}
    assert {head for head in heads if not head.endswith(".dist-info")} == set(PACKAGES)
    assert not [name for name in names if "__pycache__" in name or "node_modules" in name]


def test_licence_command_and_types_are_there(wheel: Path, names: set[str]) -> None:
    (metadata,) = (name for name in names if name.endswith(".dist-info/METADATA"))
    info = metadata.removesuffix("METADATA")
    assert f"{info}licenses/LICENSE" in names
    with zipfile.ZipFile(wheel) as archive:
        assert "geoservice = geoservice.command:main" in archive.read(f"{info}entry_points.txt").decode()
        about = archive.read(metadata).decode()
    assert "License-Expression: Apache-2.0" in about
    assert "Requires-Python: >=3.11" in about
    assert {f"{name}/py.typed" for name in PACKAGES} <= names


def test_a_missing_file_is_seen(names: set[str]) -> None:
    assert missing(names - {"geoservice/db/roles.sql"}, wanted_files()) == {"geoservice/db/roles.sql"}
