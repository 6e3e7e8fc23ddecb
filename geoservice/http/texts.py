"""Texts of requests that go into the database."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from pydantic import AfterValidator

MOST_NESTING = 64


def storable(text: str) -> bool:
    """Whether PostgreSQL can keep it: neither NUL nor half a surrogate pair (which JSON can spell)."""
    return not any(char == "\x00" or "\ud800" <= char <= "\udfff" for char in text)


def unfit(value: object) -> str | None:
    """What was expected of a JSON value that cannot be kept; None of one that can.

    It looks at all of it without descending into it: a value may be nested deeper than functions may call one another.
    """
    waiting = [(value, 0)]
    while waiting:
        found, depth = waiting.pop()
        if depth > MOST_NESTING:
            return f"values that are nested at most {MOST_NESTING} deep were expected"
        if isinstance(found, str) and not storable(found):
            return "texts without NUL and half characters were expected"
        if isinstance(found, Mapping):
            waiting += [(one, depth + 1) for pair in found.items() for one in pair]
        elif isinstance(found, list | tuple):
            waiting += [(one, depth + 1) for one in found]
    return None


def _require_storable(text: str) -> str:
    if not storable(text):
        raise ValueError("a text without NUL and half characters was expected")
    return text


Storable = Annotated[str, AfterValidator(_require_storable)]
"""A text that the database can keep."""
