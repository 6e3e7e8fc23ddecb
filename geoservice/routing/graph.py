"""The graph of a network: nodes, edges, what they cost each mode, which pieces hang together. Immutable.

Costs are whole numbers (microseconds, micrometres) kept as doubles: sums of them are exact, so the best way does not
depend on the order of adding, and ties are ties. Nothing here is changed by a request; closures make costs of their
own (`closures.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import sparse
from scipy.sparse import csgraph

from geoservice.routing.noding import Edges, Ints, edges_of
from geoservice.routing.roads import Floats, Roads
from layers.network import Mode, Network

Preference = Literal["fastest", "shortest"]
UNITS = 1e6
"""Cost units in a second and in a metre."""
_METRES_PER_SECOND = 3.6


@dataclass(frozen=True)
class Arcs:
    """Both directions of all edges, sorted by the node they leave, as a sparse matrix reads them.

    Arc `c` of `code` is edge `c` along its vertices, and edge `c - edges` against them. The reverse of each arc is an
    arc, too: the same arrays serve searches towards a place, with the costs of the opposite directions.
    """

    begin: Ints
    to: Ints
    code: Ints


@dataclass(frozen=True)
class Piece:
    """What a mode finds: cost of each arc code in microseconds (infinite: closed to it), piece of each edge.

    `piece` numbers the connected pieces (without regard to direction), -1 where the mode may not go; `size` is the
    length of each in metres; `main` is the number of the longest, -1 in an empty network.
    """

    time: Floats
    piece: Ints
    size: Floats
    main: int


class Stamp(NamedTuple):
    """An edition of a layer: its number, and when it was committed (microseconds since 1970).

    The number alone would not do: a database that was restored counts on from where it stood.
    """

    edition: int = 0
    committed: int = 0


@dataclass(frozen=True)
class Graph:
    """A network as it is in one edition, for readers of one clearance."""

    roads: Roads
    edges: Edges
    box: Floats
    """West, south, east, north of each edge in degrees."""
    arcs: Arcs
    modes: Mapping[str, Piece]
    network: Network
    stamp: Stamp

    @property
    def edition(self) -> int:
        """Number of the edition of the layer that it shows; 0 while nothing was loaded."""
        return self.stamp.edition

    @property
    def nodes(self) -> int:
        """How many nodes there are."""
        return len(self.edges.node)

    @cached_property
    def micrometres(self) -> Floats:
        """Length of each edge in micrometres, a whole number of at least 1."""
        return np.maximum(np.rint(self.edges.length * UNITS), 1.0)

    def costs(self, mode: str, preference: Preference) -> Floats:
        """Cost of every arc code, as nothing is closed: microseconds, or micrometres for the shortest way."""
        time = self.modes[mode].time
        if preference == "fastest":
            return time
        return np.where(np.isfinite(time), np.tile(self.micrometres, 2), np.inf)

    def fastest(self, mode: str) -> float:
        """The highest speed on any edge, in metres per second."""
        edges = len(self.edges)
        time = self.modes[mode].time[:edges]
        usable = np.isfinite(time)
        return float((self.edges.length[usable] / time[usable]).max(initial=1e-6 / UNITS) * UNITS)

    def vertices(self, edge: int) -> Floats:
        """Positions of an edge, from tail to head."""
        return self.roads.xy[self.edges.first[edge] : self.edges.last[edge] + 1]


def graph_of(roads: Roads, network: Network, stamp: Stamp) -> Graph:
    """Make the graph of some roads."""
    edges = edges_of(roads, network)
    arcs = _arcs(edges)
    modes = {name: _piece(roads, edges, mode) for name, mode in network.modes.items()}
    return Graph(roads, edges, _boxes(roads, edges), arcs, modes, network, stamp)


def _boxes(roads: Roads, edges: Edges) -> Floats:
    if len(edges) == 0:
        return np.zeros((0, 4))
    # Ranges end after the last vertex; a row is added so that the very last one has an end, too.
    xy = np.concatenate([roads.xy, roads.xy[-1:]])
    ranges = np.stack([edges.first, edges.last + 1], axis=1).ravel()
    low = np.minimum.reduceat(xy, ranges, axis=0)[::2]
    high = np.maximum.reduceat(xy, ranges, axis=0)[::2]
    return np.ascontiguousarray(np.concatenate([low, high], axis=1))


def _arcs(edges: Edges) -> Arcs:
    leave = np.concatenate([edges.tail, edges.head])
    to = np.concatenate([edges.head, edges.tail])
    order = np.argsort(leave, kind="stable")
    begin = np.searchsorted(leave[order], np.arange(len(edges.node) + 1))
    return Arcs(begin.astype(np.int32), to[order].astype(np.int32), order.astype(np.int32))


def _piece(roads: Roads, edges: Edges, mode: Mode) -> Piece:
    speed = _speeds(roads, mode)[edges.road]
    open_ = speed > 0
    seconds = np.divide(edges.length * _METRES_PER_SECOND, speed, out=np.zeros_like(speed), where=open_)
    along = np.where(open_, np.maximum(np.rint(seconds * UNITS), 1.0), np.inf)
    against = np.where(roads.oneway[edges.road], np.inf, along) if mode.oneway else along
    piece, size = _pieces(edges, open_)
    main = int(np.argmax(size)) if len(size) else -1
    return Piece(np.concatenate([along, against]), piece, size, main)


def _speeds(roads: Roads, mode: Mode) -> Floats:
    """Speed on each feature in km/h; 0 where the mode may not go."""
    kinds = [roads.kind[number] for number in range(len(roads))]
    speed = np.array([mode.speeds.get(kind, 0.0) for kind in kinds], dtype=np.float64)
    if mode.limits:
        declared = np.isfinite(roads.limit) & (roads.limit > 0) & (speed > 0)
        speed = np.where(declared, roads.limit, speed)
    return speed


def _pieces(edges: Edges, open_: npt.NDArray[np.bool_]) -> tuple[Ints, Floats]:
    nodes = len(edges.node)
    if nodes == 0:
        return np.zeros(0, dtype=np.int32), np.zeros(0)
    ones = np.ones(int(open_.sum()), dtype=np.float64)
    links = sparse.coo_array((ones, (edges.tail[open_], edges.head[open_])), shape=(nodes, nodes))
    _, label = csgraph.connected_components(links, directed=False)
    piece = np.where(open_, label[edges.tail], -1).astype(np.int32)
    # Numbered anew by their first edge, without the nodes that the mode never reaches.
    used, first, number = np.unique(piece[open_], return_index=True, return_inverse=True)
    rank = np.argsort(np.argsort(first))
    made = np.full(len(edges), -1, dtype=np.int32)
    made[open_] = rank[number]
    size = np.bincount(made[open_], weights=edges.length[open_], minlength=len(used))
    return made, size.astype(np.float64)


def arrays_of(graph: Graph) -> dict[str, npt.NDArray[Any]]:
    """All arrays of a graph by name, as they are kept in files."""
    made: dict[str, npt.NDArray[Any]] = {f"roads/{n}": v for n, v in graph.roads.arrays().items()}
    made |= {f"edges/{n}": getattr(graph.edges, n) for n in Edges.__dataclass_fields__}
    made |= {f"arcs/{n}": getattr(graph.arcs, n) for n in Arcs.__dataclass_fields__}
    made["box"] = graph.box
    for name, piece in graph.modes.items():
        made |= {f"mode/{name}/time": piece.time, f"mode/{name}/piece": piece.piece, f"mode/{name}/size": piece.size}
    return made


def graph_from(arrays: Mapping[str, npt.NDArray[Any]], network: Network, stamp: Stamp) -> Graph:
    """The reverse of `arrays_of`, for a network of the same definition."""

    def below(prefix: str) -> dict[str, Any]:
        return {n.removeprefix(prefix): v for n, v in arrays.items() if n.startswith(prefix)}

    modes = {}
    for name in network.modes:
        kept = below(f"mode/{name}/")
        modes[name] = Piece(**kept, main=int(np.argmax(kept["size"])) if len(kept["size"]) else -1)
    roads = Roads.from_arrays(below("roads/"))
    return Graph(roads, Edges(**below("edges/")), arrays["box"], Arcs(**below("arcs/")), modes, network, stamp)
