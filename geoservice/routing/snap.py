"""Putting places onto the nearest road that the traveller may use.

Distances are measured on a plane on which a degree of longitude is as long as at the place itself; within the few
kilometres that matter this differs from the geodesic by less than one part in a thousand.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import shapely

from geoservice.routing.closures import Effect
from geoservice.routing.graph import Graph
from geoservice.routing.lines import part, ranges
from geoservice.routing.noding import METRES_PER_DEGREE
from geoservice.routing.roads import Floats, Longs
from geoservice.routing.search import Seed

_FEW = 16
"""Up to so many places are compared with the boxes of all edges; for more a tree of the boxes is worth its time."""
_BLOCK = 4096
_SLACK = 1e-11
"""Degrees (a micrometre): differences of longitudes are no more exact than that."""


@dataclass(frozen=True)
class Snap:
    """A place on the network.

    Attributes:
        lon: Longitude of the place itself, in degrees.
        lat: Its latitude.
        edge: Number of the nearest edge, -1 where none is within reach.
        share: Where on it, from 0 at its tail to 1 at its head.
        metres: How far the place is from there.
    """

    lon: float
    lat: float
    edge: int
    share: float
    metres: float

    @property
    def found(self) -> bool:
        """Whether there is a road within reach."""
        return self.edge >= 0


def snapped(graph: Graph, mode: str, places: Floats) -> list[Snap]:
    """Put places onto the network of a mode.

    Pieces of the network that are shorter than its `fragment` count only where nothing else is within reach. Of roads
    at the same distance the one with the lowest key is taken.

    Args:
        graph: The network.
        mode: Who travels.
        places: Longitudes and latitudes in degrees, one row for each place.
    """
    piece = graph.modes[mode]
    if not len(piece.size):
        return [Snap(lon, lat, -1, 0.0, np.inf) for lon, lat in places.tolist()]
    proper = (piece.piece >= 0) & (piece.size[piece.piece] >= graph.network.fragment)
    made = _onto(graph, proper, places)
    lost = [number for number, snap in enumerate(made) if not snap.found]
    if lost and not proper.all():
        again = _onto(graph, (piece.piece >= 0) & ~proper, places[lost])
        for number, snap in zip(lost, again, strict=True):
            made[number] = snap
    return made


def distance_to(graph: Graph, edges: npt.NDArray[np.bool_], lon: float, lat: float) -> float:
    """Metres from a place to the nearest of some edges (a mask over all), however far; infinite when there is none."""
    chosen = np.flatnonzero(edges)
    if not len(chosen):
        return float("inf")
    place = np.array([[lon, lat]])
    best = next(_nearest(graph, chosen, place))
    return best[2]


def seeds_of(graph: Graph, snap: Snap, costs: Floats, effect: Effect, *, towards: bool = False) -> tuple[Seed, ...]:
    """The ways between a place and the ends of its edge, as a search begins with them.

    A closed edge can be left (or reached) at an end where the part in between lies outside all closed zones.

    Args:
        graph: The network.
        snap: The place.
        costs: Cost of each arc code without closures.
        effect: The closures.
        towards: Ways to the place instead of ways from it.
    """
    if not snap.found:
        return ()
    edge, edges = snap.edge, len(graph.edges)
    found = []
    for node, at_head in ((int(graph.edges.tail[edge]), False), (int(graph.edges.head[edge]), True)):
        # From the place to the head (or from the tail to the place) one travels along the vertices.
        along = at_head is not towards
        shares = (snap.share, 1.0 if at_head else 0.0)
        cost = partial_cost(graph, effect, costs, edge if along else edge + edges, shares)
        if np.isfinite(cost):
            found.append(Seed(node, cost, edge, snap.share, at_head))
    return tuple(found)


def partial_cost(graph: Graph, effect: Effect, costs: Floats, code: int, shares: tuple[float, float]) -> float:
    """Cost of travelling a part of an edge, infinite where it is closed.

    Args:
        graph: The network.
        effect: The closures.
        costs: Cost of each arc code without closures.
        code: The arc code of the direction of travel.
        shares: The two ends of the part.
    """
    edge = code % len(graph.edges)
    cost = float(costs[code])
    number = effect.number(edge)
    if number is not None:
        if not np.isinf(effect.times[number]):
            cost *= float(effect.times[number])
        elif effect.blocks(part(graph, edge, *shares)):
            return float("inf")
    if not np.isfinite(cost):
        return cost
    return float(np.rint(cost * abs(shares[1] - shares[0])))


def _onto(graph: Graph, usable: npt.NDArray[np.bool_], places: Floats) -> list[Snap]:
    reach = graph.network.reach
    if len(places) <= _FEW:
        found = [next(_nearest(graph, _within(graph, usable, place, reach), place[None, :])) for place in places]
    else:
        found = list(_nearest(graph, np.flatnonzero(usable), places))
    made = []
    for (lon, lat), (edge, share, metres) in zip(places.tolist(), found, strict=True):
        near = edge >= 0 and metres <= reach
        made.append(Snap(lon, lat, edge if near else -1, share if near else 0.0, metres if near else np.inf))
    return made


def _within(graph: Graph, usable: npt.NDArray[np.bool_], place: Floats, metres: float) -> Longs:
    """The usable edges whose boxes come so near to a place."""
    high = metres / METRES_PER_DEGREE
    wide = high / max(float(np.cos(np.radians(place[1]))), 1e-6)
    west, south, east, north = graph.box.T
    near = (
        (west <= place[0] + wide) & (east >= place[0] - wide) & (south <= place[1] + high) & (north >= place[1] - high)
    )
    return np.flatnonzero(near & usable)


def _nearest(graph: Graph, edges: Longs, places: Floats) -> Iterator[tuple[int, float, float]]:
    """For each place: number of the nearest edge, share, metres. The edges are given in rising order."""
    if not len(edges):
        yield from ((-1, 0.0, float("inf")) for _ in places)
        return
    narrow = np.maximum(np.cos(np.radians(places[:, 1])), 1e-6)
    if len(places) <= _FEW:
        for place, scale in zip(places, narrow, strict=True):
            yield _near_one(graph, edges, place, scale)
        return
    tree = shapely.STRtree(np.asarray(shapely.box(*graph.box[edges].T)))
    for start in range(0, len(places), _BLOCK):
        yield from _near_many(graph, (edges, tree), places[start : start + _BLOCK], narrow[start : start + _BLOCK])


def _near_one(graph: Graph, edges: Longs, place: Floats, scale: float) -> tuple[int, float, float]:
    box = graph.box[edges]
    across = np.maximum(np.maximum(box[:, 0] - place[0], place[0] - box[:, 2]), 0.0) * scale
    along = np.maximum(np.maximum(box[:, 1] - place[1], place[1] - box[:, 3]), 0.0)
    away = np.hypot(across, along)
    # Whatever is nearest cannot be farther than the edge whose box is.
    bound = _measured(graph, edges[[int(np.argmin(away))]], place[None, :], np.array([scale]))[1][0]
    chosen = edges[away <= bound + _SLACK]
    count = len(chosen)
    shares, metres = _measured(graph, chosen, np.repeat(place[None, :], count, axis=0), np.full(count, scale))
    best = int(np.argmin(metres))
    return int(chosen[best]), float(shares[best]), float(metres[best]) * METRES_PER_DEGREE


def _near_many(
    graph: Graph, known: tuple[Longs, shapely.STRtree], places: Floats, narrow: Floats
) -> Iterator[tuple[int, float, float]]:
    edges, tree = known
    first = tree.query_nearest(shapely.points(places), all_matches=False)[1]
    bound = _measured(graph, edges[first], places, narrow)[1] + _SLACK
    wide = bound / narrow
    x, y = places.T
    place, number = tree.query(shapely.box(x - wide, y - bound, x + wide, y + bound))
    shares, metres = _measured(graph, edges[number], places[place], narrow[place])
    order = np.lexsort((number, metres, place))
    best = order[np.unique(place[order], return_index=True)[1]]
    for chosen in best:
        yield int(edges[number[chosen]]), float(shares[chosen]), float(metres[chosen]) * METRES_PER_DEGREE


def _measured(graph: Graph, edges: Longs, places: Floats, narrow: Floats) -> tuple[Floats, Floats]:
    """For pairs of an edge and a place: share of the edge that is nearest, and the distance in degrees of latitude."""
    inside, begin = ranges(graph, edges)
    pair = np.repeat(np.arange(len(edges)), np.diff(begin))
    scale = np.stack([narrow, np.ones(len(narrow))], axis=1)[pair]
    xy = (graph.roads.xy[inside] - places[pair]) * scale
    # Each piece goes from a vertex to the next one of the same edge; the place is the origin.
    starts = np.delete(np.arange(len(xy)), begin[1:] - 1)
    start, run, owner = xy[starts], xy[starts + 1] - xy[starts], pair[starts]
    square = (run**2).sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        foot = np.where(square > 0, np.clip(-(start * run).sum(axis=1) / square, 0.0, 1.0), 0.0)
    away = np.hypot(*(start + foot[:, None] * run).T)
    order = np.lexsort((starts, away, owner))
    best = order[np.unique(owner[order], return_index=True)[1]]
    return _shares(graph, edges, starts[best] - begin[:-1], foot[best]), away[best]


def _shares(graph: Graph, edges: Longs, piece: Longs, foot: Floats) -> Floats:
    """Shares of the edges' lengths at a part `foot` of their pieces."""
    step, first = graph.roads.step, graph.edges.first[edges]
    bounds = np.stack([first, first + piece], axis=1).ravel()
    before = np.add.reduceat(step, bounds)[::2]
    # An empty range sums to its first member, which is not meant.
    metres = np.where(piece > 0, before, 0.0) + foot * step[first + piece]
    length = graph.edges.length[edges]
    made: Floats = np.clip(np.divide(metres, length, out=np.zeros_like(metres), where=length > 0), 0.0, 1.0)
    return made
