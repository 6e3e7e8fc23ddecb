"""Whether the situation has changed at all, looked up once per second for all who follow it in this process.

The look is that of the highest clearance and tells nobody anything: it only says when it is worth to look with one's
own eyes.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from geoservice.alerts.tables import message
from geoservice.db.pools import Pools
from geoservice.situation import tables
from layers.access import Clearance
from layers.errors import DatabaseUnavailable, QueryTimeout
from layers.system import hazard_zone, layer_state

LOOK_SECONDS = 1.0
_LAYERS = ("earthquake", "active_fire", "division")
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Beat:
    """What was last seen: the latest change of units and marks, and a stamp of what the board is made from."""

    moved: int = 0
    board: tuple[Any, ...] = ()


@dataclass
class Pulse:
    """Looks while somebody follows."""

    pools: Pools
    beat: Beat = field(default_factory=Beat)
    _followers: int = 0
    _news: asyncio.Condition = field(default_factory=asyncio.Condition)
    _task: asyncio.Task[None] | None = None

    async def enter(self) -> Beat:
        """Count one more follower; what is there now."""
        self._followers += 1
        self.beat = await self._read()
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._look(), name="situation-pulse")
        return self.beat

    def leave(self) -> None:
        """Count one follower less."""
        self._followers -= 1

    async def other(self, known: Beat, seconds: float) -> bool:
        """Wait until something else is there than what is known; False when nothing is in time."""
        try:
            async with asyncio.timeout(seconds), self._news:
                await self._news.wait_for(lambda: self.beat != known)
        except TimeoutError:
            return False
        return True

    async def close(self) -> None:
        """End the looks."""
        if self._task is not None:
            self._task.cancel()

    async def _look(self) -> None:
        while self._followers > 0:
            await asyncio.sleep(LOOK_SECONDS)
            try:
                beat = await self._read()
            except (DatabaseUnavailable, QueryTimeout) as error:
                _log.warning("the situation cannot be read: %s", error.detail)
                continue
            if beat != self.beat:
                self.beat = beat
                async with self._news:
                    self._news.notify_all()

    async def _read(self) -> Beat:
        async with self.pools.connection(Clearance.RESTRICTED) as connection:
            row = (await connection.execute(_STATEMENT)).one()
        return Beat(max(row.unit or 0, row.mark or 0), tuple(row)[2:])


def _highest(column: sa.ColumnElement[Any], name: str) -> sa.Label[Any]:
    return sa.select(sa.func.max(column)).scalar_subquery().label(name)


_STATEMENT = sa.select(
    _highest(tables.unit.c.change, "unit"),
    _highest(tables.mark.c.change, "mark"),
    _highest(tables.exercise.c.change, "exercise"),
    _highest(message.c.number, "alert"),
    _highest(hazard_zone.c.kept, "zone"),
    *(
        sa.select(layer_state.c.edition).where(layer_state.c.layer == name).scalar_subquery().label(name)
        for name in _LAYERS
    ),
)
