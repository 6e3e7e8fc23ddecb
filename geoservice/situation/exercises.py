"""Exercises: begun, joined by alerts and zones that are marked as played, and stopped. Blocking; in a transaction."""

from __future__ import annotations

import secrets
from typing import Literal

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from geoservice.alerts.tables import message
from geoservice.features.level import level_for
from geoservice.situation import tables
from geoservice.situation.desk import exercise_for, turn
from geoservice.situation.errors import NotOfExercise
from geoservice.situation.model import NewExercise
from layers.access import Clearance, Principal
from layers.errors import UnknownResource
from layers.system import hazard_zone

Kind = Literal["alert", "zone"]


def start(connection: sa.Connection, principal: Principal, body: NewExercise) -> str:
    """Begin an exercise; returns its id.

    Raises:
        BadParameter: When the clearance is none, or above the principal's.
    """
    change = turn(connection)
    level = level_for(principal, body.clearance)
    number = secrets.token_hex(8)
    values = {"id": number, "title": body.title.model_dump(), "clearance": int(level), "principal": principal.id}
    connection.execute(sa.insert(tables.exercise).values(**values, change=change))
    return number


def stop(connection: sa.Connection, principal: Principal, number: str) -> None:
    """End an exercise: nothing more is written into it, and what was stays readable by its id.

    Raises:
        UnknownResource: When there is none that the principal may see.
        ExerciseOver: When it was stopped before.
    """
    change = turn(connection)
    exercise_for(connection, principal, number)
    table = tables.exercise
    connection.execute(sa.update(table).where(table.c.id == number).values(stopped=sa.func.now(), change=change))


def join(connection: sa.Connection, principal: Principal, number: str, kind: Kind, name: str) -> None:
    """Make an alert of the status Exercise, or a kept zone of the status exercise, belong to an exercise.

    Args:
        connection: A transaction of the writer.
        principal: Whose key asks.
        number: Id of the exercise.
        kind: What it is.
        name: Its id.

    Raises:
        UnknownResource: When the exercise, the alert or the zone is not there for the principal.
        ExerciseOver: When the exercise was stopped.
        NotOfExercise: When it is meant in earnest, or belongs to another exercise.
    """
    change = turn(connection)
    exercise, least = exercise_for(connection, principal, number)
    level = _played(connection, principal, kind, name)
    table = tables.member
    values = {"exercise": exercise, "kind": kind, "object": name, "clearance": int(max(level, least))}
    connection.execute(insert(table).values(**values).on_conflict_do_nothing())
    owner = sa.select(table.c.exercise).where(table.c.kind == kind, table.c.object == name)
    if connection.execute(owner).scalar_one() != exercise:
        raise NotOfExercise(f"This {kind} belongs to another exercise.")
    # Those who follow the exercise look again.
    mine = tables.exercise.c.id == exercise
    connection.execute(sa.update(tables.exercise).where(mine).values(change=change))


def _played(connection: sa.Connection, principal: Principal, kind: Kind, name: str) -> Clearance:
    """The clearance of an alert or zone that is no more than played."""
    if kind == "alert":
        held = message.c
        found = sa.select(held.clearance, held.status).where(held.id == name, held.verdict == "kept")
    else:
        kept = hazard_zone.c
        found = sa.select(kept.clearance, kept.status).where(kept.id == name)
    seen = found.where(sa.column("clearance") <= int(principal.clearance)).order_by(sa.column("clearance")).limit(1)
    row = connection.execute(seen).first()
    if row is None:
        raise UnknownResource(f"There is no {kind} {name[:60]!r}.")
    if row.status.lower() != "exercise":
        raise NotOfExercise(
            f"This {kind} has the status {row.status}; only what is marked as an exercise can join one."
        )
    return Clearance(row.clearance)
