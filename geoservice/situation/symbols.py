"""Code lists of the situation: kinds and states of units, symbols of marks. They come with the package."""

from __future__ import annotations

from functools import lru_cache
from importlib import resources
from pathlib import Path

from layers.codelist import CodeList, read_codelist
from layers.errors import BadBody

MARKS, UNITS, STATES = "situation-mark@1", "situation-unit@1", "situation-status@1"


@lru_cache(maxsize=8)
def codes(name: str) -> CodeList:
    """A code list by its id."""
    return read_codelist(Path(str(resources.files("layers"))) / "codes" / f"{name}.csv")


def require_code(name: str, code: str, member: str) -> str:
    """A code that is in a list.

    Raises:
        BadBody: When it is not; the sentence names those that are.
    """
    known = codes(name).codes
    if code not in known:
        raise BadBody(f"{member} is one of {', '.join(known)}; {code[:40]!r} is not.", where=member, codelist=name)
    return code


def labelled(name: str, code: str) -> dict[str, str]:
    """What a code is called, in Chinese and English."""
    found = codes(name)
    return {"zh": found.label(code, "zh"), "en": found.label(code, "en")}
