"""The land officer's daily question: a red line is drawn, picked or sent as a file, and judged."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pyproj
import pytest
from playwright.sync_api import expect

from layers.access import Clearance
from tests.browser.conftest import Portal, Site
from tests.browser.test_loads import accessible
from tests.browser.test_report_draft import SIGNED

pytestmark = [pytest.mark.browser, pytest.mark.slow]
CORNERS = [(105.02, 38.61), (105.03, 38.61), (105.03, 38.62), (105.02, 38.62)]
LINKED = ",".join(str(side) for corner in CORNERS for side in corner)
VERDICTS = {"conflict": "不通过", "attention": "需审批或采取措施", "clear": "通过", "no-data": "缺少数据，无法判断"}


@pytest.fixture
def officer(portal: Portal, site: Site) -> Portal:
    """A window of somebody who sees the control lines."""
    portal.page.goto(f"{site.url}/collections?f=html")
    portal.page.evaluate(SIGNED, json.dumps({"key": site.keys[Clearance.INTERNAL]}))
    return portal


@pytest.fixture(scope="module")
def points(site: Site, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A parcel as a file of boundary points."""
    with httpx.Client(base_url=site.url, timeout=60) as client:
        text = client.get("/collections/landuse_patch/items", params={"f": "boundary", "limit": 1})
        assert text.status_code == 200
        file = tmp_path_factory.mktemp("redline") / "redline.txt"
        file.write_bytes(text.content)
        yield file


def test_a_red_line_of_the_address_is_judged_as_the_service_judges_it(officer: Portal, site: Site) -> None:
    officer.open("lang=zh", f"#map=14.00/38.61500/105.02500&panel=check&redline={LINKED}")
    page = officer.page
    zone = {"type": "Polygon", "coordinates": [[*CORNERS, CORNERS[0]]]}
    headers = {"X-API-Key": site.keys[Clearance.INTERNAL]}
    told = httpx.post(f"{site.url}/compliance", json={"zone": zone}, headers=headers, timeout=60).json()
    verdict = page.locator("#check-verdict")
    expect(verdict.locator(".verdict-word")).to_have_text(VERDICTS[told["verdict"]])
    size, _ = pyproj.Geod(ellps="GRS80").polygon_area_perimeter(*zip(*CORNERS, strict=True))
    shown = float(verdict.locator("strong").last.inner_text().split()[0].replace(",", ""))
    assert shown == pytest.approx(size / 10_000, rel=1e-4)
    assert page.locator(".rule").count() == len(told["rules"])
    expect(page.locator("path[stroke='#c0392b']")).to_have_count(1)
    assert accessible(page) == []
    officer.shot("check")
    with page.expect_download() as file:
        page.locator("[data-check=pdf]").click()
    assert Path(file.value.path()).read_bytes().startswith(b"%PDF-")
    page.locator("#check-keep").click()
    expect(page.locator("#panel .done")).to_be_visible(timeout=60_000)
    kept = page.locator("#panel .done + p a").get_attribute("href")
    assert page.request.get(f"{site.url}{kept}").status == 200


def test_a_parcel_of_the_map_is_judged(officer: Portal) -> None:
    officer.open("lang=en", "#map=15.00/38.62000/105.04000&layers=landuse_patch")
    officer.page.keyboard.press("i")
    officer.page.get_by_role("button", name="Check compliance").click()
    expect(officer.page.locator("#check-verdict .verdict-word")).to_be_visible(timeout=30_000)
    expect(officer.page.locator("#panel-title")).to_have_text("Compliance of a red line")


def test_a_file_is_judged_on_a_phone_and_a_wrong_one_is_told(phone: Portal, points: Path, tmp_path: Path) -> None:
    phone.open("lang=en", "#panel=check")
    page = phone.page
    wrong = tmp_path / "redline.docx"
    wrong.write_bytes(b"no")
    page.locator("#check-file").set_input_files(wrong)
    expect(page.locator("#panel .state-error")).to_contain_text("boundary points as a .txt file")
    page.locator("#check-file").set_input_files(points)
    expect(page.locator("#check-verdict .verdict-word")).to_be_visible(timeout=60_000)
    expect(page.locator("path[stroke='#c0392b']")).to_have_count(1)
    assert accessible(page) == []
    phone.shot("check-phone")
    # Without a key the control lines are not seen: that is said, and is no "passes".
    expect(page.locator("#check-verdict")).to_contain_text("no data")
