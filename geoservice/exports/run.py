"""Carrying an export out: one snapshot, one statement, one file, as the reader of the clearance of who asked."""

from __future__ import annotations

import datetime as dt
import hashlib
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import sqlalchemy as sa

from geoservice.archives.snapshot import View, view
from geoservice.db.engine import Database
from geoservice.exports.closing import facts_of
from geoservice.exports.errors import ExportTooLarge
from geoservice.exports.wish import ExportInputs, subject_of
from geoservice.features.past import edition_then
from geoservice.features.rows import rows_statement
from geoservice.formats.rows import file_columns, streamed, written_out
from geoservice.formats.subject import Batches, Subject
from geoservice.processes.model import Execution
from layers.access import Decision, decide
from layers.errors import BadParameter, UnknownLayer
from layers.interval import parse_instant
from layers.model import RasterLayer, RowLayer
from layers.offered import OfferedCrs
from layers.system import edition as editions
from layers.table import AS_OF

RESULT = "file"
"""Name of the result."""
_MOST_DIGITS = 18


def run(execution: Execution, inputs: ExportInputs) -> None:
    """Make the file and publish it.

    Raises:
        UnknownLayer: When there is no such collection, or none that the principal may see.
        BadParameter, NotAcceptable: When the wish cannot be met.
        ExportTooLarge: When the result grows beyond what is allowed.
        DatabaseUnavailable: When the server does not answer.
    """
    layer, decision = opened(execution, inputs.collection)
    chosen = inputs.file_format(layer)
    _clear(execution.folder)
    guard = _Guard(execution)
    with view(Database.from_settings(execution.settings), execution.principal.clearance) as seen:
        instant = _instant(seen, layer, inputs)
        subject, crs = _subject(seen, execution, inputs, layer, decision, instant)
        file = execution.folder / file_name(subject, chosen.suffix)
        statement = _statement(seen, inputs, subject, decision, crs)
        with _cleared_by_failure(guard), streamed(seen, statement, subject, guard) as batches:
            chosen.write(subject, _watched(batches, guard), file)
            guard.require_room()
    facts: dict[str, Any] = {**subject.about.facts(), "rows": guard.rows, "length": file.stat().st_size}
    facts |= facts_of(layer, execution.principal.clearance, subject.attributes, past=instant is not None)
    facts["label"] = facts.pop("title")
    execution.publish(RESULT, file, chosen.media, layers=(layer.name,), sha256=digest_of(file), **facts)


def opened(execution: Execution, name: str) -> tuple[RowLayer, Decision]:
    """The layer of an export, and what its principal may see of it.

    Raises:
        UnknownLayer: When there is none, the principal may not see it, or it is a raster.
    """
    layer = execution.catalog.layers.get(name)
    decision = None if layer is None else decide(execution.principal, "read", layer)
    if layer is None or decision is None or not decision.allowed or isinstance(layer, RasterLayer):
        raise UnknownLayer(f"There is no collection {name[:60]!r} with rows; /collections lists those there are.")
    return layer, decision


def file_name(subject: Subject, suffix: str) -> str:
    """Name of a file: collection and edition, so that two states do not overwrite one another."""
    edition = "" if subject.about.edition is None else f"-{subject.about.edition}"
    return f"{subject.layer.name}{edition}{suffix}"


def digest_of(file: Path) -> str:
    """SHA-256 of a file."""
    with file.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def _clear(folder: Path) -> None:
    """Remove what an attempt left that was killed: a file of rows cannot be gone on with."""
    for place in folder.iterdir():
        if place.is_dir():
            shutil.rmtree(place)
        else:
            place.unlink()


def _instant(seen: View, layer: RowLayer, inputs: ExportInputs) -> dt.datetime | None:
    if inputs.as_of is not None:
        return parse_instant(inputs.as_of, "as-of")
    if inputs.edition is None:
        return None
    text = inputs.edition
    number = int(text) if text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS else -1
    wanted = sa.select(editions.c.committed).where(editions.c.layer == layer.name, editions.c.id == number)
    instant: dt.datetime | None = seen.connection.execute(wanted).scalar()
    if instant is None:
        raise BadParameter(f"Collection {layer.name} has no edition {text[:30]!r}.", parameter="edition")
    return instant


def _subject(
    seen: View, execution: Execution, inputs: ExportInputs, layer: RowLayer, decision: Decision, instant: Any
) -> tuple[Subject, OfferedCrs]:
    state = seen.states([layer])[layer.name]
    number = state.edition
    if instant is not None:
        number = seen.connection.execute(sa.select(edition_then(layer)), {AS_OF: instant}).scalar()
    current = number == state.edition
    facts: dict[str, Any] = {"edition": number, "instant": instant}
    facts |= {"committed": state.committed if current else None, "source": state.source if current else None}
    query = inputs.query(layer, decision, instant)
    extent = query.bbox or state.extent
    return subject_of(inputs, layer.crediting(state.mappings), decision, execution.catalog, extent, **facts)


def _statement(seen: View, inputs: ExportInputs, subject: Subject, decision: Decision, crs: OfferedCrs) -> str:
    query = inputs.query(subject.layer, decision, subject.about.instant)
    rows = rows_statement(subject.layer, decision, query).subquery("found")
    chosen = sa.select(*file_columns(subject, rows, crs.srid)).order_by(rows.c.fid)
    return written_out(seen, chosen, query.values(subject.layer))


class _Guard:
    """Counts rows as they come, and ends an export that grows too large."""

    def __init__(self, execution: Execution) -> None:
        self._execution = execution
        self.folder = execution.folder
        self.rows = 0

    def __call__(self, rows: int) -> None:
        self.rows += rows
        self._execution.tell(self.rows, None)

    def require_room(self) -> None:
        """End the export when the file is too large, or the disk too full.

        Raises:
            ExportTooLarge: When it is.
        """
        folder, settings = self.folder, self._execution.settings
        size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
        if size > settings.export_max_bytes:
            raise ExportTooLarge(
                f"The result has more than the {settings.export_max_bytes:,} bytes allowed; ask for a smaller area or "
                "fewer properties.",
                maximum=settings.export_max_bytes,
            )
        if shutil.disk_usage(folder).free < settings.upload_reserve_bytes:
            raise ExportTooLarge("The disk has not enough room for the result; ask the operator.")


@contextmanager
def _cleared_by_failure(guard: _Guard) -> Iterator[None]:
    """What a failed attempt wrote goes at once and makes room again.

    Libraries have words of their own for a full disk; when it is full, that is the reason that is told.
    """
    try:
        yield
    except Exception:
        try:
            guard.require_room()
        finally:
            _clear(guard.folder)
        raise


def _watched(batches: Batches, guard: _Guard) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        guard.require_room()
        yield batch
