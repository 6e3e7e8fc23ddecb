"""Sending rows to the server by binary COPY into a temporary table, on the connection of a transaction.

Tables behind row policies take no COPY; an insert from the temporary table takes its place.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import psycopg
import sqlalchemy as sa
from psycopg import sql


def send_rows(connection: sa.Connection, name: str, columns: Mapping[str, str], rows: Iterable[Any]) -> sa.TableClause:
    """Put rows into a temporary table of the session, which is made or emptied before.

    Args:
        connection: Within the transaction that will use the rows.
        name: Name of the temporary table.
        columns: PostgreSQL types by name of the column, such as `int8`.
        rows: Values in the order of the columns.

    Returns:
        The temporary table.
    """
    driver, table = driver_of(connection), sql.Identifier(name)
    defined = sql.SQL(", ").join(
        sql.SQL("{} {}").format(sql.Identifier(column), sql.Identifier("pg_catalog", kind))
        for column, kind in columns.items()
    )
    driver.execute(sql.SQL("CREATE TEMPORARY TABLE IF NOT EXISTS {} ({})").format(table, defined))
    driver.execute(sql.SQL("TRUNCATE {}").format(table))
    names = sql.SQL(", ").join(map(sql.Identifier, columns))
    order = sql.SQL("COPY {} ({}) FROM STDIN (FORMAT binary)").format(table, names)
    with driver.cursor() as cursor, cursor.copy(order) as copy:
        copy.set_types(tuple(columns.values()))
        for row in rows:
            copy.write_row(row)
    return sa.table(name, *(sa.column(column) for column in columns))


def driver_of(connection: sa.Connection) -> psycopg.Connection[Any]:
    """The connection of psycopg behind one of SQLAlchemy."""
    driver: psycopg.Connection[Any] = connection.connection.driver_connection  # type: ignore[assignment]
    return driver
