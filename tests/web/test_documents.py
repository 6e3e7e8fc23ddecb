"""Readable pages of JSON documents."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.web.test_page import Elements, assert_fits_policy
from web.pages import document_page

ROOT = "https://geo.example.org/base"
EVIL = "<img src=x onerror=alert(1)>"

LINKS = [
    {"href": f"{ROOT}/x?f=html", "rel": "self", "type": "text/html"},
    {"href": f"{ROOT}/x?f=json", "rel": "alternate", "type": "application/json"},
]
COLLECTION: dict[str, Any] = {
    "id": "spot",
    "title": EVIL,
    "titles": {"zh": EVIL, "en": EVIL},
    "description": EVIL,
    "authority": {"kind": "surveying"},
    "licence": {"share": "conditional", "basis": EVIL},
    "updateCycle": "P1Y",
    "clearance": "internal",
    "extent": {"spatial": {"bbox": [[1, 2, 3, 4]]}, "temporal": {"interval": [["2026-01-01T00:00:00Z", None]]}},
    "crs": ["http://www.opengis.net/def/crs/OGC/1.3/CRS84"],
    "edition": {"number": 3, "committed": "2026-05-01T08:00:00+00:00", "source": EVIL},
    "itemCount": 12345,
    "links": LINKS,
}
FEATURE: dict[str, Any] = {
    "type": "Feature",
    "id": "a/b<c>",
    "geometry": {"type": "Point", "coordinates": [105.0, 38.0]},
    "properties": {"name": EVIL, "amount": 3.5, "none": None, "flag": True},
}
BODIES: dict[str, dict[str, Any]] = {
    "landing": {"title": "t", "description": EVIL, "links": [{**LINKS[0], "title": EVIL}]},
    "conformance": {"conformsTo": ["http://example.org/conf/core", EVIL], "links": LINKS},
    "collections": {"collections": [COLLECTION, {**COLLECTION, "edition": None, "itemCount": None}], "links": LINKS},
    "collection": COLLECTION,
    "items": {
        "collection": "spot",
        "titles": {"zh": EVIL, "en": EVIL},
        "features": [FEATURE, {**FEATURE, "geometry": None, "properties": {"other": 1}}],
        "numberReturned": 2,
        "numberMatched": 2000,
        "links": [*LINKS, {"href": f"{ROOT}/next?cursor=x", "rel": "next", "type": "text/html"}],
    },
    "item": {**FEATURE, "collection": "spot", "titles": {"zh": EVIL, "en": EVIL}, "links": LINKS},
    "schema": {"title": EVIL, "properties": {"n": {"type": "string", "description": EVIL}}, "required": ["n"]},
    "api": {
        "info": {"description": EVIL},
        "paths": {"/x": {"get": {"summary": EVIL, "parameters": [{"name": "f", "in": "query", "description": EVIL}]}}},
    },
    "problem": {"title": EVIL, "status": 404, "detail": EVIL},
    "tilesets": {"tilesets": [{"title": EVIL, "links": LINKS}], "links": LINKS},
    "tileset": {"title": EVIL, "links": LINKS, "boundingBox": {"lowerLeft": [1, 2]}},
    "tilematrixsets": {"tileMatrixSets": [{"id": EVIL}], "links": LINKS},
    "tilematrixset": {"id": EVIL, "tileMatrices": [{"id": "0", "pointOfOrigin": [1, 2]}]},
}


@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize("kind", BODIES)
def test_page_fits_its_policy_and_escapes_everything(kind: str, language: str) -> None:
    page = document_page(kind, BODIES[kind], language=language, root=ROOT)
    elements = assert_fits_policy(page.html, page.csp)
    assert elements.named("html")[0]["lang"] == {"zh": "zh-CN", "en": "en"}[language]
    assert not elements.named("img")
    assert len(elements.named("h1")) == 1


def test_empty_items_say_so() -> None:
    body = {**BODIES["items"], "features": [], "numberReturned": 0}
    assert "没有符合条件的要素" in document_page("items", body, language="zh", root=ROOT).html


def test_items_draw_only_what_has_a_geometry_and_link_by_quoted_key() -> None:
    html = document_page("items", BODIES["items"], language="en", root=ROOT).html
    elements = Elements(html)
    place = next(i for i, one in enumerate(elements.named("script")) if one.get("id") == "page-features")
    assert len(json.loads(elements.scripts[place])["features"]) == 1
    assert any(
        str(one.get("href")).startswith("/base/collections/spot/items/a%2Fb%3Cc%3E?") for one in elements.named("a")
    )


def test_columns_are_those_of_all_features() -> None:
    html = document_page("items", BODIES["items"], language="en", root=ROOT).html
    assert all(f'<th scope="col">{name}</th>' in html for name in ("name", "amount", "none", "flag", "other"))


def test_numbers_are_grouped_and_missing_ones_empty() -> None:
    html = document_page("collections", BODIES["collections"], language="en", root=ROOT).html
    assert "12,345" in html
    assert "no data yet" in html


def test_the_next_page_is_linked() -> None:
    html = document_page("items", BODIES["items"], language="en", root=ROOT).html
    assert f'<a rel="next" href="{ROOT}/next?cursor=x">' in html


@pytest.mark.parametrize(
    ("cycle", "zh", "en"),
    [
        ("P1Y", "每年", "every year"),
        ("P3Y", "每 3 年", "every 3 years"),
        ("P1M", "每月", "every month"),
        ("P6M", "每 6 个月", "every 6 months"),
        ("P01W", "每周", "every week"),
        ("P10D", "每 10 天", "every 10 days"),
        ("PT1H", "每小时", "every hour"),
        ("PT1M", "每分钟", "every minute"),
        ("PT15M", "每 15 分钟", "every 15 minutes"),
        ("P1Y6M", "P1Y6M", "P1Y6M"),
    ],
)
def test_cycles_are_said_as_people_say_them(cycle: str, zh: str, en: str) -> None:
    for language, wanted in (("zh", zh), ("en", en)):
        body = {**BODIES["collection"], "updateCycle": cycle}
        assert f">{wanted}<" in document_page("collection", body, language=language, root=ROOT).html
