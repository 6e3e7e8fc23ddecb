"""What all writers of the situation share: their turn, and the exercise that what they write belongs to."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import REGCLASS

from geoservice.situation import tables
from geoservice.situation.errors import ExerciseOver
from layers.access import Clearance, Principal
from layers.errors import UnknownResource

_LOCK = "geoservice.situation"
_MICROSECONDS = 1_000_000


def turn(connection: sa.Connection) -> int:
    """Wait until nobody else changes the situation, and take the number of this change.

    The turn is kept until the end of the transaction, so that numbers become visible in their order and whoever follows
    them passes none over. A number is the time in microseconds, or the next free one: readers see numbers of what they
    may see, and what lies between them tells nothing of what they may not.
    """
    connection.execute(sa.select(sa.func.pg_advisory_xact_lock(sa.func.hashtextextended(_LOCK, 0))))
    clock = sa.cast(sa.extract("epoch", sa.func.clock_timestamp()) * _MICROSECONDS, sa.BigInteger())
    name = sa.cast(f"{tables.SITUATION_SCHEMA}.{tables.change.name}", REGCLASS())
    number = sa.func.setval(name, sa.func.greatest(tables.change.next_value(), clock), type_=sa.BigInteger())
    return int(connection.execute(sa.select(number)).scalar_one())


def exercise_for(connection: sa.Connection, principal: Principal, wanted: str | None) -> tuple[str, Clearance]:
    """The exercise that something is written for, and the least clearance of what belongs to it.

    Returns:
        `tables.NO_EXERCISE` and the lowest clearance for what is meant in earnest.

    Raises:
        UnknownResource: When there is none that the principal may see.
        ExerciseOver: When it was stopped.
    """
    if wanted is None:
        return tables.NO_EXERCISE, Clearance.PUBLIC
    table = tables.exercise.c
    mine = sa.select(table.clearance, table.stopped).where(
        table.id == wanted, table.clearance <= int(principal.clearance)
    )
    row = connection.execute(mine.with_for_update(read=True)).one_or_none()
    if row is None:
        raise UnknownResource(f"There is no exercise {wanted[:40]!r}.")
    if row.stopped is not None:
        raise ExerciseOver(f"Exercise {wanted[:40]} was stopped; nothing more is written into it.")
    return wanted, Clearance(row.clearance)
