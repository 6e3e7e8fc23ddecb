"""A basket between the thread that receives and the one that writes: bounded by number and by size."""

from __future__ import annotations

import threading
from collections import deque
from typing import Generic, TypeVar

One = TypeVar("One")


class Basket(Generic[One]):
    """What waits to be taken out, in the order in which it came."""

    def __init__(self, most: int, most_bytes: int) -> None:
        """Begin empty; it is full with so many things, or with so many bytes."""
        self._most, self._most_bytes = most, most_bytes
        self._things: deque[tuple[One, int]] = deque()
        self._bytes = 0
        self._open = True
        self._changed = threading.Condition()

    def put(self, one: One, size: int) -> None:
        """Put something in, and wait for room; one that is larger than the basket is put into an empty one."""
        with self._changed:
            self._changed.wait_for(lambda: not self._open or self._room(size))
            self._things.append((one, size))
            self._bytes += size
            self._changed.notify_all()

    def take(self, seconds: float) -> list[One]:
        """Take all out, as soon as there is something within some seconds; otherwise nothing."""
        with self._changed:
            self._changed.wait_for(lambda: bool(self._things), seconds)
            found = [one for one, _ in self._things]
            self._things.clear()
            self._bytes = 0
            self._changed.notify_all()
        return found

    def close(self) -> None:
        """Let nobody wait for room any more."""
        with self._changed:
            self._open = False
            self._changed.notify_all()

    def _room(self, size: int) -> bool:
        return not self._things or (len(self._things) < self._most and self._bytes + size <= self._most_bytes)
