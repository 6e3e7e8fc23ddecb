"""Decisions as tables: each rule gives a code where all its measures lie in their ranges; the first that fits wins."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from ingest.sample.chance import FloatArray, TextArray

Ranges = Mapping[str, tuple[float, float]]
"""Measure -> (from, to): from is part of the range, to is not."""
Rule = tuple[str, Ranges]
INF = float("inf")


def decide(rules: Sequence[Rule], measures: Mapping[str, FloatArray], default: str) -> TextArray:
    """Codes for all cases at once.

    Args:
        rules: Rules in order of precedence.
        measures: Values of each measure, one per case.
        default: Code where no rule fits.
    """
    size = len(next(iter(measures.values())))
    fits = []
    for _, ranges in rules:
        fit = np.ones(size, dtype=bool)
        for name, (low, high) in ranges.items():
            fit &= (measures[name] >= low) & (measures[name] < high)
        fits.append(fit)
    chosen = np.select(fits, [np.array(code) for code, _ in rules], default=np.array(default))
    return np.asarray(chosen, dtype=np.str_)
