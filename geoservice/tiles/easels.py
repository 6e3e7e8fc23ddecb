"""Threads that draw rasters: a few of their own, so that slow pictures hold up neither each other for long nor others.

A thread cannot be stopped. What takes too long is answered for and goes on until it ends, at the place that it holds;
what waits for a place longer than its time is not begun at all.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from layers.errors import QueryTimeout

T = TypeVar("T")


class Easels:
    """Places at which rasters are drawn, one picture at each."""

    def __init__(self, number: int, seconds: float) -> None:
        """Have so many places, and so many seconds for a picture, waiting for a place included."""
        self.seconds = seconds
        self._threads = ThreadPoolExecutor(number, thread_name_prefix="easel")

    async def draw(self, work: Callable[[], T]) -> T:
        """What some work gives that reads rasters; when whoever waits for it is cancelled before, it is not begun.

        Raises:
            QueryTimeout: When it takes longer than a picture may take.
            GeoError: What the work raises.
        """
        place = self._threads.submit(work)
        drawing = asyncio.wrap_future(place)
        try:
            done, _ = await asyncio.wait((drawing,), timeout=self.seconds)
            if done:
                return drawing.result()
        finally:
            # At once: what asyncio cancels, a thread hears of one turn of the loop later, and may begin it meanwhile.
            place.cancel()
            drawing.cancel()
        raise QueryTimeout(f"The picture took longer than the {self.seconds:g} s that one may take; zoom in.")

    def close(self) -> None:
        """Begin nothing any more."""
        self._threads.shutdown(wait=False, cancel_futures=True)
