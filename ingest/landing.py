"""The landing tables of one load: unlogged, filled by ADBC on its own connection, dropped at the end."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

import adbc_driver_postgresql.dbapi as adbc
import pyarrow as pa
import pyarrow.compute as pc
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import UUID

from ingest import beside, figures
from ingest.ahead import ahead
from ingest.digest import HASH, content_digests
from layers.model import RowLayer
from layers.table import STAGING_SCHEMA, column_type, content_names, staging_table

BAD_COLUMNS = ("_position", "_reason", "_raw")
STORED = "_stored"
"""True for refused rows whose content is kept as the layer would hold it, because the reader had let them through."""


@dataclass(frozen=True)
class Staging:
    """The landing tables of a job: rows that may be loaded, and rows that may not, with their reasons.

    Attributes:
        good: Rows to compare with the current ones.
        bad: Refused rows.
        beside: In a first load, the table that takes the place of the layer's own; good rows go there instead.
        figures: Figures of the rows beside (`ingest.figures.read`), once they are indexed.
    """

    good: sa.Table
    bad: sa.Table
    beside: sa.Table | None = None
    figures: figures.ByLevel | None = None


def create(connection: sa.Connection, layer: RowLayer) -> Staging:
    """Make the landing tables of a new job, after dropping what a killed job of this layer left behind.

    The caller holds the layer's lock, so that no other job of the layer is under way.
    """
    sweep(connection, layer)
    job = f"_{secrets.token_hex(4)}"
    tables = _tables(layer, job)
    tables.good.create(connection)
    tables.bad.create(connection)
    return replace(tables, beside=beside.make(connection, layer, beside.name_of(layer, job)))


def _tables(layer: RowLayer, job: str) -> Staging:
    good = staging_table(layer, job)
    good.append_column(sa.Column(HASH, UUID()))
    bad = sa.Table(
        f"{good.name}_bad",
        sa.MetaData(schema=STAGING_SCHEMA),
        *(sa.Column(name, column_type(layer.attributes[name])) for name in layer.key),
        sa.Column("_position", sa.BigInteger()),
        sa.Column("_reason", sa.Text()),
        sa.Column("_raw", sa.Text()),
        sa.Column(STORED, sa.Boolean()),
        prefixes=["UNLOGGED"],
    )
    return Staging(good, bad)


def names(staging: Staging) -> tuple[str, ...]:
    """Names of the landing tables, from which `named` finds them again in another process."""
    return tuple(t.name for t in (staging.good, staging.beside) if t is not None)


def named(layer: RowLayer, names: tuple[str, ...]) -> Staging:
    """The landing tables of these names."""
    tables = _tables(layer, names[0].removeprefix(f"{layer.name}_"))
    return replace(tables, beside=beside.table(layer, names[1])) if len(names) > 1 else tables


def spill(connection: sa.Connection, layer: RowLayer, staging: Staging) -> Staging:
    """Give up the table beside: its rows go to where rows are compared."""
    if staging.beside is None:
        return staging
    beside.spill(connection, layer, staging.beside, staging.good)
    beside.drop(connection, layer, staging.beside.name)
    return replace(staging, beside=None)


def drop(connection: sa.Connection, layer: RowLayer, staging: Staging) -> None:
    """Drop the landing tables; one that took the layer's place is no landing table any more."""
    staging.good.drop(connection, checkfirst=True)
    staging.bad.drop(connection, checkfirst=True)
    if staging.beside is not None:
        beside.drop(connection, layer, staging.beside.name)


def fill(
    dsn: str, layer: RowLayer, staging: Staging, batches: Iterable[pa.RecordBatch], progress: Callable[[int], None]
) -> tuple[int, int]:
    """Send Arrow batches into the landing tables.

    Args:
        dsn: libpq connection string of the writer.
        layer: The layer whose rows they are.
        staging: Where to.
        batches: Rows as `ingest.sandbox` delivers them (`_reason` null = good).
        progress: Called with the number of rows sent since the last call.

    Returns:
        How many good and how many bad rows were sent.
    """
    good = bad = 0
    with adbc.connect(dsn) as connection, connection.cursor() as cursor:
        for rows, table, refused in ahead(_prepared(layer, staging, b) for b in _merged(batches)):
            good += _send(cursor, table, rows)
            bad += _send(cursor, staging.bad, refused)
            progress(rows.num_rows + refused.num_rows)
        connection.commit()
    return good, bad


def _prepared(layer: RowLayer, staging: Staging, batch: pa.Table) -> tuple[pa.Table, sa.Table, pa.Table]:
    """Rows that may be loaded as their table takes them, that table, and refused rows as theirs takes them."""
    accepted, refused = _divided(batch)
    digests = content_digests(layer, accepted)
    if staging.beside is not None:
        return beside.rows_for(layer, accepted, digests), staging.beside, _with_key(layer, refused)
    rows = accepted.select((*content_names(layer), "_position")).append_column(HASH, digests)
    return rows, staging.good, _with_key(layer, refused)


def _divided(batch: pa.Table) -> tuple[pa.Table, pa.Table]:
    """Rows that may be loaded and rows that may not; mostly all may, and nothing is copied."""
    reasons = batch.column("_reason")
    if reasons.null_count == len(reasons):
        return batch, batch.slice(0, 0)
    valid = pc.is_null(reasons)
    return batch.filter(valid), batch.filter(pc.invert(valid))


def _with_key(layer: RowLayer, refused: pa.Table) -> pa.Table:
    """Refused rows with what they say of their key; texts that PostgreSQL cannot store are left out."""
    rows = refused.select((*layer.key, *BAD_COLUMNS))
    for place, name in enumerate(layer.key):
        column = rows.column(name)
        if pa.types.is_string(column.type):
            storable = pc.if_else(pc.match_substring(column, "\0"), pa.scalar(None, column.type), column)
            rows = rows.set_column(place, name, storable)
    return rows


def _send(cursor: adbc.Cursor, table: sa.Table, rows: pa.Table) -> int:
    if rows.num_rows:
        cursor.adbc_ingest(table.name, rows, mode="append", db_schema_name=STAGING_SCHEMA)
    return int(rows.num_rows)


def _merged(batches: Iterable[pa.RecordBatch], rows: int = 8_000) -> Iterator[pa.Table]:
    """Join small batches, because each COPY has a fixed cost."""
    waiting: list[pa.RecordBatch] = []
    for batch in batches:
        waiting.append(batch)
        if sum(b.num_rows for b in waiting) >= rows:
            yield pa.Table.from_batches(waiting)
            waiting = []
    if waiting:
        yield pa.Table.from_batches(waiting)


def sweep(connection: sa.Connection, layer: RowLayer) -> None:
    """Drop what killed jobs of a layer left behind; the caller holds the layer's lock."""
    orphan = re.compile(rf"^{re.escape(layer.name)}__[0-9a-f]{{8}}(_bad|_new)?$")
    for name in sa.inspect(connection).get_table_names(schema=STAGING_SCHEMA):
        match = orphan.match(name)
        if match is not None and match.group(1) == "_new":
            beside.drop(connection, layer, name)
        elif match is not None:
            sa.Table(name, sa.MetaData(schema=STAGING_SCHEMA)).drop(connection)
