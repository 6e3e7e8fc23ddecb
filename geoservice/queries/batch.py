"""A batch as it runs: read a block of rows, answer it, write it, while the next blocks are under way."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import shapely

from geoservice.queries.coordinates import Floats, outside_world, to_storage
from geoservice.queries.errors import TableUnreadable
from geoservice.queries.tables.model import ERROR, Batch, Shapes, Table

_UNDER_WAY = 2
"""Blocks that are answered at the same time."""


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


Answer = Callable[[Rows], Awaitable[list[pa.Array]]]


@dataclass(frozen=True)
class Question:
    """What is done with each block.

    Attributes:
        schema: Names and types of the columns that are added.
        answer: Gives these columns for rows. It may add faults; a row with a fault is to have no answer.
        crs: EPSG code of the coordinates.
    """

    schema: pa.Schema
    answer: Answer
    crs: int


async def answered(table: Table, question: Question) -> AsyncIterator[bytes]:
    """The table with the answers, part by part, its rows in order.

    Raises:
        TableUnreadable: When a column that is to be added is there already.
    """
    schema = answer_schema(table, question)
    batches, under_way = table.batches(), deque[asyncio.Task[tuple[Batch, pa.RecordBatch]]]()
    try:
        while (batch := await asyncio.to_thread(next, batches, None)) is not None:
            under_way.append(asyncio.create_task(_with_batch(batch, question, schema)))
            if len(under_way) >= _UNDER_WAY:
                yield await _encoded(table, await under_way.popleft())
        while under_way:
            yield await _encoded(table, await under_way.popleft())
        yield await asyncio.to_thread(table.ending)
    finally:
        for task in under_way:
            task.cancel()


async def _encoded(table: Table, answer: tuple[Batch, pa.RecordBatch]) -> bytes:
    return await asyncio.to_thread(table.encode, *answer)


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


async def answer_batch(batch: Batch, question: Question, schema: pa.Schema) -> pa.RecordBatch:
    """The columns that are added to a block of rows, as `answer_schema` has them."""
    rows = await asyncio.to_thread(_placed, batch, question.crs)
    columns = await question.answer(rows)
    said = pa.nulls(batch.count, pa.string())
    if rows.faults:
        said = pa.array([rows.faults.get(row) for row in range(batch.count)], pa.string())
    return pa.RecordBatch.from_arrays([*columns, said], schema=schema)


async def _with_batch(batch: Batch, question: Question, schema: pa.Schema) -> tuple[Batch, pa.RecordBatch]:
    return batch, await answer_batch(batch, question, schema)


def _placed(batch: Batch, crs: int) -> Rows:
    faults = dict(batch.places.faults)
    x, y = to_storage(batch.places.x, batch.places.y, crs)
    wrong = outside_world(x, y)
    if batch.places.shapes is None:
        for row in np.flatnonzero(wrong):
            faults.setdefault(int(row), "The place lies outside the world, or outside the area of its CRS.")
    wrong[list(faults)] = True
    return Rows(np.where(wrong, np.nan, x), np.where(wrong, np.nan, y), batch.places.shapes, faults)
