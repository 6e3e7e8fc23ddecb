"""The worker: a few slots, each of which takes a job, has a runner do it, and watches."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from geoservice.alerts.feed import AlertKeeper
from geoservice.db.credentials import Role
from geoservice.db.engine import Database
from geoservice.events.courier import Courier
from geoservice.feeds.keeper import FeedKeeper
from geoservice.gazetteer.index import NameKeeper
from geoservice.jobs import queue
from geoservice.jobs.incoming import discard_incoming
from geoservice.jobs.leader import Leader
from geoservice.jobs.model import Job, JobFilter, Progress
from geoservice.jobs.process import MEBIBYTE, Runner, RunnerGone
from geoservice.ladder import LadderKeeper
from geoservice.observations.keeper import ObservationKeeper
from layers.model import VectorLayer

POLL_SECONDS = 0.5
BEAT_SECONDS = 0.5
AWAY_SECONDS = 2.0
WORN_JOBS, WORN_MEMORY = 100, 600 * MEBIBYTE
"""A runner that has done so many jobs or grown so large is replaced before the next one."""
_STATEMENT_TIMEOUT = "SET statement_timeout = '30s'"
_log = logging.getLogger(__name__)


@dataclass
class Watch:
    """What a slot knows of the job under way."""

    job: Job
    progress: Progress
    started: float
    beaten: float = 0.0


class Stopped(Exception):
    """The slot ends the job itself; `state` and `error` say how."""

    def __init__(self, state: str, detail: str | None = None) -> None:
        """Keep the reason."""
        super().__init__(state)
        self.state = state
        self.detail = detail


class Slot:
    """One place where jobs are done, one at a time: a connection that holds the job's lock, and a runner."""

    def __init__(self, database: Database, stop: threading.Event, environment: dict[str, str] | None = None) -> None:
        """Make a slot that works until `stop` is set."""
        self._database = database
        self._stop = stop
        self._environment = environment
        self._engine = database.sync_engine(Role.WRITER)
        self._runner: Runner | None = None
        self._done = 0

    def work(self, *, once: bool = False) -> None:
        """Do jobs until told to stop; `once` ends when none is waiting."""
        try:
            while not self._stop.is_set():
                try:
                    self._serve_connection(once=once)
                except DBAPIError as error:
                    _log.warning("the database is away: %s", type(error.orig).__name__)
                    self._drop_runner()
                    self._stop.wait(AWAY_SECONDS)
                else:
                    return
        finally:
            self._drop_runner()

    def _serve_connection(self, *, once: bool) -> None:
        with self._engine.connect() as connection:
            connection.execute(sa.text(_STATEMENT_TIMEOUT))
            connection.commit()
            while not self._stop.is_set():
                self._recover()
                with connection.begin():
                    job = queue.claim(connection)
                if job is None:
                    if once and not self._any_waiting(connection):
                        return
                    self._stop.wait(POLL_SECONDS)
                    continue
                self._do(connection, job)

    def _any_waiting(self, connection: sa.Connection) -> bool:
        with connection.begin():
            return bool(queue.listing(connection, which=JobFilter(("queued",)), limit=1))

    def _recover(self) -> None:
        """Look for orphaned jobs, in a session of its own: locks are re-entrant within one."""
        with self._engine.begin() as connection:
            orphans = queue.several(connection, queue.recover(connection))
        for number, job in orphans.items():
            _log.warning("job %s was orphaned", number)
            self._discard(job)

    def _do(self, connection: sa.Connection, job: Job) -> None:
        _log.info("job %s: %s <- %s, attempt %s", job.id, job.layer, job.source, job.attempts)
        watch = Watch(job, Progress(), time.monotonic())
        try:
            message = self._follow(connection, watch)
        except RunnerGone as gone:
            self._drop_runner()
            reason = f"The process that did the job ended unexpectedly (exit status {gone.code})"
            _settle(connection, lambda: queue.died(connection, job, reason))
        except Stopped as stopped:
            self._drop_runner()
            self._end(connection, job, stopped)
        else:
            _settle(connection, lambda: conclude(connection, job, message))
            self._wear()
        with connection.begin():
            ended = queue.get(connection, job.id)
            queue.release(connection, job)
        self._discard(ended)
        _log.info("job %s: %s", job.id, ended.state)

    def _discard(self, job: Job) -> None:
        """Remove the uploads of a job that has ended; those of one that failed are kept for a while, to look into."""
        if job.over and job.state != "failed":
            discard_incoming(self._database.settings, job.place)

    def _follow(self, connection: sa.Connection, watch: Watch) -> dict[str, Any]:
        runner = self._ready_runner()
        runner.hand(watch.job.id)
        while True:
            message = runner.hear(BEAT_SECONDS / 2) or {}
            if "outcome" in message:
                outcome: dict[str, Any] = message["outcome"]
                return outcome
            watch.progress.phase = message.get("phase", watch.progress.phase)
            watch.progress.rows = message.get("rows", watch.progress.rows)
            watch.progress.total = message.get("total", watch.progress.total)
            if time.monotonic() - watch.beaten >= BEAT_SECONDS or "phase" in message:
                watch.beaten = time.monotonic()
                self._look(connection, runner, watch)

    def _look(self, connection: sa.Connection, runner: Runner, watch: Watch) -> None:
        """Write progress down; stop the job when it must not go on."""
        settings = self._database.settings
        with connection.begin():
            if not queue.beat(connection, watch.job, watch.progress) and not queue.get(connection, watch.job.id).over:
                raise Stopped("cancelled")
        if self._stop.is_set():
            raise Stopped("queued")
        if time.monotonic() - watch.started > settings.job_timeout:
            raise Stopped("failed", f"The job took longer than the {settings.job_timeout:g} s allowed and was ended.")
        if runner.memory() > settings.job_memory_mb * MEBIBYTE:
            raise Stopped("failed", f"The job took more than the {settings.job_memory_mb} MiB of memory allowed.")

    def _end(self, connection: sa.Connection, job: Job, stopped: Stopped) -> None:
        def write() -> None:
            if stopped.state == "queued":
                queue.put_back(connection, job, 0.0)
            elif stopped.state == "cancelled":
                queue.finish(connection, job, "cancelled")
            else:
                error = {"kind": "LimitExceeded", "title": "Limit exceeded", "detail": stopped.detail}
                queue.finish(connection, job, "failed", error)

        _settle(connection, write)

    def _ready_runner(self) -> Runner:
        if self._runner is None:
            self._runner = Runner(self._environment)
            self._done = 0
        return self._runner

    def _wear(self) -> None:
        self._done += 1
        if self._runner is not None and (self._done >= WORN_JOBS or self._runner.memory() > WORN_MEMORY):
            self._drop_runner()

    def _drop_runner(self) -> None:
        if self._runner is not None:
            self._runner.kill()
            self._runner = None


def _settle(connection: sa.Connection, write: Callable[[], object]) -> None:
    with connection.begin():
        write()


def conclude(connection: sa.Connection, job: Job, message: dict[str, Any]) -> None:
    """Write down how a runner says that a job ended; a load that was committed has done so already."""
    if "done" in message:
        queue.finish(connection, job, "done")
    elif "refused" in message:
        queue.finish(connection, job, "refused", message["refused"])
    elif "busy" in message:
        queue.busy(connection, job)
    elif "away" in message:
        queue.died(connection, job, "The database went away while the job was done")
    elif "lost" in message:
        queue.finish(connection, job, "cancelled")
    else:
        queue.finish(connection, job, "failed", message.get("failed"))


def work(
    database: Database,
    stop: threading.Event,
    *,
    slots: int,
    once: bool = False,
    after_ladder: Callable[[VectorLayer], None] | None = None,
) -> None:
    """Do jobs in so many slots until `stop` is set; `once`: until none is waiting.

    `after_ladder` is called with each layer whose ladder was built anew.
    """
    places = [Slot(database, stop) for _ in range(slots)]
    threads = [threading.Thread(target=place.work, kwargs={"once": once}, name="job-slot") for place in places]
    if not once:
        threads.append(threading.Thread(target=Leader(database, stop).lead, name="job-leader"))
        threads.append(threading.Thread(target=LadderKeeper(database, stop, after_ladder).keep, name="ladder-keeper"))
        threads.append(threading.Thread(target=Courier(database, stop).keep, name="courier"))
        threads.append(threading.Thread(target=AlertKeeper(database, stop).keep, name="alert-keeper"))
        threads.append(threading.Thread(target=FeedKeeper(database, stop).keep, name="feed-keeper"))
        threads.append(threading.Thread(target=NameKeeper(database, stop).keep, name="name-keeper"))
        threads.append(threading.Thread(target=ObservationKeeper(database, stop).keep, name="observation-keeper"))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
