"""The words of the portal and the pages, in Chinese and English; they stand in the files `texts*.json`."""

from __future__ import annotations

import json
from importlib import resources

Words = dict[str, dict[str, str]]


def _read(name: str) -> Words:
    words: Words = json.loads((resources.files("web") / name).read_text(encoding="utf-8"))
    return words


_PORTAL_PARTS = (
    "texts",
    "texts_find",
    "texts_tools",
    "texts_table",
    "texts_check",
    "texts_statistics",
    "texts_catalogue",
    "texts_upkeep",
    "texts_print",
    "texts_emergency",
    "texts_stations",
    "texts_subscriptions",
    "texts_time",
    "texts_compare",
    "texts_relief",
)
PORTAL_TEXTS: Words = {key: words for name in _PORTAL_PARTS for key, words in _read(f"{name}.json").items()}
"""Words that the portal's scripts are told, by key, each a mapping of `zh` and `en`; a file for each part of it."""

PACKAGE_TEXTS: Words = _read("texts_package.json")
"""Words of the page of an offline package."""

_PARTS = ("pages", "record", "fields", "loads", "environment", "situation", "alerts", "report", "compliance")
TEXTS: Words = {
    key: words
    for part in (PORTAL_TEXTS, *(_read(f"texts_{name}.json") for name in _PARTS))
    for key, words in part.items()
}
"""All words: those of the readable pages, members of documents (`field_`) and their values (`value_`), reports."""


def text(key: str, language: str) -> str:
    """A word in `zh`, or in English for any other language.

    Raises:
        KeyError: When there is no such word; a page must not show a key.
    """
    return TEXTS[key]["zh" if language == "zh" else "en"]
