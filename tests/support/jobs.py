"""Workers as real processes, and jobs for them."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import yaml

from geoservice.db.credentials import Role
from geoservice.db.engine import Database
from geoservice.jobs import queue
from geoservice.jobs.model import Job, JobRequest
from geoservice.jobs.worker import conclude
from tests.support.loading import BASE

PATIENCE = 120.0


def write_layers(folder: Path, *names: str, **changes: Any) -> Path:
    """A folder for GEOSERVICE_LAYERS_DIR with small point layers of the theme `trial`."""
    place = folder / "layers" / "themes" / "trial"
    place.mkdir(parents=True)
    for name in names:
        data = {**BASE, **changes, "sources": {"gpkg": {"match": [f"{name}*.gpkg"], "complete": True}}}
        (place / f"{name}.yaml").write_text(yaml.safe_dump(data, allow_unicode=True), encoding="utf-8")
    return folder / "layers"


def environment(database: Database, layers: Path, **more: str) -> dict[str, str]:
    """What makes a command work on a test's database."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("GEOSERVICE_")}
    settings = database.settings
    return {
        **kept,
        "GEOSERVICE_HOME": str(settings.home),
        "GEOSERVICE_DATABASE_NAME": settings.database_name,
        "GEOSERVICE_LAYERS_DIR": str(layers),
        **more,
    }


def submit(database: Database, layer: str, file: Path, principal: str = "someone", **more: Any) -> int:
    """Put a load into the queue."""
    request = JobRequest(layer, principal, "api", file.name, {"path": str(file)}, **more)
    with database.transaction(Role.WRITER) as connection:
        return queue.submit(connection, request).id


def job(database: Database, number: int) -> Job:
    """A job as it stands."""
    with database.transaction(Role.WRITER) as connection:
        return queue.get(connection, number)


def until(condition: Callable[[], Any], patience: float = PATIENCE, every: float = 0.02) -> Any:
    """Wait for something to become true, and return it."""
    end = time.monotonic() + patience
    while time.monotonic() < end:
        if found := condition():
            return found
        time.sleep(every)
    raise AssertionError("it did not happen in time")


def over(database: Database, number: int) -> Job:
    """Wait until a job has ended."""

    def ended() -> Job | None:
        found = job(database, number)
        return found if found.over else None

    found: Job = until(ended, every=0.1)
    return found


@contextmanager
def worker(environ: dict[str, str], *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """A worker process; killed at the end with whatever it started."""
    command = [sys.executable, "-m", "geoservice", "jobs", "work", *arguments]
    process = subprocess.Popen(command, env=environ)
    try:
        yield process
    finally:
        slay(process)


def slay(process: subprocess.Popen[bytes]) -> None:
    """SIGKILL to a process and its descendants, children first, so that no supervisor can react."""
    with contextlib.suppress(psutil.Error):
        own = psutil.Process(process.pid)
        own.suspend()
        for child in own.children(recursive=True):
            with contextlib.suppress(psutil.Error):
                child.kill()
    with contextlib.suppress(ProcessLookupError):
        process.send_signal(signal.SIGKILL)
    process.wait()


def claimed(database: Database, do: Callable[[Job], dict[str, Any]]) -> tuple[Job, dict[str, Any]]:
    """Claim the next job, do it, and conclude it as a worker does; the job as it was, and the message of its runner."""
    engine = database.sync_engine(Role.WRITER)
    with engine.connect() as connection:
        with connection.begin():
            taken = queue.claim(connection)
        assert taken is not None, "a job waits"
        message = do(taken)
        with connection.begin():
            conclude(connection, taken, message)
            queue.release(connection, taken)
    engine.dispose()
    return taken, message
