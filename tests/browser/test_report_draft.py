"""The last step of the duty officer: the report becomes the draft of an alert that answers the one it is about."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from geoservice.db.engine import Database
from layers.access import Clearance
from tests.browser.conftest import DESKTOP, PHONE, Site, Witness
from tests.browser.test_emergency import HILL, blocks
from tests.browser.test_loads import accessible
from tests.support.alerts import cap, named
from tests.support.editing import give_key

pytestmark = [pytest.mark.browser, pytest.mark.slow]
SIGNED = "(key) => fetch('/session', {method: 'POST', headers: {'Content-Type': 'application/json'}, body: key})"


@pytest.fixture(scope="module")
def key(site: Site) -> str:
    """Key of somebody who may write alerts."""
    return give_key(Database.from_settings(site.settings), Clearance.RESTRICTED, ["alert"])


@pytest.fixture(scope="module")
def alert(site: Site, key: str) -> Iterator[str]:
    """Id of an alert of somebody else; it is cancelled at the end."""
    message = cap("D-first", blocks("山洪预警", "Flash flood", "Extreme", HILL))
    headers = {"X-API-Key": key, "Content-Type": "application/cap+xml"}
    with httpx.Client(base_url=site.url, headers=headers, timeout=60) as client:
        yield client.post("/alerts", content=message).json()["alerts"][0]["id"]
        end = cap("D-end", msgType="Cancel", references=named(message))
        assert client.post("/alerts", content=end).status_code == 201


@pytest.fixture
def page(browser: Browser, site: Site, key: str) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": DESKTOP[0], "height": DESKTOP[1]})
    opened, witness = context.new_page(), Witness(site.url)
    opened.on("request", witness.request)
    opened.on("console", witness.console)
    opened.on("pageerror", lambda error: witness.complaints.append(str(error)))
    opened.goto(f"{site.url}/collections?f=html")
    opened.evaluate(SIGNED, json.dumps({"key": key}))
    yield opened
    context.close()
    assert witness.outside == []
    assert witness.complaints == []


def test_a_report_becomes_the_draft_of_an_answer(page: Page, site: Site, alert: str, key: str, shots: Path) -> None:
    page.goto(f"{site.url}/portal?lang=zh")
    page.wait_for_selector("html[data-ready=yes]", timeout=60_000)
    page.click("[data-panel=hazards]")
    page.locator(".alert", has_text="山洪预警").get_by_role("button", name="查看范围与影响").click()
    page.click("#go-impact")
    expect(page.locator("[data-figure=people] .key-value")).to_be_visible(timeout=60_000)
    page.click("#go-report")
    page.click("#report-make")
    page.locator("#draft-alert > summary").click(timeout=120_000)
    # What the alert says is proposed; what it cannot know is asked for.
    assert page.input_value("#draft-severity") == "Extreme"
    page.fill("#draft-event-en", "Flash flood in the valley")
    assert accessible(page) == []
    page.locator("#draft-form").scroll_into_view_if_needed()
    page.screenshot(path=shots / "draft-zh.png")
    page.set_viewport_size({"width": PHONE[0], "height": PHONE[1]})
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.screenshot(path=shots / "draft-phone.png")
    page.locator("#draft-form button[type=submit]").click()
    done = page.locator("#draft-form .done")
    expect(done).to_contain_text("新预警草稿", timeout=60_000)
    headers = {"X-API-Key": key}
    content = httpx.get(done.locator("a").get_attribute("href") or "", headers=headers, timeout=60).json()["content"]
    assert (content["status"], content["msgType"]) == ("Actual", "Alert")
    assert ",D-first," in content["note"]
    assert content["info"][1]["event"] == "Flash flood in the valley"
    listed = httpx.get(f"{site.url}/alerts", timeout=60).json()["alerts"]
    assert "Flash flood in the valley" not in json.dumps(listed), "nothing goes out before somebody releases it"
    assert alert in {one["id"] for one in listed}
