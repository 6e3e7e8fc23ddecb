"""The ten tasks of docs/tasks.md, done as they stand there: same steps, same number of them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "tasks.md"


def written() -> dict[str, list[str]]:
    """Steps of each task, by its title."""
    found: dict[str, list[str]] = {}
    for line in DOCUMENT.read_text(encoding="utf-8").splitlines():
        if line.startswith("## "):
            found[line.removeprefix("## ")] = []
        elif step := re.match(r"\d+\. (.+)", line):
            next(reversed(found.values())).append(step[1])
    return found
