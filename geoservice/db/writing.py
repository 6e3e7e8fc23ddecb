"""Transactions of the writer on behalf of requests: few connections, no long waits, and errors that say so.

A load may hold rows and tables for as long as it takes. A request that met such a lock would keep its thread and its
connection until then, and a handful of them would keep everybody else out.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from geoservice.db.credentials import Role
from geoservice.db.engine import Database, unavailable
from geoservice.db.pools import AWAY_CLASSES, QUERY_CANCELLED
from layers.errors import DatabaseUnavailable, QueryTimeout

LOCK_NOT_AVAILABLE = "55P03"
ROLLED_BACK_CLASS = "40"
"""Class of SQLSTATE of deadlocks and failed serialisations."""
MILLISECONDS = 1000


class Writer:
    """Short transactions of the writer's role, from a small pool. Blocking; routes call it in a worker thread."""

    def __init__(self, database: Database) -> None:
        """Work on a database; it is connected to on first use."""
        self.database = database
        settings = database.settings
        limits = {
            "lock_timeout": str(round(settings.pool_timeout * MILLISECONDS)),
            "statement_timeout": str(round(settings.analysis_timeout * MILLISECONDS)),
        }
        self._engine = database.sync_engine(Role.WRITER, pooled=True, limits=limits)

    def close(self) -> None:
        """Close the connections."""
        self._engine.dispose()

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """One transaction, committed at the end.

        Raises:
            DatabaseUnavailable: When there is no connection to be had in time, it breaks, or another transaction
                holds what this one needs.
            QueryTimeout: When a statement exceeds its time.
        """
        try:
            with self._engine.begin() as connection:
                yield connection
        except PoolTimeout:
            raise DatabaseUnavailable("No database connection became free in time; try again later.") from None
        except DBAPIError as error:
            raise _told(error) from error


def _told(error: DBAPIError) -> Exception:
    """What a driver's error means to whoever asked; one that means a fault of ours stays as it is."""
    state = getattr(error.orig, "sqlstate", None) or ""
    if state == LOCK_NOT_AVAILABLE or state.startswith(ROLLED_BACK_CLASS):
        return DatabaseUnavailable("What this request needs is held by a load or another change; try again later.")
    if state == QUERY_CANCELLED:
        return QueryTimeout("The change took longer than this service allows; try again when it is less busy.")
    # A connection that cannot be made, or breaks, comes without a state.
    if state.startswith(AWAY_CLASSES) or (not state and isinstance(error, OperationalError | InterfaceError)):
        return unavailable(error.orig)
    return error
