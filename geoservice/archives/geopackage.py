"""The exact rows of an area as a GeoPackage, one table per layer, as the reader of a clearance sees them."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import shapely
import sqlalchemy as sa

from geoservice.archives.snapshot import View
from layers.access import Decision
from layers.crs import STORAGE_SRID
from layers.model import VectorLayer
from layers.table import current_table, row_predicate

_BATCH = 5_000
_GEOMETRY = "geom"
_TYPES = {
    "text": pa.string(),
    "code": pa.string(),
    "integer": pa.int64(),
    "number": pa.float64(),
    "boolean": pa.bool_(),
    "date": pa.date32(),
    "datetime": pa.timestamp("ms", tz="UTC"),
}
_PLAIN = sa.types.NullType()


def write_geopackage(
    seen: View, layers: Sequence[tuple[VectorLayer, Decision]], area: shapely.Geometry | None, file: Path
) -> dict[str, int]:
    """Write a GeoPackage; coordinates are EPSG:4490, x=longitude, y=latitude.

    Args:
        seen: The rows.
        layers: Layers, with what the reader may see of them.
        area: Surface in degrees that rows must meet; None takes all.
        file: Where to; it does not exist yet.

    Returns:
        How many rows each table has.
    """
    counts = {}
    for number, (layer, decision) in enumerate(layers):
        batches = _Counted(_batches(seen, layer, decision, area))
        reader = pa.RecordBatchReader.from_batches(_schema(layer, decision), batches)
        importlib.import_module("pyogrio").write_arrow(
            reader,
            file,
            layer=layer.name,
            driver="GPKG",
            geometry_name=_GEOMETRY,
            geometry_type="Unknown",
            crs=f"EPSG:{STORAGE_SRID}",
            append=number > 0,
            layer_options={"FID": "fid"},
        )
        counts[layer.name] = batches.rows
    return counts


class _Counted:
    """Batches that are counted as they go by."""

    def __init__(self, batches: Iterator[pa.RecordBatch]) -> None:
        self._batches = batches
        self.rows = 0

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        for batch in self._batches:
            self.rows += batch.num_rows
            yield batch


def _schema(layer: VectorLayer, decision: Decision) -> pa.Schema:
    fields = [(name, _TYPES[layer.attributes[name].type]) for name in decision.attributes]
    return pa.schema([("key", pa.string()), *fields, (_GEOMETRY, pa.binary())])


def _batches(
    seen: View, layer: VectorLayer, decision: Decision, area: shapely.Geometry | None
) -> Iterator[pa.RecordBatch]:
    schema = _schema(layer, decision)
    options: dict[str, Any] = {"stream_results": True, "yield_per": _BATCH}
    if seen.snapshot.schema:
        options["schema_translate_map"] = dict(seen.snapshot.schema)
    found = seen.connection.execute(_rows(layer, decision, area), execution_options=options)
    for rows in found.partitions(_BATCH):
        columns = zip(*rows, strict=True)
        arrays = [pa.array(values, field.type) for values, field in zip(columns, schema, strict=True)]
        yield pa.record_batch(arrays, schema=schema)


def _rows(layer: VectorLayer, decision: Decision, area: shapely.Geometry | None) -> sa.Select[Any]:
    table = current_table(layer)
    geom = sa.type_coerce(table.c.geom, _PLAIN)
    shape = sa.type_coerce(sa.func.ST_AsBinary(geom), sa.LargeBinary())
    chosen = sa.select(table.c.key, *(table.c[name] for name in decision.attributes), shape)
    chosen = chosen.where(row_predicate(table, decision.rule)).order_by(table.c.fid)
    if area is None:
        return chosen
    surface = sa.func.ST_GeomFromWKB(sa.literal(shapely.to_wkb(area), sa.LargeBinary()), STORAGE_SRID)
    # Worked out once: a surface of many vertices is neither sent nor read again for each row.
    where = sa.select(surface.label("surface")).cte("wanted").prefix_with("MATERIALIZED")
    meets = sa.and_(geom.op("&&", is_comparison=True)(where.c.surface), sa.func.ST_Intersects(geom, where.c.surface))
    return chosen.join(where, meets)
