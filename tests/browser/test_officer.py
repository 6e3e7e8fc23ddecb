"""What a land officer does in the browser besides loading: sort the parts of a delivery, mend what was refused."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import geopandas as gpd
import pytest
from playwright.sync_api import Browser, Page

from geoservice.cli.ingest import load_source
from geoservice.db.engine import Database
from layers.access import Clearance
from layers.catalog import read_catalog
from tests.browser.conftest import DESKTOP, PHONE, Site, Witness
from tests.browser.test_loads import accessible
from tests.support.county import WrittenCounty
from tests.support.jobs import environment, worker
from tests.support.service import make_loader

LEFT_OUT = 2


@pytest.fixture(scope="module")
def key(site: Site) -> str:
    """Key of somebody who may load everything."""
    return make_loader(Database.from_settings(site.settings), Clearance.RESTRICTED)


@pytest.fixture
def page(request: pytest.FixtureRequest, browser: Browser, site: Site, key: str) -> Iterator[Page]:
    """A window of somebody who has signed in."""
    width, height = getattr(request, "param", DESKTOP)
    context = browser.new_context(viewport={"width": width, "height": height})
    opened, witness = context.new_page(), Witness(site.url)
    opened.on("request", witness.request)
    opened.on("console", witness.console)
    opened.on("pageerror", lambda error: witness.complaints.append(str(error)))
    opened.goto(f"{site.url}/collections?f=html")
    signed = "(key) => fetch('/session', {method: 'POST', headers: {'Content-Type': 'application/json'}, body: key})"
    opened.evaluate(signed, json.dumps({"key": key}))
    yield opened
    context.close()
    assert witness.outside == []
    assert witness.complaints == []


@pytest.fixture
def load(site: Site, tmp_path: Path, small_county: WrittenCounty) -> int:
    """Number of a load that left patches of an unknown class in quarantine."""
    patches = gpd.read_file(small_county.folder / "sample_landuse_patch.gpkg")
    patches.loc[: LEFT_OUT - 1, "class_code"] = "9999"
    # Every load of this file is another one, whatever was mended before.
    patches.loc[LEFT_OUT:, "surveyor"] = tmp_path.name
    file = tmp_path / "sample_landuse_patch.open.gpkg"
    patches.to_file(file, driver="GPKG", engine="pyogrio")
    database = Database.from_settings(site.settings)
    report = load_source(read_catalog(), database, "landuse_patch", file, quiet=True)
    assert (report.quarantined, report.load is None) == (LEFT_OUT, False)
    return int(report.load or 0)


def correct(page: Page, class_code: str) -> None:
    """Open the first row that waits, set its class, save it, and wait until the page tells what came of it."""
    page.locator("#mend [data-row] button").first.click()
    page.get_by_label("class_code", exact=True).fill(class_code)
    page.click(".mend-form button[type=submit]")
    # The page comes anew when the job is over.
    page.wait_for_selector(".mend-form", state="detached", timeout=120_000)
    page.wait_for_selector("#mend [data-row] button", timeout=60_000)


@pytest.mark.parametrize("page", [DESKTOP, PHONE], indirect=True, ids=["desk", "phone"])
def test_rows_are_mended_on_the_page_of_their_load(page: Page, site: Site, load: int, tmp_path: Path) -> None:
    page.goto(f"{site.url}/loads/{load}?f=html&lang=en")
    assert "2 rows, 2 of them still open" in page.inner_text("section[aria-labelledby=kept]")
    page.locator("#mend [data-row] button").first.click()
    page.wait_for_selector(".mend-form")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "the page scrolls sideways"
    assert accessible(page) == []
    page.click(".mend-form button[type=button]")
    assert page.locator(".mend-form").count() == 0
    settings = environment(Database.from_settings(site.settings), tmp_path)
    with worker({name: value for name, value in settings.items() if name != "GEOSERVICE_LAYERS_DIR"}):
        correct(page, "8888")
        # Negative control: what is still wrong stays open, with its new reason.
        assert page.locator("#mend [data-row]").count() == LEFT_OUT
        assert "'8888', which is not in the code list" in page.inner_text("#mend")
        correct(page, "0301")
    assert "2 rows, 1 of them still open" in page.inner_text("section[aria-labelledby=kept]")
    assert page.locator("#mend [data-row]").count() == LEFT_OUT - 1
    assert page.locator("#mend tbody tr").last.inner_text().split()[-1] == "mended"


def test_parts_of_one_source_are_one_line(page: Page, site: Site, tmp_path: Path) -> None:
    parts = [tmp_path / f"DLTB 2026.{ending}" for ending in ("shp", "shx", "dbf", "prj")]
    single = tmp_path / "DLTB_other.zip"
    for file in (*parts, single):
        file.write_bytes(b"x" * 1024)
    page.goto(f"{site.url}/portal?lang=en")
    page.wait_for_selector("html[data-ready=yes]", timeout=60_000)
    page.click("[data-panel=jobs]")
    page.set_input_files("#job-files", [*parts, single])
    lines = page.locator(".files li")
    assert [line.split() for line in lines.all_inner_texts()] == [
        ["DLTB", "2026", ".shp", ".shx", ".dbf", ".prj", "4", "KiB"],
        ["DLTB_other.zip", "1", "KiB"],
    ]
    lines.first.get_by_role("button").click()
    assert page.locator(".files li").all_inner_texts()[0].startswith("DLTB_other.zip")
    assert page.locator(".files li").count() == 1
