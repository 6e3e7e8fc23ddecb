"""Readings as Parquet files and Arrow IPC streams; both are checked before any of their numbers is believed."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import ipc

from geoservice.observations.wire import MOST_ROWS, fields_of
from geoservice.queries.tables.arrow import ARROW, PARQUET, THRIFT_BYTES, full_size
from geoservice.queries.tables.messages import is_compressed
from geoservice.queries.tables.pages import PREFIXES, pages_of
from layers.errors import BadBody, TooLarge

BLOCK_ROWS = 10_000
MOST_BLOCK_BYTES = 256 << 20
"""What a block of rows may take in memory once texts that repeat are written out."""
MOST_BYTES = 1 << 30
"""The same of a whole file, and of the pages of a Parquet file unpacked."""
MOST_PAGE_BYTES = 64 << 20
MOST_COLUMNS = 100
_THRIFT_ITEMS = 2_000
"""Columns and groups of rows in the footer of a Parquet file."""
_WIDEST_DECIMAL = 16
_SHOWN = 60


def rows_of(body: bytes, media: str) -> Iterator[Mapping[str, Any]]:
    """The rows of a Parquet file or an Arrow stream, by the names of the fields of readings.

    Raises:
        BadBody: When it is damaged, has columns that no reading has, or is an Arrow stream with compressed buffers.
        TooLarge: When it has more rows or columns, or takes more memory, than is allowed.
    """
    seen = size = 0
    try:
        for part in _parquet(body) if media == PARQUET else _stream(body):
            seen += part.num_rows
            size += _bounded(part)
            if seen > MOST_ROWS:
                raise TooLarge(f"A batch has at most {MOST_ROWS} readings.")
            if size > MOST_BYTES:
                raise TooLarge(f"The readings take more than the {MOST_BYTES} bytes in memory that are allowed.")
            for row in _plain(part).to_pylist():
                yield {name: value for name, value in fields_of(row).items() if value is not None}
    except (pa.ArrowException, OSError, UnicodeDecodeError, OverflowError) as error:
        raise BadBody(
            f"The {'Parquet file' if media == PARQUET else 'Arrow stream'} is damaged: {error}."[:300]
        ) from None


def _stream(body: bytes) -> Iterator[pa.RecordBatch]:
    file = io.BytesIO(body)
    if is_compressed(file):
        raise BadBody("The buffers of the Arrow stream are compressed; send them plain, the whole packed by gzip.")
    file.seek(0)
    stream = ipc.open_stream(pa.PythonFile(file, mode="r"))
    _require_single(stream.schema)
    for part in stream:
        # Offsets that point elsewhere would make any later step read foreign memory.
        part.validate(full=True)
        if part.num_rows > MOST_ROWS:
            raise TooLarge(f"A batch has at most {MOST_ROWS} readings.")
        for start in range(0, part.num_rows, BLOCK_ROWS):
            yield part.slice(start, BLOCK_ROWS)


def _parquet(body: bytes) -> Iterator[pa.RecordBatch]:
    limits = {"thrift_string_size_limit": THRIFT_BYTES, "thrift_container_size_limit": _THRIFT_ITEMS}
    file = io.BytesIO(body)
    source = pq.ParquetFile(file, **limits)
    if source.metadata.num_rows > MOST_ROWS:
        raise TooLarge(f"A batch has at most {MOST_ROWS} readings; this file has {source.metadata.num_rows}.")
    schema = source.schema_arrow
    _require_single(schema)
    _require_narrow(source.schema)
    _require_small(file, source.metadata)
    texts = [one.name for one in schema if _is_text(one.type)]
    file.seek(0)
    yield from pq.ParquetFile(file, read_dictionary=texts, **limits).iter_batches(batch_size=BLOCK_ROWS)


def _require_single(schema: pa.Schema) -> None:
    """Make sure that columns hold what readings have: numbers, texts, times, truth values.

    Raises:
        BadBody: When one is of another type.
        TooLarge: When there are too many.
    """
    if len(schema) > MOST_COLUMNS:
        raise TooLarge(f"A table of readings has at most {MOST_COLUMNS} columns; this one has {len(schema)}.")
    for one in schema:
        kind = one.type.value_type if pa.types.is_dictionary(one.type) else one.type
        if not any(fits(kind) for fits in _KINDS):
            raise BadBody(
                f"Columns of readings hold single numbers, texts, times or truth values; {one.name[:_SHOWN]!r} is of "
                f"the type {str(one.type)[:_SHOWN]}."
            )


_KINDS = (
    pa.types.is_integer,
    pa.types.is_floating,
    pa.types.is_boolean,
    pa.types.is_string,
    pa.types.is_large_string,
    pa.types.is_timestamp,
    pa.types.is_date,
    pa.types.is_decimal,
    pa.types.is_null,
)


def _is_text(kind: pa.DataType) -> bool:
    kind = kind.value_type if pa.types.is_dictionary(kind) else kind
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _require_narrow(schema: Any) -> None:
    """Make sure that no number is stored as bytes of any length, since few of them in a dictionary can be many rows."""
    for place in range(len(schema)):
        one = schema.column(place)
        decimal = one.logical_type.type == "DECIMAL"
        wide = one.physical_type == "FIXED_LEN_BYTE_ARRAY" and one.length > _WIDEST_DECIMAL
        if wide or (decimal and one.physical_type == "BYTE_ARRAY"):
            raise BadBody(f"The column {one.name[:_SHOWN]!r} holds decimals of more than {_WIDEST_DECIMAL} bytes.")


def _require_small(file: io.BytesIO, footer: Any) -> None:
    """Make sure, by what its pages say of themselves, that a file can be unpacked in bounded memory."""
    total = 0
    for page in pages_of(file, footer):
        total += page.size
        if page.encoding == PREFIXES:
            raise BadBody("Columns in the encoding DELTA_BYTE_ARRAY are not taken; write them plain or by dictionary.")
        if page.size > MOST_PAGE_BYTES or total > MOST_BYTES:
            raise TooLarge(
                f"The pages of the Parquet file take more than {MOST_PAGE_BYTES} bytes each, or {MOST_BYTES} together."
            )


def _bounded(part: pa.RecordBatch) -> int:
    size = sum(full_size(column) for column in part.columns)
    if size > MOST_BLOCK_BYTES:
        raise TooLarge(f"{part.num_rows} readings take {size} bytes in memory; {MOST_BLOCK_BYTES} are allowed.")
    return size


def _plain(part: pa.RecordBatch) -> pa.RecordBatch:
    """Times to the microsecond, which is what is stored."""
    columns = [
        column.cast(pa.timestamp("us", column.type.tz), safe=False) if pa.types.is_timestamp(column.type) else column
        for column in part.columns
    ]
    return pa.RecordBatch.from_arrays(columns, names=part.schema.names)


__all__ = ["ARROW", "PARQUET", "rows_of"]
