"""Retention: readings that a rule lets go are deleted, parts of the table that are empty then are dropped."""

from __future__ import annotations

import datetime as dt
from typing import cast

import psycopg
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from geoservice.db.credentials import Role
from geoservice.db.engine import Database
from geoservice.observations import rollup
from geoservice.observations.landing import statement
from geoservice.observations.tables import retention


def set_rule(connection: sa.Connection, observed: str | None, keep: dt.timedelta | None) -> None:
    """Say how long readings are kept.

    Args:
        connection: A transaction of the writer's role.
        observed: Code of the observed property; None is the rule for all that have none of their own.
        keep: For how long; None takes the rule away.
    """
    if keep is None:
        connection.execute(sa.delete(retention).where(retention.c.property.is_not_distinct_from(observed)))
        return
    made = insert(retention).values(property=observed, keep=keep)
    connection.execute(made.on_conflict_do_update(index_elements=["property"], set_={"keep": keep}))


def retain(database: Database) -> tuple[int, int]:
    """Delete readings that no rule keeps. Their roll-ups are brought up to date first, and stay.

    Returns:
        How many readings were deleted, and how many parts were dropped.
    """
    rollup.refresh_all(database)
    with database.transaction(Role.WRITER) as connection:
        connection.execute(sa.select(1))
        driver = cast("psycopg.Connection[tuple[int]]", connection.connection.driver_connection)
        row = driver.execute(statement("retain")).fetchone()
    with database.transaction(Role.WRITER) as connection:
        parts = connection.execute(sa.text("SELECT obs.drop_empty_parts()")).scalar_one()
    return (row[0] if row else 0), int(parts)
