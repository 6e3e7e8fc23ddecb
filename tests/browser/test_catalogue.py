"""The catalogue: what is overdue is one click away; layers are found, put on the map, and have pages of their own."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Route, expect

from geoservice.db.engine import Database
from layers.access import Clearance
from tests.browser.conftest import Portal, Site
from tests.browser.test_loads import accessible
from tests.browser.test_report_draft import SIGNED
from tests.support.editing import give_key

pytestmark = [pytest.mark.browser, pytest.mark.slow]
LATE = {"road", "lake"}
HOSTILE = "<img src=x onerror=\"document.title='taken'\">"


def changed(route: Route) -> None:
    """The list as it will be once two layers are overdue; one has a hostile description."""
    answer = route.fetch()
    body: dict[str, Any] = answer.json()
    for one in body["collections"]:
        if one.get("freshness"):
            one["freshness"]["overdue"] = one["id"] in LATE
        if one["id"] == "lake":
            one["titles"] = {"zh": HOSTILE, "en": HOSTILE}
    route.fulfill(response=answer, json=body)


def listed(portal: Portal) -> set[str]:
    found: list[str] = portal.page.locator(".cat-entry").evaluate_all(
        "(all) => all.map((one) => one.dataset.collection)"
    )
    return set(found)


def test_what_is_overdue_is_one_click_away(portal: Portal, tmp_path: Path) -> None:
    portal.page.route("**/collections?f=json", changed)
    portal.open("lang=en")
    page = portal.page
    page.keyboard.press("k")
    expect(page.locator(".cat-entry").first).to_be_visible(timeout=30_000)
    everything = listed(portal)
    assert everything > LATE
    page.locator("#cat-overdue").click()
    assert listed(portal) == LATE
    expect(page.locator("#cat-overdue")).to_be_focused()
    expect(page.locator(".cat-entry .cat-overdue").first).to_have_text("overdue")
    assert page.locator("#panel img").count() == 0
    with page.expect_download() as file:
        page.get_by_role("button", name="Download this list").click()
    table = tmp_path / "catalogue.csv"
    file.value.save_as(table)
    rows = list(csv.DictReader(table.read_text(encoding="utf-8-sig").splitlines()))
    assert {row["id"]: row["overdue"] for row in rows} == dict.fromkeys(LATE, "yes")
    assert "cat=" in page.url
    page.get_by_role("button", name="Clear filters").click()
    assert listed(portal) == everything
    assert accessible(page) == []
    portal.shot("catalogue")


def test_a_layer_is_found_put_on_the_map_and_opened(portal: Portal) -> None:
    portal.open("lang=zh", "#panel=catalogue")
    page = portal.page
    page.locator("#cat-text").press_sequentially("水库")
    page.locator("#cat-text").fill("")
    page.locator("#cat-text").press_sequentially("医")
    expect(page.locator("#cat-text")).to_have_value("医")
    expect(page.locator(".cat-entry[data-collection=hospital]")).to_be_visible(timeout=30_000)
    page.locator("#cat-clearance").select_option("public")
    page.locator("#cat-text").fill("road")
    before = "road" in page.url.partition("layers=")[2].split(",")
    page.locator("#cat-add-road").click()
    expect(page.locator("#cat-add-road")).to_have_attribute("aria-pressed", str(not before).lower())
    expect(page.locator("#cat-add-road")).to_be_focused()
    page.locator("#cat-text").fill("no such layer")
    expect(page.locator("#panel .state-empty")).to_be_visible()
    page.locator("#cat-text").fill("road")
    page.locator(".cat-entry[data-collection=road] .cat-page").click()
    expect(page.locator("h1")).to_have_text("道路")
    expect(page.locator("#history")).to_have_text("版本历史")
    expect(page.locator(".codes-of summary").first).to_be_visible()
    assert accessible(page) == []
    portal.shot("record-zh")
    page.locator(".codes-of summary").first.click()
    expect(page.locator(".code-list").first).to_contain_text("motorway")


def test_the_record_on_a_phone_and_on_paper(phone: Portal, site: Site) -> None:
    page = phone.page
    page.goto(f"{site.url}/collections/landuse_patch?f=html&lang=en")
    expect(page.locator("#attributes")).to_contain_text("Attributes")
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    assert accessible(page) == []
    phone.shot("record-phone")
    page.emulate_media(media="print")
    expect(page.locator(".top")).to_be_hidden()
    expect(page.locator(".doing")).to_be_hidden()
    page.emulate_media(media="screen")
    phone.open("lang=en", "#panel=catalogue")
    expect(page.locator(".cat-entry").first).to_be_visible(timeout=30_000)
    assert accessible(page) == []
    wide = "document.getElementById('panel-body').scrollWidth - document.getElementById('panel-body').clientWidth"
    assert page.evaluate(wide) <= 0
    phone.shot("catalogue-phone")


def test_upkeep_is_for_keys_that_hold_a_right(portal: Portal, site: Site) -> None:
    key = give_key(Database.from_settings(site.settings), Clearance.INTERNAL, ["edit:road", "load"])
    page = portal.open("lang=en").page
    expect(page.locator("button[data-panel=upkeep]")).to_have_count(0)
    page.evaluate(SIGNED, json.dumps({"key": key}))
    portal.open("lang=en")
    page.keyboard.press("u")
    expect(page.locator("#upkeep-layer option")).to_have_count(1)
    expect(page.locator("#upkeep-request")).to_contain_text("PATCH")
    expect(page.locator("#upkeep-request")).to_contain_text("/collections/road/items/ID")
    expect(page.locator("#panel")).to_contain_text("not there yet")
    expect(page.locator("#panel")).to_contain_text("geoservice key create")
    assert accessible(page) == []
    portal.shot("upkeep")
