"""The map of a field package, unzipped and opened from a disk in a real Chromium with the network cut."""

from __future__ import annotations

import io
import os
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, Page, Route

from ingest.sample import COUNTY_CODE
from layers.access import Clearance
from tests.browser.conftest import Site
from web.texts import PACKAGE_TEXTS, TEXTS

pytestmark = pytest.mark.browser
PATIENCE = 60_000
SHOTS = os.environ.get("GEOSERVICE_TEST_SHOTS")
DRAWN = """(id) => {
    const own = packageMap.getStyle().layers.filter((one) => one.metadata?.layer === id).map((one) => one.id);
    return own.length ? packageMap.queryRenderedFeatures({layers: own}).length : 0;
}"""


@pytest.fixture(scope="module")
def folder(site: Site, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report of an exercise in the sample county, as an officer carries it: unzipped, the service far away."""
    place = tmp_path_factory.mktemp("carried")
    with httpx.Client(base_url=site.url, headers={"X-API-Key": site.keys[Clearance.INTERNAL]}, timeout=300) as client:
        body = {"impact": flood(client), "title": "清水河洪水 <b>03:00</b>", "lang": "zh"}
        made = client.post("/reports", json=body)
        assert made.status_code == 201, made.text
        packed = client.get(f"/reports/{made.json()['id']}?f=zip")
        assert packed.status_code == 200, packed.text
    assert len(packed.content) < 20 << 20
    with zipfile.ZipFile(io.BytesIO(packed.content)) as archive:
        archive.extractall(place)
    return place


def flood(client: httpx.Client) -> dict[str, Any]:
    """Two classes of a flood in the middle of the county."""
    county = client.get(f"/collections/division/items/{COUNTY_CODE}?f=json").json()
    longs, lats = zip(*_corners(county["geometry"]["coordinates"]), strict=True)
    x, y = (min(longs) + max(longs)) / 2, (min(lats) + max(lats)) / 2
    wide = (max(longs) - min(longs)) / 8
    classes = [_class(1, "deep", x - wide, y, wide), _class(2, "shallow", x, y, wide)]
    method = {"id": "drawn", "version": "1", "source": "test", "title": {"zh": "手绘", "en": "Drawn"}}
    label = {"zh": "清水河洪水", "en": "Flood of the Qingshui"}
    return {"hazard": {"kind": "flood", "label": label, "method": method, "classes": classes, "status": "exercise"}}


def _corners(value: Any) -> Iterator[tuple[float, float]]:
    if isinstance(value[0], float | int):
        yield value[0], value[1]
    else:
        for part in value:
            yield from _corners(part)


def _class(rank: int, code: str, west: float, south: float, side: float) -> dict[str, Any]:
    east, north = west + side, south + side
    ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
    label = {"zh": {"deep": "深水", "shallow": "浅水"}[code], "en": code}
    return {"rank": rank, "code": code, "label": label, "geometry": {"type": "Polygon", "coordinates": [ring]}}


@dataclass
class Opened:
    """The page of the map, what it wanted from elsewhere, and what it complained of."""

    page: Page
    outside: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    def settle(self) -> None:
        self.page.evaluate("document.body.classList.remove('settled'); packageMap.triggerRepaint(); undefined")
        self.page.wait_for_selector("body.settled", timeout=PATIENCE)

    def drawn(self, layer: str) -> int:
        return int(self.page.evaluate(DRAWN, layer))

    def shot(self, name: str) -> None:
        if SHOTS:
            self.page.screenshot(path=Path(SHOTS, f"field-{name}.png"))


@pytest.fixture(params=[(1280, 800, "zh-CN"), (390, 844, "en-GB")], ids=["desk-zh", "phone-en"])
def opened(browser: Browser, folder: Path, request: pytest.FixtureRequest) -> Iterator[Opened]:
    width, height, language = request.param
    context = browser.new_context(viewport={"width": width, "height": height}, locale=language)
    context.set_offline(True)
    page = context.new_page()
    found = Opened(page)

    def refuse(route: Route) -> None:
        found.outside.append(route.request.url)
        route.abort()

    context.route(lambda url: not url.startswith(("file:", "data:", "blob:")), refuse)
    page.on("console", lambda said: found.complaints.append(said.text) if said.type == "error" else None)
    page.on("pageerror", lambda error: found.complaints.append(str(error)))
    page.goto((folder / "map.html").as_uri())
    page.wait_for_selector("body.settled", timeout=PATIENCE)
    yield found
    context.close()


def test_zone_hits_and_roads_are_drawn_with_the_network_cut(opened: Opened) -> None:
    width = opened.page.evaluate("innerWidth")
    opened.shot(f"{width}-first")
    for layer in ("zone", "hit", "road", "landuse_patch"):
        assert opened.drawn(layer) > 0, layer
    language = "zh" if width > 1000 else "en"
    other = "en" if language == "zh" else "zh"
    for said in (language, other):
        aside = opened.page.inner_text("body")
        assert TEXTS["report_status_exercise"][said] in aside
        assert PACKAGE_TEXTS["package_report"][said] in aside
        assert "清水河洪水 <b>03:00</b>" in aside, "what others wrote is text"
        opened.page.click("#switch")
        opened.settle()
        assert opened.drawn("zone") > 0
        opened.shot(f"{width}-{other if said == language else language}")
    assert opened.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    opened.page.uncheck("#layer-zone")
    opened.settle()
    assert opened.drawn("zone") == 0
    assert opened.outside == []
    assert opened.complaints == []


def test_a_click_on_the_zone_names_its_class(opened: Opened) -> None:
    spot = opened.page.evaluate(
        """() => {
            const ring = packageMap.getStyle().sources["own-zone"].data.features[1].geometry.coordinates[0];
            const at = packageMap.project([(ring[0][0] + ring[2][0]) / 2, (ring[0][1] + ring[2][1]) / 2]);
            const box = packageMap.getContainer().getBoundingClientRect();
            return {x: at.x + box.x, y: at.y + box.y};
        }"""
    )
    opened.page.mouse.click(spot["x"], spot["y"])
    opened.page.wait_for_selector("#found .card", timeout=PATIENCE)
    assert "深水 / deep" in opened.page.inner_text("#found")


def test_the_network_really_is_cut(opened: Opened) -> None:
    """The negative control: what the page asks for elsewhere is refused and noticed."""
    opened.page.evaluate("() => { const one = new Image(); one.src = 'https://elsewhere.example/x.png'; }")
    opened.page.wait_for_timeout(300)
    assert opened.outside or any("elsewhere.example" in said for said in opened.complaints)
