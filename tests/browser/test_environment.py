"""The environment panel as a person uses it, over stations whose readings are known."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import quote, urlencode

import pytest
import sqlalchemy as sa
from playwright.sync_api import Route, expect

from geoservice.db.credentials import Role
from geoservice.db.engine import Database
from geoservice.observations.tables import datastream
from tests.architecture.checkout import ROOT
from tests.browser.conftest import Portal, Site
from tests.support.stations import Place, furnish, hourly, record, stream_of

pytestmark = [pytest.mark.browser, pytest.mark.slow]
AXE = ROOT / "node_modules" / "axe-core" / "axe.min.js"
EVIL = "<img src=x onerror=document.title='broken'>"
HOURS = 72
AT = "2026-05-03T12:00:00Z"
DIRTY = Place("dirty", 105.10, 38.60, {"pm25": "ug/m3", "no2": "ug/m3"})
HOSTILE = Place(EVIL, 105.20, 38.66, {"pm25": "ug/m3"})
CLEAN = [Place(f"clean-{n}", 105.02 + 0.06 * n, 38.54 + 0.03 * n, {"pm25": "ug/m3"}) for n in range(4)]
GAUGE = Place("gauge", 105.05, 38.70, {"water_level": "m"})
SILENT = Place("silent", 105.00, 38.62, {"pm25": "ug/m3"})


@pytest.fixture(scope="module", autouse=True)
def _stations(site: Site) -> None:
    """Clean stations, a dirty one with a gap, a hostile name, a gauge above its warning, one that fell silent."""
    database = Database.from_settings(site.settings)
    furnish(database, [DIRTY, HOSTILE, *CLEAN, GAUGE, SILENT])
    dirty = hourly(DIRTY, "pm25", [160.0] * HOURS)
    readings = [
        *dirty[:30],
        *dirty[40:],
        *hourly(DIRTY, "no2", [250.0 if n == 50 else 20.0 for n in range(HOURS)]),
        *hourly(HOSTILE, "pm25", [80.0] * HOURS),
        *(one for n, place in enumerate(CLEAN) for one in hourly(place, "pm25", [20.0 + n] * HOURS)),
        *hourly(GAUGE, "water_level", [3.9] * HOURS),
        *hourly(SILENT, "pm25", [10.0] * 5),
    ]
    record(database, readings)
    told = {"thresholds": [{"name": "警戒水位", "above": 3.5}]}
    with database.transaction(Role.WRITER) as connection:
        change = sa.update(datastream).where(datastream.c.key == stream_of(GAUGE, "water_level"))
        connection.execute(change.values(properties=told))


def place(**env: str) -> str:
    return f"#panel=environment&env={quote(urlencode({'at': AT, **env}))}&map=11/38.62/105.1&layers=division"


def breaches(portal: Portal) -> list[str]:
    """Breaches of WCAG 2.2 A and AA in what floats over the map, by day and by night."""
    page = portal.page
    page.evaluate(f"() => {{ {AXE.read_text(encoding='utf-8')} }}")
    rules = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
    script = "([part, tags]) => axe.run({include: part}, {runOnly: tags})"
    told = []
    for theme in ("light", "dark"):
        page.evaluate("(theme) => { document.documentElement.dataset.theme = theme; }", theme)
        page.wait_for_timeout(300)
        found: Any = page.evaluate(script, [[["#panel"], ["#drawer"], [".rail"]], rules])
        assert found["passes"], "axe looked at nothing"
        told += [f"{theme} {one['id']}: {node['html'][:200]}" for one in found["violations"] for node in one["nodes"]]
    return told


def marks(portal: Portal) -> int:
    script = (
        """() => geoserviceMap.gl.getMaplibreMap().queryRenderedFeatures({layers: ["environment-symbols"]}).length"""
    )
    return int(portal.page.evaluate(script))


def test_the_worst_come_first_and_lead_to_their_readings(portal: Portal) -> None:
    portal.open(place=place())
    rows = portal.page.locator(".env-row[data-station]")
    expect(rows).to_have_count(8)
    expect(rows.first).to_have_attribute("data-station", "dirty")
    expect(rows.first).to_contain_text("重度污染")
    expect(rows.last).to_contain_text("数据过期")
    assert marks(portal) == 8
    portal.shot("environment-list-zh")
    # The hostile name is a name, and nothing else.
    expect(portal.page.locator(".env-list")).to_contain_text(EVIL)
    assert portal.page.locator(".env-list img").count() == 0
    rows.first.press("Enter")
    drawer = portal.page.locator("#drawer")
    expect(drawer).to_contain_text("160 µg/m³")
    expect(drawer.locator("svg.chart")).to_be_visible()
    # Hours 30 to 39 have no readings: the line begins anew.
    expect(drawer.locator("path.chart-line")).to_have_attribute("d", re.compile(r"^M[^M]+M[^M]+$"))
    drawer.get_by_text("如何得出").click()
    expect(drawer).to_contain_text("HJ 633-2026")
    # (300 - 200) / (250 - 150) x (160 - 150) + 200
    expect(drawer).to_contain_text("(300 - 200) / (250 - 150) x (160 - 150) + 200 = 210")
    assert breaches(portal) == []
    portal.shot("environment-station-zh")
    assert "station%3Ddirty" in portal.page.url


def test_a_link_brings_back_station_property_and_limits(portal: Portal) -> None:
    portal.open("lang=en", place(station="dirty", code="no2", step="hour"))
    drawer = portal.page.locator("#drawer")
    expect(drawer.locator("#env-code")).to_have_value("no2")
    expect(drawer.locator(".chart-limit-text")).to_contain_text(["GB 3095 hour 200"])
    expect(drawer.locator(".chart-beyond")).to_have_count(1)
    drawer.locator(".chart-reader").scroll_into_view_if_needed()
    portal.shot("environment-series-en")
    drawer.locator("summary", has_text="Table").click()
    expect(drawer.locator(".env-series tbody tr")).to_have_count(HOURS - 12 + 1, timeout=10_000)
    with portal.page.expect_download() as got:
        drawer.get_by_text("Download CSV").click()
    assert b"no2,250.0" in got.value.path().read_bytes()
    portal.page.locator("#panel-api").click()
    expect(portal.page.locator("#dialog")).to_contain_text("/collections/observations/locations/dirty")
    portal.page.keyboard.press("Escape")
    portal.page.click("#language")
    expect(drawer).to_contain_text("最新读数")


def test_filters_search_and_silence(portal: Portal) -> None:
    portal.open("lang=en", place())
    page, rows = portal.page, portal.page.locator(".env-row[data-station]")
    page.locator("#env-theme").focus()
    page.locator("#env-theme").select_option("hydrology")
    expect(rows).to_have_count(1)
    expect(rows).to_contain_text("警戒水位")
    expect(page.locator("#env-theme")).to_be_focused()
    page.locator("#env-theme").select_option("")
    page.locator("#env-search").fill("clean")
    expect(rows).to_have_count(4)
    page.locator("#env-search").fill("nowhere")
    expect(page.locator(".env-rows")).to_contain_text("No station matches")
    page.get_by_text("Back to now").click()
    # Nothing has reported since: that is said, with the way to the last time that something did.
    expect(page.locator(".env-silence")).to_contain_text("No station has reported lately")
    page.get_by_text("Show that time").click()
    expect(page.locator(".env-silence")).to_have_count(0)
    assert breaches(portal) == []


def test_exceedances_lead_to_their_station(portal: Portal) -> None:
    portal.open("lang=en", place(tab="events", days="7"))
    events = portal.page.locator(".env-events button")
    expect(events.filter(has_text="Nitrogen dioxide").filter(has_text="GB 3095 hour")).to_have_count(1)
    events.filter(has_text="Nitrogen dioxide").filter(has_text="GB 3095 hour").click()
    expect(portal.page.locator("#env-code")).to_have_value("no2")
    assert breaches(portal) == []


def test_time_moves_by_steps_and_never_by_itself(portal: Portal) -> None:
    portal.open("lang=en", place(tab="film", back="1"))
    page, slider = portal.page, portal.page.locator("#env-frame")
    expect(slider).to_have_value("24")
    page.wait_for_timeout(1200)
    expect(slider).to_have_value("24")
    page.get_by_label("One step back").press("Enter")
    expect(slider).to_have_value("23")
    expect(page.locator(".env-player .legend li", has_text="Heavily polluted")).to_contain_text("1")
    slider.press("Home")
    page.get_by_label("Play").press("Enter")
    expect(slider).to_have_value(re.compile(r"^([2-9]|1\d)$"), timeout=10_000)
    page.get_by_label("Stop").press("Enter")
    rest = slider.input_value()
    page.wait_for_timeout(1200)
    expect(slider).to_have_value(rest)
    assert breaches(portal) == []
    portal.shot("environment-film-en")


def test_a_surface_tells_its_error(portal: Portal) -> None:
    portal.open("lang=en", place(tab="surface", property="pm25"))
    panel = portal.page.locator("#panel")
    expect(panel).to_contain_text("No data: further than")
    expect(panel).to_contain_text("Stations used")
    script = "() => Boolean(geoserviceMap.gl.getMaplibreMap().getLayer('environment-surface'))"
    assert portal.page.evaluate(script)
    with portal.page.expect_response(lambda one: "show=error" in one.url) as got:
        portal.page.locator("#env-of").select_option("error")
    assert got.value.ok
    expect(panel.locator(".env-ramp")).to_be_visible()
    # These readings are too few to show how they hang together: the error is the same everywhere, and is said once.
    expect(panel.locator(".env-ramp-values span")).to_have_text([re.compile(r"^[\d.]+$")])
    assert breaches(portal) == []
    portal.shot("environment-error-en")
    portal.page.locator("#env-of").select_option("value")
    portal.page.locator("#env-method").select_option("rbf")
    expect(panel.locator(".env-ramp-values span")).to_have_count(5)
    assert len(set(panel.locator(".env-ramp-values span").all_inner_texts())) == 5
    portal.page.locator("#env-tab-stations").click()
    assert not portal.page.evaluate(script)


def test_a_failure_is_told_and_can_be_tried_again(portal: Portal) -> None:
    def refuse(route: Route) -> None:
        route.fulfill(status=503, content_type="application/problem+json", body='{"detail": "The database rests."}')

    portal.page.route("**/stations?*", refuse)
    portal.open("lang=en", place())
    expect(portal.page.locator("#panel")).to_contain_text("The database rests.")
    portal.page.unroute("**/stations?*")
    portal.page.get_by_text("Try again").click()
    expect(portal.page.locator(".env-row[data-station]")).to_have_count(8)
    portal.witness.complaints.clear()


def test_on_a_phone(phone: Portal) -> None:
    phone.open(place=place(station="gauge"))
    drawer = phone.page.locator("#drawer")
    expect(drawer).to_contain_text("超过阈值：警戒水位")
    expect(drawer.locator("svg.chart")).to_be_visible()
    wide = (
        "() => document.querySelector('#drawer-body').scrollWidth <= document.querySelector('#drawer-body').clientWidth"
    )
    assert phone.page.evaluate(wide)
    phone.shot("environment-phone-zh")
    phone.page.keyboard.press("Escape")
    expect(drawer).to_be_hidden()
    assert "station" not in phone.page.url
    assert breaches(phone) == []
