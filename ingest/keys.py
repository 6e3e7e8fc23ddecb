"""The public key of rows while they are Arrow columns, written exactly as `ingest.diff.key_expression` writes it."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from layers.model import RowLayer

_ESCAPES = (("~", "~0"), ("|", "~1"))
_WRITTEN_ALIKE = frozenset({"text", "code", "integer", "date", "boolean"})
"""Types of which Arrow and PostgreSQL write the same text."""


def can_write_key(layer: RowLayer) -> bool:
    """Whether the key of a layer can be written here: it has one, of types that have but one notation."""
    return bool(layer.key) and all(layer.attributes[name].type in _WRITTEN_ALIKE for name in layer.key)


def key_column(layer: RowLayer, rows: pa.Table) -> pa.ChunkedArray:
    """Key attributes as text, `~` and `|` escaped, joined by `|`."""
    parts = []
    for name in layer.key:
        text = pc.cast(rows.column(name), pa.string())
        for plain, escaped in _ESCAPES:
            text = pc.replace_substring(text, plain, escaped)
        parts.append(text)
    return parts[0] if len(parts) == 1 else pc.binary_join_element_wise(*parts, "|")
