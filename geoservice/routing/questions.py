"""The questions about a network, each as a value: read from JSON, answered on its ground. Pure; call it in a thread."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol, Self

import numpy as np

from geoservice.routing.alternatives import MOST_ALTERNATIVES, Alternative, alternatives
from geoservice.routing.answers import Json, feature, line_of, route_answer, routed
from geoservice.routing.asked import Position, positions_of, whole_of
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
    alternatives: int

    MEMBERS: ClassVar[frozenset[str]] = frozenset({"waypoints", "compare", "alternatives"})

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
        count = whole_of(body, "alternatives", (0, MOST_ALTERNATIVES), 0)
        return cls(positions_of(body.get("waypoints"), "waypoints", 2, MOST_WAYPOINTS), compare, count)

    def answer(self, ground: Ground, facilities: Facilities) -> Json:
        """The route."""
        way = routed(ground.travel, snaps_of(ground.travel, self.places))
        answer = route_answer(way, ground.words, compare=self.compare)
        if way.complete and self.alternatives:
            answer["features"] += [_alternative(one) for one in alternatives(way, self.alternatives)]
        return answer


def _alternative(one: Alternative) -> Json:
    """A further way as a line, with the part of it that lies on roads of a better one."""
    travel, passages = one.way.travel, one.way.passages
    line = {"type": "LineString", "coordinates": line_of(travel, passages)}
    figures = {"distance_m": round(travel.metres(passages), 1), "duration_s": round(travel.seconds(passages), 1)}
    return feature(line, {"type": "alternative", **figures, "shared": round(one.shared, 3)})


def snaps_of(travel: Travel, positions: Sequence[Position]) -> list[Snap]:
    """Positions on the network of a traveller."""
    return snapped(travel.graph, travel.mode, np.array(positions, dtype=np.float64).reshape(-1, 2))
