"""The night of the sample county as two officers see it: one in the exercise, one who must not hear of it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from geoservice.db.engine import Database
from geoservice.night import Player, Step
from layers.access import ALERT, OBSERVE, Clearance
from tests.browser.conftest import DESKTOP, Site
from tests.support.editing import give_key

ORANGE, RED, CLEAR = "样例县发布洪水橙色预警（虚构）", "样例县发布洪水红色预警（虚构）", "样例县解除洪水预警（虚构）"
PATIENCE = 30_000
"""Milliseconds; news take one or two seconds on a machine that has time."""


@pytest.fixture
def player(site: Site) -> Iterator[Player]:
    key = give_key(Database.from_settings(site.settings), Clearance.RESTRICTED, [ALERT, OBSERVE])
    with httpx.Client(base_url=site.url, headers={"X-API-Key": key}, timeout=120) as client:
        yield Player(client, status="Exercise")


@contextmanager
def officer(browser: Browser, site: Site, place: str) -> Iterator[Page]:
    """The hazards panel of somebody without a key."""
    context = browser.new_context(viewport={"width": DESKTOP[0], "height": DESKTOP[1]}, locale="zh-CN")
    page = context.new_page()
    page.goto(f"{site.url}/portal?lang=zh{place}")
    page.wait_for_selector("html[data-ready=yes]", timeout=60_000)
    page.click("[data-panel=hazards]")
    yield page
    context.close()


def card(page: Page, headline: str) -> Locator:
    """An alert in force, by its headline."""
    return page.locator(".alert-list > .alerts > .alert", has_text=headline)


class Watcher:
    """Compares what one sees in the exercise, after each step, with what the step was answered."""

    def __init__(self, page: Page, shots: Path) -> None:
        self.page, self.shots = page, shots

    def alert(self, _: Step) -> None:
        expect(card(self.page, ORANGE)).to_be_visible(timeout=PATIENCE)

    def alert_impact(self, step: Step) -> None:
        """The straight line to the figures; they are those of the step, and what is named stands on the map."""
        card(self.page, ORANGE).get_by_role("button").click()
        self.page.click("#go-impact")
        value = self.page.locator("[data-figure=people] .key-value")
        expect(value).to_be_visible(timeout=60_000)
        told = float("".join(c for c in value.inner_text() if c.isdigit() or c == "."))
        assert told == pytest.approx(step.answer["people"]["value"], abs=0.5)
        assert self.page.locator("path.impact-mark").count() > 0
        self.page.screenshot(path=self.shots / "night-impact.png")
        self.page.get_by_role("button", name="换一个预警或范围").click()

    def update(self, _: Step) -> None:
        """The update comes by itself and takes the place of the first warning."""
        expect(card(self.page, RED)).to_be_visible(timeout=PATIENCE)
        expect(card(self.page, ORANGE)).to_have_count(0)
        assert "已失效" in self.page.locator("details.past summary").inner_text()

    def cancel(self, _: Step) -> None:
        expect(card(self.page, RED)).to_have_count(0, timeout=PATIENCE)
        assert card(self.page, CLEAR).count() == 0, "an all-clear is no alert in force"
        self.page.screenshot(path=self.shots / "night-clear.png")


def test_the_night_is_watched_in_the_portal(browser: Browser, site: Site, player: Player, shots: Path) -> None:
    with officer(browser, site, "#exercise=all") as played, officer(browser, site, "") as earnest:
        watcher = Watcher(played, shots)
        checks: dict[str, Callable[[Step], None]] = {
            "alert": watcher.alert,
            "alert-impact": watcher.alert_impact,
            "update": watcher.update,
            "cancel": watcher.cancel,
        }
        seen = []
        for step in player.play(dt.datetime.now(dt.UTC)):
            seen.append(step.name)
            checks.get(step.name, lambda _: None)(step)
            for headline in (ORANGE, RED, CLEAR):
                assert earnest.locator(".alert", has_text=headline).count() == 0, f"{headline} is told as real"
        assert set(seen) >= checks.keys()
        expect(played.locator("#exercise-frame")).to_be_visible()
        expect(earnest.locator("#exercise-frame")).to_be_hidden()
