"""A drone orthophoto in the portal: it appears among the layers with its time, and on the map."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from PIL import Image

from geoservice.cli.ingest import load_source
from geoservice.db.engine import Database
from layers.catalog import read_catalog
from tests.browser.conftest import Portal, Site
from tests.contract.test_orthophoto import GAUSS, LAYER, PLACE, RED, photo

pytestmark = [pytest.mark.browser, pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")]
SPOT = """(place) => {
    const gl = geoserviceMap.gl.getMaplibreMap();
    const [at, box] = [gl.project(place), gl.getContainer().getBoundingClientRect()];
    return [at.x + box.x, at.y + box.y];
}"""


def test_a_flight_is_listed_with_its_time_and_drawn(portal: Portal, site: Site, tmp_path: Path) -> None:
    file = photo(tmp_path / "dom_20260614T0930.tif", GAUSS, RED)
    load_source(read_catalog(), Database.from_settings(site.settings), LAYER, file, quiet=True)
    portal.open("lang=zh", f"#map=17/{PLACE[1]}/{PLACE[0]}&layers={LAYER}")
    line = portal.page.locator(f"[data-layer={LAYER}]")
    # 09:30 UTC is 17:30 in Shanghai, where this window stands.
    assert "最近一次拍摄：2026年6月14日 17:30" in line.inner_text()
    portal.shot("orthophoto-zh")
    x, y = portal.page.evaluate(SPOT, list(PLACE))
    found = Image.open(io.BytesIO(portal.page.screenshot())).convert("RGB").getpixel((int(x) + 20, int(y) + 20))
    assert isinstance(found, tuple)
    assert max(abs(a - b) for a, b in zip(found, RED, strict=True)) <= 12
