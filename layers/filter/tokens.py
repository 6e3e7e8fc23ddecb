"""The tokens of CQL2 text."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, TypeAlias

from layers.errors import BadFilter
from layers.filter.words import KEYWORDS

TokenType: TypeAlias = Literal["name", "quoted", "keyword", "text", "number", "sign", "end"]

# Every alternative begins with another character or takes what it begins with, so that matching takes linear time.
_TOKEN = re.compile(
    r"""
    (?P<space>\s+)
  | (?P<number>(?:\d++(?:\.\d*+)?|\.\d++)(?:[eE][+-]?\d++)?)
  | (?P<text>'(?:[^'\\]|''|\\.)*+')
  | (?P<quoted>"(?:[^"]|"")*+")
  | (?P<name>[^\W\d][\w.:]*+)
  | (?P<sign><=|>=|<>|[-+*/%^=<>(),])
    """,
    re.VERBOSE | re.DOTALL,
)
_ESCAPED = re.compile(r"''|\\(.)", re.DOTALL)
_SHOWN = 30


@dataclass(frozen=True, slots=True)
class Token:
    """A word of the text: its type, what it says, at which character it begins (from 1).

    Keywords say their name in capitals; texts and quoted names say what they mean, without quotes.
    """

    type: TokenType
    says: str
    at: int


def tokens_of(text: str) -> list[Token]:
    """The words of a filter, with an `end` behind them.

    Raises:
        BadFilter: With the character that begins no word.
    """
    found: list[Token] = []
    at = 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None or match.lastgroup is None:
            raise _unreadable(text, at)
        if match.lastgroup != "space":
            found.append(_token(match.lastgroup, match.group(), at + 1))
        at = match.end()
    found.append(Token("end", "", len(text) + 1))
    return found


def _token(group: str, said: str, at: int) -> Token:
    if group == "text":
        return Token("text", _ESCAPED.sub(_unescaped, said[1:-1]), at)
    if group == "quoted":
        return Token("quoted", said[1:-1].replace('""', '"'), at)
    if group == "number":
        return Token("number", said, at)
    if group == "name":
        keyword = said.upper() in KEYWORDS
        return Token("keyword", said.upper(), at) if keyword else Token("name", said, at)
    return Token("sign", said, at)


def _unescaped(match: re.Match[str]) -> str:
    # A doubled quote and a quote behind a backslash are a quote. Every other backslash stays, since LIKE reads it, and
    # so does a pair: the second of two backslashes escapes nothing.
    return "'" if match.group() in ("''", "\\'") else match.group()


def _unreadable(text: str, at: int) -> BadFilter:
    if text[at] in "'\"":
        kind = "text" if text[at] == "'" else "name"
        return BadFilter(f"The {kind} that begins at character {at + 1} of the filter has no closing quote.", at=at + 1)
    return BadFilter(f"The filter cannot be read from character {at + 1} on: {text[at : at + _SHOWN]!r}.", at=at + 1)
