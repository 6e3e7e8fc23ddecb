"""Red lines over land, ownership and control lines of known size: overlaps, verdicts, files, access."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import geopandas as gpd
import lxml.html
import pyproj
import pytest
import shapely

from geoservice.db.engine import Database
from geoservice.impact.rules import Overlap, Rule, judged, rules, worst
from layers.access import Clearance
from layers.catalog import Catalog, read_catalog
from tests.support.loading import trial_layer
from tests.support.service import Service, running
from tests.support.zones import plant, prepare

ALL = read_catalog()
LAND = trial_layer(
    "land",
    geometry="polygon",
    style={"fill": "#aabbcc"},
    row_clearance=None,
    time=None,
    attributes={
        "code": {"type": "text", "required": True},
        "use": {"type": "code", "list": "gb-t-21010@2017"},
        "owner": {"type": "code", "list": "land-ownership@2019"},
    },
    compliance=[{"role": "land", "by": "use"}, {"role": "ownership", "by": "owner"}],
)
LINES = trial_layer(
    "lines",
    geometry="polygon",
    style={"fill": "#aabbcc"},
    clearance="internal",
    row_clearance=None,
    time=None,
    attributes={"code": {"type": "text", "required": True}, "kind": {"type": "code", "list": "control-line@1"}},
    compliance=[{"role": "control", "by": "kind"}],
)
LISTS = [ALL.codelists[name] for name in ("gb-t-21010@2017", "land-ownership@2019", "control-line@1")]
CATALOG = Catalog(templates=ALL.templates).with_([LAND, LINES], LISTS)
GEOD = pyproj.Geod(a=6378137.0, rf=298.257222101)
LINE = shapely.box(105.000, 38.000, 105.010, 38.010)
FIELD, ROAD = shapely.box(104.9, 37.9, 105.004, 38.1), shapely.box(105.004, 37.9, 105.006, 38.1)
FARM = shapely.box(104.9, 37.9, 105.002, 38.1)
FAR = shapely.box(105.05, 37.9, 105.06, 38.1)
TOWN = shapely.box(104.9, 37.9, 105.008, 38.1)


def m2(shape: shapely.Geometry) -> float:
    dense = shapely.segmentize(shapely.orient_polygons(shapely.intersection(shape, LINE)), 0.0005)
    return float(GEOD.geometry_area_perimeter(dense)[0])


@pytest.fixture(scope="module")
def service(module_database: Database) -> Iterator[Service]:
    prepare(module_database, CATALOG)
    plant(
        module_database,
        LAND,  # type: ignore[arg-type]
        [
            {"code": "field", "use": "0103", "owner": "32", "geom": FIELD},
            {"code": "road", "use": "1006", "owner": "10", "geom": ROAD},
        ],
    )
    plant(
        module_database,
        LINES,  # type: ignore[arg-type]
        [
            {"code": "a", "kind": "basic_farmland", "geom": FARM},
            # The same place twice counts once.
            {"code": "b", "kind": "basic_farmland", "geom": shapely.box(104.95, 37.95, 105.001, 38.05)},
            {"code": "c", "kind": "urban_boundary", "geom": TOWN},
            # What is loaded reaches so far; beyond it nothing is known.
            {"code": "d", "kind": "eco_redline", "geom": FAR},
        ],
    )
    with running(module_database, CATALOG) as made:
        yield made


def ask(service: Service, content: Any, clearance: Clearance = Clearance.INTERNAL, query: str = "", **more: str) -> Any:
    text = content if isinstance(content, bytes) else json.dumps(content)
    headers = {"Content-Type": "application/json", "X-API-Key": service.keys[clearance], **more}
    path = "/compliance" if headers["Content-Type"] == "application/json" else "/compliance/file"
    return service.client.post(f"{path}{query}", content=text, headers=headers)


def drawn(shape: shapely.Geometry) -> dict[str, Any]:
    return {"zone": json.loads(shapely.to_geojson(shape))}


def rows(found: Any, role: str) -> dict[str | None, float]:
    section = next(one for one in found["sections"] if one["role"] == role)
    return {row.get("code"): row["m2"] for row in section["rows"]}


def verdicts(found: Any) -> dict[str, str]:
    return {one["id"]: one["verdict"] for one in found["rules"]}


def test_overlaps_are_those_of_the_shapes(service: Service) -> None:
    found = ask(service, drawn(LINE)).json()
    whole = found["red_line"]["area"]["m2"]
    rest = m2(shapely.box(105.006, 38, 105.01, 38.01))
    close = {"rel": 1e-6, "abs": 0.01}
    assert whole == pytest.approx(m2(LINE), **close)
    assert rows(found, "land") == pytest.approx({"0103": m2(FIELD), "1006": m2(ROAD), None: rest}, **close)
    assert rows(found, "ownership") == pytest.approx({"32": m2(FIELD), "10": m2(ROAD), None: rest}, **close)
    expected = {"basic_farmland": m2(FARM), "urban_boundary": m2(TOWN)}
    assert rows(found, "control") == pytest.approx(expected, **close)


def test_parts_add_up_in_hectares_and_mu(service: Service) -> None:
    found = ask(service, drawn(LINE)).json()
    whole = found["red_line"]["area"]
    for section in found["sections"]:
        if section["divides"]:
            assert round(sum(row["ha"] for row in section["rows"]), 4) == whole["ha"]
            assert round(sum(row["mu"] for row in section["rows"]), 2) == whole["mu"]
    assert whole["mu"] == pytest.approx(whole["m2"] * 15 / 10_000, abs=0.006)


def test_verdicts_follow_from_the_overlaps(service: Service) -> None:
    found = ask(service, drawn(LINE)).json()
    told = verdicts(found)
    assert told["permanent-basic-farmland"] == "conflict"
    assert told["ecological-red-line"] == "clear"
    assert told["urban-boundary"] == "attention"
    assert told["cultivated-land"] == told["collective-land"] == "attention"
    # 38 hectares of cultivated land are more than 35; the whole is 97.
    assert told["cultivated-land-large"] == told["large-area"] == "conflict"
    # No layer of the catalogue has these roles: that is no clearance.
    assert told["planning"] == told["approval"] == "no-data"
    assert found["verdict"] == "conflict"


def test_who_may_not_see_control_lines_gets_no_clearance_from_them(service: Service) -> None:
    found = ask(service, drawn(LINE), Clearance.PUBLIC)
    assert "lines" not in found.text
    assert verdicts(found.json())["permanent-basic-farmland"] == "no-data"


def test_a_line_beside_the_farmland_is_clear_of_it(service: Service) -> None:
    found = ask(service, drawn(shapely.box(105.0021, 38.0, 105.0025, 38.0002))).json()
    assert verdicts(found)["permanent-basic-farmland"] == "clear"
    assert verdicts(found)["cultivated-land-large"] == "clear"


def test_where_land_is_not_loaded_its_use_is_not_judged(service: Service) -> None:
    """Half a red line lies on the road and half beside all patches: nothing says that this is no cultivated land."""
    found = ask(service, drawn(shapely.box(105.005, 38.0, 105.007, 38.0002))).json()
    told = {one["id"]: one for one in found["rules"]}
    assert told["cultivated-land"]["verdict"] == "no-data"
    rest = m2(shapely.box(105.006, 38, 105.007, 38.0002))
    assert told["cultivated-land"]["area"]["m2"] == pytest.approx(rest, rel=1e-6)
    assert "part" in told["cultivated-land"]["text"]["en"]
    # However it is used, it is less than 35 ha; and control lines are loaded all around.
    assert told["cultivated-land-large"]["verdict"] == "clear"
    assert told["ecological-red-line"]["verdict"] == "clear"


def test_beyond_what_is_loaded_nothing_is_clear(service: Service) -> None:
    """The box of the control lines ends within the red line; that of the patches does not reach it."""
    found = ask(service, drawn(shapely.box(105.0605, 38.0, 105.062, 38.0002))).json()
    assert {verdicts(found)[name] for name in ("permanent-basic-farmland", "cultivated-land")} == {"no-data"}
    across = ask(service, drawn(shapely.box(105.0595, 38.0, 105.061, 38.0002))).json()
    told = verdicts(across)
    assert (told["permanent-basic-farmland"], told["ecological-red-line"]) == ("no-data", "conflict")
    assert told["cultivated-land"] == "no-data"
    assert next(one for one in across["sections"] if one["role"] == "land")["status"] == "no-data"
    assert across["method"]["readers"] == "What readers of the clearance internal may see was looked at."


def test_a_line_outside_all_data_is_not_judged(service: Service) -> None:
    found = ask(service, drawn(shapely.box(-60, 10, -59.99, 10.01))).json()
    assert {name for name, told in verdicts(found).items() if told != "no-data"} == {"large-area"}
    assert {one["status"] for one in found["sections"]} == {"no-data"}


def test_a_page_can_be_printed_in_both_languages(service: Service) -> None:
    chinese = ask(service, drawn(LINE), query="?f=html&lang=zh")
    english = ask(service, drawn(LINE), query="?f=html&lang=en")
    assert chinese.headers["content-type"].startswith("text/html")
    assert "占用永久基本农田" in chinese.text
    assert "Permanent basic farmland is taken" in english.text
    for page, word, unjudged in ((chinese, "不通过", "无法判定"), (english, "Does not pass", "Cannot be judged")):
        # The verdict comes first, then the rules from the worst on, then what they follow from.
        told = lxml.html.fromstring(page.content)
        (verdict,) = told.xpath("//section[contains(@class, 'verdict')]")
        assert verdict.xpath("string(p[1])").strip() == word
        order = [row.get("class") for row in told.xpath("//table[contains(@class, 'rules')]/tbody/tr")]
        assert order == ["conflict"] * 3 + ["no-data"] * 2 + ["attention"] * 3 + ["clear"]
        assert unjudged in page.text
        (outline,) = told.xpath("//*[contains(@class, 'outline')]/@d")
        assert outline.count("L") == 4


def test_a_page_tells_hectares_mu_and_shares_of_each_class(service: Service) -> None:
    found = ask(service, drawn(LINE)).json()
    page = lxml.html.fromstring(ask(service, drawn(LINE), query="?f=html&lang=en").content)
    tables = page.xpath("//table[contains(@class, 'overlap')]")
    sections = [one for one in found["sections"] if one["status"] == "ok"]
    assert len(tables) == len(sections)
    told = {cell for table in tables for cell in table.xpath(".//td/text()")}
    for row in (row for section in sections for row in section["rows"]):
        share = 100 * row["m2"] / found["red_line"]["area"]["m2"]
        assert {f"{row['ha']:,.4f}", f"{row['mu']:,.2f}", f"{share:.2f} %"} <= told


BOUNDARY = """[属性描述]
坐标系=2000国家大地坐标系
几度分带=3
投影类型=高斯克吕格
计量单位=米
带号=35
精度=0.001
[地块坐标]
5,{area},DK-001,红线,面,J48G001001,耕地,0101,@
"""


def boundary(shape: shapely.Polygon) -> bytes:
    """A file of boundary points by hand: Gauss-Krueger zone 35 (3 degrees), northing before easting."""
    way = pyproj.Transformer.from_crs("EPSG:4490", "EPSG:4523", always_xy=True)
    points = [way.transform(x, y) for x, y in shape.exterior.coords]
    planar = shapely.Polygon(points)
    text = BOUNDARY.format(area=f"{planar.area / 10_000:.4f}")
    numbers = [1, 2, 3, 4, 1]
    lines = [f"J{n},1,{y:.3f},{x:.3f}" for n, (x, y) in zip(numbers, points, strict=True)]
    return (text + "\n".join(lines) + "\n").encode()


def test_boundary_points_give_the_same_as_the_drawing(service: Service) -> None:
    sent = ask(service, boundary(LINE), **{"Content-Type": "text/plain"})
    assert sent.status_code == 200, sent.text
    found, wanted = sent.json(), ask(service, drawn(LINE)).json()
    # Corners are written in millimetres.
    assert rows(found, "land") == pytest.approx(rows(wanted, "land"), rel=1e-5)
    assert verdicts(found) == verdicts(wanted)
    assert len(found["red_line"]["digest"]) == 64


def test_a_zipped_shapefile_gives_the_same_as_the_drawing(service: Service, tmp_path: Path) -> None:
    gpd.GeoDataFrame({"a": [1]}, geometry=[LINE], crs="EPSG:4490").to_file(tmp_path / "red.shp")
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for file in tmp_path.glob("red.*"):
            archive.write(file, file.name)
    sent = ask(service, packed.getvalue(), **{"Content-Type": "application/zip"})
    assert sent.status_code == 200, sent.text
    assert rows(sent.json(), "land") == pytest.approx(rows(ask(service, drawn(LINE)).json(), "land"), rel=1e-6)


@pytest.mark.parametrize(
    ("content", "media", "status"),
    [
        (b"", "text/plain", 400),
        (b"no parcels at all", "text/plain", 422),
        (b"PK\x03\x04 broken", "application/zip", 422),
        (b"\x00\x01", "application/octet-stream", 415),
        (b"{", "application/json", 400),
        (b"[]", "application/json", 400),
        (b'{"zone": {"type": "Polygon", "coordinates": []}}', "application/json", 422),
        (b'{"bbox": [105, 38, 105.1, 38.1], "as_of": 5}', "application/json", 400),
    ],
)
def test_bad_red_lines_are_refused_in_words(service: Service, content: bytes, media: str, status: int) -> None:
    response = ask(service, content, **{"Content-Type": media})
    assert response.status_code == status, response.text
    assert response.json()["detail"].endswith(".")


@pytest.mark.parametrize("rule", [rule for rule in rules() if rule.when != "size"], ids=lambda rule: rule.id)
def test_each_rule_can_be_met_and_not_met(rule: Rule) -> None:
    area = 2_000_000.0
    full = Overlap(by_code=dict.fromkeys(rule.codes, area), covered=area)
    none = Overlap(by_code={}, covered=0.0)
    if rule.when == "overlap":
        assert judged(rule, area, none.model_copy(update={"unknown": area})).verdict == "no-data"
    met, clear = (full, none) if rule.when == "overlap" else (none, full)
    assert judged(rule, area, met).verdict == rule.verdict
    assert judged(rule, area, clear).verdict == "clear"
    assert judged(rule, area, None).verdict == "no-data"
    assert judged(rule, area, met).words == rule.met


def test_the_size_of_a_red_line_needs_no_data() -> None:
    rule = next(one for one in rules() if one.id == "large-area")
    assert judged(rule, 700_000.0, None).verdict == "clear"
    assert judged(rule, 700_001.0, None).verdict == "conflict"


def test_a_threshold_is_exceeded_and_not_reached() -> None:
    rule = next(one for one in rules() if one.id == "cultivated-land-large")
    at = Overlap(by_code={"01": 350_000.0}, covered=350_000.0)
    above = Overlap(by_code={"01": 350_001.0}, covered=350_001.0)
    assert judged(rule, 1e6, at).verdict == "clear"
    assert judged(rule, 1e6, above).verdict == "conflict"


def test_what_cannot_be_judged_is_worse_than_a_remark() -> None:
    assert worst(["clear", "attention"]) == "attention"
    assert worst(["attention", "no-data", "clear"]) == "no-data"
    assert worst(["no-data", "conflict"]) == "conflict"
    assert worst([]) == "clear"
