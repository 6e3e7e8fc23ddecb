"""The portal's own scripts and styles: words exist, nothing is read as markup, nothing points elsewhere."""

from __future__ import annotations

import re
from importlib import resources
from pathlib import Path

import pytest

from web.texts import PORTAL_TEXTS, TEXTS

STATIC = Path(str(resources.files("web"))) / "static"
TEMPLATES = Path(str(resources.files("web"))) / "templates"
SCRIPTS = sorted([*STATIC.glob("portal/**/*.js"), *STATIC.glob("pages/**/*.js")])


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
class TestScript:
    def test_every_word_it_uses_exists(self, script: Path) -> None:
        used = re.findall(r"\b(?:t|button)\(\"(\w+)\"", script.read_text(encoding="utf-8"))
        told = PORTAL_TEXTS if "portal" in script.relative_to(STATIC).parts else TEXTS
        assert [word for word in used if word not in told] == []

    def test_text_never_becomes_markup(self, script: Path) -> None:
        source = script.read_text(encoding="utf-8")
        assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function", source)
        # Leaflet reads a string given to these as HTML.
        assert not re.search(r"bindPopup\(|bindTooltip\((?!\(\) =>)|setContent\(", source)

    def test_it_names_no_other_host(self, script: Path) -> None:
        hosts = re.findall(r"https?://[^\s\"'`]+", script.read_text(encoding="utf-8"))
        assert [host for host in hosts if host != "http://www.w3.org/2000/svg"] == []


def test_templates_use_known_words_and_no_inline_code() -> None:
    for template in TEMPLATES.glob("*.html"):
        source = template.read_text(encoding="utf-8")
        words = re.findall(r"\bt\(\"(\w+)\"\)|data-t(?:-label|-title)?=\"(\w+)\"|fact\(\"(\w+)\"", source)
        assert [word for found in words for word in found if word and word not in TEXTS] == []
        assert not re.search(r"\sstyle=|\son\w+=|(?:src|href|action)=\"(?:https?:)?//", source)


def test_texts_are_escaped_by_default() -> None:
    allowed = {"config|safe", "head", "content", "map"}
    marked = {
        found for one in TEMPLATES.glob("*.html") for found in re.findall(r"\{\{ ([^}]*\|safe) \}\}", one.read_text())
    }
    assert marked <= allowed
