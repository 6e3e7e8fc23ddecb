"""Figures: repetitions of one side, pairs of sides, and all of them with the machine they were taken on."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import Any

Figures = dict[str, Any]
Side = tuple[str, Callable[[], float]]


def spread(values: Sequence[float]) -> Figures:
    """Smallest, median and largest of some repetitions."""
    return {"min": _short(min(values)), "median": _short(median(values)), "max": _short(max(values))}


def in_turn(sides: Sequence[Side], repetitions: int, tell: Callable[[str], None]) -> dict[str, list[float]]:
    """Measure all sides one after the other, again and again: what disturbs one repetition disturbs its neighbour.

    Args:
        sides: Name and measurement (a rate per second); the first is ours.
        repetitions: How often.
        tell: Called with a line after each measurement.
    """
    found: dict[str, list[float]] = {name: [] for name, _ in sides}
    for number in range(repetitions):
        # Turn about: no side always comes right after the same other one.
        for name, measure in sides if number % 2 == 0 else reversed(sides):
            found[name].append(measure())
            tell(f"  {name}: {found[name][-1]:,.1f}/s")
    return found


def comparison(title: str, unit: str, conditions: str, found: dict[str, list[float]]) -> Figures:
    """A pair as it goes into the file: every side with its spread, and how many times ours is as fast."""
    ours, *others = found
    sides = [{"name": name, **spread(values)} for name, values in found.items()]
    for side, name in zip(sides[1:], others, strict=True):
        side["ratio"] = spread([a / b for a, b in zip(found[ours], found[name], strict=True)])
    return {"title": title, "unit": unit, "conditions": conditions, "sides": sides}


def write(file: Path, figures: Figures) -> None:
    """Write the figures."""
    file.write_text(json.dumps(figures, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def _short(value: float) -> float:
    return float(f"{value:.4g}")
