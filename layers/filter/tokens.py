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
  | (?P<number>(?:[0-9]++(?:\.[0-9]*+)?|\.[0-9]++)(?:[eE][+-]?[0-9]++)?)
  | (?P<text>'(?:[^'\\]|''|\\.)*+')
  | (?P<quoted>"(?:[^"]|"")*+")
  | (?P<name>[^\W\d][\w.:]*+)
  | (?P<sign><=|>=|<>|[-+*/%^=<>(),])
    """,
    re.VERBOSE | re.DOTALL,
)
# Positions in parentheses, as nearly all coordinates are written, at one go; the tokens take whatever looks otherwise.
_NUMBER = r"[+-]?(?:[0-9]++(?:\.[0-9]*+)?|\.[0-9]++)(?:[eE][+-]?[0-9]++)?+"
_POSITION = rf"\s*+{_NUMBER}(?:\s++{_NUMBER}){{1,2}}\s*+"
_POSITIONS = re.compile(rf"\(({_POSITION}(?:,{_POSITION})*+)\)")
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


class Tokens:
    """The words of a text from left to right. They are found one by one, so that what is refused early is cheap."""

    def __init__(self, text: str) -> None:
        """Stand before the first word.

        Raises:
            BadFilter: When there is none that can be read.
        """
        self._text, self._at = text, 0
        self.next = self._found()
        """The word that comes next; the last one is the `end`."""

    def take(self) -> Token:
        """The next word; the one behind it is next then.

        Raises:
            BadFilter: With the character that begins no word.
        """
        token = self.next
        if token.type != "end":
            self.next = self._found()
        return token

    def comes(self, kind: TokenType, says: str) -> bool:
        """Whether this word is next."""
        return self.next.type == kind and self.next.says == says

    def skip(self, kind: TokenType, says: str) -> bool:
        """Pass over a word if it is next, and say whether it was."""
        found = self.comes(kind, says)
        if found:
            self.take()
        return found

    def expect(self, kind: TokenType, says: str) -> None:
        """Pass over a word.

        Raises:
            BadFilter: When another one is next.
        """
        if not self.skip(kind, says):
            raise unexpected(self.next, says or "the end")

    def positions(self) -> list[list[object]] | None:
        """Pass over positions in parentheses, each of two or three plain numbers; None when something else is next."""
        if not self.comes("sign", "("):
            return None
        match = _POSITIONS.match(self._text, self.next.at - 1)
        if match is None:
            return None
        self._at = match.end()
        self.next = self._found()
        return [[float(number) for number in one.split()] for one in match.group(1).split(",")]

    def _found(self) -> Token:
        while self._at < len(self._text):
            at = self._at
            match = _TOKEN.match(self._text, at)
            if match is None or match.lastgroup is None:
                raise _unreadable(self._text, at)
            self._at = match.end()
            if match.lastgroup != "space":
                return _token(match.lastgroup, match.group(), at + 1)
        return Token("end", "", len(self._text) + 1)


def unexpected(token: Token, wanted: str) -> BadFilter:
    """The error that says what stands where something else was expected."""
    found = "it ends there" if token.type == "end" else f"there is {token.says[:40]!r}"
    return BadFilter(f"At character {token.at} of the filter {wanted} was expected; {found}.", at=token.at)


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
