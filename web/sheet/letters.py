"""How wide text is about, and lines of text that fit into a width."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator

_WIDE = 0x2E80
_WIDE_EM, _NARROW_EM = 1.0, 0.58
_ELLIPSIS = "…"
_CLOSING = "，。；：、）》」！？,.;:)!?"
"""What no line begins with."""


def text_width(text: str, size: float) -> float:
    """About how wide a line of text is: ideographs are square, other characters about half as wide."""
    return sum(_WIDE_EM if ord(c) >= _WIDE else _NARROW_EM for c in text) * size


def plain(text: str) -> str:
    """Text of others without what cannot be seen: control characters and marks that turn the direction of writing."""
    return "".join(c if unicodedata.category(c) not in ("Cc", "Cf", "Cs", "Co", "Cn") else " " for c in text).strip()


def clipped(text: str, size: float, width: float) -> str:
    """A line that is cut off with an ellipsis where it does not fit."""
    if text_width(text, size) <= width:
        return text
    while text and text_width(text + _ELLIPSIS, size) > width:
        text = text[:-1]
    return f"{text}{_ELLIPSIS}"


def wrapped(text: str, size: float, width: float, most: int = 100) -> list[str]:
    """Lines of a text that fit into a width; what is more than so many lines is cut off with an ellipsis."""
    lines: list[str] = []
    line = ""
    for piece in _joined(text):
        if line and text_width((line + piece).rstrip(), size) > width:
            lines.append(line.rstrip())
            line = piece.lstrip()
        else:
            line += piece
        while text_width(line.rstrip(), size) > width and len(line) > 1:
            fits = _fitting(line, size, width)
            lines.append(line[:fits])
            line = line[fits:]
    lines.append(line.rstrip())
    if len(lines) > most:
        return [*lines[: most - 1], clipped(" ".join(lines[most - 1 :]) + _ELLIPSIS, size, width)]
    return lines


def _fitting(line: str, size: float, width: float) -> int:
    return next((n for n in range(len(line) - 1, 1, -1) if text_width(line[:n], size) <= width), 1)


def _joined(text: str) -> Iterator[str]:
    """Pieces with the closing marks that follow them."""
    held = ""
    for piece in _pieces(text):
        if held and piece[0] not in _CLOSING:
            yield held
            held = ""
        held += piece
    if held:
        yield held


def _pieces(text: str) -> Iterator[str]:
    """What must not be torn apart: words with the space behind them, and each ideograph."""
    word = ""
    for letter in text:
        if ord(letter) >= _WIDE:
            if word:
                yield word
                word = ""
            yield letter
        elif letter == " ":
            yield f"{word} "
            word = ""
        else:
            word += letter
    if word:
        yield word
