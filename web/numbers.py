"""Numbers as people read them."""

from __future__ import annotations

import math
from typing import Any

_EXACT = 1e15
"""Whole doubles below this are written out."""
_SMALL = 1e-4
_DIGITS = 3
_MOST_DECIMALS = 6
_KIBI = 1024
_FINE = 0.1


def plain(value: Any) -> str:
    """A number with grouped digits and no more decimals than it deserves; texts as they are."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        return str(value)
    size = abs(value)
    if isinstance(value, int) or (value.is_integer() and size < _EXACT):
        return f"{int(value):,}"
    if size >= _EXACT or size < _SMALL:
        return f"{value:.3g}"
    decimals = max(0, min(_MOST_DECIMALS, _DIGITS - math.floor(math.log10(size))))
    text = f"{value:,.{decimals}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def percent(share: float | None) -> str:
    """A part of one in per cent. More than nothing is never written as zero, less than all never as all."""
    if share is None:
        return ""
    if share in {0, 1}:
        return f"{share:.0%}"
    if share < _SMALL:
        return "< 0.01 %"
    if share > 1 - _SMALL:
        return "> 99.99 %"
    return f"{share * 100:.2f} %" if share < _FINE else f"{share * 100:.1f} %"


def bytes_of(size: int | None) -> str:
    """A size in bytes, from 1024 on in KiB, MiB, GiB or TiB."""
    if size is None:
        return ""
    if size < _KIBI:
        return f"{size} B"
    power = min((size.bit_length() - 1) // 10, 4)
    return f"{size / _KIBI**power:.1f} {' KMGT'[power]}iB"
