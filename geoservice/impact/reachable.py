"""The nearest facility of each settlement over the roads that are left: which, how long, and by which way. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from geoservice.impact.region import Floats, Longs
from geoservice.routing.answers import line_of
from geoservice.routing.graph import UNITS
from geoservice.routing.questions import snaps_of
from geoservice.routing.search import Field
from geoservice.routing.snap import Snap
from geoservice.routing.travel import Leg, Passage, Travel
from layers.impact import Reach
from layers.model import Text

MOST_ROADS = 20
"""Names of roads that are told of a way."""
_MINUTE = 60.0
_DECIMALS = 1


@dataclass(frozen=True)
class Spot:
    """A settlement or facility: id (`layer/key`), name, position, people (None where they are not known)."""

    id: str
    label: Text
    lon: float
    lat: float
    people: float | None = None

    @property
    def layer(self) -> str:
        """Its layer."""
        return self.id.partition("/")[0]


@dataclass(frozen=True)
class Nearest:
    """Per settlement: cost of the way to the nearest of some facilities (infinite: none), and which it is."""

    travel: Travel
    settlements: Sequence[Snap]
    facilities: Sequence[Spot]
    snaps: Sequence[Snap]
    field: Field | None
    cost: Floats
    facility: Longs

    def minutes(self, number: int) -> float | None:
        """How long a settlement needs; None where nothing is reached."""
        return minutes_of(self.cost[number])

    def spot(self, number: int) -> Spot | None:
        """What a settlement reaches."""
        return self.facilities[int(self.facility[number])] if np.isfinite(self.cost[number]) else None

    def leg(self, number: int) -> Leg | None:
        """The way there."""
        if self.field is None or not np.isfinite(self.cost[number]):
            return None
        start, end = self.settlements[number], self.snaps[int(self.facility[number])]
        found = (self.travel.direct(start, end), self.travel.along(self.field, end, start))
        return min((leg for leg in found if leg is not None), key=lambda leg: leg.cost, default=None)


def nearest_of(travel: Travel, settlements: Sequence[Snap], facilities: Sequence[Spot]) -> Nearest:
    """The nearest facility of each settlement by the cost of the way there."""
    cost, owner = np.full(len(settlements), np.inf), np.zeros(len(settlements), dtype=np.int64)
    if not facilities or not settlements:
        return Nearest(travel, settlements, facilities, (), None, cost, owner)
    targets = snaps_of(travel, [(one.lon, one.lat) for one in facilities])
    field = travel.spread(targets, towards=True)
    arrivals = travel.arrivals(list(settlements))
    costs = field.cost[arrivals.node] + arrivals.cost
    side, rows = np.argmin(costs, axis=1), np.arange(len(settlements))
    cost, owner = costs[rows, side], field.source[arrivals.node[rows, side]].astype(np.int64)
    _straight(travel, settlements, targets, cost, owner)
    return Nearest(travel, settlements, facilities, targets, field, cost, owner)


def reach_of(before: Nearest, after: Nearest, number: int, layer: str, *, lines: bool) -> Reach:
    """What a settlement still reaches of a layer, and by which way."""
    spot, leg = after.spot(number), after.leg(number)
    if spot is None or leg is None:
        return Reach(layer=layer, minutes_before=before.minutes(number))
    travel = after.travel
    return Reach(
        layer=layer,
        id=spot.id,
        label=spot.label,
        minutes=after.minutes(number),
        distance_m=round(travel.metres(leg.passages), _DECIMALS),
        minutes_before=before.minutes(number),
        roads=_roads(travel, leg.passages),
        line=tuple((x, y) for x, y in line_of(travel, leg.passages)) if lines else None,
    )


def minutes_of(cost: float) -> float | None:
    """Minutes of a cost in units; None where it is infinite."""
    return round(float(cost) / UNITS / _MINUTE, _DECIMALS) if np.isfinite(cost) else None


def _roads(travel: Travel, passages: Sequence[Passage]) -> tuple[Text, ...]:
    """Names of the roads of a way, each where it begins; roads without a name are left out."""
    roads, edges = travel.graph.roads, travel.graph.edges
    told: list[Text] = []
    for passage in passages:
        road = int(edges.road[passage.code % len(edges)])
        chinese, english = roads.name_zh[road], roads.name_en[road]
        if not (chinese or english):
            continue
        name = Text(zh=chinese or english, en=english or chinese)
        if not told or told[-1] != name:
            told.append(name)
    return tuple(told[:MOST_ROADS])


def _straight(travel: Travel, snaps: Sequence[Snap], targets: Sequence[Snap], cost: Floats, owner: Longs) -> None:
    """Take the way along an edge where a settlement and a facility lie on the same one."""
    beside: dict[int, list[int]] = {}
    for number, target in enumerate(targets):
        if target.found:
            beside.setdefault(target.edge, []).append(number)
    for number, snap in enumerate(snaps):
        for other in beside.get(snap.edge, []) if snap.found else []:
            leg = travel.direct(snap, targets[other])
            if leg is not None and leg.cost < cost[number]:
                cost[number], owner[number] = leg.cost, other
