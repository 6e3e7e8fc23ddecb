"""Roll-ups follow the readings: days that a write marked are worked out anew, hours and months with them."""

from __future__ import annotations

from typing import cast

import psycopg
import sqlalchemy as sa

from geoservice.db.credentials import Role
from geoservice.db.engine import Database
from geoservice.observations.landing import statement


def refresh(connection: sa.Connection) -> int:
    """Work out the roll-ups of at most 20,000 days that are due, in the caller's transaction.

    Returns:
        The number of days; 0 when none is due (or all that are due belong to writes under way).
    """
    connection.execute(sa.select(1))
    driver = cast("psycopg.Connection[tuple[int]]", connection.connection.driver_connection)
    with driver.cursor() as cursor:
        for name in ("rollup_prepare", "rollup_take", "rollup_refresh"):
            cursor.execute(statement(name))
        row = cursor.execute(statement("rollup_count")).fetchone()
    return row[0] if row else 0


def refresh_all(database: Database) -> int:
    """Work out all roll-ups that are due, some thousand days per transaction; killed, the next call goes on.

    Returns:
        The number of days.
    """
    days = 0
    while True:
        with database.transaction(Role.WRITER) as connection:
            done = refresh(connection)
        if not done:
            return days
        days += done
