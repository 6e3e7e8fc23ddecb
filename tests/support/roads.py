"""Roads made for tests: a layer with a network, rows and graphs without a database, and networkx as another engine."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import networkx as nx
import numpy as np
import shapely

from geoservice.routing.graph import Graph, Stamp, graph_of
from geoservice.routing.roads import Roads, Row
from layers.model import Layer, VectorLayer
from layers.network import Network
from tests.support.loading import trial_layer

WEST, SOUTH, PACE = 105.0, 38.0, 0.01
"""Corner and spacing (degrees) of the lattice on which test roads lie."""
NETWORK: dict[str, Any] = {
    "class": "kind",
    "oneway": "oneway",
    "limit": "speed",
    "fragment": 0,
    "modes": {
        "car": {"speeds": {"fast": 90, "slow": 30}},
        "foot": {"speeds": {"slow": 5, "path": 4}, "oneway": False, "limits": False},
    },
}
Lattice = tuple[int, int]


@dataclass(frozen=True)
class Street:
    """A road for tests: key, the lattice points it leads over, class, and whether it is one-way."""

    key: str
    points: tuple[Lattice, ...]
    kind: str = "slow"
    oneway: bool = False
    speed: float | None = None
    name: str | None = None
    edition: int = 1

    @property
    def line(self) -> shapely.LineString:
        """The road as a line in degrees."""
        return shapely.LineString([at(point) for point in self.points])

    def row(self, fid: int) -> Row:
        """The road as a statement would give it."""
        wkb = shapely.to_wkb(self.line)
        return Row(fid, self.edition, self.key, wkb, self.kind, self.oneway, self.speed, None, self.name)

    def feature(self, level: str | None = None) -> dict[str, Any]:
        """The road as a row of the layer `street`."""
        told = {"code": self.key, "name": self.name, "kind": self.kind, "oneway": self.oneway, "speed": self.speed}
        return {**told, "level": level, "geometry": self.line}


def at(point: Lattice) -> tuple[float, float]:
    """Longitude and latitude of a lattice point."""
    return (round(WEST + point[0] * PACE, 7), round(SOUTH + point[1] * PACE, 7))


def network(**changes: Any) -> Network:
    """The network of the test layer; keyword arguments replace parts of it."""
    return Network.model_validate({**NETWORK, **changes})


def street_layer(**changes: Any) -> VectorLayer:
    """A layer of lines with a network."""
    attributes: dict[str, Any] = {
        "code": {"type": "text", "required": True},
        "name": {"type": "text"},
        "kind": {"type": "text", "required": True},
        "oneway": {"type": "boolean"},
        "speed": {"type": "number"},
        "level": {"type": "code", "list": "clearance@1"},
    }
    told: dict[str, Any] = {
        "geometry": "line",
        "style": {"line": {"colour": "#aa3333"}},
        "attributes": attributes,
        "time": None,
        "label": {"zh": "name", "en": "name"},
        "network": NETWORK,
    }
    made: Layer = trial_layer("street", **{**told, **changes})
    assert isinstance(made, VectorLayer)
    return made


def roads_of(streets: Sequence[Street]) -> Roads:
    """The columns of some roads; a road's number follows from its key, as that of a row does."""
    return Roads.of([street.row(number_of(street.key)) for street in streets])


def number_of(key: str) -> int:
    """The number of the feature of a key."""
    return int.from_bytes(key.encode(), "big") % (2**61 - 1)


def graph(streets: Sequence[Street], **changes: Any) -> Graph:
    """The graph of some roads."""
    return graph_of(roads_of(streets), network(**changes), Stamp(1, 5))


def square(west: int, south: int, size: int = 1) -> shapely.Polygon:
    """A square around lattice points, half a space beyond them on each side."""
    (x, y), grown = at((west, south)), PACE * (size - 0.5)
    return shapely.box(x - PACE / 2, y - PACE / 2, x + grown, y + grown)


def cut(streets: Sequence[Street]) -> list[tuple[Street, Lattice, Lattice]]:
    """Roads cut at every lattice point that is shared: each piece with its ends, in the direction of its vertices.

    The lattice point is the node, by its integers; nothing of the product is asked.
    """
    uses: dict[Lattice, int] = {}
    for street in streets:
        for point in street.points:
            uses[point] = uses.get(point, 0) + 1
    pieces = []
    for street in streets:
        last = len(street.points) - 1
        cuts = [n for n, point in enumerate(street.points) if n in (0, last) or uses[point] > 1]
        pieces += [(street, *street.points[a : b + 1 : max(b - a, 1)]) for a, b in itertools.pairwise(cuts)]
    return pieces


def oracle(graph: Graph, mode: str, costs: np.ndarray[Any, Any]) -> nx.MultiDiGraph:
    """The same graph for networkx, with its own search: nodes are the graph's, weights those of the arcs."""
    made = nx.MultiDiGraph()
    made.add_nodes_from(range(graph.nodes))
    edges = len(graph.edges)
    for number in range(edges):
        tail, head = int(graph.edges.tail[number]), int(graph.edges.head[number])
        for code, ends in ((number, (tail, head)), (number + edges, (head, tail))):
            if np.isfinite(costs[code]):
                made.add_edge(*ends, weight=float(costs[code]), code=code)
    return made
