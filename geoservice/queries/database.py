"""Polygons that are too many for memory, or of the past: those near a batch of points are fetched from the database.

The database finds them by their boxes; which one holds a point is decided here, by the predicate and the order that
polygons in memory are asked by, so that both ways give one answer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import shapely

from geoservice.db.compiled import Compiled, compile_statement
from geoservice.db.reading import Reading
from geoservice.queries.columns import schema_of, table_of
from geoservice.queries.found import Floats, Found, Ranks
from geoservice.queries.holders import (
    LATITUDES,
    LONGITUDES,
    NUMBERS,
    WANTED,
    Holders,
    numbered_statement,
    pairs_statement,
)
from geoservice.queries.sources import Connect

_STEP = 8_192
"""Points that are asked for at a time; the polygons near them are in memory together."""
_HALF_TURN = 180.0
_NONE = np.iinfo(np.int32).max
Rows = Sequence[Mapping[str, Any]]


class NearbyPolygons:
    """Finds polygons through the database, a block of points at a time."""

    def __init__(self, connect: Connect, reading: Reading, holders: Holders) -> None:
        """Ask by connections of the clearance of the decision.

        Args:
            connect: Lends a read-only connection.
            reading: How rows are read.
            holders: Which polygons are meant.
        """
        self._connect = connect
        self._holders = holders
        translation = reading.schema(holders.decision.rule.max_clearance)
        self._pairs: Compiled = compile_statement(pairs_statement(holders), translation)
        self._numbered: Compiled = compile_statement(numbered_statement(holders), translation)
        self.schema: pa.Schema = schema_of(holders.layer, holders.attributes)

    async def find(self, x: Floats, y: Floats) -> Found:
        """See `Finder.find`."""
        rows = np.full(len(x), -1, dtype=np.int32)
        tables = [table_of(self.schema, [])]
        seen = 0
        for start in range(0, len(x), _STEP):
            part = slice(start, start + _STEP)
            found = await self._part(x[part], y[part])
            rows[part] = np.where(found.rows >= 0, found.rows + seen, -1)
            tables.append(found.table)
            seen += found.table.num_rows
        return Found(rows, pa.concat_tables(tables))

    async def _part(self, x: Floats, y: Floats) -> Found:
        number, x, y = _both_sides_of_the_seam(x, y)
        asked = np.flatnonzero(np.isfinite(x) & np.isfinite(y))
        values = {
            NUMBERS: asked.tolist(),
            LONGITUDES: x[asked].tolist(),
            LATITUDES: y[asked].tolist(),
            **self._holders.values,
        }
        async with self._connect() as connection, connection.transaction(isolation="repeatable_read", readonly=True):
            pairs = await connection.fetch(self._pairs.sql, *self._pairs.arguments(values))
            wanted = sorted({pair["_fid"] for pair in pairs})
            arguments = self._numbered.arguments({WANTED: wanted, **self._holders.values})
            polygons = await connection.fetch(self._numbered.sql, *arguments) if wanted else []
        rows = await asyncio.to_thread(_decide, pairs, polygons, (number, x, y))
        return Found(rows, table_of(self.schema, polygons))


def _both_sides_of_the_seam(x: Floats, y: Floats) -> tuple[np.ndarray[Any, Any], Floats, Floats]:
    """The points with their numbers; those on the meridian of 180 degrees come a second time, from its other side."""
    number = np.arange(len(x))
    seam = np.flatnonzero(np.abs(x) == _HALF_TURN)
    return np.append(number, seam), np.append(x, -x[seam]), np.append(y, y[seam])


def _decide(pairs: Rows, polygons: Rows, points: tuple[np.ndarray[Any, Any], Floats, Floats]) -> Ranks:
    """For each point the first of the polygons (in their order) that holds it."""
    number, x, y = points
    found = np.full(int(number.max(initial=-1)) + 1, _NONE, dtype=np.int32)
    if polygons:
        ranks = {row["_fid"]: rank for rank, row in enumerate(polygons)}
        shapes = np.atleast_1d(shapely.from_wkb(np.array([bytes(r["_shape"]) for r in polygons], dtype=np.object_)))
        shapely.prepare(shapes)
        point = np.array([pair["_n"] for pair in pairs], dtype=np.intp)
        rank = np.array([ranks.get(pair["_fid"], -1) for pair in pairs], dtype=np.int32)
        holds = (rank >= 0) & shapely.intersects_xy(shapes[rank], x[point], y[point])
        np.minimum.at(found, number[point[holds]], rank[holds])
    found[found == _NONE] = -1
    return found
