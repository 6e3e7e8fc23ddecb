"""Readings as Parquet files and Arrow IPC streams; both are checked before any of their numbers is believed."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import ipc

from geoservice.observations.wire import fields_of
from geoservice.queries.tables.arrow import ARROW, PARQUET, THRIFT_BYTES, THRIFT_ITEMS, full_size, is_text
from geoservice.queries.tables.messages import is_compressed
from layers.errors import BadBody, TooLarge

BLOCK_ROWS = 10_000
MOST_ROWS = 5_000_000
MOST_BLOCK_BYTES = 256 << 20
"""What a block of rows may take in memory once texts that repeat are written out."""


def rows_of(body: bytes, media: str) -> Iterator[Mapping[str, Any]]:
    """The rows of a Parquet file or an Arrow stream, by the names of the fields of readings.

    Raises:
        BadBody: When it is damaged, or an Arrow stream with compressed buffers.
        TooLarge: When it has more rows, or takes more memory, than is allowed.
    """
    seen = 0
    try:
        for part in _parquet(body) if media == PARQUET else _stream(body):
            seen += part.num_rows
            if seen > MOST_ROWS:
                raise TooLarge(f"A batch has at most {MOST_ROWS} readings.")
            for row in _plain(part).to_pylist():
                yield {name: value for name, value in fields_of(row).items() if value is not None}
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise BadBody(
            f"The {'Parquet file' if media == PARQUET else 'Arrow stream'} is damaged: {error}."[:300]
        ) from None


def _stream(body: bytes) -> Iterator[pa.RecordBatch]:
    file = io.BytesIO(body)
    if is_compressed(file):
        raise BadBody("The buffers of the Arrow stream are compressed; send them plain, the whole packed by gzip.")
    file.seek(0)
    for part in ipc.open_stream(pa.PythonFile(file, mode="r")):
        # Offsets that point elsewhere would make any later step read foreign memory.
        part.validate(full=True)
        for start in range(0, part.num_rows, BLOCK_ROWS):
            yield _bounded(part.slice(start, BLOCK_ROWS))


def _parquet(body: bytes) -> Iterator[pa.RecordBatch]:
    limits = {"thrift_string_size_limit": THRIFT_BYTES, "thrift_container_size_limit": THRIFT_ITEMS}
    schema = pq.ParquetFile(io.BytesIO(body), **limits).schema_arrow
    if any(pa.types.is_nested(one.type) for one in schema):
        raise BadBody("Columns of readings hold single values; the Parquet file has a nested one.")
    texts = [one.name for one in schema if is_text(one.type)]
    for part in pq.ParquetFile(io.BytesIO(body), read_dictionary=texts, **limits).iter_batches(batch_size=BLOCK_ROWS):
        yield _bounded(part)


def _bounded(part: pa.RecordBatch) -> pa.RecordBatch:
    size = sum(full_size(column) for column in part.columns)
    if size > MOST_BLOCK_BYTES:
        raise TooLarge(f"{part.num_rows} readings take {size} bytes in memory; {MOST_BLOCK_BYTES} are allowed.")
    return part


def _plain(part: pa.RecordBatch) -> pa.RecordBatch:
    """Times to the microsecond, which is what is stored."""
    columns = [
        column.cast(pa.timestamp("us", column.type.tz), safe=False) if pa.types.is_timestamp(column.type) else column
        for column in part.columns
    ]
    return pa.RecordBatch.from_arrays(columns, names=part.schema.names)


__all__ = ["ARROW", "PARQUET", "rows_of"]
