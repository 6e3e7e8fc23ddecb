"""Formats beside the common ones: each is written by another library, read by the confined child, and compared."""

from __future__ import annotations

import datetime as dt
import json
import shutil
import zipfile
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pyogrio
import pytest
import shapely

from ingest.family import identity, members, siblings
from ingest.job import ReadLimits
from layers.errors import SourceMismatch, SourceUnreadable
from tests.ingest.reading import Result, read, read_here, vector

ATTRIBUTES = {"name": "text", "amount": "number", "count": "integer", "day": "date"}
NAMES = ["东城区", "北京市", "Köln"]
SHAPES = shapely.box([100.0, 101.0, 102.0], 30.0, [100.5, 101.5, 102.5], 30.5)
DAYS = [dt.date(2026, 1, 2), dt.date(2026, 12, 31), dt.date(1999, 2, 28)]


def frame() -> gpd.GeoDataFrame:
    """Three squares with one attribute of each kind, all filled."""
    columns = {"name": NAMES, "amount": [1.25, 0.5, -3.0], "count": np.array([1, 2, 3], np.int32), "day": DAYS}
    return gpd.GeoDataFrame(columns, geometry=SHAPES, crs="EPSG:4326")


def expect(found: Result, names: list[str | None] = NAMES) -> None:  # type: ignore[assignment]
    """Rows equal what was written; a spatially sorted format may give them in another order."""
    rows = sorted(found.good, key=lambda r: r["geom"].bounds)
    assert found.summary.bad == 0
    assert [r["name"] for r in rows] == names
    assert [r["amount"] for r in rows] == [1.25, 0.5, -3.0]
    assert [r["count"] for r in rows] == [1, 2, 3]
    assert [r["day"] for r in rows] == DAYS
    for row, shape in zip(rows, SHAPES, strict=True):
        assert shapely.area(shapely.symmetric_difference(row["geom"], shape)) < 1e-8


def packed(folder: Path, target: Path) -> Path:
    """All files below a folder in an archive, under their path from the folder's parent."""
    with zipfile.ZipFile(target, "w") as archive:
        for file in sorted(p for p in folder.rglob("*") if p.is_file()):
            archive.write(file, str(file.relative_to(folder.parent)))
    return target


def test_file_geodatabase_as_folder_and_packed(tmp_path: Path) -> None:
    pyogrio.write_dataframe(
        frame(), tmp_path / "land.gdb", driver="OpenFileGDB", layer="parcel", geometry_type="Polygon"
    )
    layer = vector("polygon", ATTRIBUTES)
    whole = read(tmp_path / "land.gdb", layer)
    expect(whole)
    assert (whole.summary.driver, whole.summary.facts["layer"]) == ("OpenFileGDB", "parcel")
    expect(read(packed(tmp_path / "land.gdb", tmp_path / "land.gdb.zip"), layer))


def test_family_of_a_folder(tmp_path: Path) -> None:
    pyogrio.write_dataframe(frame(), tmp_path / "land.gdb", driver="OpenFileGDB")
    size, digest = identity(tmp_path / "land.gdb")
    assert size == sum(p.stat().st_size for p in (tmp_path / "land.gdb").iterdir())
    one = sorted((tmp_path / "land.gdb").iterdir())[3]
    one.write_bytes(one.read_bytes() + b"x")
    assert identity(tmp_path / "land.gdb")[1] != digest
    (tmp_path / "secret").write_text("planted")
    (tmp_path / "land.gdb" / "a00000099.gdbtable").symlink_to(tmp_path / "secret")
    with pytest.raises(SourceUnreadable, match="is a link to another folder"):
        read(tmp_path / "land.gdb", vector("polygon"))


def test_folder_that_is_no_geodatabase(tmp_path: Path) -> None:
    (tmp_path / "x.gdb").mkdir()
    with pytest.raises(SourceUnreadable, match="empty"):
        read(tmp_path / "x.gdb", vector("polygon"))
    (tmp_path / "x.gdb" / "readme.txt").write_text("hello")
    with pytest.raises(SourceUnreadable, match="a folder that is no file geodatabase"):
        read(tmp_path / "x.gdb", vector("polygon"))


def test_siblings_whatever_their_spelling(tmp_path: Path) -> None:
    frame().to_file(tmp_path / "a.shp", encoding="UTF-8")
    shutil.move(tmp_path / "a.dbf", tmp_path / "A.DBF")
    assert {p.name for p in siblings(tmp_path / "a.shp")} == {"A.DBF", "a.shx", "a.prj", "a.cpg"}
    (tmp_path / "a.shp.xml").write_text("<metadata/>")
    assert len(members(tmp_path / "a.shp")) == 5
    expect(read(tmp_path / "a.shp", vector("polygon", ATTRIBUTES)))
    (tmp_path / "a.dbf").write_bytes(b"x")
    with pytest.raises(SourceUnreadable, match="differ in upper and lower case only"):
        read(tmp_path / "a.shp", vector("polygon", ATTRIBUTES))


def test_shapefile_without_index_or_table(tmp_path: Path) -> None:
    frame().to_file(tmp_path / "a.shp", encoding="UTF-8")
    (tmp_path / "a.shx").unlink()
    before = sorted(p.name for p in tmp_path.iterdir())
    found = read(tmp_path / "a.shp", vector("polygon", ATTRIBUTES))
    expect(found)
    assert "missing-index" in found.rules()
    assert sorted(p.name for p in tmp_path.iterdir()) == before, "the index is made in the private directory only"
    (tmp_path / "a.dbf").unlink()
    bare = read(tmp_path / "a.shp", vector("polygon", {"name": "text"}))
    assert [r["name"] for r in bare.good] == [None, None, None]
    assert "missing-table" in bare.rules()


@pytest.mark.parametrize(("name", "options"), [("a.tab", {}), ("a.mif", {"FORMAT": "MIF"})])
@pytest.mark.parametrize("encoding", ["CP936", "CP950"])
def test_mapinfo_in_chinese_encodings(tmp_path: Path, name: str, options: dict[str, str], encoding: str) -> None:
    names = ["東城區", "北京市", "上海"] if encoding == "CP950" else ["东城区", "北京市", "上海"]
    written = frame().assign(name=names)
    pyogrio.write_dataframe(written, tmp_path / name, driver="MapInfo File", ENCODING=encoding, **options)
    found = read(tmp_path / name, vector("polygon", ATTRIBUTES))
    expect(found, list(names))
    assert found.summary.encoding == {"CP936": "gb18030", "CP950": "cp950"}[encoding]


def test_mapinfo_that_looks_elsewhere(tmp_path: Path) -> None:
    table = '!table\n!version 300\n\nopen table "/etc/other.tab" hide\ncreate view a as\nselect x from other\n'
    (tmp_path / "a.tab").write_text(table)
    with pytest.raises(SourceUnreadable, match="refers to other files"):
        read(tmp_path / "a.tab", vector("polygon"))
    (tmp_path / "b.tab").write_text("!table\n!version 300\n!charset WindowsLatin1\nDefinition Table\n  Type NATIVE\n")
    with pytest.raises(SourceUnreadable, match=r"lacks its \.dat file"):
        read(tmp_path / "b.tab", vector("polygon"))


def test_flatgeobuf(tmp_path: Path) -> None:
    pyogrio.write_dataframe(frame(), tmp_path / "a.fgb", driver="FlatGeobuf")
    expect(read(tmp_path / "a.fgb", vector("polygon", ATTRIBUTES)))


def test_gpx_tells_waypoints_from_tracks(tmp_path: Path) -> None:
    points = '<wpt lat="30.5" lon="104.25"><ele>512</ele><name>望江楼</name></wpt>'
    track = '<trk><name>t</name><trkseg><trkpt lat="30" lon="104"/><trkpt lat="31" lon="105"/></trkseg></trk>'
    head = '<?xml version="1.0"?><gpx version="1.1" creator="x" xmlns="http://www.topografix.com/GPX/1/1">'
    (tmp_path / "a.gpx").write_text(f"{head}{points}</gpx>", encoding="utf-8")
    (row,) = read(tmp_path / "a.gpx", vector("point", {"name": "text", "ele": "number"})).good
    assert (row["name"], row["ele"], row["geom"].wkt) == ("望江楼", 512.0, "POINT (104.25 30.5)")
    (tmp_path / "b.gpx").write_text(f"{head}{points}{track}</gpx>", encoding="utf-8")
    with pytest.raises(SourceMismatch, match="waypoints, tracks"):
        read(tmp_path / "b.gpx", vector("line"))
    (row,) = read(tmp_path / "b.gpx", vector("line", {"name": "text"}), sublayer="tracks").good
    assert shapely.get_parts(row["geom"])[0].wkt == "LINESTRING (104 30, 105 31)"


def drawing(unit: int, page: str, entities: str) -> bytes:
    """An ASCII DXF of AutoCAD 2000 in a code page."""
    head = f"  0\nSECTION\n  2\nHEADER\n  9\n$ACADVER\n  1\nAC1015\n  9\n$DWGCODEPAGE\n  3\n{page}\n"
    head += f"  9\n$INSUNITS\n 70\n     {unit}\n  0\nENDSEC\n  0\nSECTION\n  2\nENTITIES\n"
    return (head + entities + "  0\nENDSEC\n  0\nEOF\n").encode({"ANSI_936": "gbk", "ANSI_950": "cp950"}[page])


def polyline(layer: str, closed: int, corners: list[tuple[float, float]]) -> str:
    """An LWPOLYLINE entity."""
    points = "".join(f" 10\n{x}\n 20\n{y}\n" for x, y in corners)
    return f"  0\nLWPOLYLINE\n  8\n{layer}\n 90\n{len(corners)}\n 70\n{closed}\n{points}"


def test_drawing(tmp_path: Path) -> None:
    square = [(500000.0, 3300000.0), (500100.0, 3300000.0), (500100.0, 3300100.0), (500000.0, 3300100.0)]
    shapes = polyline("宗地", 1, square) + polyline("道路", 0, square[:2])
    text = "  0\nTEXT\n  8\n注记\n 10\n500050.0\n 20\n3300050.0\n 40\n2.5\n  1\n东城区\n"
    (tmp_path / "a.dxf").write_bytes(drawing(6, "ANSI_936", shapes + text))
    fields = {"Layer": "kind", "Text": "label"}
    attributes = {"kind": "text", "label": "text"}
    areas = read(tmp_path / "a.dxf", vector("polygon", attributes), crs="EPSG:4547", fields=fields)
    assert [r["kind"] for r in areas.good] == ["宗地"]
    assert areas.summary.read == 3
    assert {"closed-lines", "drawing-unit"} <= areas.rules()
    lines = read(tmp_path / "a.dxf", vector("line", attributes), crs="EPSG:4547", fields=fields)
    assert [r["kind"] for r in lines.good] == ["宗地", "道路"], "a layer of lines keeps closed lines"
    points = read(tmp_path / "a.dxf", vector("point", attributes), crs="EPSG:4547", fields=fields)
    assert [(r["kind"], r["label"]) for r in points.good] == [("注记", "东城区")]
    (tmp_path / "mm.dxf").write_bytes(drawing(4, "ANSI_936", shapes))
    found = read(tmp_path / "mm.dxf", vector("polygon", attributes), crs="EPSG:4547", fields=fields)
    assert [f.severity for f in found.summary.findings if f.rule == "drawing-unit"] == ["warning"]


LINE = (
    '{"type":"Feature","id":%d,"properties":{"name":"%s","count":%d},"geometry":{"type":"Point","coordinates":[1,%d]}}'
)


@pytest.mark.parametrize(("name", "before"), [("a.ndjson", ""), ("a.geojsons", "\x1e"), ("a.json", "")])
def test_geojson_in_lines(tmp_path: Path, name: str, before: str) -> None:
    lines = [LINE % (i, n, i, i) for i, n in enumerate(NAMES)]
    (tmp_path / name).write_text("".join(f"{before}{line}\n" for line in lines), encoding="utf-8")
    found = read_here(tmp_path / name, vector("point", {"name": "text", "count": "integer"}))
    assert [(r["name"], r["count"], r["geom"].wkt) for r in found.good] == [
        (n, i, f"POINT (1 {i})") for i, n in enumerate(NAMES)
    ]
    assert (found.summary.crs, found.summary.driver) == ("EPSG:4326", "GeoJSONSeq")


def test_lines_that_are_no_features_are_kept_with_their_text(tmp_path: Path) -> None:
    bad = ['{"type":"Feature",', "[1]", '{"type":"Feature","properties":3,"geometry":null}', '{"type":"Point"}']
    odd = '{"type":"Feature","properties":{"name":"x"},"geometry":{"type":"Polygon","coordinates":[1]}}'
    text = "\n".join([LINE % (1, "a", 1, 1), *bad, odd, "", LINE % (2, "b", 2, 2)]).encode() + b'\n{"type":"\xff"}\n'
    (tmp_path / "a.ndjson").write_bytes(text)
    found = read_here(tmp_path / "a.ndjson", vector("point", {"name": "text"}))
    assert [r["_position"] for r in found.good] == [0, 6]
    assert (found.summary.read, found.summary.bad) == (8, 6)
    kept = [json.loads(r["_raw"])["geometry"] for r in found.bad]
    assert kept[:4] == bad
    assert bytes.fromhex(kept[-1].removeprefix("hex:")) == b'{"type":"\xff"}'
    (tmp_path / "none.ndjson").write_text("[1]\n[2]\n")
    with pytest.raises(SourceUnreadable):
        read_here(tmp_path / "none.ndjson", vector("point"))


@pytest.mark.parametrize(
    ("name", "content", "advice"),
    [
        ("a.xls", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "save it as XLSX"),
        ("a.xlsx", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "password"),
        ("a.dwg", b"AC1027\x00", "save it as DXF"),
        ("a.dxf", b"AC1027\x00\x00\x00", "save it as DXF"),
        ("a.mdb", b"\x00\x01\x00\x00Standard Jet DB", "export its layers"),
        ("a.rar", b"Rar!\x1a\x07", "pack it as ZIP"),
        ("a.ods", b"PK\x03\x04", "save it as XLSX or CSV"),
        ("a.zip", b"7z\xbc\xaf\x27\x1c", "pack it as ZIP"),
    ],
)
def test_formats_that_are_not_read_come_with_advice(tmp_path: Path, name: str, content: bytes, advice: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(SourceUnreadable, match=advice):
        read_here(tmp_path / name, vector("polygon"))


def test_limits_reach_every_reader(tmp_path: Path) -> None:
    (tmp_path / "a.ndjson").write_text("\n".join(LINE % (i, "x", i, 1) for i in range(50)))
    found: Any = read_here(tmp_path / "a.ndjson", vector("point"), ReadLimits(batch_rows=20))
    assert found.table.column("_position").num_chunks == 3
