"""Exports of quarantine for spreadsheets and maps, opened by libraries that did not write them."""

from __future__ import annotations

import csv
import io
import re
import sqlite3
import zipfile
from pathlib import Path
from typing import Any

import geopandas as gpd
import openpyxl
import pytest
import shapely

from ingest import exporting
from ingest.export_workbook import MOST_CHARACTERS
from ingest.exporting import export, exported, is_read_back, mend_from
from ingest.raw import RawRow
from ingest.set_aside import SetAside
from layers.errors import SourceMismatch, SourceMissing

SIGNS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
FORMULA = 'HYPERLINK("http://127.0.0.1/"&A1)'
READER = {"crs": "EPSG:4527"}


def aside(number: int, fields: dict[str, Any], geometry: shapely.Geometry | None = None, **facts: Any) -> SetAside:
    known = {"reason": "r", "first_reason": "f", "row": number, "source": "a.shp", "reader": READER, **facts}
    return SetAside(number, known, RawRow(fields, geometry), None)


def hostile() -> list[SetAside]:
    """Every sign in a value, a field name, a reason and a source name."""
    return [
        aside(i, {"code": "0101", f"{sign}{FORMULA}": "x", "value": f"{sign}{FORMULA}"}, reason=f"{sign}{FORMULA}",
              first_reason=f"{sign}1+1", source=f"{sign}{FORMULA}.csv")
        for i, sign in enumerate(SIGNS, start=1)
    ]  # fmt: skip


def spreadsheet_cells(kind: str) -> list[str]:
    content = exported(hostile(), kind)
    if kind == "csv":
        return [cell for line in csv.reader(io.StringIO(content.decode("utf-8-sig"), newline="")) for cell in line]
    book = openpyxl.load_workbook(io.BytesIO(content))
    return [str(cell.value) for row in book.worksheets[0].iter_rows() for cell in row if cell.value is not None]


@pytest.mark.parametrize("kind", ["csv", "xlsx"])
def test_no_cell_is_a_formula(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    cells = spreadsheet_cells(kind)
    assert sum(FORMULA in cell for cell in cells) == 4 * len(SIGNS), "nothing is left out either"
    assert not [cell for cell in cells if cell.startswith(SIGNS)]
    monkeypatch.setattr(exporting, "defused", lambda text: text)
    assert [cell for cell in spreadsheet_cells(kind) if cell.startswith(SIGNS)], "the control: without it they are"


def test_a_workbook_holds_texts_and_no_formulas_in_its_very_bytes() -> None:
    rows = [aside(1, {"code": "0101", "day": "2026-01-02", "error": "#N/A", "number": -1.5})]
    content = exported(rows, "xlsx")
    with zipfile.ZipFile(io.BytesIO(content)) as parts:
        sheet = parts.read("xl/worksheets/sheet1.xml").decode()
        assert "quotePrefix" in parts.read("xl/styles.xml").decode()
    assert "<f>" not in sheet
    assert set(re.findall(r'<c [^>]*\bt="(\w+)"', sheet)) <= {"s", "inlineStr"}
    (_, row) = openpyxl.load_workbook(io.BytesIO(content)).worksheets[0].iter_rows(values_only=True)
    assert row == ("1", "r", "f", "1", "a.shp", None, "0101", "2026-01-02", "#N/A", "-1.5")


@pytest.mark.parametrize(
    ("text", "said"), [("x" * (MOST_CHARACTERS + 1), "32,768 characters"), ("a\x07b", "control character")]
)
def test_what_a_workbook_cannot_hold_is_refused_and_not_cut(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "bad.xlsx"
    with pytest.raises(SourceMismatch, match=said):
        export([aside(7, {"name": text})], file)
    assert not file.exists()
    assert exported([aside(7, {"name": "x" * MOST_CHARACTERS})], "xlsx")


def test_a_geopackage_keeps_fields_geometries_and_crs(tmp_path: Path) -> None:
    line = [[39447950.0, 4419435.0, 5.0], [39447951.0, 4419436.0, 6.0]]
    shapes = [shapely.Point(39447950.515, 4419435.79), None, shapely.LineString(line)]
    fields = {"Name": "=1+1", "NAME": "0101", "fid": 7, "geom": "g", "$reason": "theirs"}
    rows = [aside(i, fields, shape) for i, shape in enumerate(shapes, start=1)]
    file = tmp_path / "bad.gpkg"
    export(rows, file)
    frame = gpd.read_file(file)
    assert frame.crs.to_epsg() == 4527
    assert list(frame["$quarantine"]) == ["1", "2", "3"]
    assert (frame["Name"][0], frame["NAME_2"][0], frame["fid_2"][0], frame["geom_2"][0]) == ("=1+1", "0101", "7", "g")
    assert (frame["$reason"][0], frame["$reason_2"][0]) == ("r", "theirs")
    assert frame.geometry[0].equals_exact(shapes[0], 0)
    assert frame.geometry[1] is None
    assert shapely.get_coordinates(frame.geometry[2], include_z=True).tolist() == line
    with sqlite3.connect(file) as database:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_a_geopackage_without_crs_states_none(tmp_path: Path) -> None:
    export([aside(1, {"a": "1"}, shapely.Point(1, 2), reader=None)], tmp_path / "bad.gpkg")
    with sqlite3.connect(tmp_path / "bad.gpkg") as database:
        assert database.execute("SELECT srs_id FROM gpkg_contents").fetchone()[0] in (-1, 0)


@pytest.mark.parametrize("suffix", [".geojson", ".gpkg"])
def test_an_export_that_fails_leaves_no_file(tmp_path: Path, suffix: str) -> None:
    mixed = [aside(1, {}, shapely.Point(1, 2)), aside(2, {}, shapely.Point(1, 2), reader={"crs": "EPSG:4490"})]
    with pytest.raises(SourceMismatch, match="different CRS"):
        export(mixed, tmp_path / f"bad{suffix}")
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "there.csv").write_text("mine")
    with pytest.raises(SourceMissing):
        export(mixed, tmp_path / "there.csv")
    assert (tmp_path / "there.csv").read_text() == "mine"


@pytest.mark.parametrize("name", ["bad.xlsx", "bad.gpkg"])
def test_workbooks_and_geopackages_are_not_read_back(tmp_path: Path, name: str) -> None:
    assert not is_read_back(tmp_path / name)
    assert is_read_back(tmp_path / "bad.CSV")
    with pytest.raises(SourceMismatch, match=f"save {re.escape(name)} as one of them"):
        mend_from(None, tmp_path / name)  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", ["csv", "xlsx", "geojson", "gpkg"])
def test_no_rows_are_an_empty_file_of_the_format(kind: str) -> None:
    assert exported([], kind)
