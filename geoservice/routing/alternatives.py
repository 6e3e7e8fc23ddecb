"""Further ways beside the best one, by the penalty method.

Every way found makes its roads dearer for the next search, in both directions (Bader, Dees, Geisberger, Sanders:
"Alternative Route Graphs in Road Networks", TAPAS 2011, 3.3). Of what is found, a way counts when it shares little of
its length with those before it and is not much worse than the best one (limited sharing and bounded stretch of Abraham,
Delling, Goldberg, Werneck: "Alternative Routes in Road Networks", SEA 2010).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from geoservice.routing.answers import Routed, routed
from geoservice.routing.graph import Graph
from geoservice.routing.roads import Floats
from geoservice.routing.travel import Passage, Travel

MOST_ALTERNATIVES = 3
MOST_SHARED = 0.6
"""Part of its length that a way may share with each one before it."""
MOST_WORSE = 1.5
"""How many times the best cost (seconds, or metres of the shortest way) a way may have."""
_PENALTY = 1.4
_TRIES = 3
"""Searches for each alternative that is wanted; each takes as long as that for the best way."""


@dataclass(frozen=True)
class Alternative:
    """A further way, and the largest part of its length that it shares with one before it (0 to 1)."""

    way: Routed
    shared: float


@dataclass(frozen=True)
class _Penalised(Travel):
    """A traveller to whom each road costs so many times as much as it does."""

    weights: Floats | None = None

    @cached_property
    def open_costs(self) -> Floats:
        costs = self.graph.costs(self.mode, self.preference)
        # Costs stay whole numbers: the way back from a search compares their sums.
        return costs if self.weights is None else np.rint(costs * np.tile(self.weights, 2))


def alternatives(best: Routed, count: int) -> list[Alternative]:
    """Up to so many further ways by the same places, in the order in which they were found.

    Args:
        best: The best way, complete.
        count: How many are wanted, at most `MOST_ALTERNATIVES`.
    """
    travel, found = best.travel, list[Alternative]()
    weights = np.ones(len(travel.graph.edges))
    latest, bound = best, MOST_WORSE * _burden(travel, best.passages)
    for _ in range(_TRIES * count):
        weights[_edges(travel.graph, latest.passages)] *= _PENALTY
        other = _Penalised(travel.graph, travel.mode, travel.preference, travel.effect, weights.copy())
        legs = routed(other, best.places).legs
        latest = Routed(travel, best.places, legs)
        if not latest.complete or _burden(travel, latest.passages) > bound:
            break
        shared = max(_shared(travel.graph, latest, one) for one in (best, *(a.way for a in found)))
        if shared <= MOST_SHARED:
            found.append(Alternative(latest, shared))
        if len(found) == count:
            break
    return found


def _burden(travel: Travel, passages: Sequence[Passage]) -> float:
    """What a way really costs: seconds, or metres where the shortest is wanted."""
    return travel.seconds(passages) if travel.preference == "fastest" else travel.metres(passages)


def _shared(graph: Graph, way: Routed, other: Routed) -> float:
    """Part of the length of a way that lies on the very parts of roads that another one takes."""
    edges, length = len(graph.edges), graph.edges.length
    theirs: dict[int, list[Passage]] = {}
    for passage in other.passages:
        theirs.setdefault(passage.code % edges, []).append(passage)
    whole = both = 0.0
    for passage in way.passages:
        edge = passage.code % edges
        whole += float(length[edge]) * abs(passage.end - passage.start)
        both += float(length[edge]) * max((_overlap(passage, one) for one in theirs.get(edge, ())), default=0.0)
    return both / whole if whole > 0 else 1.0


def _overlap(one: Passage, other: Passage) -> float:
    """Share of their edge that both take, in whatever direction."""
    low = max(min(one.start, one.end), min(other.start, other.end))
    high = min(max(one.start, one.end), max(other.start, other.end))
    return max(0.0, high - low)


def _edges(graph: Graph, passages: Sequence[Passage]) -> np.ndarray:
    return np.array([p.code for p in passages], dtype=np.int64) % len(graph.edges)
