"""Marks that officers plot: by mouse, seen by others at once, taken back; nothing of it for those without the right."""

from __future__ import annotations

import json
from typing import Any

import httpx
from playwright.sync_api import Browser, BrowserContext, expect

from geoservice.db.engine import Database
from layers.access import SITUATION, Clearance
from tests.browser.conftest import DESKTOP, Site
from tests.browser.test_loads import accessible
from tests.support.editing import give_key

HARMFUL = "渡口 <img src=x onerror=alert(1)>"
_SIGNED = "(key) => fetch('/session', {method: 'POST', headers: {'Content-Type': 'application/json'}, body: key})"


def enter(context: BrowserContext, site: Site, key: str | None, lang: str) -> Any:
    """A window with the hazards panel of somebody."""
    page = context.new_page()
    if key is not None:
        page.goto(f"{site.url}/collections?f=html")
        page.evaluate(_SIGNED, json.dumps({"key": key}))
    page.goto(f"{site.url}/portal?lang={lang}#map=12/38.6/105&panel=hazards")
    page.wait_for_selector("html[data-ready=yes]", timeout=60_000)
    if page.locator(".steps").count() == 0:
        page.click("[data-panel=hazards]")
    page.wait_for_selector(".steps")
    return page


def marks(site: Site, key: str) -> list[dict[str, Any]]:
    """What the service has."""
    found: list[dict[str, Any]] = httpx.get(
        f"{site.url}/situation/marks", headers={"X-API-Key": key}, timeout=60
    ).json()["features"]
    return found


def test_a_mark_is_plotted_seen_and_taken_back(browser: Browser, site: Site) -> None:
    database = Database.from_settings(site.settings)
    key, other = (
        give_key(database, Clearance.INTERNAL, [SITUATION]),
        give_key(database, Clearance.INTERNAL, [SITUATION]),
    )
    contexts = [browser.new_context(viewport={"width": DESKTOP[0], "height": DESKTOP[1]}) for _ in range(3)]
    page, second, stranger = (
        enter(context, site, who, lang)
        for context, who, lang in zip(contexts, (key, other, None), ("zh", "en", "en"), strict=True)
    )
    assert stranger.locator(".plot").count() == 0, "who may not plot is not asked to"
    for one in (page, second):
        one.click(".plot > summary")
    page.select_option("#plot-symbol", "medical_post")
    page.fill("#plot-label", HARMFUL)
    assert accessible(page) == []
    page.get_by_role("button", name="在图上标绘").click()
    page.mouse.click(900, 400)
    page.mouse.click(940, 420)  # a point is where it was put last
    page.get_by_role("button", name="完成").click()
    expect(page.locator("[data-mark]")).to_contain_text(HARMFUL)
    # The other officer sees it without asking, and may take it away.
    expect(second.locator("[data-mark]")).to_contain_text("Medical post", timeout=20_000)
    (kept,) = marks(site, key)
    at = page.evaluate("geoserviceMap.leaflet.mouseEventToLatLng({clientX: 940, clientY: 420})")
    assert kept["geometry"]["type"] == "Point"
    assert abs(kept["geometry"]["coordinates"][0] - at["lng"]) < 1e-4
    assert abs(kept["geometry"]["coordinates"][1] - at["lat"]) < 1e-4
    second.locator("[data-mark]").get_by_role("button", name="Delete").click()
    expect(page.locator("[data-mark]")).to_have_count(0, timeout=20_000)
    second.get_by_role("button", name="Undo").click()
    expect(page.locator("[data-mark]")).to_contain_text(HARMFUL, timeout=20_000)
    page.locator("[data-mark]").get_by_role("button", name="删除").click()
    expect(second.locator("[data-mark]")).to_have_count(0, timeout=20_000)
    assert marks(site, key) == []
    for context in contexts:
        context.close()
