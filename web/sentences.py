"""Sentences of the loader in Chinese: it writes English ones; those that are known are told in the reader's language.

`sentences.json` maps a pattern to its Chinese twin. In a pattern `{a}` stands for a quoted attribute, `{q}` for a
quoted value, `{x}` for a word or number, `{r}` for a few words, `{l}` for a list; the twin names them by their place.
"""

from __future__ import annotations

import json
import re
from importlib import resources

_HOLES = {
    "{a}": r"'([A-Za-z0-9_]{1,60})'",
    "{q}": r"('[^']{0,140}'|\"[^\"]{0,140}\")",
    "{x}": r"([^ ]{1,80})",
    "{r}": r"(.{1,120}?)",
    "{l}": r"(.{1,400}?)",
}
_HOLE = re.compile(r"(\{[aqxrl]\})")
_LONGEST = 600
"""Longer texts are several sentences with long values; they stay as they are."""


def _pattern(written: str) -> re.Pattern[str]:
    parts = (_HOLES.get(part) or re.escape(part) for part in _HOLE.split(written))
    return re.compile("".join(parts) + r"(?:\s+|$)", re.DOTALL)


def _read() -> tuple[tuple[re.Pattern[str], str], ...]:
    text = (resources.files("web") / "sentences.json").read_text(encoding="utf-8")
    return tuple((_pattern(written), twin) for written, twin in json.loads(text).items())


_KNOWN = _read()


def in_language(said: str, language: str) -> str:
    """A text of the loader in `zh`, sentence by sentence as far as they are known; in English for other languages."""
    if language != "zh" or len(said) > _LONGEST:
        return said
    told, rest = list[str](), said
    while rest:
        found = next(((m, twin) for pattern, twin in _KNOWN if (m := pattern.match(rest))), None)
        if found is None:
            return "".join((*told, rest))
        match, twin = found
        told.append(twin.format(*match.groups()))
        rest = rest[match.end() :]
    return "".join(told)
