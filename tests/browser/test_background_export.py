"""More rows than a file sent at once may have: made in the background, through a lost connection; tables, and names."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
import sqlalchemy as sa
from playwright.sync_api import expect

from geoservice.app import create_app
from geoservice.cli.demo import sample_deliveries
from geoservice.cli.ingest import load_source
from geoservice.db.credentials import Role
from geoservice.db.engine import Database
from geoservice.security.keys import make_key
from layers.access import Clearance
from layers.catalog import read_catalog
from layers.system import api_key
from tests.browser.conftest import Portal, Site
from tests.browser.test_loads import accessible
from tests.browser.test_table import column, open_table
from tests.support.county import PARCELS
from tests.support.exporting import do_waiting
from tests.support.serving import serving

pytestmark = [pytest.mark.browser, pytest.mark.slow]
PLACE = "#map=12.00/38.62000/105.03000&layers=landuse_patch,division"
MOST = 100
EVIL = "<img src=x onerror=\"document.title='struck'\"> \u202e" + "Wang Xiaoming of the night shift " * 3
PATIENCE = 60_000


def named_key(site: Site, name: str) -> tuple[str, str]:
    """Id and text of a key of a person."""
    made = make_key()
    values = {"id": made.id, "name": name, "digest": made.digest, "clearance": int(Clearance.INTERNAL), "rights": []}
    with Database.from_settings(site.settings).transaction(Role.WRITER) as connection:
        connection.execute(sa.insert(api_key).values(**values))
    return made.id, made.text


@contextmanager
def short_files(portal: Portal, site: Site) -> Iterator[str]:
    """The same data served with files of at most so many rows: its address, which the portal has for that time."""
    with serving(create_app(site.settings.model_copy(update={"max_limit": MOST, "stream_max_limit": MOST}))) as url:
        portal.url, portal.witness.origin = f"{url}/portal", url
        yield url


def sign_in(portal: Portal, key: str) -> None:
    portal.open("lang=en", PLACE)
    portal.page.locator("#user").click()
    portal.page.locator("#api-key").fill(key)
    with portal.page.expect_navigation():
        portal.page.get_by_role("button", name="Sign in").last.click()
    portal.page.wait_for_selector("html[data-ready=yes]", timeout=PATIENCE)


def test_a_file_of_many_rows_is_made_in_the_background(portal: Portal, site: Site, tmp_path: Path) -> None:
    page = portal.page
    number, key = named_key(site, "Li Na")
    with short_files(portal, site) as url:
        # Without a key it is refused in words, before anything is made.
        portal.open("lang=en", PLACE)
        open_table(portal, "landuse_patch")
        page.locator("#dock .dock-tool", has_text="Export").click()
        expect(page.locator("#dialog")).to_contain_text(f"at most {MOST} rows")
        expect(page.get_by_role("button", name="Make the file")).to_be_disabled()
        page.keyboard.press("Escape")
        sign_in(portal, key)
        expect(page.locator("#user-name")).to_have_text("Li Na")
        assert page.locator("#user").get_attribute("title") == number
        open_table(portal, "landuse_patch")

        # What waits is told; a connection that is lost meanwhile is told and survived.
        page.locator("#dock .dock-tool", has_text="Export").click()
        expect(page.locator("#dialog")).to_contain_text(f"More than {MOST} rows")
        page.get_by_role("button", name="Make the file").click()
        expect(page.locator("#dialog .state-loading")).to_contain_text("waits", timeout=PATIENCE)
        portal.shot("export-waiting-en")
        page.route("**/exports/*", lambda route: route.abort())
        expect(page.locator("#dialog")).to_contain_text("No connection", timeout=PATIENCE)
        page.unroute("**/exports/*")
        portal.witness.complaints.clear()
        do_waiting(Database.from_settings(site.settings), read_catalog())
        link = page.locator("#dialog").get_by_role("link", name="Download the file")
        expect(link).to_be_visible(timeout=PATIENCE)
        portal.witness.complaints.clear()
        assert accessible(page, "#dialog") == []
        with page.expect_download() as got:
            link.click()
        got.value.save_as(tmp_path / "all.csv")
        rows = list(csv.reader(io.StringIO((tmp_path / "all.csv").read_text(encoding="utf-8-sig"))))[1:]
        counted = httpx.get(
            f"{url}/collections/landuse_patch/statistics", params={"measures": "count"}, headers={"X-API-Key": key}
        )
        assert len(rows) == counted.json()["total"]["count"] > MOST
        expect(page.locator("#dialog")).to_contain_text(f"{len(rows):,} rows")

        # One that ends after its window was closed is told on the map; one that fails is told, too.
        page.get_by_role("button", name="Make the file").click()
        expect(page.locator("#dialog .state-loading")).to_be_visible(timeout=PATIENCE)
        page.keyboard.press("Escape")
        do_waiting(Database.from_settings(site.settings), read_catalog())
        expect(page.locator("#notices")).to_contain_text("is ready", timeout=PATIENCE)
        expect(page.locator("#notices").get_by_role("link", name="Download the file")).to_be_visible()
        page.locator("#dock .dock-tool", has_text="Export").click()
        page.get_by_role("button", name="Make the file").click()
        expect(page.locator("#dialog .state-loading")).to_be_visible(timeout=PATIENCE)
        newest = httpx.get(f"{url}/exports?limit=1", headers={"X-API-Key": key}).json()["exports"][0]["id"]
        assert httpx.delete(f"{url}/exports/{newest}", headers={"X-API-Key": key}).status_code == 200
        expect(page.locator("#dialog .state-error")).to_contain_text("there is no result", timeout=PATIENCE)


def test_hostile_names_of_people_stay_words_and_fit(phone: Portal, portal: Portal, site: Site) -> None:
    number, key = named_key(site, EVIL)
    for one, width in ((portal, 1280), (phone, 390)):
        one.page.set_viewport_size({"width": width, "height": 800})
        sign_in(one, key)
        page = one.page
        assert page.title() != "struck"
        assert page.locator("#user").get_attribute("title") == number
        told = page.locator("#user").get_attribute("aria-label") or ""
        assert told.startswith("<img src=x")
        assert "\u202e" not in told
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        box = page.locator("#user").bounding_box()
        assert box
        assert box["x"] + box["width"] <= width
        page.locator("#user").click()
        expect(page.locator("#dialog")).to_contain_text(number)
        assert accessible(page, "#dialog") == []
        one.shot(f"person-{width}")


def test_layers_without_geometry_are_opened_as_tables(portal: Portal, site: Site, tmp_path: Path) -> None:
    catalog, page = read_catalog(), portal.page
    for one in sample_deliveries(site.settings, catalog, PARCELS):
        if catalog.layer(one.layer).name == "division_change":
            load_source(catalog, Database.from_settings(site.settings), one.layer, one.file, one.mapping, quiet=True)
            truth = list(csv.DictReader(io.StringIO(one.file.read_text(encoding="utf-8"))))
    portal.open("lang=en", PLACE)
    open_table(portal, "division_change")
    expect(page.locator("#dock-count")).to_have_text(f"{len(truth)} rows")
    # Nothing in it speaks of the map.
    expect(page.locator("#dock-in-view")).to_have_count(0)
    expect(page.locator("[data-layer=division_change] input")).to_have_count(0)
    names = [text.split("\n")[0] for text in page.locator("table.sheet thead th").all_inner_texts()]
    assert sorted(column(page, names.index("Change id"))) == sorted(row["change_id"] for row in truth)
    assert accessible(page) == []
    portal.shot("table-without-place-en")
    # A row tells everything about it; a filter narrows the rows, stands in the address, and comes back with it.
    page.locator("table.sheet tbody tr").first.locator("td, th").nth(1).click()
    expect(page.locator("#drawer")).to_contain_text("Changes of administrative divisions")
    page.locator("#drawer-close").click()
    kind = truth[0]["kind"]
    few = [row for row in truth if row["kind"] == kind]
    page.locator("#dock .dock-tool", has_text="Filter").click()
    expect(page.locator("#filter-layer")).to_have_value("division_change")
    page.locator(".filter-expert summary").click()
    page.locator("#filter-text").fill(f"kind = '{kind}'")
    page.get_by_role("button", name="Use this text").click()
    expect(page.locator("#dock-count")).to_have_text(f"{len(few)} rows" if len(few) > 1 else "1 rows")
    page.reload()
    page.wait_for_selector("html[data-ready=yes]", timeout=PATIENCE)
    expect(page.locator("#dock-count")).to_have_text(f"{len(few)} rows")
    page.locator("#dock-tab-charts").click()
    expect(page.locator("#dock svg, #dock .bars").first).to_be_visible(timeout=PATIENCE)
    # As a file: only formats that hold rows without a place.
    page.locator("#dock .dock-tool", has_text="Export").click()
    offered = page.locator("#export-format option").evaluate_all("(all) => all.map((one) => one.value)")
    assert offered == ["csv", "xlsx", "gpkg", "json", "parquet"]
    with page.expect_download() as got:
        page.get_by_role("button", name="Make the file").click()
    got.value.save_as(tmp_path / "changes.csv")
    rows = list(csv.DictReader(io.StringIO((tmp_path / "changes.csv").read_text(encoding="utf-8-sig"))))
    assert {row["change_id"] for row in rows} == {row["change_id"] for row in few}
    page.keyboard.press("Escape")
    # The catalogue opens it, too.
    page.locator("#dock [aria-label='Close the table']").click()
    page.locator("button[data-panel=catalogue]").click()
    page.locator("#cat-text").fill("division_change")
    page.locator("#cat-open-division_change").click()
    expect(page.locator("#dock-title")).to_have_text("Changes of administrative divisions")
    portal.witness.complaints.clear()
