"""What a reading is before it is written: columns of an Arrow table, made of rows or of wire formats."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from layers.access import Clearance
from layers.errors import BadBody

MOMENT = pa.timestamp("us", tz="UTC")
SCHEMA = pa.schema(
    [
        ("position", pa.int64()),
        ("stream", pa.int64()),
        ("datastream", pa.string()),
        ("station", pa.string()),
        ("property", pa.string()),
        ("unit", pa.string()),
        ("phenomenon_time", MOMENT),
        ("phenomenon_end", MOMENT),
        ("result_time", MOMENT),
        ("number", pa.float64()),
        ("text", pa.string()),
        ("json", pa.string()),
        ("quality", pa.string()),
        ("valid_begin", MOMENT),
        ("valid_end", MOMENT),
        ("parameters", pa.string()),
        ("foi", pa.int64()),
        ("flaw", pa.string()),
        ("raw", pa.string()),
    ]
)
"""Columns of readings that `write` takes.

A reading names its datastream by number (`stream`), by key (`datastream`), or by the keys of `station` and `property`
where one datastream only has both. `position` counts them in their source, from 0. The result is in `number`, `text`
or, as JSON, `json`; `unit` is the unit of the number (null: that of the datastream). `flaw` is a sentence where the
reading could not be understood; `raw` is how it came (JSON object), for quarantine; null: made of the other columns.
"""


@dataclass(frozen=True, slots=True)
class Source:
    """Where readings come from.

    Attributes:
        kind: `load`, `http`, `mqtt`, `sensorthings` or `layer`.
        name: File, address or topic.
        principal: Who delivers them.
        clearance: Up to which level they may write; datastreams above it are unknown to them.
        sha256: Digest of the file, if it is one.
    """

    kind: str
    name: str
    principal: str
    clearance: Clearance = Clearance.RESTRICTED
    sha256: str | None = None


@dataclass(frozen=True, slots=True)
class Reading:
    """One reading. Times have a zone; see `SCHEMA` for how it names its datastream and what its unit is.

    Attributes:
        time: Beginning of the phenomenon time; `end` is null for an instant.
        result: Number, text, truth value, or what JSON has besides; None where it is missing.
        result_time: When the result came to be; without one, a reading that differs from what stands is a revision.
    """

    time: dt.datetime
    result: Any
    stream: int | None = None
    datastream: str | None = None
    station: str | None = None
    property: str | None = None
    unit: str | None = None
    end: dt.datetime | None = None
    result_time: dt.datetime | None = None
    quality: str | None = None
    valid: tuple[dt.datetime | None, dt.datetime | None] = (None, None)
    parameters: Mapping[str, Any] | None = None
    foi: int | None = None


def table_of(readings: Iterable[Reading]) -> pa.Table:
    """Readings as the table that `write` takes, in their order."""
    return pa.Table.from_pylist([_row(position, one) for position, one in enumerate(readings)], schema=SCHEMA)


def _row(position: int, one: Reading) -> dict[str, Any]:
    return {
        "position": position,
        "stream": one.stream,
        "datastream": one.datastream,
        "station": one.station,
        "property": one.property,
        "unit": one.unit,
        "phenomenon_time": one.time,
        "phenomenon_end": one.end,
        "result_time": one.result_time,
        **result_columns(one.result),
        "quality": one.quality,
        "valid_begin": one.valid[0],
        "valid_end": one.valid[1],
        "parameters": None if one.parameters is None else json_text(one.parameters),
        "foi": one.foi,
    }


def result_columns(result: Any) -> dict[str, Any]:
    """In which column a result is kept: numbers, text, and everything else as JSON."""
    if result is None:
        return {}
    if isinstance(result, str):
        return {"text": result}
    if isinstance(result, int | float) and not isinstance(result, bool):
        try:
            return {"number": float(result)}
        except OverflowError:
            return {"number": float("inf")}
    return {"json": json_text(result)}


def json_text(value: Any) -> str:
    """A value as JSON.

    Raises:
        BadBody: When it is or holds something for which JSON has no word, such as NaN or bytes.
    """
    try:
        return json.dumps(value, ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError):
        raise BadBody("A result or parameter holds NaN or an infinity, or is no value of JSON at all.") from None
