"""Rows of a layer in the portal as a person works with them: listed, filtered, chosen, counted, taken away as files."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pandas as pd
import pytest
from playwright.sync_api import Page, Route, expect

from tests.browser.conftest import Portal, Site
from tests.browser.test_loads import accessible

pytestmark = [pytest.mark.browser, pytest.mark.slow]
PLACE = "#map=12.00/38.62000/105.03000&layers=landuse_patch,road,division"
EVIL = "<img src=x onerror=\"document.title='struck'\">"


def items(site: Site, layer: str, **asked: str) -> list[dict[str, Any]]:
    """Features of a layer as the public sees them."""
    answer = httpx.get(f"{site.url}/collections/{layer}/items", params={"limit": "100000", **asked}, timeout=60)
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["features"]
    return found


def frame(site: Site, layer: str) -> pd.DataFrame:
    """The rows of a layer, by public id."""
    rows = {one["id"]: one["properties"] for one in items(site, layer)}
    return pd.DataFrame.from_dict(rows, orient="index")


def column(page: Page, place: int) -> list[str]:
    """What the cells of a column say; 1 is the first one."""
    return [text.strip() for text in page.locator(f"table.sheet tbody tr > :nth-child({place + 1})").all_inner_texts()]


def open_table(portal: Portal, layer: str) -> None:
    """Open the table from the tree of layers, whose group may be folded."""
    portal.page.locator("details", has=portal.page.locator(f"[data-layer={layer}]")).evaluate(
        "(one) => one.open = true"
    )
    portal.page.locator(f"[data-layer={layer}] [data-table]").click()
    expect(portal.page.locator("#dock table.sheet")).to_be_visible(timeout=30_000)


# ------------------------------------------------------------------------------- what the builder writes

Passes = Callable[[pd.DataFrame], pd.Series]


def text_of(name: str, holds: Callable[[str], bool]) -> Passes:
    """Rows whose text, in small letters, holds something; a missing text holds nothing."""
    return lambda rows: rows[name].map(lambda text: isinstance(text, str) and holds(text.casefold()))


def time_of(holds: Callable[[pd.Series], pd.Series]) -> Passes:
    """Rows whose moment holds something, on the clock of Shanghai."""
    return lambda rows: holds(pd.to_datetime(rows["time"], utc=True, format="ISO8601").dt.tz_convert("Asia/Shanghai"))


def lately(rows: pd.DataFrame) -> pd.Series:
    today = pd.Timestamp.now("Asia/Shanghai").normalize().tz_localize(None)
    return pd.to_datetime(rows["surveyed"]) >= today - pd.Timedelta(days=700)


MIDNIGHT = pd.Timestamp("2018-02-04", tz="Asia/Shanghai")
DAY = pd.Timedelta(days=1)
QUAKES = "earthquake"
CASES: list[tuple[str, str, str, list[str], Passes]] = [
    ("road", "class", "any_of", ["primary", "track"], lambda rows: rows["class"].isin(["primary", "track"])),
    ("road", "class", "none_of", ["track"], lambda rows: rows["class"] != "track"),
    ("road", "class", "begins", ["t"], lambda rows: rows["class"].str.startswith("t")),
    ("road", "lanes", "at_least", ["2"], lambda rows: rows["lanes"] >= 2),
    ("road", "lanes", "less", ["2"], lambda rows: rows["lanes"] < 2),
    ("road", "speed", "between", ["30", "60"], lambda rows: rows["speed"].between(30, 60)),
    ("road", "speed", "differs", ["60"], lambda rows: rows["speed"].notna() & (rows["speed"] != 60)),
    ("road", "bridge", "yes", [], lambda rows: rows["bridge"].eq(True)),
    ("road", "oneway", "no", [], lambda rows: rows["oneway"].eq(False)),
    ("road", "name_zh", "empty", [], lambda rows: rows["name_zh"].isna()),
    ("road", "name_zh", "filled", [], lambda rows: rows["name_zh"].notna()),
    (QUAKES, "place", "contains", ["ALASKA"], text_of("place", lambda text: "alaska" in text)),
    (QUAKES, "place", "contains_not", ["Alaska"], text_of("place", lambda text: "alaska" not in text)),
    (QUAKES, "place", "contains", ["%"], text_of("place", lambda text: "%" in text)),
    (QUAKES, "place", "contains", ["it's_\\"], text_of("place", lambda text: "it's_\\" in text)),
    (QUAKES, "place", "equals", ["a\\"], text_of("place", lambda text: text == "a\\")),
    (QUAKES, "place", "begins", ["1"], text_of("place", lambda text: text.startswith("1"))),
    (QUAKES, "magnitude", "more", ["2.5"], lambda rows: rows["magnitude"] > 2.5),
    (QUAKES, "magnitude", "at_most", ["-0.1"], lambda rows: rows["magnitude"] <= -0.1),
    (QUAKES, "time", "from", ["2018-02-04"], time_of(lambda times: times >= MIDNIGHT)),
    (QUAKES, "time", "until", ["2018-02-04"], time_of(lambda times: times < MIDNIGHT + DAY)),
    (QUAKES, "time", "on", ["2018-02-04"], time_of(lambda times: (times >= MIDNIGHT) & (times < MIDNIGHT + DAY))),
    ("landuse_patch", "surveyed", "from", ["2025-06-01"], lambda rows: rows["surveyed"] >= "2025-06-01"),
    ("landuse_patch", "surveyed", "last", ["700"], lately),
]
WRITE = """async (cases) => {
    const {cql2Of} = await import("/static/portal/table/criteria.js");
    const {rowsOf} = await import("/static/portal/table/reader.js");
    const config = JSON.parse(document.getElementById("portal-config").textContent);
    return cases.map(([layer, name, operator, values]) => {
        const own = config.layers.find((one) => one.id === layer);
        const types = {...Object.fromEntries(own.attributes.map((one) => [one.name, one.type])), geometry: "geometry"};
        const text = cql2Of({name, operator, values}, types);
        return [text, cql2Of(rowsOf(text, types), types)];
    });
}"""


def test_what_the_builder_writes_finds_the_rows_that_pandas_finds(portal: Portal, site: Site) -> None:
    portal.open(place=PLACE)
    told = portal.page.evaluate(WRITE, [list(one[:4]) for one in CASES])
    rows = {layer: frame(site, layer) for layer in {one[0] for one in CASES}}
    some = 0
    for (layer, _, _, _, passes), (text, again) in zip(CASES, told, strict=True):
        assert text == again, "read back as rows, a filter says the same"
        found = {one["id"] for one in items(site, layer, filter=text, skipGeometry="true")}
        expected = passes(rows[layer]).fillna(value=False)
        assert found == set(rows[layer].index[expected.astype(bool)]), text
        some += bool(found) and len(found) < len(rows[layer])
    assert some > len(CASES) / 2, "most conditions tell rows apart"


READ = """async (texts) => {
    const {rowsOf} = await import("/static/portal/table/reader.js");
    const {cql2Of} = await import("/static/portal/table/criteria.js");
    const types = {n: "number", b: "boolean", name: "text", kind: "code", geometry: "geometry"};
    return texts.map((text) => { const rows = rowsOf(text, types); return rows && [rows, cql2Of(rows, types)]; });
}"""


def test_what_no_row_can_show_stays_as_text(portal: Portal) -> None:
    portal.open(place=PLACE)
    texts = [
        "n > 1 AND sqrt(n) > 2 OR name = 'x'",
        "NOT (n = 1 OR b = TRUE) AND kind IN ('a', 'b')",
        "n BETWEEN 1 AND 2 AND n < -5",
        "S_WITHIN(geometry, BBOX(1, 2, 3, 4))",
        "kind = 'a'",
        "n = ",
        "(",
        "n > 1 AND ((name = 'x' OR (n < 2 AND (b = TRUE OR n = 3))))",
    ]
    first, second, third, place, code, half, broken, deep = portal.page.evaluate(READ, texts)
    assert first[0]["members"][0]["members"][1] == {"text": "sqrt(n) > 2"}
    assert first[1] == "(n > 1 AND (sqrt(n) > 2)) OR name = 'x'"
    assert second[0]["members"][0]["not"] is True
    assert second[1] == texts[1]
    assert [one["operator"] for one in third[0]["members"]] == ["between", "less"]
    assert place[0]["members"][0]["values"] == ["BBOX(1, 2, 3, 4)"]
    assert code[1] == "kind IN ('a')"
    assert half[0]["members"] == [{"text": "n ="}]
    assert broken is None
    assert deep is None


# ------------------------------------------------------------------------------- as a person does it


def test_rows_are_filtered_sorted_chosen_and_exported(portal: Portal, site: Site, tmp_path: Path) -> None:
    portal.open("lang=en", PLACE.replace("12.00", "14.00"))
    page = portal.page
    open_table(portal, "road")
    rows = frame(site, "road")
    expect(page.locator("#dock-count")).to_have_text(f"{len(rows):,} rows")

    # The head sorts; what is missing is a dash and never zero.
    names = [text.split("\n")[0] for text in page.locator("table.sheet thead th").all_inner_texts()]
    page.locator("th[data-column=lanes] button").click()
    expect(page.locator("th[data-column=lanes]")).to_have_attribute("aria-sort", "ascending")
    lanes = column(page, names.index("Lanes"))
    assert [int(text) for text in lanes if text[0] != "–"] == sorted(rows["lanes"].dropna().astype(int))[: len(lanes)]

    # A condition of a code, chosen by its name.
    page.locator("#dock .dock-tool", has_text="Filter").click()
    page.get_by_label("Attribute", exact=True).select_option("class")
    page.get_by_label("Class: Find by name or code").fill("residential")
    page.locator(".filter-codes input").first.check()
    assert page.locator("#filter-text").input_value() == "class IN ('residential')"
    page.get_by_role("button", name="Apply filter").click()
    streets = set(rows.index[rows["class"] == "residential"])
    expect(page.locator("#dock-count")).to_have_text(f"{len(streets):,} rows")
    expect(page.locator("#filter-said")).to_contain_text("pass")
    assert accessible(page) == []
    portal.shot("table-filtered-en")

    # The map shows only those, the tree says so, and the address keeps it.
    portal.settle()
    script = """() => [...new Set(geoserviceMap.gl.getMaplibreMap().queryRenderedFeatures()
        .filter((one) => one.layer.metadata?.layer === "road").map((one) => one.properties.key))]"""
    drawn = set(page.evaluate(script))
    assert drawn
    assert drawn <= streets
    assert "class%20IN%20(" in page.url
    page.reload()
    page.wait_for_selector("html[data-ready=yes]", timeout=60_000)
    expect(page.locator("#dock-count")).to_have_text(f"{len(streets):,} rows")

    # Two rows are chosen, seen on the map, and taken away.
    page.locator("table.sheet tbody input").nth(0).check()
    page.locator("table.sheet tbody input").nth(1).click(modifiers=["Shift"])
    expect(page.locator("#dock-chosen")).to_contain_text("2 selected")
    keys = page.locator("table.sheet tbody tr").evaluate_all("(all) => all.slice(0, 2).map((one) => one.dataset.key)")
    page.locator("#dock-chosen").get_by_role("button", name="Export").click()
    expect(page.locator("#export-count")).to_contain_text("2 selected rows")
    with page.expect_download() as got:
        page.get_by_role("button", name="Make the file").click()
    got.value.save_as(tmp_path / "chosen.csv")
    written = list(csv.DictReader(io.StringIO((tmp_path / "chosen.csv").read_text(encoding="utf-8-sig"))))
    assert {one["road_id"] for one in written} == {rows.loc[key, "road_id"] for key in keys}
    page.keyboard.press("Escape")

    # The tree takes the filter off again.
    page.locator("button[data-panel=layers]").click()
    page.locator("details", has=page.locator("[data-layer=road]")).evaluate("(one) => one.open = true")
    page.locator("[data-layer=road] .layer-filter").get_by_role("button", name="Clear the filter").click()
    expect(page.locator("#dock-count")).to_have_text(f"{len(rows):,} rows")
    assert "filter=" not in page.url


def test_the_table_is_a_grid_for_the_keyboard(portal: Portal) -> None:
    portal.open(place=PLACE)
    page = portal.page
    page.locator("[data-layer=hospital] [data-table]").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#dock table.sheet")).to_be_visible(timeout=30_000)
    expect(page.locator("#dock-title")).to_be_focused()
    assert page.locator('table.sheet [tabindex="0"]').count() == 1
    page.locator('table.sheet [tabindex="0"]').focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    # The head keeps the focus when it has sorted.
    expect(page.locator("table.sheet th[aria-sort=ascending] button")).to_be_focused()
    page.keyboard.press("ArrowDown")
    focused = "() => document.activeElement.closest('tr').dataset.key"
    first = page.evaluate(focused)
    page.keyboard.press("Space")
    expect(page.locator("table.sheet tr[aria-selected=true]")).to_have_count(1)
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Shift+Space")
    expect(page.locator("table.sheet tr[aria-selected=true]")).to_have_count(2)
    page.keyboard.press("Control+End")
    assert page.evaluate("() => document.activeElement.parentElement.lastElementChild === document.activeElement")
    page.keyboard.press("Control+Home")
    expect(page.locator("table.sheet thead input")).to_be_focused()
    page.keyboard.press("ArrowDown")
    assert page.evaluate(focused) == first
    page.keyboard.press("Enter")
    expect(page.locator("#drawer")).to_have_attribute("data-feature", f"hospital/{first}")
    expect(page.locator("table.sheet tr[aria-current=true]")).to_have_attribute("data-key", first)
    # The edge of the pane is moved by the arrow keys.
    grip = page.locator(".dock-grip")
    height = int(grip.get_attribute("aria-valuenow") or 0)
    grip.focus()
    page.keyboard.press("ArrowUp")
    assert int(grip.get_attribute("aria-valuenow") or 0) == height + 40
    assert accessible(page, "#dock") == []


def test_pages_follow_one_another_and_errors_are_said(portal: Portal, site: Site) -> None:
    portal.open("lang=en", PLACE)
    page = portal.page
    open_table(portal, "landuse_patch")
    page.get_by_role("button", name="Next page").click()
    expect(page.locator(".dock-pager")).to_contain_text("rows 101–200")
    keys = page.locator("table.sheet tbody tr").evaluate_all("(all) => all.map((one) => one.dataset.key)")
    assert keys == [one["id"] for one in items(site, "landuse_patch", limit="200", skipGeometry="true")][100:]
    page.locator("table.sheet tbody tr").first.locator("th").focus()
    page.keyboard.press("ArrowUp")
    expect(page.locator(".dock-pager")).to_contain_text("rows 1–100")

    # Text that the service does not take is not used, and its own words stand beside it.
    page.locator("#dock .dock-tool", has_text="Filter").click()
    page.locator(".filter-expert summary").click()
    page.locator("#filter-text").fill("area >> 5")
    page.get_by_role("button", name="Use this text").click()
    expect(page.locator(".filter-expert [role=alert]")).to_contain_text("character")
    expect(page.locator("#dock-count")).not_to_have_text("")
    assert "filter=" not in page.url
    # What it takes and no row can show stays as text; nothing passes here, and that is said.
    page.locator("#filter-text").fill("sqrt(area) < 0")
    page.get_by_role("button", name="Use this text").click()
    expect(page.locator("#dock .state-empty")).to_have_text("No row passes the filter.")
    expect(page.locator("#filter-said")).to_have_text("No row passes.")
    page.get_by_role("button", name="Clear", exact=True).click()

    def broken(route: Route) -> None:
        route.fulfill(status=503, content_type="application/problem+json", body=json.dumps({"detail": EVIL}))

    page.route("**/collections/landuse_patch/items*", broken)
    page.locator("#dock-in-view").check()
    expect(page.locator("#dock [role=alert]")).to_contain_text(EVIL)
    page.unroute("**/collections/landuse_patch/items*")
    page.locator("#dock [role=alert] button").click()
    expect(page.locator("#dock table.sheet")).to_be_visible()
    portal.witness.complaints[:] = [one for one in portal.witness.complaints if "503" not in one and "400" not in one]


def test_harm_in_values_stays_text_and_a_phone_has_the_table_as_a_sheet(phone: Portal) -> None:
    page = phone.page

    def spoiled(route: Route) -> None:
        answer = route.fetch()
        body = answer.json()
        for one in body["features"]:
            one["id"] = EVIL + str(one["id"])
            one["properties"] |= {"name_zh": EVIL, "level": EVIL}
        route.fulfill(response=answer, json=body)

    page.route("**/collections/hospital/items*", spoiled)
    text = f"name_zh = '{EVIL.replace(chr(39), chr(39) * 2)}'"
    kept = quote(json.dumps({"hospital": text}))
    phone.open("lang=zh", f"#map=12.00/38.62000/105.03000&layers=hospital&table=hospital&filter={kept}")
    page.unroute("**/collections/hospital/items*")
    # The address brought a filter that nothing passes; without it the spoiled rows are listed.
    expect(page.locator("#dock .state-empty")).to_have_text("没有记录符合筛选条件。")
    page.locator("#dock .dock-tool", has_text="筛选").click()
    expect(page.get_by_label("名称: 值").or_(page.get_by_label("中文名: 值"))).to_have_value(EVIL)
    page.route("**/collections/hospital/items*", spoiled)
    page.get_by_role("button", name="清除", exact=True).click()
    page.locator("#panel-close").click()
    expect(page.locator("#dock table.sheet")).to_contain_text(EVIL)
    assert page.locator("img[src=x]").count() == 0
    assert page.title() != "struck"
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert accessible(page) == []
    phone.shot("table-phone-zh")


def test_a_column_is_counted_and_a_bar_narrows_the_filter(portal: Portal, site: Site) -> None:
    portal.open("lang=en", PLACE)
    page = portal.page
    rows = frame(site, "road")
    page.keyboard.press("q")
    page.get_by_role("button", name="Filter and table").click()
    page.locator("#filter-layer").select_option("road")
    page.get_by_role("button", name="Charts", exact=True).click()
    page.locator("#chart-column").select_option("class")
    counts = rows["class"].value_counts()
    expect(page.locator(".bar-line .code")).to_have_count(len(counts), timeout=20_000)
    names = page.locator(".bar-line .code").all_inner_texts()
    assert dict(zip(names, page.locator(".bar-value").all_inner_texts(), strict=True)) == {
        code: f"{count:,}" for code, count in counts.items()
    }
    page.locator("#chart-column").select_option("lanes")
    expect(page.locator("[data-stat=stat_missing]")).to_have_text(f"{rows['lanes'].isna().sum():,}")
    expect(page.locator("[data-stat=stat_sum]")).to_have_text(f"{rows['lanes'].sum():,.0f}")
    expect(page.locator("[data-stat=stat_max]")).to_have_text(f"{rows['lanes'].max():,.0f}")
    page.locator(".chart-box + .fold summary").click()
    told = page.locator(".stat-table tbody td").all_inner_texts()
    assert sum(int(one.replace(",", "")) for one in told) == rows["lanes"].notna().sum()
    assert accessible(page) == []
    # The arrow keys go from bar to bar, Enter narrows.
    page.locator(".bin").first.focus()
    page.keyboard.press("ArrowRight")
    said = page.evaluate("() => document.activeElement.getAttribute('aria-label')")
    low, high = (float(one) for one in said.split(":")[0].split(" – "))
    page.keyboard.press("Enter")
    passing = rows["lanes"].between(low, high, inclusive="left").sum()
    expect(page.locator("#dock-count")).to_have_text(f"{passing:,} rows")
    expect(page.locator("[data-stat=stat_count]")).to_have_text(f"{passing:,}")
    assert page.locator("#filter-text").input_value() == f"lanes >= {low:g} AND lanes < {high:g}"
