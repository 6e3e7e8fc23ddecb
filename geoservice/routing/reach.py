"""How far one gets: the parts of roads within a cost of some places, which nodes, and the areas around them.

This is the interface for analyses, too: a graph, closures and places go in, reached and cut off parts come out.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import shapely

from geoservice.routing.lines import Shapes, lines_of, part
from geoservice.routing.noding import Ints
from geoservice.routing.roads import Floats, Longs
from geoservice.routing.search import Field
from geoservice.routing.snap import Snap
from geoservice.routing.travel import Travel


@dataclass(frozen=True)
class Reached:
    """Parts of edges that are reached: edge, the shares where the part begins and ends, and the place it belongs to."""

    edge: Longs
    start: Floats
    end: Floats
    place: Ints

    def of(self, place: int) -> Reached:
        """The parts that belong to one place."""
        mine = self.place == place
        return Reached(self.edge[mine], self.start[mine], self.end[mine], self.place[mine])


def reached(travel: Travel, field: Field, places: Sequence[Snap], limit: float) -> Reached:
    """The parts of roads within a cost.

    A part belongs to the place from which it is reached first; where parts of two places meet on an edge, each has
    its own side.

    Args:
        travel: Who travels; the field was spread by it.
        field: Costs at the nodes, spread at least up to the limit.
        places: The places that the field was spread from or towards.
        limit: Cost in units of the graph (microseconds or micrometres).
    """
    graph, costs = travel.graph, travel.costs
    edges = len(graph.edges)
    ahead, back = costs[:edges], costs[edges:]
    if field.towards:
        # One travels to the place: from within the edge to its tail against the vertices.
        ahead, back = back, ahead
    tail, head = graph.edges.tail, graph.edges.head
    low, high = _shares(limit - field.cost[tail], ahead), _shares(limit - field.cost[head], back)
    low, high = _meeting(low, high, field, (ahead, back), (tail, head))
    sides: list[tuple[npt.NDArray[Any], ...]] = []
    for share, node, first in ((low, tail, True), (high, head, False)):
        found = np.flatnonzero(share > 0)
        start, end = np.zeros(len(found)), share[found]
        start, end = (start, end) if first else (1.0 - end, np.ones(len(found)))
        sides.append((found, start, end, field.source[node[found]]))
    sides.extend(_around(travel, field, places, limit))
    edge, start, end, place = (np.concatenate(column) for column in zip(*sides, strict=True))
    return _merged(Reached(edge, start, end, place.astype(np.int32)))


def length_of(travel: Travel, parts: Reached) -> float:
    """Length of reached parts in metres."""
    return float((travel.graph.edges.length[parts.edge] * (parts.end - parts.start)).sum())


def shapes_of(travel: Travel, parts: Reached) -> Shapes:
    """The parts as lines (lon, lat)."""
    whole = (parts.start <= 0.0) & (parts.end >= 1.0)
    made = np.empty(len(parts.edge), dtype=object)
    made[whole] = lines_of(travel.graph, parts.edge[whole])
    for number in np.flatnonzero(~whole).tolist():
        bounds = float(parts.start[number]), float(parts.end[number])
        made[number] = shapely.linestrings(part(travel.graph, int(parts.edge[number]), *bounds))
    return made


def cut_off(travel: Travel, places: Sequence[Snap]) -> npt.NDArray[np.bool_]:
    """Which nodes cannot be reached from any of some places because of the closures, and could without them."""
    free = travel.undisturbed()
    lost: npt.NDArray[np.bool_] = np.isfinite(free.spread(places).cost) & ~np.isfinite(travel.spread(places).cost)
    return lost


def _shares(left: Floats, cost: Floats) -> Floats:
    """Which share of each edge is travelled with what is left at one of its ends."""
    with np.errstate(invalid="ignore"):
        usable = (left > 0) & np.isfinite(left) & np.isfinite(cost)
        return np.where(usable, np.minimum(np.divide(left, cost, out=np.zeros_like(left), where=usable), 1.0), 0.0)


def _meeting(
    low: Floats, high: Floats, field: Field, costs: tuple[Floats, Floats], ends: tuple[Ints, Ints]
) -> tuple[Floats, Floats]:
    """Part edges that are reached from both ends where the two ways meet, so that no part is told twice."""
    both = np.flatnonzero((low > 0) & (high > 0) & (low + high > 1.0))
    ahead, back = costs[0][both], costs[1][both]
    tail, head = field.cost[ends[0][both]], field.cost[ends[1][both]]
    meet = np.clip((head - tail + back) / (ahead + back), 0.0, 1.0)
    low, high = low.copy(), high.copy()
    low[both], high[both] = meet, 1.0 - meet
    return low, high


def _around(
    travel: Travel, field: Field, places: Sequence[Snap], limit: float
) -> Iterator[tuple[Longs, Floats, Floats, Longs]]:
    """The parts of the edges on which the places lie, as far as they are travelled before a node."""
    for number, place in enumerate(places):
        for seed in travel.seeds(place, towards=field.towards):
            end = 1.0 if seed.at_head else 0.0
            run = abs(end - place.share)
            share = run if seed.cost <= limit else run * limit / seed.cost
            far = place.share + share if seed.at_head else place.share - share
            start, stop = min(place.share, far), max(place.share, far)
            yield np.array([seed.edge]), np.array([start]), np.array([stop]), np.array([number])


def _merged(parts: Reached) -> Reached:
    """Parts of the same edge and place that touch become one; parts without length are left out."""
    solid = parts.end > parts.start
    edge, place = parts.edge[solid], parts.place[solid]
    start, end = parts.start[solid], parts.end[solid]
    order = np.lexsort((start, place, edge))
    edge, start, end, place = edge[order], start[order], end[order], place[order]
    made: list[tuple[int, float, float, int]] = []
    several = np.flatnonzero((edge[1:] == edge[:-1]) & (place[1:] == place[:-1]))
    alone = np.ones(len(edge), dtype=np.bool_)
    alone[several] = alone[several + 1] = False
    for number in np.flatnonzero(~alone).tolist():
        piece = (int(edge[number]), float(start[number]), float(end[number]), int(place[number]))
        if made and made[-1][0] == piece[0] and made[-1][3] == piece[3] and piece[1] <= made[-1][2] + 1e-12:
            made[-1] = (piece[0], made[-1][1], max(made[-1][2], piece[2]), piece[3])
        else:
            made.append(piece)
    joined = [np.array(column) for column in zip(*made, strict=True)] if made else [np.zeros(0)] * 4
    edge = np.concatenate([edge[alone], joined[0].astype(np.int64)])
    place = np.concatenate([place[alone], joined[3].astype(np.int32)])
    start, end = np.concatenate([start[alone], joined[1]]), np.concatenate([end[alone], joined[2]])
    order = np.lexsort((start, place, edge))
    return Reached(edge[order], start[order], end[order], place[order])
