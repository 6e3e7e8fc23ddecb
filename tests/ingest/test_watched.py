"""A source under watch: its digest, and whether it changed while it was read."""

from __future__ import annotations

import hashlib
import os
import time
from pathlib import Path
from typing import Any

import pytest

from ingest import watched
from ingest.job import IngestPlan, plan
from ingest.watched import Watched
from layers.errors import SourceMissing, SourceUnreadable
from tests.support.loading import trial_catalog, trial_layer


def job(file: Path) -> IngestPlan:
    return plan(trial_layer(), file, dict(trial_catalog().codelists), mapping="gpkg")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    found = tmp_path / "rows.gpkg"
    found.write_bytes(b"content" * 1000)
    return found


def test_what_it_is(file: Path) -> None:
    with Watched(job(file)) as watch:
        assert watch.size == 7000
        assert watch.source().sha256 == hashlib.sha256(b"content" * 1000).hexdigest()
        assert watch.require_same() == watch.source()


def test_a_missing_source(tmp_path: Path) -> None:
    with pytest.raises(SourceMissing), Watched(job(tmp_path / "none.gpkg")):
        pass


@pytest.mark.parametrize("calm", [0.0, 3600.0])
@pytest.mark.parametrize("hide", [False, True])
def test_a_change_is_noticed(file: Path, monkeypatch: pytest.MonkeyPatch, calm: float, hide: bool) -> None:
    """By its times where nothing had changed before, by its content otherwise; setting the times back hides nothing."""
    monkeypatch.setattr(watched, "_CALM", calm)
    before = file.stat()
    time.sleep(0.05)
    with Watched(job(file)) as watch:
        watch.source()
        time.sleep(0.05)
        with file.open("r+b") as handle:
            handle.write(b"C")
        if hide:
            os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
        with pytest.raises(SourceUnreadable, match="changed while it was read"):
            watch.require_same()


def test_a_calm_source_is_digested_once(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    count = digests_of(monkeypatch)
    monkeypatch.setattr(watched, "_CALM", -60.0)
    with Watched(job(file)) as watch:
        watch.require_same()
    assert count == [1]


def test_a_source_that_came_just_now_is_digested_twice(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A write within the clock's tick might leave the times as they were."""
    count = digests_of(monkeypatch)
    with Watched(job(file)) as watch:
        watch.require_same()
    assert count == [2]


def digests_of(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    count, real = [0], watched.identify_plan

    def counting(asked: IngestPlan) -> Any:
        count[0] += 1
        return real(asked)

    monkeypatch.setattr(watched, "identify_plan", counting)
    return count
