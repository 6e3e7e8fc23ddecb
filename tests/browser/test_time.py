"""The map as it was, and through the times of a layer: what is drawn is what the editions are known to hold."""

from __future__ import annotations

import datetime as dt
import itertools
import json
from importlib import resources
from pathlib import Path
from urllib.parse import parse_qs, quote, urlsplit

import pandas as pd
import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import Portal
from tests.browser.past import AIRPORT, FIELDS, GONE, LAYER, Past, drawn_ids, past, shows
from tests.browser.test_loads import accessible

__all__ = ["past"]
pytestmark = [pytest.mark.browser, pytest.mark.slow]
QUAKES = "earthquake"


def test_the_whole_map_goes_back_to_an_edition_and_comes_back(portal: Portal, past: Past) -> None:
    portal.open("lang=en", past.place)
    shows(portal, past, 1)
    portal.page.click("#as-of")
    choices = portal.page.locator("#dialog .edition-list button", has_text="Geological units")
    expect(choices).to_have_count(2)
    assert accessible(portal.page, "#dialog") == []
    # The list has the newest edition on top.
    choices.nth(1).click()
    band = portal.page.locator("#as-of-band")
    expect(band).to_contain_text("Map as it was on")
    portal.settle()
    shows(portal, past, 0)
    assert drawn_ids(portal) >= GONE
    assert accessible(portal.page) == []
    portal.shot("as-of-en")

    # What a click finds is of that time, and so is the number of the edition.
    portal.page.mouse.click(640, 420)
    drawer = portal.page.locator("#drawer")
    also = drawer.locator("button.also", has_text="Geological units")
    if also.count():
        also.first.click()
    expect(drawer.locator(".source")).to_contain_text(f"edition {past.numbers[0]}")
    portal.page.keyboard.press("Escape")

    # A link and a reload come back to that time.
    assert "as-of=" in portal.page.url
    portal.page.reload()
    portal.page.wait_for_selector("html[data-ready=yes]", timeout=60_000)
    portal.settle()
    shows(portal, past, 0)

    # Far away the rows are not read: nothing is drawn, and the band says from where on.
    portal.page.evaluate("() => geoserviceMap.leaflet.setZoom(9, {animate: false})")
    portal.settle()
    assert drawn_ids(portal) == set()
    expect(band).to_contain_text("from zoom")
    band.get_by_role("button", name="Zoom in").click()
    portal.page.wait_for_timeout(600)
    portal.settle()
    assert drawn_ids(portal) >= GONE

    portal.page.get_by_role("button", name="Back to now").click()
    expect(band).to_have_count(0)
    portal.settle()
    shows(portal, past, 1)
    assert not drawn_ids(portal) & GONE
    assert "as-of=" not in portal.page.url


def dated(portal: Portal, instant: str | None) -> None:
    """Set the date of the map by the address, as a bookmark does."""
    portal.page.evaluate(
        """(instant) => {
            const asked = new URLSearchParams(location.hash.slice(1));
            if (instant) asked.set("as-of", instant); else asked.delete("as-of");
            location.hash = asked;
        }""",
        instant,
    )


def tells_airports(section: Locator, which: int) -> None:
    """Make sure that the section of the airports tells those of one edition and no others."""
    expect(section.locator(".figure")).to_have_text(str(len(FIELDS[which])), timeout=60_000)
    names = {line.split("\n")[0].strip() for line in section.locator(".facilities li span").all_inner_texts()}
    assert names == {en for _, en, *_ in FIELDS[which].values()}


def asked_at(page: Page, url: str) -> str | None:
    """The instant that the latest request to an address of the service asked about, as the page keeps it."""
    script = "(url) => performance.getEntriesByType('resource').findLast((one) => one.name.includes(url)).name"
    found = page.evaluate(script, url)
    return parse_qs(urlsplit(found).query).get("as-of", [None])[0]


def test_answers_beside_the_map_are_of_its_date(portal: Portal, past: Past) -> None:
    page, early = portal.page, past.instants[0]
    portal.open("lang=en", f"{past.place}&as-of={quote(early)}")
    page.keyboard.press("q")
    page.get_by_role("button", name="Current view").click()
    section = page.locator(f"[data-section={AIRPORT}]")
    head = page.locator(".zone-head")
    tells_airports(section, 0)
    assert asked_at(page, "/analysis/zone") == early
    expect(head).to_contain_text("data as of")
    assert accessible(page, "#panel") == []
    portal.shot("as-of-zone-en")
    # The date is part of what is taken along.
    with page.expect_download() as got:
        page.get_by_role("button", name="CSV").click()
    table = pd.read_csv(got.value.path(), dtype=str)
    mine = table[table.layer.str.endswith(AIRPORT) & (table.kind == "feature")]
    assert set(mine.label_en) == {en for _, en, *_ in FIELDS[0].values()}
    assert {pd.Timestamp(one) for one in table.as_of} == {pd.Timestamp(early)}

    # Another date: the same zone is asked about again, and what was there before is not left standing.
    page.get_by_role("button", name="Back to now").click()
    tells_airports(section, 1)
    assert asked_at(page, "/analysis/zone") is None
    expect(head).not_to_contain_text("data as of")
    dated(portal, "2020-01-01T00:00:00Z")
    expect(section).to_have_attribute("data-status", "no-data", timeout=60_000)
    expect(section).to_contain_text("at that time")

    # Names are those of then, and lead to the feature as it was.
    dated(portal, early)
    field, listed = page.locator("#search-text"), page.locator("#search-list [role=option]")
    field.fill("Grand Airport")
    expect(page.locator("#search-note")).to_contain_text("Nothing")
    field.fill("Old Field")
    expect(listed.first).to_contain_text("Old Field")
    expect(page.locator("#search-note")).to_be_hidden()
    listed.first.click()
    drawer = page.locator("#drawer")
    expect(drawer.locator("table.attributes")).to_contain_text("Old Field")
    assert parse_qs(urlsplit(drawer.locator("a").last.get_attribute("href") or "").query)["as-of"] == [early]
    page.keyboard.press("Escape")
    # What cannot follow says so at its place, and no longer when the map is of now.
    field.fill("人民路12号")
    expect(page.locator("#search-note")).to_contain_text("today's data")
    page.keyboard.press("Escape")
    page.keyboard.press("Escape")
    said = page.locator("#panel [data-now=as_of_not_here]")
    for panel in ("environment", "catalogue", "hazards"):
        page.locator(f"button[data-panel={panel}]").click()
        expect(said.first).to_contain_text("today's data")
    assert accessible(page, "#panel") == []
    portal.shot("as-of-hazards-en")
    dated(portal, None)
    expect(said).to_have_count(0)


def test_a_telephone_asks_for_a_moment_before_anything_was_loaded(phone: Portal, past: Past) -> None:
    phone.open("lang=zh", past.place)
    phone.page.keyboard.press("t")
    phone.page.get_by_role("button", name="历史时刻").click()
    field = phone.page.locator("#as-of-time")
    # A moment that has not come yet is refused, in words; the browser's own check is taken off to see the page's.
    field.evaluate("(field) => { field.max = ''; }")
    field.fill("2099-01-01T00:00")
    phone.page.get_by_role("button", name="显示当时的地图").click()
    expect(phone.page.locator("#dialog [role=alert]")).to_contain_text("已经过去的时刻")
    field.fill("2020-01-01T00:00")
    phone.page.get_by_role("button", name="显示当时的地图").click()
    band = phone.page.locator("#as-of-band")
    expect(band).to_contain_text("当时尚未入库")
    phone.settle()
    assert drawn_ids(phone) == set()
    assert phone.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert accessible(phone.page) == []
    phone.shot("as-of-phone-zh")
    phone.page.keyboard.press("e")
    expect(phone.page.locator("[data-now=as_of_not_here]")).to_have_text("此处为当前数据，不随历史时刻变化。")
    phone.page.keyboard.press("Escape")
    phone.page.get_by_role("button", name="回到现在").click()
    expect(band).to_have_count(0)


def quakes() -> dict[str, dt.datetime]:
    """Earthquakes of the packaged feed, by id, with their times."""
    file = Path(str(resources.files("web"))) / "static" / "vendor" / "data" / "earthquakes.json"
    features = json.loads(file.read_text(encoding="utf-8"))["features"]
    return {one["id"]: dt.datetime.fromtimestamp(one["properties"]["time"] / 1000, dt.UTC) for one in features}


MODULE = """(name) => {
    const main = document.querySelector('script[type=module]').src;
    return import(main.replace(/main\\.js$/, name));
}"""
SPANS = [("2026-01-01T00:00", "2026-01-01T02:30"), ("2026-01-01", "2026-01-20"), ("2026-01-03", "2027-03-01")]
LONG = [("2012-02-10", "2019-06-05", "MS"), ("1850-07-01", "2026-01-01", "YS")]


def steps_of(portal: Portal, first: str, last: str) -> list[pd.Timestamp]:
    """Borders of the steps of the time bar between two times of UTC."""
    ends = [pd.Timestamp(text, tz="UTC").timestamp() * 1000 for text in (first, last)]
    script = f"async ([first, last]) => (await ({MODULE})('time/steps.js')).stepsOf(first, last)"
    return [pd.Timestamp(one, unit="ms", tz="UTC") for one in portal.page.evaluate(script, ends)]


def steps_suit_their_span(portal: Portal) -> None:
    """Steps cover their span, are some two hundred at most, and are months and years of the calendar in long ones."""
    for first, last in SPANS:
        steps = steps_of(portal, first, last)
        assert 10 <= len(steps) <= 203
        assert steps[0] <= pd.Timestamp(first, tz="UTC") < steps[1]
        assert steps[-2] <= pd.Timestamp(last, tz="UTC") < steps[-1]
        assert len({after - before for before, after in itertools.pairwise(steps)}) == 1
    for first, last, months in LONG:
        begin = pd.Timestamp(first).to_period(months[0]).start_time.tz_localize("UTC")
        expected = pd.date_range(begin, periods=len(steps_of(portal, first, last)), freq=months)
        assert steps_of(portal, first, last) == list(expected)
        assert expected[-2] <= pd.Timestamp(last, tz="UTC") < expected[-1]


def test_the_time_bar_draws_what_happened_in_its_window(portal: Portal) -> None:
    times = quakes()
    portal.open("lang=en", f"#map=2.00/20.00000/0.00000&layers=country,{QUAKES}")
    portal.page.locator(f"[data-layer={QUAKES}] button[title='Through time']").click()
    slider = portal.page.locator("#time-at")
    expect(slider).to_be_visible()
    portal.settle()
    keys = f"""() => geoserviceMap.gl.getMaplibreMap().queryRenderedFeatures({{layers: ["{QUAKES}-circle"]}})
        .map((one) => one.properties.key)"""
    whole = set(portal.page.evaluate(keys))
    assert len(whole) > 50
    # By the keyboard to the first step, on by a day, and only ten steps: what is drawn is what happened in them.
    slider.focus()
    portal.page.keyboard.press("Home")
    for _ in range(24):
        portal.page.keyboard.press("ArrowRight")
    portal.page.locator("#time-width").select_option("10")
    portal.page.keyboard.press("Escape")
    portal.settle()
    begin, end = portal.page.evaluate(f"async () => (await ({MODULE})('time/windows.js')).windowOf('{QUAKES}')")
    steps_suit_their_span(portal)
    expected = {key for key, time in times.items() if begin <= time.timestamp() * 1000 < end}
    found = set(portal.page.evaluate(keys))
    assert found == expected & whole
    assert 5 < len(found) < len(whole)
    expect(portal.page.locator("#time-bar output")).not_to_have_text("Whole period")
    assert accessible(portal.page) == []
    portal.shot("time-bar-en")
    # The list of hazards tells the same window, and the address brings it back.
    assert f"time={QUAKES}" in portal.page.url
    portal.page.locator("#time-bar [aria-label='Close the time bar']").click()
    portal.settle()
    assert set(portal.page.evaluate(keys)) == whole


def test_what_hurts_can_be_taken_back(portal: Portal, past: Past) -> None:
    portal.open("lang=en", past.place)
    shown = portal.drawn(LAYER)
    assert shown > 0
    portal.page.get_by_role("button", name="Switch all thematic layers off").click()
    portal.settle()
    assert portal.drawn(LAYER) == 0
    portal.page.keyboard.press("Control+z")
    portal.settle()
    assert portal.drawn(LAYER) == shown
    expect(portal.page.locator("#notices")).to_contain_text("Taken back")

    portal.page.keyboard.press("t")
    portal.page.locator("#bookmark-name").fill("<b>here</b>")
    portal.page.keyboard.press("Enter")
    mark = portal.page.get_by_role("button", name="<b>here</b>", exact=True)
    expect(mark).to_be_visible()
    portal.page.get_by_role("button", name="Remove the bookmark").click()
    expect(mark).to_have_count(0)
    portal.page.locator("#notices").get_by_role("button", name="Undo").click()
    expect(mark).to_be_visible()

    # A measurement outlives a reload.
    portal.page.get_by_role("button", name="Distance", exact=True).click()
    for x in (700, 900):
        portal.page.mouse.click(x, 400)
        portal.page.wait_for_timeout(400)
    portal.page.keyboard.press("Enter")
    told = portal.page.locator("#drawer-body tr").first
    expect(told).to_contain_text("km")
    before = told.inner_text()
    portal.page.reload()
    portal.page.wait_for_selector("html[data-ready=yes]", timeout=60_000)
    expect(told).to_have_text(before.replace("\t", ""))
