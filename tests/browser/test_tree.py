"""The layer tree: layers are found by words, say whose they are, lie as the reader wants them, and are thinned out."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Portal

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.mark.parametrize(
    ("words", "found"), [("land natural", "landuse_patch"), ("图斑", "landuse_patch"), ("DAM", "dam")]
)
def test_a_layer_is_found_by_words_of_either_language(portal: Portal, words: str, found: str) -> None:
    portal.open("lang=en")
    tree = portal.page.locator("#panel-body li.layer")
    whole = tree.count()
    field = portal.page.locator("#layer-find")
    field.fill(words)
    expect(portal.page.locator(f"li[data-layer={found}]")).to_be_visible()
    assert 0 < tree.count() < whole
    field.fill("nothing is called this")
    expect(tree).to_have_count(0)
    expect(portal.page.locator("#panel-body")).to_contain_text("No such layer")
    field.press("Escape")
    expect(field).to_have_value("")
    expect(tree).to_have_count(whole)


def test_a_shown_layer_says_who_answers_for_it(portal: Portal) -> None:
    portal.open("lang=en")
    origin = portal.page.locator("li[data-layer=landuse_patch] .layer-origin")
    expect(origin).to_contain_text("County natural resources department")
    expect(origin).to_contain_text(str(datetime.now(UTC).year))


def test_the_reader_says_what_lies_upon_what(portal: Portal) -> None:
    script = "() => geoserviceMap.gl.getMaplibreMap().getLayersOrder()"
    lines = ["river-line", "road-line"]
    portal.open("lang=en", "#map=13.00/38.62000/105.04000&layers=landuse_patch,river,road")

    def order() -> list[str]:
        return [one for one in portal.page.evaluate(script) if one in lines]

    ground = portal.page.locator("details.group", has=portal.page.locator("[data-layer=river]")).locator("summary")
    ground.click()
    before = portal.page.evaluate(script)
    assert order() == lines
    up = portal.page.locator("li[data-layer=river] [data-step='1']")
    down = portal.page.locator("li[data-layer=river] [data-step='-1']")
    expect(down).to_be_disabled()
    # The only areas that are shown have nothing to change places with.
    expect(portal.page.locator("li[data-layer=landuse_patch] [data-step='1']")).to_be_disabled()
    up.focus()
    up.press("Enter")
    assert order() == lines[::-1]
    # The button has had its last use; its twin has the focus, and takes the step back.
    expect(down).to_be_focused()
    assert "order=" in portal.page.url
    # No area came to lie upon a line, and nothing was lost.
    after = portal.page.evaluate(script)
    assert sorted(after) == sorted(before)
    assert after.index("landuse_patch-fill") < after.index("road-line")
    portal.page.reload()
    portal.page.wait_for_selector("html[data-ready=yes]", timeout=60_000)
    assert order() == lines[::-1]
    with portal.page.expect_request(lambda one: "/maps/sheet" in one.url) as asked:
        portal.page.keyboard.press("Control+p")
    layers = [one if isinstance(one, str) else one["id"] for one in asked.value.post_data_json["layers"]]
    assert layers.index("road") < layers.index("river")
    portal.page.keyboard.press("l")
    ground.click()
    down.press("Enter")
    assert portal.page.evaluate(script) == before
    assert "order=" not in portal.page.url


def test_opacity_thins_the_layer(portal: Portal) -> None:
    portal.open()
    paint = "() => geoserviceMap.gl.getMaplibreMap().getPaintProperty('landuse_patch-fill', 'fill-opacity')"
    before = portal.page.evaluate(paint)
    portal.page.locator("#opacity-landuse_patch").fill("50")
    assert portal.page.evaluate(paint) == pytest.approx(before / 2)
    # It outlives the page, and a bookmark without it takes it away.
    assert "opacity=landuse_patch%3A50" in portal.page.url
    portal.page.reload()
    portal.page.wait_for_selector("html[data-ready=yes]", timeout=60_000)
    expect(portal.page.locator("#opacity-landuse_patch")).to_have_value("50")
    assert portal.page.evaluate(paint) == pytest.approx(before / 2)
    portal.page.evaluate("() => { location.hash = location.hash.replace('landuse_patch%3A50', 'landuse_patch:'); }")
    expect(portal.page.locator("#opacity-landuse_patch")).to_have_value("100")
    assert portal.page.evaluate(paint) == pytest.approx(before)
