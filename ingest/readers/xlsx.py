"""Excel workbooks (XLSX): one sheet as a table, row by row, whatever its length.

The first row that is not empty is the header. Formulas count by the value that the program which saved the workbook
computed; error cells are empty. Both leave a finding.
"""

from __future__ import annotations

import contextlib
import re
import warnings
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator
from datetime import time, timedelta
from itertools import islice
from typing import Any
from xml.etree.ElementTree import ParseError

import numpy as np
import openpyxl
from lxml.etree import XMLSyntaxError
from openpyxl.utils.exceptions import InvalidFileException

from ingest.readers.archive import checked_members
from ingest.readers.columns import column
from ingest.readers.placing import geometry_columns, headings, place
from ingest.readers.source import Chunk, Request, Source
from ingest.readers.workbook import SheetFacts, look_through, refuse_big_strings
from layers.errors import SourceMismatch, SourceUnreadable

_RANGE = re.compile(r"^[A-Z]+(\d+):[A-Z]+(\d+)$")
_ERRORS = frozenset({"#N/A", "#REF!", "#DIV/0!", "#VALUE!", "#NAME?", "#NUM!", "#NULL!", "#GETTING_DATA"})
_FAULTS = (
    InvalidFileException,
    zipfile.BadZipFile,
    zlib.error,
    ParseError,
    XMLSyntaxError,
    EOFError,
    KeyError,
    ValueError,
    TypeError,
    AttributeError,
    IndexError,
    OverflowError,
)
"""What openpyxl raises for workbooks that are not as they should be; it has no error of its own for most."""

Row = tuple[Any, ...]


def open_xlsx(request: Request) -> Source:
    """Open one sheet of a workbook: the mapping's `sublayer`, or the only one that is visible.

    Raises:
        SourceUnreadable: When the workbook is damaged, protected, a bomb, or its sheet has no usable header.
        SourceMismatch: When it has several sheets and the mapping names none, or coordinate columns are missing.
    """
    with _archive(request) as archive:
        checked_members(request, archive)
        refuse_big_strings(request, archive)
        facts = look_through(request, archive)
    with _faults(request), _workbook(request) as book:
        sheet = _sheet(request, book)
        number, written = _header(request, sheet)
        found = facts.get(getattr(sheet, "_worksheet_path", "").lstrip("/"), SheetFacts())
        title = str(sheet.title)
    fields = headings(request, written)
    _refuse_merged(request, found, number)
    if found.uncached:
        message = "Formulas were never computed by the program that saved the workbook; their cells are empty."
        request.notes.add("formula", "warning", message, count=found.uncached)
    return Source(
        driver="XLSX",
        fields=fields,
        chunks=lambda: _chunks(request, title, fields, number),
        has_geometry=geometry_columns(request, fields),
        lonlat_table=request.plan.mapping.point is not None,
        facts={"sheet": title},
    )


def _archive(request: Request) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(request.file)
    except (zipfile.BadZipFile, NotImplementedError, OSError) as error:
        raise _damaged(request, error) from error


def _damaged(request: Request, error: Exception) -> SourceUnreadable:
    return SourceUnreadable(f"{request.name} is a damaged workbook: {str(error)[:200]}.", source=request.name)


@contextlib.contextmanager
def _faults(request: Request) -> Iterator[None]:
    try:
        with warnings.catch_warnings():
            # It tells of styles, validations and extensions that it leaves out; none of them is data.
            warnings.simplefilter("ignore", UserWarning)
            yield
    except _FAULTS as error:
        raise _damaged(request, error) from error


@contextlib.contextmanager
def _workbook(request: Request) -> Iterator[Any]:
    book = openpyxl.load_workbook(request.file, read_only=True, data_only=True, keep_links=False)
    try:
        yield book
    finally:
        book.close()


def _sheet(request: Request, book: Any) -> Any:
    sheets = {str(s.title): s for s in book.worksheets}
    wanted = request.plan.mapping.sublayer
    if wanted is not None:
        if wanted not in sheets:
            raise SourceMismatch(f"{request.name} has no sheet {wanted!r}; it has {', '.join(sheets) or 'none'}.")
        return sheets[wanted]
    filled = [n for n, s in sheets.items() if s.sheet_state == "visible" and next(_rows(s), None) is not None]
    if not filled:
        raise SourceUnreadable(f"{request.name} has no visible sheet with a filled cell.", source=request.name)
    if len(filled) > 1:
        raise SourceMismatch(
            f"{request.name} has the sheets {', '.join(filled)}; the mapping must name one as sublayer.", sheets=filled
        )
    return sheets[filled[0]]


def _rows(sheet: Any) -> Iterator[tuple[int, Row]]:
    """Number (from 1) and values of each row that is not empty; without the empty cells at its end."""
    # A dimension that the file states may be wrong, or claim millions of empty columns.
    sheet.reset_dimensions()
    for number, row in enumerate(sheet.iter_rows(values_only=True), start=1):
        width = next((i for i in range(len(row), 0, -1) if row[i - 1] not in (None, "")), 0)
        if width:
            yield number, tuple(row[:width])


def _header(request: Request, sheet: Any) -> tuple[int, tuple[str, ...]]:
    """Number of the row with the header (0 = none) and the names of the columns."""
    mapping = request.plan.mapping
    if not mapping.header:
        return 0, mapping.columns
    number, row = next(_rows(sheet), (0, ()))
    if not number:
        raise SourceUnreadable(f"The sheet {sheet.title!r} of {request.name} holds no rows.", source=request.name)
    names = tuple(mapping.columns) or tuple("" if v is None else str(v).strip() for v in row)
    double = next((n for n, times in Counter(names).items() if n and times > 1), None)
    if double is not None:
        raise SourceUnreadable(f"{request.name} has two columns {double!r}.", source=request.name)
    return number, tuple(n or f"column_{i + 1}" for i, n in enumerate(names))


def _refuse_merged(request: Request, facts: SheetFacts, number: int) -> None:
    for merged in facts.merged:
        match = _RANGE.match(merged)
        if match and int(match.group(1)) <= number <= int(match.group(2)):
            raise SourceUnreadable(
                f"The header of {request.name} (row {number}) has the merged cells {merged}; give each column a "
                "heading of its own.",
                source=request.name,
            )


def _chunks(request: Request, title: str, fields: tuple[str, ...], header: int) -> Iterator[Chunk]:
    with _faults(request), _workbook(request) as book:
        rows = (found for found in _rows(book[title]) if found[0] > header)
        while block := list(islice(rows, request.plan.limits.batch_rows)):
            yield _chunk(request, block, fields, header)


def _chunk(request: Request, block: list[tuple[int, Row]], fields: tuple[str, ...], header: int) -> Chunk:
    position = np.array([number - header - 1 for number, _ in block], dtype=np.int64)
    width = len(fields)
    broken = {
        i: f"The row has {len(row)} cells where {width} were expected."
        for i, (_, row) in enumerate(block)
        if len(row) > width
    }
    rows = [(row + (None,) * width)[:width] for _, row in block]
    chunk = Chunk(position, {}, broken=broken)
    for name, values in zip(fields, zip(*rows, strict=True), strict=True):
        chunk.fields[name] = column([_value(v) for v in values])
        wrong = [i for i, v in enumerate(values) if isinstance(v, str) and v in _ERRORS]
        if wrong:
            message = f"Error cells of the column {name!r} (such as #N/A) are empty."
            request.notes.add("error-cell", "warning", message, position[wrong])
    place(chunk, request.plan.mapping)
    return chunk


def _value(value: Any) -> Any:
    if isinstance(value, str):
        return None if value in _ERRORS else value
    return value.isoformat() if isinstance(value, time) else str(value) if isinstance(value, timedelta) else value
