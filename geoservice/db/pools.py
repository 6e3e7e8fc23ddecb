"""Connections of the service: read-only and asynchronous, one pool and one login role per clearance."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from types import TracebackType
from typing import Any, Self, TypeAlias

import asyncpg
from asyncpg.pool import PoolConnectionProxy
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from geoservice.db.credentials import Role
from geoservice.db.engine import APPLICATION, Database, unavailable
from layers.access import Clearance
from layers.errors import DatabaseUnavailable, QueryTimeout

QUERY_CANCELLED = "57014"
# Classes of SQLSTATE that mean "no server for you now": connection, resources, operator intervention, login, database
# that is not there (while it is being restored).
AWAY_CLASSES = ("08", "53", "57P", "28", "3D")
IDLE_SECONDS = 600.0
MILLISECONDS = 1000

RawConnection: TypeAlias = "PoolConnectionProxy[asyncpg.Record]"


class Pools:
    """One asyncpg pool and one SQLAlchemy engine per clearance, as an async context manager.

    Nothing is connected before the first use, so the service can start (and say that it is not ready) while
    the database is away. Every session has JIT and parallel query off, a statement timeout, read-only
    transactions and a fixed search path.
    """

    def __init__(self, database: Database) -> None:
        """Remember the database; pools open on entry."""
        self._database = database
        self._pools: dict[Clearance, asyncpg.Pool[asyncpg.Record]] = {}
        self._engines: dict[Clearance, AsyncEngine] = {}

    async def __aenter__(self) -> Self:
        """Make the pools; they connect on first use."""
        settings = self._database.settings
        for clearance in Clearance:
            arguments = self._arguments(clearance)
            self._pools[clearance] = await asyncpg.create_pool(
                **arguments,
                min_size=0,
                max_size=settings.pool_max,
                max_inactive_connection_lifetime=IDLE_SECONDS,
                reset=_left_clean,
                # A statement over many layers is long, and planned anew each time if it is not kept.
                max_cacheable_statement_size=0,
            )
            self._engines[clearance] = create_async_engine(
                "postgresql+asyncpg://",
                connect_args=arguments,
                pool_size=settings.pool_max,
                max_overflow=0,
                pool_timeout=settings.pool_timeout,
                pool_pre_ping=True,
                hide_parameters=True,
            )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close everything."""
        for pool in self._pools.values():
            await pool.close()
        for engine in self._engines.values():
            await engine.dispose()
        self._pools.clear()
        self._engines.clear()

    def _arguments(self, clearance: Clearance) -> dict[str, Any]:
        settings = self._database.settings
        return {
            **self._database.asyncpg_arguments(Role.reader(clearance)),
            "timeout": settings.connect_timeout,
            "server_settings": {
                "application_name": APPLICATION,
                "jit": "off",
                "max_parallel_workers_per_gather": "0",
                "statement_timeout": str(round(settings.statement_timeout * MILLISECONDS)),
                "default_transaction_read_only": "on",
                "search_path": "pg_catalog, public",
            },
        }

    def engine(self, clearance: Clearance) -> AsyncEngine:
        """The SQLAlchemy engine whose connections may see data up to this clearance."""
        return self._engines[clearance]

    @asynccontextmanager
    async def raw(self, clearance: Clearance) -> AsyncIterator[RawConnection]:
        """An asyncpg connection, for compiled statements whose bytes are passed on.

        Raises:
            DatabaseUnavailable: When there is no connection to be had in time, or it breaks.
            QueryTimeout: When a statement exceeds its time.
        """
        pool = self._pools[clearance]
        # With a time limit the driver makes a task of its own; where a connection rests there is nothing to wait for.
        limit = None if pool.get_idle_size() else self._database.settings.pool_timeout
        with translated():
            async with pool.acquire(timeout=limit) as connection:
                yield connection

    @asynccontextmanager
    async def connection(self, clearance: Clearance) -> AsyncIterator[AsyncConnection]:
        """A SQLAlchemy connection inside a read-only transaction, for domain code.

        Raises:
            DatabaseUnavailable: When there is no connection to be had in time, or it breaks.
            QueryTimeout: When a statement exceeds its time.
        """
        with translated():
            async with self._engines[clearance].connect() as connection:
                yield connection

    def use(self) -> dict[str, tuple[int, int]]:
        """By clearance: raw connections that are in use, and all that are open."""
        sizes = {level.label: (pool.get_size(), pool.get_idle_size()) for level, pool in self._pools.items()}
        return {name: (size - idle, size) for name, (size, idle) in sizes.items()}

    async def check(self) -> None:
        """Ask the server for a sign of life, as the public reader.

        Raises:
            DatabaseUnavailable: When there is none.
        """
        async with self.raw(Clearance.PUBLIC) as connection:
            await connection.execute("SELECT 1")


async def _left_clean(connection: asyncpg.Connection[asyncpg.Record]) -> None:
    """Nothing is to be undone when a raw connection is handed back; the driver has ended a transaction left open.

    These sessions run prepared reads only: they make no setting, lock, cursor or temporary table that outlives its
    transaction. The driver's own reset would ask the server once more for each tile.
    """


@contextmanager
def translated() -> Iterator[None]:
    """Turn the drivers' errors that mean "away" or "too long" into ours; every other error passes as it is."""
    try:
        yield
    except (TimeoutError, PoolTimeout):
        raise DatabaseUnavailable("No database connection became free in time; try again later.") from None
    except (OSError, asyncpg.InterfaceError) as error:
        raise unavailable(error) from error
    except asyncpg.PostgresError as error:
        raise (_typed(error) or error) from error
    except DBAPIError as error:
        raise (_typed(error.orig) or error) from error


def _typed(error: BaseException | None) -> DatabaseUnavailable | QueryTimeout | None:
    state = getattr(error, "sqlstate", None) or ""
    if state == QUERY_CANCELLED:
        return QueryTimeout("The query took longer than this service allows; ask for a smaller area or fewer items.")
    if state.startswith(AWAY_CLASSES) or isinstance(error, OSError):
        return unavailable(error)
    return None
