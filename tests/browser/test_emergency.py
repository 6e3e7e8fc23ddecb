"""The straight line of the duty officer in a real browser: alert, zone, impact, report; exercises; the wall."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator
from io import StringIO
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from geoservice.db.engine import Database
from layers.access import Clearance
from tests.browser.conftest import DESKTOP, PHONE, Portal, Site, _portal
from tests.browser.test_loads import accessible
from tests.support.alerts import area, cap, info, named
from tests.support.editing import give_key

pytestmark = [pytest.mark.browser, pytest.mark.slow]
EVIL = "&lt;img src=x onerror=document.title='broken'&gt;"
VALLEY = "38.52,104.90 38.52,105.05 38.62,105.05 38.62,104.90 38.52,104.90"
HILL = "38.40,104.95 38.40,105.00 38.44,105.00 38.44,104.95 38.40,104.95"
STEPS = {"zh": ("查看范围与影响", "研判影响", "生成报告"), "en": ("Open", "Impact", "Report")}
WORST, MILD = {"zh": "山洪红色预警", "en": "Flash flood, red"}, "大雾黄色预警"


def blocks(zh: str, en: str, severity: str, polygon: str) -> str:
    """An alert in both languages."""
    return "".join(
        info(area(polygon), language=language, headline=headline, severity=severity)
        for language, headline in (("zh-CN", zh), ("en-US", en))
    )


@pytest.fixture(scope="module")
def alerts(site: Site) -> Iterator[dict[str, str]]:
    """Ids of three alerts: a bad one, a mild one with harmful words, and an exercise; cancelled at the end."""
    key = give_key(Database.from_settings(site.settings), Clearance.RESTRICTED, ["alert"])
    send = {"X-API-Key": key, "Content-Type": "application/cap+xml"}
    messages = {
        "mild": cap("E-mild", blocks(MILD + EVIL, "Fog, yellow", "Moderate", HILL)),
        "worst": cap("E-worst", blocks(WORST["zh"], WORST["en"], "Extreme", VALLEY)),
        "drill": cap("E-drill", blocks("溃坝演练", "Dam drill", "Severe", VALLEY), status="Exercise"),
    }
    made = {}
    with httpx.Client(base_url=site.url, headers=send, timeout=60) as client:
        for name, message in messages.items():
            made[name] = client.post("/alerts", content=message).json()["alerts"][0]["id"]
        yield made
        for name, message in messages.items():
            status = "Exercise" if name == "drill" else "Actual"
            end = cap(f"E-end-{name}", status=status, msgType="Cancel", references=named(message))
            assert client.post("/alerts", content=end).status_code == 201


@pytest.fixture
def desk(request: pytest.FixtureRequest, browser: Browser, portal_url: str, shots: Any) -> Iterator[tuple[Portal, str]]:
    """A window of a size with a language."""
    language, size = request.param
    for portal in _portal(browser, portal_url, shots, size):
        yield portal, language


def figure(page: Page, name: str) -> float:
    """What a key figure says."""
    text = page.locator(f"[data-figure={name}] .key-value").inner_text()
    found = re.match(r"[\d,.]+", text)
    assert found, text
    return float(found[0].replace(",", ""))


MARKED = {"facility", "danger", "dam", "power", "monument", "bridge"}
"""Roles whose single features are marked on the map of an impact."""


def asked_for(site: Site, alert: str) -> dict[str, Any]:
    """The answer that the service gives to whoever asks it without the portal."""
    zone = httpx.get(f"{site.url}/alerts/{alert}/zone", timeout=60).json()
    answer: dict[str, Any] = httpx.post(f"{site.url}/impact", json={"hazard": zone}, timeout=120).json()
    return answer


def section(answer: dict[str, Any], layer: str) -> dict[str, Any]:
    found: dict[str, Any] = next(one for one in answer["sections"] if one["layer"] == layer)
    return found


@pytest.mark.parametrize("desk", [("zh", DESKTOP), ("en", PHONE)], indirect=True, ids=["zh-desk", "en-phone"])
def test_the_straight_line(desk: tuple[Portal, str], site: Site, alerts: dict[str, str]) -> None:
    portal, language = desk
    page = portal.page
    portal.open(f"lang={language}")
    page.click("[data-panel=hazards]")
    first = page.locator(".alert").first
    # The worst first, though the milder one came in before it; harmful words stay words.
    expect(first).to_contain_text(WORST[language])
    if language == "zh":
        expect(page.locator(".alert", has_text=MILD)).to_contain_text("<img src=x")
    assert page.locator(".alert[data-status=Exercise]").count() == 0
    first.get_by_role("button", name=STEPS[language][0]).click()
    expect(page.locator(".zone-title")).to_contain_text(WORST[language])
    assert page.locator("path.zone-class").count() == 1
    page.click("#go-impact")
    expect(page.locator("[data-figure=people] .key-value")).to_be_visible(timeout=60_000)
    answer = asked_for(site, alerts["worst"])
    land = section(answer, "landuse_patch")
    cropland = sum(row["value"] for row in land["rows"] if str(row.get("code", "")).startswith("01"))
    assert figure(page, "people") == pytest.approx(answer["people"]["value"], abs=0.5)
    assert figure(page, "cropland") == pytest.approx(cropland / 10_000, rel=1e-3)
    assert figure(page, "roads") == pytest.approx(answer["ways"]["closed_m"] / 1000, abs=0.06)
    known = [one for one in answer["sections"] if one["role"] in {"facility", "dam", "power", "danger"}]
    assert figure(page, "facilities") == sum(one["total"]["count"] for one in known if one["status"] == "ok")
    # What the answer names stands on the map as well, and its key in the panel.
    named = [one for one in answer["sections"] if one["role"] in MARKED and one["status"] == "ok"]
    places = sum(len(one["features"]) for one in named) + len(answer["ways"]["settlements"])
    assert page.locator("path.impact-mark").count() == places > 0
    expect(page.locator(".impact-key li").first).to_be_visible()
    assert page.evaluate("window.geoserviceMap.gl.getMaplibreMap().getLayer('impact-cut-road') !== undefined")
    # What has no data is named, and never shown as zero.
    nothing = next(one for one in answer["sections"] if one["status"] == "no-data")
    expect(page.locator(".step .nodata").last).to_contain_text(nothing["title"][language])
    assert accessible(page) == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    portal.shot(f"impact-{language}")
    page.reload()
    page.wait_for_selector("html[data-ready=yes]", timeout=60_000)
    # Nothing is lost: the same step of the same zone, with its answer, and the zone fills the map.
    expect(page.locator("[data-figure=people] .key-value")).to_be_visible(timeout=60_000)
    assert page.locator("path.zone-class").bounding_box()["width"] > page.viewport_size["width"] / 5  # type: ignore[index]
    page.click("#go-report")
    with page.expect_download() as got:
        page.get_by_role("button", name="CSV").click()
    told = list(csv.DictReader(StringIO(got.value.path().read_text(encoding="utf-8-sig"))))
    total = next(row for row in told if row["layer"] == "landuse_patch" and row["kind"] == "total")
    assert float(total["value"]) == land["total"]["value"]


@pytest.mark.parametrize("desk", [("zh", DESKTOP)], indirect=True, ids=["zh-desk"])
def test_an_exercise_cannot_be_taken_for_real(desk: tuple[Portal, str], alerts: dict[str, str]) -> None:
    portal, _ = desk
    page = portal.page
    portal.open("lang=zh", "#map=11/38.5/105&panel=hazards&layers=cap_alert")
    expect(page.locator(".alert").first).to_contain_text(WORST["zh"])
    shown = """() => geoserviceMap.gl.getMaplibreMap().queryRenderedFeatures({layers: ["cap_alert-fill"]})
        .map((one) => one.properties.shown_as === "Exercise")"""
    assert not any(page.evaluate(shown)), "an exercise is drawn among what is real"
    expect(page.locator("#exercise-frame")).to_be_hidden()
    page.get_by_role("button", name="演练模式", exact=True).click()
    page.get_by_role("button", name="进入演练模式").click()
    expect(page.locator("#exercise-frame")).to_be_visible()
    expect(page.locator("#exercise-band")).to_contain_text("演练")
    expect(page.locator(".alert").first).to_contain_text("溃坝演练")
    assert page.locator(".alert[data-status=Actual]").count() == 0
    portal.settle()
    drawn = page.evaluate(shown)
    assert drawn
    assert all(drawn), "something real is drawn in an exercise"
    assert accessible(page) == []
    page.get_by_role("button", name="态势总览").click()
    # The board lies above everything: it bears the words and a frame itself.
    expect(page.locator("#board .board-exercise")).to_contain_text("演练")
    expect(page.locator("#board .board-region")).to_contain_text("溃坝演练")
    assert "gradient" in page.evaluate("getComputedStyle(document.getElementById('board')).borderImageSource")
    page.keyboard.press("Escape")
    expect(page.locator("#board")).to_be_hidden()
    expect(page.locator("#panel")).to_be_visible()  # one step back, not two
    page.emulate_media(media="print")
    expect(page.locator("#exercise-frame")).to_be_visible()
    page.emulate_media(media="screen")
    portal.shot("exercise-zh")
    page.reload()
    expect(page.locator("#exercise-band")).to_contain_text("演练", timeout=60_000)
    page.click("#exercise-leave")
    expect(page.locator("#exercise-frame")).to_be_hidden()


def test_a_zone_by_a_method_and_the_ways_around_it(portal: Portal) -> None:
    page = portal.page
    portal.open("lang=en", "#map=12/38.55/104.97&panel=hazards&layers=road,hospital")
    page.click("#zone-methods > summary")
    page.click("[data-form='buffer'] > summary")
    page.locator("[data-method=buffer] button[type=submit]").click()
    expect(page.locator(".zone-legend li")).to_have_count(3)
    page.click("#go-impact")
    expect(page.locator(".bars").first).to_be_visible(timeout=60_000)
    assert page.locator("#bars .bars").first.locator("tbody tr").count() == 3
    page.locator("#settlements button[aria-label^='Way to help']").first.click()
    drawer = page.locator("#drawer")
    expect(drawer.locator(".way, .state-error").first).to_be_visible(timeout=60_000)
    assert accessible(page) == []


def test_refusals_and_silence_are_told(portal: Portal) -> None:
    page = portal.page
    problem = {"title": "x", "status": 403, "detail": "x"}
    page.route("**/alerts?*", lambda route: route.fulfill(status=403, json=problem))
    portal.open("lang=en")
    page.click("[data-panel=hazards]")
    expect(page.locator(".alert-list .state-error")).to_be_visible()
    expect(page.locator(".live")).to_have_attribute("data-live", "stale")
    page.context.set_offline(True)
    expect(page.locator(".live")).to_have_attribute("data-live", "offline")
    page.context.set_offline(False)
    portal.witness.complaints.clear()


def test_a_wall_needs_nobody(portal: Portal, site: Site, alerts: dict[str, str]) -> None:
    page = portal.page
    portal.open("lang=zh", "#map=9/38.6/105&wall=1&layers=cap_alert")
    expect(page.locator(".wall-time")).to_have_text(re.compile(r"\d\d:\d\d:\d\d"))
    expect(page.locator(".wall-list li").first).to_contain_text(WORST["zh"])
    expect(page.locator("#wall-figures .key-figure")).to_have_count(4, timeout=60_000)
    people = asked_for(site, alerts["worst"])["people"]["value"]
    assert figure(page, "people") == pytest.approx(people, abs=0.5)
    for hidden in (".rail", ".bar", "#panel"):
        expect(page.locator(hidden)).to_be_hidden()
    assert accessible(page) == []
    portal.shot("wall-zh")
    page.keyboard.press("Escape")
    expect(page.locator(".rail")).to_be_visible()
    assert "wall=" not in page.url


def test_recipes_of_the_address_are_taken_with_care(portal: Portal) -> None:
    page = portal.page
    for recipe in ("{", json.dumps({"way": "constructor"}), json.dumps({"way": "place", "body": {}})):
        portal.open("lang=en", f"#map=9/38.6/105&panel=hazards&zone={recipe}&step=zone")
        expect(page.locator(".step .state-error, .alert-list").first).to_be_visible()
    portal.witness.complaints.clear()
