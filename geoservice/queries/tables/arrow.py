"""Arrow IPC streams and Parquet files; both are checked before any of their numbers is believed."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import ipc

from geoservice.queries.errors import TableUnreadable
from geoservice.queries.tables.messages import is_compressed
from geoservice.queries.tables.model import BLOCK_ROWS, MOST_COLUMNS, Batch, Columns, Places, beginning, shown
from geoservice.queries.tables.places import places_of

ARROW, PARQUET = "application/vnd.apache.arrow.stream", "application/vnd.apache.parquet"
_MOST_BLOCK_BYTES = 256 << 20
"""What a block of rows may take in memory once texts that repeat are written out."""
_GROUP_ROWS, _GROUP_BYTES = 16_384, 4 << 20
THRIFT_BYTES, THRIFT_ITEMS = 16 << 20, 200_000


class Drain(io.RawIOBase):
    """A file that is written once and never kept: what came since the last look is taken out."""

    def __init__(self) -> None:
        """Begin empty."""
        super().__init__()
        self._parts = list[bytes]()
        self._written = 0

    def writable(self) -> bool:
        """It is."""
        return True

    def write(self, data: Any) -> int:
        """Take bytes in."""
        part = bytes(data)
        self._parts.append(part)
        self._written += len(part)
        return len(part)

    def tell(self) -> int:
        """Bytes written so far."""
        return self._written

    def taken(self) -> bytes:
        """What came since the last look."""
        found = b"".join(self._parts)
        self._parts.clear()
        return found


class ArrowTable:
    """Common to both: columns with types, an answer with the same columns and those that are added."""

    def __init__(self, schema: pa.Schema, columns: Columns, most_vertices: int) -> None:
        """Check the columns.

        Raises:
            TableUnreadable: When a name comes twice, there are too many, or none says where a row lies.
        """
        self.schema = schema
        self.names: Sequence[str] = schema.names
        if len(self.names) > MOST_COLUMNS:
            raise TableUnreadable(f"A table has at most {MOST_COLUMNS} columns; this one has {len(self.names)}.")
        twice = next((name for name in self.names if self.names.count(name) > 1), None)
        if twice is not None:
            raise TableUnreadable(f"The table has two columns {shown(twice)}; each has a name of its own.")
        self._columns = columns.among(self.names)
        self._most_vertices = most_vertices
        self._drain = Drain()
        self._writer: Any = None

    def batches(self) -> Iterator[Batch]:
        """The rows in order."""
        count = 0
        try:
            for part in self._parts():
                count += 1
                yield Batch(part, part.num_rows, places_of(part, self._columns, self._most_vertices))
        except (pa.ArrowException, OSError) as error:
            count += 1
            yield self._last(f"The rest of the table cannot be read: {error}."[:400])
        if not count:
            # A table without rows has an answer with columns.
            yield Batch(beginning(self.schema), 0, places_of(beginning(self.schema), self._columns, 0))

    def _parts(self) -> Iterator[pa.RecordBatch]:
        raise NotImplementedError

    def _open(self, schema: pa.Schema) -> Any:
        raise NotImplementedError

    def _last(self, said: str) -> Batch:
        try:
            content = pa.RecordBatch.from_arrays([pa.nulls(1, one.type) for one in self.schema], schema=self.schema)
        except pa.ArrowException:
            content = beginning(self.schema)
        places = places_of(content, self._columns, self._most_vertices)
        faults = {0: said} if content.num_rows else {}
        return Batch(content, content.num_rows, Places(places.x, places.y, places.shapes, faults))

    def encode(self, batch: Batch, added: pa.RecordBatch) -> bytes:
        """Rows as the next part of the answer."""
        content: pa.RecordBatch = batch.content
        schema = pa.schema([*(one.with_nullable(True) for one in content.schema), *added.schema])
        whole = pa.RecordBatch.from_arrays([*content.columns, *added.columns], schema=schema)
        if self._writer is None:
            self._writer = self._open(schema)
        self._write(whole)
        return self._drain.taken()

    def _write(self, rows: pa.RecordBatch) -> None:
        self._writer.write_batch(rows)

    def ending(self) -> bytes:
        """The end of the answer, which for Parquet says where everything lies."""
        if self._writer is not None:
            self._writer.close()
        return self._drain.taken()


class StreamTable(ArrowTable):
    """An Arrow IPC stream."""

    def __init__(self, file: BinaryIO, columns: Columns, most_vertices: int) -> None:
        """Look at every message before the first is decoded.

        Raises:
            TableUnreadable: When it is none, or is compressed inside (send it with `Content-Encoding: gzip`).
        """
        self._file = file
        try:
            if is_compressed(file):
                raise TableUnreadable(
                    "The buffers of the Arrow stream are compressed; send them plain, the whole with "
                    "Content-Encoding: gzip if need be."
                )
            file.seek(0)
            super().__init__(ipc.open_stream(pa.PythonFile(file, mode="r")).schema, columns, most_vertices)
        except (pa.ArrowException, OSError) as error:
            raise TableUnreadable(f"The body is no Arrow IPC stream: {error}."[:300]) from None

    def _parts(self) -> Iterator[pa.RecordBatch]:
        self._file.seek(0)
        for part in ipc.open_stream(pa.PythonFile(self._file, mode="r")):
            # Offsets that point elsewhere would make any later step read foreign memory.
            part.validate(full=True)
            for start in range(0, part.num_rows, BLOCK_ROWS):
                yield part.slice(start, BLOCK_ROWS)

    def _open(self, schema: pa.Schema) -> Any:
        return ipc.new_stream(self._drain, schema)


class ParquetTable(ArrowTable):
    """A Parquet file."""

    def __init__(self, file: BinaryIO, columns: Columns, most_vertices: int, most_rows: int) -> None:
        """Read the footer.

        Raises:
            TableUnreadable: When it is none, has columns of lists, or more rows than a batch takes.
        """
        try:
            footer = pq.ParquetFile(
                file, thrift_string_size_limit=THRIFT_BYTES, thrift_container_size_limit=THRIFT_ITEMS
            )
            rows, schema = footer.metadata.num_rows, footer.schema_arrow
        except (pa.ArrowException, OSError) as error:
            raise TableUnreadable(f"The body is no Parquet file: {error}."[:300]) from None
        if rows > most_rows:
            raise TableUnreadable(f"A batch has at most {most_rows} rows; this file has {rows}.")
        nested = next((one.name for one in schema if pa.types.is_nested(one.type)), None)
        if nested is not None:
            raise TableUnreadable(f"The column {shown(nested)} is nested; columns of a batch hold single values.")
        self._file = file
        self._waiting = list[pa.RecordBatch]()
        # Metadata of the whole (such as the extent of a GeoParquet file) would not be true of the answer.
        super().__init__(schema.remove_metadata(), columns, most_vertices)

    def _parts(self) -> Iterator[pa.RecordBatch]:
        texts = [one.name for one in self.schema if is_text(one.type)]
        self._file.seek(0)
        source = pq.ParquetFile(
            self._file,
            read_dictionary=texts,
            thrift_string_size_limit=THRIFT_BYTES,
            thrift_container_size_limit=THRIFT_ITEMS,
        )
        for part in source.iter_batches(batch_size=BLOCK_ROWS):
            yield self._written_out(part)

    def _written_out(self, part: pa.RecordBatch) -> pa.RecordBatch:
        """Texts in full, unless a few long ones that repeat would fill the memory."""
        size = sum(full_size(column) for column in part.columns)
        if size > _MOST_BLOCK_BYTES:
            raise pa.ArrowInvalid(f"{part.num_rows} rows take {size} bytes in memory, {_MOST_BLOCK_BYTES} are allowed")
        columns = [column.cast(field.type) for column, field in zip(part.columns, self.schema, strict=True)]
        return pa.RecordBatch.from_arrays(columns, schema=self.schema)

    def _write(self, rows: pa.RecordBatch) -> None:
        """Keep rows until they make a row group of a sensible size."""
        self._waiting.append(rows)
        enough = sum(one.num_rows for one in self._waiting) >= _GROUP_ROWS
        if enough or sum(one.nbytes for one in self._waiting) >= _GROUP_BYTES:
            self._write_group()

    def _write_group(self) -> None:
        if self._waiting:
            self._writer.write_table(pa.Table.from_batches(self._waiting))
            self._waiting.clear()

    def ending(self) -> bytes:
        """What is left of the rows, and the footer."""
        self._write_group()
        return super().ending()

    def _open(self, schema: pa.Schema) -> Any:
        return pq.ParquetWriter(self._drain, schema, compression="snappy")


def is_text(kind: pa.DataType) -> bool:
    """Whether a type is one of texts or bytes."""
    return bool(pa.types.is_string(kind) or pa.types.is_binary(kind))


def full_size(column: pa.Array) -> int:
    """Bytes of a column once texts that repeat are written out."""
    if not isinstance(column, pa.DictionaryArray) or not len(column.dictionary):
        return int(column.nbytes)
    lengths = pa.compute.binary_length(column.dictionary)
    return int(pa.compute.sum(lengths.take(column.indices)).as_py() or 0)
