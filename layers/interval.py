"""Time intervals, half-open everywhere: start belongs to the interval, end does not. Resolution 1 microsecond, UTC."""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass

from layers.errors import BadParameter

_EXPECTED = (
    "datetime is an RFC 3339 date or date-time such as 2026-06-01T08:00:00Z, or an interval of two of them "
    "written start/end, where .. leaves a side open"
)
_DATE = re.compile(r"^(\d{4}-\d{2}-\d{2})T?$", re.ASCII)
"""A day; GDAL's driver writes those that it filters by with a T behind them."""
_INSTANT = re.compile(r"^\d{4}-\d{2}-\d{2}[Tt]\d{2}:\d{2}:\d{2}(\.\d{1,6})?([Zz]|[+-]\d{2}:\d{2})$", re.ASCII)
_TICK = dt.timedelta(microseconds=1)
_DAY = dt.timedelta(days=1)
_SIDES = 2


@dataclass(frozen=True, slots=True)
class Interval:
    """A half-open interval [start, end) in UTC; None leaves a side open."""

    start: dt.datetime | None
    end: dt.datetime | None

    def days(self) -> tuple[dt.date | None, dt.date | None]:
        """First and last UTC day that meet the interval, both included; None leaves a side open."""
        first = None if self.start is None else self.start.date()
        last = None if self.end is None else (self.end - _TICK).date()
        return first, last


def parse_datetime(text: str) -> Interval:
    """Read the `datetime` parameter (OGC API Features Part 1, 7.15.4). A date means its whole UTC day.

    Raises:
        BadParameter: When it is not of that form, or its end lies before its start.
    """
    parts = text.split("/")
    if len(parts) > _SIDES:
        raise BadParameter(f"{_EXPECTED}; {text[:60]!r} is not that.", parameter="datetime")
    if len(parts) == 1:
        return _span(parts[0])
    start = None if parts[0] in ("", "..") else _span(parts[0]).start
    end = None if parts[1] in ("", "..") else _span(parts[1]).end
    if start is not None and end is not None and end <= start:
        raise BadParameter(f"{_EXPECTED}; the end lies before the start.", parameter="datetime")
    return Interval(start, end)


def parse_instant(text: str, parameter: str) -> dt.datetime:
    """Read a parameter that names one instant, an RFC 3339 date-time with its zone; the answer is in UTC.

    Raises:
        BadParameter: When it is not of that form.
    """
    try:
        if _INSTANT.match(text):
            return dt.datetime.fromisoformat(text.upper()).astimezone(dt.UTC)
    except (ValueError, OverflowError):
        pass
    raise BadParameter(
        f"{parameter} is an RFC 3339 date-time with a zone such as 2026-06-01T08:00:00Z; {text[:60]!r} is not that.",
        parameter=parameter,
    )


def _span(text: str) -> Interval:
    try:
        if day := _DATE.match(text):
            start = dt.datetime.fromisoformat(day.group(1)).replace(tzinfo=dt.UTC)
            return Interval(start, start + _DAY)
        if _INSTANT.match(text):
            start = dt.datetime.fromisoformat(text.upper()).astimezone(dt.UTC)
            return Interval(start, start + _TICK)
    except (ValueError, OverflowError):
        pass
    raise BadParameter(f"{_EXPECTED}; {text[:60]!r} is not that.", parameter="datetime")
