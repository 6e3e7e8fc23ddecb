"""Encodings of whole files: declared, belied, decided; and rows whose bytes are no text, which keep their bytes."""

from __future__ import annotations

import json
import math
import shutil
from pathlib import Path
from typing import Any

import geopandas as gpd
import pandas as pd
import pyogrio
import pytest
import shapely

from ingest.job import Finding
from layers.errors import SourceMismatch, SourceUnreadable
from tests.ingest.reading import Result, read, read_here, table, vector

NAMES = ["东城区人民政府", "西城区", "朝阳区麦子店街道", "丰台区"]
LAYER = vector("point", {"name": "text"})


def shapefile(file: Path, encoding: str, names: list[str] = NAMES, cpg: str | None = None, language: int = 0) -> Path:
    """A Shapefile of points in an encoding, with or without a .cpg, and with a language byte."""
    shapes = [shapely.Point(100 + i, 30) for i in range(len(names))]
    frame = gpd.GeoDataFrame({"name": names}, geometry=shapes, crs="EPSG:4490")
    frame.to_file(file, encoding=encoding)
    file.with_suffix(".cpg").unlink(missing_ok=True)
    if cpg is not None:
        file.with_suffix(".cpg").write_text(cpg)
    data = bytearray(file.with_suffix(".dbf").read_bytes())
    data[29] = language
    file.with_suffix(".dbf").write_bytes(data)
    return file


def finding(found: Result, rule: str = "encoding") -> Finding:
    return next(f for f in found.summary.findings if f.rule == rule)


@pytest.mark.parametrize(
    ("encoding", "cpg", "language", "by"),
    [
        ("GB18030", "GBK", 0, "the .cpg file says"),
        ("GB18030", "936", 0, "the .cpg file says"),
        ("GB18030", None, 0x4D, "the language byte 0x4D of the table says"),
        ("GB18030", None, 0x7A, "the language byte 0x7A of the table says"),
        ("GB18030", None, 0x57, "the frequency of its characters suggests"),
        ("GB18030", None, 0, "the frequency of its characters suggests"),
        ("UTF-8", "UTF-8", 0, "the .cpg file says"),
        ("UTF-8", None, 0x57, "the frequency of its characters suggests"),
    ],
)
def test_who_decides(tmp_path: Path, encoding: str, cpg: str | None, language: int, by: str) -> None:
    found = read(shapefile(tmp_path / "a.shp", encoding, NAMES, cpg, language), LAYER)
    assert [r["name"] for r in found.good] == NAMES
    assert found.summary.encoding == encoding.lower()
    assert (finding(found).severity, by in finding(found).message) == ("info", True)


def test_big5_with_and_without_a_declaration(tmp_path: Path) -> None:
    names = ["臺北縣板橋市", "香港灣仔區", "高雄市鹽埕區"]
    for language in (0x4F, 0x78, 0):
        found = read(shapefile(tmp_path / "a.shp", "CP950", names, None, language), LAYER)
        assert [r["name"] for r in found.good] == names
        assert found.summary.encoding == "cp950"


@pytest.mark.parametrize(
    ("encoding", "cpg", "reason"), [("GB18030", "UTF-8", "no text in it"), ("UTF-8", "GBK", "make no sense in it")]
)
def test_declarations_that_lie_are_not_believed(tmp_path: Path, encoding: str, cpg: str, reason: str) -> None:
    # With an even number of Hanzi, the bytes of UTF-8 are text in GBK too, but absurd.
    names = [name + name for name in NAMES]
    found = read(shapefile(tmp_path / "a.shp", encoding, names, cpg), LAYER)
    assert [r["name"] for r in found.good] == names
    lie = finding(found, "encoding-declared")
    assert lie.severity == "warning"
    assert reason in lie.message
    assert "The .cpg file says" in lie.message


def test_the_mapping_insists(tmp_path: Path) -> None:
    """Control of the above: what the mapping says is done, however absurd, and said with little confidence."""
    found = read(
        shapefile(tmp_path / "a.shp", "UTF-8", ["朝阳区麦子店街道", "海淀"], "UTF-8"), LAYER, encoding=["GB18030"]
    )
    assert found.good[0]["name"] != "朝阳区麦子店街道"
    assert finding(found).severity == "warning"
    assert "confidence 0.00" in finding(found).message


def test_spoiled_rows_keep_their_bytes(tmp_path: Path) -> None:
    names = [f"{name}{i}" for i in range(10) for name in NAMES]
    for encoding, spoil in (("UTF-8", b"\xff"), ("GB18030", b"\xff")):
        file = shapefile(tmp_path / "a.shp", encoding, names, encoding)
        good = names[5].encode(encoding)
        bad = spoil + good[1:]
        dbf = file.with_suffix(".dbf")
        dbf.write_bytes(dbf.read_bytes().replace(good, bad))
        found = read(file, LAYER)
        assert [r["name"] for r in found.good] == names[:5] + names[6:]
        (row,) = found.bad
        assert "bytes that are no text in the encoding" in row["_reason"]
        assert bytes.fromhex(json.loads(row["_raw"])["name"].removeprefix("hex:")) == bad
        assert found.summary.encoding == encoding.lower()


def test_deleted_records_may_hold_anything(tmp_path: Path) -> None:
    file = shapefile(tmp_path / "a.shp", "UTF-8", NAMES, "UTF-8")
    dbf = file.with_suffix(".dbf")
    data = bytearray(dbf.read_bytes())
    start, width = int.from_bytes(data[8:10], "little"), int.from_bytes(data[10:12], "little")
    data[start + width] = ord("*")
    data[start + width + 1] = 0xFF
    dbf.write_bytes(data)
    found = read(file, LAYER)
    assert [r["name"] for r in found.good] == [NAMES[0], *NAMES[2:]]


def test_texts_cut_at_the_end_of_their_field(tmp_path: Path) -> None:
    file = shapefile(tmp_path / "a.shp", "UTF-8", [*NAMES, "x" * 20 + "县"], "UTF-8")
    dbf = file.with_suffix(".dbf")
    data = dbf.read_bytes()
    width = data[32 + 16]
    full = ("东" * 100).encode()[:width]
    assert full.decode(errors="ignore").encode() != full
    start = data.index("西城区".encode())
    dbf.write_bytes(data[:start] + full + data[start + width :])
    found = read(file, LAYER)
    assert found.summary.bad == 0
    assert found.good[1]["name"] == full.decode(errors="ignore")
    assert finding(found, "cut-text").count == 1


@pytest.mark.parametrize("encoding", ["gbk", "gb18030", "cp950", "utf-8", "utf-8-sig", "utf-16"])
def test_text_tables_without_a_word(tmp_path: Path, encoding: str) -> None:
    names = ["臺北縣板橋市", "香港灣仔"] if encoding == "cp950" else NAMES
    (tmp_path / "a.csv").write_bytes(("name\n" + "\n".join(names) + "\n").encode(encoding))
    found = read_here(tmp_path / "a.csv", table({"name": "text"}))
    assert [r["name"] for r in found.good] == names
    assert found.summary.encoding == {"gbk": "gb18030"}.get(encoding, encoding)


def test_spoiled_lines_of_text_tables(tmp_path: Path) -> None:
    lines = [f"{name}{i}".encode("gbk") for i in range(10) for name in NAMES]
    lines[7] = b"\xff\xff" + lines[7]
    (tmp_path / "a.csv").write_bytes(b"name,n\n" + b"".join(line + b",1\n" for line in lines))
    found = read_here(tmp_path / "a.csv", table({"name": "text", "n": "integer"}))
    assert (found.summary.good, found.summary.bad, found.summary.encoding) == (39, 1, "gb18030")
    raw = json.loads(found.bad[0]["_raw"])
    assert bytes.fromhex(raw["name"].removeprefix("hex:")) == lines[7]
    (tmp_path / "b.csv").write_bytes(b"na\xffme\n" + "\n".join(NAMES * 5).encode())
    with pytest.raises(SourceUnreadable, match=r"The header of b\.csv holds bytes that are no text"):
        read_here(tmp_path / "b.csv", table({"name": "text"}))


def test_no_encoding_at_all(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b"name\n" + bytes(range(0x80, 0x100)) * 20)
    with pytest.raises(SourceUnreadable, match="not text in any expected encoding"):
        read_here(tmp_path / "a.csv", table({"name": "text"}))
    with pytest.raises(SourceMismatch, match="unknown encoding 'klingon'"):
        read_here(tmp_path / "a.csv", table({"name": "text"}), encoding=["klingon"])


@pytest.mark.parametrize("name", ["a.tab", "a.mif"])
def test_mapinfo_without_a_charset(tmp_path: Path, name: str) -> None:
    shapes = [shapely.Point(100 + i, 30) for i in range(4)]
    frame = gpd.GeoDataFrame({"name": NAMES}, geometry=shapes, crs="EPSG:4326")
    options: dict[str, Any] = {"FORMAT": "MIF"} if name == "a.mif" else {}
    pyogrio.write_dataframe(frame, tmp_path / name, driver="MapInfo File", ENCODING="CP936", **options)
    head = (tmp_path / name).read_bytes()
    assert b"WindowsSimpChinese" in head
    (tmp_path / name).write_bytes(head.replace(b"WindowsSimpChinese", b"Neutral"))
    found = read(tmp_path / name, LAYER)
    assert [r["name"] for r in found.good] == NAMES
    assert found.summary.encoding == "gb18030"
    shutil.copy(tmp_path / name, tmp_path / f"b{Path(name).suffix}")
    (tmp_path / name).write_bytes(head.replace(b"WindowsSimpChinese", b"WindowsTradChinese"))
    lied = read(tmp_path / name, LAYER)
    assert [r["name"] for r in lied.good] == NAMES
    assert "encoding-declared" in lied.rules()


def test_mapinfo_lines_that_are_no_text(tmp_path: Path) -> None:
    names = [f"{name}{i}" for i in range(10) for name in NAMES]
    shapes = [shapely.Point(100 + i / 10, 30) for i in range(40)]
    frame = gpd.GeoDataFrame({"name": names}, geometry=shapes, crs="EPSG:4326")
    pyogrio.write_dataframe(frame, tmp_path / "a.mif", driver="MapInfo File", ENCODING="CP936", FORMAT="MIF")
    mid = tmp_path / "a.mid"
    mid.write_bytes(mid.read_bytes().replace(names[9].encode("gbk"), b"\xff\xff" + names[9].encode("gbk")))
    found = read(tmp_path / "a.mif", LAYER)
    assert [r["name"] for r in found.good] == names[:9] + names[10:]
    kept = json.loads(found.bad[0]["_raw"])["name"]
    assert b"\xff\xff" in bytes.fromhex(kept.removeprefix("hex:"))


def test_binary_numbers_of_mapinfo_are_no_text(tmp_path: Path) -> None:
    count = 300
    columns = {
        "name": [NAMES[i % len(NAMES)] for i in range(count)],
        "area": [math.sqrt(i) * 1e5 + 0.1 for i in range(count)],
        "floors": [i * 1_000_003 for i in range(count)],
        "day": pd.to_datetime(["2020-01-02"] * count),
    }
    frame = gpd.GeoDataFrame(columns, geometry=[shapely.Point(100 + i / 10, 30) for i in range(count)], crs="EPSG:4326")
    pyogrio.write_dataframe(frame, tmp_path / "a.tab", driver="MapInfo File", ENCODING="CP936")
    head = (tmp_path / "a.tab").read_bytes()
    (tmp_path / "a.tab").write_bytes(head.replace(b"WindowsSimpChinese", b"Neutral"))
    found = read(
        tmp_path / "a.tab", vector("point", {"name": "text", "area": "number", "floors": "integer", "day": "date"})
    )
    assert found.summary.encoding == "gb18030"
    assert "cut-text" not in found.rules()
    assert not found.bad
    assert [(r["name"], r["area"], r["floors"]) for r in found.good] == list(
        zip(columns["name"], columns["area"], columns["floors"], strict=True)
    )
    assert {str(r["day"]) for r in found.good} == {"2020-01-02"}
