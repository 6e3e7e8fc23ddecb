"""Readings that are played: those of an exercise, of which nobody is told as real.

A thing or a datastream whose property `exercise` is true, or the id of an exercise, is played with all its readings.
Whatever tells of stations asks here which of them are meant, and marks what is played.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from geoservice.observations.tables import datastream, thing

PROPERTY = "exercise"
_EVERY, _NONE = "true", "false"


@dataclass(frozen=True)
class Played:
    """Which played readings are wanted beside those that are meant in earnest.

    Attributes:
        every: Whether those of all exercises are.
        of: Those of one exercise, by its id; None for none.
        alone: Whether those meant in earnest are left out.
    """

    every: bool = False
    of: str | None = None
    alone: bool = False


EARNEST = Played()


def played(asked: str | None) -> Played:
    """What the parameter `exercise` asks for: nothing or `false`, `true`, or the id of an exercise."""
    if asked is None or asked == _NONE:
        return EARNEST
    return Played(every=True) if asked == _EVERY else Played(of=asked)


def told() -> sa.ColumnElement[str | None]:
    """Of a datastream with its thing: `true` or the id of an exercise when it is played, otherwise null."""
    said = [sa.func.nullif(table.c.properties[PROPERTY].astext, _NONE) for table in (datastream, thing)]
    return sa.func.coalesce(*said, type_=sa.Text())


def meant(wanted: Played) -> sa.ColumnElement[bool]:
    """Whether a datastream with its thing is wanted."""
    exercise = told()
    ways: list[sa.ColumnElement[bool]] = [] if wanted.alone else [exercise.is_(None)]
    if wanted.every:
        ways.append(exercise.is_not(None))
    if wanted.of is not None:
        ways.append(exercise == wanted.of)
    return sa.or_(sa.false(), *ways)


def mark(exercise: str | None) -> dict[str, Any]:
    """How an answer marks what is played: `exercise`, true or an id; nothing of what is meant in earnest."""
    if exercise is None:
        return {}
    return {PROPERTY: True if exercise == _EVERY else exercise}
