"""Keeps worker processes alive beside the service: started with it, replaced when they die, ended with it."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

_log = logging.getLogger(__name__)
END_SECONDS = 15.0
"""A worker that is told to end puts its jobs back; after this time it is killed, which comes to the same."""
_CALM_SECONDS = 30.0
_MOST_PAUSE = 30.0


class Keeper(threading.Thread):
    """Keeps one worker process."""

    def __init__(self) -> None:
        """Nothing is started before `start`."""
        super().__init__(name="job-keeper", daemon=True)
        self._ending = threading.Event()
        self.process: subprocess.Popen[bytes] | None = None

    def run(self) -> None:
        """Start the worker again and again, with longer pauses while it dies at once."""
        pause = 1.0
        while not self._ending.is_set():
            began = time.monotonic()
            command = [sys.executable, "-m", "geoservice", "jobs", "work", "--with-parent", str(os.getpid())]
            self.process = subprocess.Popen(command)  # noqa: S603 - our own command, run by our own interpreter
            code = self.process.wait()
            if self._ending.is_set():
                return
            pause = 1.0 if time.monotonic() - began > _CALM_SECONDS else min(pause * 2, _MOST_PAUSE)
            _log.warning("the worker of jobs ended with %s; another one is started in %g s", code, pause)
            self._ending.wait(pause)

    def end(self) -> None:
        """End the worker and wait for it."""
        self._ending.set()
        process = self.process
        if process is not None and process.poll() is None:
            process.terminate()
            try:
                process.wait(END_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
        self.join(END_SECONDS)


@contextmanager
def kept_workers(number: int) -> Iterator[list[Keeper]]:
    """So many worker processes, as long as the context lasts."""
    keepers = [Keeper() for _ in range(number)]
    for keeper in keepers:
        keeper.start()
    try:
        yield keepers
    finally:
        for keeper in keepers:
            keeper.end()
