"""The rows of a layer as Arrow batches: one statement, read from the server as a stream.

Values are bound by the driver's own quoting, because the fast way out of the server (COPY in its binary form, read by
ADBC) takes a finished statement and no parameters.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, cast

import psycopg
import psycopg.sql
import pyarrow as pa
import sqlalchemy as sa
from adbc_driver_postgresql import dbapi

from geoservice.archives.snapshot import View
from geoservice.formats.subject import GEOMETRY, KEY, Batches, Subject
from layers.crs import STORAGE_SRID

_DIALECT = sa.make_url("postgresql+psycopg://").get_dialect()()
_BATCH_BYTES = 8 << 20
_BATCH_HINT = "adbc.postgresql.batch_size_hint_bytes"
_SETTINGS = ("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY", "SET LOCAL jit = off")
_WGS84 = 4326


def shape_in(srid: int, geom: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
    """A stored geometry as ISO WKB in a CRS, x = east or longitude.

    Coordinates of CGCS2000 and WGS 84 are linked by the named null operation of `layers.crs`; PROJ is many times faster
    from 4326.
    """
    plain: sa.ColumnElement[Any] = sa.type_coerce(geom, sa.types.NullType())
    if srid not in (STORAGE_SRID, _WGS84):
        plain = sa.func.ST_Transform(sa.func.ST_SetSRID(plain, _WGS84), srid, type_=sa.types.NullType())
    return sa.func.ST_AsBinary(plain, type_=sa.LargeBinary())


def file_columns(subject: Subject, table: sa.FromClause, srid: int) -> list[sa.ColumnElement[Any]]:
    """The columns of a subject's schema, from a table or a select of visible rows."""
    shape = [shape_in(srid, table.c.geom).label(GEOMETRY)] if subject.spatial else []
    return [table.c.key.label(KEY), *(table.c[name] for name in subject.attributes), *shape]


def written_out(seen: View, statement: sa.Select[Any], values: Mapping[str, Any]) -> str:
    """A statement with its values in it, quoted by the driver for the server of a view.

    Args:
        seen: The view that the statement is for.
        statement: The select.
        values: Values of its bind parameters that it does not carry itself.
    """
    schema = seen.snapshot.schema
    translation: dict[str, Any] = (
        {"schema_translate_map": dict(schema), "render_schema_translate": True} if schema else {}
    )
    compiled = statement.compile(dialect=_DIALECT, compile_kwargs={"render_postcompile": True}, **translation)
    bound = {name: values.get(name, value) for name, value in compiled.params.items()}
    driver = cast(psycopg.Connection, seen.connection.connection.driver_connection)
    return psycopg.ClientCursor(driver).mogrify(str(compiled), bound)


@contextmanager
def streamed(
    seen: View, statement: str, subject: Subject, told: Callable[[int], None] | None = None
) -> Iterator[Batches]:
    """Batches of a statement, read within the snapshot of a view as its reader.

    Args:
        seen: What is seen; it stays open meanwhile.
        statement: Written out, with the columns of `file_columns`.
        subject: For the types of the columns.
        told: Told how many rows came with each batch.
    """
    name = psycopg.sql.Literal(seen.snapshot.name).as_string()
    with dbapi.connect(seen.snapshot.dsn, conn_kwargs={}) as connection, connection.cursor() as cursor:
        for setting in (*_SETTINGS, f"SET TRANSACTION SNAPSHOT {name}"):
            cursor.execute(setting)
        cursor.adbc_statement.set_options(**{_BATCH_HINT: str(_BATCH_BYTES)})
        cursor.execute(statement)
        yield _typed(cursor.fetch_record_batch(), subject.schema, told)


def _typed(reader: pa.RecordBatchReader, schema: pa.Schema, told: Callable[[int], None] | None) -> Batches:
    for batch in reader:
        columns = [values.cast(field.type) for values, field in zip(batch.columns, schema, strict=True)]
        yield pa.record_batch(columns, schema=schema)
        if told is not None:
            told(batch.num_rows)


def batch_of(rows: Sequence[Mapping[str, Any]], subject: Subject) -> pa.RecordBatch:
    """Rows that were read one by one, as a batch."""
    schema = subject.schema
    arrays = [pa.array([row[field.name] for row in rows], field.type) for field in schema]
    return pa.record_batch(arrays, schema=schema)
