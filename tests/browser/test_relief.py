"""The land in three dimensions and the shade of hills on the flat map."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Portal
from tests.browser.test_loads import accessible

pytestmark = [pytest.mark.browser, pytest.mark.slow]
PLACE = "#map=12.00/38.45000/104.95000&layers=country,division,landuse_patch,road"
SLOW = 120_000
MIDDLE = "() => geoserviceMap.leaflet.getCenter().lng"
FEW = "#map=11.00/38.45000/104.95000&layers=country,road"
NO_WEBGL = """() => {
    const own = HTMLCanvasElement.prototype.getContext;
    HTMLCanvasElement.prototype.getContext = function getContext(kind, ...more) {
        return kind.startsWith("webgl") ? null : own.call(this, kind, ...more);
    };
}"""


def looks(portal: Portal, pitch: int, bearing: int) -> None:
    """Wait until the address says how steeply and in which direction the view looks, in degrees."""
    comma = "(,|%2C)"
    expect(portal.page).to_have_url(re.compile(f"relief={pitch}{comma}{bearing}{comma}2&"), timeout=SLOW)


def test_the_land_is_seen_in_three_dimensions_by_keyboard(portal: Portal) -> None:
    # A processor draws the terrain here, which takes seconds for each picture of a large window.
    portal.page.set_default_timeout(SLOW)
    portal.page.set_viewport_size({"width": 900, "height": 600})
    portal.open("lang=en", FEW)
    with portal.page.expect_response(lambda one: "algorithm=terrainrgb" in one.url) as got:
        portal.page.keyboard.press("d")
    assert got.value.ok
    canvas = portal.page.locator("#relief canvas")
    expect(canvas).to_be_visible(timeout=SLOW)
    bar = portal.page.locator("#relief-bar")
    bar.get_by_role("button", name="Turn right").click()
    looks(portal, 60, 15)
    # Shift and an arrow tilt, an arrow alone moves; what the view moved to is where the flat map stands afterwards.
    canvas.focus()
    portal.page.keyboard.press("Shift+ArrowDown")
    looks(portal, 50, 15)
    before = portal.page.evaluate(MIDDLE)
    portal.page.keyboard.press("ArrowRight")
    expect(portal.page).not_to_have_url(portal.page.url, timeout=SLOW)
    portal.page.locator("#relief-times").fill("3")
    expect(bar.locator("output")).to_have_text("× 3", timeout=SLOW)
    assert accessible(portal.page) == []
    portal.shot("relief-en")
    portal.page.locator("#relief-times").press("Escape")
    expect(portal.page.locator("#panel")).to_be_hidden(timeout=SLOW)
    portal.page.keyboard.press("Escape")
    expect(portal.page.locator("#relief")).to_be_hidden(timeout=SLOW)
    assert portal.page.evaluate(MIDDLE) > before
    assert portal.page.locator("#relief-map canvas").count() == 0
    portal.settle()


def test_a_telephone_without_webgl_is_told_so(phone: Portal) -> None:
    phone.open("lang=zh", PLACE)
    phone.page.evaluate(NO_WEBGL)
    phone.page.keyboard.press("t")
    phone.page.get_by_role("button", name="三维地形").click()
    bar = phone.page.locator("#relief-bar")
    expect(bar.get_by_role("alert")).to_contain_text("没有 WebGL")
    assert accessible(phone.page) == []
    bar.get_by_role("button", name="返回平面地图").click()
    expect(phone.page.locator("#relief")).to_be_hidden()
    phone.settle()


def test_hills_are_shaded_softly_and_that_lasts(portal: Portal) -> None:
    portal.open("lang=zh", PLACE)
    portal.page.keyboard.press("t")
    portal.page.locator("#shade").check()
    portal.settle()
    look = """() => {
        const gl = geoserviceMap.gl.getMaplibreMap();
        const {layers} = gl.getStyle();
        const place = (id) => layers.findIndex((one) => one.id === id);
        const own = layers[place("relief-shade")]?.paint ?? {};
        return [place("relief-shade"), place("landuse_patch-fill"), place("road-line"), Object.values(own)];
    }"""
    shade, land, road, paint = portal.page.evaluate(look)
    assert land < shade < road
    # No colour of the shade covers more than a fifth.
    alphas = [float(str(value).rstrip(")").split(",")[-1]) for value in paint if str(value).startswith("rgba")]
    assert alphas
    assert max(alphas) <= 0.2
    portal.shot("shade-zh")
    assert "shade=yes" in portal.page.url
    portal.page.reload()
    portal.page.wait_for_selector("html[data-ready=yes]", timeout=60_000)
    portal.settle()
    assert portal.page.evaluate(look)[0] > 0
    if portal.page.locator("#shade").count() == 0:
        portal.page.keyboard.press("t")
    portal.page.locator("#shade").uncheck()
    assert portal.page.evaluate(look)[0] == -1
