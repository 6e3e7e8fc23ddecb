"""What one worker of all does beside jobs: look at watched folders, keep schedules, sweep. A session lock elects it."""

from __future__ import annotations

import datetime as dt
import logging
import threading
import time

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from geoservice.db.credentials import Role
from geoservice.db.engine import Database
from geoservice.edits import memo
from geoservice.hazards.retention import prune
from geoservice.jobs import queue, schedule
from geoservice.jobs.incoming import sweep_incoming
from geoservice.jobs.intake import NOTHING, Intake, Schedule, read_intake
from geoservice.jobs.model import JobFilter
from geoservice.jobs.results import sweep_results
from geoservice.jobs.uploads import UploadStore
from geoservice.jobs.watch import Watcher
from geoservice.reports.desk import sweep_reports
from layers.catalog import Catalog, read_catalog
from layers.errors import GeoError

LOOK_SECONDS = 1.0
SWEEP_SECONDS = 300.0
_HOUR = 3600.0
_MOST_JOBS = 1_000_000
_LOCK = "geoservice.jobs.leader"
_log = logging.getLogger(__name__)


class Leader:
    """Waits for the lock, then looks after everything that comes by itself."""

    def __init__(self, database: Database, stop: threading.Event) -> None:
        """Work on a database until `stop` is set."""
        self._database = database
        self._stop = stop
        self._engine = database.sync_engine(Role.WRITER)
        self._intake: Intake = NOTHING
        self._stamp: float | None = None
        self._catalog: Catalog | None = None
        self._watchers: list[Watcher] = []
        self._swept = 0.0

    def lead(self) -> None:
        """Try for the lock and work as long as it is held; another one takes over when this one ends."""
        while not self._stop.is_set():
            try:
                with self._engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                    self._serve(connection)
            except DBAPIError as error:
                _log.warning("the database is away: %s", type(error.orig).__name__)
            self._stop.wait(LOOK_SECONDS)

    def _serve(self, connection: sa.Connection) -> None:
        key = sa.func.hashtextextended(_LOCK, 0)
        while not self._stop.is_set():
            # Asking again is also how the end of the connection, and with it of the lock, is noticed.
            if connection.execute(sa.select(sa.func.pg_try_advisory_lock(key))).scalar():
                self.look()
                connection.execute(sa.select(sa.func.pg_advisory_unlock(key)))
            self._stop.wait(LOOK_SECONDS)

    def look(self) -> None:
        """Look at everything once."""
        self._renew()
        for watcher in self._watchers:
            watcher.scan()
        for entry in self._intake.schedules:
            self._tick(entry)
        if time.monotonic() - self._swept > SWEEP_SECONDS:
            self._swept = time.monotonic()
            self._sweep()

    def _renew(self) -> None:
        """Read the watch file when it has changed; a wrong one is named once and changes nothing."""
        file = self._database.settings.watch
        stamp = file.stat().st_mtime if file is not None and file.exists() else None
        if stamp == self._stamp:
            return
        self._stamp = stamp
        try:
            intake = read_intake(file)
            catalog = read_catalog(self._database.settings.layers_dir)
        except GeoError as error:
            _log.error("%s", error.detail)
            return
        self._intake, self._catalog = intake, catalog
        self._watchers = [Watcher(self._engine, catalog, entry) for entry in intake.watch]

    def _tick(self, entry: Schedule) -> None:
        if self._catalog is None:
            return
        try:
            with self._engine.begin() as connection:
                job = schedule.tick(connection, self._catalog, entry, dt.datetime.now(dt.UTC))
        except GeoError as error:
            _log.error("schedule %s: %s", entry.name, error.detail)
            return
        if job is not None:
            _log.info("schedule %s made job %s", entry.name, job.id)

    def _sweep(self) -> None:
        settings = self._database.settings
        removed = UploadStore(settings).sweep()
        with self._engine.begin() as connection:
            memo.sweep(connection, settings.idempotency_hours)
            sweep_reports(connection, settings)
            open_jobs = queue.listing(connection, which=JobFilter(("queued", "running")), limit=_MOST_JOBS)
            failed = queue.listing(connection, which=JobFilter(("failed",)), limit=_MOST_JOBS)
        since = dt.datetime.now(dt.UTC) - dt.timedelta(hours=settings.upload_expiry_hours)
        kept = open_jobs + [job for job in failed if job.finished is None or job.finished > since]
        needed = {str(job.place["folder"]) for job in kept if "folder" in job.place}
        removed += sweep_incoming(settings, needed, _HOUR)
        if (expired := sweep_results(settings, {job.id for job in open_jobs})) > 0:
            _log.info("%s results have expired", expired)
        if removed:
            _log.info("%s unused uploads were removed", removed)
        self._prune(settings.zone_days)

    def _prune(self, days: float) -> None:
        # By itself: a zone that cannot be read keeps nothing else from being swept.
        try:
            with self._engine.begin() as connection:
                zones = prune(connection, days)
        except DBAPIError as error:
            _log.warning("kept hazard zones were not swept: %s", type(error.orig).__name__)
            return
        if zones:
            _log.info("%s kept hazard zones were removed", zones)
