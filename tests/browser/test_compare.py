"""Two sides of a map and what changed between two dates, compared by mouse, by keyboard and on a telephone."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Portal
from tests.browser.past import CHANGED, GONE, LAYER, NEW, Past, drawn_ids, past, seen_box, shows
from tests.browser.test_loads import accessible

__all__ = ["past"]
pytestmark = [pytest.mark.browser, pytest.mark.slow]
SECOND = """(() => {
    const all = [];
    geoserviceMap.leaflet.eachLayer((one) => { if (one.getMaplibreMap) all.push(one.getMaplibreMap()); });
    return all.find((one) => one !== geoserviceMap.gl.getMaplibreMap());
})()"""


def calm(portal: Portal, gl: str) -> None:
    """Wait until a second map has drawn all its tiles."""
    portal.settle()
    for _ in range(100):
        portal.page.wait_for_timeout(300)
        if portal.page.evaluate(f"() => {{ const gl = {gl}; return gl.areTilesLoaded() && gl.isStyleLoaded(); }}"):
            break
    portal.page.wait_for_timeout(800)


def choose_edition(portal: Portal, button: str, place: int) -> None:
    """Choose a date by an edition of the list, the newest being 0."""
    portal.page.locator(f"[data-date={button}]").click()
    portal.page.locator("#dialog .edition-list button", has_text="Geological units").nth(place).click()


def test_a_swipe_shows_two_dates_and_is_moved_by_keyboard_and_mouse(portal: Portal, past: Past) -> None:
    portal.open("lang=en", past.place)
    portal.page.keyboard.press("v")
    line = portal.page.locator("#swipe")
    expect(line).to_be_visible()
    choose_edition(portal, "compare_right", 1)
    calm(portal, SECOND)
    # Left is now, right is then; the second map draws the whole view and is cut off at the line.
    shows(portal, past, 1)
    shows(portal, past, 0, SECOND)
    expect(portal.page.locator(".compare-tag-left")).to_have_text("Now")
    line.focus()
    portal.page.keyboard.press("Home")
    expect(line).to_have_attribute("aria-valuenow", "0")
    portal.page.keyboard.press("PageUp")
    portal.page.keyboard.press("ArrowRight")
    expect(line).to_have_attribute("aria-valuenow", "11")
    box = line.bounding_box()
    assert box
    portal.page.mouse.move(box["x"] + box["width"] / 2, 300)
    portal.page.mouse.down()
    portal.page.mouse.move(674, 300, steps=4)
    portal.page.mouse.up()
    expect(line).to_have_attribute("aria-valuenow", "50")
    assert accessible(portal.page) == []
    portal.shot("swipe-en")

    # A click right of the line is answered by the right side: a unit that is gone by now.
    portal.page.locator("#swipe").focus()
    portal.page.keyboard.press("Home")
    at = portal.page.evaluate(
        """([lng, lat]) => {
            const at = geoserviceMap.leaflet.latLngToContainerPoint([lat, lng]);
            const box = geoserviceMap.leaflet.getContainer().getBoundingClientRect();
            return [at.x + box.x, at.y + box.y];
        }""",
        list(past.rows[0].set_index("unit_id").geometry["unit-5-4"].centroid.coords[0]),
    )
    portal.page.mouse.click(*at)
    expect(portal.page.locator("#drawer-title")).to_contain_text("Unit 5-4")
    expect(portal.page.locator("#drawer .source")).to_contain_text(f"edition {past.numbers[0]}")
    portal.page.keyboard.press("Escape")

    # The address brings the comparison back; its end takes the second map away.
    portal.page.reload()
    portal.page.wait_for_selector("html[data-ready=yes]", timeout=60_000)
    calm(portal, SECOND)
    shows(portal, past, 0, SECOND)
    expect(portal.page.locator("#swipe")).to_have_attribute("aria-valuenow", "0")
    portal.page.keyboard.press("Escape")
    expect(portal.page.locator("#compare-bar")).to_have_count(0)
    assert portal.page.evaluate(f"() => {SECOND} === undefined")
    assert "compare=" not in portal.page.url


def test_side_by_side_on_a_telephone_moves_together(phone: Portal, past: Past) -> None:
    phone.open("lang=zh", past.place)
    phone.page.keyboard.press("t")
    phone.page.get_by_role("button", name="并排", exact=True).click()
    expect(phone.page.locator("#second-map")).to_be_visible()
    centre = "(map) => { const at = map.getCenter(); return [at.lat, at.lng, map.getZoom()]; }"
    phone.page.evaluate("() => geoserviceMap.leaflet.panBy([0, 40], {animate: false})")
    phone.settle()
    second = "document.querySelector('#second-map canvas').getBoundingClientRect().height"
    assert phone.page.evaluate(second) > 100
    first = phone.page.evaluate(f"() => ({centre})(geoserviceMap.leaflet)")
    # Dragging the lower map moves the upper one.
    box = phone.page.locator("#second-map").bounding_box()
    assert box
    x, y = box["x"] + 150, box["y"] + 60
    phone.page.mouse.move(x, y)
    phone.page.mouse.down()
    phone.page.mouse.move(x - 60, y, steps=5)
    phone.page.mouse.up()
    phone.settle()
    moved = phone.page.evaluate(f"() => ({centre})(geoserviceMap.leaflet)")
    assert moved[1] > first[1]
    assert moved[0] == pytest.approx(first[0], abs=1e-3)
    # A layer of its own: the second map draws no units, the first one still does.
    phone.page.locator(".compare-own-layers").click()
    phone.page.locator(f"#dialog input[value={LAYER}]").uncheck()
    phone.page.keyboard.press("Escape")
    phone.settle()
    assert drawn_ids(phone) != set()
    expect(phone.page.locator(".compare-own-layers")).to_contain_text("个图层")
    assert phone.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert accessible(phone.page) == []
    phone.shot("beside-phone-zh")
    phone.page.get_by_role("button", name="结束对比").click()
    expect(phone.page.locator("#second-map")).to_have_count(0)


def test_what_changed_is_drawn_counted_and_listed(portal: Portal, past: Past) -> None:
    portal.open("lang=en", past.place)
    portal.page.keyboard.press("t")
    portal.page.get_by_role("button", name="What changed").click()
    select = portal.page.locator("#changes-layer")
    expect(select).to_be_visible()
    select.select_option(LAYER)
    legend = portal.page.locator("#change-legend")
    # The best beginning is the edition before the latest one.
    expect(legend.locator("[data-change=inserted] .count")).to_have_text("1")
    expect(legend.locator("[data-change=updated] .count")).to_have_text(str(len(CHANGED)))
    expect(legend.locator("[data-change=deleted] .count")).to_have_text(str(len(GONE)))
    portal.settle()
    script = """() => {
        const gl = geoserviceMap.gl.getMaplibreMap();
        const found = gl.queryRenderedFeatures({layers: ["compare-changes-fill"]});
        return found.map((one) => [one.properties.key, one.properties.change]);
    }"""
    drawn = dict(portal.page.evaluate(script))
    known = {NEW: "inserted"} | dict.fromkeys(CHANGED, "updated") | dict.fromkeys(GONE, "deleted")
    inside = past.around(0, seen_box(portal, 0)) | past.around(1, seen_box(portal, 0))
    assert drawn == {key: change for key, change in known.items() if key in inside}
    assert accessible(portal.page) == []
    portal.shot("changes-en")
    # The list is the answer without the map: what is gone opens as it was.
    portal.page.locator("#change-list button", has_text="removed").first.click()
    expect(portal.page.locator("#drawer .source")).to_contain_text(f"edition {past.numbers[0]}")
    portal.page.locator("#compare-bar [aria-label='End the comparison']").click()
    portal.settle()
    assert portal.page.evaluate("() => geoserviceMap.gl.getMaplibreMap().getSource('compare-changes') === undefined")
