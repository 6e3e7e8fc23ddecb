"""The original content of a source row as text, without loss: how quarantine keeps it, and how it is read again.

A row is a JSON object of its fields. Values that JSON has no word for are texts, and `$types` says what they were;
`$original` holds the cells of a row that did not fit its table. The geometry stands in `geometry` (in `$geometry` when
a field bears that name) as WKT, as `{"$wkb": base64}` where WKT would be long or would lose something, or as whatever
text stood in its place.
"""

from __future__ import annotations

import base64
import datetime as dt
import decimal
import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import shapely

from ingest.readers.source import Chunk

TYPES, ORIGINAL, PLACED = "$types", "$original", "$placed"
_WKB = "$wkb"
_MOST_VERTICES = 20_000
_WRITERS: tuple[tuple[type, str, Callable[[Any], str]], ...] = (
    (dt.datetime, "datetime", dt.datetime.isoformat),
    (dt.date, "date", dt.date.isoformat),
    (dt.time, "time", dt.time.isoformat),
    (dt.timedelta, "duration", lambda value: repr(value.total_seconds())),
    (bytes, "bytes", lambda value: base64.b64encode(value).decode()),
    (decimal.Decimal, "decimal", str),
    (float, "float", repr),
)
_READERS: dict[str, Callable[[str], Any]] = {
    "datetime": dt.datetime.fromisoformat,
    "date": dt.date.fromisoformat,
    "time": dt.time.fromisoformat,
    "duration": lambda text: dt.timedelta(seconds=float(text)),
    "bytes": base64.b64decode,
    "decimal": decimal.Decimal,
    "float": float,
}


@dataclass(frozen=True)
class RawRow:
    """A source row.

    Attributes:
        fields: Source field -> value.
        geometry: In the CRS of the source; None where there is none or it cannot be read.
        unread: What stands in the place of a geometry that cannot be read.
        original: The cells of a row that did not fit its table.
        placed: Whether somebody gave the row its geometry, which then counts for more than coordinate columns.
    """

    fields: Mapping[str, Any]
    geometry: shapely.Geometry | None = None
    unread: str | None = None
    original: tuple[str, ...] = ()
    placed: bool = False


def row_of(chunk: Chunk, row: int) -> RawRow:
    """A row of a chunk, as the reader delivered it."""
    fields = {name: column[row].as_py() for name, column in chunk.fields.items()}
    geometry = chunk.geometry[row] if chunk.geometry is not None else None
    return RawRow(fields, geometry, chunk.unread.get(row), chunk.original.get(row, ()))


def write_raw(row: RawRow) -> str:
    """The text of a row."""
    record: dict[str, Any] = {}
    types: dict[str, str] = {}
    for name, value in row.fields.items():
        record[name], kind = _written(value)
        if kind is not None:
            types[name] = kind
    place = geometry_name(row.fields)
    if row.unread is not None:
        record[place] = row.unread
    elif row.geometry is not None:
        record[place] = _geometry(row.geometry)
    record |= {k: v for k, v in ((TYPES, types), (ORIGINAL, list(row.original)), (PLACED, row.placed)) if v}
    return json.dumps(record, ensure_ascii=False, default=str)


def read_raw(text: str) -> RawRow:
    """The row of a text that `write_raw` wrote; any other text stands where its geometry would."""
    try:
        record = json.loads(text)
    except ValueError:
        record = None
    if not isinstance(record, dict):
        return RawRow({}, unread=text)
    types, original, placed = record.pop(TYPES, {}), record.pop(ORIGINAL, []), record.pop(PLACED, False)
    place = "$geometry" if "$geometry" in record else "geometry"
    geometry, unread = _read_geometry(record.pop(place, None))
    fields = {name: _READERS[types[name]](value) if name in types else value for name, value in record.items()}
    return RawRow(fields, geometry, unread, tuple(original), placed)


def geometry_name(fields: Mapping[str, Any]) -> str:
    """The member that holds the geometry beside these fields."""
    return "$geometry" if "geometry" in fields else "geometry"


def _written(value: Any) -> tuple[Any, str | None]:
    if isinstance(value, float) and math.isfinite(value):
        return value, None
    for kind, name, write in _WRITERS:
        if isinstance(value, kind):
            return write(value), name
    return value, None


def _geometry(geometry: shapely.Geometry) -> str | dict[str, str]:
    exact = shapely.to_wkb(geometry, output_dimension=4, byte_order=1, flavor="iso")
    if shapely.get_num_coordinates(geometry) <= _MOST_VERTICES:
        text = str(shapely.to_wkt(geometry, rounding_precision=-1, output_dimension=4))
        again = shapely.from_wkt(text, on_invalid="ignore")
        if again is not None and exact == shapely.to_wkb(again, output_dimension=4, byte_order=1, flavor="iso"):
            return text
    return {_WKB: base64.b64encode(exact).decode()}


def _read_geometry(written: Any) -> tuple[shapely.Geometry | None, str | None]:
    if isinstance(written, dict):
        return shapely.from_wkb(base64.b64decode(written[_WKB]), on_invalid="ignore"), None
    if not isinstance(written, str):
        return None, None
    found = shapely.from_wkt(written, on_invalid="ignore")
    return found, None if found is not None else written
