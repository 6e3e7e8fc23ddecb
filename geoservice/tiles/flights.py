"""Work that several ask for at the same time is done once, and ended when nobody waits for it any more."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(slots=True)
class _Flight(Generic[T]):
    task: asyncio.Task[T]
    waiting: int = 0


class Flights(Generic[T]):
    """What is being made, by key."""

    def __init__(self) -> None:
        """Nothing is under way."""
        self._flights: dict[Hashable, _Flight[T]] = {}

    def __len__(self) -> int:
        """How many are under way."""
        return len(self._flights)

    async def share(self, key: Hashable, make: Callable[[], Awaitable[T]]) -> tuple[T, bool]:
        """What `make` gives, or what the one gives that is under way for the same key.

        Returns:
            The result, and whether it comes from work that others had begun.

        Raises:
            Exception: Whatever `make` raises, to all who wait for it.
        """
        flight = self._flights.get(key)
        joined = flight is not None
        if flight is None:
            flight = self._flights[key] = _Flight(asyncio.ensure_future(self._made(key, make)))
        flight.waiting += 1
        try:
            return await asyncio.shield(flight.task), joined
        finally:
            flight.waiting -= 1
            if not flight.waiting and not flight.task.done():
                # Who comes later begins anew; what is cancelled now must not be waited for.
                self._forget(key, flight)
                flight.task.cancel()

    async def _made(self, key: Hashable, make: Callable[[], Awaitable[T]]) -> T:
        mine = asyncio.current_task()
        try:
            return await make()
        finally:
            flight = self._flights.get(key)
            if flight is not None and flight.task is mine:
                del self._flights[key]

    def _forget(self, key: Hashable, flight: _Flight[T]) -> None:
        if self._flights.get(key) is flight:
            del self._flights[key]
