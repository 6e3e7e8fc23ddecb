"""Everything a load may leave in the database, as one value that two states can be compared by."""

from __future__ import annotations

import sqlalchemy as sa

from geoservice.db.credentials import Role
from geoservice.db.engine import Database

CONTENT = ("geo", "hist")
BOOKS = ("geo", "hist", "staging", "meta")
# What tells when and under which number something happened, and not what.
PASSING = {"_valid_from", "_valid_to", "_edition", "_ended_by", "fid"}


def content(database: Database) -> dict[str, list[tuple[object, ...]]]:
    """All current and superseded rows, without numbers and times: what two loads of the same end state agree on."""
    return _rows(database, CONTENT, PASSING)


def books(database: Database, without: frozenset[str] = frozenset()) -> dict[str, list[tuple[object, ...]]]:
    """Every row of every table of ours, but for the tables named."""
    return _rows(database, BOOKS, set(), without)


def _rows(
    database: Database, schemas: tuple[str, ...], left_out: set[str], without: frozenset[str] = frozenset()
) -> dict[str, list[tuple[object, ...]]]:
    found = {}
    with database.transaction(Role.OWNER) as connection:
        inspector = sa.inspect(connection)
        for schema in schemas:
            for name in inspector.get_table_names(schema=schema):
                if name in without:
                    continue
                columns = [c["name"] for c in inspector.get_columns(name, schema=schema) if c["name"] not in left_out]
                table = sa.table(name, *(sa.column(c) for c in columns), schema=schema)
                texts = [sa.cast(table.c[c], sa.Text()) for c in columns]
                found[f"{schema}.{name}"] = sorted(map(tuple, connection.execute(sa.select(*texts))), key=repr)
    return found
