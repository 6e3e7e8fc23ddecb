"""When the network goes, the portal says so once and goes on by itself when it is back."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Portal

pytestmark = [pytest.mark.browser, pytest.mark.slow]
PLACE = "#map=12.00/38.60000/105.00000&layers=landuse_patch,road"


def test_a_lost_connection_is_told_and_the_map_goes_on_afterwards(portal: Portal) -> None:
    portal.open("lang=en", PLACE)
    page, line = portal.page, portal.page.locator("#connection")
    expect(line).to_be_hidden()
    page.context.set_offline(True)
    page.evaluate("() => geoserviceMap.leaflet.setView([38.62, 105.05], 14, {animate: false})")
    expect(line).to_contain_text("No connection to the service since")
    portal.shot("connection-lost")
    page.context.set_offline(False)
    expect(line).to_be_hidden(timeout=20_000)
    portal.settle()
    assert portal.drawn("landuse_patch") > 0
    # The browser itself writes each request that failed to its console; nothing else may stand there.
    assert all("ERR_INTERNET_DISCONNECTED" in one for one in portal.witness.complaints)
    portal.witness.complaints.clear()


def test_an_answer_that_refuses_is_no_lost_connection(portal: Portal) -> None:
    portal.open("lang=en", PLACE)
    page, items = portal.page, "**/collections/*/items/*"
    # Whoever asks whether the service lives hears nothing: only that nobody asks keeps the line away.
    page.route("**/health/live", lambda route: route.abort())
    page.route(items, lambda route: route.fulfill(status=503, json={"title": "Busy"}))
    page.keyboard.press("i")
    expect(page.locator("#drawer .state-error")).to_contain_text("Busy")
    expect(page.locator("#connection")).to_be_hidden()
    page.unroute(items)
    page.route(items, lambda route: route.abort())
    page.keyboard.press("i")
    expect(page.locator("#connection")).to_be_visible()
    portal.witness.complaints.clear()
