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
from geoservice.features.state import LayerState, read_states
from geoservice.processes.model import Execution
from geoservice.queries.batch import Answered, Question, answer_batch, answer_schema, blocks
from geoservice.queries.memory import PolygonShelf
from geoservice.queries.sources import Sources
from geoservice.queries.table_inputs import TABLE, TableInputs
from geoservice.queries.tables.forms import open_table
from geoservice.queries.tables.model import ERROR, Batch, Table
from geoservice.queries.wish import TableWish, asked_of
from layers.errors import TooLarge

_MEBIBYTE = 1 << 20
_PLAN = "plan.json"
_ABOUT = "_row"


@dataclass(frozen=True)
class Written:
    """The answer: its file, how many rows it has, how many of them have an error, of which collections it tells."""

    path: Path
    rows: int
    errors: int
    layers: tuple[str, ...]


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
            layers, done = tuple(await _states(sources, wish)), 0
            for number, batch in enumerate(blocks(table, asked.question)):
                part = _part(parts, number)
                if not part.exists():
                    _keep(part, await answer_batch(batch, asked.question, schema))
                done += batch.count
                execution.tell(done, None)
    with source.open("rb") as file:
        whole = _whole(execution, _table(execution, inputs, file), parts, (inputs.media, asked.question))
    return replace(whole, layers=layers)


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
    states = await _states(sources, wish)
    editions = {name: state.edition for name, state in states.items()}
    if not plan.exists():
        # The youngest of several collections: at that instant each was as it is now.
        instants = [state.committed for state in states.values() if state.committed is not None]
        instant = max(instants).isoformat() if instants else None
        _replace(plan, json.dumps({"editions": editions, "instant": instant}).encode())
        return wish
    begun = json.loads(plan.read_bytes())
    if begun["editions"] == editions or begun["instant"] is None:
        return wish
    return replace(wish, narrowing=replace(wish.narrowing, as_of=begun["instant"]))


async def _states(sources: Sources, wish: TableWish) -> dict[str, LayerState]:
    opened = sources.several(wish.collection) if wish.operation == "identify" else [sources.layer(wish.collection)]
    clearance = sources.principal.clearance
    async with sources.connect() as connection:
        return await read_states(connection, clearance, [layer.name for layer, _ in opened])


def _part(folder: Path, number: int) -> Path:
    return folder / f"{number:06}.arrow"


def _keep(part: Path, answer: Answered) -> None:
    """Write an answer; its last column says which row a value is about, and is of no type where that goes without."""
    about = pa.nulls(answer.added.num_rows) if answer.rows is None else pa.array(answer.rows, pa.int64())
    kept = answer.added.append_column(_ABOUT, about)
    sink = pa.BufferOutputStream()
    with ipc.new_stream(sink, kept.schema) as writer:
        writer.write_batch(kept)
    _replace(part, sink.getvalue().to_pybytes())


def _kept(part: Path, batch: Batch) -> Answered:
    with ipc.open_stream(part.read_bytes()) as reader:
        kept = reader.read_next_batch()
    about = kept.column(kept.num_columns - 1)
    added = kept.select(list(range(kept.num_columns - 1)))
    return Answered(batch, added, None if pa.types.is_null(about.type) else about.to_numpy())


def _replace(path: Path, content: bytes) -> None:
    """Write a file so that it is there whole or not at all, and on disk."""
    draft = path.with_suffix(".draft")
    with draft.open("wb") as handle:
        handle.write(content)
        handle.flush()
        os.fsync(handle.fileno())
    draft.replace(path)


def _whole(execution: Execution, table: Table, parts: Path, asked: tuple[str, Question]) -> Written:
    media, question = asked
    path, rows, errors = execution.folder / f"{TABLE}{_ENDINGS[media]}", 0, 0
    draft = path.with_name(f".{path.name}")
    with draft.open("wb") as handle:
        for number, batch in enumerate(blocks(table, question)):
            answer = _kept(_part(parts, number), batch)
            for piece in answer.pieces():
                handle.write(table.encode(*piece))
                _require_bounded(handle.tell(), execution.settings.export_max_bytes)
            rows += answer.added.num_rows
            errors += answer.added.num_rows - answer.added.column(ERROR).null_count
        handle.write(table.ending())
        handle.flush()
        os.fsync(handle.fileno())
    draft.replace(path)
    return Written(path, rows, errors, ())


def _require_bounded(size: int, most: int) -> None:
    """Refuse an answer that repeats rows until the disk is full."""
    if size > most:
        raise TooLarge(
            f"The answered table has more than {most:,} bytes; ask for matches=first, or send the table in parts.",
            maximum=most,
        )


_ENDINGS = {
    "text/csv": ".csv",
    "application/x-ndjson": ".ndjson",
    "application/geo+json-seq": ".geojsons",
    "application/vnd.apache.parquet": ".parquet",
    "application/vnd.apache.arrow.stream": ".arrows",
}
