"""Times of requests in GML 3.2 and as plain texts, as CQL2 writes instants and intervals (ISO 8601, UTC)."""

from __future__ import annotations

import datetime as dt
import re
from typing import Any

from geoservice.wfs.words import WfsError
from geoservice.wfs.xml import Element, children, name_of, text_of

TEMPORAL = {
    "After": "t_after",
    "Before": "t_before",
    "Begins": "t_starts",
    "BegunBy": "t_startedBy",
    "During": "t_during",
    "TEquals": "t_equals",
    "TContains": "t_contains",
    "TOverlaps": "t_overlaps",
    "OverlappedBy": "t_overlappedBy",
    "Meets": "t_meets",
    "MetBy": "t_metBy",
    "Ends": "t_finishes",
    "EndedBy": "t_finishedBy",
    "AnyInteracts": "t_intersects",
}
"""Operators of FES 2.0 (OGC 09-026r2, 7.9) by their name, as those of CQL2."""
OPERANDS = ("TimeInstant", "TimePeriod")
_OPEN = ".."
_DAY = re.compile(r"\d{4}-\d\d-\d\d(?:[Zz]|[+-]\d\d:\d\d)?", re.ASCII)
_DAY_LENGTH = 10
_ZONE = re.compile(r"(?:[Zz]|[+-]\d\d:?\d\d)$", re.ASCII)
"""What ends a time that says in which zone it is; without it, UTC is meant."""
_PAIR = 2


def in_zone(text: str) -> str:
    """A time with its zone: UTC where it names none."""
    return text if _ZONE.search(text) else f"{text}Z"


def read_time(element: Element) -> dict[str, Any]:
    """An instant or a period as CQL2 JSON.

    Args:
        element: A TimeInstant, a TimePeriod, or a Literal; a literal of two times with a slash between them is a
            period.

    Raises:
        WfsError: When it is none of them, or its times are none.
    """
    name = name_of(element)
    if name == "TimePeriod":
        return _period([_end(element, side) for side in ("begin", "end")])
    if name == "TimeInstant":
        instant = _position(_single(element, "timePosition"))
    elif name == "Literal":
        ends = [end.strip() for end in text_of(element).split("/")]
        if len(ends) == _PAIR:
            return _period([_OPEN if end in ("", _OPEN) else _written(end) for end in ends])
        instant = _written(text_of(element))
    else:
        raise _failed(f"Temporal operators compare properties, {', '.join(OPERANDS)} and Literal; {name[:40]} is none.")
    if instant == _OPEN:
        raise _failed("A TimeInstant has a known position.")
    return {"date": instant} if len(instant) == _DAY_LENGTH else {"timestamp": instant}


def _period(ends: list[str]) -> dict[str, Any]:
    if ends == [_OPEN, _OPEN]:
        raise _failed("A TimePeriod has a known beginning or end.")
    return {"interval": ends}


def _end(period: Element, side: str) -> str:
    """One end of a period: `beginPosition`, or an instant in `begin`."""
    plain = children(period, f"{side}Position")
    if plain:
        return _position(plain[0])
    return _position(_single(_single(_single(period, side), "TimeInstant"), "timePosition"))


def _single(element: Element, name: str) -> Element:
    found = children(element, name)
    if len(found) != 1:
        raise _failed(f"{name_of(element)} has one {name}.")
    return found[0]


def _position(element: Element) -> str:
    """A time position; what is unknown, before or after is open (ISO 19136, 14.2.2.7)."""
    indeterminate = element.get("indeterminatePosition")
    if indeterminate == "now":
        return dt.datetime.now(dt.UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
    if indeterminate is not None:
        return _OPEN
    return _written(text_of(element))


def _written(text: str) -> str:
    """A day, or an instant with its zone; whether there is such a day is judged with the filter."""
    if _DAY.fullmatch(text):
        return text[:_DAY_LENGTH]
    if "T" not in text.upper():
        raise _failed(f"{text[:40]!r} is neither a day, such as 2026-01-31, nor a time, such as 2026-01-31T12:00:00Z.")
    return in_zone(text)


def _failed(detail: str) -> WfsError:
    return WfsError(detail, "OperationParsingFailed", "filter")
