"""A table or view of another PostGIS database as a source, by one read-only transaction into a GeoPackage."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pyarrow as pa
import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from ingest.remote.client import RemoteLimits
from ingest.remote.snapshot import Progress, silent
from layers.crs import parse_crs
from layers.errors import RemoteUnavailable, SourceMismatch, SourceUnreadable

_BATCH = 20_000
_CONNECT_SECONDS = 10
_KINDS = ("r", "p", "v", "m", "f")
_SPATIAL = ("geometry", "geography")
_TYPES: dict[str, pa.DataType] = {
    "int2": pa.int32(),
    "int4": pa.int32(),
    "int8": pa.int64(),
    "float4": pa.float64(),
    "float8": pa.float64(),
    "bool": pa.bool_(),
    "date": pa.date32(),
}
"""Types that travel as they are; every other column travels as the text that PostgreSQL writes for it."""


@dataclass(frozen=True)
class _Table:
    """A table or view: its columns with the names of their types, its geometry column and that one's SRID."""

    schema: str
    name: str
    columns: dict[str, str]
    geometry: str | None = None
    srid: int = 0

    @property
    def clause(self) -> sa.TableClause:
        return sa.table(self.name, *(sa.column(c) for c in self.columns), schema=self.schema)


def fetch_table(dsn: str, table: str, file: Path, limits: RemoteLimits, progress: Progress = silent) -> int:
    """Copy a table or view into a GeoPackage.

    Args:
        dsn: libpq address of the database, from the settings.
        table: `schema.table`; without a schema `public`.
        file: The GeoPackage to write.
        limits: Seconds and bytes.
        progress: Called with the number of rows of each batch.

    Returns:
        How many rows were copied.

    Raises:
        RemoteUnavailable: When the database does not answer in time or refuses.
        SourceMismatch: When there is no such table for this user, or it mixes coordinate reference systems.
        CrsRefused: When its coordinate reference system is unknown.
        SourceUnreadable: When it has no rows.
    """
    schema, _, name = table.rpartition(".")
    try:
        with _connected(dsn, limits) as connection:
            found = _placed(connection, _described(connection, schema or "public", name))
            copied = _copied(connection, found, file, limits, progress)
    except (SQLAlchemyError, psycopg.Error) as error:
        # The driver's own text may repeat the address, and with it the password.
        cause = getattr(error, "orig", None) or error
        state = getattr(cause, "sqlstate", None) or type(cause).__name__
        raise RemoteUnavailable(f"The remote database cannot be read ({state}); nothing was loaded.") from None
    if copied == 0:
        raise SourceUnreadable(f"The remote table {table} holds no rows.")
    return copied


@contextmanager
def _connected(dsn: str, limits: RemoteLimits) -> Iterator[sa.Connection]:
    """A transaction that sees one state of the database and may change none."""
    options = f"-c default_transaction_read_only=on -c statement_timeout={int(limits.seconds * 1000)}"

    def connect() -> psycopg.Connection[Any]:
        return psycopg.connect(dsn, options=options, connect_timeout=_CONNECT_SECONDS)

    engine = sa.create_engine("postgresql+psycopg://", creator=connect, poolclass=sa.NullPool, hide_parameters=True)
    try:
        with engine.connect().execution_options(isolation_level="REPEATABLE READ") as connection:
            yield connection
    finally:
        engine.dispose()


def _described(connection: sa.Connection, schema: str, name: str) -> _Table:
    attribute = sa.table(
        "pg_attribute",
        *(sa.column(c) for c in ("attrelid", "attname", "attnum", "atttypid", "attisdropped")),
        schema="pg_catalog",
    ).c
    relation = sa.table(
        "pg_class", *(sa.column(c) for c in ("oid", "relname", "relnamespace", "relkind")), schema="pg_catalog"
    ).c
    space = sa.table("pg_namespace", sa.column("oid"), sa.column("nspname"), schema="pg_catalog").c
    kind = sa.table("pg_type", sa.column("oid"), sa.column("typname"), schema="pg_catalog").c
    readable = sa.func.has_column_privilege(relation.oid, attribute.attnum, "SELECT")
    statement = (
        sa.select(attribute.attname, kind.typname)
        .where(attribute.attrelid == relation.oid, relation.relnamespace == space.oid, attribute.atttypid == kind.oid)
        .where(space.nspname == schema, relation.relname == name, relation.relkind.in_(_KINDS))
        .where(attribute.attnum > 0, sa.not_(attribute.attisdropped), readable)
        .order_by(attribute.attnum)
    )
    columns = {str(column): str(kind) for column, kind in connection.execute(statement)}
    if not columns:
        raise SourceMismatch(f"The remote database has no table or view {schema}.{name} that its user may read.")
    return _Table(schema, name, columns)


def _placed(connection: sa.Connection, table: _Table) -> _Table:
    """The table with its geometry column and the one SRID of it."""
    what = f"{table.schema}.{table.name}"
    spatial = [n for n, kind in table.columns.items() if kind in _SPATIAL]
    if len(spatial) > 1:
        raise SourceMismatch(f"{what} has several geometry columns ({', '.join(spatial)}); make a view with one.")
    if not spatial:
        return table
    geometry = _geometry(table.clause.c[spatial[0]])
    statement = sa.select(sa.func.ST_SRID(geometry)).where(geometry.is_not(None)).distinct().limit(2)
    found = connection.execute(statement).scalars().all()
    if len(found) > 1:
        raise SourceMismatch(f"{what} mixes coordinate reference systems; make a view with one.")
    return _Table(table.schema, table.name, table.columns, spatial[0], int(found[0]) if found else 0)


def _copied(connection: sa.Connection, table: _Table, file: Path, limits: RemoteLimits, progress: Progress) -> int:
    schema = pa.schema([pa.field(n, _arrow(kind)) for n, kind in table.columns.items()])
    clause = table.clause
    statement = sa.select(*(_value(clause.c[n], kind).label(n) for n, kind in table.columns.items()))
    options = _options(table)
    counted = 0
    result = connection.execution_options(yield_per=_BATCH).execute(statement)
    for rows in result.partitions():
        columns = [pa.array(c, f.type) for c, f in zip(zip(*rows, strict=True), schema, strict=True)]
        # Loaded when a snapshot is written: it takes long, and most loads have none.
        importlib.import_module("pyogrio").write_arrow(
            pa.table(columns, schema=schema), file, append=counted > 0, **options
        )
        counted += len(rows)
        progress(len(rows))
        if file.stat().st_size > limits.total:
            raise RemoteUnavailable(f"The remote table is bigger than the {limits.total} bytes allowed.")
    return counted


def _options(table: _Table) -> dict[str, Any]:
    options: dict[str, Any] = {"layer": table.name, "driver": "GPKG"}
    if table.geometry is None:
        return options | {"geometry_type": None}
    crs = parse_crs(f"EPSG:{table.srid}").to_wkt() if table.srid else None
    return options | {"geometry_name": table.geometry, "geometry_type": "Unknown", "crs": crs, "SPATIAL_INDEX": "NO"}


def _geometry(column: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
    """A geometry, also of a geography column; a cast by name, since the remote types are not ours."""
    return sa.type_coerce(sa.func.geometry(column), sa.LargeBinary())


def _value(column: sa.ColumnElement[Any], kind: str) -> sa.ColumnElement[Any]:
    if kind in _SPATIAL:
        return sa.func.ST_AsBinary(sa.func.ST_Force2D(_geometry(column)))
    return column if kind in _TYPES else sa.cast(column, sa.Text())


def _arrow(kind: str) -> pa.DataType:
    return pa.binary() if kind in _SPATIAL else _TYPES.get(kind, pa.string())
