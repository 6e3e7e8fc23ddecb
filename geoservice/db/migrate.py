"""Running the migrations of the system tables, as the owner, in one transaction."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from geoservice.db.credentials import Role
from geoservice.db.engine import Database
from layers.system import SYSTEM_SCHEMA

# Any constant number will do; it keeps two migrations apart.
MIGRATION_LOCK = 7203314110525732


def config(connection: sa.Connection | None = None) -> Config:
    """Alembic's configuration: scripts come from this package, the connection from the caller."""
    made = Config()
    made.set_main_option("script_location", "geoservice.db:migrations")
    made.attributes["connection"] = connection
    return made


def head() -> str:
    """The newest revision.

    Raises:
        alembic.util.CommandError: When the line of descent has forked.
    """
    newest = ScriptDirectory.from_config(config()).get_current_head()
    return newest or ""


def current(connection: sa.Connection) -> str | None:
    """The revision a database is at; None before the first migration."""
    options = {"version_table_schema": SYSTEM_SCHEMA}
    return MigrationContext.configure(connection, opts=options).get_current_revision()


def upgrade(database: Database) -> tuple[str | None, str]:
    """Bring the system tables to the newest revision.

    Returns:
        The revision before and after; equal when there was nothing to do.
    """
    with database.transaction(Role.OWNER) as connection:
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(MIGRATION_LOCK)))
        before = current(connection)
        command.upgrade(config(connection), "head")
        return before, current(connection) or ""
