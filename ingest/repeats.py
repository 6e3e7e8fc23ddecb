"""Rows of one source that share a key: keep the first, or collect their geometries to one feature.

Rows that differ and are to be refused are left to the writer, which sees all of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import shapely

from ingest.notes import Notes
from ingest.wire import GEOMETRY, POSITION, REASON

Mode = Literal["refuse", "first", "collect"]
_MULTI = (shapely.MultiPoint, shapely.MultiLineString, shapely.MultiPolygon)


class Repeats:
    """Lets batches through, one row per key."""

    def __init__(self, mode: Mode, key: tuple[str, ...], notes: Notes) -> None:
        """Work in a mode of `layers.sources.SourceMapping.repeats` on a layer's key; without a key nothing repeats."""
        self._mode: Mode = mode if key else "refuse"
        self._key = key
        self._notes = notes
        self._seen: set[tuple[object, ...]] = set()
        self._kept: list[pa.RecordBatch] = []
        self.absorbed = 0

    def take(self, batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
        """What can go on at once. Bad rows always do."""
        if self._mode == "refuse":
            yield batch
            return
        good = batch.column(REASON).is_null()
        if self._mode == "first":
            yield self._first(batch, good)
            return
        self._kept.append(batch.filter(good))
        bad = batch.filter(pc.invert(good))
        if bad.num_rows:
            yield bad

    def rest(self, rows: int) -> Iterator[pa.RecordBatch]:
        """What had to wait for the end, in batches of this many rows."""
        if not self._kept:
            return
        table = pa.Table.from_batches(self._kept)
        collected = self._collected(table) if table.num_rows else table
        yield from collected.combine_chunks().to_batches(max_chunksize=rows)

    def _first(self, batch: pa.RecordBatch, good: pa.Array) -> pa.RecordBatch:
        keep = np.ones(batch.num_rows, dtype=bool)
        for i, (key, is_good) in enumerate(zip(_keys(batch, self._key), good.to_pylist(), strict=True)):
            if is_good and key in self._seen:
                keep[i] = False
            elif is_good:
                self._seen.add(key)
        lost = np.flatnonzero(~keep)
        self._absorb(lost, batch.column(POSITION), "Rows that repeat a key were left out; the first one counts.")
        return batch.filter(pa.array(keep))

    def _collected(self, table: pa.Table) -> pa.Table:
        groups: dict[tuple[object, ...], list[int]] = {}
        for i, key in enumerate(_keys(table, self._key)):
            groups.setdefault(key, []).append(i)
        firsts = [rows[0] for rows in groups.values()]
        shared = [rows for rows in groups.values() if len(rows) > 1]
        lost = np.array([i for rows in shared for i in rows[1:]], dtype=np.int64)
        message = "Rows that share a key were collected to one feature with the attributes of the first."
        self._absorb(lost, table.column(POSITION), message)
        if GEOMETRY in table.schema.names and shared:
            table = _with_geometries(table, shared)
        return table.take(pa.array(firsts))

    def _absorb(self, rows: npt.NDArray[np.int64], positions: pa.Array, message: str) -> None:
        if len(rows):
            self.absorbed += len(rows)
            self._notes.add("repeats", "info", message, positions.to_numpy(zero_copy_only=False)[rows])


def _keys(rows: pa.RecordBatch | pa.Table, key: tuple[str, ...]) -> Iterator[tuple[object, ...]]:
    return zip(*(rows.column(name).to_pylist() for name in key), strict=True)


def _with_geometries(table: pa.Table, shared: list[list[int]]) -> pa.Table:
    column = table.column(GEOMETRY).to_pylist()
    for rows in shared:
        column[rows[0]] = collect([column[i] for i in rows if column[i] is not None])
    place = table.schema.get_field_index(GEOMETRY)
    return table.set_column(place, table.schema.field(place), pa.array(column, pa.binary()))


def collect(shapes: list[bytes]) -> bytes | None:
    """Geometries of one dimension (ISO WKB) as one multipart geometry; parts that overlap are merged.

    Geometries of mixed dimensions keep those of the highest.
    """
    if not shapes:
        return None
    parts = shapely.get_parts(shapely.from_wkb(np.array(shapes, dtype=object)))
    dimensions = shapely.get_dimensions(parts)
    highest = int(dimensions.max())
    whole: shapely.Geometry = _MULTI[highest](list(parts[dimensions == highest]))
    if not shapely.is_valid(whole):
        whole = shapely.make_valid(whole, method="structure", keep_collapsed=False)
    return bytes(shapely.to_wkb(whole, output_dimension=2, byte_order=1, flavor="iso"))
