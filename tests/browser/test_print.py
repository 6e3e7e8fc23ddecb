"""Printing, pictures and embedding as a person does them: a parcel by its code, a frame on the map, one line."""

from __future__ import annotations

import io
import json
import re
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import numpy as np
import pypdf
import pytest
from playwright.sync_api import Download, Page, expect

from geoservice.maps.encode import decoded
from tests.browser.conftest import Portal, Site
from tests.browser.test_find import asked, centre
from tests.browser.test_loads import accessible

pytestmark = [pytest.mark.browser, pytest.mark.slow]
PLACE = "#map=13.00/38.62000/105.04000&layers=road,river,landuse_patch"
PATIENCE = 90_000


def opened(portal: Portal, way: str) -> dict[str, Any]:
    """Open the panel by a key; the plan that it gets."""
    with portal.page.expect_response(lambda one: "/maps/sheet?f=json" in one.url, timeout=PATIENCE) as found:
        portal.page.keyboard.press(way)
    told: dict[str, Any] = found.value.json()
    return told


def saved(page: Page, name: str) -> Download:
    """Press a button that makes a file, and wait for it."""
    with page.expect_download(timeout=PATIENCE) as found:
        page.locator(".print-make button", has_text=name).click()
    return found.value


def text_of(download: Download) -> str:
    reader = pypdf.PdfReader(io.BytesIO(download.path().read_bytes()))
    assert len(reader.pages) == 1
    # Spaces of small letters are gaps in a PDF file, which readers guess.
    return re.sub(r"\s+", "", reader.pages[0].extract_text())


def test_a_parcel_is_found_by_its_code_and_printed(portal: Portal) -> None:
    portal.open("lang=en", PLACE)
    asked(portal, "990101100001")
    portal.page.keyboard.press("Enter")
    expect(portal.page.locator("#drawer-title")).to_have_text("Sample County Town")
    with portal.page.expect_response(lambda one: "/maps/sheet?f=json" in one.url, timeout=PATIENCE) as found:
        portal.page.get_by_role("button", name="Print this", exact=True).click()
    told = found.value.json()
    # A round scale, and a point does not fill the paper.
    assert len(str(told["scale"]).rstrip("0")) <= 2
    assert told["scale"] >= 1000
    expect(portal.page.locator("#print-title")).to_have_value("Sample County Town")
    expect(portal.page.locator("#print-handle")).to_be_visible()
    expect(portal.page.locator("#print-told")).to_contain_text(f"1 : {told['scale']:,}")
    assert accessible(portal.page) == []
    download = saved(portal.page, "PDF")
    assert download.suggested_filename == "Sample-County-Town.pdf"
    told_words = text_of(download)
    for part in ("Sample County Town", "Fictional data", "Legend", "No map review number", "Gauss-Krueger", "edition"):
        assert part.replace(" ", "") in told_words, part
    portal.shot("print")


def test_the_frame_is_moved_by_keys_and_the_wish_is_kept(portal: Portal) -> None:
    portal.open("lang=zh", PLACE)
    first = opened(portal, "Control+p")
    expect(portal.page.locator("#panel-title")).to_have_text("打印")
    # The whole frame is on the screen.
    expect(portal.page.locator("#print-handle")).to_be_visible()
    portal.settle()
    west = portal.page.evaluate("() => geoserviceMap.leaflet.getBounds().getWest()")
    assert west < min(corner[0] for corner in first["outline"]["coordinates"][0])

    portal.page.locator("#print-handle").focus()
    moved = opened(portal, "ArrowRight")
    assert moved["center"][0] > first["center"][0]
    assert moved["scale"] == first["scale"]
    with portal.page.expect_response(lambda one: "/maps/sheet?f=json" in one.url, timeout=PATIENCE) as found:
        portal.page.locator("#print-scale").select_option("50000")
    assert found.value.json()["scale"] == 50_000
    with portal.page.expect_response(lambda one: "/maps/sheet?f=json" in one.url, timeout=PATIENCE) as found:
        portal.page.locator("#print-paper").select_option("A3")
    assert found.value.json()["paper"]["width_mm"] == 420

    # What the service was asked is shown, as for every panel.
    portal.page.locator("#panel-api").click()
    expect(portal.page.locator("#dialog-body")).to_contain_text("/maps/sheet?f=json")
    portal.page.keyboard.press("Escape")
    portal.page.locator("#print-title").fill("<b>甲</b>")
    portal.page.locator(".print-make button").first.click()
    image = portal.page.locator(".print-preview img")
    expect(image).to_be_visible(timeout=PATIENCE)
    assert image.evaluate("(one) => one.decode().then(() => one.naturalWidth / one.naturalHeight)") > 1.3
    assert image.get_attribute("alt") == "“<b>甲</b>”的打印预览"
    assert accessible(portal.page) == []
    portal.open("lang=en", PLACE)
    opened(portal, "Control+p")
    expect(portal.page.locator("#print-paper")).to_have_value("A3")


def test_filters_and_drawings_reach_the_paper_and_errors_are_told(portal: Portal) -> None:
    portal.open("lang=en", PLACE.replace("map=13", "map=15"))
    script = """async () => {
        const base = document.querySelector('script[type=module]').src.replace('main.js', '');
        const {setTileQuery} = await import(base + 'tile_query.js');
        setTileQuery('road', 'filter', "class = 'motorway'");
        L.polygon([[38.6, 105.0], [38.6, 105.05], [38.64, 105.05]], {color: '#ff0000'}).addTo(geoserviceMap.leaflet);
    }"""
    portal.page.evaluate(script)
    bodies: list[dict[str, Any]] = []
    portal.page.on("request", lambda one: "/maps/sheet" in one.url and bodies.append(json.loads(one.post_data or "{}")))
    opened(portal, "Control+p")
    asked_for = bodies[-1]
    assert {"id": "road", "filter": "class = 'motorway'"} in asked_for["layers"]
    assert [one["properties"] for one in asked_for["overlays"]["features"]] == [{"colour": "#ff0000"}]
    portal.page.route("**/maps/sheet?f=json", lambda route: route.abort())
    portal.page.locator("#print-orientation").select_option("portrait")
    expect(portal.page.locator("#print-told [role=alert]")).to_be_visible()
    portal.page.unroute("**/maps/sheet?f=json")
    portal.page.locator("#print-told button").click()
    expect(portal.page.locator("#print-told .hint")).to_contain_text("1 :")
    portal.witness.complaints.clear()


def test_lines_lie_on_paper_as_they_were_named(site: Site) -> None:
    asked = {"center": [105.04, 38.62], "scale": 200_000, "dpi": 72, "legend": False}

    def printed(*layers: str) -> np.ndarray:
        answer = httpx.post(f"{site.url}/maps/sheet?f=png", json={**asked, "layers": layers}, timeout=PATIENCE / 1000)
        assert answer.status_code == 200, answer.text
        # The map without what is written beside it, the time of printing among it.
        return decoded(answer.content)[:, 80:550, 45:620]

    rivers_below = printed("river", "road")
    assert (printed("road", "river") != rivers_below).any()
    assert (printed("river", "road") == rivers_below).all()


def test_printing_on_a_phone(phone: Portal) -> None:
    phone.open("lang=zh", f"{PLACE}&panel=print")
    expect(phone.page.locator("#print-told .hint")).to_contain_text("1 :", timeout=PATIENCE)
    expect(phone.page.locator("#print-handle")).to_be_visible()
    box = phone.page.locator("#print-handle").bounding_box()
    assert box is not None
    assert min(box["width"], box["height"]) >= 44
    assert phone.page.evaluate("() => document.documentElement.scrollWidth <= innerWidth")
    assert accessible(phone.page) == []
    phone.shot("print-phone")


def test_a_map_is_embedded_by_the_line_that_the_portal_gives(portal: Portal) -> None:
    portal.open("lang=en", PLACE)
    portal.page.keyboard.press("t")
    with portal.page.expect_download(timeout=PATIENCE) as found:
        portal.page.get_by_role("button", name="Picture (PNG)").click()
    assert found.value.path().read_bytes().startswith(b"\x89PNG")
    portal.page.get_by_role("button", name="Embed", exact=True).click()
    line = portal.page.locator("#embed-line").inner_text()
    assert accessible(portal.page) == []
    origin = portal.witness.origin
    # The line, and nothing else, in a page of the same origin.
    other = f"<!DOCTYPE html><title>x</title>{line}"
    portal.page.route(f"{origin}/other", lambda route: route.fulfill(body=other, content_type="text/html"))
    portal.page.goto(f"{origin}/other")
    frame = portal.page.frame_locator("iframe")
    expect(frame.locator("html[data-ready=yes]")).to_be_attached(timeout=PATIENCE)
    small = next(one for one in portal.page.frames if "/embed" in one.url)
    assert small.evaluate("() => geoserviceMap.leaflet.getZoom()") == 13
    frame.locator("#legend-open").click()
    expect(frame.locator("#panel-body")).to_contain_text("Roads")
    frame.locator("#panel-close").click()
    small.wait_for_function("() => geoserviceMap.gl.getMaplibreMap().areTilesLoaded()", timeout=PATIENCE)
    frame.locator(".leaflet-container").click(position={"x": 400, "y": 250})
    expect(frame.locator("#drawer")).to_be_visible()
    assert frame.locator("#portal-link").get_attribute("href") is not None
    portal.page.goto(f"{origin}/embed?layers=road,river&map=13/38.62/105.04&lang=zh&filter=road:class='trunk'")
    portal.page.wait_for_selector("html[data-ready=yes]", timeout=PATIENCE)
    expect(portal.page.locator("#embed-note")).to_have_text("部分图层已筛选。")
    portal.settle()
    classes = """() => geoserviceMap.gl.getMaplibreMap().queryRenderedFeatures({layers: ["road-line"]})
        .map((one) => one.properties.class)"""
    assert set(portal.page.evaluate(classes)) == {"trunk"}
    whole = portal.page.locator("#portal-link").get_attribute("href") or ""
    assert json.loads(parse_qs(urlsplit(whole).fragment)["filter"][0]) == {"road": "class='trunk'"}
    assert accessible(portal.page) == []
    portal.shot("embed")
    assert centre(portal) == pytest.approx((38.62, 105.04), abs=1e-3)
