"""Polygons of a layer kept in memory, per layer, edition and view: built once, asked a million times a second.

An entry is used as long as the edition of its layer is the one that it was built from, which is asked of the database
for each batch, in the transaction that reads. What a reader may not see is not in their entry: the decision (clearance
of rows, attributes) is part of its name. Entries take at most so many bytes together; the ones not used for longest go.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from weakref import WeakValueDictionary

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import shapely

from geoservice.db.compiled import compile_statement
from geoservice.db.pools import RawConnection
from geoservice.db.reading import Reading
from geoservice.features.state import read_states
from geoservice.queries.columns import schema_of, table_of
from geoservice.queries.found import Floats, Found
from geoservice.queries.grid import VERTEX_BYTES, PolygonIndex
from geoservice.queries.holders import Holders, all_statement

_FETCHED = 200
"""Rows that are fetched at a time while an entry is built."""
_MOST_REFUSED = 256
MOST_ROWS = 200_000
"""Polygons of a layer beyond which none of them are kept in memory."""


@dataclass(frozen=True)
class Kept:
    """An entry: polygons by rank with their attributes."""

    edition: int | None
    index: PolygonIndex
    table: pa.Table
    schema: pa.Schema

    @property
    def size(self) -> int:
        """Bytes of memory, estimated."""
        return self.index.size + int(self.table.nbytes)

    async def find(self, x: Floats, y: Floats) -> Found:
        """See `Finder.find`; the work is done in a thread, most of it without the lock of the interpreter."""
        return Found(await asyncio.to_thread(self.index.find, x, y), self.table)


class PolygonShelf:
    """The entries of this process."""

    def __init__(self, most_bytes: int) -> None:
        """Keep entries of at most so many bytes together; 0 keeps none."""
        self._most = most_bytes
        self._kept: OrderedDict[Holders, Kept] = OrderedDict()
        self._too_large: OrderedDict[Holders, int | None] = OrderedDict()
        # A lock lives as long as somebody waits for it or holds it.
        self._building: WeakValueDictionary[Holders, asyncio.Lock] = WeakValueDictionary()

    def __len__(self) -> int:
        """How many entries there are."""
        return len(self._kept)

    @property
    def size(self) -> int:
        """Bytes of all entries, estimated."""
        return sum(one.size for one in self._kept.values())

    async def get(self, connection: RawConnection, reading: Reading, holders: Holders) -> Kept | None:
        """The entry of what is meant, built if need be; None when it is too large or about the past.

        Args:
            connection: A read-only connection of the decision's clearance, outside a transaction.
            reading: How rows are read.
            holders: What is meant.
        """
        if holders.as_of is not None or self._most == 0:
            return None
        lock = self._building.setdefault(holders, asyncio.Lock())
        async with lock:
            return await self._current(connection, reading, holders)

    async def _current(self, connection: RawConnection, reading: Reading, holders: Holders) -> Kept | None:
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            clearance, name = holders.decision.rule.max_clearance, holders.layer.name
            state = (await read_states(connection, clearance, [name]))[name]
            kept = self._kept.get(holders)
            if kept is not None and kept.edition == state.edition:
                self._kept.move_to_end(holders)
                return kept
            self._kept.pop(holders, None)
            if state.rows > MOST_ROWS or self._too_large.get(holders, -1) == state.edition:
                return None
            gathered = await _gathered(connection, reading, holders, self._most)
        if gathered is None:
            self._refuse(holders, state.edition)
            return None
        kept = await asyncio.to_thread(_built, state.edition, gathered)
        self._keep(holders, kept)
        return kept

    def _keep(self, holders: Holders, kept: Kept) -> None:
        self._too_large.pop(holders, None)
        if kept.size > self._most:
            self._refuse(holders, kept.edition)
            return
        self._kept[holders] = kept
        while self.size > self._most:
            self._kept.popitem(last=False)

    def _refuse(self, holders: Holders, edition: int | None) -> None:
        self._too_large[holders] = edition
        while len(self._too_large) > _MOST_REFUSED:
            self._too_large.popitem(last=False)


@dataclass
class _Gathered:
    """Polygons as they come, in the order of their ranks: what is fetched is made into shapes at once."""

    shapes: list[npt.NDArray[np.object_]]
    tables: list[pa.Table]

    def add(self, schema: pa.Schema, rows: Sequence[Mapping[str, Any]]) -> int:
        """Take rows in; their estimated bytes of memory."""
        made = np.atleast_1d(shapely.from_wkb(np.array([bytes(row["_shape"]) for row in rows], dtype=np.object_)))
        self.shapes.append(made)
        self.tables.append(table_of(schema, rows))
        return int(shapely.get_num_coordinates(made).sum()) * VERTEX_BYTES


async def _gathered(connection: RawConnection, reading: Reading, holders: Holders, most: int) -> _Gathered | None:
    """All polygons; None as soon as they are too large."""
    translation = reading.schema(holders.decision.rule.max_clearance)
    compiled = compile_statement(all_statement(holders), translation)
    schema = schema_of(holders.layer, holders.attributes)
    found, size = _Gathered([np.zeros(0, dtype=np.object_)], [table_of(schema, [])]), 0
    cursor = await connection.cursor(compiled.sql, *compiled.arguments(holders.values))
    while rows := await cursor.fetch(_FETCHED):
        size += await asyncio.to_thread(found.add, schema, rows)
        if size > most:
            return None
    return found


def _built(edition: int | None, gathered: _Gathered) -> Kept:
    table = pa.concat_tables(gathered.tables).combine_chunks()
    return Kept(edition, PolygonIndex(np.concatenate(gathered.shapes)), table, table.schema)
