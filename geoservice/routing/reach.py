"""How far one gets: the parts of roads within a cost of some places, which nodes, and the areas around them.

This is the interface for analyses, too: a graph, closures and places go in, reached and cut off parts come out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import shapely

from geoservice.routing.lines import Shapes, lines_of, part
from geoservice.routing.noding import Ints
from geoservice.routing.roads import Floats, Longs
from geoservice.routing.search import Field
from geoservice.routing.snap import Snap, partial_cost
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
    whole = _stretches(travel, field, places)
    low, high = _shares(limit - whole.at_start, whole.ahead), _shares(limit - whole.at_end, whole.back)
    low, high = _meeting(low, high, whole)
    span = whole.end - whole.start
    first, last = np.flatnonzero(low > 0), np.flatnonzero(high > 0)
    parts = Reached(
        edge=np.concatenate([whole.edge[first], whole.edge[last]]),
        start=np.concatenate([whole.start[first], (whole.end - high * span)[last]]),
        end=np.concatenate([(whole.start + low * span)[first], whole.end[last]]),
        place=np.concatenate([whole.first[first], whole.last[last]]),
    )
    return _merged(parts)


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


def _meeting(low: Floats, high: Floats, whole: _Stretches) -> tuple[Floats, Floats]:
    """Part stretches that are reached from both ends where the two ways meet, so that no part is told twice."""
    both = np.flatnonzero((low > 0) & (high > 0) & (low + high > 1.0))
    ahead, back = whole.ahead[both], whole.back[both]
    meet = np.clip((whole.at_end[both] - whole.at_start[both] + back) / (ahead + back), 0.0, 1.0)
    low, high = low.copy(), high.copy()
    low[both], high[both] = meet, 1.0 - meet
    return low, high


@dataclass(frozen=True)
class _Stretches:
    """Edges, cut where places lie on them: shares of both ends, costs of both directions, and what is known there.

    `at_start` and `at_end` are what it costs to get to the ends, `first` and `last` the places that they belong to.
    """

    edge: Longs
    start: Floats
    end: Floats
    ahead: Floats
    back: Floats
    at_start: Floats
    at_end: Floats
    first: Ints
    last: Ints

    @classmethod
    def together(cls, parts: Sequence[_Stretches]) -> _Stretches:
        """The stretches of all parts."""
        return cls(**{name: np.concatenate([getattr(p, name) for p in parts]) for name in cls.__dataclass_fields__})


def _stretches(travel: Travel, field: Field, places: Sequence[Snap]) -> _Stretches:
    graph, edges = travel.graph, len(travel.graph.edges)
    hosts: dict[int, dict[float, int]] = {}
    for number, place in enumerate(places):
        if place.found:
            hosts.setdefault(place.edge, {}).setdefault(place.share, number)
    plain = np.delete(np.arange(edges), list(hosts))
    ahead, back = travel.costs[plain], travel.costs[plain + edges]
    tail, head = graph.edges.tail[plain], graph.edges.head[plain]
    none, one = np.zeros(len(plain)), np.ones(len(plain))
    if field.towards:
        # One travels to the place: from within an edge to its tail against the vertices.
        ahead, back = back, ahead
    known = (field.cost[tail], field.cost[head], field.source[tail], field.source[head])
    rest = _Stretches(plain, none, one, ahead, back, *known)
    return _Stretches.together([rest, *(_hosting(travel, field, edge, on) for edge, on in hosts.items())])


def _hosting(travel: Travel, field: Field, edge: int, on: dict[float, int]) -> _Stretches:
    """The stretches of an edge on which places lie, by the shares at which they do."""
    graph = travel.graph
    tail, head = int(graph.edges.tail[edge]), int(graph.edges.head[edge])
    stations = [(0.0, float(field.cost[tail]), int(field.source[tail]))]
    stations += [(share, 0.0, on[share]) for share in sorted(on)]
    stations.append((1.0, float(field.cost[head]), int(field.source[head])))
    codes = (edge, edge + len(graph.edges))
    along, against = codes[::-1] if field.towards else codes
    rows = []
    for (start, at_start, first), (end, at_end, last) in pairwise(stations):
        if end > start:
            costs = [
                partial_cost(graph, travel.felt, travel.open_costs, code, (start, end)) for code in (along, against)
            ]
            rows.append((edge, start, end, *costs, at_start, at_end, first, last))
    table = np.array(rows, dtype=np.float64).reshape(len(rows), -1).T
    return _Stretches(
        edge=table[0].astype(np.int64),
        start=table[1],
        end=table[2],
        ahead=table[3],
        back=table[4],
        at_start=table[5],
        at_end=table[6],
        first=table[7].astype(np.int32),
        last=table[8].astype(np.int32),
    )


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
