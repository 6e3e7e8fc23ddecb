"""Removes readings, and brings what follows from them up to date: latest values, spans, marks for roll-ups."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any, cast

import psycopg
import pyarrow as pa
import sqlalchemy as sa

from geoservice.observations.landing import copy, statement
from geoservice.observations.reading import MOMENT


def remove_readings(connection: sa.Connection, readings: Sequence[tuple[str, dt.datetime]]) -> int:
    """Remove readings with all their revisions, in the caller's transaction, as the writer.

    Args:
        connection: A transaction of the writer's role.
        readings: Key of the datastream and phenomenon time of each.

    Returns:
        How many rows were removed.
    """
    connection.execute(sa.select(1))
    driver = cast("psycopg.Connection[tuple[Any, ...]]", connection.connection.driver_connection)
    table = pa.table(
        {"datastream": [key for key, _ in readings], "phenomenon_time": pa.array([t for _, t in readings], MOMENT)}
    )
    with driver.cursor() as cursor:
        cursor.execute(statement("remove_prepare"))
        copy(cursor, "copy_removed", table)
        row = cursor.execute(statement("remove")).fetchone()
        cursor.execute(statement("remove_follow"))
    return row[0] if row else 0
