"""Answering a table in parts that outlive the process, and writing the whole when all are there."""

from __future__ import annotations

import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pyarrow as pa
from pyarrow import ipc

from geoservice.db.engine import Database
from geoservice.db.pools import Pools
from geoservice.db.reading import Reading
from geoservice.features.state import read_states
from geoservice.processes.model import Execution
from geoservice.queries.batch import answer_batch, answer_schema
from geoservice.queries.memory import PolygonShelf
from geoservice.queries.sources import Sources
from geoservice.queries.table_inputs import TABLE, TableInputs
from geoservice.queries.tables.forms import open_table
from geoservice.queries.tables.model import ERROR, Table
from geoservice.queries.wish import TableWish, asked_of

_MEBIBYTE = 1 << 20
_PLAN = "plan.json"


@dataclass(frozen=True)
class Written:
    """The answer: its file, how many rows it has, and how many of them have an error."""

    path: Path
    rows: int
    errors: int


async def answer_in_parts(execution: Execution, inputs: TableInputs, source: Path) -> Written:
    """Answer a table; what a former attempt has answered is not asked again.

    Args:
        execution: For whom, and where parts and the result go.
        inputs: What is asked, and how the table is read.
        source: The table.
    """
    parts = execution.folder / "parts"
    parts.mkdir(exist_ok=True)
    with source.open("rb") as file:
        table = _table(execution, inputs, file)
        async with _sources(execution) as sources:
            wish = await _pinned(sources, inputs.wish(), parts / _PLAN)
            asked = await asked_of(sources, wish)
            schema = answer_schema(table, asked.question)
            done = 0
            for number, batch in enumerate(table.batches()):
                part = _part(parts, number)
                if not part.exists():
                    _keep(part, await answer_batch(batch, asked.question, schema))
                done += batch.count
                execution.tell(done, None)
    with source.open("rb") as file:
        return _whole(execution, _table(execution, inputs, file), parts, inputs.media)


def _table(execution: Execution, inputs: TableInputs, file: object) -> Table:
    settings = execution.settings
    limits = settings.max_zone_vertices, settings.query_batch_rows
    return open_table(inputs.media, file, inputs.columns(), *limits)  # type: ignore[arg-type]


@asynccontextmanager
async def _sources(execution: Execution) -> AsyncIterator[Sources]:
    """What the principal may be answered from, by connections that are closed at the end."""
    settings, clearance = execution.settings, execution.principal.clearance
    reading = Reading("policies" if execution.schema is None else "views")
    shelf = PolygonShelf(settings.query_memory_mb * _MEBIBYTE)
    async with Pools(Database.from_settings(settings)) as pools:
        yield Sources(
            execution.principal, execution.catalog, lambda: pools.raw(clearance), reading, shelf, execution.rasters
        )


async def _pinned(sources: Sources, wish: TableWish, plan: Path) -> TableWish:
    """The wish as the first attempt understood it: about now as long as no other edition has come, else about then."""
    if wish.narrowing.as_of is not None:
        return wish
    layer, decision = sources.layer(wish.collection)
    async with sources.connect() as connection:
        state = (await read_states(connection, decision.rule.max_clearance, [layer.name]))[layer.name]
    if not plan.exists():
        instant = None if state.committed is None else state.committed.isoformat()
        _replace(plan, json.dumps({"edition": state.edition, "instant": instant}).encode())
        return wish
    begun = json.loads(plan.read_bytes())
    if begun["edition"] == state.edition or begun["instant"] is None:
        return wish
    return replace(wish, narrowing=replace(wish.narrowing, as_of=begun["instant"]))


def _part(folder: Path, number: int) -> Path:
    return folder / f"{number:06}.arrow"


def _keep(part: Path, answer: pa.RecordBatch) -> None:
    sink = pa.BufferOutputStream()
    with ipc.new_stream(sink, answer.schema) as writer:
        writer.write_batch(answer)
    _replace(part, sink.getvalue().to_pybytes())


def _replace(path: Path, content: bytes) -> None:
    """Write a file so that it is there whole or not at all, and on disk."""
    draft = path.with_suffix(".draft")
    with draft.open("wb") as handle:
        handle.write(content)
        handle.flush()
        os.fsync(handle.fileno())
    draft.replace(path)


def _whole(execution: Execution, table: Table, parts: Path, media: str) -> Written:
    path, rows, errors = execution.folder / f"{TABLE}{_ENDINGS[media]}", 0, 0
    draft = path.with_name(f".{path.name}")
    with draft.open("wb") as handle:
        for number, batch in enumerate(table.batches()):
            with ipc.open_stream(_part(parts, number).read_bytes()) as reader:
                answer = reader.read_next_batch()
            handle.write(table.encode(batch, answer))
            rows += batch.count
            errors += batch.count - answer.column(ERROR).null_count
        handle.write(table.ending())
        handle.flush()
        os.fsync(handle.fileno())
    draft.replace(path)
    return Written(path, rows, errors)


_ENDINGS = {
    "text/csv": ".csv",
    "application/x-ndjson": ".ndjson",
    "application/geo+json-seq": ".geojsons",
    "application/vnd.apache.parquet": ".parquet",
    "application/vnd.apache.arrow.stream": ".arrows",
}
