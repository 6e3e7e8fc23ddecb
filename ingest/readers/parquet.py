"""GeoParquet 1.0 and 1.1, and Parquet tables without geometry, one batch of a row group at a time.

Source: GeoParquet specification 1.1.0 (metadata key `geo`, WKB and the native encodings after GeoArrow). Axis order
is x, y whatever the CRS says (section "crs"); a missing CRS means OGC:CRS84, a null one means unknown.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pyproj
import shapely
from pyproj.exceptions import CRSError

from ingest.casting import as_text
from ingest.readers.placing import geometry_columns, place
from ingest.readers.source import Chunk, Geometries, Request, Source
from ingest.readers.vector import read_wkb
from layers.errors import CrsRefused, SourceUnreadable

_SHARE = 4
"""A row group may unpack to this part of the reader's memory: its batches are made from it."""
_NATIVE = {
    "point": (shapely.GeometryType.POINT, 0),
    "linestring": (shapely.GeometryType.LINESTRING, 1),
    "polygon": (shapely.GeometryType.POLYGON, 2),
    "multipoint": (shapely.GeometryType.MULTIPOINT, 1),
    "multilinestring": (shapely.GeometryType.MULTILINESTRING, 2),
    "multipolygon": (shapely.GeometryType.MULTIPOLYGON, 3),
}
"""Native encoding -> type of geometry, and how deep its coordinates lie in lists."""
_VERSIONS = ("1.0", "1.1")


@dataclass(frozen=True)
class _Geometry:
    column: str
    encoding: str
    crs: pyproj.CRS | None
    covering: str | None


def open_parquet(request: Request) -> Source:
    """Open a Parquet file.

    Raises:
        SourceUnreadable: When it is damaged, its `geo` metadata make no sense, or a row group is too big.
        CrsRefused: When its CRS cannot be understood.
    """
    try:
        with pq.ParquetFile(request.file, memory_map=True) as file:
            schema, metadata = file.schema_arrow, file.metadata
            _refuse_big_groups(request, metadata)
    except (pa.ArrowException, OSError) as error:
        raise _damaged(request, error) from error
    geometry = _geometry(request, schema)
    hidden = {geometry.column, geometry.covering} if geometry else set()
    fields = tuple(n for n in schema.names if n not in hidden)
    placed = geometry is None and geometry_columns(request, fields)
    return Source(
        driver="Parquet",
        fields=fields,
        chunks=lambda: _chunks(request, fields, geometry),
        crs=geometry.crs if geometry else None,
        has_geometry=geometry is not None or placed,
        lonlat_table=placed and request.plan.mapping.point is not None,
        facts={"row_groups": metadata.num_row_groups, "geometry_encoding": geometry.encoding if geometry else None},
    )


def _damaged(request: Request, error: Exception) -> SourceUnreadable:
    text = str(error).splitlines()[0][:200].replace(str(request.file), request.name).rstrip(". ")
    return SourceUnreadable(f"{request.name} is no readable Parquet file: {text}.", source=request.name)


def _refuse_big_groups(request: Request, metadata: pq.FileMetaData) -> None:
    limit = request.plan.limits.memory // _SHARE
    biggest = max((metadata.row_group(i).total_byte_size for i in range(metadata.num_row_groups)), default=0)
    if biggest > limit:
        raise SourceUnreadable(
            f"{request.name} has a row group of {biggest >> 20} MiB, more than the {limit >> 20} MiB that can be read "
            "at once; write it with smaller row groups.",
            source=request.name,
        )


def _geometry(request: Request, schema: pa.Schema) -> _Geometry | None:
    text = (schema.metadata or {}).get(b"geo")
    if text is None:
        return None
    try:
        geo = json.loads(text)
        columns, primary = geo["columns"], geo["primary_column"]
        column = columns[primary]
        encoding = str(column["encoding"])
        covering = (column.get("covering") or {}).get("bbox", {}).get("xmin", [None])[0]
        version = str(geo["version"])
    except (ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError) as error:
        raise SourceUnreadable(
            f"{request.name} has no GeoParquet metadata that make sense (version, primary_column, columns).",
            source=request.name,
        ) from error
    if not version.startswith(_VERSIONS):
        message = f"The file states GeoParquet {version[:20]}; it was read as version 1.1."
        request.notes.add("geoparquet-version", "warning", message, count=1)
    if primary not in schema.names or encoding.lower() not in {"wkb", *_NATIVE}:
        raise SourceUnreadable(
            f"{request.name} names the geometry column {str(primary)[:60]!r} in encoding {encoding[:30]!r}; expected "
            f"are an existing column and WKB or {', '.join(_NATIVE)}.",
            source=request.name,
        )
    _note_edges(request, column)
    return _Geometry(str(primary), encoding.lower(), _crs(request, column), covering)


def _note_edges(request: Request, column: dict[str, Any]) -> None:
    if column.get("edges") == "spherical":
        message = "The file states spherical edges; its edges are taken as straight in longitude and latitude."
        request.notes.add("spherical-edges", "warning", message, count=1)


def _crs(request: Request, column: dict[str, Any]) -> pyproj.CRS | None:
    if "crs" not in column:
        return pyproj.CRS.from_user_input("OGC:CRS84")
    if column["crs"] is None:
        return None
    try:
        return pyproj.CRS.from_json_dict(column["crs"])
    except (CRSError, TypeError, ValueError, KeyError, AttributeError) as error:
        raise CrsRefused(f"The coordinate reference system of {request.name} cannot be understood.") from error


def _chunks(request: Request, fields: tuple[str, ...], geometry: _Geometry | None) -> Iterator[Chunk]:
    wanted = [*fields, *([geometry.column] if geometry else [])]
    start = 0
    try:
        with pq.ParquetFile(request.file, memory_map=True) as file:
            for batch in file.iter_batches(request.plan.limits.batch_rows, columns=wanted, use_threads=False):
                yield _chunk(request, batch, geometry, start)
                start += batch.num_rows
    except (pa.ArrowException, OSError) as error:
        raise _damaged(request, error) from error


def _chunk(request: Request, batch: pa.RecordBatch, geometry: _Geometry | None, start: int) -> Chunk:
    batch.validate(full=True)
    names = [n for n in batch.schema.names if geometry is None or n != geometry.column]
    fields = {n: _plain(batch.column(n)) for n in names}
    chunk = Chunk(np.arange(start, start + batch.num_rows, dtype=np.int64), fields)
    if geometry is None:
        place(chunk, request.plan.mapping)
        return chunk
    column = batch.column(geometry.column)
    if geometry.encoding == "wkb":
        chunk.geometry, chunk.unread = read_wkb(column)
        chunk.broken = dict.fromkeys(chunk.unread, "The geometry cannot be read: its binary form is damaged.")
    else:
        chunk.geometry = _native(request, column, geometry.encoding)
    return chunk


def _plain(column: pa.Array) -> pa.Array:
    """A column in one of the types that mappings know; what is nested or exact becomes text."""
    kind = column.type
    if pa.types.is_dictionary(kind):
        return _plain(column.dictionary_decode())
    if pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        return pc.cast(column, pa.string())
    simple = (pa.types.is_string, pa.types.is_integer, pa.types.is_floating, pa.types.is_boolean, pa.types.is_date)
    known = pa.types.is_timestamp(kind) or pa.types.is_null(kind) or any(test(kind) for test in simple)
    return column if known else as_text(column)


def _native(request: Request, column: pa.Array, encoding: str) -> Geometries:
    """Geometries of one of the native encodings: lists of structures with the members x and y."""
    kind, depth = _NATIVE[encoding]
    present = np.asarray(column.is_valid().to_numpy(zero_copy_only=False), dtype=bool)
    inner, offsets = column.drop_null(), []
    try:
        for _ in range(depth):
            offsets.append(np.asarray(inner.offsets) - inner.offsets[0].as_py())
            inner = inner.flatten()
        coordinates = np.column_stack([_ordinates(inner, "x"), _ordinates(inner, "y")])
    except (AttributeError, KeyError, IndexError, pa.ArrowException) as error:
        raise SourceUnreadable(
            f"The geometry column of {request.name} is not laid out as the encoding {encoding!r} says."
        ) from error
    geometries: Geometries = np.full(len(column), None, dtype=object)
    geometries[present] = shapely.from_ragged_array(kind, coordinates, tuple(reversed(offsets)) or None)
    return geometries


def _ordinates(points: pa.Array, name: str) -> npt.NDArray[np.float64]:
    return np.asarray(points.field(name).to_numpy(zero_copy_only=False), dtype=np.float64)
