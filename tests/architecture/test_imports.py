"""Importing is quiet, and imports go only where they may."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.architecture import quiet
from tests.architecture.checkout import PACKAGES, ROOT, product_modules

LISTENER = Path(quiet.__file__)
LIMIT = 120
# Libraries that open a socket while they are imported, and what for. They reach nobody.
PROBES_OF_LIBRARIES = {"urllib3": {"socket.__new__", "socket.bind"}}
# Switches of libraries that are asked whenever a class of ours is made from one of theirs.
SWITCHES_OF_LIBRARIES = {"PYDANTIC_DISABLE_PLUGINS"}
# Where Python itself and what it loads may be read.
PYTHON = tuple(str(Path(p).resolve()) for p in {sys.prefix, sys.base_prefix, sys.exec_prefix})


def listen(names: list[str], place: Path, directory: Path) -> list[dict[str, Any]]:
    """Import modules of the packages in `place` in a new process with an empty environment."""
    command = [sys.executable, str(LISTENER), str(place), *names]
    run = subprocess.run(command, cwd=directory, env={}, capture_output=True, text=True, timeout=LIMIT, check=False)
    assert run.returncode == 0, run.stderr[-2000:]
    notes: list[dict[str, Any]] = json.loads(run.stdout.splitlines()[-1])
    return notes


def faults(notes: list[dict[str, Any]], place: Path) -> list[str]:
    """What was not quiet: anything of our own beside reading our packages and Python, and every way to the outside."""
    return [f"{n['who']}: {n['event']} {n['what']} {n['how']}" for n in notes if _is_fault(n, place)]


def _is_fault(note: Mapping[str, str], place: Path) -> bool:
    event, who = note["event"], note["who"]
    if event.startswith("socket."):
        allowed = [events for name, events in PROBES_OF_LIBRARIES.items() if f"/{name}/" in who]
        return not any(event in events for events in allowed)
    if not who.startswith("own:") or (event == "environ" and note["what"] in SWITCHES_OF_LIBRARIES):
        return False
    if event in {"open", "os.listdir", "os.scandir"} and not _writes(note["how"]):
        return not _may_be_read(note["what"], place)
    return True


def _writes(how: str) -> bool:
    return any(mode in how for mode in ("'w", "'a", "'x", "+"))


def _may_be_read(what: str, place: Path) -> bool:
    path = Path(what).resolve()
    ours = any(path.is_relative_to(place / name) for name in PACKAGES)
    # Python's import system looks into the folders of its search path.
    return ours or path == place or str(path).startswith(PYTHON)


@pytest.mark.parametrize("package", PACKAGES)
def test_importing_is_quiet(package: str, tmp_path: Path) -> None:
    names = [name for name in product_modules() if name.split(".")[0] == package]
    notes = listen(names, ROOT, tmp_path)
    assert any(n["event"] == "open" for n in notes), "the listener heard nothing"
    assert not faults(notes, ROOT)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("import os; HOME = os.environ.get('HOME')", "environ HOME"),
        ("import os; HOME = os.getenv('HOME')", "environ HOME"),
        ("import socket; S = socket.socket()", "socket.__new__"),
        ("import socket; socket.getaddrinfo('localhost', 80)", "socket.getaddrinfo"),
        ("from pathlib import Path; T = Path('/etc/hostname').read_text()", "open /etc/hostname"),
        ("open(__file__, 'a').close()", "open"),
        ("import subprocess; subprocess.run(['true'])", "subprocess.Popen"),
        ("from pydantic_settings import BaseSettings\nS = type('S', (BaseSettings,), {})()", "environ"),
        ("from pathlib import Path; L = list(Path('/etc').iterdir())", "/etc"),
    ],
)
def test_noise_is_heard(line: str, expected: str, tmp_path: Path) -> None:
    package = tmp_path / "layers"
    package.mkdir()
    (package / "__init__.py").write_text(f"{line}\n", encoding="utf-8")
    found = faults(listen(["layers"], tmp_path, tmp_path), tmp_path)
    assert found
    assert expected in found[0]


def test_own_data_may_be_read(tmp_path: Path) -> None:
    package = tmp_path / "layers"
    package.mkdir()
    (package / "words.txt").write_text("words", encoding="utf-8")
    code = (
        "from importlib import resources\nW = (resources.files('layers') / 'words.txt').read_text(encoding='utf-8')\n"
    )
    (package / "__init__.py").write_text(code, encoding="utf-8")
    assert not faults(listen(["layers"], tmp_path, tmp_path), tmp_path)


# ---------------------------------------------------------------- who may know whom

CONTRACTS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]
DOMAIN = ("features", "analysis", "gazetteer", "governance", "observations")


def lint(directory: Path) -> subprocess.CompletedProcess[str]:
    """Run import-linter in a folder."""
    program = Path(sys.executable).with_name("lint-imports")
    command = [str(program), "--no-cache"]
    return subprocess.run(command, cwd=directory, capture_output=True, text=True, timeout=LIMIT, check=False)


def test_contracts_hold() -> None:
    run = lint(ROOT)
    assert run.returncode == 0, run.stdout
    assert f"Contracts: {len(CONTRACTS['contracts'])} kept, 0 broken." in run.stdout


def test_contracts_speak_of_every_domain_folder() -> None:
    named = {module for contract in CONTRACTS["contracts"] for module in contract.get("source_modules", ())}
    there = {f"geoservice.{name}" for name in DOMAIN if (ROOT / "geoservice" / name / "__init__.py").is_file()}
    assert there <= named
    assert set(CONTRACTS["root_packages"]) == set(PACKAGES)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of the house: the same modules without content, the same contracts."""
    folder = tmp_path_factory.mktemp("model")
    for name in PACKAGES:
        for file in sorted((ROOT / name).rglob("*.py")):
            copy = folder / file.relative_to(ROOT)
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_text("", encoding="utf-8")
            (copy.parent / "__init__.py").touch()
    (folder / "pyproject.toml").write_text((ROOT / "pyproject.toml").read_text(encoding="utf-8"), encoding="utf-8")
    return folder


def test_the_empty_model_keeps_the_contracts(model: Path) -> None:
    run = lint(model)
    assert run.returncode == 0, run.stdout + run.stderr


@pytest.mark.parametrize(
    ("module", "line"),
    [
        ("layers/crs.py", "import geoservice.settings"),
        ("tiles/grid.py", "import ingest.job"),
        ("ingest/job.py", "import web.view"),
        ("web/view.py", "import geoservice.house"),
        ("geoservice/features/read.py", "import fastapi"),
        ("geoservice/analysis/__init__.py", "import starlette.requests"),
        ("layers/extent.py", "import sqlalchemy"),
        ("layers/model.py", "import layers.table"),
        ("web/maps.py", "import asyncpg"),
        ("web/maps.py", "import layers.table"),
    ],
)
def test_forbidden_imports_are_found(model: Path, module: str, line: str) -> None:
    file = model / module
    assert (ROOT / module).is_file(), "the model plants faults in modules that exist"
    file.write_text(f"{line}\n", encoding="utf-8")
    try:
        run = lint(model)
    finally:
        file.write_text("", encoding="utf-8")
    assert run.returncode == 1, run.stdout + run.stderr
    assert "BROKEN" in run.stdout


def test_modules_that_are_run_are_only_run() -> None:
    for name in ("geoservice.__main__", "geoservice.db.migrations.env"):
        assert importlib.util.find_spec(name) is not None
        assert name not in product_modules()
