"""The five names belong to this distribution alone."""

from __future__ import annotations

import importlib
import importlib.metadata
import sys
from pathlib import Path

import pytest

from geoservice.db.doctor import Level, package_findings
from tests.architecture.checkout import PACKAGES, ROOT


def owners_by_files() -> dict[str, set[str]]:
    """Who owns a name, from the lists of installed files (independent of the metadata the doctor asks)."""
    found: dict[str, set[str]] = {name: set() for name in PACKAGES}
    for distribution in importlib.metadata.distributions():
        for file in distribution.files or ():
            head = file.parts[0].removesuffix(".py")
            if head in found and file.suffix in {".py", ".so", ".pyi"}:
                found[head].add(distribution.metadata["Name"])
    return found


@pytest.mark.parametrize("name", PACKAGES)
def test_each_package_is_ours(name: str) -> None:
    module = importlib.import_module(name)
    assert module.__file__ is not None
    assert Path(module.__file__).resolve() == ROOT / name / "__init__.py"
    assert [Path(p).resolve() for p in module.__path__] == [ROOT / name], "a namespace package joins strangers"


def test_no_other_distribution_owns_a_name() -> None:
    strangers = {name: owners - {"geoservice"} for name, owners in owners_by_files().items()}
    assert not {name: owners for name, owners in strangers.items() if owners}
    declared = importlib.metadata.packages_distributions()
    assert {name: set(declared[name]) for name in PACKAGES if name in declared} == {
        name: {"geoservice"} for name in PACKAGES if name in declared
    }


def test_our_names_shadow_no_module_of_python() -> None:
    assert not set(PACKAGES) & sys.stdlib_module_names


def test_the_doctor_finds_a_stranger() -> None:
    ours = dict.fromkeys(PACKAGES, ROOT)
    sound = list(package_findings({name: ["geoservice"] for name in PACKAGES}, ours))
    assert {finding.level for finding in sound} == {Level.OK}
    shared = list(package_findings({"web": ["geoservice", "webby"]}, ours))
    assert [(f.level, "webby" in f.message) for f in shared if f.level is not Level.OK] == [(Level.PROBLEM, True)]
    elsewhere = list(package_findings({}, {**ours, "tiles": Path("/somewhere")}))
    assert [f.message.split()[2] for f in elsewhere if f.level is Level.PROBLEM] == ["tiles"]
