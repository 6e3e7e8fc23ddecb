"""The questions about a network, each as a value: read from JSON, answered on its ground. Pure; call it in a thread."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol, Self

import numpy as np

from geoservice.routing.answers import Json, route_answer, routed
from geoservice.routing.asked import Position, positions_of
from geoservice.routing.facilities import Facilities
from geoservice.routing.ground import Ground
from geoservice.routing.snap import Snap, snapped
from geoservice.routing.travel import Travel
from layers.errors import BadBody

MOST_WAYPOINTS = 50
MOST_COST = 10_000_000.0
"""Most seconds or metres of a limit."""


class Question(Protocol):
    """A question that was read; `MEMBERS` are its members in JSON beside those that all have."""

    MEMBERS: ClassVar[frozenset[str]]

    @property
    def collection(self) -> str | None:
        """The collection whose features it is about, beside the network."""

    def answer(self, ground: Ground, facilities: Facilities) -> Json:
        """Answer it."""


@dataclass(frozen=True)
class RouteQuestion:
    """The best way by some places in their order."""

    places: tuple[Position, ...]
    compare: bool

    MEMBERS: ClassVar[frozenset[str]] = frozenset({"waypoints", "compare"})

    @property
    def collection(self) -> str | None:
        """None: a route is about the network alone."""
        return None

    @classmethod
    def read(cls, body: Mapping[str, Any]) -> Self:
        """Read it from JSON.

        Raises:
            BadBody: When a member is not what it should be.
            TooLarge: When there are too many places.
        """
        compare = body.get("compare", True)
        if not isinstance(compare, bool):
            raise BadBody("compare is true or false.", where="compare")
        return cls(positions_of(body.get("waypoints"), "waypoints", 2, MOST_WAYPOINTS), compare)

    def answer(self, ground: Ground, facilities: Facilities) -> Json:
        """The route."""
        places = snaps_of(ground.travel, self.places)
        return route_answer(routed(ground.travel, places), ground.words, compare=self.compare)


def snaps_of(travel: Travel, positions: Sequence[Position]) -> list[Snap]:
    """Positions on the network of a traveller."""
    return snapped(travel.graph, travel.mode, np.array(positions, dtype=np.float64).reshape(-1, 2))
