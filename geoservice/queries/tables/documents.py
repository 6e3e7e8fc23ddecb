"""JSON, an object per line (NDJSON), and GeoJSON text sequences (RFC 8142, also without record separators)."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from typing import Any, BinaryIO

import numpy as np
import pyarrow as pa
import shapely

from geoservice.queries.errors import TableUnreadable
from geoservice.queries.tables.model import Batch, Columns, Places, shown
from geoservice.queries.tables.places import places_of_shapes

NDJSON, SEQUENCE = "application/x-ndjson", "application/geo+json-seq"
_SEPARATOR = b"\x1e"
_BLOCK_LINES = 8_192
_MOST_LINE = 4 << 20
_MOST = 1e300
Json = dict[str, Any]


class DocumentTable:
    """Objects, one per line."""

    names: Sequence[str] = ()

    def __init__(self, file: BinaryIO, columns: Columns, most_vertices: int, *, features: bool) -> None:
        """Read from the beginning of a file.

        Args:
            file: The lines.
            columns: Members that say where an object lies; features have a geometry.
            most_vertices: Most vertices of a geometry.
            features: Whether the objects are GeoJSON features.
        """
        self._file, self._columns, self._most_vertices, self._features = file, columns, most_vertices, features

    def batches(self) -> Iterator[Batch]:
        """The objects in order; a line that is none is there with its fault."""
        block = list[bytes]()
        self._file.seek(0)
        while line := self._file.readline(_MOST_LINE):
            if not line.endswith(b"\n") and len(line) == _MOST_LINE:
                self._skip_rest()
                line = b"?"
            if line.strip(b" \t\r\n" + _SEPARATOR):
                block.append(line)
            if len(block) == _BLOCK_LINES:
                yield self._batch(block)
                block = []
        if block:
            yield self._batch(block)

    def _skip_rest(self) -> None:
        while (more := self._file.readline(_MOST_LINE)) and not more.endswith(b"\n"):
            pass

    def _batch(self, lines: list[bytes]) -> Batch:
        faults = dict[int, str]()
        objects = [_object(line, number, faults) for number, line in enumerate(lines)]
        shaped = self._features or self._columns.shapes or self._columns.geometry is not None
        places = self._shaped(objects, faults) if shaped else self._numbered(objects, faults)
        return Batch(objects, len(objects), places)

    def _numbered(self, objects: list[Json | None], faults: dict[int, str]) -> Places:
        x, y = np.full(len(objects), np.nan), np.full(len(objects), np.nan)
        for row, one in enumerate(objects):
            if one is None:
                continue
            try:
                names = self._columns.among(list(one))
            except TableUnreadable:
                names = Columns()
            x[row], y[row] = _number(one, names.x), _number(one, names.y)
            if not (math.isfinite(x[row]) and math.isfinite(y[row])):
                wanted = f"{self._columns.x or 'lon'} and {self._columns.y or 'lat'}"
                faults[row] = f"The object has no numbers {wanted}."
        return Places(x, y, None, faults)

    def _shaped(self, objects: list[Json | None], faults: dict[int, str]) -> Places:
        shapes = np.full(len(objects), None, dtype=np.object_)
        for row, one in enumerate(objects):
            if one is None:
                continue
            shapes[row] = _shape(one.get(self._member(one)))
            if shapes[row] is None:
                faults[row] = f"The {'feature' if self._features else 'object'} has no geometry that can be read."
        return places_of_shapes(shapes, faults, self._most_vertices)

    def _member(self, one: Json) -> str:
        """The member with the geometry: that of features has a name, that of other objects is named or customary."""
        if self._features:
            return "geometry"
        try:
            return self._columns.among(list(one)).geometry or ""
        except TableUnreadable:
            return ""

    def encode(self, batch: Batch, added: pa.RecordBatch) -> bytes:
        """The objects with further members, one per line; features get them as properties."""
        lines = list[str]()
        for one, more in zip(batch.content, added.to_pylist(), strict=True):
            if self._features:
                whole = {"type": "Feature", "geometry": None, **(one or {})}
                properties = whole.get("properties")
                whole["properties"] = {**(properties if isinstance(properties, dict) else {}), **more}
            else:
                whole = {**(one or {}), **more}
            lines.append(json.dumps(whole, ensure_ascii=False, separators=(",", ":"), default=_plain))
        start = "\x1e" if self._features else ""
        return "".join(f"{start}{line}\n" for line in lines).encode("utf-8", "backslashreplace")

    def ending(self) -> bytes:
        """Nothing."""
        return b""


def _object(line: bytes, number: int, faults: dict[int, str]) -> Json | None:
    try:
        found = json.loads(line.lstrip(_SEPARATOR), parse_constant=_refuse)
    except (ValueError, RecursionError):
        found = None
    if isinstance(found, dict):
        return found
    faults[number] = f"The line is no JSON object: {shown(line.decode('utf-8', 'replace').strip())}."
    return None


def _refuse(name: str) -> None:
    raise ValueError(name)


def _number(one: Json, name: str | None) -> float:
    value = one.get(name) if name is not None else None
    if isinstance(value, str):
        try:
            return float(value)
        except ValueError:
            return math.nan
    if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < _MOST:
        return float(value)
    return math.nan


def _shape(geometry: object) -> shapely.Geometry | None:
    if not isinstance(geometry, dict | str):
        return None
    try:
        if isinstance(geometry, str):
            return shapely.force_2d(shapely.from_wkt(geometry))
        return shapely.force_2d(shapely.from_geojson(json.dumps(geometry)))
    except (shapely.errors.ShapelyError, ValueError, TypeError, RecursionError):
        return None


def _plain(value: Any) -> str:
    return str(value.isoformat() if hasattr(value, "isoformat") else value)
