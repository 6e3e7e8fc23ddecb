"""What is asked for when a report is made, read from JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from geoservice.reports.manifest import Json, Kind
from layers.errors import BadBody

KINDS: tuple[Kind, ...] = ("impact", "compliance")
_MEMBERS = (*KINDS, "title", "note", "lang")
MOST_TITLE, MOST_NOTE = 200, 4_000


@dataclass(frozen=True)
class ReportAsked:
    """A report that is wanted.

    Attributes:
        kind: What is asked.
        question: The body of the question.
        title: Heading; empty for the name of the zone.
        note: What is added to it.
        language: `zh` or `en`.
    """

    kind: Kind
    question: Json
    title: str = ""
    note: str = ""
    language: Literal["zh", "en"] = "zh"


def report_asked(body: Mapping[str, Any], language: Literal["zh", "en"]) -> ReportAsked:
    """Read the body of `POST /reports`; the question itself is read by those who answer it.

    Args:
        body: The body.
        language: Where it names none.

    Raises:
        BadBody: When it is not what it should be.
    """
    strangers = sorted(str(name)[:40] for name in body if name not in _MEMBERS)
    if strangers:
        raise BadBody(f"The body has the unknown members {', '.join(strangers[:10])}; known are {', '.join(_MEMBERS)}.")
    asked = [kind for kind in KINDS if body.get(kind) is not None]
    if len(asked) != 1 or not isinstance(body[asked[0]], Mapping):
        raise BadBody(
            "The body has exactly one of impact and compliance: the question as POST /impact or /compliance has it."
        )
    chosen = body.get("lang") or language
    if chosen not in ("zh", "en"):
        raise BadBody("lang is zh or en.", where="lang")
    title, note = _text(body, "title", MOST_TITLE), _text(body, "note", MOST_NOTE)
    if "\n" in title:
        raise BadBody("title is one line.", where="title")
    return ReportAsked(asked[0], dict(body[asked[0]]), title, note, chosen)


def _text(body: Mapping[str, Any], name: str, most: int) -> str:
    value = body.get(name) or ""
    good = isinstance(value, str) and len(value) <= most
    if not good or not all(c == "\n" or (c.isprintable() and not "\ud800" <= c <= "\udfff") for c in value):
        raise BadBody(f"{name} is a text of at most {most} printable characters.", where=name)
    return str(value).strip()
