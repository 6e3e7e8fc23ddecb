"""The words of `$filter` and `$orderby`, and what may be spent on one expression."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator
from dataclasses import dataclass

import shapely

from geoservice.sensorthings.tree import Literal, Period, Shape
from layers.errors import BadFilter

MOST_TEXT = 8_192
"""Characters of one expression; so no geometry in it has more than some 2,000 positions."""
_MOST_DIGITS = 18
_SHOWN = 40
_INSTANT = r"\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:?\d\d)"
_WORDS = re.compile(
    rf"""
    (?P<space>\s+)
  | (?P<shape>geography'(?:[^']|'')*')
  | (?P<duration>duration'[^']*')
  | (?P<text>'(?:[^']|'')*')
  | (?P<period>{_INSTANT}/{_INSTANT})
  | (?P<instant>{_INSTANT})
  | (?P<date>\d{{4}}-\d\d-\d\d(?![\dT:]))
  | (?P<clock>\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?!\w))
  | (?P<number>\d+(?:\.\d+)?(?:[eE][+-]?\d+)?(?![\w.]))
  | (?P<name>[^\W\d][\w.@:-]*|@[\w.]+)
  | (?P<sign>[(),/-])
    """,
    re.VERBOSE,
)
_DURATION = re.compile(
    r"(?P<sign>[+-]?)P(?:(?P<days>\d+)D)?"
    r"(?:T(?=\d)(?:(?P<hours>\d+)H)?(?:(?P<minutes>\d+)M)?(?:(?P<seconds>\d+(?:\.\d+)?)S)?)?"
)
_CONSTANTS = {"null": None, "true": True, "false": False}


@dataclass(frozen=True, slots=True)
class Token:
    """A word: its type (`number`, `text`, `name`, `sign` ...), what it says, and where it begins (from 1)."""

    type: str
    says: str
    place: int


def words(text: str) -> Iterator[Token]:
    """The words of an expression, and an `end` behind the last.

    Raises:
        BadFilter: When the expression is too long, or has a character that begins no word.
    """
    if len(text) > MOST_TEXT:
        raise BadFilter(f"An expression has at most {MOST_TEXT} characters; this one has {len(text)}.")
    place = 0
    while place < len(text):
        found = _WORDS.match(text, place)
        if found is None:
            shown = text[place : place + _SHOWN]
            raise BadFilter(f"At character {place + 1}, {shown!r} begins no name, value or operator of an expression.")
        if found.lastgroup != "space":
            yield Token(found.lastgroup or "", found.group(), place + 1)
        place = found.end()
    yield Token("end", "", place + 1)


def unexpected(token: Token, expected: str) -> BadFilter:
    """The error that says what should have stood at a place."""
    seen = repr(token.says[:_SHOWN]) if token.type != "end" else "the expression ends"
    return BadFilter(
        f"At character {token.place}, {expected} was expected, not {seen}."
        if token.type != "end"
        else f"At character {token.place} {seen}; {expected} was expected."
    )


def literal(token: Token) -> Literal | None:
    """The value that a word stands for, or None where it is no value.

    Raises:
        BadFilter: When it has the form of a value and is none: a 30th of February, a geometry that crosses itself.
    """
    if token.type == "name" and token.says in _CONSTANTS:
        return Literal(_CONSTANTS[token.says])
    reader = _READERS.get(token.type)
    if reader is None:
        return None
    try:
        return Literal(reader(token.says))
    except (ValueError, OverflowError, shapely.errors.ShapelyError) as error:
        raise BadFilter(
            f"At character {token.place}, {token.says[:_SHOWN]!r} has the form of a {token.type} and is none: {error}."
        ) from None


def _number(says: str) -> int | float:
    if says.isdigit() and len(says) <= _MOST_DIGITS:
        return int(says)
    found = float(says)
    if found == float("inf"):
        raise ValueError("it is greater than any number of 64 bits")
    return found


def instant(says: str) -> dt.datetime:
    """An instant as ISO 8601 writes it, with its offset; without one it is in UTC.

    Raises:
        ValueError: When it is none.
    """
    found = dt.datetime.fromisoformat(says)
    return (found if found.tzinfo else found.replace(tzinfo=dt.UTC)).astimezone(dt.UTC)


def _period(says: str) -> Period:
    start, _, end = says.partition("/")
    found = Period(instant(start), instant(end))
    if found.end < found.start:
        raise ValueError("it ends before it begins")
    return found


def _duration(says: str) -> dt.timedelta:
    found = _DURATION.fullmatch(says[len("duration'") : -1])
    if found is None or not any(found[name] for name in ("days", "hours", "minutes", "seconds")):
        raise ValueError("days, hours, minutes and seconds are written like P1DT2H30M")
    parts = {name: float(found[name] or 0) for name in ("days", "hours", "minutes", "seconds")}
    return dt.timedelta(**parts) * (-1 if found["sign"] == "-" else 1)


def _shape(says: str) -> Shape:
    drawn = shapely.from_wkt(_unquoted(says[len("geography") :]))
    if drawn.is_empty:
        raise ValueError("nothing meets an empty geometry")
    if not drawn.is_valid:
        raise ValueError(shapely.is_valid_reason(drawn))
    west, south, east, north = drawn.bounds
    if not (-180 <= west <= east <= 180 and -90 <= south <= north <= 90):  # noqa: PLR2004
        raise ValueError("longitudes are from -180 to 180 degrees, latitudes from -90 to 90, in this order")
    return Shape(shapely.to_wkb(shapely.force_2d(drawn)))


def _unquoted(says: str) -> str:
    return says[1:-1].replace("''", "'")


_READERS = {
    "number": _number,
    "text": _unquoted,
    "instant": instant,
    "period": _period,
    "date": dt.date.fromisoformat,
    "clock": dt.time.fromisoformat,
    "duration": _duration,
    "shape": _shape,
}
