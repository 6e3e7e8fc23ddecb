"""The words of the portal and the pages, in Chinese and English; they stand in `texts.json`."""

from __future__ import annotations

import json
from importlib import resources

TEXTS: dict[str, dict[str, str]] = json.loads((resources.files("web") / "texts.json").read_text(encoding="utf-8"))
"""Word by key, each a mapping of `zh` and `en`."""


def text(key: str, language: str) -> str:
    """A word in `zh`, or in English for any other language.

    Raises:
        KeyError: When there is no such word; a page must not show a key.
    """
    return TEXTS[key]["zh" if language == "zh" else "en"]
