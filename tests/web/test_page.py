"""Pages and the policies they are served with."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Any

from web.page import policy, with_nonce


class Elements(HTMLParser):
    """Collects start tags with their attributes, and the text of scripts."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self._inside = False
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._inside = tag == "script"
        if self._inside:
            self.scripts.append("")

    def handle_endtag(self, tag: str) -> None:
        self._inside = False

    def handle_data(self, data: str) -> None:
        if self._inside:
            self.scripts[-1] += data

    def named(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


def assert_fits_policy(html: str, csp: str) -> Elements:
    """Everything inline carries the nonce of the policy; nothing comes from elsewhere; no inline handlers or styles."""
    elements = Elements(html)
    found = re.search(r"script-src 'self' 'nonce-([^']+)'", csp)
    assert found
    for tag, attributes in elements.tags:
        if tag in ("script", "style"):
            assert attributes.get("nonce") == found[1]
        assert not [name for name in attributes if name.startswith("on") or name == "style"], (tag, attributes)
        for name in ("src", "href", "action"):
            address: Any = attributes.get(name) or ""
            if tag != "a":
                assert not re.match(r"(?:[a-z]+:)?//", address), address
    return elements


def test_policy_lets_nothing_in_by_default_and_nothing_inline() -> None:
    rules = dict(rule.split(" ", 1) for rule in policy().split("; "))
    assert rules["default-src"] == "'none'"
    assert rules["base-uri"] == "'none'"
    assert rules["frame-ancestors"] == "'self'"
    assert "unsafe" not in policy("x")
    assert "*" not in policy("x")
    assert "http" not in policy("x")


def test_each_page_has_its_own_nonce() -> None:
    first, second = with_nonce("<script>1</script>"), with_nonce("<script>1</script>")
    assert first.csp != second.csp
    assert_fits_policy(first.html, first.csp)


def test_only_scripts_and_styles_get_a_nonce() -> None:
    page = with_nonce("<style>a{}</style><script src='/x'></script><scripty></scripty>")
    assert page.html.count("nonce=") == 2
