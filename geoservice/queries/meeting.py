"""Which features of a collection meet the geometries of many rows, whatever both are: points, lines or areas.

The database finds candidates by boxes, through the index; they are fetched in parts of bounded size, each feature once
for all rows of a block, and whether they meet is decided here. So the memory that a block takes depends neither on how
large the collection is nor on how large its features are.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import shapely
import sqlalchemy as sa

from geoservice.db.compiled import Compiled, compile_statement
from geoservice.db.pools import RawConnection
from geoservice.db.reading import Reading
from geoservice.queries.columns import schema_of, table_of
from geoservice.queries.holders import NUMBERS, WANTED, Holders, numbered_statement
from geoservice.queries.sources import Connect
from geoservice.queries.tables.model import Indices, Shapes
from geoservice.queries.where import Where
from layers.crs import STORAGE_SRID

MOST_NEAR = 5_000
"""Features whose boxes meet those of one row; a row that has more has a fault."""
BLOCK_ROWS = 512
"""Rows that are asked about at a time."""
_PART_BYTES = 16 << 20
"""Of the stored geometries that are fetched at a time."""
_SIDES = ("west", "south", "east", "north")
_MOST = "most"
Row = Mapping[str, Any]


@dataclass(frozen=True)
class Near:
    """Candidates of a part: pairs of a row and a feature whose boxes meet.

    Attributes:
        rows: For each pair the number of the row.
        features: For each pair the place of the feature in `shapes` and `table`.
        shapes: Geometries of the features.
        table: Their keys and attributes.
    """

    rows: Indices
    features: Indices
    shapes: Shapes
    table: pa.Table


class Meeting:
    """Finds features near rows; statements are compiled once."""

    def __init__(self, connect: Connect, reading: Reading, holders: Holders) -> None:
        """Ask by connections of the clearance of the decision.

        Args:
            connect: Lends a read-only connection.
            reading: How rows are read.
            holders: Which features are meant.
        """
        self._connect, self._holders = connect, holders
        translation = reading.schema(holders.decision.rule.max_clearance)
        self._pairs: Compiled = compile_statement(near_statement(holders), translation)
        self._numbered: Compiled = compile_statement(numbered_statement(holders), translation)
        self.schema: pa.Schema = schema_of(holders.layer, holders.attributes)

    async def parts(self, shapes: Shapes, faults: dict[int, str]) -> AsyncGenerator[Near, None]:
        """Candidates for the geometries of a block of rows; a row that has too many gets a fault and none.

        Args:
            shapes: Geometries in longitude and latitude; None asks for nothing.
            faults: Of the rows, by their numbers.
        """
        async with self._connect() as connection, connection.transaction(isolation="repeatable_read", readonly=True):
            pairs = await self._candidates(connection, shapes, faults)
            for wanted in _bounded(pairs):
                arguments = self._numbered.arguments({WANTED: wanted.tolist(), **self._holders.values})
                found = await connection.fetch(self._numbered.sql, *arguments)
                yield _near(pairs, found, table_of(self.schema, found))

    async def _candidates(self, connection: RawConnection, shapes: Shapes, faults: dict[int, str]) -> _Pairs:
        asked = [int(row) for row in np.flatnonzero(~shapely.is_missing(shapes)) if int(row) not in faults]
        boxes = [(row, *box) for row in asked for box in Where(shapes[row], "row").boxes()]
        columns: list[list[Any]] = [list(one) for one in zip(*boxes, strict=True)] if boxes else [[], [], [], [], []]
        values = dict(zip((NUMBERS, *_SIDES), columns, strict=True))
        arguments = self._pairs.arguments({**values, _MOST: MOST_NEAR + 1, **self._holders.values})
        found = await connection.fetch(self._pairs.sql, *arguments) if boxes else []
        # A row has two boxes when it lies on both sides of 180 degrees, and a feature may meet both of them.
        pairs = _Pairs.of({(one["_n"], one["_fid"]): one["_bytes"] for one in found})
        crowded = np.flatnonzero(np.bincount(pairs.rows, minlength=len(shapes)) > MOST_NEAR)
        for row in crowded.tolist():
            faults[row] = (
                f"The box around the row meets more than {MOST_NEAR} features; cut the row into parts, or narrow the "
                "collection by a filter."
            )
        return pairs.without(crowded)


@dataclass(frozen=True)
class _Pairs:
    """Numbers of rows and of features, and how many bytes each feature takes where it is stored."""

    rows: Indices
    features: Indices
    sizes: Indices

    @classmethod
    def of(cls, sizes: Mapping[tuple[int, int], int]) -> _Pairs:
        numbers = np.array(sorted(sizes), dtype=np.int64).reshape(-1, 2)
        return cls(numbers[:, 0], numbers[:, 1], np.array([sizes[one] for one in sorted(sizes)], dtype=np.int64))

    def without(self, rows: npt.NDArray[np.intp]) -> _Pairs:
        kept = ~np.isin(self.rows, rows)
        return _Pairs(self.rows[kept], self.features[kept], self.sizes[kept])


def _bounded(pairs: _Pairs) -> Iterator[Indices]:
    """Numbers of features, in parts of bounded size."""
    features, first = np.unique(pairs.features, return_index=True)
    filled = np.cumsum(pairs.sizes[first]) // _PART_BYTES
    for part in np.split(features, np.flatnonzero(np.diff(filled)) + 1):
        if len(part):
            yield part


def _near(pairs: _Pairs, found: Sequence[Row], table: pa.Table) -> Near:
    numbers = np.array([one["_fid"] for one in found], dtype=np.int64)
    shapes = np.atleast_1d(shapely.from_wkb(np.array([bytes(one["_shape"]) for one in found], dtype=np.object_)))
    order = np.argsort(numbers)
    mine = np.isin(pairs.features, numbers)
    places = order[np.searchsorted(numbers[order], pairs.features[mine])] if len(numbers) else np.zeros(0, np.int64)
    return Near(pairs.rows[mine], places.astype(np.int64), shapes, table)


def near_statement(holders: Holders) -> sa.Select[Any]:
    """Numbers of rows and of the features whose boxes meet theirs, with the bytes that these take as they are stored.

    The bind parameters are five arrays: `numbers` and the sides of the boxes, and `most`: features for each box.
    """
    arrays: list[Any] = [sa.bindparam(side, type_=sa.ARRAY(sa.Double())) for side in _SIDES]
    columns: list[Any] = [sa.column(side, sa.Double()) for side in _SIDES]
    boxes = (
        sa.func.unnest(sa.bindparam(NUMBERS, type_=sa.ARRAY(sa.Integer())), *arrays)
        .table_valued(sa.column("n", sa.Integer()), *columns, name="boxes")
        .render_derived()
    )
    box = sa.func.ST_MakeEnvelope(*(boxes.c[side] for side in _SIDES), STORAGE_SRID)
    most = sa.bindparam(_MOST, type_=sa.Integer())

    def near(table: sa.Table) -> sa.Select[Any]:
        geometry = sa.type_coerce(table.c.geom, sa.types.NullType())
        # What is stored is measured as it lies, without unpacking it.
        size = sa.func.pg_column_size(geometry, type_=sa.Integer()).label("_bytes")
        one = holders.select(table, table.c.fid.label("_fid"), size)
        met = one.where(geometry.op("&&")(box)).limit(most).lateral("near")
        return sa.select(boxes.c.n.label("_n"), met.c["_fid"], met.c["_bytes"]).select_from(boxes.join(met, sa.true()))

    return holders.rows(near)
