"""A thread of its own for looking at something again and again, so that nothing else waits for it.

Whatever a look raises is told in the log and ends nothing: the next one comes when it is due.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

_log = logging.getLogger(__name__)


class Lookout:
    """Looks when it is woken, unless it looks already or has done so lately."""

    def __init__(self, name: str, look: Callable[[], object], seconds: float) -> None:
        """Look at nothing yet.

        Args:
            name: What is looked at, for the log.
            look: Looks once; blocking.
            seconds: How long after the beginning of a look the next one may begin.
        """
        self._name = name
        self._look = look
        self._seconds = seconds
        self._thread = ThreadPoolExecutor(1, f"lookout-{name}")
        self._under_way: Future[None] | None = None
        self._began = -math.inf

    @property
    def busy(self) -> bool:
        """Whether a look is under way."""
        return self._under_way is not None and not self._under_way.done()

    def wake(self) -> None:
        """Begin a look when it is time for one; returns at once."""
        if self.busy or time.monotonic() - self._began < self._seconds:
            return
        self._began = time.monotonic()
        self._under_way = self._thread.submit(self._try)

    def close(self) -> None:
        """End the thread; a look that is under way is waited for."""
        self._thread.shutdown()

    def _try(self) -> None:
        try:
            self._look()
        except Exception:  # noqa: BLE001 - whatever one look comes upon, there is a next one
            _log.exception("looking for %s failed in thread %s", self._name, threading.current_thread().name)
