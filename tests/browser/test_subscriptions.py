"""The panel of subscriptions as a person uses it, with a real mail server and a real receiver of messages."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import expect

from geoservice.app import create_app
from geoservice.db.engine import Database
from tests.architecture.checkout import ROOT
from tests.browser.conftest import Portal
from tests.support.alerts import CATALOG, cap
from tests.support.notices import MAIL, Desk, open_desk
from tests.support.serving import serving

pytestmark = [pytest.mark.browser, pytest.mark.slow]
AXE = ROOT / "node_modules" / "axe-core" / "axe.min.js"


@pytest.fixture(scope="module")
def desk(module_database: Database, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    with open_desk(module_database, tmp_path_factory.mktemp("post")) as desk:
        yield desk


@pytest.fixture(scope="module")
def portal_url(desk: Desk) -> Iterator[str]:
    """The portal of that service, in place of the one with the sample region."""
    with serving(create_app(desk.courier._settings, CATALOG)) as url:
        yield f"{url}/portal"


def look(desk: Desk) -> None:
    """Have the courier look, in a thread without the loop of the browser's driver."""
    thread = threading.Thread(target=desk.look)
    thread.start()
    thread.join()


def breaches(portal: Portal) -> list[str]:
    """Breaches of WCAG 2.2 A and AA in the panel, by day and by night."""
    page = portal.page
    page.evaluate(f"() => {{ {AXE.read_text(encoding='utf-8')} }}")
    rules = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
    told = []
    for theme in ("dark", "light"):
        page.evaluate("(theme) => { document.documentElement.dataset.theme = theme; }", theme)
        page.wait_for_timeout(300)
        found: Any = page.evaluate("(tags) => axe.run({include: [['#panel']]}, {runOnly: tags})", rules)
        assert found["passes"], "axe looked at nothing"
        told += [f"{theme} {one['id']}: {node['html'][:200]}" for one in found["violations"] for node in one["nodes"]]
    return told


def test_subscribe_confirm_be_told_and_leave_it_again(portal: Portal, desk: Desk) -> None:
    portal.open(place="#panel=toolbox")
    page, panel = portal.page, portal.page.locator("#panel")
    page.get_by_role("button", name="管理订阅").press("Enter")
    expect(panel.locator("#panel-title")).to_have_text("订阅")
    expect(panel).to_contain_text("请先登录")
    page.click("#user")
    page.fill("#api-key", desk.watch.keys["insider"])
    page.press("#api-key", "Enter")
    page.wait_for_selector("html[data-ready=yes]")
    expect(panel).to_contain_text("还没有订阅")
    # A mail address, by the keyboard.
    page.select_option("#notice-area", "code")
    page.fill("#notice-code", "990101")
    page.fill("#notice-address", MAIL)
    page.press("#notice-address", "Enter")
    expect(panel.locator("#notice-outcome")).to_contain_text(f"确认邮件已发往 {MAIL}")
    item = panel.locator(".notice-item")
    expect(item).to_contain_text("待确认")
    assert breaches(portal) == []
    portal.shot("subscriptions-zh")
    # The reader of the mail agrees on the page behind the link.
    look(desk)
    page.goto(f"{portal.witness.origin}{desk.links('confirm')[0]}")
    page.get_by_role("button", name="确认订阅").click()
    expect(page.get_by_role("status")).to_contain_text("已确认")
    portal.shot("subscriptions-confirmed")
    desk.watch.taken(cap("seen-in-the-portal"))
    look(desk)
    look(desk)
    assert [mail["Subject"] for mail in desk.post.mails[1:]] == ["洪水橙色预警"]
    portal.open("lang=en", "#panel=subscriptions")
    expect(item).to_contain_text("Active")
    item.get_by_text("Latest messages").click()
    expect(item.locator(".job-delivered")).to_have_count(2)
    # A webhook, whose secret is shown once; then it is removed.
    page.select_option("#notice-kind", "exceedance")
    page.select_option("#notice-way", "url")
    page.fill("#notice-address", f"{desk.box.address}/hook")
    page.get_by_role("button", name="Subscribe", exact=True).click()
    expect(panel.locator("#notice-outcome pre")).to_contain_text("whsec_")
    expect(item).to_have_count(2)
    assert breaches(portal) == []
    portal.shot("subscriptions-en")
    item.nth(1).get_by_role("button", name="Remove the subscription").press("Enter")
    page.locator("#dialog").get_by_role("button", name="Remove the subscription").press("Enter")
    expect(panel.locator("#notice-outcome")).to_contain_text("removed")
    expect(item).to_have_count(1)
    assert "panel=subscriptions" in urlsplit(page.url).fragment


def test_on_a_telephone_and_what_is_refused(phone: Portal, desk: Desk) -> None:
    phone.open("lang=en", "#panel=subscriptions")
    page, panel = phone.page, phone.page.locator("#panel")
    page.evaluate("(key) => fetch('/session', {method: 'POST', body: JSON.stringify({key}), headers: {'Content-Type': 'application/json'}})", desk.watch.keys["reader"])  # noqa: E501 # fmt: skip
    phone.open("lang=en", "#panel=subscriptions")
    page.select_option("#notice-area", "drawn")
    page.fill("#notice-address", "a@b.example")
    page.get_by_role("button", name="Subscribe", exact=True).click()
    expect(panel.locator("#notice-outcome")).to_contain_text("No area is drawn yet")
    page.select_option("#notice-area", "everywhere")
    page.fill("#notice-address", "a@b")
    page.get_by_role("button", name="Subscribe", exact=True).click()
    expect(panel.locator("#notice-outcome")).to_contain_text("one plain address")
    assert page.evaluate("() => document.documentElement.scrollWidth <= innerWidth")
    phone.witness.complaints.clear()
    phone.shot("subscriptions-phone")
