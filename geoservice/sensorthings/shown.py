"""Values of the tables as JSON of SensorThings."""

from __future__ import annotations

import datetime as dt
from typing import Any


def as_it_is(value: Any) -> Any:
    """A value that JSON knows."""
    return value


def moment(value: dt.datetime | None) -> str | None:
    """An instant in UTC, with as many decimals as it has: thousandths or millionths of a second."""
    if value is None:
        return None
    value = value.astimezone(dt.UTC)
    precision = "milliseconds" if value.microsecond % 1000 == 0 else "microseconds"
    text = value.isoformat(timespec="seconds" if value.microsecond == 0 else precision)
    return text.removesuffix("+00:00") + "Z"


def span(begin: dt.datetime | None, end: dt.datetime | None) -> str | None:
    """An instant, or a period as its two ends."""
    if begin is None or end is None or begin == end:
        return moment(begin)
    return f"{moment(begin)}/{moment(end)}"


def unit(name: str | None, symbol: str | None, definition: str | None) -> dict[str, str | None]:
    """A unit of measurement; its members are null where there is none."""
    return {"name": name, "symbol": symbol, "definition": definition}


def result(number: float | None, text: str | None, json: Any) -> Any:
    """The one of the three that there is. Whole numbers are written without a fraction, as they were sent."""
    if number is not None:
        return int(number) if number.is_integer() and abs(number) <= _EXACT else number
    return text if text is not None else json


_EXACT = 2.0**53
