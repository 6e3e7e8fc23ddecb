"""Excel workbooks: written by openpyxl, and by hand where openpyxl writes only what is right."""

from __future__ import annotations

import datetime as dt
import re
import zipfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from ingest.job import ReadLimits
from layers.errors import SourceMismatch, SourceUnreadable
from tests.ingest.reading import read, read_here, table, vector

LAYER = table({"code": "text", "name": "text", "amount": "number", "count": "integer", "open": "boolean"})
HEADER = ["code", "name", "amount", "count", "open"]
ROWS: list[list[Any]] = [["0101", "东城区", 1.25, 3, True], ["0102", "西城区", None, -4, False]]


def book(file: Path, *rows: list[Any], **more: list[list[Any]]) -> Path:
    """A workbook with these rows in its first sheet, and further sheets by name."""
    written = openpyxl.Workbook()
    sheet = written.active
    assert sheet is not None
    for row in rows:
        sheet.append(row)
    for name, others in more.items():
        other = written.create_sheet(name)
        for row in others:
            other.append(row)
    written.save(file)
    return file


def changed(file: Path, part: str, change: Callable[[str], str]) -> Path:
    """The workbook with one XML part changed."""
    with zipfile.ZipFile(file) as archive:
        parts = {m: archive.read(m) for m in archive.namelist()}
    assert change(parts[part].decode()) != parts[part].decode()
    parts[part] = change(parts[part].decode()).encode()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in parts.items():
            archive.writestr(name, data)
    return file


def test_values_of_every_kind(tmp_path: Path) -> None:
    moments = [dt.datetime(2026, 1, 2, 3, 4, 5), dt.datetime(1999, 12, 31)]
    rows = [[*row, moment.date(), moment] for row, moment in zip(ROWS, moments, strict=True)]
    file = book(tmp_path / "a.xlsx", [*HEADER, "day", "moment"], *rows)
    attributes = {n: a.type for n, a in LAYER.attributes.items()} | {"day": "date", "moment": "datetime"}
    found = read(file, table(attributes))
    assert [[r[n] for n in HEADER] for r in found.good] == ROWS
    assert [r["day"] for r in found.good] == [m.date() for m in moments]
    assert [r["moment"].replace(tzinfo=None) for r in found.good] == moments
    assert (found.summary.driver, found.summary.facts["sheet"]) == ("XLSX", "Sheet")


def test_points_and_wkt_as_in_text_tables(tmp_path: Path) -> None:
    file = book(
        tmp_path / "a.xlsx", ["lon", "lat", "g"], [104.25, "30.5", "POINT(1 2)"], [None, 3, None], ["x", 1, "y"]
    )
    found = read_here(file, vector(), point={"x": "lon", "y": "lat"}, crs="EPSG:4490")
    assert [r["geom"].wkt for r in found.good] == ["POINT (104.25 30.5)"]
    assert "Only one of the coordinates" in found.bad[0]["_reason"]
    assert "'x', where a number was expected" in found.bad[1]["_reason"]
    (good,) = read_here(file, vector(), wkt="g", crs="EPSG:4490").good
    assert good["geom"].wkt == "POINT (1 2)"
    with pytest.raises(SourceMismatch, match="no column 'east'"):
        read_here(file, vector(), point={"x": "east", "y": "lat"}, crs="EPSG:4490")


def test_sheets(tmp_path: Path) -> None:
    file = book(tmp_path / "a.xlsx", HEADER, *ROWS, two=[HEADER, *ROWS[:1]], empty=[])
    with pytest.raises(SourceMismatch, match="the sheets Sheet, two; the mapping must name one"):
        read_here(file, LAYER)
    assert len(read_here(file, LAYER, sublayer="two").good) == 1
    with pytest.raises(SourceMismatch, match="no sheet 'three'; it has Sheet, two, empty"):
        read_here(file, LAYER, sublayer="three")
    assert len(read_here(book(tmp_path / "b.xlsx", HEADER, *ROWS, empty=[]), LAYER).good) == 2


def test_error_cells_and_formulas(tmp_path: Path) -> None:
    file = book(tmp_path / "a.xlsx", ["name", "amount"], ["a", "#N/A"], ["b", "=1+1"], ["#DIV/0!", 5])
    found = read_here(file, LAYER)
    assert [(r["name"], r["amount"]) for r in found.rows] == [("a", None), ("b", None), (None, 5)]
    counts = Counter({(f.rule, f.message): f.count for f in found.summary.findings})
    assert sorted(rule for rule, _ in counts.elements()) == ["error-cell", "error-cell", "formula"]
    changed(file, "xl/worksheets/sheet1.xml", lambda x: re.sub(r"<f>1\+1</f>(<v ?/>|<v></v>)", "<f>1+1</f><v>2</v>", x))
    cached = read_here(file, LAYER)
    assert [r["amount"] for r in cached.rows] == [None, 2, 5]
    assert "formula" not in cached.rules()


def test_rows_keep_their_place_in_the_sheet(tmp_path: Path) -> None:
    file = book(tmp_path / "a.xlsx", [], ["name"], ["a"], [], [None], ["b"], ["c", "over"])
    found = read_here(file, LAYER)
    assert [(r["name"], r["_position"]) for r in found.rows] == [("a", 0), ("b", 3), ("c", 4)]
    assert "2 cells where 1 were expected" in found.bad[0]["_reason"]
    assert found.summary.read == 3


def test_headers_that_cannot_serve(tmp_path: Path) -> None:
    written = openpyxl.Workbook()
    sheet = written.active
    assert sheet is not None
    for row in (["name", None], ["x", "y"], ["z", "w"]):
        sheet.append(row)
    sheet.merge_cells("A1:B1")
    written.save(tmp_path / "merged.xlsx")
    with pytest.raises(SourceUnreadable, match=r"\(row 1\) has the merged cells A1:B1"):
        read_here(tmp_path / "merged.xlsx", LAYER)
    with pytest.raises(SourceUnreadable, match="two columns 'name'"):
        read_here(book(tmp_path / "double.xlsx", ["name", "name"], ["a", "b"]), LAYER)
    with pytest.raises(SourceUnreadable, match="no visible sheet with a filled cell"):
        read_here(book(tmp_path / "empty.xlsx"), LAYER)


def test_dimensions_that_lie(tmp_path: Path) -> None:
    file = book(tmp_path / "a.xlsx", HEADER, *ROWS)
    dimension = '<dimension ref="A1:XFD1048576"/>'
    changed(file, "xl/worksheets/sheet1.xml", lambda x: re.sub("<dimension[^>]*/>", dimension, x))
    assert len(read_here(file, LAYER).good) == 2


@pytest.mark.parametrize("part", ["xl/worksheets/sheet1.xml", "xl/workbook.xml", "[Content_Types].xml", "_rels/.rels"])
def test_document_types_are_refused_in_every_part(tmp_path: Path, part: str) -> None:
    file = book(tmp_path / "a.xlsx", HEADER, *ROWS)
    entity = '<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/hostname">]>'
    changed(file, part, lambda x: re.sub(r"^(<\?xml[^>]*>)?", lambda m: m.group(0) + entity, x, count=1))
    with pytest.raises(SourceUnreadable, match="declares a document type"):
        read_here(file, LAYER)


def test_bombs_and_big_texts(tmp_path: Path) -> None:
    file = book(tmp_path / "a.xlsx", HEADER, *ROWS)
    with zipfile.ZipFile(file, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/media/x.bin", bytes(100 << 20))
    with pytest.raises(SourceUnreadable, match="times its size, as no honest data does"):
        read_here(file, LAYER)
    texts = book(tmp_path / "b.xlsx", ["name"], *[[f"{i}" * 20] for i in range(1000)])
    with zipfile.ZipFile(texts, "a") as archive:
        archive.writestr("xl/sharedStrings.xml", f"<sst>{'<si><t>text</t></si>' * 1000}</sst>")
    with pytest.raises(SourceUnreadable, match="texts, more than the 0 MiB that can be kept; save it as CSV"):
        read_here(texts, LAYER, ReadLimits(memory=64 << 10))
    assert len(read_here(texts, LAYER, ReadLimits(batch_rows=300)).good) == 1000


def test_protected_and_damaged(tmp_path: Path) -> None:
    file = book(tmp_path / "a.xlsx", HEADER, *ROWS)
    data = file.read_bytes()
    file.write_bytes(data[: len(data) // 2])
    with pytest.raises(SourceUnreadable):
        read_here(file, LAYER)
    file.write_bytes(data)
    changed(file, "xl/worksheets/sheet1.xml", lambda x: x[: len(x) // 2])
    with pytest.raises(SourceUnreadable, match="damaged workbook"):
        read_here(file, LAYER)
