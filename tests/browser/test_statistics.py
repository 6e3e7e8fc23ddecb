"""Statistics by division: choropleth, bars and table say what the service says, and lead to one another."""

from __future__ import annotations

import io
import itertools
import json
import re
from typing import Any
from urllib.parse import quote

import httpx
import pypdf
import pyproj
import pytest
import shapely
from playwright.sync_api import Route, expect

from tests.browser.conftest import Portal, Site
from tests.browser.test_loads import accessible

pytestmark = [pytest.mark.browser, pytest.mark.slow]
HOSTILE = "<img src=x onerror=\"document.title='taken'\">"
DRAWN = """() => geoserviceMap.gl.getMaplibreMap().querySourceFeatures("statistics-divisions")
    .map((one) => [one.properties.code, one.properties.colour ?? null])"""
LIT = """(code) => geoserviceMap.gl.getMaplibreMap().getFeatureState({source: "statistics-divisions", id: code}).lit"""
NATURAL = """async ([values, number]) => {
    const at = new URL("classes.js", document.querySelector("link[href*='statistics.css']").href);
    return (await import(at)).upperEnds(values, "natural", number);
}"""


def figures(site: Site, layer: str, **asked: str) -> dict[str, float]:
    query = {name.replace("_", "-"): value for name, value in asked.items()}
    query |= {"group-by": "division", "level": "township", "limit": "10000"}
    told = httpx.get(f"{site.url}/collections/{layer}/statistics", params=query, timeout=60).json()
    return {one["keys"][0]: one["values"][asked["measures"]] for one in told["groups"]}


def shown(portal: Portal) -> dict[str, float]:
    """Values of the bars by code."""
    bars = portal.page.locator(".stats-bar").evaluate_all(
        "(all) => all.map((one) => [one.dataset.code, one.querySelector('.stats-value').textContent])"
    )
    return {code: float(value.replace(",", "").lstrip("+")) for code, value in bars}


def square_kilometres(site: Site) -> dict[str, float]:
    """Areas of townships by pyproj."""
    query = {"filter": "level = 'township'", "limit": "1000"}
    page = httpx.get(f"{site.url}/collections/division/items", params=query, timeout=60).json()
    geod = pyproj.Geod(a=6378137.0, rf=298.257222101)
    shapes = {one["id"]: shapely.from_geojson(json.dumps(one["geometry"])) for one in page["features"]}
    dense = {code: shapely.orient_polygons(shapely.segmentize(shape, 0.001)) for code, shape in shapes.items()}
    return {code: geod.geometry_area_perimeter(shape)[0] / 1e6 for code, shape in dense.items()}


def test_cropland_by_township_is_what_the_service_says(portal: Portal, site: Site) -> None:
    portal.open("lang=zh")
    page = portal.page
    page.keyboard.press("s")
    page.locator("#stats-subject").select_option("cropland")
    expect(page.locator(".stats-bar").first).to_be_visible(timeout=30_000)
    portal.settle()
    told = figures(site, "landuse_patch", measures="area", filter="class_code LIKE '01%'")
    assert shown(portal) == pytest.approx({code: area / 10_000 for code, area in told.items()}, rel=0.01)
    assert list(shown(portal).values()) == sorted(shown(portal).values(), reverse=True)
    drawn = dict(page.evaluate(DRAWN))
    assert {code for code, colour in drawn.items() if colour} == set(told)
    expect(page.locator(".stats-source")).to_contain_text("县级自然资源主管部门")
    expect(page.locator(".stats-source")).to_contain_text("版")
    first = page.locator(".stats-bar").first
    first.hover()
    code = first.get_attribute("data-code")
    assert page.evaluate(LIT, code) is True
    first.focus()
    page.keyboard.press("Enter")
    card = page.locator("#stats-chosen")
    expect(card).to_be_focused()
    expect(card).to_contain_text(str(code))
    portal.settle()
    assert accessible(page) == []
    portal.shot("statistics-zh")
    address = page.url
    assert "panel=statistics" in address
    assert "cropland" in address
    portal.open("lang=en", f"#{address.partition('#')[2]}")
    expect(page.locator("#stats-chosen")).to_contain_text(str(code), timeout=30_000)
    expect(page.locator("#stats-subject")).to_have_value("cropland")


def test_a_click_on_the_map_leads_to_its_bar_and_the_table_is_sorted(portal: Portal) -> None:
    portal.open("lang=en", "#panel=statistics&stats=subject%3Droads")
    page = portal.page
    expect(page.locator(".stats-bar").first).to_be_visible(timeout=30_000)
    portal.settle()
    page.mouse.move(820, 420)
    expect(page.locator(".stats-bar.is-lit")).to_have_count(1)
    code = page.locator(".stats-bar.is-lit").get_attribute("data-code")
    page.mouse.click(820, 420)
    expect(page.locator("#stats-chosen")).to_contain_text(str(code))
    page.locator("#stats-table > summary").click()
    sort = page.locator("[data-sort=name]")
    sort.focus()
    page.keyboard.press("Enter")
    head = page.locator("th[aria-sort=ascending]")
    expect(head).to_have_count(1)
    names = page.locator(".stats-table tbody th").all_inner_texts()
    assert len(names) > 3
    with page.expect_download() as file:
        page.locator("#stats-table a", has_text="CSV").click()
    assert file.value.suggested_filename.endswith(".csv")
    page.locator("#panel-api").click()
    expect(page.locator("#dialog-body")).to_contain_text("/collections/road/statistics?group-by=division")


def test_people_per_square_kilometre(portal: Portal, site: Site) -> None:
    portal.open("lang=en", "#panel=statistics&stats=subject%3Dpopulation%26per%3Darea")
    expect(portal.page.locator(".stats-bar").first).to_be_visible(timeout=30_000)
    people, sizes = figures(site, "population", measures="sum:people"), square_kilometres(site)
    expected = {code: value / sizes[code] for code, value in people.items()}
    assert shown(portal) == pytest.approx(expected, rel=0.01)


def test_a_division_without_any_is_no_zero(portal: Portal, site: Site) -> None:
    told = figures(site, "dam", measures="count")
    townships = square_kilometres(site)
    assert 0 < len(told) < len(townships), "the sample has townships without a dam"
    portal.open("lang=en", "#panel=statistics&stats=subject%3Dlayer%253Adam")
    page = portal.page
    expect(page.locator(".stats-bar").first).to_be_visible(timeout=30_000)
    portal.settle()
    assert set(shown(portal)) == set(told)
    expect(page.locator("#stats-nothing .count")).to_have_text(str(len(townships) - len(told)))
    drawn = dict(page.evaluate(DRAWN))
    assert {code for code, colour in drawn.items() if colour is None} == set(townships) - set(told)
    page.locator("#stats-table > summary").click()
    expect(page.locator(".stats-table td.nodata").first).to_have_text("No data")
    page.locator(".stats-form details > summary").click()
    page.locator("#stats-then").fill("2020-01-01")
    expect(page.locator(".stats-result .state-empty")).to_contain_text("That is not zero", timeout=30_000)


def test_two_days_are_compared(portal: Portal, site: Site) -> None:
    """The past is made up: half of each figure, and one division that had none."""
    now = figures(site, "road", measures="length")
    new = next(iter(now))

    def halved(route: Route) -> None:
        answer = route.fetch(url=re.sub(r"[?&]as-of=[^&]*", "", route.request.url))
        body: dict[str, Any] = answer.json()
        body["asOf"] = "2026-01-01T00:00:00Z"
        body["groups"] = [one for one in body["groups"] if one["keys"][0] != new]
        for one in body["groups"]:
            one["values"]["length"] /= 2
        route.fulfill(response=answer, json=body)

    portal.page.route("**/collections/road/statistics*as-of=*", halved)
    portal.open("lang=en", "#panel=statistics&stats=subject%3Droads%26then%3D2026-01-01")
    page = portal.page
    expect(page.locator(".stats-bar").first).to_be_visible(timeout=30_000)
    portal.settle()
    expected = {code: metres / 2000 for code, metres in now.items() if code != new}
    texts = page.locator(".stats-bar .stats-value").all_inner_texts()
    assert all(text.startswith("+") for text in texts)
    changes = {code: abs(value) for code, value in shown(portal).items()}
    assert changes == pytest.approx(expected, rel=0.01)
    expect(page.locator("#stats-nothing .count")).to_have_text("1")
    expect(page.locator(".stats-legend li")).to_have_count(8)
    expect(page.locator(".stats-source")).to_contain_text("2026")
    portal.shot("statistics-compared")


def test_from_the_county_down_to_its_townships(portal: Portal, site: Site) -> None:
    portal.open("lang=en", "#panel=statistics&stats=subject%3Dland%26level%3Dcounty")
    page = portal.page
    expect(page.locator(".stats-bar")).to_have_count(1, timeout=30_000)
    page.locator(".stats-bar").click()
    card = page.locator("#stats-chosen")
    expect(card.locator(".stats-part").first).to_be_visible(timeout=30_000)
    card.get_by_role("button", name="Show the level below").click()
    townships = square_kilometres(site)
    expect(page.locator(".stats-bar")).to_have_count(len(townships), timeout=30_000)
    assert shown(portal) == pytest.approx({code: size * 100 for code, size in townships.items()}, rel=0.01)
    page.get_by_role("button", name="Back up").click()
    expect(page.locator(".stats-bar")).to_have_count(1, timeout=30_000)


def test_on_a_phone_and_when_the_service_fails(phone: Portal) -> None:
    phone.page.route("**/collections/road/statistics*", lambda route: route.abort())
    phone.open("lang=en", "#panel=statistics&stats=subject%3Droads")
    page = phone.page
    expect(page.locator("#panel .state-error")).to_be_visible(timeout=30_000)
    page.unroute("**/collections/road/statistics*")
    page.locator("#panel .state-error button").click()
    expect(page.locator(".stats-bar").first).to_be_visible(timeout=30_000)
    wide = page.evaluate(
        "document.getElementById('panel-body').scrollWidth - document.getElementById('panel-body').clientWidth"
    )
    assert wide <= 0
    assert accessible(page) == []
    phone.shot("statistics-phone")
    phone.witness.complaints.clear()


def test_names_are_never_markup(portal: Portal) -> None:
    def hostile(route: Route) -> None:
        answer = route.fetch()
        body: dict[str, Any] = answer.json()
        for one in body["features"]:
            one["properties"] |= {"name_zh": HOSTILE, "name_en": HOSTILE}
        route.fulfill(response=answer, json=body)

    portal.page.route("**/collections/division/items*", hostile)
    portal.open("lang=en", "#panel=statistics&stats=subject%3Droads")
    expect(portal.page.locator(".stats-bar").first).to_contain_text("<img", timeout=30_000)
    portal.page.locator(".stats-bar").first.click()
    expect(portal.page.locator("#stats-chosen")).to_contain_text("<img")
    assert portal.page.locator("#panel img").count() == 0
    assert portal.page.title() != "taken"


def test_natural_breaks_are_the_best_there_are(portal: Portal) -> None:
    """Every way to cut the values is tried."""
    values = [4, 5, 9, 10, 11, 30, 31, 60, 61.5, 62, 90]

    def spread(groups: list[list[float]]) -> float:
        return sum(sum((v - sum(g) / len(g)) ** 2 for v in g) for g in groups)

    portal.open("lang=en")
    for number in (2, 3, 4):
        ways = itertools.combinations(range(1, len(values)), number - 1)
        cut = [[values[a:b] for a, b in itertools.pairwise((0, *way, len(values)))] for way in ways]
        best = min(cut, key=spread)
        assert portal.page.evaluate(NATURAL, [values[::-1], number]) == [group[-1] for group in best]


SECOND_MAP = """(() => {
    const all = [];
    geoserviceMap.leaflet.eachLayer((one) => { if (one.getMaplibreMap) all.push(one.getMaplibreMap()); });
    return all.find((one) => one !== geoserviceMap.gl.getMaplibreMap());
})()"""
COLOURS = """(gl) => Object.fromEntries((gl.getStyle().sources["statistics-divisions"]?.data.features ?? [])
    .map((one) => [one.properties.code, one.properties.colour ?? null]))"""


def test_the_map_of_statistics_reaches_the_paper_and_the_second_map(portal: Portal) -> None:
    portal.open("lang=en", "#panel=statistics&stats=subject%3Dcropland")
    page = portal.page
    expect(page.locator(".stats-bar").first).to_be_visible(timeout=30_000)
    portal.settle()
    drawn = dict(page.evaluate(DRAWN))
    title = page.locator(".stats-legend h2").inner_text()
    classes = page.locator(".stats-legend .legend-name").all_inner_texts()
    page.get_by_role("button", name="Print this map").click()
    expect(page.locator("#print-coloured")).to_contain_text(title)
    expect(page.locator("#print-told")).to_contain_text("1 :", timeout=30_000)
    assert accessible(page) == []
    portal.settle()
    assert dict(page.evaluate(DRAWN)) == drawn, "what is printed stays on the map"
    with (
        page.expect_request(lambda one: "/maps/sheet?f=pdf" in one.url) as sent,
        page.expect_download(timeout=90_000) as file,
    ):
        page.locator(".print-make button", has_text="PDF").click()
    asked = sent.value.post_data_json["coloured"]
    colours = {code: asked["classes"][place]["colour"] for code, place in asked["places"].items()}
    assert {code: colours.get(code) for code in drawn} == drawn
    told = re.sub(r"\s+", "", pypdf.PdfReader(io.BytesIO(file.value.path().read_bytes())).pages[0].extract_text())
    for part in (title, *classes, "only features that meet class_code LIKE '01%'", "edition"):
        assert re.sub(r"\s+", "", part) in told, part
    portal.shot("statistics-print")
    page.locator("#print-coloured button").click()
    expect(page.locator("#print-coloured")).to_have_count(0)
    portal.settle()
    assert page.evaluate(DRAWN) == [], "what is left out of the paper goes from the map"

    # The second map has the figures of the first one, unless it shows another moment: then it says so.
    coloured = {code: colour for code, colour in drawn.items() if colour}
    for moment, expected in ((None, coloured), ("2020-01-01T00:00:00Z", {})):
        side = quote(json.dumps({"mode": "swipe", "at": 50, "asOf": moment}))
        before = "panel=statistics&" if moment is None else f"compare={side}&"
        portal.open("lang=en", f"#{before}stats=subject%3Dcropland")
        # Which of the two is there first makes no difference.
        first, key = (".stats-bar", "v") if moment is None else ("#compare-bar", "s")
        expect(page.locator(first).first).to_be_visible(timeout=30_000)
        portal.settle()
        page.keyboard.press(key)
        expect(page.locator("#compare-bar")).to_be_visible(timeout=30_000)
        expect(page.locator(".stats-bar").first).to_be_visible(timeout=30_000)
        portal.settle()
        found = page.evaluate(f"() => ({COLOURS})({SECOND_MAP})")
        assert {code: colour for code, colour in found.items() if colour} == expected
        expect(page.locator("[data-left=compare_no_figures]")).to_have_count(0 if moment is None else 1)
        portal.shot(f"statistics-swipe-{'now' if moment is None else 'then'}")
