"""Registered transformation parameters on the command line: listed and judged, with no parameter on any line."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import pytest

from geoservice.cli import run
from geoservice.db.doctor import Level, check_parameters, parameter_findings
from geoservice.settings import Settings, load_settings
from tests.support.parameters import CITY, COMMON, TARIM, registered

TODAY = dt.date(2026, 6, 1)
GRID: dict[str, Any] = {
    **COMMON,
    "source": "EPSG:4610",
    "target": "EPSG:4490",
    "method": "grid",
    "file": "shift.gsb",
    "sha256": "0" * 64,
    "region": {"polygon": [[110, 30], [112, 30], [111, 32]]},
}


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("GEOSERVICE_LAYERS_DIR", str(tmp_path))
    monkeypatch.setenv("GEOSERVICE_HOME", str(tmp_path / "home"))
    return load_settings()


def test_the_list_names_everything_but_the_parameters(
    settings: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tarim = registered(tmp_path, "tarim", {**TARIM, "secrecy": "restricted"})
    registered(tmp_path, "city", CITY)
    assert run(["layers", "transformations"]) == 0
    said = capsys.readouterr().out
    for text in ("tarim", "city", "EPSG:4214", "local", "bursa-wolf-7", "0.03 m, 12 points", "restricted"):
        assert text in said
    assert tarim.digest() in said
    assert not any(text in said for text in ("154.4", "15.8", "39400000"))


def test_check_judges_grids(settings: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    registered(tmp_path, "tarim", TARIM)
    assert run(["layers", "check"]) == 0
    assert "1 sets of transformation parameters" in capsys.readouterr().out
    registered(tmp_path, "grid", GRID)
    assert run(["layers", "check"]) == 2
    assert "The grid shift.gsb of transformation grid cannot be read" in capsys.readouterr().err


def test_the_doctor_judges_each_set(settings: Settings, tmp_path: Path) -> None:
    (nothing,) = check_parameters(settings)
    assert nothing.level is Level.OK
    assert "Xian 1980" in nothing.message
    sound = registered(tmp_path, "tarim", TARIM)
    past = registered(tmp_path, "past", {**TARIM, "valid": {"to": dt.date(2020, 1, 1)}})
    open_ = registered(tmp_path, "open", {**TARIM, "secrecy": "restricted"})
    closed = registered(tmp_path, "closed", {**TARIM, "secrecy": "restricted"})
    (tmp_path / "transformations" / "open.yaml").chmod(0o644)
    (tmp_path / "transformations" / "closed.yaml").chmod(0o640)
    levels = [[f.level for f in parameter_findings(one, TODAY)] for one in (sound, past, open_, closed)]
    assert levels == [[Level.OK], [Level.NOTE], [Level.PROBLEM], [Level.OK]]
    (finding,) = parameter_findings(registered(tmp_path, "grid", GRID), TODAY)
    assert (finding.level, finding.remedy) == (Level.PROBLEM, "Put the registered grid beside its file.")


def test_the_doctor_says_which_file_is_wrong(settings: Settings, tmp_path: Path) -> None:
    registered(tmp_path, "tarim", TARIM)
    (tmp_path / "transformations" / "broken.yaml").write_text("dx: [154.4")
    (finding,) = check_parameters(settings)
    assert finding.level is Level.PROBLEM
    assert "broken.yaml" in finding.message
    assert "154.4" not in finding.message
