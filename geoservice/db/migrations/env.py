"""Alembic's entry point: runs on the connection that `geoservice.db.migrate` hands over."""

from __future__ import annotations

from alembic import context

from layers.system import SYSTEM_SCHEMA, metadata


def run() -> None:
    """Run the migrations inside the caller's transaction."""
    context.configure(
        connection=context.config.attributes["connection"],
        target_metadata=metadata,
        version_table_schema=SYSTEM_SCHEMA,
        include_schemas=True,
    )
    context.run_migrations()


run()
