"""Text tables: layout, encodings, coordinates; the expected rows are written out by hand or come from pandas."""

from __future__ import annotations

import datetime as dt
import zipfile
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from ingest.job import ReadLimits
from layers.errors import CrsRefused, SourceMismatch, SourceUnreadable
from tests.ingest.reading import read, read_here, table, vector

POINT: dict[str, Any] = {"point": {"x": "lon", "y": "lat"}, "crs": "EPSG:4326"}


def write(path: Path, text: str, encoding: str = "utf-8") -> Path:
    path.write_bytes(text.encode(encoding))
    return path


def test_points_from_columns(tmp_path: Path) -> None:
    file = write(tmp_path / "a.csv", 'name,lon,lat\n"a, ""b""",116.3913,39.9075\n,  -5.5 , 10\n')
    found = read(file, vector("point", {"name": "text"}), **POINT)
    assert [(r["name"], r["geom"].wkt) for r in found.rows] == [
        ('a, "b"', "POINT (116.3913 39.9075)"),
        (None, "POINT (-5.5 10)"),
    ]
    assert (found.summary.driver, found.summary.encoding, found.summary.crs) == ("CSV", "utf-8", "EPSG:4326")


def test_projected_columns_and_semicolons(tmp_path: Path) -> None:
    file = write(tmp_path / "a.csv", "X;Y;v\n39447950.515;4419435.790;1\n")
    layer = vector("point", {"v": "integer"})
    where = read_here(file, layer, point={"x": "X", "y": "Y"}, crs="EPSG:4527", delimiter=";").rows[0]["geom"]
    assert (where.x, where.y) == pytest.approx((116.3913, 39.9075), abs=1e-8)


def test_wkt_column(tmp_path: Path) -> None:
    file = write(tmp_path / "a.csv", 'g,v\n"POLYGON((0 0,1 0,1 1,0 0))",1\n,2\nPOLYGON((0 0,1,2\n')
    found = read_here(file, vector("polygon", {"v": "integer"}), wkt="g", crs="EPSG:4490")
    assert found.good[0]["geom"].area == 0.5
    reasons = [r["_reason"] for r in found.bad]
    assert "geometry is missing" in reasons[0]
    assert "5 columns" in reasons[1] or "columns where 2 were expected" in reasons[1]


def test_table_without_header(tmp_path: Path) -> None:
    file = write(tmp_path / "a.dat", '1,"x",\\N\n2,"y",7\n')
    layer = table({"i": "integer", "t": "text", "n": "number"})
    found = read_here(file, layer, header=False, columns=["i", "t", "n"], null=["\\N"])
    assert [(r["i"], r["t"], r["n"]) for r in found.rows] == [(1, "x", None), (2, "y", 7)]
    with pytest.raises(SourceMismatch, match="has 3 columns, but the mapping names 2"):
        read_here(file, layer, header=False, columns=["i", "t"])


@pytest.mark.parametrize(
    ("written", "expected"),
    [("utf-8", "utf-8"), ("utf-8-sig", "utf-8-sig"), ("gb18030", "gb18030"), ("utf-16", "utf-16")],
)
def test_encodings_in_order(tmp_path: Path, written: str, expected: str) -> None:
    file = write(tmp_path / "a.csv", "name\n土地利用图斑\n", written)
    found = read(file, table({"name": "text"}), encoding=["utf-8", "GB18030"])
    assert [r["name"] for r in found.rows] == ["土地利用图斑"]
    assert found.summary.encoding == expected


def test_no_encoding_fits(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_bytes(b"name\n" + b"x" * 2_000_000 + b"\xff\n")
    expected = r"tried utf-8 \(fails at byte 2000005\), ascii \(fails at byte 2000005\)"
    with pytest.raises(SourceUnreadable, match=expected):
        read_here(file, table({"name": "text"}), encoding=["utf-8", "ascii"])
    with pytest.raises(SourceMismatch, match="unknown encoding 'klingon'"):
        read_here(file, table({"name": "text"}), encoding=["klingon"])


def test_split_character_at_a_block_border_is_not_an_error(tmp_path: Path) -> None:
    file = write(tmp_path / "a.csv", "name\n" + "x" * ((1 << 20) - 6) + "京\n")
    assert read_here(file, table({"name": "text"})).rows[0]["name"].endswith("京")


def test_csv_in_a_zip(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.csv.zip", "w") as archive:
        archive.writestr("inner.csv", "name\nx\n")
    assert [r["name"] for r in read(tmp_path / "a.csv.zip", table({"name": "text"})).rows] == ["x"]


def test_bad_coordinates_are_bad_rows(tmp_path: Path) -> None:
    file = write(tmp_path / "a.csv", "lon,lat\n1,2\nx,2\n1,\n,\n1,inf\n1,200\nnan,1\n")
    found = read_here(file, vector(), **POINT)
    assert (found.summary.read, found.summary.good, found.summary.bad) == (7, 1, 6)
    reasons = {r["_position"]: r["_reason"] for r in found.bad}
    assert "'lon' is 'x', where a number was expected" in reasons[1]
    assert "Only one of the coordinates" in reasons[2]
    assert "geometry is missing" in reasons[3]
    assert "not finite" in reasons[4]
    assert "outside the world" in reasons[5]


def test_swapped_columns_are_noticed(tmp_path: Path) -> None:
    rows = "\n".join(f"{30 + i / 10},{110 + i / 10}" for i in range(50))
    file = write(tmp_path / "a.csv", f"lon,lat\n{rows}\n")
    with pytest.raises(SourceMismatch, match="swapped"):
        read_here(file, vector(), **POINT)
    right = read_here(file, vector(), point={"x": "lat", "y": "lon"}, crs="EPSG:4326")
    assert right.summary.good == 50


def test_ragged_rows_and_empty_lines(tmp_path: Path) -> None:
    found = read_here(write(tmp_path / "a.csv", "a,b\n1,2\n\n3\n4,5,6\n7,8\n"), table({"a": "integer", "b": "integer"}))
    assert [r["a"] for r in found.good] == [1, 7]
    assert [r["_position"] for r in found.bad] == [1, 2]
    assert "1 columns where 2 were expected" in found.bad[0]["_reason"]


def test_header_faults(tmp_path: Path) -> None:
    with pytest.raises(SourceUnreadable, match="two columns 'a'"):
        read_here(write(tmp_path / "a.csv", "a,a\n1,2\n"), table({"a": "integer"}))
    with pytest.raises(SourceUnreadable, match="holds no rows"):
        read_here(write(tmp_path / "b.csv", "a,b\n"), table({"a": "integer"}))
    with pytest.raises(SourceUnreadable, match="well-formed"):
        read_here(write(tmp_path / "c.csv", 'a\n"x\n'), table({"a": "text"}))
    with pytest.raises(SourceMismatch, match=r"no column 'lon' for the geometry; it has a, b"):
        read_here(write(tmp_path / "d.csv", "a,b\n1,2\n"), vector(), **POINT)
    with pytest.raises(SourceMismatch, match="does not say where"):
        read_here(tmp_path / "d.csv", vector())
    with pytest.raises(CrsRefused, match="states no coordinate reference system"):
        read_here(tmp_path / "d.csv", vector(), point={"x": "a", "y": "b"})


def test_binary_is_no_table(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(bytes(range(256)) * 10)
    with pytest.raises(SourceUnreadable, match="should be a text table"):
        read_here(tmp_path / "a.csv", table({"a": "text"}))


def test_batches_agree_with_pandas(tmp_path: Path) -> None:
    frame = pd.DataFrame({"i": range(3333), "n": [i / 7 for i in range(3333)], "t": [f"é{i}" for i in range(3333)]})
    frame.to_csv(tmp_path / "a.csv", index=False)
    layer = table({"i": "integer", "n": "number", "t": "text"})
    found = read_here(tmp_path / "a.csv", layer, ReadLimits(batch_rows=100)).table.to_pandas()
    pd.testing.assert_frame_equal(found[["i", "n", "t"]].astype({"t": object}), frame.astype({"t": object}))
    assert found["_position"].tolist() == list(range(3333))


def test_tracks_are_joined_in_order_and_cut_at_180(tmp_path: Path) -> None:
    storms = "A,3,-178,14,30 A,1,176,10,20 A,2,179,12,50 B,1,5,5,9 C,2,1,1,1 C,1,0,0,2 ,1,9,9,9"
    file = write(tmp_path / "a.csv", "s,h,lon,lat,w\n" + storms.replace(" ", "\n"))
    layer = vector("line", {"storm": "text", "hour": "integer", "wind": "number"}, key=["storm"])
    found = read_here(
        file,
        layer,
        fields={"s": "storm", "h": "hour", "w": "wind"},
        assemble={"by": "storm", "order": "hour", "take": {"wind": "max", "hour": "last"}},
        **POINT,
    )
    first, second = found.good
    assert (first["storm"], first["wind"], first["hour"]) == ("A", 50, 3)
    west, east = first["geom"].geoms
    assert list(west.coords) == [(176, 10), (179, 12), (180, pytest.approx(12 + 2 / 3))]
    assert list(east.coords) == [(-180, pytest.approx(12 + 2 / 3)), (-178, 14)]
    assert (second["storm"], second["geom"].wkt, second["wind"]) == ("C", "LINESTRING (0 0, 1 1)", 2)
    reasons = sorted(r["_reason"] for r in found.bad)
    assert reasons[1] == "The line has only one point."
    assert reasons[0].startswith("Attribute 'storm' is empty")
    assert found.summary.read == found.summary.good + found.summary.bad == 4
    assert found.summary.facts["source_rows"] == 7


def test_rows_that_share_a_key(tmp_path: Path) -> None:
    file = write(tmp_path / "a.csv", "k,v,lon,lat\na,1,0,0\nb,2,1,1\na,3,2,2\na,x,3,3\n")
    layer = vector("point", {"k": "text", "v": "integer"}, key=["k"])
    every = read_here(file, layer, **POINT)
    assert [r["v"] for r in every.good] == [1, 2, 3]
    first = read_here(file, layer, repeats="first", **POINT)
    assert [(r["k"], r["v"]) for r in first.good] == [("a", 1), ("b", 2)]
    one = read_here(file, layer, repeats="collect", **POINT)
    assert [(r["k"], r["v"], r["geom"].wkt) for r in one.good] == [
        ("a", 1, "MULTIPOINT ((0 0), (2 2))"),
        ("b", 2, "POINT (1 1)"),
    ]
    for found in (first, one):
        counts = found.summary
        assert (counts.read, counts.good, counts.bad, counts.not_selected) == (4, 2, 1, 1)
        assert "repeats" in found.rules()


def test_dates_of_the_example(tmp_path: Path) -> None:
    file = write(tmp_path / "a.csv", "d\n01/02/1965\n1975-02-23T02:58:41.000Z\n31/31/2000\n")
    found = read_here(file, table({"d": "datetime"}), times={"d": ["%m/%d/%Y", "iso"]})
    assert [r["d"] for r in found.good] == [
        dt.datetime(1965, 1, 2, tzinfo=dt.UTC),
        dt.datetime(1975, 2, 23, 2, 58, 41, tzinfo=dt.UTC),
    ]
    assert "'31/31/2000', where a date and time written as %m/%d/%Y or iso was expected" in found.bad[0]["_reason"]
