"""Text can be read in both themes: contrast by WCAG 2.2, success criterion 1.4.3 (at least 4.5 to 1)."""

from __future__ import annotations

import re
from importlib import resources
from pathlib import Path

import pytest

STATIC = Path(str(resources.files("web"))) / "static" / "portal"
TOKENS = (STATIC / "tokens.css").read_text(encoding="utf-8")
PANELS = (STATIC / "panels.css").read_text(encoding="utf-8")
LEAST = 4.5
PAIRS = [
    ("ink", "paper"),
    ("ink", "paper-soft"),
    ("ink-soft", "paper"),
    ("ink-soft", "paper-soft"),
    ("accent", "paper"),
    ("accent", "accent-soft"),
    ("accent-ink", "accent"),
    ("error", "paper"),
    ("error", "error-soft"),
    ("past", "past-soft"),
    ("paper", "ink"),
]


def tokens(selector: str) -> dict[str, str]:
    found = re.search(rf"{re.escape(selector)} \{{(.*?)\}}", TOKENS, re.S)
    assert found
    return dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", found[1]))


THEMES = {"light": tokens(":root"), "dark": tokens(':root[data-theme="dark"]')}


def luminance(colour: str) -> float:
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def test_formula_gives_the_known_extremes() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize(("ink", "ground"), PAIRS)
def test_text_stands_out(theme: str, ink: str, ground: str) -> None:
    assert contrast(THEMES[theme][ink], THEMES[theme][ground]) >= LEAST


@pytest.mark.parametrize("colour", ["blue", "yellow", "orange", "red"])
def test_warnings_can_be_read(colour: str) -> None:
    found = re.search(rf"\.warning-{colour} \{{ background: (#\w+); color: (#\w+);", PANELS)
    assert found
    ink = found[2] if len(found[2]) == 7 else "#" + "".join(2 * c for c in found[2][1:])
    assert contrast(found[1], ink) >= LEAST
