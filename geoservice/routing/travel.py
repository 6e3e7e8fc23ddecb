"""One traveller on one network: mode, what is best, which closures; and the best way between two places."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

import numpy as np

from geoservice.routing.closures import NOTHING, Effect
from geoservice.routing.graph import UNITS, Graph, Preference
from geoservice.routing.roads import Floats, Longs, step_lengths
from geoservice.routing.search import Field, Seed, spread, way_to
from geoservice.routing.snap import Snap, partial_cost, seeds_of

Trouble = Literal["no-road", "apart", "direction", "closed-start", "closed-end", "closed"]
_AHEAD = 3.0
"""How many times the least conceivable cost a first search goes; farther places cost a second one."""


@dataclass(frozen=True)
class Passage:
    """A part of an edge as it is travelled: arc code, and the shares of the edge where it begins and ends."""

    code: int
    start: float
    end: float


@dataclass(frozen=True)
class Leg:
    """The best way between two places: what it costs by the preference, and its passages in the order of travel."""

    cost: float
    passages: tuple[Passage, ...]


@dataclass(frozen=True)
class Arrivals:
    """Places beside a network: for each the nodes at both ends of its edge, and the cost from there or to there."""

    others: tuple[Snap, ...]
    node: Longs
    cost: Floats


@dataclass(frozen=True)
class Travel:
    """Who travels on which network, what counts as best, and which closures are in force."""

    graph: Graph
    mode: str
    preference: Preference = "fastest"
    effect: Effect = NOTHING

    @cached_property
    def open_costs(self) -> Floats:
        """Cost of each arc code as if nothing were closed."""
        return self.graph.costs(self.mode, self.preference)

    @cached_property
    def felt(self) -> Effect:
        """The closures as far as they count: slow roads are not longer."""
        return self.effect if self.preference == "fastest" else self.effect.closed_only()

    @cached_property
    def costs(self) -> Floats:
        """Cost of each arc code with the closures."""
        return self.felt.applied(self.graph, self.open_costs)

    def undisturbed(self) -> Travel:
        """The same without closures."""
        return replace(self, effect=NOTHING)

    def seeds(self, snap: Snap, *, towards: bool = False) -> tuple[Seed, ...]:
        """The ways between a place and the ends of its edge."""
        return seeds_of(self.graph, snap, self.open_costs, self.felt, towards=towards)

    def spread(self, places: Sequence[Snap], *, towards: bool = False, limit: float = np.inf) -> Field:
        """Search from (or towards) some places at once."""
        seeds = [self.seeds(place, towards=towards) for place in places]
        return spread(self.graph, self.costs, seeds, towards=towards, limit=limit)

    def direct(self, start: Snap, end: Snap) -> Leg | None:
        """The way along the one edge on which both places lie; None when they do not, or when it cannot be gone."""
        if not start.found or start.edge != end.edge:
            return None
        codes = (start.edge, start.edge + len(self.graph.edges))
        fitting = (codes[0],) if start.share < end.share else (codes[1],) if start.share > end.share else codes
        shares = (start.share, end.share)
        costs = [partial_cost(self.graph, self.felt, self.open_costs, code, shares) for code in fitting]
        best = int(np.argmin(costs))
        return Leg(costs[best], (Passage(fitting[best], *shares),)) if np.isfinite(costs[best]) else None

    def leg(self, start: Snap, end: Snap) -> Leg | None:
        """The best way from one place to another; None when there is none."""
        if not (start.found and end.found):
            return None
        for limit in (self._near(start, end), np.inf):
            best = self.between(self.spread([start], limit=limit), start, end)
            if best is not None and best.cost <= limit:
                return best
        return None

    def along(self, field: Field, place: Snap, other: Snap) -> Leg | None:
        """The way between the place that a field spread from and another one, by way of nodes.

        The way leads from the place to the other one, or the other way round where the field was spread towards it.
        """
        arrivals = [seed for seed in self.seeds(other, towards=not field.towards) if np.isfinite(field.cost[seed.node])]
        if not arrivals:
            return None
        last = min(arrivals, key=lambda seed: field.cost[seed.node] + seed.cost)
        way = way_to(field, last.node)
        if way is None:
            return None
        ends = (_passage(self.graph, way.seed, field.towards), _passage(self.graph, last, not field.towards))
        whole = tuple(self._whole(code) for code in way.codes)
        passages = (ends[0], *whole, ends[1])
        cost = float(field.cost[last.node] + last.cost)
        # A field towards a place lists edges from that place on; travel goes the other way.
        return Leg(cost, passages[::-1] if field.towards else passages)

    def arrivals(self, others: Sequence[Snap], *, towards: bool = False) -> Arrivals:
        """How other places are reached from the nodes beside them (`towards`), or the nodes from them."""
        node = np.zeros((len(others), 2), dtype=np.int64)
        cost = np.full((len(others), 2), np.inf)
        for number, other in enumerate(others):
            for side, seed in enumerate(self.seeds(other, towards=towards)):
                node[number, side], cost[number, side] = seed.node, seed.cost
        return Arrivals(tuple(others), node, cost)

    def costs_at(self, field: Field, place: Snap, arrivals: Arrivals) -> Floats:
        """What the best way costs between the place of a field and others; infinite where there is none in its limit.

        The arrivals are `towards` the others where the field spread from its place, and the other way round.
        """
        if not len(arrivals.others):
            return np.zeros(0)
        made: Floats = (field.cost[arrivals.node] + arrivals.cost).min(axis=1)
        for number, other in enumerate(arrivals.others):
            direct = self.direct(*((other, place) if field.towards else (place, other)))
            if direct is not None:
                made[number] = min(made[number], direct.cost)
        return made

    def between(self, field: Field, place: Snap, other: Snap) -> Leg | None:
        """The best way between the place of a field and another one, in the direction of the field."""
        direct = self.direct(*((other, place) if field.towards else (place, other)))
        found = (direct, self.along(field, place, other))
        return min((leg for leg in found if leg is not None), key=lambda leg: leg.cost, default=None)

    def metres(self, passages: Sequence[Passage]) -> float:
        """Length of some passages in metres."""
        length, edges = self.graph.edges.length, len(self.graph.edges)
        return float(sum(length[p.code % edges] * abs(p.end - p.start) for p in passages))

    def seconds(self, passages: Sequence[Passage]) -> float:
        """How long some passages take, with the closures that slow them."""
        time, effect = self.graph.modes[self.mode].time, self.effect
        total = 0.0
        for passage in passages:
            number = effect.number(passage.code % len(self.graph.edges)) if len(effect.edges) else None
            slow = 1.0 if number is None or np.isinf(effect.times[number]) else float(effect.times[number])
            total += float(time[passage.code]) * slow * abs(passage.end - passage.start)
        return total / UNITS

    def trouble(self, start: Snap, end: Snap) -> Trouble:
        """Why there is no way between two places."""
        if not (start.found and end.found):
            return "no-road"
        piece = self.graph.modes[self.mode].piece
        if piece[start.edge] != piece[end.edge]:
            return "apart"
        if self.undisturbed().leg(start, end) is None:
            return "direction"
        if not self.seeds(start):
            return "closed-start"
        return "closed" if self.seeds(end, towards=True) else "closed-end"

    def least(self, metres: Floats) -> Floats:
        """The least that a way of some length (m) can cost."""
        speed = self.graph.fastest(self.mode) if self.preference == "fastest" else 1.0
        return metres / speed * UNITS

    def _near(self, start: Snap, end: Snap) -> float:
        """Cost up to which a first search goes."""
        ends = np.array([[start.lon, start.lat], [end.lon, end.lat]])
        return _AHEAD * float(self.least(step_lengths(ends[:1], ends[1:]) + start.metres + end.metres)[0])

    def _whole(self, code: int) -> Passage:
        return Passage(code, 0.0, 1.0) if code < len(self.graph.edges) else Passage(code, 1.0, 0.0)


def _passage(graph: Graph, seed: Seed, towards: bool) -> Passage:
    """The passage between a place and the node of its seed, in the direction of travel."""
    share = 1.0 if seed.at_head else 0.0
    along = seed.at_head is not towards
    code = seed.edge if along else seed.edge + len(graph.edges)
    return Passage(code, share, seed.share) if towards else Passage(code, seed.share, share)
