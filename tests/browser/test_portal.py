"""The portal in a real browser: it draws, switches, answers and asks nobody but its own service."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.sync_api import Route, expect

from layers.access import Clearance
from tests.browser.conftest import Portal, Site

pytestmark = [pytest.mark.browser, pytest.mark.slow]
EVIL = "<img src=x onerror=document.title='broken'>"


def number(text: str) -> float:
    found = re.search(r"[\d,]+(?:\.\d+)?", text)
    assert found, text
    return float(found[0].replace(",", ""))


class TestMap:
    def test_sample_region_is_drawn_and_labelled_as_fiction(self, portal: Portal) -> None:
        portal.open()
        assert portal.drawn("landuse_patch") > 100
        assert portal.drawn("road") > 0
        assert portal.drawn("division") > 0
        expect(portal.page.locator("#fiction")).to_be_visible()
        portal.shot("sample-zh")

    def test_world_is_drawn_with_earthquakes(self, portal: Portal) -> None:
        portal.open()
        portal.page.click("#go-world")
        portal.page.wait_for_timeout(800)
        portal.settle()
        assert portal.drawn("country") > 100
        assert portal.drawn("earthquake") > 50
        expect(portal.page.locator("#fiction")).to_be_hidden()
        portal.shot("world-zh")

    def test_canvas_is_not_blank(self, portal: Portal) -> None:
        portal.open()
        script = """() => new Promise((done) => {
            const gl = geoserviceMap.gl.getMaplibreMap();
            gl.once("render", () => {
                const {width, height} = gl.getCanvas();
                const board = new OffscreenCanvas(width, height).getContext("2d");
                board.drawImage(gl.getCanvas(), 0, 0);
                const seen = new Set();
                const data = new Uint32Array(board.getImageData(0, 0, width, height).data.buffer);
                for (let at = 0; at < data.length; at += 997) seen.add(data[at]);
                done(seen.size);
            });
            gl.triggerRepaint();
        })"""
        assert portal.page.evaluate(script) > 8

    def test_all_modules_of_the_first_map_are_fetched_side_by_side(self, portal: Portal) -> None:
        portal.open()
        named, asked = portal.page.evaluate(
            """() => {
                const before = performance.getEntriesByName("geoservice-map")[0].startTime;
                const scripts = performance.getEntriesByType("resource").filter((one) => one.startTime < before);
                const links = [...document.querySelectorAll("link[rel=modulepreload]")].map((one) => one.href);
                return [links, scripts.map((one) => one.name).filter((name) => name.includes("/portal/"))];
            }"""
        )
        scripts = {address.split("/portal/")[1] for address in asked if address.endswith(".js")}
        assert {address.split("/portal/")[1] for address in named} == scripts - {"main.js", "theme.js", "glyphs.js"}
        assert len(named) > 10

    def test_full_width_brackets_keep_their_ink(self, portal: Portal) -> None:
        portal.open(place="#map=12/38.6/105.0&layers=division,road")
        script = """async () => {
            const glyphs = geoserviceMap.gl.getMaplibreMap().style.glyphManager;
            const found = await glyphs.getGlyphs({"Noto Sans Regular": [0x41, 0x6751, 0xff08, 0xff09]});
            return Object.values(found["Noto Sans Regular"]).map((one) => [
                one.metrics.left, one.bitmap.data.reduce((sum, value) => sum + (value > 191), 0),
            ]);
        }"""
        latin, ideograph, opening, closing = portal.page.evaluate(script)
        # More than a few pixels lie inside each outline; the opening bracket stands in the right half of its square.
        assert min(latin[1], ideograph[1], opening[1], closing[1]) > 15
        assert opening[0] > 10 > closing[0]

    def test_a_link_brings_back_place_and_layers(self, portal: Portal) -> None:
        portal.open(place="#map=5.00/35.00000/100.00000&layers=country,earthquake")
        assert portal.page.evaluate("() => geoserviceMap.leaflet.getZoom()") == 5
        assert portal.drawn("landuse_patch") == 0
        expect(portal.page.locator("#layer-landuse_patch")).not_to_be_checked()
        expect(portal.page.locator("#layer-earthquake")).to_be_checked()
        portal.page.locator("#layer-landuse_patch").check()
        assert set(portal.page.url.split("layers=")[1].split(",")) == {"country", "earthquake", "landuse_patch"}


class TestLayers:
    def test_switching_off_and_on(self, portal: Portal) -> None:
        portal.open()
        box = portal.page.locator("#layer-landuse_patch")
        expect(box).to_be_checked()
        box.uncheck()
        portal.settle()
        assert portal.drawn("landuse_patch") == 0
        box.check()
        portal.settle()
        assert portal.drawn("landuse_patch") > 100

    def test_raster_layer_is_fetched_when_switched_on(self, portal: Portal) -> None:
        portal.open()
        portal.page.click("summary:has-text('地形与影像')")
        with portal.page.expect_response(lambda one: "/collections/elevation/map/tiles/" in one.url) as got:
            portal.page.locator("#layer-elevation").check()
        assert got.value.ok
        portal.settle()
        portal.shot("elevation-zh")

    def test_legend_shows_classes_in_view_with_counts(self, portal: Portal) -> None:
        portal.open()
        portal.page.wait_for_timeout(1000)
        lines = portal.page.locator("[data-legend=landuse_patch] li:visible")
        total = portal.page.locator("[data-legend=landuse_patch] li")
        assert 0 < lines.count() < total.count()
        assert all(number(text) > 0 for text in lines.locator(".count").all_inner_texts())

    def test_what_a_layer_is(self, portal: Portal) -> None:
        portal.open("lang=en")
        portal.page.click("li[data-layer=landuse_patch] button[title='About this layer']")
        dialog = portal.page.locator("#dialog")
        expect(dialog).to_contain_text("County natural resources department")
        expect(dialog).to_contain_text("edition")
        expect(dialog).to_contain_text("every year")
        portal.page.keyboard.press("Escape")
        expect(dialog).to_be_hidden()


class TestLanguageAndTheme:
    def test_everything_changes_language_without_a_reload(self, portal: Portal) -> None:
        portal.open()
        portal.page.click("#language")
        expect(portal.page.locator("#panel-title")).to_have_text("Layers")
        expect(portal.page.locator("html")).to_have_attribute("lang", "en")
        expect(portal.page.locator("label[for=layer-landuse_patch]")).to_have_text("Land-use patches")
        field = portal.page.evaluate(
            "() => JSON.stringify(geoserviceMap.gl.getMaplibreMap().getLayoutProperty('country-label', 'text-field'))"
        )
        assert "concat" in field
        assert "lang=en" in portal.page.url
        portal.settle()
        portal.shot("sample-en")

    def test_dark_theme_is_kept(self, portal: Portal) -> None:
        portal.open()
        portal.page.click("#theme")
        expect(portal.page.locator("html")).to_have_attribute("data-theme", "dark")
        portal.shot("sample-dark")
        portal.page.reload()
        expect(portal.page.locator("html")).to_have_attribute("data-theme", "dark")


class TestIdentify:
    def test_a_click_is_answered_with_names_and_codes(self, portal: Portal) -> None:
        portal.open()
        portal.page.mouse.click(760, 520)
        drawer = portal.page.locator("#drawer")
        expect(drawer).to_be_visible()
        expect(drawer.locator("table.attributes")).to_be_visible()
        also = drawer.locator("button.also", has_text="土地利用图斑")
        if also.count():
            also.first.click()
        expect(drawer).to_contain_text("地类")
        expect(drawer.locator("td .code").first).to_be_visible()
        portal.shot("identify-zh")
        portal.page.keyboard.press("Escape")
        expect(drawer).to_be_hidden()

    def test_empty_places_say_so(self, portal: Portal) -> None:
        portal.open(place="#map=4/0/-140&layers=landuse_patch")
        portal.page.mouse.click(800, 400)
        expect(portal.page.locator("#drawer")).to_contain_text("没有可识别的要素")

    def test_values_are_never_read_as_markup(self, portal: Portal) -> None:
        def answer(route: Route) -> None:
            response = route.fetch()
            body = response.json()
            body["properties"] = dict.fromkeys(body["properties"], EVIL)
            route.fulfill(response=response, json=body)

        portal.open()
        portal.page.route("**/items/**", answer)
        portal.page.mouse.click(760, 520)
        drawer = portal.page.locator("#drawer")
        expect(drawer.locator("table.attributes")).to_contain_text("<img src=x")
        assert drawer.locator("img").count() == 0
        assert portal.page.title() != "broken"


class TestZone:
    def draw(self, portal: Portal) -> None:
        portal.page.keyboard.press("q")
        portal.page.click("text=在地图上绘制")
        for x, y in ((680, 330), (860, 340), (850, 500), (700, 490)):
            portal.page.mouse.click(x, y)
            portal.page.wait_for_timeout(350)
        portal.page.keyboard.press("Enter")
        expect(portal.page.locator(".zone-head")).to_be_visible(timeout=60_000)

    def test_a_drawn_zone_is_answered(self, portal: Portal) -> None:
        portal.open()
        self.draw(portal)
        body = portal.page.locator("#panel-body")
        area = number(body.locator(".zone-head .figure").inner_text())
        land = body.locator("[data-section=landuse_patch]")
        # The zone lies inside the county, whose patches leave no gap: the land must add up to the zone.
        assert number(land.locator(".figure").inner_text()) == pytest.approx(area, rel=2e-3)
        rows = [number(text) for text in land.locator("tbody td:nth-child(2)").all_inner_texts()]
        assert sum(rows) == pytest.approx(area, rel=5e-3)
        assert number(body.locator("[data-section=road] .figure").inner_text()) > 0
        assert number(body.locator("[data-section=population] .figure").inner_text()) > 0
        # Nothing is loaded into this layer: that is said, and not shown as zero.
        expect(body.locator("[data-section=port]")).to_contain_text("无数据")
        portal.shot("answer-zh")

    def test_request_and_downloads(self, portal: Portal) -> None:
        portal.open()
        self.draw(portal)
        portal.page.click("#panel-api")
        expect(portal.page.locator("#dialog")).to_contain_text("POST")
        expect(portal.page.locator("#dialog")).to_contain_text("/analysis/zone")
        portal.page.keyboard.press("Escape")
        with portal.page.expect_download() as got:
            portal.page.click("text=下载 CSV")
        text = got.value.path().read_text(encoding="utf-8-sig")
        assert text.splitlines()[0].startswith("layer,role,kind,code")
        assert "landuse_patch" in text

    def test_by_keyboard_alone(self, portal: Portal) -> None:
        portal.open()
        portal.page.keyboard.press("q")
        portal.page.click("text=在地图上绘制")
        for corners, key in enumerate(("ArrowRight", "ArrowDown", "ArrowLeft"), start=1):
            portal.page.keyboard.press("Space")
            expect(portal.page.locator("#draw-count")).to_contain_text(str(corners))
            portal.page.keyboard.press(key)
            portal.settle()
        portal.page.keyboard.press("Enter")
        expect(portal.page.locator(".zone-head")).to_be_visible(timeout=60_000)

    def test_an_outline_that_crosses_itself_is_refused(self, portal: Portal) -> None:
        portal.open()
        portal.page.keyboard.press("q")
        portal.page.click("text=在地图上绘制")
        for x, y in ((680, 330), (860, 500), (860, 330), (680, 500)):
            portal.page.mouse.click(x, y)
            portal.page.wait_for_timeout(350)
        portal.page.keyboard.press("Enter")
        expect(portal.page.locator("#notices")).to_contain_text("边线相交")
        portal.page.keyboard.press("Escape")
        expect(portal.page.locator(".draw-bar")).to_have_count(0)

    def test_a_division_is_a_zone(self, portal: Portal) -> None:
        portal.open()
        portal.page.keyboard.press("q")
        choice = portal.page.locator("#zone-division")
        expect(choice.locator("option")).not_to_have_count(1)
        choice.select_option(index=1)
        expect(portal.page.locator(".zone-head")).to_be_visible(timeout=60_000)

    @pytest.mark.parametrize(("status", "said"), [(403, "没有查看此内容的权限"), (422, "云中")])
    def test_refusals_are_told(self, portal: Portal, status: int, said: str) -> None:
        portal.open()
        problem: dict[str, Any] = {"title": "x", "status": status, "detail": "云中"}
        portal.page.route("**/analysis/zone", lambda route: route.fulfill(status=status, json=problem))
        portal.page.keyboard.press("q")
        portal.page.click("text=当前视野")
        expect(portal.page.locator("#panel-body .state-error")).to_contain_text(said)
        portal.witness.complaints = [one for one in portal.witness.complaints if f"{status}" not in one]

    def test_no_answer_at_all_is_told(self, portal: Portal) -> None:
        portal.open()
        portal.page.route("**/analysis/zone", lambda route: route.abort())
        portal.page.keyboard.press("q")
        portal.page.click("text=当前视野")
        expect(portal.page.locator("#panel-body .state-error")).to_contain_text("服务没有应答")
        portal.witness.complaints = [one for one in portal.witness.complaints if "ERR_FAILED" not in one]


class TestHazards:
    def test_the_time_bar_leaves_only_what_happened_until_then(self, portal: Portal) -> None:
        portal.open(place="#map=2/20/0&layers=country,earthquake")
        everything = portal.drawn("earthquake")
        portal.page.keyboard.press("h")
        portal.page.locator("[data-hazard=earthquake]").get_by_role("button", name="按时间查看").click()
        slider = portal.page.locator("#time-at")
        expect(slider).to_be_visible()
        lines = portal.page.locator("[data-hazard-list=earthquake] li")
        newest = lines.first.inner_text()
        slider.fill("20")
        portal.page.wait_for_timeout(500)
        portal.settle()
        earlier = portal.drawn("earthquake")
        assert 0 < earlier < everything
        # The list below the steps tells the same window.
        expect(lines.first).not_to_have_text(newest)
        portal.page.get_by_role("button", name="关闭时间条").click()
        portal.page.wait_for_timeout(500)
        portal.settle()
        assert portal.drawn("earthquake") == everything


class TestKeysAndReaders:
    def test_keys_open_and_close_panels(self, portal: Portal) -> None:
        portal.open()
        title = portal.page.locator("#panel-title")
        for key, words in (("q", "查询"), ("h", "灾害"), ("l", "图层")):
            portal.page.keyboard.press(key)
            expect(title).to_have_text(words)
        portal.page.keyboard.press("Escape")
        expect(portal.page.locator("#panel")).to_be_hidden()
        portal.page.keyboard.press("i")
        expect(portal.page.locator("#drawer")).to_be_visible()

    def test_every_control_has_a_name(self, portal: Portal) -> None:
        portal.open()
        nameless = portal.page.evaluate("""() => [...document.querySelectorAll("button, a[href], input, select")]
            .filter((one) => one.offsetParent && !one.innerText.trim() && !one.getAttribute("aria-label")
                && !one.labels?.length && !one.title)
            .map((one) => one.outerHTML)""")
        assert nameless == []

    def test_coordinates_in_degrees_minutes_seconds(self, portal: Portal) -> None:
        portal.open(place="#map=10/38.6/105.0")
        portal.page.click("#coordinates")
        expect(portal.page.locator("#coordinates")).to_contain_text("′")
        expect(portal.page.locator("#scale-number")).to_contain_text("1 :")

    def test_signing_in_shows_what_the_key_allows(self, portal: Portal, site: Site) -> None:
        portal.open()
        assert portal.page.locator("#layer-control_line").count() == 0
        portal.page.click("#user")
        portal.page.fill("#api-key", "not-a-key")
        portal.page.keyboard.press("Enter")
        expect(portal.page.locator("#dialog .state-error")).to_contain_text("密钥无效")
        portal.witness.complaints.clear()
        portal.page.fill("#api-key", site.keys[Clearance.INTERNAL])
        with portal.page.expect_navigation():
            portal.page.keyboard.press("Enter")
        portal.page.wait_for_selector("html[data-ready=yes]")
        expect(portal.page.locator("#layer-control_line")).to_have_count(1)
        assert portal.page.evaluate("() => document.cookie") == ""
        portal.page.click("#user")
        with portal.page.expect_navigation():
            portal.page.click("#dialog-body button.primary")
        portal.page.wait_for_selector("html[data-ready=yes]")
        assert portal.page.locator("#layer-control_line").count() == 0


class TestPhone:
    def test_map_first_then_a_sheet_of_three_heights(self, phone: Portal) -> None:
        phone.open()
        expect(phone.page.locator("#panel")).to_be_hidden()
        phone.shot("phone-zh")
        phone.page.click("[data-panel=layers]")
        heights = []
        for _ in range(3):
            phone.page.wait_for_timeout(300)
            box = phone.page.locator("#panel").bounding_box()
            assert box
            heights.append(round(box["height"]))
            phone.page.click("#panel-size")
        assert len(set(heights)) == 3
        phone.shot("phone-sheet-zh")

    def test_nothing_is_wider_than_the_screen(self, phone: Portal) -> None:
        phone.open("lang=en")
        for panel in ("layers", "query", "hazards"):
            phone.page.click(f"[data-panel={panel}]")
            phone.page.wait_for_timeout(400)
            assert phone.page.evaluate("() => document.documentElement.scrollWidth") <= 360
            assert (
                phone.page.evaluate(
                    "() => { const b = document.getElementById('panel-body'); return b.scrollWidth - b.clientWidth }"
                )
                <= 0
            )

    def test_controls_fit_a_thumb(self, phone: Portal) -> None:
        phone.open()
        phone.page.click("[data-panel=query]")
        small = phone.page.evaluate("""() => [...document.querySelectorAll(".rail-button, .choices button")]
            .filter((one) => one.offsetParent && one.getBoundingClientRect().height < 44).length""")
        assert small == 0


@pytest.mark.parametrize(
    "path",
    [
        "/?f=html",
        "/collections?f=html",
        "/collections/landuse_patch?f=html",
        "/collections/landuse_patch/items?f=html",
        "/collections/landuse_patch/schema?f=html",
        "/collections/hospital/items?f=html",
        "/conformance?f=html",
        "/api?f=html",
        "/tileMatrixSets?f=html",
        "/collections/landuse_patch/tiles?f=html",
    ],
)
@pytest.mark.parametrize("language", ["zh", "en"])
def test_readable_pages_work_under_their_policy(portal: Portal, path: str, language: str) -> None:
    page = portal.page
    response = page.goto(f"{portal.witness.origin}{path}&lang={language}")
    assert response
    assert response.ok
    expect(page.locator("h1")).to_be_visible()
    if "/items" in path:
        expect(page.locator(".map-frame path, .map-frame canvas").first).to_be_visible()
        page.wait_for_timeout(800)
    name = path.split("?", maxsplit=1)[0].strip("/").replace("/", "-") or "landing"
    portal.shot(f"page-{name}-{language}")
