"""Lines of edges and parts of them, for what needs their shape: zones, answers, the nearest road."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import shapely

from geoservice.routing.graph import Graph
from geoservice.routing.roads import Floats, Longs

Shapes: TypeAlias = npt.NDArray[np.object_]


def ranges(graph: Graph, edges: npt.NDArray[Any]) -> tuple[Longs, Longs]:
    """Numbers of the vertices of some edges, one edge after the other, and where each begins among them."""
    first = graph.edges.first[edges]
    sizes = graph.edges.last[edges] + 1 - first
    begin = np.concatenate([[0], np.cumsum(sizes)])
    return np.arange(begin[-1]) + np.repeat(first - begin[:-1], sizes), begin


def lines_of(graph: Graph, edges: npt.NDArray[Any]) -> Shapes:
    """The edges as lines (lon, lat), from tail to head."""
    inside, begin = ranges(graph, edges)
    owner = np.repeat(np.arange(len(edges)), np.diff(begin))
    made: Shapes = np.asarray(shapely.linestrings(graph.roads.xy[inside], indices=owner), dtype=object)
    return made


def part(graph: Graph, edge: int, start: float, end: float) -> Floats:
    """Positions of an edge between two shares of its length (0 at the tail, 1 at the head), in the order given.

    A part without length is its one position, twice.
    """
    if start > end:
        return part(graph, edge, end, start)[::-1]
    xy = graph.vertices(edge)
    if start <= 0.0 and end >= 1.0:
        return xy
    reached = np.concatenate([[0.0], np.cumsum(graph.roads.step[graph.edges.first[edge] : graph.edges.last[edge]])])
    whole = reached[-1]
    low, high = start * whole, end * whole
    inner = xy[(reached > low) & (reached < high)]
    return np.concatenate([[_at(xy, reached, low)], inner, [_at(xy, reached, high)]])


def position(graph: Graph, edge: int, share: float) -> tuple[float, float]:
    """The position at a share of an edge's length."""
    lon, lat = part(graph, edge, share, share)[0].tolist()
    return lon, lat


def _at(xy: Floats, reached: Floats, metres: float) -> Floats:
    lon, lat = np.interp(metres, reached, xy[:, 0]), np.interp(metres, reached, xy[:, 1])
    return np.array([lon, lat])
