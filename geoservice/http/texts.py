"""Texts of requests that go into the database."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator


def storable(text: str) -> bool:
    """Whether PostgreSQL can keep it: neither NUL nor half a surrogate pair (which JSON can spell)."""
    return not any(char == "\x00" or "\ud800" <= char <= "\udfff" for char in text)


def _require_storable(text: str) -> str:
    if not storable(text):
        raise ValueError("a text without NUL and half characters was expected")
    return text


Storable = Annotated[str, AfterValidator(_require_storable)]
"""A text that the database can keep."""
