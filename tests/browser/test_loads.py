"""The report of a load as a person sees it: dirty patches loaded, looked at in both languages, themes and sizes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import geopandas as gpd
import pytest
import shapely
from playwright.sync_api import Browser, Page

from geoservice.cli.ingest import load_source
from geoservice.db.engine import Database
from layers.access import Clearance
from layers.catalog import read_catalog
from layers.errors import SourceError
from tests.architecture.checkout import ROOT
from tests.browser.conftest import DESKTOP, PHONE, Site, Witness
from tests.support.county import WrittenCounty
from tests.support.jobs import environment, worker
from tests.support.service import make_loader

AXE = ROOT / "node_modules" / "axe-core" / "axe.min.js"
TANGLED, UNKNOWN = 5, 7


@pytest.fixture(scope="module")
def dirty(tmp_path_factory: pytest.TempPathFactory, small_county: WrittenCounty) -> Path:
    """The patches of the sample region, some tangled, some of an unknown class."""
    patches = gpd.read_file(small_county.folder / "sample_landuse_patch.gpkg")
    for row in range(TANGLED):
        west, south, east, north = patches.geometry.iloc[row].bounds
        tangle = shapely.Polygon([(west, south), (east, north), (east, south), (west, north)])
        patches.loc[row, "geometry"] = tangle
    patches.loc[20 : 20 + UNKNOWN - 1, "class_code"] = "9999"
    file = tmp_path_factory.mktemp("dirty") / "sample_landuse_patch.dirty.gpkg"
    patches.to_file(file, driver="GPKG", engine="pyogrio")
    return file


@pytest.fixture(scope="module")
def loads(site: Site, dirty: Path) -> dict[str, int]:
    """A dirty load and a refused one; their numbers."""
    broken = dirty.with_name("sample_landuse_patch.broken.gpkg")
    broken.write_bytes(dirty.read_bytes()[:4000])
    catalog, database = read_catalog(), Database.from_settings(site.settings)
    report = load_source(catalog, database, "landuse_patch", dirty, quiet=True)
    assert report.load
    with pytest.raises(SourceError):
        load_source(catalog, database, "landuse_patch", broken, quiet=True)
    return {"dirty": report.load, "refused": report.load + 1}


@pytest.fixture(scope="module")
def key(site: Site) -> str:
    """Key of somebody who may load everything."""
    return make_loader(Database.from_settings(site.settings), Clearance.RESTRICTED)


@pytest.fixture(
    params=[("zh", "light", DESKTOP), ("en", "dark", DESKTOP), ("zh", "dark", PHONE), ("en", "light", PHONE)]
)
def view(request: pytest.FixtureRequest, browser: Browser, site: Site, key: str) -> Iterator[tuple[Page, str, str]]:
    """A window with a language; afterwards: nothing was asked of others, nothing complained."""
    language, theme, (width, height) = request.param
    context = browser.new_context(
        viewport={"width": width, "height": height}, color_scheme=theme, extra_http_headers={"X-API-Key": key}
    )
    page, witness = context.new_page(), Witness(site.url)
    page.on("request", witness.request)
    page.on("console", witness.console)
    page.on("pageerror", lambda error: witness.complaints.append(str(error)))
    yield page, language, f"{language}_{theme}_{width}"
    context.close()
    assert witness.outside == []
    assert witness.complaints == []


def accessible(page: Page, part: str = "body") -> list[str]:
    """Breaches of WCAG 2.2 A and AA that axe finds; needs the development packages of package.json."""
    assert AXE.is_file(), "axe-core is missing: scripts/install installs it"
    page.evaluate(f"() => {{ {AXE.read_text(encoding='utf-8')} }}")
    rules = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
    found: Any = page.evaluate("([part, tags]) => axe.run(part, {runOnly: tags})", [part, rules])
    return [f"{one['id']}: {json.dumps(one['nodes'][0]['target'])}" for one in found["violations"]]


def test_the_report_is_readable_and_leads_from_list_to_map(
    view: tuple[Page, str, str], site: Site, loads: dict[str, int], shots: Path
) -> None:
    page, language, name = view
    page.goto(f"{site.url}/loads/{loads['dirty']}?f=html&lang={language}")
    words = {"zh": "行需要处理", "en": "need you"}
    assert words[language] in page.inner_text(".verdict")
    page.wait_for_selector("#places path.leaflet-interactive")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "the page scrolls sideways"
    dots = page.locator("#places path.leaflet-interactive")
    assert dots.count() >= UNKNOWN
    zoom = "geoserviceMap.leaflet.getZoom()"
    before = page.evaluate(zoom)
    button = page.locator(".show-places").first
    number = button.get_attribute("data-finding")
    button.click()
    assert page.locator(f"tr#finding-{number}.marked").count() == 1
    assert page.evaluate(zoom) >= before
    page.wait_for_timeout(500)
    page.screenshot(path=shots / f"load_{name}.png", full_page=True)
    assert accessible(page) == []


def test_a_refused_load_says_why(view: tuple[Page, str, str], site: Site, loads: dict[str, int]) -> None:
    page, language, _ = view
    page.goto(f"{site.url}/loads/{loads['refused']}?f=html&lang={language}")
    assert page.locator(".verdict-bad").count() == 1
    assert "sample_landuse_patch.broken.gpkg" in page.inner_text(".card-bad")
    assert accessible(page) == []


def test_lists_lead_to_the_report(view: tuple[Page, str, str], site: Site, loads: dict[str, int]) -> None:
    page, language, _ = view
    page.goto(f"{site.url}/collections/landuse_patch/loads?f=html&lang={language}")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert accessible(page) == []
    page.click(f"a[href*='/loads/{loads['dirty']}?']")
    page.wait_for_selector(".verdict-warn")


def test_the_layer_panel_leads_to_the_report(browser: Browser, site: Site, loads: dict[str, int]) -> None:
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    page.goto(f"{site.url}/portal?lang=en")
    page.wait_for_selector("html[data-ready=yes]", timeout=60_000)
    page.click("[data-layer=landuse_patch] [aria-label='About this layer']")
    page.click("#dialog-body a:text('Load report')")
    page.wait_for_selector(".verdict")
    assert "/loads/" in page.url
    page.close()


def test_a_link_to_a_box_opens_the_portal_there(browser: Browser, site: Site) -> None:
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    page.goto(f"{site.url}/portal?lang=en#box=104.9,38.3,105.1,38.5&layers=landuse_patch")
    page.wait_for_selector("html[data-ready=yes]", timeout=60_000)
    centre = page.evaluate("geoserviceMap.leaflet.getBounds().contains([38.4, 105.0])")
    assert centre
    assert page.evaluate("geoserviceMap.leaflet.getZoom()") > 8
    page.close()


def test_from_files_to_the_map(browser: Browser, site: Site, key: str, dirty: Path, shots: Path) -> None:
    """The straight line of a land officer: sign in, drop, watch, look at what is wrong, see it on the map."""
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    page, witness = context.new_page(), Witness(site.url)
    page.on("request", witness.request)
    page.on("console", witness.console)
    page.goto(f"{site.url}/portal?lang=en")
    page.wait_for_selector("html[data-ready=yes]", timeout=60_000)
    assert page.locator("[data-panel=jobs]").count() == 0, "the public may not load"
    signed = "(key) => fetch('/session', {method: 'POST', headers: {'Content-Type': 'application/json'}, body: key})"
    page.evaluate(signed, json.dumps({"key": key}))
    page.reload()
    page.wait_for_selector("html[data-ready=yes]", timeout=60_000)
    page.click("[data-panel=jobs]")
    assert page.locator("button[type=submit]").is_disabled()
    page.select_option("#job-layer", "landuse_patch")
    page.set_input_files("#job-files", dirty)
    page.check("#job-dry")
    page.click("button[type=submit]")
    page.locator("#job-step:text-is('Waiting for its turn')").wait_for(timeout=60_000)
    # A worker of its own process, as an operator would start it; the page hears of it from the service alone.
    settings = environment(Database.from_settings(site.settings), dirty.parent)
    with worker({name: value for name, value in settings.items() if name != "GEOSERVICE_LAYERS_DIR"}):
        page.wait_for_selector(".result-findings", timeout=120_000)
    assert "Trial run" in page.inner_text(".result .state")
    assert page.locator("path.leaflet-interactive").count() >= UNKNOWN
    assert accessible(page, "#panel") == []
    page.screenshot(path=shots / "upload_result.png")
    page.click(".result a:text('Load report')")
    page.wait_for_selector(".verdict")
    context.close()
    assert witness.outside == []
    assert witness.complaints == []
