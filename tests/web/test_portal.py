"""The portal page: what it holds, and what it must not hold."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import replace
from typing import Any

import pytest

from ingest.progress import PHASES
from layers.access import Clearance
from layers.catalog import parse_layer
from tests.web.test_page import Elements, assert_fits_policy
from tests.web.views import CATALOG, EDITION, INSIDER, NOW, portal_view
from web.config import overdue, portal_config
from web.maps import json_block
from web.pages import portal_page
from web.texts import TEXTS, text
from web.view import Reader, UrlPatterns, VisibleLayer


def block(elements: Elements, name: str) -> Any:
    scripts = elements.named("script")
    place = next(i for i, one in enumerate(scripts) if one.get("id") == name)
    return json.loads(elements.scripts[place])


def test_page_fits_its_policy_and_asks_nobody_else() -> None:
    page = portal_page(portal_view())
    elements = assert_fits_policy(page.html, page.csp)
    assert len(elements.named("html")) == 1
    assert elements.named("html")[0]["lang"] == "zh-CN"
    sources = [one["src"] for one in elements.named("script") if one.get("src")]
    assert sources
    assert all(str(one).startswith("/static/") for one in sources)


def test_readers_may_enlarge_the_page() -> None:
    page = portal_page(portal_view())
    metas = [one.get("content") or "" for one in Elements(page.html).named("meta") if one.get("name") == "viewport"]
    assert metas
    assert not any("user-scalable" in one or "maximum-scale" in one for one in metas)


def test_style_draws_exactly_the_visible_layers() -> None:
    style = block(Elements(portal_page(portal_view()).html), "map-style")
    public = {one.name for one in CATALOG if one.clearance == Clearance.PUBLIC and one.kind != "table"}
    assert set(style["sources"]) == public
    names = [one["id"] for one in style["layers"]]
    assert len(names) == len(set(names))
    assert {one["source"] for one in style["layers"] if "source" in one} <= public


def test_nothing_above_the_readers_clearance_is_named() -> None:
    hidden = [one for one in CATALOG if one.clearance > Clearance.PUBLIC]
    assert hidden
    html = portal_page(portal_view()).html
    assert not [one.name for one in hidden if one.name in html or one.title.zh in html]
    assert all(one.title.zh in portal_page(portal_view(INSIDER)).html for one in hidden)


def test_attributes_above_the_readers_clearance_are_not_named() -> None:
    entry = next(one for one in portal_config(portal_view())["layers"] if one["id"] == "landuse_patch")
    insider = next(one for one in portal_config(portal_view(INSIDER))["layers"] if one["id"] == "landuse_patch")
    assert "surveyor" not in [one["name"] for one in entry["attributes"]]
    assert "surveyor" in [one["name"] for one in insider["attributes"]]


def test_tables_are_told_beside_the_layers_of_the_map() -> None:
    config = portal_config(portal_view())
    tables = {one.name for one in CATALOG if one.kind == "table" and one.clearance == Clearance.PUBLIC}
    assert tables
    assert {one["id"] for one in config["tables"]} == tables
    assert not tables & {one["id"] for one in config["layers"]}
    changes = next(one for one in config["tables"] if one["id"] == "division_change")
    assert {"change_id", "kind"} <= {one["name"] for one in changes["attributes"]}
    # The builder of filters offers places for what has a geometry.
    assert not any("geometry" in one for one in config["tables"])


def test_a_person_is_named_by_the_key_and_not_by_its_id() -> None:
    reader = Reader("ab12", "internal", (), "<i>Li Na</i>")
    html = portal_page(portal_view(reader=reader)).html
    assert "&lt;i&gt;Li Na&lt;/i&gt;</span>" in html
    assert 'title="ab12"' in html
    assert portal_config(portal_view(reader=reader))["reader"]["name"] == "<i>Li Na</i>"
    # Somebody without a name is called by the id, nobody is called anything.
    assert portal_config(portal_view(reader=Reader("ab12")))["reader"]["name"] == "ab12"
    assert portal_config(portal_view())["reader"]["name"] is None


def test_layers_without_data_are_listed_and_not_drawn() -> None:
    view = portal_view()
    bare = replace(view, layers=tuple(replace(one, edition=None) for one in view.layers))
    config = portal_config(bare)
    assert all(one["edition"] is None for one in config["layers"])
    style = block(Elements(portal_page(bare).html), "map-style")
    assert {one["layout"]["visibility"] for one in style["layers"] if "source" in one} == {"none"}


def test_scripts_are_told_from_where_on_tiles_answer_questions() -> None:
    entries = {one["id"]: one for one in portal_config(portal_view())["layers"]}
    # Points answer six levels before the last of their tiles, others two, unless their file says otherwise.
    assert entries["earthquake"]["exactFrom"] == CATALOG.layer("earthquake").tiles.to - 6
    assert entries["road"]["exactFrom"] == CATALOG.layer("road").tiles.to - 2
    assert entries["elevation"]["timed"] is False
    assert entries["orthophoto"]["timed"] is True


def test_a_layer_of_ones_own_reaches_the_portal_with_its_legend() -> None:
    own = parse_layer(
        {
            "format": 1,
            "kind": "vector",
            "title": {"zh": "自有图层</script><b>", "en": "Own layer"},
            "authority": {"kind": "surveying"},
            "cycle": "P1Y",
            "licence": {"share": "unconditional", "basis": "test"},
            "clearance": "public",
            "geometry": "point",
            "style": {"circle": {"colour": "#123abc"}},
        },
        theme="own",
        name="own_layer",
    )
    view = portal_view(layers=(VisibleLayer(own, (), EDITION),))
    page = portal_page(view)
    elements = assert_fits_policy(page.html, page.csp)
    config = block(elements, "portal-config")
    (entry,) = config["layers"]
    assert entry["title"]["zh"] == "自有图层</script><b>"
    assert entry["legend"][0]["colour"] == "#123abc"
    assert config["groups"] == {"own": {"zh": "own", "en": "own"}}
    assert "</script><b>" not in page.html


@pytest.mark.parametrize("evil", ["</script>", "<!--", "]]>", "&lt;", "\u2028", '"', "\\"])
def test_data_blocks_are_inert(evil: str) -> None:
    written = json_block({"x": evil})
    assert json.loads(written) == {"x": evil}
    assert not set(written) & set("<>&\u2028\u2029")


def test_addresses_below_a_path() -> None:
    urls = UrlPatterns(**{name: f"/geo{getattr(UrlPatterns(), name)}" for name in UrlPatterns.__slots__})
    elements = Elements(portal_page(portal_view(urls=urls)).html)
    style = block(elements, "map-style")
    assert style["glyphs"].startswith("geoglyphs://geo/static/")
    assert all(one["tiles"][0].startswith("/geo/collections/") for one in style["sources"].values())
    assert all(str(one["src"]).startswith("/geo/static/") for one in elements.named("script") if one.get("src"))


def test_signed_in_reader_is_named_and_escaped() -> None:
    html = portal_page(portal_view(reader=Reader("<b>O'Neil</b>", "internal"))).html
    assert "<b>O'Neil" not in html
    assert "&lt;b&gt;O&#39;Neil" in html


def test_sample_button_only_with_a_sample() -> None:
    assert 'id="go-sample"' not in portal_page(portal_view()).html
    assert 'id="go-sample"' in portal_page(portal_view(sample=(110.0, 30.0, 110.5, 30.5))).html


def test_overdue_follows_the_cycle() -> None:
    assert not overdue("P1M", EDITION, EDITION.committed + dt.timedelta(days=30))
    assert overdue("P1M", EDITION, EDITION.committed + dt.timedelta(days=31))
    assert overdue("PT1H", EDITION, NOW)
    assert not overdue("P1Y", EDITION, NOW)
    assert not overdue("PT1H", None, NOW)


def test_boxes_that_maplibre_cannot_use_are_left_out_or_cut() -> None:
    view = portal_view()
    across = replace(EDITION, bbox=(170.0, -90.0, -170.0, 90.0))
    whole = replace(EDITION, bbox=(-180.0, -90.0, 180.0, 90.0))
    for edition, expected in ((across, None), (whole, [-180.0, -85.051129, 180.0, 85.051129])):
        entry = replace(view.layers[0], edition=edition)
        style = block(Elements(portal_page(replace(view, layers=(entry,))).html), "map-style")
        assert style["sources"][entry.layer.name].get("bounds") == expected


def test_every_word_has_both_languages() -> None:
    assert all(words.keys() == {"zh", "en"} and all(words.values()) for words in TEXTS.values())
    assert text("layers", "zh") == "图层"
    with pytest.raises(KeyError):
        text("no-such-word", "en")


def test_only_who_may_load_gets_the_panel_of_jobs() -> None:
    reader, loader = portal_page(portal_view()).html, portal_page(portal_view(loadable=frozenset({"road"}))).html
    assert 'data-panel="jobs"' not in reader
    assert 'data-panel="jobs"' in loader
    assert portal_config(portal_view())["loads"] == []
    (entry,) = portal_config(portal_view(loadable=frozenset({"road", "no-such-layer"})))["loads"]
    assert (entry["id"], entry["kind"]) == ("road", "vector")
    assert "sample" in entry["mappings"]


def test_a_layer_above_the_reader_is_not_offered_for_loading() -> None:
    hidden = frozenset(one.name for one in CATALOG if one.clearance > Clearance.PUBLIC)
    assert portal_config(portal_view(loadable=hidden))["loads"] == []
    assert portal_config(portal_view(INSIDER, loadable=hidden))["loads"]


@pytest.mark.parametrize(
    ("prefix", "names"),
    [
        ("phase", PHASES),
        ("job_state", ("queued", "running", "done", "refused", "failed", "cancelled")),
        ("row", ("inserted", "updated", "unchanged", "quarantined", "not_selected", "deleted")),
        ("finding", ("error", "warning", "info")),
    ],
)
def test_words_that_scripts_put_together_exist(prefix: str, names: tuple[str, ...]) -> None:
    assert [name for name in names if f"{prefix}_{name}" not in TEXTS] == []
