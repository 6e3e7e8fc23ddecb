"""Answers about the present that were given before: the same question is answered once per edition.

An answer is kept under all that decides it: the collection, the clearance and attributes of the asker, the question as
it was written, and the editions that were read, which are asked of the database each time. The ones that were not used
for longest go.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable, Hashable
from contextlib import asynccontextmanager

from geoservice.statistics.found import Found
from layers.errors import QueryTimeout

MOST_KEPT = 128
MOST_GROUPS = 5_000
"""Groups of an answer beyond which it is not kept."""
TURNS = 3
"""Questions that are worked out at the same time; each may hold a connection and a thread for long."""


class FigureShelf:
    """The answers of this process, and the turns of those who ask."""

    def __init__(self) -> None:
        """Keep nothing yet."""
        self._turns = asyncio.Semaphore(TURNS)
        self._kept: OrderedDict[Hashable, Found] = OrderedDict()
        self._flights: dict[Hashable, asyncio.Future[Found | None]] = {}

    @asynccontextmanager
    async def turn(self, seconds: float) -> AsyncIterator[None]:
        """A turn to work out an answer.

        Args:
            seconds: How long to wait for it.

        Raises:
            QueryTimeout: When others take longer than that.
        """
        try:
            async with asyncio.timeout(seconds):
                await self._turns.acquire()
        except TimeoutError:
            raise QueryTimeout("Other statistics are being worked out at the moment; ask again in a while.") from None
        try:
            yield
        finally:
            self._turns.release()

    async def once(self, key: Hashable, work: Callable[[], Awaitable[Found | None]]) -> Found | None:
        """An answer that is kept, or that somebody works out at this moment, or what the work gives.

        Who waits for another one whose work fails, or who goes away, does the work in turn.

        Args:
            key: All that decides the answer.
            work: Works it out; None when it cannot be done yet.
        """
        while (flight := self._flights.get(key)) is not None:
            found = await asyncio.shield(flight)
            if found is not None:
                return found
        kept = self.get(key)
        if kept is not None:
            return kept
        flight = self._flights[key] = asyncio.get_running_loop().create_future()
        made: Found | None = None
        try:
            made = await work()
        finally:
            del self._flights[key]
            flight.set_result(made)
        if made is not None:
            self.keep(key, made)
        return made

    def get(self, key: Hashable) -> Found | None:
        """An answer, if it is kept."""
        found = self._kept.get(key)
        if found is not None:
            self._kept.move_to_end(key)
        return found

    def keep(self, key: Hashable, found: Found) -> None:
        """Keep an answer, unless it is large."""
        if len(found.groups) > MOST_GROUPS:
            return
        self._kept[key] = found
        while len(self._kept) > MOST_KEPT:
            self._kept.popitem(last=False)
