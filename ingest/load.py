"""The one writer: staging, diff, one transaction, an edition and a change event.

Killed at any step, a load leaves the current rows untouched; its landing tables are dropped by the next load.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import sqlalchemy as sa
from psycopg.errors import UniqueViolation
from sqlalchemy.exc import IntegrityError

from ingest import again, beside, diff, figures, gate, indexes, landing, late, mending, parts, undo
from ingest.chronicle import Attempt, attempt
from ingest.job import IngestPlan, IngestReport, ReadSummary
from ingest.places import placed
from ingest.quarantine import Book, Case, open_book
from ingest.record import (
    CHANNEL,
    Counts,
    LoadTarget,
    SourceFile,
    close_edition,
    drop_edition,
    identify,
    layer_lock,
    make_report,
    open_edition,
)
from ingest.references import referenced
from ingest.watched import Watched
from layers.model import RasterLayer, RowLayer, TableLayer, VectorLayer
from layers.table import current_table

__all__ = ["CHANNEL", "Counts", "LoadTarget", "SourceFile", "identify", "load"]


def load(
    plan: IngestPlan, target: LoadTarget, *, principal: str = "cli", progress: Callable[[int], None] | None = None
) -> IngestReport:
    """Load a source into the table of its layer as one edition.

    Args:
        plan: What is loaded, and how.
        target: Where to.
        principal: Who loads, for the record.
        progress: Called with the number of rows read since the last call.

    Returns:
        The report; its counts add up.

    Raises:
        SourceError: When the source cannot be read or does not fit; nothing was changed.
    """
    with attempt(target.engine, plan, principal, progress) as record:
        record.report = _load(plan, target, record, progress or (lambda _: None))
    return record.finished()


def _load(plan: IngestPlan, target: LoadTarget, record: Attempt, progress: Callable[[int], None]) -> IngestReport:
    layer = row_layer(plan)
    with (
        Watched(plan) as watched,
        layer_lock(target.engine, layer),
        placed(plan, target.engine) as placing,
        referenced(placing, target.engine) as ready,
    ):
        report = _unchanged(plan, ready, target, watched, record)
        if report is not None:
            return report
        record.enter("reading")
        try:
            return _land(ready, target, layer, watched, record, progress, parts.number_of_parts(ready))
        except parts.PartsDisagree:
            return _land(ready, target, layer, watched, record, progress, 1)


def _unchanged(
    plan: IngestPlan, ready: IngestPlan, target: LoadTarget, watched: Watched, record: Attempt
) -> IngestReport | None:
    """The report of a source that stands already, as it is; None when it has to be read."""
    with target.engine.begin() as connection:
        landing.sweep(connection, row_layer(plan))
        known = again.standing(connection, ready, watched)
        if known is None:
            return None
        summary, refused = known
        report = make_report(plan, watched.source(), summary, None, Counts(), refused, record.seconds)
        return record.keep(connection, report)


def _land(
    plan: IngestPlan,
    target: LoadTarget,
    layer: RowLayer,
    watched: Watched,
    record: Attempt,
    progress: Callable[[int], None],
    readers: int,
) -> IngestReport:
    with target.engine.begin() as connection:
        tables = landing.create(connection, layer)
    try:
        with parts.read(plan, target.dsn, tables, readers, progress) as (read, record.folders):
            tables, summary = late.move(target.engine, plan, tables, record.folders, read)
            tables = _indexed(plan, target, layer, tables)
            source = watched.require_same()
            return _apply(plan, target, layer, tables, source, again.with_recipe(plan, summary), record)
    finally:
        with target.engine.begin() as connection:
            landing.drop(connection, layer, tables)


def row_layer(plan: IngestPlan) -> RowLayer:
    """The plan's layer, which must have rows (rasters go another way)."""
    if isinstance(plan.layer, RasterLayer):
        raise TypeError(f"{plan.layer.id} is a raster layer")
    return plan.layer


def _indexed(plan: IngestPlan, target: LoadTarget, layer: RowLayer, tables: landing.Staging) -> landing.Staging:
    """Index the table of a first load; its rows are compared after all when a key comes twice, and in a replay."""
    if tables.beside is None:
        return tables
    found = None if plan.replay is not None else beside.complete(target.engine, layer, tables.beside)
    if found is not None:
        return replace(tables, figures=found)
    with target.engine.begin() as connection:
        return landing.spill(connection, layer, tables)


def _apply(
    plan: IngestPlan,
    target: LoadTarget,
    layer: RowLayer,
    tables: landing.Staging,
    source: SourceFile,
    summary: ReadSummary,
    record: Attempt,
) -> IngestReport:
    record.enter("comparing")
    with target.engine.begin() as connection:
        book = open_book(connection, Case(plan, source, summary, tables, record.principal))
        book.keep_bad()
        number = open_edition(connection, layer, plan, source, record.principal)
        if isinstance(layer, TableLayer) and layer.storage == "series":
            _ensure_months(connection, layer, tables)
        first = None if plan.replay else _insert_first(connection, layer, tables, number, summary.good)
        if first is not None:
            counts = Counts(first)
        else:
            landed = diff.land(connection, layer, tables)
            book.keep_conflicting(landed)
            summary = late.note_conflicts(connection, plan, tables, landed, summary)
            record.enter("writing")
            counts = _write(book, layer, tables, landed, number)
        if plan.replay is None:
            gate.enforce(plan, summary, book.refused)
        if not counts.any:
            drop_edition(connection, number)
            book.settle(None)
            nothing = make_report(plan, source, summary, None, counts, book.refused, record.seconds)
            return record.keep(connection, nothing)
        record.enter("indexing")
        indexes.ensure(connection, layer)
        book.settle(number)
        report = make_report(plan, source, summary, number, counts, book.refused, record.seconds)
        report = record.keep(connection, report)
        mending.keep_repairs(connection, report, record.folders)
        whole = figures.renew(connection, layer, tables.figures if first else None)
        extent = whole if first is not None else _extent_of(connection, layer, number)
        close_edition(connection, layer, counts, report, extent)
    return report


def _insert_first(
    connection: sa.Connection, layer: RowLayer, tables: landing.Staging, number: int, good: int
) -> int | None:
    """Insert all landed rows of a layer that has no current rows: there is nothing to compare them with.

    Returns:
        How many; None, and nothing was done, when the layer has rows or a key comes twice in the source.
    """
    if tables.beside is not None:
        if good:
            beside.adopt(connection, layer, tables.beside.name, number)
        return good
    if connection.execute(diff.anything(layer)).scalar_one():
        return None
    try:
        with connection.begin_nested():
            inserted = _count(connection, diff.insert_all(layer, tables, number))
            indexes.ensure(connection, layer)
    except IntegrityError as error:
        if isinstance(error.orig, UniqueViolation):
            return None
        raise
    return inserted


def _write(book: Book, layer: RowLayer, tables: landing.Staging, landed: diff.Landed, number: int) -> Counts:
    connection = book.connection
    fresh = _keep(connection, "fresh", diff.fresh(layer, landed))
    changed = _keep(connection, "changed", diff.changed(layer, landed))
    deleted = 0
    if book.case.plan.mapping.complete:
        current = current_table(layer)
        gone = _keep(connection, "gone", diff.gone(layer, landed).where(~book.protects(current.c.key)))
        connection.execute(diff.archive(layer, sa.select(gone.c.fid), number))
        deleted = _count(connection, sa.delete(current).where(current.c.fid.in_(sa.select(gone.c.fid))))
    connection.execute(diff.archive(layer, sa.select(changed.c.fid), number))
    updated = _count(connection, diff.update_changed(layer, tables, landed, changed, number))
    inserted = _count(connection, diff.insert_new(layer, tables, landed, fresh, number))
    undo.raise_clearance(connection, layer, number)
    return Counts(inserted, updated, deleted)


def _count(connection: sa.Connection, statement: sa.Insert | sa.Update | sa.Delete) -> int:
    """Execute a write and say how many rows it touched, as the server counted them."""
    return connection.execute(statement, execution_options={"preserve_rowcount": True}).rowcount


def _keep(connection: sa.Connection, name: str, rows: sa.Select[Any]) -> sa.Table:
    """Freeze a comparison in a temporary table, before writing changes what it would find."""
    columns = [sa.Column(c.name, sa.BigInteger()) for c in rows.selected_columns]
    table = sa.Table(name, sa.MetaData(), *columns, prefixes=["TEMPORARY"], postgresql_on_commit="DROP")
    table.create(connection)
    connection.execute(sa.insert(table).from_select([c.name for c in columns], rows))
    return table


def _ensure_months(connection: sa.Connection, layer: TableLayer, tables: landing.Staging) -> None:
    moment = sa.func.timezone("UTC", tables.good.c[layer.time or ""])
    months = sa.select(sa.cast(sa.func.date_trunc("month", moment), sa.Date())).distinct()
    for month in connection.execute(months).scalars().all():
        connection.execute(sa.select(sa.func.meta.ensure_month(layer.name, month)))


def _extent_of(connection: sa.Connection, layer: RowLayer, number: int) -> dict[str, float | None]:
    """Extent of everything an edition touched: its new rows and the rows it ended."""
    if not isinstance(layer, VectorLayer):
        return {}
    boxes = figures.touched(layer, number)
    return dict(connection.execute(boxes).mappings().one())
