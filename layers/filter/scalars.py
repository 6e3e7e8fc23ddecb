"""Scalars of a filter: texts a database can hold, finite numbers, dates and timestamps."""

from __future__ import annotations

import datetime as dt
import math
import re

from layers.errors import BadFilter
from layers.filter.tree import Kind, Value

_DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_TIMESTAMP = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{1,6})?(Z|[+-]\d{2}:\d{2})", re.ASCII)
_EXACT = 2**53
_LARGEST = 2**63
OPEN = ".."
"""The side of an interval that has no bound."""


def text(value: str) -> Value:
    """A text.

    Raises:
        BadFilter: When it has a character that no stored text has.
    """
    if "\x00" in value or _half(value):
        raise BadFilter("A text of the filter has a character that no text can have (NUL or half a surrogate pair).")
    return Value(value, Kind.TEXT)


def _half(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return True
    return False


def number(value: int | float) -> Value:
    """A number; one without a fraction is an integer, however it was written.

    Raises:
        BadFilter: When it is not finite.
    """
    if isinstance(value, float):
        if not math.isfinite(value):
            raise BadFilter("A number of the filter is not finite.")
        whole = value.is_integer() and abs(value) < _EXACT
        return Value(int(value), Kind.INTEGER) if whole else Value(value, Kind.NUMBER)
    if -_LARGEST <= value < _LARGEST:
        return Value(value, Kind.INTEGER)
    try:
        return Value(float(value), Kind.NUMBER)
    except OverflowError:
        raise BadFilter("A number of the filter is too large.") from None


def boolean(value: bool) -> Value:
    """A truth value."""
    return Value(value, Kind.BOOLEAN)


def date(written: str) -> Value:
    """A date, such as 2026-06-01.

    Raises:
        BadFilter: When there is no such day.
    """
    try:
        if _DATE.fullmatch(written):
            return Value(dt.date.fromisoformat(written), Kind.DATE)
    except ValueError:
        pass
    raise BadFilter(f"A date of the filter is written as in DATE('2026-06-01'); {written[:60]!r} is not one.")


def timestamp(written: str) -> Value:
    """A timestamp, such as 2026-06-01T08:00:00Z; CQL2 writes them in UTC, other offsets are understood too.

    Raises:
        BadFilter: When there is no such instant, or its zone is not told.
    """
    try:
        if _TIMESTAMP.fullmatch(written):
            return Value(dt.datetime.fromisoformat(written).astimezone(dt.UTC), Kind.DATETIME)
    except (ValueError, OverflowError):
        pass
    raise BadFilter(
        f"A timestamp of the filter is written as in TIMESTAMP('2026-06-01T08:00:00Z'); {written[:60]!r} is not one."
    )


def instant(written: str) -> Value | None:
    """A side of an interval: a date, a timestamp, or None for an open side.

    Raises:
        BadFilter: When it is none of these.
    """
    if written == OPEN:
        return None
    return date(written) if _DATE.fullmatch(written) else timestamp(written)
