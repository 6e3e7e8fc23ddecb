"""Readings as CSV and NDJSON: what can be read becomes columns, what cannot keeps its sentence and its text.

Both are read without libraries written in C, so that strangers may send them. Fields: `datastream` or `station` and
`property`; `time` (with a zone), `end`, `result_time`; `result`; `unit`, `quality`, `valid_begin`, `valid_end`,
`parameters` (JSON), `foi`. SensorThings' names of times and `value` are understood as well.
"""

from __future__ import annotations

import csv
import datetime as dt
import io
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

import pyarrow as pa

from geoservice.observations.reading import SCHEMA, json_text, result_columns
from layers.errors import BadBody, TooLarge

CSV, NDJSON = "text/csv", "application/x-ndjson"
TIMES = {
    "time": "phenomenon_time",
    "end": "phenomenon_end",
    "result_time": "result_time",
    "valid_begin": "valid_begin",
    "valid_end": "valid_end",
}
TEXTS = ("datastream", "station", "property", "unit", "quality")
NUMBERS = ("stream", "foi")
ALIASES = {
    "phenomenon_time": "time",
    "phenomenontime": "time",
    "resulttime": "result_time",
    "value": "result",
    "station_id": "station",
}
FIELDS = frozenset({*TIMES, *TEXTS, *NUMBERS, "result", "parameters"})
MOST_ROWS = 2_000_000
"""Readings of one batch."""
MOST_FIELD = 100_000
"""Characters of a field of CSV."""
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_NOT_A_NUMBER = {"nan", "inf", "+inf", "-inf", "infinity", "+infinity", "-infinity"}
_WIDEST = 1 << 63
_LINE = 1_000
_BLOCK = 10_000
_SURROGATE = re.compile("[\ud800-\udfff]")


def parse(body: bytes, media: str) -> pa.Table:
    """Readings of a body, in the columns of `reading.SCHEMA`.

    Args:
        body: UTF-8.
        media: Media type: CSV or NDJSON.

    Raises:
        BadBody: When it is neither, is not UTF-8, or its header names no field of readings.
    """
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise BadBody("Readings are sent as UTF-8; this body is not.") from None
    if media == CSV:
        return table_of_rows(_csv_rows(text))
    if media == NDJSON:
        return table_of_rows(_json_rows(text))
    raise BadBody(f"Readings are read from {CSV} or {NDJSON}, not from {media[:80]!r}.")


def _csv_rows(text: str) -> Iterator[Mapping[str, Any] | str]:
    csv.field_size_limit(MOST_FIELD)
    lines = csv.reader(io.StringIO(text), strict=True)
    try:
        header = [_field(name) for name in next(lines, [])]
        _check_header(header)
        for cells in lines:
            if not cells:
                continue
            if len(cells) != len(header):
                yield ",".join(cells)
            else:
                yield {name: cell for name, cell in zip(header, cells, strict=True) if cell != ""}
    except csv.Error as error:
        raise BadBody(f"The CSV cannot be read at line {lines.line_num}: {error}.") from None


def _field(name: str) -> str:
    plain = name.strip().lower()
    return ALIASES.get(plain, plain)


def _check_header(header: Sequence[str]) -> None:
    twice = sorted({name for name in header if header.count(name) > 1})
    if twice:
        raise BadBody(f"The header of the CSV names {twice[0][:80]!r} twice.")
    named = "datastream" in header or "stream" in header or {"station", "property"} <= set(header)
    if not named or "time" not in header or "result" not in header:
        raise BadBody("The header of the CSV names datastream (or station and property), time and result.")


def _json_rows(text: str) -> Iterator[Mapping[str, Any] | str]:
    # Not splitlines(): values may hold U+2028 or U+0085.
    for line in text.split("\n"):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            yield line
            continue
        yield fields_of(row) if isinstance(row, dict) else line


def fields_of(row: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a JSON object by their own names, whichever way they are written."""
    return {_field(name): value for name, value in row.items()}


def table_of_rows(rows: Iterable[Mapping[str, Any] | str]) -> pa.Table:
    """Rows of fields, or the text of those that could not be read at all, as a table of readings.

    Raises:
        TooLarge: When there are too many.
    """
    blocks, waiting = [SCHEMA.empty_table()], list[dict[str, Any]]()
    for position, row in enumerate(rows, 1):
        if position > MOST_ROWS:
            raise TooLarge(f"A batch has at most {MOST_ROWS} readings.")
        waiting.append(_read(position - 1, row))
        if len(waiting) == _BLOCK:
            # Rows as objects take many times what they take in columns.
            blocks.append(pa.Table.from_pylist(waiting, schema=SCHEMA))
            waiting.clear()
    return pa.concat_tables([*blocks, pa.Table.from_pylist(waiting, schema=SCHEMA)])


def unreadable(reason: str, told: str) -> dict[str, Any]:
    """Columns of what is no reading: a sentence that says why, and the beginning of how it came."""
    return {"flaw": reason, "raw": _storable_json({"line": told[:_LINE]})}


class _Unreadable(ValueError):
    """A field cannot be what it must be; the message is a sentence."""


def _read(position: int, row: Mapping[str, Any] | str) -> dict[str, Any]:
    if isinstance(row, str):
        sentence = "The line is no reading: it is no JSON object, or has more or fewer cells than the header."
        return {"position": position, **unreadable(sentence, row)}
    try:
        return {"position": position, **_columns(row)}
    except (_Unreadable, BadBody) as error:
        return {"position": position, "flaw": str(error), "raw": _storable_json(dict(row))}


def _columns(row: Mapping[str, Any]) -> dict[str, Any]:
    strangers = row.keys() - FIELDS
    if strangers:
        raise _Unreadable(f"{min(strangers)[:80]!r} is no field of a reading.")
    read: dict[str, Any] = {TIMES[name]: _time(name, row[name]) for name in TIMES if row.get(name) is not None}
    read |= {name: _text(name, row[name]) for name in TEXTS if row.get(name) is not None}
    read |= {name: _whole(name, row[name]) for name in NUMBERS if row.get(name) is not None}
    read |= result_columns(_result(row.get("result")))
    if row.get("parameters") is not None:
        read["parameters"] = _parameters(row["parameters"])
    for column in ("text", "json", "parameters"):
        _require_storable(read.get(column))
    return read


def _time(name: str, value: Any) -> dt.datetime:
    sentence = f"{name} {str(value)[:80]!r} is no time such as 2026-05-01T08:00:00+08:00."
    if not isinstance(value, str | dt.datetime):
        raise _Unreadable(sentence)
    try:
        moment = value if isinstance(value, dt.datetime) else dt.datetime.fromisoformat(value.strip())
    except ValueError:
        raise _Unreadable(sentence) from None
    if moment.tzinfo is None:
        raise _Unreadable(f"{name} {str(value)[:80]!r} has no time zone; write it with Z or an offset.")
    try:
        return moment.astimezone(dt.UTC)
    except OverflowError:
        raise _Unreadable(sentence) from None


def _text(name: str, value: Any) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if not isinstance(value, str):
        raise _Unreadable(f"{name} is text, not {type(value).__name__}.")
    _require_storable(value)
    return value.strip()


def _whole(name: str, value: Any) -> int:
    try:
        number = int(value)
    except (TypeError, ValueError, OverflowError):
        raise _Unreadable(f"{name} is a whole number, not {str(value)[:80]!r}.") from None
    if not -_WIDEST <= number < _WIDEST:
        raise _Unreadable(f"{name} {number} is beyond all numbers of this service.")
    return number


def _result(value: Any) -> Any:
    """Text that reads as a number is one: CSV has no other way to say it."""
    if isinstance(value, str):
        plain = value.strip()
        if _NUMBER.fullmatch(plain) or plain.lower() in _NOT_A_NUMBER:
            return float(plain)
    return float(value) if isinstance(value, Decimal) else value


def _parameters(value: Any) -> str:
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            value = None
    if not isinstance(value, dict):
        raise _Unreadable("parameters is a JSON object.")
    return json_text(value)


def _require_storable(text: str | None) -> None:
    if text is not None and _unstorable(text):
        raise _Unreadable("The reading has text that cannot be stored: U+0000 or half of a surrogate pair.")


def _unstorable(text: str) -> bool:
    return "\x00" in text or "\\u0000" in text or _SURROGATE.search(text) is not None


def _storable_json(value: Any) -> str:
    """JSON without what PostgreSQL cannot store; the replacement character stands where it was."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    text = _SURROGATE.sub("\ufffd", text)
    # Python writes NaN and infinities as words that are no JSON.
    cleaned = json.loads(text.replace("\\u0000", "\\ufffd"), parse_constant=str)
    return json.dumps(cleaned, ensure_ascii=False)
