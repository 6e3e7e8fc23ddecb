"""Migrations: one line of descent, the same tables as the vocabulary says, down and up again."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from geoservice.db import migrate
from geoservice.db.credentials import Role
from geoservice.db.engine import Database
from layers.system import SYSTEM_SCHEMA, metadata


def test_there_is_one_head() -> None:
    assert len(ScriptDirectory.from_config(migrate.config()).get_heads()) == 1


def differences(connection: sa.Connection) -> list[object]:
    def ours(name: str | None, kind: str, parents: object) -> bool:
        return name == SYSTEM_SCHEMA if kind == "schema" else True

    context = MigrationContext.configure(
        connection,
        opts={
            "include_schemas": True,
            "include_name": ours,
            "version_table_schema": SYSTEM_SCHEMA,
            "compare_type": True,
            "compare_server_default": True,
        },
    )
    return list(compare_metadata(context, metadata))


def test_the_migrated_tables_are_the_ones_the_vocabulary_describes(database: Database) -> None:
    with database.transaction(Role.OWNER) as connection:
        assert differences(connection) == []


def test_a_difference_would_be_seen(database: Database) -> None:
    with database.transaction(Role.OWNER) as connection:
        connection.execute(sa.text("ALTER TABLE meta.outbox DROP COLUMN west"))
        assert differences(connection) != []


def test_down_and_up_again(database: Database) -> None:
    with database.transaction(Role.OWNER) as connection:
        command.downgrade(migrate.config(connection), "base")
        assert sa.inspect(connection).get_table_names(SYSTEM_SCHEMA) == ["alembic_version"]
    assert migrate.upgrade(database) == (None, migrate.head())
    assert migrate.upgrade(database) == (migrate.head(), migrate.head())


def test_the_writer_may_keep_the_books(database: Database) -> None:
    table = metadata.tables["meta.outbox"]
    with database.transaction(Role.WRITER) as connection:
        connection.execute(sa.insert(table).values(layer="x", edition=1))
        assert connection.scalar(sa.select(sa.func.count()).select_from(table)) == 1
