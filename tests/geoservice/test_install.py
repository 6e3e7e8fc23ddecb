"""The installation: pinned versions suit Debian 12's Python, scripts take good arguments and refuse bad ones."""

from __future__ import annotations

import importlib.metadata
import re
import subprocess
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from geoservice import __version__

ROOT = Path(__file__).parents[2]
DEBIAN_12_PYTHON = "3.11.2"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def pins() -> dict[str, str]:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pairs = [line.split("==") for line in lines if line and not line.startswith("#")]
    return {canonicalize_name(name): version for name, version in pairs}


def test_the_installed_versions_are_the_pinned_ones() -> None:
    installed = {canonicalize_name(d.name): d.version for d in importlib.metadata.distributions()}
    assert {name: installed[name] for name in pins() if name in installed} == pins()


def test_pinned_versions_run_on_debians_python() -> None:
    """pip on a fresh machine would refuse them otherwise: 3.11.2 is older than most pythons of developers."""
    unfit = {
        d.name: d.metadata["Requires-Python"]
        for d in importlib.metadata.distributions()
        if canonicalize_name(d.name) in pins()
        and not SpecifierSet(d.metadata.get("Requires-Python") or "").contains(DEBIAN_12_PYTHON)
    }
    assert unfit == {}


def test_every_dependency_is_pinned_within_its_bounds() -> None:
    wanted = [Requirement(text) for text in PROJECT["dependencies"] + PROJECT["optional-dependencies"]["dev"]]
    known = pins()
    loose = [r.name for r in wanted if not r.specifier.contains(known.get(canonicalize_name(r.name), "0.dev0"))]
    assert loose == []


def test_the_version_is_said_once() -> None:
    assert PROJECT["version"] == __version__


def test_no_script_names_a_registry_or_a_machine() -> None:
    files = [*(ROOT / "scripts").iterdir(), ROOT / ".ci" / "run", ROOT / "constraints.txt", ROOT / "pyproject.toml"]
    found = [
        f.name for f in files if re.search(r"https?://|/root/|/home/|\bpypi\b|npmjs", f.read_text(encoding="utf-8"))
    ]
    assert found == []


@pytest.mark.parametrize("script", ["install", "demo", "test", "check", "bench"])
def test_scripts_are_sound_bash(script: str) -> None:
    path = ROOT / "scripts" / script
    assert path.stat().st_mode & 0o111 == 0o111
    assert path.read_text(encoding="utf-8").startswith("#!/usr/bin/env bash\n")
    subprocess.run(["bash", "-n", str(path)], check=True)


def test_install_refuses_an_unknown_option() -> None:
    ran = subprocess.run([ROOT / "scripts" / "install", "--fast"], capture_output=True, text=True, check=False)
    assert ran.returncode == 2
    assert "unknown option --fast" in ran.stderr
