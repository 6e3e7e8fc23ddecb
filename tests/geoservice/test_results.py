"""Result folders: what is kept, for how long, and what a second attempt finds."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from geoservice.jobs.results import discard_results, make_folder, results_folder, sweep_results
from geoservice.processes.model import MANIFEST, Output, read_manifest, write_manifest
from geoservice.settings import Settings


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path, result_expiry_hours=2)


def aged(path: Path, hours: float) -> None:
    then = time.time() - hours * 3600
    os.utime(path, (then, then))


def test_a_manifest_comes_back(tmp_path: Path) -> None:
    outputs = {
        "table": Output("text/csv", "a.csv", None, ("spot",), {"rows": 3}),
        "sum": Output("application/json", None, {"n": 1}),
    }
    write_manifest(tmp_path, outputs)
    assert read_manifest(tmp_path) == outputs
    assert read_manifest(tmp_path / "elsewhere") is None


def test_a_second_attempt_finds_parts_but_no_results(settings: Settings) -> None:
    folder = make_folder(settings, 7)
    (folder / "part-1").write_text("done")
    write_manifest(folder, {})
    assert read_manifest(make_folder(settings, 7)) is None
    assert (folder / "part-1").exists()


def test_expired_results_go(settings: Settings) -> None:
    for number, hours in ((1, 1.0), (2, 3.0)):
        folder = make_folder(settings, number)
        write_manifest(folder, {})
        aged(folder / MANIFEST, hours)
    assert sweep_results(settings, set()) == 1
    assert results_folder(settings, 1).exists()
    assert not results_folder(settings, 2).exists()


def test_parts_of_jobs_that_still_run_stay(settings: Settings) -> None:
    for number in (3, 4):
        aged(make_folder(settings, number), 5.0)
    assert sweep_results(settings, {3}) == 1
    assert results_folder(settings, 3).exists()
    discard_results(settings, 3)
    assert not results_folder(settings, 3).exists()
