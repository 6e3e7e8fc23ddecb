"""The latest editions of all layers, looked up once per second for all who follow them, and what changed for whom."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field

import asyncpg

from geoservice.changes.read import Span, count_changes
from geoservice.db.pools import Pools
from geoservice.db.reading import Reading
from layers.access import Clearance, Decision
from layers.errors import DatabaseUnavailable, QueryTimeout
from layers.model import Layer, RasterLayer

LOOK_SECONDS = 1.0
_MOST_COUNTS = 1000
_log = logging.getLogger(__name__)
Marks = dict[str, int]
"""Layer -> the edition of it that a follower knows."""


@dataclass
class Bulletin:
    """Knows the latest edition of every layer while somebody follows, and counts what changed for whom."""

    pools: Pools
    editions: Marks = field(default_factory=dict)
    _followers: int = 0
    _counts: dict[tuple[object, ...], Mapping[str, int]] = field(default_factory=dict)
    _news: asyncio.Condition = field(default_factory=asyncio.Condition)
    _task: asyncio.Task[None] | None = None

    async def enter(self) -> Marks:
        """Count one more follower; the editions as they are now."""
        self._followers += 1
        await self._read()
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._look(), name="edition-news")
        return self.editions

    def leave(self) -> None:
        """Count one follower less."""
        self._followers -= 1

    async def changed(self, marks: Marks, seconds: float) -> bool:
        """Wait until an edition lies behind a mark; False when none does in time."""

        def fresh() -> bool:
            return any(self.editions.get(name, 0) > known for name, known in marks.items())

        try:
            async with asyncio.timeout(seconds), self._news:
                await self._news.wait_for(fresh)
        except TimeoutError:
            return False
        return True

    async def counted(self, reading: Reading, opened: tuple[Layer, Decision], span: Span) -> Mapping[str, int] | None:
        """What a follower may know of the changes of a layer; None for a raster, whose files are not counted."""
        layer, decision = opened
        if isinstance(layer, RasterLayer):
            return None
        name = (layer.name, span, decision.rule, decision.attributes)
        if name not in self._counts:
            async with self.pools.raw(decision.rule.max_clearance) as connection:
                found = await count_changes(connection, reading, (layer, decision), span)
            if len(self._counts) >= _MOST_COUNTS:
                self._counts.clear()
            self._counts[name] = found
        return self._counts[name]

    async def _look(self) -> None:
        while self._followers > 0:
            try:
                await self._read()
            except (DatabaseUnavailable, QueryTimeout, asyncpg.PostgresError) as error:
                _log.warning("editions cannot be read: %s", type(error).__name__)
            else:
                async with self._news:
                    self._news.notify_all()
            await asyncio.sleep(LOOK_SECONDS)

    async def _read(self) -> None:
        async with self.pools.raw(max(Clearance)) as connection:
            rows = await connection.fetch("SELECT layer, edition FROM meta.layer_state WHERE edition IS NOT NULL")
        self.editions = {row["layer"]: row["edition"] for row in rows}

    async def close(self) -> None:
        """End the look-ups."""
        if self._task is not None:
            self._task.cancel()
