"""Edges of histograms that people can read: multiples of 1, 2, 2.5 or 5 times a power of ten."""

from __future__ import annotations

import math
from decimal import ROUND_FLOOR, Decimal

_STEPS = (Decimal(1), Decimal(2), Decimal("2.5"), Decimal(5), Decimal(10))
_TENTH = 0.1


def nice_edges(low: float, high: float, bins: int, *, whole: bool = False) -> list[float]:
    """Edges from at most the lowest value to above the highest one; each bin has its lower edge.

    Args:
        low: The lowest value.
        high: The highest value, not below it.
        bins: About how many bins; there are at most two more.
        whole: Whether values are whole numbers, which no step below 1 tells apart.
    """
    span = high - low if high > low else abs(high) * _TENTH or 1.0
    step = _nice(span / bins, whole=whole)
    first = (Decimal(repr(low)) / step).to_integral_value(ROUND_FLOOR)
    number = int((Decimal(repr(high)) / step).to_integral_value(ROUND_FLOOR) - first) + 1
    return [float((first + i) * step) for i in range(number + 1)]


def _nice(width: float, *, whole: bool) -> Decimal:
    """The smallest round step that is at least this wide."""
    power = Decimal(10) ** math.floor(math.log10(width))
    steps = [step * power for step in _STEPS]
    if whole:
        steps = [step for step in steps if step == step.to_integral_value()] or [Decimal(1)]
    # What is wider by rounding alone is no wider.
    wide = Decimal(f"{width:.12g}")
    return next((step for step in steps if step >= wide), steps[-1])
