"""The form in which geometries are stored: ISO WKB, little-endian, two dimensions.

A geometry that came through GDAL and was not changed on its way keeps the bytes it came with: they are in this form
already, and writing them anew would take as long as a sixth of all reading.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import shapely

from ingest.readers.source import Chunk, Geometries
from ingest.rows import Rows

_LITTLE_ENDIAN = 1
_FLAT_TYPES = 6
_HEADER = 5


def stored_wkb(rows: Rows, chunk: Chunk) -> pa.Array:
    """Geometries of rows as they are stored; null for rows that cannot be loaded.

    Args:
        rows: The rows, with their geometries in storage coordinates (EPSG:4490, x=longitude, y=latitude, degrees).
        chunk: The same rows as they were read.
    """
    if rows.geometry is None:
        return pa.nulls(len(rows), pa.binary())
    rows.geometry[list(rows.bad)] = None
    kept = _unchanged(rows.geometry, chunk)
    if kept is None or not kept.any():
        return _written(rows.geometry)
    if kept.all():
        return pc.cast(chunk.wkb, pa.binary())
    fresh = np.full(len(rows), None, dtype=object)
    fresh[~kept] = shapely.to_wkb(rows.geometry[~kept], output_dimension=2, byte_order=_LITTLE_ENDIAN, flavor="iso")
    return pc.if_else(pa.array(kept), pc.cast(chunk.wkb, pa.binary()), pa.array(fresh, pa.binary()))


def _written(geometries: Geometries) -> pa.Array:
    written = shapely.to_wkb(geometries, output_dimension=2, byte_order=_LITTLE_ENDIAN, flavor="iso")
    return pa.array(written, pa.binary())


def _unchanged(geometries: Geometries, chunk: Chunk) -> npt.NDArray[np.bool_] | None:
    """Rows whose geometry is the very object that was decoded from bytes in stored form; None when there are none."""
    if chunk.wkb is None or chunk.geometry is None or len(chunk.wkb) != len(geometries):
        return None
    same = np.array([a is b for a, b in zip(geometries, chunk.geometry, strict=True)], dtype=bool)
    return same & _is_stored_form(chunk.wkb)


def _is_stored_form(column: pa.Array) -> npt.NDArray[np.bool_]:
    """Values that begin as little-endian WKB of one of the six flat types, or are null."""
    width = np.int64 if pa.types.is_large_binary(column.type) else np.int32
    _, offsets, data = column.buffers()
    if data is None or column.null_count == len(column):
        return np.ones(len(column), dtype=bool)
    starts = np.frombuffer(offsets, dtype=width)[column.offset : column.offset + len(column) + 1].astype(np.int64)
    content = np.frombuffer(data, dtype=np.uint8)
    long = np.diff(starts) >= _HEADER
    begin = np.where(long, starts[:-1], 0)
    little = content[begin] == _LITTLE_ENDIAN
    flat = (content[begin + 1] >= 1) & (content[begin + 1] <= _FLAT_TYPES)
    rest = (content[begin + 2] == 0) & (content[begin + 3] == 0) & (content[begin + 4] == 0)
    stored: npt.NDArray[np.bool_] = (long & little & flat & rest) | _mask(column.is_null())
    return stored


def _mask(values: pa.Array) -> npt.NDArray[np.bool_]:
    return np.asarray(values.to_numpy(zero_copy_only=False), dtype=bool)
