"""An offline package in a real Chromium: opened from a folder, without a server, without any request elsewhere."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyogrio
import pytest
import shapely
import sqlalchemy as sa
from playwright.sync_api import Browser, Page
from rasterio.io import MemoryFile

from geoservice.archives.package import Package, package
from geoservice.archives.request import ArchiveRequest
from geoservice.archives.snapshot import box
from geoservice.db.credentials import Role
from geoservice.db.engine import Database
from layers.access import Clearance
from layers.catalog import read_catalog
from layers.errors import BadParameter, SourceMissing
from tests.browser.conftest import DESKTOP, Site
from web.texts import PACKAGE_TEXTS

pytestmark = [pytest.mark.browser, pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")]
LAYERS = ("landuse_patch", "division", "road", "river", "hospital", "populated_place", "elevation")
PATIENCE = 60_000
SHOTS = os.environ.get("GEOSERVICE_TEST_SHOTS")


@pytest.fixture(scope="module")
def made(site: Site, tmp_path_factory: pytest.TempPathFactory) -> Package:
    database = Database.from_settings(site.settings)
    request = ArchiveRequest(LAYERS, high=12)
    return package(database, read_catalog(), request, tmp_path_factory.mktemp("field") / "county")


@dataclass
class Opened:
    """The page, what it asked for and what it complained of."""

    page: Page
    asked: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    def settle(self, change: str = "") -> None:
        self.page.evaluate("document.body.classList.remove('settled')")
        self.page.evaluate(f"{change or 'packageMap.triggerRepaint()'}; undefined")
        self.page.wait_for_selector("body.settled", timeout=PATIENCE)

    def shot(self, name: str) -> npt.NDArray[np.uint8]:
        content = self.page.screenshot()
        if SHOTS:
            Path(SHOTS, f"package-{name}.png").write_bytes(content)
        with MemoryFile(content) as memory, memory.open() as image:
            return np.asarray(image.read((1, 2, 3)))


@pytest.fixture
def opened(browser: Browser, made: Package) -> Iterator[Opened]:
    page = browser.new_page(viewport={"width": DESKTOP[0], "height": DESKTOP[1]}, locale="zh-CN")
    found = Opened(page)
    page.on("request", lambda request: found.asked.append(request.url))
    page.on("console", lambda said: found.complaints.append(said.text) if said.type == "error" else None)
    page.on("pageerror", lambda error: found.complaints.append(str(error)))
    page.goto((made.folder / "index.html").as_uri())
    page.wait_for_selector("body.settled", timeout=PATIENCE)
    yield found
    page.close()


def colours(image: npt.NDArray[np.uint8]) -> int:
    """How many colours the map shows, nearly equal ones taken together."""
    left = 360
    shown = image[:, :-40, left:-60].reshape(3, -1) // 16
    _, counts = np.unique(shown, axis=1, return_counts=True)
    return int((counts > 50).sum())


def test_the_map_is_drawn_from_the_folder_alone(opened: Opened) -> None:
    assert colours(opened.shot("start")) > 5
    opened.settle("packageMap.jumpTo({ zoom: 11.5 })")
    assert colours(opened.shot("near")) > 5
    assert {address.split(":")[0] for address in opened.asked} <= {"file", "blob", "data"}
    assert opened.complaints == []
    assert opened.page.inner_text("#trouble") == ""


def test_layers_go_off_and_on(opened: Opened) -> None:
    for layer in LAYERS:
        opened.page.uncheck(f"#layer-{layer}")
    opened.settle()
    assert colours(opened.shot("off")) <= 2
    opened.page.check("#layer-elevation")
    opened.settle()
    assert colours(opened.shot("relief")) > 5


def test_a_click_tells_what_lies_there_in_both_languages(opened: Opened) -> None:
    opened.page.uncheck("#layer-elevation")
    opened.settle("packageMap.jumpTo({ zoom: 11.5 })")
    opened.page.mouse.click(800, 400)
    opened.page.wait_for_selector("#found .card", timeout=PATIENCE)
    chinese = opened.page.inner_text("#found")
    assert PACKAGE_TEXTS["package_found"]["zh"] in chinese
    assert "土地利用图斑" in chinese
    opened.shot("found")
    opened.page.click("#switch")
    opened.settle()
    english = opened.page.inner_text("aside")
    assert "Land-use parcels" in english or "Land" in english
    assert PACKAGE_TEXTS["package_hint"]["en"] in english
    assert opened.page.get_attribute("html", "lang") == "en"
    opened.shot("english")


def test_editions_and_credits_are_on_the_page(opened: Opened, made: Package) -> None:
    said = opened.page.inner_text("#layers")
    for built in made.archives.values():
        for one in built.metadata["geoservice"]["layers"]:
            assert one["title"]["zh"] in said
            assert f"{PACKAGE_TEXTS['package_edition']['zh']} {one['edition']}" in said
        credits = [credit for credit in built.metadata["attribution"].split("; ") if credit]
        assert credits
        assert all(credit in said for credit in credits)


def test_a_missing_file_is_named(browser: Browser, made: Package) -> None:
    chunk = made.folder / "page" / "data" / "worker-0.js"
    kept = chunk.read_bytes()
    chunk.unlink()
    page = browser.new_page(locale="en-GB")
    try:
        page.goto((made.folder / "index.html").as_uri())
        page.wait_for_selector("#trouble:not(:empty)", timeout=PATIENCE)
        assert "worker-0.js is missing" in page.inner_text("#trouble")
    finally:
        page.close()
        chunk.write_bytes(kept)


def test_the_geopackage_holds_the_exact_rows_that_readers_may_see(site: Site, made: Package) -> None:
    database = Database.from_settings(site.settings)
    assert set(made.rows) == set(LAYERS) - {"elevation"}
    for layer, number in made.rows.items():
        frame = pyogrio.read_dataframe(made.folder / "data.gpkg", layer=layer)
        table = sa.table(layer, sa.column("key"), sa.column("geom"), sa.column("_clearance"), schema="geo")
        exact = sa.select(table.c.key, sa.func.ST_AsBinary(table.c.geom)).where(table.c["_clearance"] == 0)
        with database.transaction(Role.OWNER) as connection:
            expected = {key: shapely.from_wkb(bytes(geom)) for key, geom in connection.execute(exact)}
        assert number == len(frame) == len(expected)
        assert frame.crs.to_epsg() == 4490
        for key, geometry in zip(frame["key"], frame.geometry, strict=True):
            assert shapely.equals_identical(geometry, expected[key])
    names = set(pyogrio.read_info(made.folder / "data.gpkg", layer="landuse_patch")["fields"])
    hidden = {n for n, a in read_catalog().layer("landuse_patch").attributes.items() if a.clearance}
    assert hidden
    assert not names & hidden


def test_an_area_and_a_clearance_are_kept(site: Site, tmp_path: Path) -> None:
    database = Database.from_settings(site.settings)
    whole = package(database, read_catalog(), ArchiveRequest(("hospital",)), tmp_path / "whole")
    with closing(sqlite3.connect(whole.folder / "data.gpkg")) as file:
        west, south, east, north = file.execute(
            "SELECT min_x, min_y, max_x, max_y FROM gpkg_contents WHERE table_name = 'hospital'"
        ).fetchone()
    half = (west - 0.01, south - 0.01, (west + east) / 2, north + 0.01)
    part = package(database, read_catalog(), ArchiveRequest(("hospital",), area=box(half)), tmp_path / "part")
    points = pyogrio.read_dataframe(whole.folder / "data.gpkg", layer="hospital").geometry
    assert part.rows["hospital"] == sum(point.x <= half[2] for point in points) < whole.rows["hospital"]
    all_rows = package(
        database,
        read_catalog(),
        ArchiveRequest(("landuse_patch",), Clearance.RESTRICTED, high=6),
        tmp_path / "closed",
    )
    names = set(pyogrio.read_info(all_rows.folder / "data.gpkg", layer="landuse_patch")["fields"])
    assert names == {"key", *read_catalog().layer("landuse_patch").attributes}


def test_what_cannot_be_packed_is_refused(site: Site, made: Package, tmp_path: Path) -> None:
    database = Database.from_settings(site.settings)
    with pytest.raises(SourceMissing, match="there already"):
        package(database, read_catalog(), ArchiveRequest(LAYERS), made.folder)
    with pytest.raises(BadParameter):
        package(database, read_catalog(), ArchiveRequest(()), tmp_path / "empty")
    with pytest.raises(BadParameter, match="Nothing"):
        package(database, read_catalog(), ArchiveRequest(("hospital",), area=box((1, 1, 2, 2))), tmp_path / "far")
    assert not (tmp_path / "far").exists()
