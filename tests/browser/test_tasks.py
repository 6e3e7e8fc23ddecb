"""The ten tasks of docs/tasks.md, done as they stand there: the same steps, and no more of them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest
from playwright.sync_api import Download, expect

from geoservice.db.engine import Database
from layers.access import Clearance
from tests.architecture.checkout import ROOT
from tests.browser.conftest import Portal, Site
from tests.browser.past import LAYER, Past, past
from tests.browser.test_catalogue import changed
from tests.browser.test_emergency import VALLEY, WORST, blocks
from tests.browser.test_report_draft import SIGNED
from tests.support.alerts import cap, named
from tests.support.county import WrittenCounty
from tests.support.editing import give_key
from tests.support.jobs import environment, worker
from tests.support.service import make_loader
from tests.support.stations import Place, furnish, hourly, record

__all__ = ["past"]
pytestmark = [pytest.mark.browser, pytest.mark.slow]
DOCUMENT = ROOT / "docs" / "tasks.md"
COUNTY = "#map=12.00/38.62000/105.03000&layers=landuse_patch,road"
AT = "2026-05-01T23:00:00Z"
# The stations that all may see belong to the tests of the environment, which count them.
STATION = Place("task-station", 105.08, 38.64, {"pm25": "ug/m3"}, Clearance.RESTRICTED)
PATIENCE = 90_000


def written() -> dict[str, list[str]]:
    """Steps of each task, by its title."""
    found: dict[str, list[str]] = {}
    for line in DOCUMENT.read_text(encoding="utf-8").splitlines():
        if line.startswith("## "):
            found[line.removeprefix("## ")] = []
        elif step := re.match(r"\d+\. (.+)", line):
            next(reversed(found.values())).append(step[1])
    return found


@dataclass
class Walk:
    """A task on its way: each step is the next one of the document."""

    steps: list[str]
    taken: int = 0

    def step(self, words: str, act: Callable[[], object]) -> None:
        """Do the next step, which the document begins with these words."""
        assert self.taken < len(self.steps), f"{words!r} is one step more than the document has"
        assert self.steps[self.taken].startswith(words), f"step {self.taken + 1} is {self.steps[self.taken]!r}"
        act()
        self.taken += 1


@pytest.fixture
def walk(request: pytest.FixtureRequest) -> Iterator[Callable[[str], Walk]]:
    """Begins a task of the document; afterwards all its steps were taken."""
    begun: list[Walk] = []

    def begin(title: str) -> Walk:
        begun.append(Walk(written()[title]))
        return begun[-1]

    yield begin
    for one in begun:
        assert one.taken == len(one.steps), f"{request.node.name} leaves steps out: {one.steps[one.taken :]}"


def signed_in(portal: Portal, site: Site, key: str) -> None:
    """A window of somebody with a key."""
    portal.page.goto(f"{site.url}/collections?f=html")
    portal.page.evaluate(SIGNED, json.dumps({"key": key}))


def got(portal: Portal, act: Callable[[], object]) -> Download:
    """The file that an act brings."""
    with portal.page.expect_download(timeout=PATIENCE) as file:
        act()
    return file.value


def test_the_document_has_ten_tasks() -> None:
    steps = written()
    assert len(steps) == 10
    assert all(steps.values())


def test_a_parcel_is_printed(portal: Portal, site: Site, walk: Callable[[str], Walk]) -> None:
    first = httpx.get(f"{site.url}/collections/landuse_patch/items", params={"limit": 1}, timeout=60).json()
    code = first["features"][0]["id"]
    portal.open("lang=en", COUNTY)
    page, task, files = portal.page, walk("Find a parcel by its code and print it"), []
    task.step("Press `/`", lambda: page.keyboard.press("/"))
    task.step("Write the code", lambda: page.keyboard.type(code))
    expect(page.locator("#search-list [role=option]").first).to_contain_text(code)
    task.step("Press Enter", lambda: page.keyboard.press("Enter"))
    expect(page.locator("#drawer-title")).not_to_be_empty()
    task.step("Choose **Print this**", page.get_by_role("button", name="Print this").click)
    expect(page.locator("#print-handle")).to_be_visible()
    pdf = page.locator(".print-make button", has_text="PDF")
    task.step("Choose **PDF**", lambda: files.append(got(portal, pdf.click)))
    assert Path(files[0].path()).read_bytes().startswith(b"%PDF-")


def test_overdue_layers_are_listed(portal: Portal, walk: Callable[[str], Walk]) -> None:
    portal.page.route("**/collections?f=json", changed)
    portal.open("lang=en", COUNTY)
    page, task, files = portal.page, walk("List the overdue layers"), []
    task.step("Press `K`", lambda: page.keyboard.press("k"))
    task.step("Choose **Overdue layers**", page.locator("#cat-overdue").click)
    button = page.get_by_role("button", name="Download this list")
    task.step("Choose **Download this list (CSV)**", lambda: files.append(got(portal, button.click)))
    assert Path(files[0].path()).read_text(encoding="utf-8-sig").count("\n") == 3


def test_two_years_are_compared(portal: Portal, past: Past, walk: Callable[[str], Walk]) -> None:
    portal.open("lang=en", past.place)
    page, task = portal.page, walk("Compare a layer between two years")
    task.step("Press `V`", lambda: page.keyboard.press("v"))
    task.step("Choose **What changed**", page.get_by_role("button", name="What changed").click)
    task.step("Choose the layer", lambda: page.locator("#changes-layer").select_option(LAYER))
    expect(page.locator("#change-legend [data-change=inserted] .count")).to_have_text("1")


def test_townships_are_ranked(portal: Portal, site: Site, walk: Callable[[str], Walk]) -> None:
    portal.open("lang=en", COUNTY)
    page, task, files = portal.page, walk("Rank the townships by cropland"), []
    task.step("Press `S`", lambda: page.keyboard.press("s"))
    task.step("Choose **Cropland**", lambda: page.locator("#stats-subject").select_option("cropland"))
    expect(page.locator(".stats-bar").first).to_be_visible(timeout=30_000)
    task.step("Open **Table**", page.locator("#stats-table > summary").click)
    link = page.locator("#stats-table a", has_text="CSV")
    task.step("Choose **CSV**", lambda: files.append(got(portal, link.click)))
    query = {"group-by": "division", "level": "township", "measures": "area", "filter": "class_code LIKE '01%'"}
    told = httpx.get(f"{site.url}/collections/landuse_patch/statistics", params=query, timeout=60).json()
    assert page.locator(".stats-bar").count() == len(told["groups"])


def test_rows_are_taken_away(portal: Portal, walk: Callable[[str], Walk]) -> None:
    portal.open("lang=en", COUNTY)
    page, task, files = portal.page, walk("Take some rows of a layer away as a workbook"), []
    task.step("Choose the table of the layer", page.locator("[data-layer=landuse_patch] [data-table]").click)
    expect(page.locator("#dock table.sheet")).to_be_visible(timeout=30_000)
    task.step("Choose **Filter**", page.locator("#dock .dock-tool", has_text="Filter").click)
    attribute = page.get_by_label("Attribute", exact=True)
    task.step("Choose the attribute", lambda: attribute.select_option("class_code"))
    task.step("Choose a value", page.locator(".filter-codes input").first.check)
    task.step("Choose **Apply filter**", page.get_by_role("button", name="Apply filter").click)
    expect(page.locator("#filter-said")).to_contain_text("pass")
    task.step("Choose **Export**", page.locator("#dock .dock-tool", has_text="Export").click)
    task.step("Choose **Excel (XLSX)**", lambda: page.locator("#export-format").select_option("xlsx"))
    make = page.get_by_role("button", name="Make the file")
    task.step("Choose **Make the file**", lambda: files.append(got(portal, make.click)))
    assert Path(files[0].path()).read_bytes().startswith(b"PK")


def test_a_red_line_is_judged(portal: Portal, site: Site, tmp_path: Path, walk: Callable[[str], Walk]) -> None:
    file = tmp_path / "redline.txt"
    query = {"f": "boundary", "limit": 1}
    file.write_bytes(httpx.get(f"{site.url}/collections/landuse_patch/items", params=query, timeout=60).content)
    signed_in(portal, site, site.keys[Clearance.INTERNAL])
    portal.open("lang=en", COUNTY)
    page, task, files = portal.page, walk("Judge the red line of a file"), []
    task.step("Press `C`", lambda: page.keyboard.press("c"))
    task.step("Give the file", lambda: page.locator("#check-file").set_input_files(file))
    expect(page.locator("#check-verdict .verdict-word")).to_be_visible(timeout=60_000)
    button = page.get_by_role("button", name="Download PDF")
    task.step("Choose **Download PDF**", lambda: files.append(got(portal, button.click)))
    assert Path(files[0].path()).read_bytes().startswith(b"%PDF-")


def test_a_delivery_is_loaded(
    portal: Portal, site: Site, small_county: WrittenCounty, tmp_path: Path, walk: Callable[[str], Walk]
) -> None:
    database = Database.from_settings(site.settings)
    signed_in(portal, site, make_loader(database, Clearance.RESTRICTED))
    portal.open("lang=en", COUNTY)
    page, task = portal.page, walk("Load a delivery and read what became of it")
    task.step("Press `J`", lambda: page.keyboard.press("j"))
    task.step("Choose the layer", lambda: page.select_option("#job-layer", "hospital"))
    source = small_county.folder / "sample_hospital.gpkg"
    task.step("Give the file", lambda: page.set_input_files("#job-files", source))
    settings = environment(database, tmp_path)
    with worker({name: value for name, value in settings.items() if name != "GEOSERVICE_LAYERS_DIR"}):
        task.step("Choose **Upload and load**", page.get_by_role("button", name="Upload and load").click)
        report = page.get_by_role("link", name="Load report")
        expect(report).to_be_visible(timeout=120_000)
    task.step("Choose **Load report**", report.click)
    expect(page.locator(".verdict")).to_be_visible()


def test_an_alert_becomes_a_pdf(portal: Portal, site: Site, walk: Callable[[str], Walk]) -> None:
    key = give_key(Database.from_settings(site.settings), Clearance.RESTRICTED, ["alert"])
    message = cap("T-worst", blocks(WORST["zh"], WORST["en"], "Extreme", VALLEY))
    headers = {"X-API-Key": key, "Content-Type": "application/cap+xml"}
    with httpx.Client(base_url=site.url, headers=headers, timeout=60) as client:
        assert client.post("/alerts", content=message).status_code == 201
        try:
            signed_in(portal, site, key)
            portal.open("lang=en")
            page, task, files = portal.page, walk("From an alert to a PDF"), []
            task.step("Press `H`", lambda: page.keyboard.press("h"))
            worst = page.locator(".alert", has_text=WORST["en"]).first
            task.step("Choose the worst alert", worst.get_by_role("button").first.click)
            task.step("Choose **Impact**", page.locator("#go-impact").click)
            expect(page.locator("[data-figure=people] .key-value")).to_be_visible(timeout=60_000)
            task.step("Choose **Report**", page.locator("#go-report").click)
            task.step("Choose **Make the report**", page.locator("#report-make").click)
            link = page.locator("#report-kept a", has_text="PDF")
            expect(link).to_be_visible(timeout=PATIENCE)
            task.step("Choose **Download PDF**", lambda: files.append(got(portal, link.click)))
            assert Path(files[0].path()).read_bytes().startswith(b"%PDF-")
        finally:
            end = cap("T-end", msgType="Cancel", references=named(message))
            assert client.post("/alerts", content=end).status_code == 201


def test_a_station_is_read(portal: Portal, site: Site, walk: Callable[[str], Walk]) -> None:
    database = Database.from_settings(site.settings)
    furnish(database, [STATION])
    record(database, hourly(STATION, "pm25", [400.0] * 24))
    signed_in(portal, site, site.keys[Clearance.RESTRICTED])
    portal.open("lang=en", f"#map=12.00/38.62000/105.03000&env={quote(f'at={AT}')}&layers=road")
    page, task = portal.page, walk("Read the figures of the worst station")
    task.step("Press `E`", lambda: page.keyboard.press("e"))
    task.step("Choose the first station", page.locator(".env-row[data-station]").first.click)
    task.step("Open **Table**", page.locator("#drawer summary", has_text="Table").click)
    expect(page.locator("#drawer table").last).to_contain_text("400")


def test_a_map_is_shown_to_others(portal: Portal, site: Site, walk: Callable[[str], Walk]) -> None:
    portal.page.context.grant_permissions(["clipboard-read", "clipboard-write"], origin=site.url)
    portal.open("lang=en", COUNTY)
    page, task = portal.page, walk("Show a map to others")
    task.step("Press `T`", lambda: page.keyboard.press("t"))
    task.step("Choose **Embed**", page.get_by_role("button", name="Embed").click)
    task.step("Choose **Copy the line**", page.get_by_role("button", name="Copy the line").click)
    assert str(page.evaluate("() => navigator.clipboard.readText()")).startswith("<iframe ")
