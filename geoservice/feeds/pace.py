"""When a feed is asked again: at its pace, more and more seldom while it fails, and never all feeds at once."""

from __future__ import annotations

from collections.abc import Callable
from secrets import SystemRandom

Chance = Callable[[], float]
"""A number from 0 (included) to 1 (excluded)."""
LONGEST = 3600.0
_MOST_DOUBLINGS = 12
_SPREAD = 0.2
chance: Chance = SystemRandom().random


def pause(every: float, failures: int, chance: Chance = chance) -> float:
    """Seconds until a feed is asked again.

    Args:
        every: Its pace in seconds.
        failures: How often it has failed in a row: each doubles the pause, up to an hour (or its pace, if longer).
        chance: Decides where within a tenth around that it lies, so that feeds which failed together, or many
            installations of one product, do not come back together.
    """
    longest = max(LONGEST, every)
    whole: float = min(every * 2.0 ** min(failures, _MOST_DOUBLINGS), longest)
    return whole * (1 - _SPREAD / 2 + _SPREAD * chance())
