"""VCT: hand-made files of versions 3 and 2 with known truth, shared lines, and everything that can be broken."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pyproj
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.job import ReadLimits
from layers.errors import CrsRefused, SourceMismatch, SourceUnreadable
from tests.ingest.reading import Result, read, read_here, table, vector

HEAD = """HeadBegin
Datamark:LANDUSE-VCT
Version:3.0
CoordinateSystemType:P
Dim:2
XAxisDirection:E
YAxisDirection:N
XYUnit:M
Spheroid:CGCS2000,6378137.0,298.257222101
PrimeMeridian:Greenwich
Projection:高斯-克吕格投影
Parameters:117,1,39500000,0,3,39
ExtentMin:39447000,4419000
ExtentMax:39448000,4420000
Offset:0,0
Date:20260501
Separator:,
HeadEnd

FeatureCodeBegin
1000119000,测量控制点,Point,CLKZD
2001040000,线状地物,Line,XZDW
2001010100,地类图斑,Polygon,DLTB
1000609000,行政区注记,Annotation,ZJ
ZD_QLR,ZD_QLR
FeatureCodeEnd

TableStructureBegin
CLKZD,2
BSM,Char,18
KZDMC,Char,50
0

XZDW,1
BSM,Char,18
0
DLTB,3
BSM,Char,18
DLMC,Char,60
TBMJ,Float,15,2
0
ZJ,1
BSM,Char,18
0
ZD_QLR,2
QLRMC,Char,50
BZ,VarChar
0
TableStructureEnd
"""
# Two areas of 100 m side by side share line 12; the second has a hole.
#   21---22---23      lines 11: 21 down around to 24..25, 12: the shared border upwards, 13: the rest of the second
SHAPES = """PointBegin
501
1000119000
unknown
1
1
39447500.0,4419500.0
0
PointEnd
LineBegin
11
1099000000
unknown
1
1
11
4
39447100.0,4419100.0
39447000.0,4419100.0
39447000.0,4419000.0
39447100.0,4419000.0
0
12
1099000000
unknown
1
1
11
2
39447100.0,4419000.0
39447100.0,4419100.0
0
13
1099000000
unknown
1
1
11
4
39447100.0,4419000.0
39447200.0,4419000.0
39447200.0,4419100.0
39447100.0,4419100.0
0
14
1099000000
unknown
1
1
11
5
39447140.0,4419040.0
39447160.0,4419040.0
39447160.0,4419060.0
39447140.0,4419060.0
39447140.0,4419040.0
0
601
2001040000
unknown
1
2
11
2
39447000.0,4419000.0
39447000.0,4419050.0
11
2
39447000.0,4419050.0
39447050.0,4419050.0
0
LineEnd
PolygonBegin

701
2001010100
unknown
100
39447050.0,4419050.0
21
2
11,12
0

702
2001010100

100
39447150.0,4419050.0
21
4
13,-12,0,
14
0
703
2001010100
unknown
1
39447350.0,4419050.0
1
11
5
39447300.0,4419000.0
39447400.0,4419000.0
39447400.0,4419100.0
39447300.0,4419100.0
39447300.0,4419000.0
0
PolygonEnd
AnnotationBegin
801
1000609000
unknown
1
某乡
39447050.0,4419050.0,0
0
AnnotationEnd
TopologyBegin
NodeTopologyBegin
NodeTopologyEnd
TopologyEnd
"""
ATTRIBUTES = """AttributeBegin
CLKZD
501,K1,北山
TableEnd
XZDW
601,X1
TableEnd
DLTB
701,T1,旱地,10000.00
702,T2,林地,9600.00
703,T3,园地，果园,10000.00
TableEnd
ZJ
801,Z1
TableEnd
ZD_QLR
1,张三,甲
2,李四,
TableEnd
AttributeEnd
StyleBegin
StyleEnd
"""
WHOLE = HEAD + SHAPES + ATTRIBUTES
PARCELS = vector("polygon", {"number": "text", "use": "text", "area": "number"})
FIELDS = {"BSM": "number", "DLMC": "use", "TBMJ": "area"}
FROM_ZONE_39 = pyproj.Transformer.from_crs(4490, 4527, always_xy=True)


def written(tmp_path: Path, text: str, encoding: str = "gb18030") -> Path:
    file = tmp_path / "a.vct"
    file.write_bytes(text.encode(encoding))
    return file


def areas(tmp_path: Path, text: str = WHOLE, **mapping: Any) -> Result:
    (tmp_path / "geoservice-vct.sqlite").unlink(missing_ok=True)
    return read_here(written(tmp_path, text), PARCELS, **{"sublayer": "DLTB", "fields": FIELDS, **mapping})


def planar(geometry: shapely.Geometry) -> shapely.Geometry:
    """Back into zone 39, in whole millimetres."""
    back = shapely.transform(geometry, FROM_ZONE_39.transform, interleaved=False)
    return shapely.set_precision(back, 0.001)


@pytest.mark.parametrize("sublayer", ["DLTB", "地类图斑", "2001010100"])
def test_areas_from_lines_and_from_coordinates(tmp_path: Path, sublayer: str) -> None:
    found = areas(tmp_path, sublayer=sublayer)
    assert [(r["number"], r["use"], r["area"]) for r in found.good] == [
        ("T1", "旱地", 10000),
        ("T2", "林地", 9600),
        ("T3", "园地，果园", 10000),
    ]
    first, second, third = (planar(r["geom"]) for r in found.good)
    assert shapely.equals(first, shapely.box(39447000, 4419000, 39447100, 4419100))
    hole = shapely.box(39447140, 4419040, 39447160, 4419060)
    assert shapely.equals(second, shapely.box(39447100, 4419000, 39447200, 4419100).difference(hole))
    assert shapely.equals(third, shapely.box(39447300, 4419000, 39447400, 4419100))
    assert found.summary.crs == "EPSG:4527"
    assert found.summary.encoding == "gb18030"
    assert found.summary.facts["codes"] == ["2001010100"]


def test_the_confined_child_reads_it_too(tmp_path: Path) -> None:
    found = read(written(tmp_path, WHOLE), PARCELS, sublayer="DLTB", fields=FIELDS)
    assert len(found.good) == 3


def test_points_lines_annotations_and_plain_tables(tmp_path: Path) -> None:
    file = written(tmp_path, WHOLE)

    def one(layer: Any, sublayer: str, **mapping: Any) -> dict[str, Any]:
        (tmp_path / "geoservice-vct.sqlite").unlink(missing_ok=True)
        return read_here(file, layer, sublayer=sublayer, **mapping).good[0]

    point = one(vector("point", {"name": "text"}), "CLKZD", fields={"KZDMC": "name"})
    assert (point["name"], planar(point["geom"]).wkt) == ("北山", "POINT (39447500 4419500)")
    line = one(vector("line", {"number": "text"}), "XZDW", fields={"$fid": "number"})
    assert line["number"] == "601"
    assert planar(line["geom"]).wkt == "LINESTRING (39447000 4419000, 39447000 4419050, 39447050 4419050)"
    note = one(vector("point", {"number": "text"}), "ZJ", fields={"BSM": "number"})
    assert (note["number"], note["geom"].geom_type) == ("Z1", "Point")
    owner = one(table({"owner": "text", "note": "text"}), "ZD_QLR", fields={"QLRMC": "owner", "BZ": "note"})
    assert (owner["owner"], owner["note"]) == ("张三", "甲")


def test_several_kinds_need_a_name(tmp_path: Path) -> None:
    with pytest.raises(SourceMismatch, match=r"2001010100 地类图斑 \(DLTB\).*as sublayer"):
        areas(tmp_path, sublayer=None)
    with pytest.raises(SourceMismatch, match="must name one"):
        areas(tmp_path, sublayer="NONE")


# Version 2: colours in the feature codes, no counted parts, no type of area, comments.
OLD = """CommentBegin
made by hand
CommentEnd
HeadBegin
DataMark:CNSDTF-VCT
Version:2.0
Unit:M
Dim:2
Topo:1
Spheroid:IAG-75,6378140,298.257
Meridian:117
Separator:,
HeadEnd
FeatureCodeBegin
2110,图斑,Polygon,255,TB
FeatureCodeEnd
TableStructureBegin
TB,2
TBBH,Char,8
DLMC,Char,20
TableStructureEnd
LineBegin
1
9
s
1
5
447000,4419000
447100,4419000
447100,4419100
447000,4419100
447000,4419000
0
LineEnd
PolygonBegin
2
2110
s
447050,4419050
1
1
0
PolygonEnd
AttributeBegin
TB
2,001,旱地
AttributeEnd
"""


def test_version_2(tmp_path: Path) -> None:
    text = OLD.replace("IAG-75,6378140,298.257", "CGCS2000,6378137,298.257222101")
    found = areas(tmp_path, text, sublayer=None, fields={"TBBH": "number", "DLMC": "use"})
    [row] = found.good
    assert (row["number"], row["use"], found.summary.crs) == ("001", "旱地", "EPSG:4548")
    assert shapely.area(planar(row["geom"])) == pytest.approx(10_000, abs=0.1)
    with pytest.raises(CrsRefused, match="Xian 1980"):
        areas(tmp_path, OLD, sublayer=None, fields={})


def test_axes_offsets_and_degrees(tmp_path: Path) -> None:
    swapped = WHOLE.replace("XAxisDirection:E", "XAxisDirection:N").replace(
        "ExtentMin:39447000,4419000", "ExtentMin:1,39447000"
    )
    lines = []
    for line in swapped.splitlines():
        first, _, second = line.partition(",")
        turned = first.startswith("394") and second.startswith("44")
        lines.append(f"{second},{first}" if turned else line)
    assert shapely.equals(
        planar(areas(tmp_path, "\n".join(lines)).good[0]["geom"]), shapely.box(39447000, 4419000, 39447100, 4419100)
    )
    moved = WHOLE.replace("Offset:0,0", "Offset:1000,2000")
    assert shapely.bounds(planar(areas(tmp_path, moved).good[0]["geom"]))[:2].tolist() == [39448000, 4421000]
    degrees = HEAD.replace("XYUnit:M", "XYUnit:D") + (
        "PolygonBegin\n701\n2001010100\nu\n1\n116.5,39.5\n1\n11\n4\n116,39\n117,39\n117,40\n116,39\n0\nPolygonEnd\n"
        "AttributeBegin\nAttributeEnd\n"
    )
    found = areas(tmp_path, degrees)
    assert shapely.bounds(found.good[0]["geom"]).tolist() == [116, 39, 117, 40]
    assert "no-attributes" in found.rules()


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("CGCS2000,6378137.0,298.257222101", "Beijing 1954,6378245,298.3", "Beijing 1954"),
        ("Parameters:117", "Parameters:120", "states zone 40, but its eastings begin with 39"),
        ("XYUnit:M", "XYUnit:S", "in the unit 'S'"),
        ("CGCS2000,6378137.0,298.257222101", "unknown", "states no coordinate reference system"),
    ],
)
def test_what_has_no_safe_place_is_refused(tmp_path: Path, old: str, new: str, message: str) -> None:
    with pytest.raises(CrsRefused, match=message):
        areas(tmp_path, WHOLE.replace(old, new))


@pytest.mark.parametrize(
    ("old", "new", "number", "message"),
    [
        ("11,12\n", "11,99\n", "T1", "The line 99 that the object refers to is not in the file"),
        ("11,12\n", "11,14\n", "T1", "The line 14 does not begin where the line before it ends"),
        ("21\n2\n11,12\n", "21\n1\n11\n", "T1", "do not come back to its first point"),
        ("21\n2\n11,12\n", "22\n2\n11,12\n", "T1", "made of other areas"),
        ("1\n11\n5\n39447300", "1\n13\n5\n39447300", "T3", "curve of type 13"),
        ("39447400.0,4419000.0\n", "39447400.0;4419000.0\n", "T3", "Line {line}: coordinates were expected"),
        ("11\n5\n39447300", "11\n6\n39447300", "T3", "coordinates were expected"),
        ("11\n5\n39447300", "11\n0\n39447300", "T3", "announces 0 points"),
    ],
)
def test_a_broken_object_goes_to_quarantine_alone(
    tmp_path: Path, old: str, new: str, number: str, message: str
) -> None:
    assert WHOLE.count(old) == 1
    found = areas(tmp_path, WHOLE.replace(old, new))
    [bad] = found.bad
    assert bad["number"] == number
    message = message.format(line=WHOLE[: WHOLE.index(old)].count("\n") + 1)
    assert re.search(message, bad["_reason"])
    assert len(found.good) == 2
    assert found.summary.read == 3
    # Its original lines are kept, with their numbers, from the identifier to the closing zero.
    text = WHOLE.replace(old, new)
    first = text[: text.index(f"\n{700 + int(number[1])}\n2001010100")].count("\n") + 2
    kept = json.loads(bad["_raw"])["$text"].split("\n")
    lines = text.splitlines()
    assert kept[0] == f"{first}: {lines[first - 1]}"
    assert kept[-1].endswith(": 0")
    assert all(lines[int(k.partition(":")[0]) - 1].strip() == k.partition(": ")[2] for k in kept)


def test_attributes_and_objects_that_do_not_meet(tmp_path: Path) -> None:
    text = WHOLE.replace("701,T1,旱地,10000.00\n", "799,T9,旱地,1.00\n702,T8,林地,1\n")
    text = text.replace("703,T3,园地，果园,10000.00", "703,T3")
    found = areas(tmp_path, text)
    reasons = {r["_reason"] for r in found.bad}
    assert any("belong to no object" in r for r in reasons)
    assert any("attributes of this number came before" in r for r in reasons)
    assert any("have 2 values where 3 were expected" in r for r in reasons)
    finding = next(f for f in found.summary.findings if f.rule == "no-attributes")
    assert (finding.severity, finding.count) == ("warning", 1)
    assert len(found.good) == 2


def test_an_identifier_that_comes_twice(tmp_path: Path) -> None:
    found = areas(tmp_path, WHOLE.replace("\n703\n2001010100", "\n702\n2001010100"))
    assert any("The identifier 702 comes twice" in r["_reason"] for r in found.bad)


@pytest.mark.parametrize("share", [0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.97])
def test_a_file_that_is_cut_off_is_refused(tmp_path: Path, share: float) -> None:
    with pytest.raises((SourceUnreadable, SourceMismatch)):
        areas(tmp_path, WHOLE[: int(len(WHOLE) * share)])


def test_numbers_that_lie_are_not_believed(tmp_path: Path) -> None:
    text = WHOLE.replace("11\n5\n39447300", "11\n999999999\n39447300")
    assert "announces 999999999 points" in areas(tmp_path, text).bad[0]["_reason"]
    with pytest.raises(SourceUnreadable, match="longer than"):
        areas(tmp_path, HEAD + "PolygonBegin\n" + "7" * (2 << 20))
    assert ReadLimits().vertices < 999_999_999


@settings(max_examples=25, deadline=None)
@given(columns=st.integers(1, 4), rows=st.integers(1, 4), turned=st.sets(st.integers(0, 200)))
def test_a_grid_of_shared_lines_gives_its_cells(
    tmp_path_factory: pytest.TempPathFactory, columns: int, rows: int, turned: set[int]
) -> None:
    """Every edge is one line, used by two cells in opposite directions; lines in `turned` are stored backwards."""
    edges: dict[tuple[tuple[int, int], tuple[int, int]], int] = {}
    lines, cells = [], []

    def use(start: tuple[int, int], end: tuple[int, int]) -> int:
        key = (min(start, end), max(start, end))
        if key not in edges:
            edges[key] = len(edges) + 1
            number = edges[key]
            first, last = (key[1], key[0]) if number in turned else key
            points = "\n".join(f"{39447000 + x},{4419000 + y}" for x, y in (first, last))
            lines.append(f"{number}\n1099000000\nu\n1\n1\n11\n2\n{points}\n0\n")
        number = edges[key]
        return number if (start < end) != (number in turned) else -number

    for column in range(columns):
        for row in range(rows):
            corners = [(column, row), (column + 1, row), (column + 1, row + 1), (column, row + 1)]
            refs = ",".join(str(use(a, b)) for a, b in zip(corners, corners[1:] + corners[:1], strict=True))
            number = 1000 + len(cells)
            cells.append(f"{number}\n2001010100\nu\n100\n39447000,4419000\n21\n4\n{refs}\n0\n")
    text = HEAD + f"LineBegin\n{''.join(lines)}LineEnd\nPolygonBegin\n{''.join(cells)}PolygonEnd\n"
    text += "AttributeBegin\nAttributeEnd\n"
    found = areas(tmp_path_factory.mktemp("grid"), text)
    assert not found.bad
    boxes = [
        shapely.box(39447000 + c, 4419000 + r, 39447001 + c, 4419001 + r) for c in range(columns) for r in range(rows)
    ]
    assert all(shapely.equals(planar(r["geom"]), box) for r, box in zip(found.good, boxes, strict=True))
