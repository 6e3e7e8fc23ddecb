"""Codes of administrative divisions: GB/T 2260 (six digits), GB/T 10114 (nine), the statistical code (twelve).

One unit is spelled in several ways: a province is `11`, `110000` or `110000000000`. The shortest is the canonical one.
"""

from __future__ import annotations

from layers.errors import BadParameter

LENGTHS = (2, 4, 6, 9, 12)
LEVELS = ("province", "city", "county", "township", "village")
"""Level by the length of the canonical code."""
GB2260 = 6
STATISTICAL = 12
_MOST_SHOWN = 40


def canonical(text: str) -> str:
    """The shortest spelling of a division code.

    Args:
        text: 2, 4, 6, 9 or 12 digits; groups of zeros at the end stand for "all of the unit above".

    Raises:
        BadParameter: When it is no such code.
    """
    if not (text.isascii() and text.isdigit() and len(text) in LENGTHS) or text.startswith("00"):
        raise BadParameter(
            f"A division code has 2, 4, 6, 9 or 12 digits and does not begin with 00; {text[:_MOST_SHOWN]!r} is none.",
            parameter="code",
        )
    ends = [n for n in LENGTHS if n <= len(text)]
    while len(ends) > 1 and not text[ends[-2] : ends[-1]].strip("0"):
        ends.pop()
    return text[: ends[-1]]


def spellings(code: str) -> list[str]:
    """Every way in which a code may be written: canonical, and filled up with zeros to longer ones."""
    short = canonical(code)
    return [short.ljust(length, "0") for length in LENGTHS if length >= len(short)]


def level_of(code: str) -> str:
    """The level that the length of a code tells: province, city, county, township or village."""
    return LEVELS[LENGTHS.index(len(canonical(code)))]


def enclosing(code: str) -> list[str]:
    """Canonical codes of the units above, the nearest first, as far as the digits tell."""
    short = canonical(code)
    return list(dict.fromkeys(canonical(short[:length]) for length in reversed(LENGTHS) if length < len(short)))


def gb2260(code: str) -> str | None:
    """The six digits of GB/T 2260; None for units below the county, which have none."""
    short = canonical(code)
    return short.ljust(GB2260, "0") if len(short) <= GB2260 else None


def statistical(code: str) -> str:
    """The twelve digits of the statistical code."""
    return canonical(code).ljust(STATISTICAL, "0")
