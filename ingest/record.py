"""The record of a load, shared by rows and rasters: source identity, layer lock, edition, change event, report."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa

from ingest.job import IngestPlan, IngestReport, ReadSummary
from layers.errors import SourceError, SourceMissing
from layers.model import LayerBase
from layers.system import edition as edition_table
from layers.system import layer_state, outbox

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


def open_edition(
    connection: sa.Connection, layer: LayerBase, plan: IngestPlan, source: SourceFile, principal: str
) -> int:
    """Begin an edition in the transaction of the load; returns its number."""
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


def drop_edition(connection: sa.Connection, number: int) -> None:
    """Take back an edition that changed nothing."""
    connection.execute(sa.delete(edition_table).where(edition_table.c.id == number))


def close_edition(
    connection: sa.Connection,
    layer: LayerBase,
    counts: Counts,
    report: IngestReport,
    extent: Mapping[str, float | None],
) -> None:
    """Complete the edition of the report: its counts, the state of its layer, the change event, the notification.

    Args:
        connection: The transaction of the load.
        layer: The layer.
        counts: What the load did.
        report: The report; its `edition` is set.
        extent: west, south, east, north (degrees) of all that was touched; empty when nothing has a place.
    """
    number = report.edition
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
    connection.execute(
        sa.update(layer_state).where(layer_state.c.layer == layer.name).values(edition=number, changed=sa.func.now())
    )
    connection.execute(sa.insert(outbox).values(layer=layer.name, edition=number, **extent))
    connection.execute(sa.select(sa.func.pg_notify(CHANNEL, f"{layer.name}:{number}")))


def make_report(
    plan: IngestPlan,
    source: SourceFile,
    summary: ReadSummary,
    edition: int | None,
    counts: Counts,
    refused: int,
    seconds: float,
) -> IngestReport:
    """The report of a load whose rows are counted; `unchanged` is what remains of the rows read."""
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
def layer_lock(engine: sa.Engine, layer: LayerBase) -> Iterator[None]:
    """One writer per layer: a session lock that falls with its connection, so a killed load never blocks the next.

    Raises:
        SourceError: When another load of the layer is under way.
    """
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        name = sa.func.hashtextextended(f"geoservice.load.{layer.name}", 0)
        if not connection.execute(sa.select(sa.func.pg_try_advisory_lock(name))).scalar():
            raise SourceError(f"Another load of {layer.id} is under way; wait until it ends.", layer=layer.id)
        try:
            yield
        finally:
            connection.execute(sa.select(sa.func.pg_advisory_unlock(name)))
