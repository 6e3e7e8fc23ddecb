"""Packages for the field, packed in the background, a few at the same time.

Whoever asks for the same one shares the work. Nobody waits for longer than a report may take, and whoever waits holds
no thread, so that many who ask at once keep nobody else from being answered.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, field

from geoservice.reports.errors import ReportUnavailable

_MOST = 100
_log = logging.getLogger(__name__)


@dataclass
class Packing:
    """Packs packages, a few at the same time.

    Attributes:
        seconds: How long somebody waits; the work goes on afterwards, and what it made for all times is kept.
        hands: How many are packed at the same time.
        most: How many are packed or wait for it.
    """

    seconds: float
    hands: int = 1
    most: int = _MOST
    _free: asyncio.Semaphore = field(init=False)
    _begun: dict[str, asyncio.Task[bytes]] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        """Make the turnstile."""
        self._free = asyncio.Semaphore(self.hands)

    async def package(self, number: str, pack: Callable[[], bytes]) -> bytes:
        """The package of a report.

        Args:
            number: Id of the report.
            pack: Makes it; called in a thread, and once for all who ask before it is done.

        Raises:
            ReportUnavailable: When it is not there in time, or too many others are asked for.
        """
        task = self._begun.get(number) or self._begin(number, pack)
        await asyncio.wait({task}, timeout=self.seconds)
        if not task.done():
            raise ReportUnavailable("The package of the report is still being packed; ask again in a moment.")
        return task.result()

    def _begin(self, number: str, pack: Callable[[], bytes]) -> asyncio.Task[bytes]:
        if len(self._begun) >= self.most:
            raise ReportUnavailable("Too many packages are being packed; ask again in a moment.")
        task = self._begun[number] = asyncio.create_task(self._packed(pack))
        task.add_done_callback(lambda done: self._end(number, done))
        return task

    async def _packed(self, pack: Callable[[], bytes]) -> bytes:
        async with self._free:
            return await asyncio.to_thread(pack)

    def _end(self, number: str, task: asyncio.Task[bytes]) -> None:
        del self._begun[number]
        # Where everybody has gone, nobody else hears of it.
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.warning("report %s was not packed: %s", number, error)
