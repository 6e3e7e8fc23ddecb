"""Keeps observations current for as long as a worker runs: layers of series, roll-ups, retention."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from functools import partial

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from geoservice.db.credentials import Role
from geoservice.db.engine import Database
from geoservice.observations import retention, rollup
from geoservice.observations.follow import Course, courses, follow, lagging
from geoservice.observations.tables import rollup_due
from layers.catalog import read_catalog
from layers.errors import DatabaseUnavailable

LOOK_SECONDS = 1.0
AWAY_SECONDS = 5.0
RETAIN_SECONDS = 3600.0
_log = logging.getLogger(__name__)


class ObservationKeeper:
    """Looks every second for editions to follow and roll-ups that are due, every hour for readings to let go."""

    def __init__(self, database: Database, stop: threading.Event) -> None:
        """Look after a database until `stop` is set."""
        self._database = database
        self._stop = stop
        self._retained = time.monotonic()

    def keep(self) -> None:
        """Work until told to stop; what fails is tried again after a while, and the rest goes on."""
        found = courses(read_catalog(self._database.settings.layers_dir))
        again: dict[str, float] = {}
        while not self._stop.wait(LOOK_SECONDS):
            try:
                duties = self._duties(found)
            except (DBAPIError, DatabaseUnavailable) as error:
                _log.warning("the database is away: %s", type(error).__name__)
                self._stop.wait(AWAY_SECONDS)
                continue
            for name, duty in duties:
                if not self._stop.is_set() and time.monotonic() >= again.get(name, 0.0):
                    again[name] = self._do(name, duty)

    def _duties(self, found: tuple[Course, ...]) -> list[tuple[str, Callable[[], object]]]:
        """What there is to do, looked for on one connection: most of the time it is nothing."""
        with self._database.transaction(Role.WRITER) as connection:
            late = lagging(connection, found)
            due = connection.execute(sa.select(sa.exists().select_from(rollup_due))).scalar_one()
        duties: list[tuple[str, Callable[[], object]]] = [
            (course.layer.id, partial(follow, self._database, course)) for course in late
        ]
        if late or due:
            duties.append(("the roll-ups", lambda: rollup.refresh_all(self._database)))
        if time.monotonic() - self._retained > RETAIN_SECONDS:
            self._retained = time.monotonic()
            duties.append(("retention", lambda: retention.retain(self._database)))
        return duties

    def _do(self, name: str, duty: Callable[[], object]) -> float:
        """Do one thing; from when on (monotonic clock) it may be tried again."""
        try:
            duty()
        except (DBAPIError, DatabaseUnavailable) as error:
            _log.warning("observations of %s wait for the database: %s", name, type(error).__name__)
            return time.monotonic() + AWAY_SECONDS
        except Exception:  # noqa: BLE001 - whatever one layer holds, the others keep their observations
            _log.exception("observations of %s could not be renewed", name)
            return time.monotonic() + AWAY_SECONDS
        return 0.0
