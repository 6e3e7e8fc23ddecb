"""Excel workbooks (XLSX) without formulas: a sheet of rows, and one that says what the file is.

Texts are texts, whatever they begin with. What a workbook cannot hold is changed and counted on the second sheet: texts
are cut at 32,767 characters, characters that XML has no word for are replaced.
"""

from __future__ import annotations

import datetime as dt
import importlib
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import shapely

from geoservice.formats.shapes import shapes_of
from geoservice.formats.subject import GEOMETRY, Batches, Subject
from layers.crs import describe
from layers.errors import NotAcceptable

MOST_ROWS = 1_048_575
"""Rows of a sheet, besides the header."""
_MOST_CHARACTERS = 32_767
_MOST_EXACT = 2**53
_NO_TEXT = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_SHEET, _ABOUT = "rows", "about"
_WKT = "geometry"


class Sheet:
    """One sheet, written row by row; `changed` counts cells that did not fit, `rows` the rows."""

    def __init__(self, book: Any, title: str) -> None:
        """Add a sheet to a workbook that is only written."""
        self._sheet = book.create_sheet(title)
        self._cell = importlib.import_module("openpyxl.cell").WriteOnlyCell
        self.changed = 0
        self.rows = 0

    def append(self, values: Sequence[Any]) -> None:
        """Write a row; a text is a text, whatever it begins with."""
        self._sheet.append([self._made(value) for value in values])
        self.rows += 1

    def look(self, widths: Sequence[float]) -> None:
        """Before the first row: widths of the columns in characters; the header stays while one scrolls."""
        letter = importlib.import_module("openpyxl.utils").get_column_letter
        for number, width in enumerate(widths, 1):
            self._sheet.column_dimensions[letter(number)].width = width
        self._sheet.freeze_panes = "A2"

    def _made(self, value: Any) -> Any:
        if isinstance(value, int) and not isinstance(value, bool) and abs(value) > _MOST_EXACT:
            value = str(value)
        if isinstance(value, dt.datetime):
            # A workbook knows no time zones.
            value = value.astimezone(dt.UTC).isoformat().replace("+00:00", "Z")
        if not isinstance(value, str) or not value:
            return value
        text = _NO_TEXT.sub("\ufffd", value)[:_MOST_CHARACTERS]
        self.changed += text != value
        cell = self._cell(self._sheet, text)
        # Of a text that begins with = the library makes a formula, and an error of #N/A.
        cell.data_type = "s"
        cell.quotePrefix = True
        return cell


def write_workbook(subject: Subject, batches: Batches, file: Path) -> None:
    """A workbook; geometries are WKT.

    Raises:
        NotAcceptable: When there are more rows than a sheet has.
    """
    book = importlib.import_module("openpyxl").Workbook(write_only=True)
    rows = Sheet(book, _SHEET)
    names = [name for name in subject.schema.names if name != GEOMETRY]
    rows.append([*names, _WKT] if subject.spatial else names)
    for batch in batches:
        if rows.rows + batch.num_rows > MOST_ROWS + 1:
            raise NotAcceptable(f"A sheet holds {MOST_ROWS:,} rows; ask for fewer, or for another format.")
        for values in zip(*_columns(subject, batch), strict=True):
            rows.append(list(values))
    _say(book, subject, rows.changed)
    book.save(file)


def _columns(subject: Subject, batch: pa.RecordBatch) -> list[list[Any]]:
    found = [batch.column(name).to_pylist() for name in batch.schema.names if name != GEOMETRY]
    if subject.spatial:
        found.append(list(shapely.to_wkt(shapes_of(batch), rounding_precision=subject.decimals, trim=True)))
    return found


def _say(book: Any, subject: Subject, changed: int) -> None:
    sheet = Sheet(book, _ABOUT)
    facts = {**subject.about.facts(), "crs": describe(subject.crs), "changed_cells": changed}
    for name, value in facts.items():
        sheet.append([name, value])
