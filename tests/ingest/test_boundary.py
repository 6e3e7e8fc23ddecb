"""Boundary-point files: hand-made ones with known truth, regional variants, broken parcels."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyproj
import pytest
import shapely

from ingest.job import IngestPlan
from ingest.notes import Notes
from ingest.pipeline import Pipeline
from ingest.readers.choose import open_source
from ingest.readers.source import Request
from ingest.sandbox import open_rows
from ingest.wire import plan_from_json, plan_to_json
from layers.catalog import read_catalog
from layers.errors import CrsRefused, SourceMismatch, SourceUnreadable
from tests.ingest.reading import plan_for, vector

TEMPLATES = dict(read_catalog().templates)
LAYER = vector("polygon", {"number": "text", "name": "text", "hectares": "number"}, key=["number"])
FIELDS = {"地块编号": "number", "地块名称": "name", "地块面积": "hectares"}
HEAD = """[属性描述]
格式版本号=1.01
数据产生单位=某县自然资源局
数据产生日期=2026-05-01
坐标系=2000国家大地坐标系
几度分带=3
投影类型=高斯克吕格
计量单位=米
带号=39
精度=0.001
转换参数=,,,,,,
[地块坐标]
"""
# A square of 100 m with a hole of 20 m, and a triangle in two parts; zone 39, worked by hand.
PARCELS = """10,0.9600,DK-001,东一地块,面,J50G001001,耕地,0101,@
J1,1,4419000.000,39447000.000
J2,1,4419100.000,39447000.000
J3,1,4419100.000,39447100.000
J4,1,4419000.000,39447100.000
J1,1,4419000.000,39447000.000
J5,2,4419040.000,39447040.000
J6,2,4419060.000,39447040.000
J7,2,4419060.000,39447060.000
J8,2,4419040.000,39447060.000
J5,2,4419040.000,39447040.000
8,1.0000,DK-002,西二地块,面,J50G001001,林地,0301,@
J1,1,4418000.000,39447000.000
J2,1,4418100.000,39447000.000
J3,1,4418000.000,39447100.000
J1,1,4418000.000,39447000.000
J4,2,4418000.000,39447300.000
J5,2,4418100.000,39447300.000
J6,2,4418000.000,39447400.000
J4,2,4418000.000,39447300.000
"""
TO_ZONE_39 = pyproj.Transformer.from_crs(4490, 4527, always_xy=True)


def boundary_plan(file: Path, **mapping: Any) -> IngestPlan:
    plan = plan_for(file, LAYER, **{"fields": FIELDS, **mapping})
    return IngestPlan(plan.layer, file, "trial", plan.mapping, plan.codelists, plan.limits, plan.options, TEMPLATES)


class Read:
    """All rows of a file, and what the reader said."""

    def __init__(self, file: Path, **mapping: Any) -> None:
        request = Request(file, boundary_plan(file, **mapping), file.parent, Notes())
        pipeline = Pipeline(request, open_source(request))
        rows = [row for batch in pipeline.batches() for row in batch.to_pylist()]
        self.good = [r for r in rows if r["_reason"] is None]
        self.bad = [r for r in rows if r["_reason"] is not None]
        self.summary = pipeline.summary()

    def planar(self, row: int) -> shapely.Geometry:
        """A geometry brought back into zone 39 by another road than the reader's."""
        stored = shapely.from_wkb(self.good[row]["geom"])
        return shapely.transform(stored, TO_ZONE_39.transform, interleaved=False)


def written(tmp_path: Path, text: str, encoding: str = "utf-8", name: str = "parcels.txt") -> Path:
    file = tmp_path / name
    file.write_bytes(text.encode(encoding))
    return file


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_the_national_format_is_recognised_and_read(tmp_path: Path, encoding: str, ending: str) -> None:
    found = Read(written(tmp_path, (HEAD + PARCELS).replace("\n", ending), encoding))
    assert [(r["number"], r["name"], r["hectares"]) for r in found.good] == [
        ("DK-001", "东一地块", 0.96),
        ("DK-002", "西二地块", 1.0),
    ]
    assert found.summary.facts["template"] == "national"
    assert found.summary.facts["template_by"] == "content"
    assert found.summary.facts["attributes"]["数据产生单位"] == "某县自然资源局"
    assert found.summary.crs == "EPSG:4527"
    square, triangles = found.planar(0), found.planar(1)
    assert shapely.area(square) == pytest.approx(9600, abs=0.01)
    assert shapely.bounds(square) == pytest.approx((39447000, 4419000, 39447100, 4419100), abs=0.001)
    assert isinstance(square, shapely.Polygon)
    assert len(square.interiors) == 1
    assert isinstance(triangles, shapely.MultiPolygon)
    assert shapely.area(triangles) == pytest.approx(10_000, abs=0.01)


def test_the_confined_child_reads_it_too(tmp_path: Path) -> None:
    with open_rows(boundary_plan(written(tmp_path, HEAD + PARCELS))) as stream:
        rows = [row for batch in stream for row in batch.to_pylist()]
    assert [r["number"] for r in rows] == ["DK-001", "DK-002"]
    assert stream.summary.facts["template"] == "national"


def test_templates_travel_whole() -> None:
    plan = boundary_plan(Path("a.txt"))
    assert plan_from_json(plan_to_json(plan)).templates == TEMPLATES


def swapped(text: str) -> str:
    lines = [line.split(",") for line in text.splitlines()]
    return "".join(",".join([*p[:2], p[3], p[2]] if p[0].startswith("J") else p) + "\n" for p in lines)


OPEN = """DK-001，东一地块，14.4，8，耕地，@
1，1，4419000.000，39447000.000
1，2，4419100.000，39447000.000
1，3，4419100.000，39447100.000
1，4，4419000.000，39447100.000
2，1，4419040.000，39447040.000
2，2，4419060.000，39447040.000
2，3，4419060.000，39447060.000
2，4，4419040.000，39447060.000
"""
WIDE = PARCELS.replace("10,0.9600", "8;0.9600").replace("8,1.0000", "6;1.0000").replace("01,@", "01,,,,,,@")
METRES = PARCELS.replace("0.9600", "9600").replace("1.0000", "10000")


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("example-east-north", swapped(PARCELS)),
        ("example-open-rings", OPEN),
        ("example-wide", WIDE),
        ("example-square-metres", METRES),
    ],
)
def test_each_variant_is_told_from_the_others(tmp_path: Path, template: str, text: str) -> None:
    mapping = {"地块编号": "number", "地块名称": "name"}
    found = Read(written(tmp_path, HEAD + text), fields=mapping)
    assert found.summary.facts["template"] == template
    assert not found.bad
    assert shapely.area(found.planar(0)) == pytest.approx(9600, abs=0.01)
    assert shapely.bounds(found.planar(0)) == pytest.approx((39447000, 4419000, 39447100, 4419100), abs=0.001)


def test_a_named_template_is_not_questioned_but_followed(tmp_path: Path) -> None:
    found = Read(written(tmp_path, HEAD + METRES), template="national")
    assert len(found.good) == 2
    finding = next(f for f in found.summary.findings if f.rule == "declared-area")
    assert (finding.severity, finding.count, finding.rows) == ("warning", 2, (1, 2))
    with pytest.raises(SourceMismatch, match="unknown template 'regional'"):
        Read(written(tmp_path, HEAD + METRES), template="regional")


def test_when_no_template_fits_the_counts_are_told(tmp_path: Path) -> None:
    with pytest.raises(SourceMismatch, match=r"no template fits .*national: 0 of 2.*`template:`"):
        Read(written(tmp_path, HEAD + PARCELS.replace("10,0.9600", "10,77").replace("8,1.0000", "8,77")))


def test_when_several_templates_fit_nothing_is_guessed(tmp_path: Path) -> None:
    file = written(tmp_path, HEAD + PARCELS)
    plan = boundary_plan(file)
    plan.templates["twin"] = TEMPLATES["national"]
    with pytest.raises(SourceMismatch, match="national, twin all fit"):
        open_source(Request(file, plan, tmp_path, Notes()))
    del plan.templates["twin"]


def test_broken_parcels_keep_their_lines_and_the_others_load(tmp_path: Path) -> None:
    broken = (
        PARCELS.replace("J3,1,4419100.000,39447100.000", "J3,1,44191O0.000,39447100.000")
        + "5,1.0,DK-003,缺点,面,,,,@\nJ1,1,4417000,39447000\nJ2,1,4417100,39447000\nJ3,1,4417100,39447100\n"
        + "J1,1,4417000,39447000\n"
        + "3,0,DK-004,不闭合,面,,,,@\nJ1,1,4416000,39447000\nJ2,1,4416100,39447000\nJ3,1,4416100,39447100\n"
        + "4,0.5,DK-005,邻带,面,,,,@\nJ1,1,4417000,40447000\nJ2,1,4417100,40447000\nJ3,1,4417100,40447100\n"
        + "J1,1,4417000,40447000\n"
    )
    found = Read(written(tmp_path, HEAD + broken), template="national")
    assert [r["number"] for r in found.good] == ["DK-002"]
    reasons = {r["number"]: r["_reason"] for r in found.bad}
    assert "Line 16: a coordinate is '44191O0.000'" in reasons["DK-001"]
    assert "The header in line 33 announces 5 points, but 4 follow in lines 34 to 37" in reasons["DK-003"]
    assert "The ring 1 in lines 39 to 41 does not come back" in reasons["DK-004"]
    assert "zone number 40 where 39 was expected" in reasons["DK-005"]
    raw = next(r["_raw"] for r in found.bad if r["number"] == "DK-003")
    assert "33: 5,1.0,DK-003,缺点,面,,,,@\\n34: J1,1,4417000,39447000" in raw
    assert found.summary.read == 5


def test_points_without_a_header_are_kept(tmp_path: Path) -> None:
    found = Read(written(tmp_path, HEAD + "J9,1,4419000,39447000\n" + PARCELS), template="national")
    assert len(found.good) == 2
    assert "points stand before the first parcel header" in found.bad[0]["_reason"]


def test_comments_blank_lines_other_brackets_and_colons(tmp_path: Path) -> None:
    text = (HEAD + PARCELS).replace("[", "【").replace("]", "】").replace("坐标系=", "坐标系：")
    text = text.replace("J2,1,4419100", "# 复测\n\n   J2 , 1 , 4419100").replace(",@\n", ",@   \n")
    assert len(Read(written(tmp_path, text)).good) == 2


def test_a_file_without_sections_needs_the_format_and_a_crs(tmp_path: Path) -> None:
    file = written(tmp_path, PARCELS)
    found = Read(file, format="boundary", crs="EPSG:4527")
    assert len(found.good) == 2
    with pytest.raises(CrsRefused, match="states no coordinate reference system"):
        Read(file, format="boundary")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("2000国家大地坐标系", "80西安坐标系", "Xian 1980"),
        ("2000国家大地坐标系", "北京54坐标系", "Beijing 1954"),
        ("2000国家大地坐标系", "地方坐标系", "states the coordinate system '地方坐标系'"),
        ("带号=39", "带号=38", "states zone 38, but its eastings begin with 39"),
        ("几度分带=3", "几度分带=6", "zones of 6 degrees, but zone 39 is one of 3"),
    ],
)
def test_what_has_no_safe_place_is_refused(tmp_path: Path, old: str, new: str, message: str) -> None:
    with pytest.raises(CrsRefused, match=message):
        Read(written(tmp_path, HEAD.replace(old, new) + PARCELS))


@pytest.mark.parametrize(
    ("head", "prefix", "code"),
    [
        (HEAD, "39", "EPSG:4527"),
        (HEAD, "", "EPSG:4548"),
        (HEAD.replace("带号=39", "中央子午线=117"), "", "EPSG:4548"),
        (HEAD.replace("带号=39\n", ""), "39", "EPSG:4527"),
        (HEAD.replace("带号=39", "带号=20").replace("几度分带=3", "几度分带=6"), "20", "EPSG:4498"),
    ],
)
def test_the_crs_comes_from_attributes_and_prefix(tmp_path: Path, head: str, prefix: str, code: str) -> None:
    found = Read(written(tmp_path, head + PARCELS.replace(",39447", f",{prefix}447")))
    assert found.summary.crs == code
    west = float(shapely.bounds(shapely.from_wkb(found.good[0]["geom"]))[0])
    # 447 km is 53 km west of the central meridian, 117 degrees east in each of these cases.
    assert west == pytest.approx(117 - 53_000 / (111_320 * 0.767), abs=0.01)


def test_without_any_zone_nothing_is_placed(tmp_path: Path) -> None:
    text = HEAD.replace("带号=39\n", "") + PARCELS.replace(",39447", ",447")
    with pytest.raises(CrsRefused, match="no zone number"):
        Read(written(tmp_path, text))


def test_degrees(tmp_path: Path) -> None:
    head = HEAD.replace("计量单位=米", "计量单位=度")
    text = "4,0,A,甲,面,,,,@\n1,1,39.90,116.30\n2,1,39.91,116.30\n3,1,39.91,116.31\n1,1,39.90,116.30\n"
    found = Read(written(tmp_path, head + text), template="national")
    assert shapely.bounds(shapely.from_wkb(found.good[0]["geom"])) == pytest.approx((116.30, 39.90, 116.31, 39.91))


def test_empty_and_monstrous_files(tmp_path: Path) -> None:
    with pytest.raises(SourceUnreadable, match="holds no parcel"):
        Read(written(tmp_path, HEAD))
    with pytest.raises(SourceUnreadable, match="longer than"):
        Read(written(tmp_path, HEAD + "J" * 100_000), template="national")
