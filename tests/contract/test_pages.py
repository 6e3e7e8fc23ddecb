"""The readable pages as somebody clicks through them: none is a dead end, and all speak one language."""

from __future__ import annotations

import re
from collections import deque
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.support.service import Service
from tests.web.test_page import Elements
from web.places import is_page, kind_of
from web.texts import TEXTS

STARTS = (
    "/",
    "/gazetteer/sheets?lon=105&lat=38",
    "/gazetteer/sheets/J48",
    "/gazetteer/coordinates?q=105.05,38.55",
    "/jobs",
    "/processes/nearest",
)
FEW = 2
"""Pages of one kind that are looked at."""
CHINESE = re.compile(r"[\u4e00-\u9fff]")


def walked(service: Service, language: str) -> dict[str, Elements]:
    """Pages that can be reached by clicking, a few of each kind, and what is on them."""
    found: dict[str, Elements] = {}
    seen: dict[str, int] = {}
    waiting = deque(f"{start}{'&' if '?' in start else '?'}f=html&lang={language}" for start in STARTS)
    while waiting:
        address = waiting.popleft()
        kind = kind_of(urlsplit(address).path.strip("/")) or ""
        if address in found or seen.get(kind, 0) >= FEW:
            continue
        seen[kind] = seen.get(kind, 0) + 1
        answer = service.client.get(address)
        assert answer.status_code == 200, (address, answer.status_code, answer.text[:300])
        assert answer.headers["content-type"].startswith("text/html"), address
        found[address] = page = Elements(answer.text)
        for link in page.named("a"):
            href = urlsplit(str(link.get("href")))
            own = not href.netloc or href.netloc == "testserver"
            if own and href.path and is_page(href.path.strip("/")) and parse_qs(href.query).get("f") == ["html"]:
                waiting.append(f"{href.path}?{href.query}")
    return found


@pytest.mark.parametrize("language", ["zh", "en"])
def test_every_link_to_a_page_leads_to_one(service: Service, language: str) -> None:
    pages = walked(service, language)
    kinds = {kind_of(urlsplit(address).path.strip("/")) for address in pages}
    assert kinds >= {"collections", "collections/*", "collections/*/items", "collections/*/schema", "processes/*"}
    for address, page in pages.items():
        assert len(page.named("h1")) == 1, address
        crumbs = [one for one in page.named("nav") if one.get("class") == "crumbs"]
        assert len(crumbs) == (0 if urlsplit(address).path == "/" else 1), address
        assert any(str(one.get("href")).startswith("/?") for one in page.named("a")), address


def test_words_of_documents_are_there_in_both_languages() -> None:
    for key, words in TEXTS.items():
        if key.startswith(("field_", "value_")):
            assert set(words) == {"zh", "en"}, key
            assert not CHINESE.search(words["en"]), key
