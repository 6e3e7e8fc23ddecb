"""Looks after feeds for as long as a worker runs: one worker asks at a time, another one takes over when it ends."""

from __future__ import annotations

import datetime as dt
import logging
import threading

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from geoservice.db.credentials import Role
from geoservice.db.engine import Database
from geoservice.db.writing import Writer
from geoservice.feeds.reader import Reader
from geoservice.jobs.intake import NOTHING, Intake, read_intake
from layers.catalog import read_catalog
from layers.errors import DatabaseUnavailable, GeoError

LOOK_SECONDS, AWAY_SECONDS = 1.0, 5.0
_LOCK = "geoservice.feeds"
_log = logging.getLogger(__name__)


class FeedKeeper:
    """Keeps asking the feeds of the watch file."""

    def __init__(self, database: Database, stop: threading.Event) -> None:
        """Work on a database until `stop` is set."""
        self._database = database
        self._stop = stop
        self._intake: Intake = NOTHING
        self._stamp: float | None = None
        self._reader: Reader | None = None

    def keep(self) -> None:
        """Try for the lock and work as long as it is held; without a watch file there is nothing to do."""
        if self._database.settings.watch is None:
            return
        writer, engine = Writer(self._database), self._database.sync_engine(Role.WRITER)
        try:
            while not self._stop.is_set():
                try:
                    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                        self._serve(connection, writer)
                except (DBAPIError, DatabaseUnavailable) as error:
                    _log.warning("the database is away: %s", type(error).__name__)
                self._stop.wait(AWAY_SECONDS)
        finally:
            writer.close()

    def _serve(self, connection: sa.Connection, writer: Writer) -> None:
        key = sa.func.hashtextextended(_LOCK, 0)
        while not self._stop.wait(LOOK_SECONDS):
            # Asking again is also how the end of the connection, and with it of the lock, is noticed.
            if connection.execute(sa.select(sa.func.pg_try_advisory_lock(key))).scalar():
                self.look(writer)
                connection.execute(sa.select(sa.func.pg_advisory_unlock(key)))

    def look(self, writer: Writer) -> None:
        """Ask the feeds that are due, once."""
        self._renew(writer)
        if self._reader is not None and self._intake.feeds:
            self._reader.poll(self._intake.feeds, dt.datetime.now(dt.UTC))

    def _renew(self, writer: Writer) -> None:
        """Read the watch file when it has changed; a wrong one is named once and changes nothing."""
        settings = self._database.settings
        file = settings.watch
        stamp = file.stat().st_mtime if file is not None and file.exists() else None
        if stamp is None or stamp == self._stamp:
            return
        self._stamp = stamp
        try:
            self._intake, catalog = read_intake(file), read_catalog(settings.layers_dir)
        except GeoError as error:
            _log.error("%s", error.detail)
            return
        self._reader = Reader(settings, writer, catalog)
