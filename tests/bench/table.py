"""The page of the benchmarks, made from the figures."""

from __future__ import annotations

from typing import Any

HEAD = """# Benchmarks

Written by `scripts/bench`, with the figures of the file of the same name that ends in `.json`. Do not edit by hand.

The sides of a comparison are measured in turn, repetition by repetition, on the same data and the same machine. A
rate is smallest / **median** / largest of the repetitions; a ratio tells how many times the rate of the other side
geoservice reached in the same repetition (above 1: geoservice is faster). Rates depend on the machine; look at the
ratios.
"""


def render(figures: dict[str, Any]) -> str:
    """The page as Markdown."""
    parts = [HEAD, f"    {figures['command']}\n", _machine(figures["machine"])]
    parts += [comparison_part(one) for one in figures["comparisons"]]
    parts += [_delays(one) for one in figures.get("delays", ())]
    return "\n".join(parts)


def _machine(machine: dict[str, Any]) -> str:
    lines = ["| Machine | |", "| --- | --- |", *(f"| {name} | {value} |" for name, value in machine.items())]
    return "\n".join(lines) + "\n"


def comparison_part(one: dict[str, Any]) -> str:
    """A comparison as Markdown."""
    lines = [
        f"## {one['title']}", "", one["conditions"], "",
        f"| | {one['unit']} | geoservice is |", "| --- | --- | --- |",
    ]  # fmt: skip
    for side in one["sides"]:
        ratio = f"{_three(side['ratio'], 2)} times as fast" if "ratio" in side else ""
        lines.append(f"| {side['name']} | {_three(side, 1)} | {ratio} |")
    return "\n".join(lines) + "\n"


def _delays(one: dict[str, Any]) -> str:
    lines = [f"## {one['title']}", "", one["conditions"], "", "| ms | p50 | p95 | p99 | longest |", "| --- " * 5 + "|"]
    for row in one["rows"]:
        told = " | ".join(f"{row[name]:,.1f}" for name in ("p50", "p95", "p99", "max"))
        lines.append(f"| {row['name']} | {told} |")
    return "\n".join(lines) + "\n"


def _three(spread: dict[str, float], digits: int) -> str:
    low, middle, high = (f"{spread[name]:,.{digits}f}" for name in ("min", "median", "max"))
    return f"{low} / **{middle}** / {high}"
