"""How often something may be asked for: a bucket of requests per name that fills up again steadily.

Each process counts by itself, in memory.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable

_MINUTE = 60.0
_MOST_NAMES = 10_000


class Pace:
    """Buckets by name; each holds as many requests as may be made in a minute."""

    def __init__(self, per_minute: int, clock: Callable[[], float] = time.monotonic) -> None:
        """Let through so many requests per minute and name.

        Args:
            per_minute: How many; so many may come at once after a minute of rest.
            clock: Seconds that only grow.
        """
        self._room = float(per_minute)
        self._clock = clock
        self._lock = threading.Lock()
        self._left: OrderedDict[bytes, tuple[float, float]] = OrderedDict()

    def allows(self, name: bytes) -> bool:
        """Count a request; whether it may be answered. One that may not costs nothing."""
        now = self._clock()
        with self._lock:
            left, seen = self._left.pop(name, (self._room, now))
            left = min(left + (now - seen) * self._room / _MINUTE, self._room)
            allowed = left >= 1.0
            self._left[name] = (left - 1.0 if allowed else left, now)
            if len(self._left) > _MOST_NAMES:
                # The one that was asked for longest ago is the first to be full again.
                self._left.popitem(last=False)
        return allowed
