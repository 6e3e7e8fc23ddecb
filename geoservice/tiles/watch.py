"""What a process knows of changes: it asks the database several times per second."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable

import asyncpg

from geoservice.db.compiled import compile_statement
from geoservice.db.pools import Pools, RawConnection
from geoservice.tiles.journal import LONG_AGO, Journal, Stamp, Window, changes_statement, states_statement
from layers.access import Clearance
from layers.errors import DatabaseUnavailable, QueryTimeout

LOOK_SECONDS = 0.2
TRUST_SECONDS = 2.0
"""When nothing was heard for so long, nothing is known to be current any more."""
_IDENTITY = (
    "SELECT s.system_identifier, c.timeline_id, d.oid, 'meta.layer_state'::regclass::oid "
    "FROM pg_control_system() AS s, pg_control_checkpoint() AS c, pg_database AS d WHERE d.datname = current_database()"
)
"""Another cluster, one that was restored to an earlier time, another database, and one that was filled from a dump."""
_LESS_IDENTITY = "SELECT oid, 'meta.layer_state'::regclass::oid FROM pg_database WHERE datname = current_database()"
"""Where the server does not tell more."""
_STATES = compile_statement(states_statement())
_CHANGES = compile_statement(changes_statement())
_log = logging.getLogger(__name__)


class Watch:
    """The journals of all layers, as they were a moment ago."""

    def __init__(self, pools: Pools) -> None:
        """Ask through these pools."""
        self._pools = pools
        self._journals: dict[str, Journal] = {}
        self._heard = LONG_AGO
        self.identity = ""
        self.after_look: Callable[[], None] | None = None
        """Called after each look."""
        self.on_return: Callable[[str], None] | None = None
        """Called with the name of a layer that has gone back to an earlier state, or has another definition now."""

    async def keep(self) -> None:
        """Look again and again, until cancelled."""
        away = False
        while True:
            try:
                await self.look()
                away = False
            except (DatabaseUnavailable, QueryTimeout, asyncpg.PostgresError) as error:
                if not away:
                    _log.warning("what has changed is not known: %s", error)
                away = True
            await asyncio.sleep(LOOK_SECONDS)

    async def look(self) -> None:
        """Ask once what has changed.

        Changes are boxes of rows of every clearance; they are asked for as the reader who may see them all, and
        nothing of them leaves this process.
        """
        asked = time.monotonic()
        async with self._pools.raw(Clearance.RESTRICTED) as connection:
            if not self.identity:
                self.identity = await _identity(connection)
            for row in await connection.fetch(_STATES.sql, *_STATES.arguments({})):
                await self._take(connection, row)
        self._heard = asked
        if self.after_look is not None:
            self.after_look()

    async def _take(self, connection: RawConnection, row: asyncpg.Record) -> None:
        known = self._journals.get(row["layer"])
        numbers = (row["edition"], row["ladder"], row["charted"], row["change"])
        defined = known is not None and known.definition == row["definition"]
        if known is not None and defined and (known.edition, known.ladder, known.charted, known.change) == numbers:
            return
        # What was there at the beginning changed some time ago, and so did all in a database that went back, and all
        # of a layer whose definition now shows other things to other readers.
        fresh = known is None or not defined or known.edition > row["edition"] or known.change > row["change"]
        if known is not None and fresh and self.on_return is not None:
            self.on_return(row["layer"])
        journal = Journal() if known is None or fresh else known
        now = LONG_AGO if fresh else time.monotonic()
        if row["change"] > journal.change:
            values = {"layer": row["layer"], "after": journal.change, "until": row["change"]}
            entries = await connection.fetch(_CHANGES.sql, *_CHANGES.arguments(values))
            journal.add([tuple(entry) for entry in entries], now)
        if row["edition"] != journal.edition or row["ladder"] != journal.ladder:
            journal.learnt = now
        journal.edition, journal.ladder, journal.charted, journal.change = numbers
        journal.definition = row["definition"]
        self._journals[row["layer"]] = journal

    def stale_since(self, layer: str, stamp: Stamp, window: Window) -> float | None:
        """Since when (monotonic clock) a tile is not known to be what would be drawn now; None while it is."""
        journal = self._journals.get(layer)
        if journal is None:
            return LONG_AGO
        if time.monotonic() - self._heard > TRUST_SECONDS:
            return self._heard
        return journal.stale_since(stamp, window)

    def renewed(self, layer: str, stamp: Stamp) -> Stamp:
        """The stamp of a tile that is found to be current."""
        return self._journals[layer].renewed(stamp)


async def _identity(connection: RawConnection) -> str:
    try:
        found = await connection.fetchrow(_IDENTITY)
    except (asyncpg.InsufficientPrivilegeError, asyncpg.UndefinedFunctionError):
        found = await connection.fetchrow(_LESS_IDENTITY)
    return "-".join(str(part) for part in found or ())
