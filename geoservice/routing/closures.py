"""Closures: zones in which roads are closed or slow, and what that does to the costs of a graph.

A road that meets a closed zone anywhere, be it at its rim, is closed from node to node. In a slow zone, the part of a
road that lies inside takes so many times as long. Where zones overlap, the worst counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import shapely

from geoservice.routing.graph import Graph
from geoservice.routing.lines import Shapes, lines_of
from geoservice.routing.roads import Floats, Longs

_SIDE = 48
_MANY = 2000
"""From so many candidates on, a grid over the zone tells first which lie wholly inside or outside."""


@dataclass(frozen=True)
class Closure:
    """A zone: polygon in lon, lat; `factor` is how many times as long roads take inside, None where they are closed.

    `origin` says where it came from, such as `alert:...`; it is repeated in answers.
    """

    zone: shapely.Geometry
    factor: float | None = None
    origin: str = "geometry"


@dataclass(frozen=True)
class Effect:
    """What closures do: edges that they touch (rising), how many times as long each takes (infinite: closed).

    `cause` numbers, for each of these edges, the closure that decided.
    """

    closures: tuple[Closure, ...] = ()
    edges: Longs = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    times: Floats = field(default_factory=lambda: np.zeros(0))
    cause: Longs = field(default_factory=lambda: np.zeros(0, dtype=np.int64))

    def applied(self, graph: Graph, costs: Floats) -> Floats:
        """Costs of arc codes with the closures in force; the costs given are left as they are."""
        if not len(self.edges):
            return costs
        made = costs.copy()
        both = np.concatenate([self.edges, self.edges + len(graph.edges)])
        made[both] = np.rint(made[both] * np.tile(self.times, 2))
        return made

    def number(self, edge: int) -> int | None:
        """Where an edge stands in `edges`; None when no closure touches it."""
        found = int(np.searchsorted(self.edges, edge))
        return found if found < len(self.edges) and self.edges[found] == edge else None

    def closed_only(self) -> Effect:
        """The part of it that closes edges."""
        shut = np.isinf(self.times)
        return Effect(self.closures, self.edges[shut], self.times[shut], self.cause[shut])

    def closed(self, edge: int) -> bool:
        """Whether an edge is closed."""
        found = self.number(edge)
        return found is not None and bool(np.isinf(self.times[found]))

    def blocks(self, line: Floats) -> bool:
        """Whether a line (positions, lon and lat) meets a closed zone. For the few parts of roads where ways begin."""
        shape = shapely.linestrings(line)
        return any(closure.factor is None and shapely.intersects(closure.zone, shape) for closure in self.closures)


NOTHING = Effect()


def effect_of(graph: Graph, closures: Sequence[Closure]) -> Effect:
    """What closures do to a graph. It takes time for each road near them: call it in a thread."""
    if not closures:
        return NOTHING
    times = np.ones(len(graph.edges))
    cause = np.zeros(len(graph.edges), dtype=np.int64)
    for number, closure in enumerate(closures):
        edges, worse = _touched(graph, closure)
        decides = worse > times[edges]
        times[edges[decides]], cause[edges[decides]] = worse[decides], number
    touched = np.flatnonzero(times > 1.0)
    return Effect(tuple(closures), touched, times[touched], cause[touched])


def _touched(graph: Graph, closure: Closure) -> tuple[Longs, Floats]:
    """Edges that a zone touches and how many times as long it makes each of them."""
    shapely.prepare(closure.zone)
    sure, unsure = _sorted_out(graph, closure.zone)
    lines = lines_of(graph, unsure)
    meets = shapely.intersects(closure.zone, lines)
    unsure, lines = unsure[meets], lines[meets]
    edges = np.concatenate([sure, unsure])
    if closure.factor is None:
        return edges, np.full(len(edges), np.inf)
    shares = np.concatenate([np.ones(len(sure)), _shares(closure.zone, lines)])
    return edges, 1.0 + (closure.factor - 1.0) * shares


def _sorted_out(graph: Graph, zone: shapely.Geometry) -> tuple[Longs, Longs]:
    """Edges that lie inside a zone for sure, and those that have to be looked at; boxes alone are compared."""
    near = np.flatnonzero(_meeting(graph.box, shapely.bounds(zone)))
    none = np.zeros(0, dtype=np.int64)
    if len(near) < _MANY:
        return none, near
    west, south, east, north = shapely.bounds(zone)
    box = graph.box[near]
    width, height = (east - west) / _SIDE, (north - south) / _SIDE
    column = np.floor((box[:, [0, 2]] - west) / width).clip(0, _SIDE - 1).astype(np.int64)
    row = np.floor((box[:, [1, 3]] - south) / height).clip(0, _SIDE - 1).astype(np.int64)
    x, y = west + np.arange(_SIDE) * width, south + np.arange(_SIDE) * height
    cells = shapely.box(*np.meshgrid(x, y), *np.meshgrid(x + width, y + height))
    inside = np.asarray(shapely.contains_properly(zone, cells))
    meets = np.asarray(shapely.intersects(zone, cells))
    # A box that leaves the zone's own box is no part of a cell, though it was moved into one.
    single = (column[:, 0] == column[:, 1]) & (row[:, 0] == row[:, 1]) & _within(box, shapely.bounds(zone))
    sure = single & inside[row[:, 0], column[:, 0]]
    away = single & ~meets[row[:, 0], column[:, 0]]
    return near[sure], near[~sure & ~away]


def _meeting(box: Floats, other: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
    west, south, east, north = other
    met: npt.NDArray[np.bool_] = (box[:, 0] <= east) & (box[:, 2] >= west) & (box[:, 1] <= north) & (box[:, 3] >= south)
    return met


def _within(box: Floats, other: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
    west, south, east, north = other
    lies: npt.NDArray[np.bool_] = (
        (box[:, 0] >= west) & (box[:, 2] <= east) & (box[:, 1] >= south) & (box[:, 3] <= north)
    )
    return lies


def _shares(zone: shapely.Geometry, lines: Shapes) -> Floats:
    """Which share of each line lies inside; degrees of longitude are shortened as they are at the line's middle."""
    whole = np.ones(len(lines))
    crossing = np.flatnonzero(~shapely.covers(zone, lines))
    latitude = (shapely.bounds(lines[crossing])[:, [1, 3]]).mean(axis=1)
    pieces, owner = _pieces(lines[crossing])
    inner = _lengths(shapely.intersection(zone, pieces), latitude[owner])
    inside = np.bincount(owner, weights=inner, minlength=len(crossing))
    whole[crossing] = inside / _lengths(lines[crossing], latitude)
    return np.clip(whole, 0.0, 1.0)


def _pieces(lines: Shapes) -> tuple[Shapes, Longs]:
    """Lines from each vertex to the next, and the number of the line that each belongs to.

    A line that goes back over itself as a whole would have only one of its two passages in an intersection.
    """
    xy, line = shapely.get_coordinates(lines, return_index=True)
    within = line[:-1] == line[1:]
    pieces = shapely.linestrings(np.stack([xy[:-1][within], xy[1:][within]], axis=1))
    return np.asarray(pieces), line[:-1][within]


def _lengths(shapes: Shapes, latitude: Floats) -> Floats:
    """Lengths in degrees of latitude of lines, or of collections of them."""
    parts, owner = shapely.get_parts(shapes, return_index=True)
    xy, line = shapely.get_coordinates(parts, return_index=True)
    narrow = np.cos(np.radians(latitude))[owner[line[:-1]]]
    step = np.hypot(np.diff(xy[:, 0]) * narrow, np.diff(xy[:, 1]))
    within = line[:-1] == line[1:]
    made: Floats = np.bincount(owner[line[:-1]][within], weights=step[within], minlength=len(shapes)).astype(np.float64)
    return made
