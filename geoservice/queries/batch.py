"""A batch as it runs: read a block of rows, answer it, write it, while the next blocks are under way."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import shapely

from geoservice.queries.coordinates import Floats, outside_world, to_storage
from geoservice.queries.errors import TableUnreadable
from geoservice.queries.tables.model import ERROR, Batch, Indices, Shapes, Table

_UNDER_WAY = 2
"""Blocks that are answered at the same time."""
_PIECE_BYTES = 8 << 20
"""Of the rows that are written at a time when rows are repeated."""


@dataclass(frozen=True)
class Rows:
    """Rows to be answered: longitudes and latitudes in degrees (not a number where a row has a fault), geometries."""

    x: Floats
    y: Floats
    shapes: Shapes | None
    faults: dict[int, str]

    def require_points(self) -> None:
        """Let rows whose geometry is no point have a fault."""
        if self.shapes is None:
            return
        for row in np.flatnonzero(~shapely.is_missing(self.shapes) & np.isnan(self.x)):
            kind = self.shapes[row].geom_type
            self.faults.setdefault(int(row), f"This question is about points; the row has a {kind}.")


@dataclass(frozen=True)
class Reply:
    """What a question says of some rows.

    Attributes:
        columns: The columns that are added.
        rows: For each of their values the row that it is about, in order, each at least once; None when the first value
            is about the first row, and so on.
    """

    columns: list[pa.Array]
    rows: Indices | None = None


Answer = Callable[[Rows], Awaitable[Reply]]


@dataclass(frozen=True)
class Question:
    """What is done with each block.

    Attributes:
        schema: Names and types of the columns that are added.
        answer: Gives these columns for rows. It may add faults; a row with a fault is to have no answer.
        crs: EPSG code of the coordinates.
        most_rows: Most rows that are asked about at a time; None for as many as come together.
    """

    schema: pa.Schema
    answer: Answer
    crs: int
    most_rows: int | None = None


@dataclass(frozen=True)
class Answered:
    """The columns that are added to a block of rows, and which row each of their values is about (see `Reply`)."""

    batch: Batch
    added: pa.RecordBatch
    rows: Indices | None

    def pieces(self) -> Iterator[tuple[Batch, pa.RecordBatch]]:
        """Rows with what is added to them, in pieces of bounded size however often a row is repeated."""
        if self.rows is None:
            yield self.batch, self.added
            return
        weights = np.cumsum(self.batch.sizes()[self.rows])
        cuts = np.flatnonzero(np.diff(weights // _PIECE_BYTES)) + 1
        for piece in np.split(np.arange(len(self.rows)), cuts):
            if len(piece):
                chosen = self.added.slice(int(piece[0]), len(piece))
                yield self.batch.repeated(self.rows[piece]), chosen


def blocks(table: Table, question: Question) -> Iterator[Batch]:
    """The rows of a table in the blocks in which a question is asked."""
    for batch in table.batches():
        yield from batch.parts(question.most_rows)


async def answered(table: Table, question: Question) -> AsyncGenerator[bytes, None]:
    """The table with the answers, part by part, its rows in order.

    Raises:
        TableUnreadable: When a column that is to be added is there already.
    """
    schema = answer_schema(table, question)
    coming, under_way = blocks(table, question), deque[asyncio.Task[Answered]]()
    try:
        while (batch := await asyncio.to_thread(next, coming, None)) is not None:
            under_way.append(asyncio.create_task(answer_batch(batch, question, schema)))
            if len(under_way) >= _UNDER_WAY:
                async for part in _encoded(table, await under_way.popleft()):
                    yield part
        while under_way:
            async for part in _encoded(table, await under_way.popleft()):
                yield part
        yield await asyncio.to_thread(table.ending)
    finally:
        for task in under_way:
            task.cancel()


async def _encoded(table: Table, answer: Answered) -> AsyncIterator[bytes]:
    pieces = answer.pieces()
    while (piece := await asyncio.to_thread(next, pieces, None)) is not None:
        yield await asyncio.to_thread(table.encode, *piece)


def answer_schema(table: Table, question: Question) -> pa.Schema:
    """The columns that are added to a table.

    Raises:
        TableUnreadable: When one is there already.
    """
    schema = pa.schema([*question.schema, pa.field(ERROR, pa.string())])
    taken = sorted(set(schema.names) & set(table.names))
    if taken:
        raise TableUnreadable(
            f"The table has a column {taken[0][:60]!r} already, and the answer adds one of this name; rename it, or "
            "choose another prefix."
        )
    return schema


async def answer_batch(batch: Batch, question: Question, schema: pa.Schema) -> Answered:
    """What is added to a block of rows, with the columns of `answer_schema`."""
    rows = await asyncio.to_thread(_placed, batch, question.crs)
    reply = await question.answer(rows)
    about = np.arange(batch.count) if reply.rows is None else reply.rows
    said = pa.nulls(len(about), pa.string())
    if rows.faults:
        said = pa.array([rows.faults.get(row) for row in about.tolist()], pa.string())
    return Answered(batch, pa.RecordBatch.from_arrays([*reply.columns, said], schema=schema), reply.rows)


def _placed(batch: Batch, crs: int) -> Rows:
    faults = dict(batch.places.faults)
    x, y = to_storage(batch.places.x, batch.places.y, crs)
    wrong = outside_world(x, y)
    if batch.places.shapes is None:
        for row in np.flatnonzero(wrong):
            faults.setdefault(int(row), "The place lies outside the world, or outside the area of its CRS.")
    wrong[list(faults)] = True
    return Rows(np.where(wrong, np.nan, x), np.where(wrong, np.nan, y), batch.places.shapes, faults)
