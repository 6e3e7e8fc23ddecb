"""The one writer: staging, diff, one transaction, an edition and a change event.

Killed at any step, a load leaves the current rows untouched; its landing tables are dropped by the next load.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from ingest import diff, figures, landing, quarantine
from ingest.job import IngestPlan, IngestReport, ReadSummary
from ingest.sandbox import open_rows
from layers.errors import SourceError, SourceMissing, SourceUnreadable
from layers.model import RasterLayer, RowLayer, TableLayer, VectorLayer
from layers.system import edition as edition_table
from layers.system import layer_state, outbox
from layers.table import current_table

CHANNEL = "geoservice_change"


@dataclass(frozen=True)
class LoadTarget:
    """Where loads go: an engine and a libpq string of the writer role, and the folder of raster files."""

    engine: sa.Engine
    dsn: str
    rasters: Path


@dataclass(frozen=True)
class SourceFile:
    """Identity of a source: name, size in bytes, SHA-256 over the file (and the siblings of a shapefile)."""

    name: str
    size: int
    sha256: str


@dataclass(frozen=True)
class Counts:
    """What a load did to the current rows."""

    inserted: int = 0
    updated: int = 0
    deleted: int = 0
    repeated: int = 0

    @property
    def any(self) -> bool:
        """Whether anything changed."""
        return bool(self.inserted or self.updated or self.deleted)


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
    started = time.monotonic()
    layer = row_layer(plan)
    source = identify(plan.source)
    with _layer_lock(target.engine, layer):
        with target.engine.begin() as connection:
            tables = landing.create(connection, layer)
        try:
            summary = _read(plan, target, layer, tables, progress or (lambda _: None))
            if identify(plan.source) != source:
                raise SourceUnreadable(f"{source.name} changed while it was read; load it again.", source=source.name)
            edition, counts, refused = _apply(plan, target, layer, tables, source, summary, principal)
        finally:
            with target.engine.begin() as connection:
                landing.drop(connection, tables)
    return _report(plan, source, summary, edition, counts, refused, time.monotonic() - started)


def row_layer(plan: IngestPlan) -> RowLayer:
    """The plan's layer, which must have rows (rasters go another way)."""
    if isinstance(plan.layer, RasterLayer):
        raise TypeError(f"{plan.layer.id} is a raster layer")
    return plan.layer


def identify(path: Path) -> SourceFile:
    """Size and SHA-256 of a source file; for a `.shp` all files of the same stem.

    Raises:
        SourceMissing: When it is not a readable file.
    """
    if not path.is_file():
        raise SourceMissing(f"There is no file {path.name} at the place given.", source=path.name)
    files = sorted(path.parent.glob(f"{path.stem}.*")) if path.suffix.lower() == ".shp" else [path]
    digest, size = hashlib.sha256(), 0
    try:
        for file in files:
            with file.open("rb") as handle:
                while block := handle.read(1 << 20):
                    digest.update(block)
                    size += len(block)
    except PermissionError:
        raise SourceMissing(f"{path.name} may not be read by this user.", source=path.name) from None
    return SourceFile(path.name, size, digest.hexdigest())


def _read(
    plan: IngestPlan, target: LoadTarget, layer: RowLayer, tables: landing.Staging, progress: Callable[[int], None]
) -> ReadSummary:
    with open_rows(plan) as stream:
        good, bad = landing.fill(target.dsn, layer, tables, stream, progress)
        summary = stream.summary
    if (good, bad) != (summary.good, summary.bad) or summary.read != good + bad + summary.not_selected:
        raise SourceUnreadable(
            f"The reader of {plan.source.name} delivered {good}+{bad} rows but counted {summary.good}+{summary.bad} "
            f"of {summary.read}; nothing was loaded.",
            source=plan.source.name,
        )
    return summary


def _apply(
    plan: IngestPlan,
    target: LoadTarget,
    layer: RowLayer,
    tables: landing.Staging,
    source: SourceFile,
    summary: ReadSummary,
    principal: str,
) -> tuple[int | None, Counts, int]:
    with target.engine.begin() as connection:
        refused = quarantine.keep_bad(connection, plan, source.sha256, tables)
        landed = diff.land(connection, layer, tables)
        refused += quarantine.keep_conflicting(connection, plan, source.sha256, tables, landed)
        number = _open_edition(connection, layer, plan, source, principal)
        counts = _write(connection, plan, layer, tables, landed, number)
        if not counts.any:
            connection.execute(sa.delete(edition_table).where(edition_table.c.id == number))
            return None, counts, refused
        report = _report(plan, source, summary, number, counts, refused, 0.0)
        _close_edition(connection, layer, number, counts, report)
    return number, counts, refused


def _open_edition(
    connection: sa.Connection, layer: RowLayer, plan: IngestPlan, source: SourceFile, principal: str
) -> int:
    statement = (
        sa.insert(edition_table)
        .values(
            layer=layer.name,
            clearance=int(layer.clearance),
            committed=sa.func.now(),
            principal=principal,
            source=source.name,
            sha256=source.sha256,
            size=source.size,
            mapping=plan.mapping_name,
            inserted=0,
            updated=0,
            deleted=0,
            report={},
        )
        .returning(edition_table.c.id)
    )
    return int(connection.execute(statement).scalar_one())


def _write(
    connection: sa.Connection,
    plan: IngestPlan,
    layer: RowLayer,
    tables: landing.Staging,
    landed: diff.Landed,
    number: int,
) -> Counts:
    if isinstance(layer, TableLayer) and layer.storage == "series":
        _ensure_months(connection, layer, tables)
    fresh = _keep(connection, "fresh", diff.fresh(layer, landed))
    changed = _keep(connection, "changed", diff.changed(layer, landed))
    deleted = 0
    if plan.mapping.complete:
        gone = _keep(connection, "gone", diff.gone(layer, landed))
        connection.execute(diff.archive(layer, sa.select(gone.c.fid), number))
        current = current_table(layer)
        deleted = _count(connection, sa.delete(current).where(current.c.fid.in_(sa.select(gone.c.fid))))
    connection.execute(diff.archive(layer, sa.select(changed.c.fid), number))
    updated = _count(connection, diff.update_changed(layer, tables, landed, changed, number))
    inserted = _count(connection, diff.insert_new(layer, tables, landed, fresh, number))
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


def _close_edition(
    connection: sa.Connection, layer: RowLayer, number: int, counts: Counts, report: IngestReport
) -> None:
    connection.execute(
        sa.update(edition_table)
        .where(edition_table.c.id == number)
        .values(
            inserted=counts.inserted,
            updated=counts.updated,
            deleted=counts.deleted,
            report=report.model_dump(mode="json"),
        )
    )
    figures.renew(connection, layer)
    connection.execute(
        sa.update(layer_state).where(layer_state.c.layer == layer.name).values(edition=number, changed=sa.func.now())
    )
    connection.execute(
        sa.insert(outbox).values(layer=layer.name, edition=number, **_extent_of(connection, layer, number))
    )
    connection.execute(sa.select(sa.func.pg_notify(CHANNEL, f"{layer.name}:{number}")))


def _extent_of(connection: sa.Connection, layer: RowLayer, number: int) -> dict[str, float | None]:
    """Extent of everything an edition touched: its new rows and the rows it ended."""
    if not isinstance(layer, VectorLayer):
        return {}
    boxes = figures.touched(layer, number)
    return dict(connection.execute(boxes).mappings().one())


def _report(
    plan: IngestPlan,
    source: SourceFile,
    summary: ReadSummary,
    edition: int | None,
    counts: Counts,
    refused: int,
    seconds: float,
) -> IngestReport:
    written = counts.inserted + counts.updated
    return IngestReport(
        layer=plan.layer.id,
        source=source.name,
        mapping=plan.mapping_name,
        sha256=source.sha256,
        size=source.size,
        edition=edition,
        read=summary.read,
        inserted=counts.inserted,
        updated=counts.updated,
        unchanged=summary.read - written - refused - summary.not_selected,
        quarantined=refused,
        not_selected=summary.not_selected,
        deleted=counts.deleted,
        seconds=round(seconds, 3),
        summary=summary,
    )


@contextmanager
def _layer_lock(engine: sa.Engine, layer: RowLayer) -> Iterator[None]:
    """One writer per layer: a session lock that falls with its connection, so a killed load never blocks the next."""
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        name = sa.func.hashtextextended(f"geoservice.load.{layer.name}", 0)
        if not connection.execute(sa.select(sa.func.pg_try_advisory_lock(name))).scalar():
            raise SourceError(f"Another load of {layer.id} is under way; wait until it ends.", layer=layer.id)
        try:
            yield
        finally:
            connection.execute(sa.select(sa.func.pg_advisory_unlock(name)))
