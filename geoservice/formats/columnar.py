"""GeoParquet 1.1 (OGC): WKB, a box per row that readers skip by, the CRS as PROJJSON.

Coordinates are x, y whatever the axis order of the CRS is, as the format demands. What is only known at the end (types
of geometry, the box around all) is written into the footer, which Parquet has there anyway.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import shapely

from geoservice.formats.shapes import Shapes, shapes_of, total_bounds, type_names
from geoservice.formats.subject import GEOMETRY, Batches, Subject

NAME = "geometry"
"""Name of the geometry column."""
_BOX = "bbox"
_SIDES = ("xmin", "ymin", "xmax", "ymax")
_BOX_TYPE = pa.struct([(side, pa.float64()) for side in _SIDES])
_VERSION = "1.1.0"
_OURS = "geoservice"
_LEVEL = 3


def write_parquet(subject: Subject, batches: Batches, file: Path) -> None:
    """Write GeoParquet; a table without a geometry becomes plain Parquet."""
    facts = {_OURS: json.dumps(subject.about.facts(), ensure_ascii=False)}
    schema = _schema(subject).with_metadata(facts)
    seen = _Seen()
    options: dict[str, Any] = {"compression": "zstd", "compression_level": _LEVEL, "write_statistics": True}
    with pq.ParquetWriter(file, schema, **options) as writer:
        for batch in batches:
            writer.write_table(pa.Table.from_batches([_converted(subject, schema, batch, seen)]))
        if subject.spatial:
            writer.add_key_value_metadata({"geo": json.dumps(_geo(subject, seen))})


class _Seen:
    """What the rows written so far have in common."""

    def __init__(self) -> None:
        self.types: set[str] = set()
        self.box: list[float] | None = None

    def look(self, shapes: Shapes) -> None:
        self.types |= type_names(shapes)
        self.box = total_bounds(shapes, self.box)


def _schema(subject: Subject) -> pa.Schema:
    if not subject.spatial:
        return subject.schema
    attributes = [field for field in subject.schema if field.name != GEOMETRY]
    return pa.schema([*attributes, pa.field(NAME, pa.binary()), pa.field(_BOX, _BOX_TYPE)])


def _converted(subject: Subject, schema: pa.Schema, batch: pa.RecordBatch, seen: _Seen) -> pa.RecordBatch:
    if not subject.spatial:
        return pa.record_batch(batch.columns, schema=schema)
    shapes = shapes_of(batch)
    seen.look(shapes)
    sides = shapely.bounds(shapes)
    empty = pa.array(shapely.is_missing(shapes) | shapely.is_empty(shapes))
    boxes = pa.StructArray.from_arrays(
        [pa.array(sides[:, place]) for place in range(len(_SIDES))], fields=list(_BOX_TYPE), mask=empty
    )
    columns = [batch.column(name) for name in batch.schema.names]
    return pa.record_batch([*columns, boxes], schema=schema)


def _geo(subject: Subject, seen: _Seen) -> dict[str, Any]:
    column: dict[str, Any] = {
        "encoding": "WKB",
        "geometry_types": sorted(seen.types),
        "crs": subject.crs.to_json_dict(),
        "edges": "planar",
        "covering": {_BOX: {side: [_BOX, side] for side in _SIDES}},
    }
    if seen.box is not None:
        column["bbox"] = seen.box
    return {"version": _VERSION, "primary_column": NAME, "columns": {NAME: column}}
