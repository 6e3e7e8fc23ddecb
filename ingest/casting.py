"""Source values to the types of attributes. A value that does not fit is reported, never bent.

Whole columns are converted at once; only when that fails is each value looked at.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from ingest.wire import arrow_type

EXPECTED = {
    "text": "a text",
    "code": "a code",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "yes or no (true/false, 1/0, t/f, y/n)",
    "date": "a date",
    "datetime": "a date and time",
}
_TRUE = ("true", "t", "yes", "y", "1")
_FALSE = ("false", "f", "no", "n", "0")
_ZONE = r"(Z|z|[+-]\d{2}(:?\d{2})?)$"
_EPOCHS = {"epoch-ms": 1_000, "epoch-s": 1_000_000}
_MONTH = re.compile(r"^\d{4}-\d{2}$", re.ASCII)
_NAIVE, _INSTANT = pa.timestamp("us"), pa.timestamp("us", tz="UTC")
_EXACT = 2**53
_INT64 = 2**63

Failed = npt.NDArray[np.int64]


def as_text(column: pa.Array) -> pa.Array:
    """Any column as text; whole floating numbers are written without a decimal part."""
    kind = column.type
    if pa.types.is_string(kind):
        return column
    if pa.types.is_large_string(kind) or pa.types.is_integer(kind):
        return pc.cast(column, pa.string())
    if pa.types.is_dictionary(kind):
        return as_text(column.dictionary_decode())
    return pa.array([None if v is None else _text(v) for v in column.to_pylist()], pa.string())


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < _EXACT else repr(value)
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, date | datetime):
        return value.isoformat()
    return json.dumps(value, ensure_ascii=False, default=str) if isinstance(value, list | dict) else str(value)


def cast(column: pa.Array, kind: str, formats: tuple[str, ...] = ()) -> tuple[pa.Array, Failed]:
    """Convert a column to the Arrow type of an attribute type.

    Args:
        column: Source values; empty texts are null already.
        kind: Attribute type of `layers.model`.
        formats: For dates and times: `iso`, `epoch-ms`, `epoch-s` or strptime patterns, tried in order.

    Returns:
        The converted column and the rows whose value does not fit (null in the column).
    """
    converted = _CASTS[kind](column) if kind in _CASTS else _cast_time(column, kind, formats or ("iso",))
    lost = np.flatnonzero(_mask(pc.and_(column.is_valid(), converted.is_null())))
    return converted, lost.astype(np.int64)


def _mask(values: pa.Array) -> npt.NDArray[np.bool_]:
    return np.asarray(values.to_numpy(zero_copy_only=False), dtype=bool)


def _each(column: pa.Array, read: Callable[[Any], Any], kind: str) -> pa.Array:
    return pa.array([None if v is None else read(v) for v in column.to_pylist()], arrow_type(kind))


def _cast_code(column: pa.Array) -> pa.Array:
    return pc.utf8_trim_whitespace(as_text(column))


def _cast_integer(column: pa.Array) -> pa.Array:
    try:
        if pa.types.is_string(column.type):
            return pc.cast(pc.utf8_trim_whitespace(column), pa.int64())
        return pc.cast(column, pa.int64())
    except pa.ArrowInvalid:
        return _each(column, _integer, "integer")
    except pa.ArrowNotImplementedError:
        return _each(as_text(column), _integer, "integer")


def _integer(value: Any) -> int | None:
    try:
        whole = int(value) if isinstance(value, str) else value
    except ValueError:
        whole = _number(value)
    if whole is None or whole != int(whole) or not -_INT64 <= whole < _INT64:
        return None
    return int(whole)


def _cast_number(column: pa.Array) -> pa.Array:
    try:
        source = pc.utf8_trim_whitespace(column) if pa.types.is_string(column.type) else column
        found = pc.cast(source, pa.float64())
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return _each(as_text(column), _number, "number")
    return pc.if_else(pc.is_finite(found), found, pa.scalar(None, pa.float64()))


def _number(value: Any) -> float | None:
    try:
        found = float(value)
    except (TypeError, ValueError):
        return None
    return found if math.isfinite(found) else None


def _cast_boolean(column: pa.Array) -> pa.Array:
    if pa.types.is_boolean(column.type):
        return column
    text = pc.utf8_lower(pc.utf8_trim_whitespace(as_text(column)))
    true, false = (pc.is_in(text, value_set=pa.array(words)) for words in (_TRUE, _FALSE))
    return pc.if_else(pc.or_(true, false), true, pa.scalar(None, pa.bool_()))


_CASTS: dict[str, Callable[[pa.Array], pa.Array]] = {
    "text": as_text,
    "code": _cast_code,
    "integer": _cast_integer,
    "number": _cast_number,
    "boolean": _cast_boolean,
}


def _cast_time(column: pa.Array, kind: str, formats: tuple[str, ...]) -> pa.Array:
    if pa.types.is_temporal(column.type) and not pa.types.is_time(column.type):
        return _from_temporal(column, kind)
    found: pa.Array | None = None
    for form in formats:
        times = _parse(column, form)
        found = times if found is None else pc.coalesce(found, times)
    return found if kind == "datetime" else pc.cast(pc.cast(found, _NAIVE), pa.date32(), safe=False)


def _from_temporal(column: pa.Array, kind: str) -> pa.Array:
    if pa.types.is_timestamp(column.type):
        column = pc.cast(column, _NAIVE if column.type.tz is None else _INSTANT, safe=False)
    return pc.cast(column, arrow_type(kind), safe=False)


def _parse(column: pa.Array, form: str) -> pa.Array:
    """Times in UTC of one notation; null where it does not apply."""
    if form in _EPOCHS:
        return _parse_epoch(column, _EPOCHS[form])
    text = pc.utf8_trim_whitespace(as_text(column))
    if form != "iso":
        return _by_value(text, lambda value: datetime.strptime(value, form))
    for written in (_NAIVE, _INSTANT):
        # Whole columns at once when all values are complete and of one kind: without a zone, or with one.
        try:
            return pc.cast(pc.cast(text, written), _NAIVE).cast(_INSTANT)
        except pa.ArrowInvalid:
            continue
    return _by_value(text, _iso)


def _iso(value: str) -> datetime:
    """A time as ISO 8601 writes it; a year and a month stand for the first day."""
    return datetime.fromisoformat(f"{value}-01" if _MONTH.match(value) else value)


def _by_value(text: pa.Array, read: Callable[[str], datetime]) -> pa.Array:
    known: dict[str | None, datetime | None] = {None: None}
    for value in pc.unique(text).to_pylist():
        if value is not None:
            try:
                known[value] = utc(read(value))
            except (ValueError, OverflowError):
                known[value] = None
    return pa.array([known[value] for value in text.to_pylist()], _INSTANT)


def _parse_epoch(column: pa.Array, micros: int) -> pa.Array:
    numbers = _cast_number(column).to_pylist()
    whole = [None if n is None or abs(n * micros) >= _INT64 else round(n * micros) for n in numbers]
    return pa.array(whole, pa.int64()).cast(_INSTANT)


def without_zone(column: pa.Array) -> Failed:
    """Rows whose time of day is written as text without a zone; such times are read as UTC."""
    if not pa.types.is_string(column.type):
        return np.array([], dtype=np.int64)
    clock = pc.match_substring(column, ":")
    zoned = pc.match_substring_regex(column, _ZONE)
    return np.flatnonzero(_mask(pc.fill_null(pc.and_(clock, pc.invert(zoned)), False))).astype(np.int64)


def utc(value: datetime) -> datetime:
    """The instant in UTC; a time without a zone is taken as UTC."""
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
