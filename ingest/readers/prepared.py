"""What must be known or mended before GDAL opens a vector file, and what becomes of its rows afterwards."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import shapely

from ingest.notes import Notes
from ingest.readers.source import Chunk

_RING_POINTS = 4
ANY = "*"
"""Stands for a field where only the line of the row is known to hold bytes that are no text."""


@dataclass(frozen=True)
class Prepared:
    """A vector file made ready for GDAL.

    Attributes:
        file: What GDAL opens: the source, or a mended copy in the scratch directory.
        encoding: Encoding to tell GDAL, when it must be told.
        found_encoding: Encoding for the summary.
        names: Names of the fields in the order of the file, when GDAL's are to be replaced.
        raw_names: Names of the fields as bytes, where the format may have cut them.
        spoiled: Feature number (as GDAL counts) -> field (or `ANY`) -> hexadecimal bytes that are no text in the
            encoding.
        strict: Whether texts may hold bytes that are no UTF-8, so that every batch is looked at.
        rows: How many rows its parts announce, when they do.
        close_lines: Whether closed lines become polygons.
        config: Configuration of GDAL for this file.
        options: Open options of the driver.
    """

    file: Path
    encoding: str | None = None
    found_encoding: str | None = None
    names: tuple[str, ...] | None = None
    raw_names: tuple[bytes, ...] = ()
    spoiled: Mapping[int, Mapping[str, str]] = field(default_factory=dict)
    strict: bool = False
    rows: int | None = None
    close_lines: bool = False
    config: Mapping[str, str] = field(default_factory=dict)
    options: Mapping[str, str] = field(default_factory=dict)


def cleaned(
    batch: pa.RecordBatch, fids: npt.NDArray[np.int64] | None, prepared: Prepared
) -> tuple[pa.RecordBatch, dict[int, str]]:
    """A batch whose texts are text, and for each row with undecodable bytes a sentence that says so.

    The bytes themselves stand in the place of the text as `hex:...`, so that nothing of them is lost.
    """
    if not prepared.strict and not prepared.spoiled:
        return batch, {}
    broken: dict[int, str] = {}
    arrays = []
    for place, name in enumerate(batch.schema.names):
        column = batch.column(place)
        if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
            column = _as_text(column, name, fids, prepared, broken)
        arrays.append(column)
    return pa.record_batch(arrays, names=batch.schema.names), broken


def _as_text(
    column: pa.Array, name: str, fids: npt.NDArray[np.int64] | None, prepared: Prepared, broken: dict[int, str]
) -> pa.Array:
    known = {} if fids is None else _known(name, fids, prepared)
    if not known and _is_text(column):
        return column
    texts: list[str | None] = []
    for row, value in enumerate(pc.cast(column, pa.binary()).to_pylist()):
        text = None if value is None else _decoded(value)
        spoiled = known.get(row) or (value.hex() if value is not None and text is None else None)
        if spoiled is not None:
            broken[row] = f"The field {name!r} holds bytes that are no text in the encoding {prepared.found_encoding}."
            text = f"hex:{spoiled}"
        texts.append(text)
    return pa.array(texts, pa.string())


def _known(name: str, fids: npt.NDArray[np.int64], prepared: Prepared) -> dict[int, str]:
    if not prepared.spoiled:
        return {}
    rows = {int(fid): row for row, fid in enumerate(fids)}
    found = (
        (rows[fid], fields.get(name) or fields.get(ANY)) for fid, fields in prepared.spoiled.items() if fid in rows
    )
    return {row: spoiled for row, spoiled in found if spoiled is not None}


def _is_text(column: pa.Array) -> bool:
    try:
        column.validate(full=True)
    except pa.ArrowInvalid:
        return False
    return True


def _decoded(value: bytes) -> str | None:
    """Text of bytes, or None; an incomplete character at the very end is left out (the reader has noted it)."""
    try:
        return value.decode()
    except UnicodeDecodeError as error:
        at_end = error.end == len(value) and error.reason == "unexpected end of data"
        return value[: error.start].decode() if at_end else None


def close_lines(chunk: Chunk, notes: Notes) -> None:
    """Turn closed lines into polygons: drawings have no other way to show an area."""
    if chunk.geometry is None:
        return
    lines = shapely.get_type_id(chunk.geometry) == shapely.GeometryType.LINESTRING
    closed = np.flatnonzero(lines & shapely.is_closed(chunk.geometry))
    rings = [i for i in closed if shapely.get_num_points(chunk.geometry[i]) >= _RING_POINTS]
    for i in rings:
        chunk.geometry[i] = shapely.Polygon(chunk.geometry[i])
    if rings:
        chunk.wkb = None
        message = "Closed lines of the drawing were taken as polygons, as the layer stores polygons."
        notes.add("closed-lines", "info", message, chunk.position[rings])
