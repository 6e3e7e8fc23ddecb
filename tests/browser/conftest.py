"""A real Chromium on the real service: a small sample region, the countries and a week of earthquakes, all loaded."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, Request, sync_playwright

from geoservice.app import create_app
from geoservice.cli.demo import Delivery, sample_deliveries
from geoservice.cli.ingest import load_source
from geoservice.cli.layers import synchronise
from geoservice.gazetteer import index
from geoservice.settings import Settings
from layers.access import Clearance
from layers.catalog import read_catalog
from tests.support.county import PARCELS, WrittenCounty
from tests.support.database import copied_database
from tests.support.service import make_keys
from tests.support.serving import serving

LOADED = {
    "cap_alert",
    "control_line",
    "dam",
    "division",
    "elevation",
    "flood_extent",
    "hospital",
    "lake",
    "landuse_patch",
    "populated_place",
    "population",
    "river",
    "road",
}
# Maps are drawn by Mesa's software renderer, which takes half the time of Chromium's own; pages are put together
# without it, so that a page at rest takes no time at all.
FLAGS = ["--headless", "--no-sandbox", "--use-angle=gl-egl", "--ignore-gpu-blocklist", "--disable-gpu-compositing"]
CALM = 5
DESKTOP = (1280, 800)
PHONE = (360, 740)


@dataclass
class Site:
    """The running service: its address, an API key per clearance, its settings."""

    url: str
    keys: dict[Clearance, str]
    settings: Settings


@pytest.fixture(scope="session")
def site(cluster_settings: Settings, small_county: WrittenCounty) -> Iterator[Site]:
    """The service with the sample region and the open data that come with the front-end packages."""
    catalog = read_catalog()
    with copied_database(cluster_settings) as database:
        settings = database.settings
        synchronise(settings, database)
        small_county.lay_out(settings)
        for one in [*sample_deliveries(settings, catalog, PARCELS), *_bundled()]:
            if catalog.layer(one.layer).name in LOADED or one.mapping != "sample":
                load_source(catalog, database, one.layer, one.file, one.mapping, quiet=True)
        for behindhand in index.behind(database, catalog):
            index.renew(database, behindhand)
        keys = make_keys(database)
        with serving(create_app(settings)) as url:
            yield Site(url, keys, settings)


def _bundled() -> Iterator[Delivery]:
    folder = Path(str(resources.files("web"))) / "static" / "vendor" / "data"
    yield Delivery("admin/country", "world_atlas", folder / "countries-50m.json")
    yield Delivery("hazard/earthquake", "usgs_feed", folder / "earthquakes.json")


@pytest.fixture(scope="session")
def portal_url(site: Site) -> str:
    """Address of the portal."""
    return f"{site.url}/portal"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium with software rendering. Its driver keeps an event loop running, so it ends with the module."""
    found = os.environ.get("GEOSERVICE_TEST_CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    assert found, "The browser tests need Chromium: apt-get install chromium fonts-noto-cjk"
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=found, args=FLAGS)
        yield started
        started.close()


@dataclass
class Witness:
    """What happened on a page besides what the test asked for."""

    origin: str
    outside: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    def request(self, request: Request) -> None:
        """Note requests that leave the service."""
        if not request.url.startswith((self.origin, "data:", "blob:")):
            self.outside.append(request.url)

    def console(self, message: ConsoleMessage) -> None:
        """Note errors, and with them every breach of the content-security policy."""
        if message.type == "error":
            self.complaints.append(message.text)


@dataclass
class Portal:
    """A page of the portal and what can be asked of it."""

    page: Page
    url: str
    witness: Witness
    shots: Path

    def open(self, query: str = "lang=zh", place: str = "") -> Portal:
        """Open the portal and wait until its map is drawn."""
        self.page.goto("about:blank")
        self.page.goto(f"{self.url}?{query}{place}")
        self.page.wait_for_selector("html[data-ready=yes]", timeout=60_000)
        return self.settle()

    def settle(self) -> Portal:
        """Wait until the map has stood still for a second with all tiles in view drawn."""
        script = """() => {
            const {leaflet, gl} = geoserviceMap;
            const map = gl.getMaplibreMap();
            const still = map.areTilesLoaded() && map.isStyleLoaded() && !map.isMoving();
            return still ? `${leaflet.getZoom()} ${leaflet.getCenter()} ${map.getZoom()}` : "";
        }"""
        calm, last = 0, ""
        for _ in range(300):
            self.page.wait_for_timeout(200)
            seen = str(self.page.evaluate(script))
            calm = calm + 1 if seen and seen == last else 0
            last = seen
            if calm >= CALM:
                return self
        raise AssertionError("the map did not come to rest within a minute")

    def drawn(self, layer: str) -> int:
        """How many pieces of features of a layer are on the screen."""
        script = """(id) => {
            const gl = geoserviceMap.gl.getMaplibreMap();
            const own = gl.getStyle().layers.filter((one) => one.metadata?.layer === id).map((one) => one.id);
            return own.length ? gl.queryRenderedFeatures({layers: own}).length : 0;
        }"""
        return int(self.page.evaluate(script, layer))

    def shot(self, name: str) -> None:
        """Keep a picture of the page."""
        self.page.screenshot(path=self.shots / f"{name}.png")


@pytest.fixture(scope="session")
def shots(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where pictures are kept; GEOSERVICE_TEST_SCREENSHOTS names a folder that outlives the tests."""
    kept = os.environ.get("GEOSERVICE_TEST_SCREENSHOTS")
    folder = Path(kept) if kept else tmp_path_factory.mktemp("screenshots")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _portal(browser: Browser, url: str, shots: Path, size: tuple[int, int]) -> Iterator[Portal]:
    context = browser.new_context(
        viewport={"width": size[0], "height": size[1]},
        has_touch=size == PHONE,
        locale="zh-CN",
        timezone_id="Asia/Shanghai",
    )
    page = context.new_page()
    witness = Witness(url.removesuffix("/portal"))
    page.on("request", witness.request)
    page.on("console", witness.console)
    page.on("pageerror", lambda error: witness.complaints.append(str(error)))
    yield Portal(page, url, witness, shots)
    context.close()
    assert witness.outside == []
    assert witness.complaints == []


@pytest.fixture
def portal(browser: Browser, portal_url: str, shots: Path) -> Iterator[Portal]:
    """A fresh window at a desk. Afterwards: no request to any other host, no error, no breach of the policy."""
    yield from _portal(browser, portal_url, shots, DESKTOP)


@pytest.fixture
def phone(browser: Browser, portal_url: str, shots: Path) -> Iterator[Portal]:
    """The same on a small telephone."""
    yield from _portal(browser, portal_url, shots, PHONE)
