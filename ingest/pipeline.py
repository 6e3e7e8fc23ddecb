"""What happens inside the confined child: open, choose, map, project, repair, check, and write Arrow batches."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

import numpy as np
import pyarrow as pa

from ingest.assemble import Assembler
from ingest.checks.run import Checks
from ingest.job import IngestPlan, ReadSummary
from ingest.mapping import Mapper
from ingest.notes import Notes
from ingest.profile import Profiler
from ingest.project import Projector
from ingest.raw import row_of, write_raw
from ingest.readers.address_book import BOOK_NAME, AddressBook
from ingest.readers.choose import open_source
from ingest.readers.quarantined import READER, reader_facts
from ingest.readers.source import Chunk, Geometries, Request, Source
from ingest.repeats import Repeats
from ingest.rows import Rows
from ingest.stored import stored_wkb
from ingest.wire import GEOMETRY, POSITION, RAW, REASON, batch_schema, error_to_json, plan_from_json
from layers.errors import GeoError, SourceMismatch, SourceUnreadable
from layers.model import RasterLayer, VectorLayer


class Pipeline:
    """Rows of one source for one layer."""

    def __init__(self, request: Request, source: Source, listen: Callable[[Rows], None] | None = None) -> None:
        """Prepare all steps.

        Args:
            request: What is read, for which plan.
            source: The opened source.
            listen: Called with rows that are judged, with their breaches, before they go out.

        Raises:
            CrsRefused: When the source's CRS is missing or has no safe way into storage.
            SourceMismatch: When the mapping does not fit the source.
        """
        self._plan = request.plan
        self._source = source
        self._listen = listen
        self._notes = request.notes
        self._mapper = Mapper(request.plan, source, request.notes)
        layer = request.plan.layer
        placed = source.has_geometry and isinstance(layer, VectorLayer)
        self._projector = Projector(request, source) if placed else None
        self._checks = Checks(request.plan, request.scratch, request.notes)
        self._schema = batch_schema(layer)
        self._profiler = Profiler(layer) if not isinstance(layer, RasterLayer) else None
        self._repeats = Repeats(request.plan.mapping.repeats, getattr(layer, "key", ()), request.notes)
        self._good = self._bad = self._not_selected = self._source_rows = self._late = 0
        # The last batch and its geometries, for checks that would have to decode them otherwise.
        self._encoded: tuple[pa.RecordBatch | None, Geometries | None] = (None, None)
        rule = request.plan.mapping.assemble
        address = request.plan.mapping.address
        self._book = AddressBook(request.scratch / BOOK_NAME, address, request.notes) if address is not None else None
        names, tolerate = tuple(layer.attributes), request.plan.mapping.tolerate
        self._assembler = Assembler(rule, names, tolerate, request.notes) if rule is not None else None

    def batches(self) -> Iterator[pa.RecordBatch]:
        """The rows of the source, good and bad.

        Raises:
            SourceMismatch: At the end, when every geometry is of a type that the layer does not store.
            CrsRefused: When the coordinates cannot be what the source declares.
        """
        for batch in self._rows():
            for kept in self._repeats.take(batch):
                yield self._counted(kept)
        for kept in self._repeats.rest(self._plan.limits.batch_rows):
            yield self._counted(kept)
        self._refuse_wrong_geometry()
        self._checks.close()
        self._late = self._checks.settle()

    def _rows(self) -> Iterator[pa.RecordBatch]:
        part = self._plan.part
        if part is not None and part.number and not self._source.split:
            return
        for chunk in self._source.chunks():
            chosen = self._mapper.select(chunk)
            self._source_rows += len(chunk) + chunk.skipped
            self._not_selected += len(chunk) - len(chosen) + chunk.skipped
            if len(chosen):
                yield from self._take(chosen)
        if self._source_rows == 0 and part is None:
            raise SourceUnreadable(f"{self._plan.source.name} holds no rows.", source=self._plan.source.name)
        if self._projector is not None:
            self._projector.finish()
        yield from self._assembled()

    def _counted(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        good = batch.column(REASON).null_count
        if self._profiler is not None:
            self._profiler.add(batch if good == batch.num_rows else batch.filter(batch.column(REASON).is_null()))
        encoded, geometries = self._encoded
        self._checks.collect(batch, geometries if batch is encoded else None)
        self._good += good
        self._bad += batch.num_rows - good
        return batch

    def summary(self) -> ReadSummary:
        """Counts and findings; complete after the last batch."""
        return ReadSummary(
            driver=self._source.driver,
            read=self._good + self._bad + self._not_selected + self._repeats.absorbed,
            good=self._good,
            bad=self._bad,
            not_selected=self._not_selected + self._repeats.absorbed,
            crs=self._projector.name if self._projector is not None else None,
            encoding=self._source.encoding,
            unmapped_fields=self._mapper.unmapped,
            repaired=self._checks.repaired,
            late=self._late,
            findings=self._notes.findings(),
            profile=self._profiler.result() if self._profiler is not None else (),
            facts=self._facts(),
        )

    def _facts(self) -> dict[str, Any]:
        heights = self._mapper.heights
        found = {
            **self._source.facts,
            **self._wrong_types(),
            "source_rows": self._source_rows,
            READER: reader_facts(self._source),
        }
        found |= {"vertical_datum": heights.facts()} if heights is not None else {}
        return found | (self._projector.facts() if self._projector is not None else {})

    def _wrong_types(self) -> dict[str, list[str]]:
        """For whoever joins the parts: types of geometry that the layer does not store."""
        check = self._checks.geometry
        found = sorted(check.wrong_types) if check is not None and self._plan.part is not None else []
        return {"wrong_types": found} if found else {}

    def _take(self, chunk: Chunk) -> Iterator[pa.RecordBatch]:
        rows = self._mapper.rows(chunk)
        self._place(rows)
        if self._book is not None:
            self._book.place(rows, chunk)
        if self._assembler is None:
            yield self._finish(rows, chunk)
            return
        self._assembler.add(rows)
        if rows.bad:
            bad = ~rows.good
            yield self._encode(rows, chunk).filter(pa.array(bad))

    def _assembled(self) -> Iterator[pa.RecordBatch]:
        found = self._assembler.lines() if self._assembler is not None else None
        if found is not None:
            yield self._finish(*found)

    def _place(self, rows: Rows) -> None:
        """Bring geometries into storage; a table layer has none."""
        check = self._checks.geometry
        if check is None or rows.geometry is None:
            rows.geometry = None
            return
        # The chunk keeps its own geometries: they go into the raw form of bad rows.
        rows.geometry = rows.geometry.copy()
        check.budget(rows)
        if self._projector is not None:
            self._projector.project(rows)

    def _finish(self, rows: Rows, chunk: Chunk) -> pa.RecordBatch:
        self._checks.judge(rows)
        return self._encode(rows, chunk)

    def _refuse_wrong_geometry(self) -> None:
        check = self._checks.geometry
        if check is None or self._good or not check.wrong_types or self._plan.part is not None:
            return
        raise SourceMismatch(
            f"{self._plan.source.name} holds {' and '.join(sorted(check.wrong_types))} geometries, but layer "
            f"{self._plan.layer.id} stores {getattr(self._plan.layer, 'geometry', '')} geometries.",
            found=sorted(check.wrong_types),
        )

    def _encode(self, rows: Rows, chunk: Chunk) -> pa.RecordBatch:
        if self._listen is not None:
            self._listen(rows)
        self._checks.tell(rows)
        columns = dict(rows.columns)
        if isinstance(self._plan.layer, VectorLayer):
            columns[GEOMETRY] = stored_wkb(rows, chunk)
        columns[POSITION] = pa.array(rows.position, pa.int64())
        reasons, raws = np.full(len(rows), None, dtype=object), np.full(len(rows), None, dtype=object)
        for row, reason in rows.bad.items():
            reasons[row], raws[row] = reason, write_raw(row_of(chunk, row))
        columns[REASON] = pa.array(reasons, pa.string())
        columns[RAW] = pa.array(raws, pa.string())
        batch = pa.record_batch([columns[name] for name in self._schema.names], schema=self._schema)
        self._encoded = (batch, rows.geometry)
        return batch


def deliver(plan_json: dict[str, Any], file: str, rows: IO[bytes]) -> dict[str, Any]:
    """Read the source and write its rows as an Arrow IPC stream.

    Args:
        plan_json: The plan as `ingest.wire.plan_to_json` wrote it.
        file: The source in the private directory.
        rows: Where the stream goes.

    Returns:
        `{"summary": ...}`, or the error in the form of `ingest.wire.error_to_json`.
    """
    plan = plan_from_json(plan_json)
    notes = Notes()
    request = Request(Path(file), plan, Path(file).parent, notes)
    try:
        with warnings.catch_warnings(record=True) as heard:
            warnings.simplefilter("always")
            pipeline = Pipeline(request, open_source(request))
            _write(pipeline, plan, rows)
        _note_warnings(heard, request)
        return {"summary": pipeline.summary().model_dump(mode="json")}
    except GeoError as error:
        return error_to_json(error)
    except MemoryError:
        return error_to_json(
            SourceUnreadable(f"Reading {request.name} needs more than the {plan.limits.memory >> 20} MiB allowed.")
        )
    except BrokenPipeError:
        return error_to_json(SourceUnreadable(f"Reading {request.name} was given up by the loader."))


def _write(pipeline: Pipeline, plan: IngestPlan, rows: IO[bytes]) -> None:
    with pa.ipc.new_stream(pa.PythonFile(rows, mode="w"), batch_schema(plan.layer)) as writer:
        for batch in pipeline.batches():
            writer.write_batch(batch)


_TOLD_ELSEWHERE = ("encountered in", "Measured (M) geometry types are not supported")
"""Warnings about what is judged row by row: arithmetic on empty and non-finite coordinates, measures of geometries."""


def _note_warnings(heard: list[warnings.WarningMessage], request: Request) -> None:
    for warning in heard:
        text = str(warning.message).replace(str(request.file), request.name)
        if issubclass(warning.category, RuntimeWarning | UserWarning) and not any(t in text for t in _TOLD_ELSEWHERE):
            request.notes.add("reader-warning", "warning", text[:300], count=1)
