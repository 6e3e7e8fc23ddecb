"""The facilities that are nearest to a place by the cost of the way."""

from __future__ import annotations

import heapq
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np

from geoservice.routing.answers import Json, about, feature, line_of, metres_of, place_of
from geoservice.routing.asked import Position, number_of, position_of, positions_of, whole_of, word_of
from geoservice.routing.facilities import Facilities, Facility
from geoservice.routing.graph import UNITS
from geoservice.routing.ground import Ground
from geoservice.routing.questions import MOST_COST, snaps_of
from geoservice.routing.roads import step_lengths
from geoservice.routing.search import Field
from geoservice.routing.snap import Snap
from geoservice.routing.travel import Travel

MOST_POSTED = 1000
MOST_NEAREST = 50
TO, FROM = "to", "from"
_TURN = 128
"""Facilities that are put onto the network at a time, the nearest as the crow flies first."""


@dataclass(frozen=True)
class Found:
    """A facility with its place on the network and the cost of the way."""

    cost: float
    number: int
    snap: Snap


@dataclass(frozen=True)
class NearestQuestion:
    """Which facilities are nearest: those of a collection, or posted positions.

    `direction` says whether one travels `to` the facility (from the place) or comes `from` there.
    """

    place: Position
    count: int
    direction: str
    limit: float
    collection: str | None
    posted: tuple[Position, ...]

    MEMBERS: ClassVar[frozenset[str]] = frozenset({"place", "facilities", "count", "direction", "limit"})

    @classmethod
    def read(cls, body: Mapping[str, Any]) -> Self:
        """Read it from JSON.

        Raises:
            BadBody: When a member is not what it should be.
            TooLarge: When there are too many facilities.
        """
        given = body.get("facilities")
        named = given if isinstance(given, str) and given else None
        return cls(
            place=position_of(body.get("place"), "place"),
            count=whole_of(body, "count", (1, MOST_NEAREST), 1),
            direction=word_of(body, "direction", (TO, FROM)),
            limit=number_of(body, "limit", (0, MOST_COST), MOST_COST),
            collection=named,
            posted=() if named else positions_of(given, "facilities", 1, MOST_POSTED),
        )

    def answer(self, ground: Ground, facilities: Facilities) -> Json:
        """The ways to the nearest facilities, the nearest first; of equally near ones that with the lower id."""
        travel = ground.travel
        among = facilities if self.collection else Facilities.posted(self.posted)
        here = snaps_of(travel, [self.place])[0]
        field = travel.spread([here], towards=self.direction == FROM, limit=self.limit * UNITS)
        found = nearest(travel, (field, here), among, self.count, self.limit * UNITS)
        features = [place_of(travel, here, "place", full=not found)]
        for rank, one in enumerate(found, start=1):
            features.append(_way(travel, (field, here), one, among.members[one.number], rank))
        told = {"direction": self.direction, "facilities": _among(among), "found": len(found)}
        return {"type": "FeatureCollection", **about(travel), **told, "features": features}


def nearest(travel: Travel, known: tuple[Field, Snap], among: Facilities, count: int, limit: float) -> list[Found]:
    """The nearest facilities by cost, then by their order.

    Facilities are looked at in the order of their distance as the crow flies, as long as one of those left could still
    be nearer than what was found.

    Args:
        travel: Who travels.
        known: The field from or towards a place, and the place.
        among: The facilities.
        count: How many.
        limit: Cost beyond which a facility does not count.
    """
    field, here = known
    if not among.members or not here.found:
        return []
    places = np.array([facility.position for facility in among.members])
    straight = step_lengths(np.broadcast_to([here.lon, here.lat], places.shape), places)
    least = travel.least(np.maximum(straight - here.metres - travel.graph.network.reach, 0.0))
    order = np.lexsort((np.arange(len(places)), straight))
    found: list[Found] = []
    for start in range(0, len(order), _TURN):
        turn = order[start : start + _TURN]
        if len(found) == count and least[turn[0]] > found[-1].cost:
            break
        snaps = snaps_of(travel, [among.members[number].position for number in turn.tolist()])
        costs = travel.costs_at(field, here, travel.arrivals(snaps, towards=not field.towards))
        new = [Found(float(c), int(n), s) for c, n, s in zip(costs, turn, snaps, strict=True) if c <= limit]
        reached = (one for one in [*found, *new] if np.isfinite(one.cost))
        found = heapq.nsmallest(count, reached, key=lambda one: (one.cost, one.number))
    return found


def _way(travel: Travel, known: tuple[Field, Snap], one: Found, facility: Facility, rank: int) -> Json:
    leg = travel.between(*known, one.snap)
    passages = leg.passages if leg is not None else ()
    label = facility.label.model_dump() if facility.label is not None else None
    figures = {
        "distance_m": round(travel.metres(passages), 1),
        "duration_s": round(travel.seconds(passages), 1),
        "to_road_m": metres_of(one.snap.metres),
    }
    told = {"type": "way", "rank": rank, "facility": facility.id, "name": label, "position": list(facility.position)}
    return feature({"type": "LineString", "coordinates": line_of(travel, passages)}, {**told, **figures})


def _among(among: Facilities) -> Json:
    return {"collection": among.collection, "edition": among.edition, "considered": len(among.members)}
