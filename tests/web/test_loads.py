"""The page of a load: what it says, that it fits its policy, and the file that needs no network."""

from __future__ import annotations

import json
import re
from html import unescape
from importlib import resources
from itertools import pairwise
from typing import Any, get_args

import pytest
from fastapi.routing import APIRoute

from geoservice.documentation import PAGES
from geoservice.loads.document import ReferenceFacts
from geoservice.ogc.blocks import BLOCKS
from layers.errors import CrsRefused, SourceError, SourceUnreadable
from layers.gauss import Datum
from tests.web.reports import COUNTS, load_report
from tests.web.test_page import Elements, assert_fits_policy
from web.charts import WIDTH, columns, histogram, sketch, stacked, timeline
from web.documents import load_file
from web.loads import SUM, decided, headline
from web.numbers import bytes_of, percent, plain
from web.pages import document_page
from web.sentences import in_language
from web.texts import PORTAL_TEXTS, TEXTS, text

ROOT = "https://geo.example.org/base"
EVIL = "<img src=x onerror=alert(1)>"
DRAWN = {"from": 6, "to": 14, "geometry": "polygon"}


def page(language: str = "en", **changes: Any) -> str:
    body = load_report(**changes) | {"drawn": DRAWN}
    return document_page("load", body, language=language, root=ROOT).html


@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize("view", ["full", "outcome"])
def test_it_fits_its_policy_and_escapes_everything(language: str, view: str) -> None:
    hidden = {"view": view, "counts": None, "findings": [], "samples": None, "former": None}
    body = load_report(EVIL, **({} if view == "full" else hidden)) | {"drawn": DRAWN}
    made = document_page("load", body, language=language, root=ROOT)
    elements = assert_fits_policy(made.html, made.csp)
    assert not elements.named("img")
    assert len(elements.named("h1")) == 1


@pytest.mark.parametrize("language", ["zh", "en"])
def test_as_a_file_it_asks_nobody(language: str) -> None:
    html = load_file(load_report(EVIL), language=language)
    elements = Elements(html)
    assert not elements.named("img")
    assert not elements.named("link")
    assert not elements.named("a")
    assert not [one for one in elements.named("script") if one.get("src")]
    (policy,) = [str(one["content"]) for one in elements.named("meta") if one.get("http-equiv")]
    assert policy.startswith("default-src 'none';")
    nonce = re.search(r"script-src 'nonce-([^']+)'", policy)
    assert nonce
    assert {one.get("nonce") for one in [*elements.named("script"), *elements.named("style")]} == {nonce[1]}
    assert "http-equiv" in html[: html.index("<style")]
    assert len(elements.named("circle")) == 2
    # What opens nothing must not be offered.
    assert not elements.named("button")


def test_the_headline_says_what_came_of_it() -> None:
    def said(language: str, **changes: Any) -> tuple[str, str]:
        found = headline(load_report(**changes), language)
        return found.tone, " ".join(found.sentences)

    assert said("en") == (
        "warn",
        "199,997 of 200,000 rows are in the base; 3 need you. "
        "12 rows that the source no longer holds were deleted (history keeps them).",
    )
    assert said("zh")[1].startswith("200,000 行中 199,997 行已入库，3 行需要处理。")
    clean = {**COUNTS, "quarantined": 0, "unchanged": 1000, "deleted": 0}
    assert said("en", counts=clean) == ("ok", "All 200,000 rows are in the base.")
    some = {**clean, "unchanged": 900, "not_selected": 100}
    assert said("en", counts=some)[1] == (
        "All 199,900 rows are in the base. 100 rows were not selected by the mapping."
    )
    assert said("en", outcome="unchanged", counts=clean)[1].startswith("Nothing new: all 200,000")
    assert said("en", outcome="dry-run", counts=clean)[1].startswith("Trial run: nothing was written.")
    assert said("en", outcome="refused", counts=None)[0] == "bad"
    assert "not shown at your clearance" in said("en", counts=None)[1]


def test_the_picture_is_the_sum() -> None:
    html = page()
    elements = Elements(html)
    parts = [str(one["class"]) for one in elements.named("rect") if str(one.get("class")).startswith("part-")]
    assert parts == [f"part-{name}" for name in SUM if COUNTS[name]]
    for name in ("inserted", "updated", "unchanged", "quarantined", "not_selected", "deleted"):
        assert f"</span>{TEXTS[name]['en']}</th>" in html or f"{TEXTS[name]['en']}</th>" in html
    assert "200,000" in html


def test_a_sum_that_is_wrong_is_said() -> None:
    html = page(counts={**COUNTS, "balanced": False})
    assert text("sum_wrong", "en") in html
    assert text("sum_wrong", "en") not in page()


def test_places_are_data_of_the_map_and_buttons_of_the_list() -> None:
    elements = Elements(page())
    place = next(i for i, one in enumerate(elements.named("script")) if one.get("id") == "load-places")
    features = json.loads(elements.scripts[place])["features"]
    assert [one["geometry"]["coordinates"] for one in features] == [[105.1, 38.1], [105.2, 38.3]]
    assert [str(one["data-finding"]) for one in elements.named("button") if "data-finding" in one] == ["1"]
    assert {one["id"] for one in elements.named("tr") if one.get("id")} == {"finding-1", "finding-2"}


def test_without_places_there_is_no_map() -> None:
    assert "load-places" not in page(findings=[])
    assert text("findings_none", "en") in page(findings=[])


def test_lists_escape_and_link() -> None:
    entry = {
        "number": 7, "outcome": "loaded", "finished": "2026-05-01T08:00:00Z", "source": EVIL, "view": "outcome",
        "edition": None, "counts": None, "errors": None, "warnings": None, "links": [],
    }  # fmt: skip
    edition = {
        "number": 4, "load": 7, "committed": "2026-05-01T08:00:00Z", "kind": "withdrawal", "source": EVIL,
        "mapping": "m", "owner": EVIL, "undoes": 3, "undone_by": None, "reason": EVIL, "inserted": None,
        "updated": 5, "deleted": 0,
    }  # fmt: skip
    for kind, entries in (("loads", [entry]), ("editions", [edition])):
        for language in ("zh", "en"):
            titles = {"zh": EVIL, "en": EVIL}
            body = {"collection": "spot", "titles": titles, kind: entries, "links": []}
            made = document_page(kind, body, language=language, root=ROOT)
            elements = assert_fits_policy(made.html, made.csp)
            assert not elements.named("img")
            assert f"/base/loads/7?f=html&lang={language}" in [one.get("href") for one in elements.named("a")]
            empty = document_page(kind, {**body, kind: []}, language=language, root=ROOT).html
            assert 'class="state"' in empty


def test_a_bar_is_full_and_small_parts_stay_visible() -> None:
    bar = stacked([("a", 1_000_000), ("b", 1), ("c", 0), ("d", 500_000)])
    assert [one.key for one in bar] == ["a", "b", "d"]
    assert sum(one.width for one in bar) == pytest.approx(1000)
    assert bar[1].width >= 6
    assert all(left.x + left.width == pytest.approx(right.x, abs=0.02) for left, right in pairwise(bar))
    assert stacked([("a", 0)]) == ()


def test_columns_are_as_high_as_their_counts() -> None:
    chart = columns(["x", "y", "z"], [10, 5, 0], [(0.0, "x")])
    assert [round(one.height) for one in chart.columns] == [96, 48, 0]
    assert chart.columns[0].y == 0
    assert all(0 <= one.x <= WIDTH for one in chart.columns)
    assert [one.label for one in histogram((0.0, 0.5, 1.0), (1, 2)).ticks] == ["0", "0.5", "1"]
    assert [one.label for one in timeline(["2026-01"], [3]).ticks] == ["2026-01"]
    assert len(timeline([str(year) for year in range(2000, 2030)], [1] * 30).ticks) == 4


def test_a_sketch_is_north_up_and_true_to_shape() -> None:
    drawn = sketch([(0.0, 60.0, "error", 1), (1.0, 61.0, "warning", 2)], None)
    assert drawn
    south, north = drawn.dots
    assert north.y < south.y
    # At about 60 degrees a degree of longitude is half as long as one of latitude.
    assert (north.x - south.x) / (south.y - north.y) == pytest.approx(0.5, abs=0.02)
    assert sketch([], (0, 0, 1, 1)) is None
    assert sketch([(1.0, 1.0, "error", 1)], None) is not None
    across = sketch([(179.0, 1.0, "error", 1)], (170.0, 0.0, -170.0, 2.0))
    assert across
    assert across.frame is None


@pytest.mark.parametrize(
    ("value", "written"),
    [(0, "0"), (1234567, "1,234,567"), (1230.4, "1,230"),
     (0.05, "0.05"), (12.3456, "12.35"), (2.0, "2"), (1e300, "1e+300"),
     (0.00001, "1e-05"), (-1.5, "-1.5"), ("2026-01-01", "2026-01-01")],
)  # fmt: skip
def test_numbers_are_written_plainly(value: Any, written: str) -> None:
    assert plain(value) == written


def test_shares_are_never_rounded_to_nothing_or_all() -> None:
    shares = [percent(one) for one in (0.0, 0.000015, 0.05, 0.5, 0.999985, 1.0, None)]
    assert shares == ["0%", "< 0.01 %", "5.00 %", "50.0 %", "> 99.99 %", "100%", ""]


def test_sizes_have_units() -> None:
    assert [bytes_of(one) for one in (0, 1023, 1024, 123_456_789, 5 << 40, None)] == [
        "0 B", "1023 B", "1.0 KiB", "117.7 MiB", "5.0 TiB", "",
    ]  # fmt: skip


def test_the_words_are_in_both_languages_and_have_one_meaning() -> None:
    assert set(PORTAL_TEXTS) < set(TEXTS)
    assert all(TEXTS[key] is words for key, words in PORTAL_TEXTS.items()), "a word is told twice"
    assert all(words.keys() == {"zh", "en"} and all(words.values()) for words in TEXTS.values())


def test_a_refusal_is_told_in_the_language_of_the_page() -> None:
    detail = "DLTB.shp is truncated: it announces 16916 bytes and has 8458."
    problem = {"title": SourceUnreadable.title, "kind": "SourceUnreadable", "detail": detail}
    chinese, english = (page(one, outcome="refused", counts=None, problem=problem) for one in ("zh", "en"))
    assert "<strong>来源无法读取</strong>" in chinese
    assert "DLTB.shp 不完整：文件头声明 16916 字节，实际只有 8458 字节。" in chinese
    assert f"<strong>{SourceUnreadable.title}</strong>" in english
    assert detail in english


def test_titles_of_refusals_are_known_in_chinese() -> None:
    for refusal in (CrsRefused, *subclasses(SourceError)):
        if refusal.__module__ == SourceError.__module__:
            assert in_language(refusal.title, "zh") != refusal.title, refusal


def subclasses(kind: type[SourceError]) -> list[type[SourceError]]:
    """A class and all that inherit from it."""
    return [kind, *(one for child in kind.__subclasses__() for one in subclasses(child))]


@pytest.mark.parametrize("language", ["zh", "en"])
def test_open_rows_can_be_mended_on_the_page(language: str) -> None:
    body = load_report()
    first, second = body["samples"]["quarantine"]
    body["samples"]["quarantine"] = [first, {**second, "id": 2, "state": "mended"}]
    rows = Elements(document_page("load", body | {"drawn": DRAWN}, language=language, root=ROOT).html)
    assert [one["data-row"] for one in rows.named("td") if one.get("data-row")] == ["1"]
    (table,) = [one for one in rows.named("table") if one.get("id") == "mend"]
    assert (table["data-rows"], table["data-jobs"]) == ("/base/collections/spot/quarantine", "/base/jobs")
    words = json.loads(str(table["data-words"]))
    used = (resources.files("web") / "static/pages/mend.js").read_text(encoding="utf-8")
    assert set(words) == set(re.findall(r"\bwords\.(\w+)", used))
    body["samples"]["quarantine"] = [{**first, "state": "dismissed"}]
    assert 'id="mend"' not in document_page("load", body | {"drawn": DRAWN}, language=language, root=ROOT).html


@pytest.mark.parametrize("language", ["zh", "en"])
def test_how_to_mend_names_commands_and_requests_that_there_are(language: str) -> None:
    html = unescape(page(language))
    shown = re.findall(r'<pre class="command"[^>]*>(.*?)</pre>', html, re.DOTALL)
    commands, requests = (block.splitlines() for block in shown)
    known = PAGES["cli.md"]()
    for line in commands:
        name = " ".join(line.split()[:3])
        assert f"## {name}" in known, line
        section = known.partition(f"## {name}\n")[2].partition("\n## ")[0]
        assert all(f"`{word}`" in section for word in line.split() if word.startswith("--")), line
    assert {" ".join(line.split()[:3]) for line in commands} >= {
        "geoservice ingest quarantine",
        "geoservice ingest mend",
        "geoservice ingest replay",
    }
    routes = {
        (method, re.sub(r"{\w+}", "x", route.path))
        for block in BLOCKS
        for route in block.router.routes
        if isinstance(route, APIRoute)
        for method in route.methods
    }
    for line in requests:
        method, path = line.split()[:2]
        plain_path = path.removeprefix("/base").partition("?")[0]
        asked = re.sub("/1$", "/x", re.sub(r"^/collections/\w+", "/collections/x", plain_path))
        assert (method, asked) in routes, line
    assert len(requests) == 3


@pytest.mark.parametrize(
    ("language", "said"),
    [
        ("en", ("datum named by whoever loaded it (Xian 1980), confidence 0.95", "zone 39 (EPSG:2362 · 3° wide")),
        ("zh", ("基准由载入者指定 (1980 西安坐标系)，可信度 0.95", "39 带（EPSG:2362 · 3° 带")),
    ],
)
def test_the_lineage_says_how_the_crs_was_decided(language: str, said: tuple[str, str]) -> None:
    page = load_file(load_report("EPSG:2362"), language=language)
    assert all(sentence in page for sentence in said)
    facts = load_report("x")["source"]
    none = load_file(load_report("x", source={**facts, "reference": None}), language=language)
    assert text("crs_decided", language) not in none


def test_there_is_a_sentence_for_every_way_of_deciding() -> None:
    """Negative control: a way that is added to the document without words fails here and not on somebody's page."""
    for how in get_args(ReferenceFacts.model_fields["how"].annotation):
        for by in get_args(ReferenceFacts.model_fields["by"].annotation):
            for datum in (None, *get_args(Datum)):
                body = {"how": how, "by": by, "datum": datum, "confidence": 1.0}
                assert decided(body, "zh") != decided(body, "en")
