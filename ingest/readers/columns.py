"""Columns out of Python values, for readers of formats whose rows are dictionaries."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pyarrow as pa

from ingest.casting import as_text


def column(values: Sequence[Any]) -> pa.Array:
    """Values as a column: typed when they agree, as text when they do not."""
    try:
        found = pa.array(values)
    except (pa.ArrowInvalid, pa.ArrowTypeError):
        return pa.array([_as_text(v) for v in values], pa.string())
    return pa.nulls(len(values), pa.string()) if pa.types.is_null(found.type) else found


def columns(names: Iterable[str], rows: Sequence[Mapping[str, Any]]) -> dict[str, pa.Array]:
    """Columns of these names from dictionaries; what a row lacks is null."""
    return {name: column([row.get(name) for row in rows]) for name in names}


def _as_text(value: Any) -> str | None:
    text: str | None = as_text(pa.array([value]))[0].as_py()
    return text
