"""How well a name answers a search: by what it matched, how important the place is, how near it is. Pure.

The score lies between 0 and 1. Without a point it is 0.6 match + 0.4 importance, with a point 0.5 match + 0.25
importance + 0.25 nearness, where nearness is 1 at the point and a half 20 km away from it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from geoservice.gazetteer.spelling import Form, fold, has_han, readings, sound, syllables

How = Literal["name", "alias", "pinyin", "initials", "word", "inside", "homophone", "similar"]
WEIGHTS = {Form.NAME: 1.0, Form.ALIAS: 0.97, Form.PINYIN: 0.9, Form.INITIALS: 0.75, Form.WORD: 0.85}
"""What an exact match of a term of each form is worth."""
_NAMES: dict[Form, How] = {
    Form.NAME: "name",
    Form.ALIAS: "alias",
    Form.PINYIN: "pinyin",
    Form.INITIALS: "initials",
    Form.WORD: "word",
}
_FORMS = {str(int(form)): form for form in Form}
PREFIX_LEAST, PREFIX_SHARE = 0.55, 0.4
INSIDE, HOMOPHONE, SIMILAR = 0.5, 0.8, 0.65
HALF_DISTANCE = 20_000.0
"""Metres from the point at which nearness is a half."""
_GRAM = 3


@dataclass(frozen=True, slots=True)
class Wanted:
    """A search text in the forms that are compared.

    Attributes:
        text: As it was written.
        folded: Letters and digits alone.
        sound: In plain ASCII.
        pieces: The three-letter pieces of `sound`.
        han: Whether it has Chinese characters.
    """

    text: str
    folded: str
    sound: str
    pieces: frozenset[str]
    han: bool

    @classmethod
    def of(cls, text: str) -> Wanted:
        """Read a search text."""
        folded = fold(text)
        heard = sound(folded)
        return cls(text, folded, heard, pieces(heard), has_han(folded))


@dataclass(frozen=True, slots=True)
class Match:
    """How a name matched and how well (0 to 1)."""

    how: How
    quality: float
    exact: bool = False


@dataclass(frozen=True, slots=True)
class Score:
    """A score and what it is made of; `nearness` is None where no point was given."""

    match: Match
    importance: float
    nearness: float | None

    @property
    def value(self) -> float:
        """The score, 0 to 1."""
        if self.nearness is None:
            return 0.6 * self.match.quality + 0.4 * self.importance
        return 0.5 * self.match.quality + 0.25 * self.importance + 0.25 * self.nearness


def match(wanted: Wanted, terms: str, heard: str) -> Match | None:
    """The best way in which a name answers a search text; None when it does not.

    Args:
        wanted: The search text.
        terms: What the name is found by, as its row keeps it: each behind a line break and the digit of its form.
        heard: The name in plain ASCII.
    """
    best: Match | None = None
    for piece in terms.split("\n"):
        found = _term(wanted, piece[1:], _FORMS[piece[0]]) if piece else None
        if found is not None and (best is None or found.quality > best.quality):
            best = found
    # Likeness takes most of the time, and cannot win over a match that is worth more than any of it.
    if wanted.sound and heard and (best is None or best.quality < SIMILAR):
        alike = SIMILAR * likeness(wanted.pieces, pieces(heard))
        if best is None or best.quality < alike:
            best = Match("similar", alike)
    return best if best is not None and best.quality > 0 else None


def nearness(distance: float) -> float:
    """1 at the point, a half at 20 km, towards 0 far away.

    Args:
        distance: Metres.
    """
    return 1.0 / (1.0 + distance / HALF_DISTANCE)


def likeness(left: frozenset[str], right: frozenset[str]) -> float:
    """Shared pieces of two texts, as a share of all of them (0 to 1)."""
    shared = len(left & right)
    return shared / (len(left) + len(right) - shared)


def pieces(text: str) -> frozenset[str]:
    """The three-letter pieces of a text, with its beginning and its end as PostgreSQL's `pg_trgm` marks them."""
    padded = f"  {text} "
    return frozenset(padded[n : n + _GRAM] for n in range(len(padded) - _GRAM + 1))


def marks(wanted: Wanted, name: str, how: How) -> list[tuple[int, int]]:
    """Which characters of a name matched, as half-open ranges; none where no letters stand for the match."""
    folded, places = _placed(name)
    if how in ("pinyin", "homophone"):
        count = _covered(wanted.folded if how == "pinyin" else wanted.sound, folded)
        span = (0, count) if count else None
    elif how == "initials":
        span = (0, min(len(wanted.folded), len(folded)))
    else:
        start = folded.find(wanted.folded)
        span = (start, start + len(wanted.folded)) if start >= 0 else None
    if span is None or not places or how == "similar":
        return []
    return [(places[span[0]], places[span[1] - 1] + 1)]


def _term(wanted: Wanted, term: str, form: Form) -> Match | None:
    quality = _begins(wanted.folded, term)
    if quality:
        return Match(_NAMES[form], WEIGHTS[form] * quality, wanted.folded == term)
    if form <= Form.ALIAS and wanted.folded in term:
        return Match("inside", INSIDE * (0.6 + 0.4 * len(wanted.folded) / len(term)))
    if form is Form.PINYIN and wanted.han and (heard := _begins(wanted.sound, term)):
        return Match("homophone", HOMOPHONE * WEIGHTS[form] * heard)
    return None


def _begins(wanted: str, term: str) -> float:
    """1 for the whole term, less for its beginning, 0 for anything else."""
    if not wanted or not term.startswith(wanted):
        return 0.0
    return 1.0 if wanted == term else PREFIX_LEAST + PREFIX_SHARE * len(wanted) / len(term)


def _placed(name: str) -> tuple[str, list[int]]:
    """The folded name, and where each of its characters stands in the name."""
    pieces = [(char, n) for n, written in enumerate(name) for char in fold(written)]
    return "".join(char for char, _ in pieces), [n for _, n in pieces]


def _covered(letters: str, folded: str) -> int:
    """How many characters of a folded name so many letters of pinyin stand for."""
    for reading in [*readings(folded), syllables(folded)]:
        if "".join(reading).startswith(letters):
            left, count = len(letters), 0
            for one in reading:
                if left <= 0:
                    break
                left -= len(one)
                count += 1 if has_han(folded[count : count + 1]) else len(one)
            return min(count, len(folded))
    return 0
