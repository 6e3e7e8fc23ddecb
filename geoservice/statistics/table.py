"""Statistics as files: CSV and a workbook, neither with anything that a spreadsheet would calculate."""

from __future__ import annotations

import csv
import importlib
import io
from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from geoservice.formats.text import defused
from geoservice.formats.workbook import Sheet
from geoservice.statistics.answer import Written

_WIDE, _NARROW = 24.0, 14.0


def csv_of(written: Written) -> bytes:
    """CSV in UTF-8 with a header; figures that are not known are empty."""
    made = io.StringIO()
    writer = csv.writer(made, lineterminator="\r\n")
    writer.writerows([written.head(), *(_plain(row) for row in written.rows())])
    return made.getvalue().encode()


def workbook_of(written: Written) -> bytes:
    """A workbook (XLSX): a sheet of figures, and one that says what they are."""
    book: Any = importlib.import_module("openpyxl").Workbook(write_only=True)
    head = written.head()
    sheet = Sheet(book, "statistics")
    sheet.look([_WIDE if name.endswith(("_zh", "_en")) else _NARROW for name in head])
    sheet.append(head)
    for row in written.rows():
        sheet.append(row)
    about = Sheet(book, "about")
    about.look([_NARROW, _WIDE])
    for fact in written.facts():
        about.append(fact)
    made = io.BytesIO()
    book.save(made)
    return made.getvalue()


def _plain(row: Sequence[Any]) -> list[Any]:
    texts = pa.array([value if isinstance(value, str) else None for value in row], pa.string())
    return [value if text is None else text for value, text in zip(row, defused(texts).to_pylist(), strict=True)]
