"""Finding things in the portal as a person does: by name, code, address, coordinates and map sheet."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Portal
from tests.browser.test_loads import accessible

pytestmark = [pytest.mark.browser, pytest.mark.slow]
COUNTY_SEAT = (38.6224, 105.0381)
"""Latitude and longitude of the sample's county seat."""


def centre(portal: Portal) -> tuple[float, float]:
    """Latitude and longitude of the middle of the map."""
    lat, lon = portal.page.evaluate("() => { const at = geoserviceMap.leaflet.getCenter(); return [at.lat, at.lng]; }")
    return lat, lon


def asked(portal: Portal, text: str) -> None:
    """Write a text into the search, as the keyboard does, and wait for its list."""
    portal.page.keyboard.press("/")
    portal.page.locator("#search-text").fill(text)
    expect(portal.page.locator("#search-list [role=option]").first).to_be_visible()


def test_a_place_is_found_by_its_pinyin_and_the_keyboard_alone(portal: Portal) -> None:
    portal.open()
    asked(portal, "ylxc")
    expect(portal.page.locator("#search-list [role=option]").first).to_contain_text("样例县城")
    assert accessible(portal.page) == []
    portal.page.keyboard.press("ArrowDown")
    expect(portal.page.locator("#search-text")).to_have_attribute("aria-activedescendant", "found-0")
    portal.page.keyboard.press("Enter")
    expect(portal.page.locator("#drawer-title")).to_have_text("样例县城")
    portal.settle()
    assert centre(portal) == pytest.approx(COUNTY_SEAT, abs=0.01)
    portal.page.keyboard.press("Escape")
    expect(portal.page.locator("#drawer")).to_be_hidden()


def test_codes_sheets_and_coordinates(portal: Portal) -> None:
    portal.open("lang=en")
    asked(portal, "990101100001")
    expect(portal.page.locator("#search-list [role=option]").first).to_contain_text("990101100001")
    portal.page.keyboard.press("Enter")
    expect(portal.page.locator("#drawer-title")).to_have_text("Sample County Town")

    # J-48-55-A is 1:50,000 and lies between 105 and 105.25 degrees east, 38.5 and 38.6667 north (GB/T 13989).
    asked(portal, "J-48-55-A")
    portal.page.keyboard.press("Enter")
    expect(portal.page.locator("#drawer-title")).to_have_text("Map sheet J48E009013")
    corners = "38°30′00.0″N 105°00′00.0″E – 38°40′00.0″N 105°15′00.0″E"
    expect(portal.page.locator("#drawer-body")).to_contain_text(corners)
    portal.page.locator("#drawer-body .link", has_text="J48E009014").click()
    expect(portal.page.locator("#drawer-title")).to_have_text("Map sheet J48E009014")

    asked(portal, "39500000,4418000")
    portal.page.locator("#search-list [role=option]").first.click()
    expect(portal.page.locator("#drawer-body")).to_contain_text("3-degree zone 39 (meridian 117°)")
    assert centre(portal) == pytest.approx((39.896166, 117.0), abs=1e-3)


def test_nothing_found_is_said_and_escape_goes_back_step_by_step(phone: Portal) -> None:
    phone.open()
    field = phone.page.locator("#search-text")
    field.fill("<b>qqqq</b>")
    expect(phone.page.locator("#search-note")).to_contain_text("没有找到“<b>qqqq</b>”")
    assert accessible(phone.page) == []
    field.press("Escape")
    expect(phone.page.locator("#search-drop")).to_be_hidden()
    expect(field).to_have_value("<b>qqqq</b>")
    field.press("Escape")
    expect(field).to_have_value("")
