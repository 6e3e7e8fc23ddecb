"""The digest of a row's content, by which a load tells changed rows from unchanged ones."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

from layers.model import RowLayer
from layers.table import content_names

HASH = "_hash"
_GEOMETRY = "geom"
_PRESENT, _ABSENT, _BETWEEN = b"=", b"-", b"\0"


def content_digests(layer: RowLayer, rows: pa.Table) -> pa.Array:
    """MD5 of each row's content (16 bytes): a change detector, not a seal.

    Which values are there, then attributes in the order of the layer file, then the geometry. Numbers and times count
    as the bytes in which they are stored and not as text, which a library may write differently one day. Texts hold no
    zero byte (PostgreSQL stores none), other attributes have a fixed width and the geometry comes last, so different
    rows never give the same bytes.

    Args:
        layer: The layer.
        rows: Rows with the content columns of the layer, in the types of `ingest.wire.batch_schema`.
    """
    names = sorted(content_names(layer), key=lambda name: name == _GEOMETRY)
    columns = [rows.column(name) for name in names]
    values = [_as_bytes(column) for column in columns]
    joined = pc.binary_join_element_wise(
        _presence(columns), *values, _BETWEEN, null_handling="replace", null_replacement=b""
    )
    return pa.array([hashlib.md5(row, usedforsecurity=False).digest() for row in joined.to_pylist()], pa.binary())


def _presence(columns: Sequence[pa.ChunkedArray]) -> pa.Array | pa.Scalar:
    """For each row which of its values are there: a letter per column."""
    if not any(column.null_count for column in columns):
        return pa.scalar(_PRESENT * len(columns), pa.binary())
    letters = [pc.if_else(column.is_null().combine_chunks(), _ABSENT, _PRESENT) for column in columns]
    return pc.binary_join_element_wise(*letters, b"")


def _as_bytes(column: pa.ChunkedArray) -> pa.Array:
    """Values as the bytes they consist of."""
    values = pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], column.type)
    if pa.types.is_boolean(values.type):
        values = pc.cast(values, pa.int8())
    if pa.types.is_primitive(values.type):
        width = pa.binary(values.type.bit_width // 8)
        values = pa.Array.from_buffers(width, len(values), values.buffers(), offset=values.offset)
    return pc.cast(values, pa.binary())
