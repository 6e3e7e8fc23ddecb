"""CSV (RFC 4180): UTF-8, a header, commas. Values are kept as they are written, so that codes keep their zeros."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.csv
from pyarrow.compute import cast

from geoservice.queries.errors import TableUnreadable
from geoservice.queries.tables.model import MOST_COLUMNS, Batch, Columns, Places, shown
from geoservice.queries.tables.places import places_of

MEDIA = "text/csv"
_BLOCK_BYTES = 4 << 20
_HEADER_BYTES = 1 << 20
_FIRST_ROW = 2
"""The parser counts rows from 1 and the header with them."""


class CommaTable:
    """A CSV file."""

    def __init__(self, file: BinaryIO, columns: Columns, most_vertices: int) -> None:
        """Read the header.

        Raises:
            TableUnreadable: When there is none, it names a column twice, or has none that say where a row lies.
        """
        self.names = _header(file)
        self._columns = columns.among(self.names)
        self._most_vertices = most_vertices
        self._file = file
        self._skipped = list[tuple[int, str]]()
        self._header_sent = False

    def batches(self) -> Iterator[Batch]:
        """The rows in order; one with too few or too many values is there with its fault and without values."""
        position = 0
        try:
            for part in self._reader():
                whole, faults = self._with_skipped(part, position)
                position += whole.num_rows
                yield self._batch(whole, faults)
        except pa.ArrowInvalid as error:
            yield self._last(f"The rest of the table cannot be read: {error}."[:400])
        if self._skipped or not position:
            # A table without rows has an answer with a header.
            nothing = pa.RecordBatch.from_arrays([pa.array([], pa.binary())] * len(self.names), names=self.names)
            yield self._batch(*self._with_skipped(nothing, position))

    def _reader(self) -> Any:
        self._file.seek(0)
        binary = dict.fromkeys(self.names, pa.binary())
        return pyarrow.csv.open_csv(
            self._file,
            # Only one thread knows the numbers of rows.
            read_options=pyarrow.csv.ReadOptions(use_threads=False, block_size=_BLOCK_BYTES),
            parse_options=pyarrow.csv.ParseOptions(newlines_in_values=True, invalid_row_handler=self._skip),
            convert_options=pyarrow.csv.ConvertOptions(
                check_utf8=False, column_types=binary, strings_can_be_null=False, null_values=[]
            ),
        )

    def _skip(self, row: Any) -> str:
        found = f"The row has {row.actual_columns} values, the header {row.expected_columns}: {shown(row.text)}."
        self._skipped.append((row.number - _FIRST_ROW, found))
        return "skip"

    def _with_skipped(self, part: pa.RecordBatch, position: int) -> tuple[pa.RecordBatch, dict[int, str]]:
        """The rows of a part with those that the parser left out where they stood, empty."""
        places, faults = list[int | None](range(part.num_rows)), dict[int, str]()
        while self._skipped and self._skipped[0][0] - position <= len(places):
            number, said = self._skipped.pop(0)
            places.insert(number - position, None)
            faults[number - position] = said
        return (part.take(pa.array(places, pa.int64())) if faults else part), faults

    def _batch(self, part: pa.RecordBatch, faults: dict[int, str]) -> Batch:
        texts = [self._text(column, faults) for column in part.columns]
        content = pa.RecordBatch.from_arrays(texts, names=self.names)
        places = places_of(content, self._columns, self._most_vertices)
        return Batch(content, part.num_rows, Places(places.x, places.y, places.shapes, {**places.faults, **faults}))

    def _text(self, column: pa.Array, faults: dict[int, str]) -> pa.Array:
        try:
            return cast(column, pa.string())
        except pa.ArrowInvalid:
            values = list[str | None]()
            for row, value in enumerate(column.to_pylist()):
                text = None if value is None else value.decode("utf-8", "replace")
                if text is not None and text.encode() != value:
                    faults.setdefault(row, "The row is not written in UTF-8.")
                values.append(text)
            return pa.array(values, pa.string())

    def _last(self, said: str) -> Batch:
        content = pa.RecordBatch.from_arrays([pa.nulls(1, pa.string())] * len(self.names), names=self.names)
        places = places_of(content, self._columns, self._most_vertices)
        return Batch(content, 1, Places(places.x, places.y, places.shapes, {0: said}))

    def encode(self, batch: Batch, added: pa.RecordBatch) -> bytes:
        """Rows as CSV; the header comes before the first ones."""
        content: pa.RecordBatch = batch.content
        whole = pa.RecordBatch.from_arrays([*content.columns, *added.columns], names=[*self.names, *added.schema.names])
        sink = io.BytesIO()
        header = not self._header_sent
        self._header_sent = True
        pyarrow.csv.write_csv(whole, sink, pyarrow.csv.WriteOptions(include_header=header))
        return sink.getvalue()

    def ending(self) -> bytes:
        """Nothing."""
        return b""


def _header(file: BinaryIO) -> tuple[str, ...]:
    file.seek(0)
    try:
        text = file.read(_HEADER_BYTES).decode("utf-8-sig", "ignore")
        names = next(csv.reader(io.StringIO(text, newline="")), [])
    except csv.Error as error:
        raise TableUnreadable(f"The first line of a CSV names its columns; it cannot be read: {error}.") from None
    if not names or not any(names):
        raise TableUnreadable("The table is empty; the first line of a CSV names its columns.")
    if len(names) > MOST_COLUMNS:
        raise TableUnreadable(f"A table has at most {MOST_COLUMNS} columns; this one has {len(names)}.")
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise TableUnreadable(f"The header names the column {shown(twice)} twice; each has a name of its own.")
    return tuple(names)
