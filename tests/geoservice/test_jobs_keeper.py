"""The worker beside the service: replaced when it dies, gone when the service is gone."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from geoservice.cli.jobs import work_command
from geoservice.db.engine import Database
from geoservice.jobs import keeper
from tests.support.jobs import environment, until, write_layers

KEEP = """
import threading
from geoservice.jobs.keeper import kept_workers
with kept_workers(1):
    threading.Event().wait(600)
"""


def workers(parent: int) -> list[psutil.Process]:
    return [p for p in psutil.Process(parent).children() if "work" in p.cmdline()]


def test_replaced_when_it_dies_and_gone_with_its_parent(database: Database, tmp_path: Path) -> None:
    environ = environment(database, write_layers(tmp_path, "spot"))
    process = subprocess.Popen([sys.executable, "-c", KEEP], env=environ)
    try:
        (first,) = until(lambda: workers(process.pid))
        os.kill(first.pid, signal.SIGKILL)
        (second,) = until(lambda: [w for w in workers(process.pid) if w.pid != first.pid])
    finally:
        # At once: the second one may still be importing, and must end all the same.
        process.kill()
        process.wait()
    until(lambda: not second.is_running() or second.status() == psutil.STATUS_ZOMBIE)


def test_a_worker_of_another_parent_does_not_begin() -> None:
    with pytest.raises(SystemExit):
        work_command(with_parent=1)


def test_ended_with_the_service(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeper.sys, "executable", "/bin/false")
    with keeper.kept_workers(2) as kept:
        until(lambda: all(k.process is not None for k in kept))
    assert not any(k.is_alive() for k in kept)
