"""The worker's side of a runner: start it, hand it a job, hear from it, watch its memory, kill it."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import subprocess
import sys
import threading
from typing import Any

import psutil

MEBIBYTE = 1 << 20


class RunnerGone(Exception):
    """The runner ended; `code` is its exit status (negative: the signal)."""

    def __init__(self, code: int | None) -> None:
        """Keep the exit status."""
        super().__init__(f"the runner ended with {code}")
        self.code = code


class Runner:
    """A runner process."""

    def __init__(self, environment: dict[str, str] | None = None) -> None:
        """Start it; `environment` replaces the inherited one."""
        self._process = subprocess.Popen(  # noqa: S603 - our own module, run by our own interpreter
            [sys.executable, "-m", "geoservice.jobs.runner", str(os.getpid())],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
            text=True,
            encoding="utf-8",
        )
        self._said: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
        threading.Thread(target=self._listen, name="runner-listen", daemon=True).start()

    @property
    def pid(self) -> int:
        """Its process number."""
        return self._process.pid

    def _listen(self) -> None:
        if self._process.stdout is not None:
            for line in self._process.stdout:
                with contextlib.suppress(ValueError):
                    self._said.put(json.loads(line))
        self._said.put(None)

    def hand(self, job_id: int) -> None:
        """Give it a job.

        Raises:
            RunnerGone: When it has ended.
        """
        if self._process.stdin is None:
            raise RunnerGone(self._process.poll())
        try:
            self._process.stdin.write(json.dumps({"job": job_id}) + "\n")
            self._process.stdin.flush()
        except OSError:
            raise RunnerGone(self._process.wait()) from None

    def hear(self, seconds: float) -> dict[str, Any] | None:
        """What it says next; None when it says nothing for so long.

        Raises:
            RunnerGone: When it has ended.
        """
        try:
            message = self._said.get(timeout=seconds)
        except queue.Empty:
            return None
        if message is None:
            raise RunnerGone(self._process.wait())
        return message

    def memory(self) -> int:
        """Resident memory of the runner and all its children, in bytes; 0 when it has ended."""
        try:
            own = psutil.Process(self.pid)
            family = [own, *own.children(recursive=True)]
        except psutil.Error:
            return 0
        total = 0
        for member in family:
            with contextlib.suppress(psutil.Error):
                total += member.memory_info().rss
        return total

    def kill(self) -> None:
        """End it now; the reading child dies with it."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()
