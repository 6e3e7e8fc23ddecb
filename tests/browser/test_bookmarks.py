"""Bookmarks bring back what was on the screen, without a reload where they can, and take away what they do not name."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Portal

pytestmark = [pytest.mark.browser, pytest.mark.slow]
PLAIN = "#map=11.00/38.45000/104.95000&layers=country,road"
THEN = "2999-01-01T00:00:00Z"
SLOW = 120_000
LOADED = "window.wasLoadedOnce === true"


def keep(page: Page, name: str) -> None:
    if page.locator("#panel").is_hidden() or page.locator("#panel-title").inner_text() != "Tools":
        page.locator("button[data-panel=toolbox]").click()
    page.locator("#bookmark-name").fill(name)
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name=name, exact=True)).to_be_visible()


def recall(page: Page, name: str) -> None:
    if page.locator("#panel").is_hidden() or page.locator("#panel-title").inner_text() != "Tools":
        page.locator("button[data-panel=toolbox]").click()
    page.get_by_role("button", name=name, exact=True).click()


def test_bookmarks_bring_back_sides_times_and_tables(portal: Portal) -> None:
    page = portal.page
    portal.open("lang=en", PLAIN)
    page.evaluate("() => { window.wasLoadedOnce = true; }")
    keep(page, "plain")
    # A comparison, with the line where it was put.
    page.keyboard.press("Escape")
    page.keyboard.press("v")
    line = page.locator("#swipe")
    line.focus()
    page.keyboard.press("Home")
    page.keyboard.press("PageUp")
    expect(line).to_have_attribute("aria-valuenow", "10")
    keep(page, "two sides")
    recall(page, "plain")
    expect(page.locator("#compare-bar")).to_have_count(0)
    assert "compare=" not in page.url
    recall(page, "two sides")
    expect(line).to_have_attribute("aria-valuenow", "10")
    # The table of a layer, and the map as it was; nothing of the comparison stays.
    recall(page, "plain")
    page.evaluate("() => { location.hash += '&table=road&as-of=2020-01-01T00:00:00Z'; }")
    expect(page.locator("#as-of-band")).to_be_visible()
    expect(page.locator("#dock-title")).to_be_visible()
    keep(page, "rows of then")
    recall(page, "plain")
    expect(page.locator("#as-of-band")).to_have_count(0)
    expect(page.locator("#dock-title")).to_be_hidden()
    recall(page, "rows of then")
    expect(page.locator("#as-of-band")).to_be_visible()
    expect(page.locator("#dock-title")).to_be_visible()
    # All of that on one page; what only a new page can bring back comes by one.
    assert page.evaluate(LOADED)
    recall(page, "plain")
    page.evaluate("() => { location.hash += '&stats=layer%3Droad'; }")
    expect(page.locator("html[data-ready=yes]")).to_be_attached(timeout=SLOW)
    page.wait_for_function(f"() => !({LOADED}) && document.documentElement.dataset.ready === 'yes'", timeout=SLOW)


def test_a_bookmark_brings_back_the_time_bar(portal: Portal) -> None:
    page = portal.page
    portal.open("lang=en", "#map=8.00/38.45000/104.95000&layers=country,earthquake")
    keep(page, "no time")
    page.locator("button[data-panel=layers]").click()
    page.locator("[data-layer=earthquake]").get_by_role("button", name="Through time").click()
    slider = page.locator("#time-at")
    slider.focus()
    page.keyboard.press("Home")
    page.keyboard.press("ArrowRight")
    expect(page).to_have_url(re.compile("time=earthquake"))
    keep(page, "second step")
    recall(page, "no time")
    expect(page.locator("#time-bar")).to_have_count(0)
    recall(page, "second step")
    expect(slider).to_have_value("1")


def test_a_bookmark_brings_back_the_land_in_three_dimensions(portal: Portal) -> None:
    page = portal.page
    page.set_default_timeout(SLOW)
    page.set_viewport_size({"width": 900, "height": 600})
    portal.open("lang=en", PLAIN)
    keep(page, "flat")
    page.evaluate("() => { location.hash += '&relief=40,30,3'; }")
    expect(page.locator("#relief canvas")).to_be_visible(timeout=SLOW)
    expect(page.locator("#relief-bar output")).to_have_text("× 3", timeout=SLOW)
    keep(page, "tilted")
    recall(page, "flat")
    expect(page.locator("#relief")).to_be_hidden(timeout=SLOW)
    assert "relief=" not in page.url
    recall(page, "tilted")
    expect(page.locator("#relief canvas")).to_be_visible(timeout=SLOW)
    expect(page).to_have_url(re.compile("relief=40(,|%2C)30(,|%2C)3"), timeout=SLOW)
