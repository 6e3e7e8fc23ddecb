"""Verdicts that come after the rows: good rows that a rule about rows together keeps out are moved to the bad ones."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pyarrow as pa
import sqlalchemy as sa

from ingest import diff
from ingest.checks import verdict
from ingest.job import IngestPlan, ReadSummary
from ingest.landing import STORED, Staging, spill
from ingest.notes import FIRST, Notes
from layers.errors import SourceUnreadable
from layers.model import RasterLayer, RowLayer


def move(
    engine: sa.Engine, plan: IngestPlan, tables: Staging, folders: Iterable[Path], summary: ReadSummary
) -> tuple[Staging, ReadSummary]:
    """Move the rows that the confined reader keeps out after all from the good to the bad landing table.

    A table beside is given up for it: the rows are compared like those of any later load.

    Args:
        engine: The writer's.
        plan: What is loaded.
        tables: The landing tables, filled.
        folders: Where the readers left their verdicts; what stands there is not trusted.
        summary: What the reader said.

    Returns:
        The landing tables to go on with, and the summary with the rows counted as bad.

    Raises:
        SourceUnreadable: When the verdicts do not fit the rows that were delivered.
    """
    if not summary.late:
        return tables, summary
    layer = _row_layer(plan)
    with engine.begin() as connection:
        tables = spill(connection, layer, tables)
        late = _late_table(connection)
        for folder in folders:
            for batch in verdict.read(folder):
                connection.execute(sa.insert(late), _records(batch))
        moved = _move(connection, layer, tables, late)
    if moved != summary.late:
        raise SourceUnreadable(
            f"The reader of {plan.source.name} keeps out {summary.late} rows that it had delivered, but {moved} were "
            "found; nothing was loaded.",
            source=plan.source.name,
        )
    return tables, summary.model_copy(update={"good": summary.good - moved, "bad": summary.bad + moved})


def note_conflicts(
    connection: sa.Connection, plan: IngestPlan, tables: Staging, landed: diff.Landed, summary: ReadSummary
) -> ReadSummary:
    """The summary with a finding of the rows that repeat a key of their source with other content."""
    layer = _row_layer(plan)
    if not layer.key:
        return summary
    found = diff.conflicting(layer, tables, landed).subquery()
    count = connection.execute(sa.select(sa.func.count()).select_from(found)).scalar_one()
    if not count:
        return summary
    position = found.c[0]
    first = connection.execute(sa.select(position).order_by(position).limit(FIRST)).scalars().all()
    notes = Notes()
    notes.add("duplicate-key", "error", "Keys stand in an earlier row already, with other content.", first, count)
    return summary.model_copy(update={"findings": (*summary.findings, *notes.findings())})


def _row_layer(plan: IngestPlan) -> RowLayer:
    if isinstance(plan.layer, RasterLayer):
        raise TypeError(f"{plan.layer.id} is a raster layer")
    return plan.layer


def _late_table(connection: sa.Connection) -> sa.Table:
    table: sa.Table = sa.Table(
        "late",
        sa.MetaData(),
        sa.Column("position", sa.BigInteger(), primary_key=True),
        sa.Column("reason", sa.Text()),
        prefixes=["TEMPORARY"],
        postgresql_on_commit="DROP",
    )
    table.create(connection)
    return table


def _records(batch: pa.RecordBatch) -> list[dict[str, object]]:
    found: list[dict[str, object]] = batch.to_pylist()
    if len({record["position"] for record in found}) < len(found):
        raise SourceUnreadable("The confined reader gave two verdicts on one row.")
    return found


def _move(connection: sa.Connection, layer: RowLayer, tables: Staging, late: sa.Table) -> int:
    good, bad = tables.good, tables.bad
    raw = sa.cast(diff.row_json(layer, good), sa.Text())
    columns = [*(good.c[name] for name in layer.key), late.c.position, late.c.reason, raw, sa.true()]
    rows = sa.select(*columns).join(good, good.c["_position"] == late.c.position)
    statement = sa.insert(bad).from_select([*layer.key, "_position", "_reason", "_raw", STORED], rows)
    moved = connection.execute(statement, execution_options={"preserve_rowcount": True}).rowcount
    connection.execute(sa.delete(good).where(good.c["_position"] == late.c.position))
    return moved
