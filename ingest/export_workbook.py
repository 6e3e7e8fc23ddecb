"""Texts as an Excel workbook whose cells are all texts: no formula, no date, no number that loses its zeros."""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable, Iterable, Sequence
from typing import BinaryIO

from layers.errors import SourceMismatch

MOST_CHARACTERS = 32_767
"""What a cell of a workbook holds; libraries cut longer texts without a word."""
_SHEET = "quarantine"
_NO_TEXT = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


def write_workbook(rows: Callable[[], Iterable[Sequence[str]]], handle: BinaryIO) -> None:
    """Write one sheet, row by row, so that memory does not grow with the rows.

    Args:
        rows: Gives the rows from the first on, the header among them; asked twice.
        handle: Where to.

    Raises:
        SourceMismatch: When a text is too long for a cell, or holds a character that no workbook can hold.
    """
    for row in rows():
        # Before anything is written: a sheet that is given up leaves its temporary file behind.
        _refuse(row)
    # Opening these libraries takes a while, which nobody else of this process need wait for.
    book = importlib.import_module("openpyxl").Workbook(write_only=True)
    cell_of = importlib.import_module("openpyxl.cell").WriteOnlyCell
    sheet = book.create_sheet(_SHEET)
    for row in rows():
        cells = []
        for text in row:
            cell = cell_of(sheet, text or None)
            if text:
                # Of a text that begins with = the library makes a formula, and an error of #N/A.
                cell.data_type = "s"
                cell.quotePrefix = True
            cells.append(cell)
        sheet.append(cells)
    book.save(handle)


def _refuse(row: Sequence[str]) -> None:
    for text in row:
        if len(text) > MOST_CHARACTERS:
            raise SourceMismatch(
                f"Row {row[0][:20]} holds a text of {len(text):,} characters; a cell of a workbook holds "
                f"{MOST_CHARACTERS:,}. Export the rows as CSV, GeoJSON or GeoPackage."
            )
        if _NO_TEXT.search(text):
            raise SourceMismatch(
                f"Row {row[0][:20]} holds a control character, which a workbook cannot keep. Export the rows as CSV, "
                "GeoJSON or GeoPackage."
            )
