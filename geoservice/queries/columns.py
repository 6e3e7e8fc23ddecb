"""Attributes of a layer as Arrow columns: which type each has, and rows of the database turned into a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from layers.model import RowLayer

KEY = "key"
_TYPES: dict[str, pa.DataType] = {
    "text": pa.string(),
    "code": pa.string(),
    "integer": pa.int64(),
    "number": pa.float64(),
    "boolean": pa.bool_(),
    "date": pa.date32(),
    "datetime": pa.timestamp("us", tz="UTC"),
}


def schema_of(layer: RowLayer, attributes: Sequence[str]) -> pa.Schema:
    """The public key and some attributes of a layer."""
    fields = [pa.field(name, _TYPES[layer.attributes[name].type]) for name in attributes]
    return pa.schema([pa.field(f"_{KEY}", pa.string()), *fields])


def table_of(schema: pa.Schema, rows: Sequence[Mapping[str, Any]]) -> pa.Table:
    """Rows of the database as a table; they have a value for each name of the schema."""
    columns = [pa.array([row[field.name] for row in rows], type=field.type) for field in schema]
    return pa.Table.from_arrays(columns, schema=schema)
