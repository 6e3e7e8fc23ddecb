"""The parameter `exercise` of whatever tells of stations: nothing that is played is told to those who do not ask."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query

from geoservice.http.texts import storable
from geoservice.observations.played import Played, played
from layers.errors import BadParameter

Exercise = Annotated[
    str | None,
    Query(
        description="What is played, too, and marked: true, or the id of an exercise. Default: false.", max_length=80
    ),
]


def played_of(asked: str | None) -> Played:
    """What is asked for.

    Raises:
        BadParameter: When it is empty, or no text.
    """
    if asked is not None and not (asked and storable(asked)):
        raise BadParameter("exercise is true, false, or the id of an exercise.", parameter="exercise")
    return played(asked)
