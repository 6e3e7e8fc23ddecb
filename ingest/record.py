"""The record of a load, shared by rows and rasters: source identity, layer lock, edition, change event, report."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import INTERVAL, JSONB

from ingest.family import identity
from ingest.job import IngestPlan, IngestReport, ReadSummary
from ingest.provenance import mapping_digest, tool_versions
from layers.errors import CountsDisagree, LayerBusy
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
    """Identity of a source: name, size in bytes, SHA-256 over the file and its family."""

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
    """Size and SHA-256 of a source with its whole family (`ingest.family`).

    Raises:
        SourceMissing: When it is no readable source.
        SourceUnreadable: When a link in its family leads elsewhere.
    """
    return SourceFile(path.name, *identity(path))


def identify_plan(plan: IngestPlan) -> SourceFile:
    """Identity of what a plan loads; quarantined rows still belong to the source they came from."""
    if plan.replay is not None:
        return SourceFile(plan.replay.source, plan.replay.size, plan.replay.sha256)
    return identify(plan.source)


def open_edition(
    connection: sa.Connection,
    layer: LayerBase,
    plan: IngestPlan,
    source: SourceFile,
    principal: str,
) -> int:
    """Begin an edition in the transaction of the load; returns its number.

    Its instant is later than that of every edition of the layer before it, whatever the clock says. The caller holds
    the layer's lock.
    """
    return begin_edition(
        connection,
        layer,
        principal=principal,
        source=source.name,
        sha256=source.sha256,
        size=source.size,
        mapping=plan.mapping_name,
        mapping_digest=mapping_digest(plan.mapping),
        owner=plan.options.owner,
        kind="load" if plan.replay is None else "replay",
    )


def begin_edition(connection: sa.Connection, layer: LayerBase, **values: Any) -> int:
    """Insert the row of an edition with its lineage and an instant of its own; returns its number."""
    last = sa.select(sa.func.max(edition_table.c.committed)).where(edition_table.c.layer == layer.name)
    next_tick = last.scalar_subquery() + sa.cast("1 microsecond", INTERVAL())
    definition = sa.select(layer_state.c.definition).where(layer_state.c.layer == layer.name)
    postgis = sa.func.jsonb_build_object("postgis", sa.func.postgis_lib_version())
    statement = (
        sa.insert(edition_table)
        .values(
            layer=layer.name,
            clearance=int(layer.clearance),
            committed=sa.func.greatest(sa.func.clock_timestamp(), next_tick),
            tools=sa.literal(tool_versions(), JSONB()).op("||")(postgis),
            definition=definition.scalar_subquery(),
            inserted=0,
            updated=0,
            deleted=0,
            report={},
            **values,
        )
        .returning(edition_table.c.id)
    )
    return int(connection.execute(statement).scalar_one())


def moment(number: int) -> sa.ColumnElement[Any]:
    """The instant of an edition: its rows hold from then on, and the rows it ends hold until then."""
    return sa.select(edition_table.c.committed).where(edition_table.c.id == number).scalar_subquery()


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
    if number is None:
        raise ValueError("only a report with an edition closes one")
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
        sa.update(layer_state).where(layer_state.c.layer == layer.name).values(edition=number, changed=moment(number))
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
    """The report of a load whose rows are counted; `unchanged` is what remains of the rows read.

    Raises:
        CountsDisagree: When more rows were written and refused than read.
    """
    written = counts.inserted + counts.updated
    if written + refused + summary.not_selected > summary.read:
        raise CountsDisagree(
            f"The counts of {source.name} do not add up: {written} written, {refused} quarantined and "
            f"{summary.not_selected} not selected are more than the {summary.read} rows read. Nothing was loaded.",
            source=source.name,
        )
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


def layer_key(layer: LayerBase) -> sa.ColumnElement[int]:
    """The number of the advisory lock that every writer of a layer holds."""
    return sa.func.hashtextextended(f"geoservice.load.{layer.name}", 0)


@contextmanager
def layer_lock(engine: sa.Engine, layer: LayerBase) -> Iterator[None]:
    """One writer per layer: a session lock that falls with its connection, so a killed load never blocks the next.

    Raises:
        LayerBusy: When another load of the layer is under way.
    """
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        name = layer_key(layer)
        if not connection.execute(sa.select(sa.func.pg_try_advisory_lock(name))).scalar():
            raise LayerBusy(f"Another load of {layer.id} is under way; wait until it ends.", layer=layer.id)
        try:
            yield
        finally:
            connection.execute(sa.select(sa.func.pg_advisory_unlock(name)))
