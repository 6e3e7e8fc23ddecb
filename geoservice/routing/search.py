"""Searching a graph: how far it is to every node from some places, and the way back from there.

Dijkstra's algorithm of SciPy on arrays that all worker processes share. Where several ways cost the same, the one of
the edge with the lowest number is taken, at each node, so that the same question has the same answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import sparse
from scipy.sparse import csgraph

from geoservice.routing.graph import Graph
from geoservice.routing.noding import Ints
from geoservice.routing.roads import Floats


@dataclass(frozen=True)
class Seed:
    """A way between a place and a node beside it: the node, its cost, the edge, the share of it where the place is.

    `at_head` tells at which end of the edge the node lies (both ends of a loop are the same node).
    """

    node: int
    cost: float
    edge: int
    share: float
    at_head: bool


@dataclass(frozen=True)
class Field:
    """What it costs to get from the nearest of some places to each node, or from each node to it.

    Attributes:
        graph: The graph.
        costs: Cost of each arc code that was searched with.
        places: The seeds of each place.
        cost: Cost at each node, infinite where nobody gets within the limit.
        source: Number of the place that is nearest to each node, -1 where none is.
        towards: Whether ways lead to the places.
    """

    graph: Graph
    costs: Floats
    places: tuple[tuple[Seed, ...], ...]
    cost: Floats
    source: Ints
    towards: bool


@dataclass(frozen=True)
class Way:
    """Whole edges from a place to a node: the seed, and the arc codes in the order of travel away from the place."""

    seed: Seed
    codes: tuple[int, ...]


def spread(
    graph: Graph,
    costs: Floats,
    places: Sequence[Sequence[Seed]],
    *,
    towards: bool = False,
    limit: float = np.inf,
) -> Field:
    """Search from some places at once; each node belongs to the nearest of them.

    Args:
        graph: The graph.
        costs: Cost of each arc code, infinite where it is closed.
        places: The seeds of each place; one without seeds reaches nothing.
        towards: Search for ways to the places instead of ways from them.
        limit: Cost beyond which nobody goes.
    """
    usable = [(number, [s for s in seeds if np.isfinite(s.cost)]) for number, seeds in enumerate(places)]
    usable = [(number, seeds) for number, seeds in usable if seeds]
    nodes = graph.nodes
    kept = tuple(tuple(seeds) for seeds in places)
    if not usable:
        cost, source = np.full(nodes, np.inf), np.full(nodes, -1, dtype=np.int32)
        return Field(graph, costs, kept, cost, source, towards)
    matrix = _matrix(graph, costs, [seeds for _, seeds in usable], towards=towards)
    starts = np.arange(nodes, nodes + len(usable))
    cost, _, source = csgraph.dijkstra(matrix, indices=starts, limit=limit, min_only=True, return_predecessors=True)
    numbers = np.array([number for number, _ in usable], dtype=np.int32)
    reached = np.isfinite(cost[:nodes])
    owner = np.where(reached, numbers[np.where(reached, source[:nodes] - nodes, 0)], -1).astype(np.int32)
    return Field(graph, costs, kept, cost[:nodes], owner, towards)


def way_to(field: Field, node: int) -> Way | None:
    """The best way between a node and the place nearest to it; None when there is none.

    Codes are those of the arcs as they are travelled: away from the place, or towards it with `towards`; in either case
    they are listed from the place on.
    """
    if not np.isfinite(field.cost[node]):
        return None
    arcs, edges = field.graph.arcs, len(field.graph.edges)
    seeds = _seeds_by_node(field)
    codes: list[int] = []
    while True:
        here = field.cost[node]
        seed = next((s for s in seeds.get(node, ()) if s.cost == here), None)
        if seed is not None:
            return Way(seed, tuple(reversed(codes)))
        leaving = slice(arcs.begin[node], arcs.begin[node + 1])
        before, code = arcs.to[leaving], arcs.code[leaving]
        # An arc that leaves this node, turned round, is one by which it is reached.
        used = code if field.towards else np.where(code < edges, code + edges, code - edges)
        fits = np.flatnonzero(field.cost[before] + field.costs[used] == here)
        best = fits[np.lexsort((used[fits], used[fits] % edges))[0]]
        node = int(before[best])
        codes.append(int(used[best]))


def _seeds_by_node(field: Field) -> dict[int, list[Seed]]:
    found: dict[int, list[Seed]] = {}
    for seeds in field.places:
        for seed in seeds:
            found.setdefault(seed.node, []).append(seed)
    return found


def _matrix(graph: Graph, costs: Floats, places: Sequence[Sequence[Seed]], *, towards: bool) -> sparse.csr_array:
    """The graph with one more node for each place, from which only its seeds lead away."""
    arcs, edges = graph.arcs, len(graph.edges)
    # Towards a place: each arc carries the cost of its reverse.
    turned = np.concatenate([costs[edges:], costs[:edges]]) if towards else costs
    seeds = [seed for place in places for seed in place]
    ends = len(arcs.to) + np.cumsum([len(place) for place in places])
    data = np.concatenate([turned[arcs.code], [seed.cost for seed in seeds]])
    to = np.concatenate([arcs.to, np.array([seed.node for seed in seeds], dtype=np.int32)])
    begin = np.concatenate([arcs.begin, ends.astype(np.int32)])
    size = graph.nodes + len(places)
    return sparse.csr_array((data, to, begin), shape=(size, size))
