"""Finding things in the portal as a person does: by name, code, address, coordinates and map sheet."""

from __future__ import annotations

import pyproj
import pytest
from playwright.sync_api import expect

from layers.sheets import scale_of, sheet_at
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
    # The list of the question before would be there at once.
    portal.page.locator("#search-text").fill("")
    expect(portal.page.locator("#search-drop")).to_be_hidden()
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


PLACES = [(105.038, 38.6224), (117.0, 39.9), (74.2, 39.5), (134.9, 48.4), (110.4999, 18.2), (110.5001, 53.5)]


def test_notations_agree_with_proj_and_the_standard(portal: Portal) -> None:
    portal.open()
    script = """async (places) => {
        const {gaussKrueger, sheetAt} = await import("/static/portal/notation.js");
        const sheets = (lon, lat) => [1000000, 50000, 2000, 500].map((one) => sheetAt(lon, lat, one));
        return places.map(([lon, lat]) => [gaussKrueger(lon, lat), sheets(lon, lat)]);
    }"""
    for (lon, lat), (metres, sheets) in zip(PLACES, portal.page.evaluate(script, PLACES), strict=True):
        zone = round(lon / 3)
        assert metres["zone"] == zone
        east, north = pyproj.Transformer.from_crs(4490, 4513 + zone - 25, always_xy=True).transform(lon, lat)
        assert (metres["easting"], metres["northing"]) == pytest.approx((east, north), abs=2e-3)
        assert sheets == [sheet_at(lon, lat, scale_of(one)).number for one in (1_000_000, 50_000, 2_000, 500)]


def test_an_area_is_measured_by_clicks_and_told_in_mu(portal: Portal) -> None:
    portal.open("lang=en", "#map=12.00/38.60000/105.00000&layers=road")
    portal.page.keyboard.press("t")
    portal.page.get_by_role("button", name="Area", exact=True).click()
    corners = [(700, 300), (900, 300), (900, 500), (700, 500)]
    for x, y in corners:
        portal.page.mouse.click(x, y)
        portal.page.wait_for_timeout(400)
    told = portal.page.locator("#measured")
    expect(told).to_contain_text("mu")
    portal.page.keyboard.press("Enter")
    body = portal.page.locator("#drawer-body")
    expect(body).to_contain_text("Perimeter")
    where = """(all) => all.map(([x, y]) => {
        const at = geoserviceMap.leaflet.mouseEventToLatLng({clientX: x, clientY: y});
        return [at.lng, at.lat];
    })"""
    ring = portal.page.evaluate(where, corners)
    size, _ = pyproj.Geod(ellps="GRS80").polygon_area_perimeter(*zip(*ring, strict=True))
    mu = float(body.locator("tr").nth(1).inner_text().replace(",", "").split()[0])
    assert mu == pytest.approx(abs(size) * 3 / 2000, rel=2e-3)
    assert accessible(portal.page) == []


def test_grids_and_bookmarks_outlive_a_reload(portal: Portal) -> None:
    portal.open("lang=en", "#map=12.00/38.60000/105.00000&layers=road")
    portal.page.keyboard.press("t")
    portal.page.locator("#grid-graticule").check()
    portal.page.locator("#grid-sheets").check()
    expect(portal.page.locator(".grid-label.of-sheet", has_text="J48E009013")).to_be_visible()
    assert "105°E" in portal.page.locator(".grid-label.of-lon").all_inner_texts()
    portal.page.locator("#bookmark-name").fill("<i>mine</i>")
    portal.page.keyboard.press("Enter")
    portal.open("lang=en", "#map=9.00/39.60000/105.50000&layers=road")
    expect(portal.page.locator(".grid-label.of-lat").first).to_be_visible()
    if portal.page.locator("#panel-title").inner_text() != "Tools":
        portal.page.keyboard.press("t")
    portal.page.get_by_role("button", name="<i>mine</i>").click()
    portal.settle()
    assert centre(portal) == pytest.approx((38.6, 105.0), abs=1e-3)
