"""The runner (`python -m geoservice.jobs.runner`): a process that does jobs, one after the other, for one worker.

Standard input brings one job per line, as JSON; standard output carries phases, rows and outcomes back. It is a
process of its own so that a job can be stopped at any moment, and so that one that breaks down takes nothing with it.
It ends with its worker, and stays warm between jobs: the libraries take seconds to import.
"""

from __future__ import annotations

import ctypes
import importlib
import json
import logging
import os
import signal
import sys
import time
from collections.abc import Callable
from typing import IO, Any

from sqlalchemy.exc import InterfaceError, OperationalError

from geoservice.db.credentials import Role
from geoservice.db.engine import Database
from geoservice.jobs import queue
from geoservice.jobs.perform import Performer
from geoservice.processes.model import Ask, Call
from geoservice.settings import Settings, load_settings
from ingest.outcome import JobLost
from ingest.progress import Phase
from layers.access import Principal
from layers.errors import DatabaseUnavailable, GeoError, LayerBusy

_PR_SET_PDEATHSIG = 1
_TELL_SECONDS = 0.2
_log = logging.getLogger(__name__)
Say = Callable[[dict[str, Any]], None]


class Teller:
    """Listens to a load and tells the worker, a few times per second."""

    def __init__(self, say: Say) -> None:
        """Tell by this function."""
        self._say = say
        self._rows = 0
        self._told = 0.0

    def __call__(self, rows: int, /) -> None:
        """So many more rows were read."""
        self._rows += rows
        if time.monotonic() - self._told >= _TELL_SECONDS:
            self._told = time.monotonic()
            self._say({"rows": self._rows})

    def enter(self, phase: Phase, /) -> None:
        """A phase begins."""
        self._say({"phase": phase, "rows": self._rows})

    def expect(self, rows: int, total: int | None, /) -> None:
        """So many rows are done in all, of so many."""
        self._rows = rows
        if time.monotonic() - self._told >= _TELL_SECONDS:
            self._told = time.monotonic()
            self._say({"rows": rows, "total": total, "phase": "reading"})


def main() -> int:
    """Do jobs until standard input ends."""
    end_with_parent(int(sys.argv[1]))
    say = _speaker(_own_output())
    settings = load_settings()
    performer = Performer(settings, Database.from_settings(settings), _asking(settings))
    say({"ready": True})
    for line in sys.stdin:
        say({"outcome": outcome(performer, int(json.loads(line)["job"]), say)})
    return 0


def _asking(settings: Settings) -> Ask:
    async def ask(principal: Principal, call: Call) -> Any:
        # Few jobs ask the service anything, and the application takes long to import.
        front = importlib.import_module("geoservice.front")
        return await front.ask(settings, principal, call)

    return ask


def outcome(performer: Performer, number: int, say: Say) -> dict[str, Any]:
    """Do one job and say in one value how it ended: done, refused, failed, busy, away or lost."""
    try:
        with performer.database.transaction(Role.WRITER) as connection:
            job = queue.get(connection, number)
        report = performer.perform(job, Teller(say))
    except LayerBusy:
        return {"busy": True}
    except JobLost:
        return {"lost": True}
    except (DatabaseUnavailable, OperationalError, InterfaceError) as error:
        _log.warning("job %s: the database went away: %s", number, type(error).__name__)
        return {"away": True}
    except GeoError as error:
        return {"refused": _problem(error)}
    except Exception:  # noqa: BLE001 - the last wall between a bug in one job and the queue
        # A job that meets a bug of ours must not end the queue; the log has the details, its owner a sentence.
        _log.exception("job %s failed", number)
        sentence = "An unexpected error ended the job; the log of the worker says more. Nothing was loaded."
        return {"failed": {"kind": "InternalError", "title": "Internal error", "detail": sentence}}
    return {"done": True, "load": None if report is None else report.load}


def _problem(error: GeoError) -> dict[str, Any]:
    facts = {k: v for k, v in error.facts.items() if k != "said"}
    plain = json.loads(json.dumps(facts, default=str))
    return {"kind": type(error).__name__, "title": error.title, "detail": error.detail, "facts": plain}


def _own_output() -> IO[str]:
    """Keep standard output for the worker alone: whatever a library prints goes to standard error."""
    channel = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return channel


def _speaker(channel: IO[str]) -> Say:
    def say(message: dict[str, Any]) -> None:
        channel.write(json.dumps(message, ensure_ascii=True) + "\n")
        channel.flush()

    return say


def end_with_parent(parent: int) -> None:
    """Have the kernel end this process when its parent ends, also when that is killed.

    Args:
        parent: Number of the parent; a second look at it closes the gap before the first took hold.
    """
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        sys.exit(1)


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    sys.exit(main())
