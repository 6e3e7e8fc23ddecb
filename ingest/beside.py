"""First loads: the table is built beside the empty one, indexed, and put in its place by one transaction.

There is nothing to compare the rows of a first load with. So they are copied once, straight into a table that becomes
the layer's own: no second write, no sorting, several indexes at a time. What the server cannot do by itself (the writer
owns no tables) the owner lends as functions; see `geoservice/db/beside.sql`.
"""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import sqlalchemy as sa
from psycopg.errors import UniqueViolation
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.exc import IntegrityError

from ingest import figures
from ingest.digest import HASH
from ingest.keys import can_write_key, key_column
from ingest.record import moment
from layers.access import Clearance
from layers.model import RowLayer
from layers.table import STAGING_SCHEMA, content_names, current_table

_AT_A_TIME = 2
_LATE = frozenset({"_edition", "_valid_from"})
"""Columns that are the same for all rows of an edition and are added when the table takes its place."""
_Index = tuple[str, str, list[str], bool]


def name_of(layer: RowLayer, job: str) -> str:
    """Name of the table beside, in the schema `staging`; `job` as in `layers.table.staging_table`."""
    return f"{layer.name}_{job}_new"


def make(connection: sa.Connection, layer: RowLayer, name: str) -> sa.Table | None:
    """Make the table beside; None where a layer cannot be loaded in this way or has rows already."""
    if not can_write_key(layer):
        return None
    made = connection.execute(sa.select(sa.func.meta.make_beside(layer.name, name))).scalar()
    return table(layer, name) if made else None


def table(layer: RowLayer, name: str) -> sa.Table:
    """The table beside, by its name."""
    columns = [sa.Column(c.name, c.type) for c in current_table(layer).columns if c.name not in _LATE]
    return sa.Table(name, sa.MetaData(schema=STAGING_SCHEMA), *columns)


def drop(connection: sa.Connection, layer: RowLayer, name: str) -> None:
    """Drop the table beside, when it is (still) there."""
    connection.execute(sa.select(sa.func.meta.drop_beside(layer.name, name)))


def rows_for(layer: RowLayer, rows: pa.Table, digests: pa.Array) -> pa.Table:
    """Accepted rows with the columns of the table beside.

    Args:
        layer: The layer.
        rows: Content columns and `_position` (number in the source, from 0); the feature number follows from it.
        digests: Content digests of the rows.
    """
    columns: dict[str, Any] = {
        "fid": pc.add(rows.column("_position"), 1),
        "key": key_column(layer, rows),
        **{name: rows.column(name) for name in content_names(layer)},
        "_clearance": _clearances(layer, rows),
        HASH: digests,
    }
    return pa.table(columns)


def _clearances(layer: RowLayer, rows: pa.Table) -> pa.Array:
    """The higher of the layer's clearance and the row's own, as `ingest.diff.clearance_expression` decides."""
    base = int(layer.clearance)
    if layer.row_clearance is None:
        return pa.array([base], pa.int16()).take(pa.array([0] * rows.num_rows, pa.int64()))
    written = rows.column(layer.row_clearance)
    labels = pa.array([level.label for level in Clearance])
    levels = pa.array([max(base, int(level)) for level in Clearance], pa.int16())
    known = levels.take(pc.index_in(written, value_set=labels).combine_chunks())
    strange = pc.if_else(written.is_null().combine_chunks(), pa.scalar(base, pa.int16()), int(Clearance.RESTRICTED))
    return pc.coalesce(known, pc.cast(strange, pa.int16()))


def complete(engine: sa.Engine, layer: RowLayer, rows: sa.Table) -> figures.ByLevel | None:
    """Index the table beside and read its figures, two things at a time, each in a transaction of its own.

    Returns:
        The figures; None when a key (or a position) comes twice, so that the rows have to be compared with one another.
    """

    def build(index: _Index) -> bool:
        title, method, columns, unique = index
        listed = sa.literal(columns, ARRAY(sa.Text()))
        call = sa.func.meta.index_beside(layer.name, rows.name, title, method, listed, unique)
        try:
            with engine.begin() as connection:
                connection.execute(sa.select(call))
        except IntegrityError as error:
            if isinstance(error.orig, UniqueViolation):
                return False
            raise
        return True

    def count() -> figures.ByLevel:
        with engine.begin() as connection:
            return figures.read(connection, layer, rows)

    with ThreadPoolExecutor(_AT_A_TIME, "ingest-index") as pool:
        built = [pool.submit(build, index) for index in _indexes(layer)]
        counted = pool.submit(count)
        return counted.result() if all(index.result() for index in built) else None


def _indexes(layer: RowLayer) -> Iterable[_Index]:
    """Name, method, columns and uniqueness of each index, the dearest first."""
    table = current_table(layer)
    wanted: list[_Index] = [(f"{layer.name}_pkey", "btree", ["fid"], True)]
    for index in table.indexes:
        columns = [c.name for c in index.columns]
        if not _LATE.intersection(columns):
            method = index.dialect_options["postgresql"]["using"] or "btree"
            wanted.append((str(index.name), method, columns, bool(index.unique)))
    return sorted(wanted, key=lambda i: (i[1] != "gist", not i[3], i[0]))


def adopt(connection: sa.Connection, layer: RowLayer, name: str, edition: int) -> None:
    """Put the table beside in the place of the empty one; all its rows belong to the edition. Readers wait a moment."""
    connection.execute(sa.select(sa.func.meta.adopt_beside(layer.name, name, edition, moment(edition))))


def spill(connection: sa.Connection, layer: RowLayer, beside: sa.Table, good: sa.Table) -> None:
    """Copy the rows of the table beside into a landing table, because they cannot be adopted as they are."""
    names = content_names(layer)
    kept = [sa.type_coerce(beside.c[n], sa.types.NullType()) for n in names]
    rows = sa.select(*kept, beside.c.fid - 1, beside.c[HASH])
    connection.execute(sa.insert(good).from_select([*names, "_position", HASH], rows))
