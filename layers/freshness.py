"""When the update cycle of a layer runs out, and whether it has."""

from __future__ import annotations

import datetime as dt
import re

_PERIOD = re.compile(r"P(?:(\d+)Y)?(?:(\d+)M)?(?:(\d+)W)?(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?)?")
_SECONDS = (31_556_952, 2_629_746, 604_800, 86_400, 3_600, 60, 1)
"""Mean Gregorian year and month, then week to second."""


def due(cycle: str, committed: dt.datetime) -> dt.datetime | None:
    """When the next edition is due.

    Args:
        cycle: An ISO 8601 duration such as `P1Y`.
        committed: When the latest edition was committed.

    Returns:
        None where the cycle is no duration, or reaches beyond the calendar.
    """
    found = _PERIOD.fullmatch(cycle)
    if found is None:
        return None
    seconds = sum(int(part) * unit for part, unit in zip(found.groups(default="0"), _SECONDS, strict=True))
    try:
        return committed + dt.timedelta(seconds=seconds)
    except OverflowError:
        return None
