"""Rows of quarantine, read again: the same fields, geometries and positions as the reader of their source gave."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import groupby, islice
from typing import Any

import numpy as np
import pyarrow as pa
import pyproj

from ingest.raw import RawRow, read_raw
from ingest.readers.placing import place
from ingest.readers.source import Chunk, Request, Source
from layers.crs import STORAGE_SRID
from layers.errors import SourceUnreadable
from layers.model import RowLayer, VectorLayer

READER = "reader"
"""Fact of a read summary under which `reader_facts` stand."""
SAID = "said"
"""Fact of a reader: what whoever loaded the source said of its coordinates. The loader writes it, not the reader."""
WHOLE = "whole"
"""Fact of what is kept as it came because it is taken in whole, such as a message: it is never read row by row."""
LAYER_DRIVER = "layer"
"""Stands in place of a driver for rows that are kept as the layer would hold them."""


def layer_facts(layer: RowLayer) -> dict[str, Any]:
    """The facts of rows that are kept as the layer would hold them: attributes, and geometries in storage."""
    return {
        "driver": LAYER_DRIVER,
        "fields": list(layer.attributes),
        "crs": f"EPSG:{STORAGE_SRID}" if isinstance(layer, VectorLayer) else None,
        "has_geometry": isinstance(layer, VectorLayer),
        "encoding": None,
        "any_field": False,
        "lonlat_table": False,
    }


def reader_facts(source: Source) -> dict[str, Any]:
    """What must be known of a source to read single rows of it again, as plain JSON values."""
    crs = source.crs
    known = crs.to_epsg(min_confidence=100) if crs is not None else None
    return {
        "driver": source.driver,
        "fields": [] if source.any_field else list(source.fields),
        "crs": None if crs is None else f"EPSG:{known}" if known is not None else crs.to_wkt(),
        "has_geometry": source.has_geometry,
        "encoding": source.encoding,
        "any_field": source.any_field,
        "lonlat_table": source.lonlat_table,
    }


def open_quarantined(request: Request) -> Source:
    """Open a file that `ingest.replay` wrote: a line of `reader_facts`, then one line per row.

    Raises:
        SourceUnreadable: When it is no such file.
    """
    try:
        with request.file.open(encoding="utf-8") as lines:
            facts = json.loads(next(lines))
        crs = None if facts["crs"] is None else pyproj.CRS.from_user_input(facts["crs"])
        return Source(
            driver=facts["driver"],
            fields=tuple(facts["fields"]),
            chunks=lambda: _chunks(request, located=facts["has_geometry"]),
            crs=crs,
            has_geometry=facts["has_geometry"],
            encoding=facts["encoding"],
            any_field=facts["any_field"],
            lonlat_table=facts["lonlat_table"],
        )
    except (StopIteration, ValueError, KeyError, TypeError) as error:
        raise SourceUnreadable(f"The quarantined rows of {request.name} cannot be read again.") from error


def _chunks(request: Request, *, located: bool) -> Iterator[Chunk]:
    with request.file.open(encoding="utf-8") as lines:
        next(lines)
        entries = (json.loads(line) for line in lines)
        while block := list(islice(entries, request.plan.limits.batch_rows)):
            rows = [(entry, read_raw(entry["raw"])) for entry in block]
            # Mended values are texts where the source had numbers or dates: rows of one chunk have the same types.
            rows.sort(key=lambda pair: (_types(pair[1]), pair[0]["position"]))
            for _, alike in groupby(rows, key=lambda pair: _types(pair[1])):
                yield _chunk(request, list(alike), located=located)


def _types(row: RawRow) -> str:
    return json.dumps([(name, type(value).__name__) for name, value in sorted(row.fields.items())])


def _chunk(request: Request, rows: list[tuple[dict[str, Any], RawRow]], *, located: bool) -> Chunk:
    names = list(rows[0][1].fields)
    fields = {name: pa.array([row.fields[name] for _, row in rows]) for name in names}
    fields = {name: pa.nulls(len(rows), pa.string()) if pa.types.is_null(c.type) else c for name, c in fields.items()}
    chunk = Chunk(np.array([entry["position"] for entry, _ in rows], dtype=np.int64), fields)
    mapping = request.plan.mapping
    shapes = np.full(len(rows), None, dtype=object)
    if mapping.point is not None or mapping.wkt is not None:
        place(chunk, mapping)
        shapes = chunk.geometry if chunk.geometry is not None else shapes
    for i, (_, row) in enumerate(rows):
        if row.placed or (mapping.point is None and mapping.wkt is None):
            _take_geometry(chunk, shapes, i, row)
        if row.original:
            chunk.broken.setdefault(i, f"The row has {len(row.original)} columns where {len(names)} were expected.")
            chunk.original[i] = row.original
    chunk.geometry = shapes if located else None
    return chunk


def _take_geometry(chunk: Chunk, shapes: np.ndarray[Any, Any], i: int, row: RawRow) -> None:
    """The geometry that the row carries itself, or a complaint about what stands in its place."""
    shapes[i] = row.geometry
    chunk.broken.pop(i, None)
    chunk.unread.pop(i, None)
    if row.unread is not None:
        chunk.broken[i] = "The geometry of this row cannot be read; mend it with a geometry in WKT."
        chunk.unread[i] = row.unread
