"""Cheapest ways over the coarse land, and the network that they make together."""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
import shapely

from ingest.sample.chance import BoolArray, FloatArray, IntArray
from ingest.sample.grid import Grid, metres
from ingest.sample.hydrology import NEIGHBOURS

STEEP = 0.045
"""Grade at which a way costs twice its length."""
CROSSING_COST = 900.0
"""Metres of detour that a river crossing is worth."""
REUSE = 0.4
"""Share of its cost that a way already built still has."""
THROUGH = 2
"""Links at a cell that a way merely passes through."""


@dataclass
class Ground:
    """What it costs to pass from cell to cell.

    Attributes:
        grid: The coarse cells.
        nodes: Where a way passes in each cell (n, 2), degrees; settlements stand exactly on theirs.
        costs: For each of the eight directions the cost in metres of leaving each cell that way, infinite if closed.
        open_: Cells that may be passed.
        built: Links that are already part of the network.
    """

    grid: Grid
    nodes: FloatArray
    costs: list[list[float]]
    open_: BoolArray
    built: set[tuple[int, int]] = field(default_factory=set)

    def offsets(self) -> list[int]:
        """Differences of cell numbers in the eight directions."""
        return [dy * self.grid.columns + dx for dy, dx in NEIGHBOURS]

    def nearest_open(self, point: FloatArray) -> int:
        """The open cell whose node is nearest to a point (lon, lat)."""
        away = np.linalg.norm(metres(self.nodes) - metres(point[None, :]), axis=1)
        return int(np.argmin(np.where(self.open_.ravel(), away, np.inf)))

    def build(self, a: int, b: int) -> None:
        """Make a link cheap in both directions, once."""
        link = (min(a, b), max(a, b))
        if link not in self.built:
            self.built.add(link)
            for start, end in ((a, b), (b, a)):
                self.costs[self.offsets().index(end - start)][start] *= REUSE


def prepare(grid: Grid, nodes: FloatArray, height: FloatArray, open_: BoolArray, rivers: shapely.STRtree) -> Ground:
    """Weigh every link: its length, its grade, the rivers it crosses; closed cells cannot be entered or left."""
    flat, level = metres(nodes), height.ravel()
    index = np.arange(grid.rows * grid.columns).reshape(grid.shape)
    costs = []
    for dy, dx in NEIGHBOURS:
        target = _shifted(index, dy, dx)
        known = target >= 0
        to = np.where(known, target, index).ravel()
        length = np.linalg.norm(flat[to] - flat, axis=1)
        grade = np.abs(level[to] - level) / np.maximum(length, 1.0)
        links = shapely.linestrings(np.stack([nodes, nodes[to]], axis=1))
        crossed = np.zeros(index.size)
        np.add.at(crossed, rivers.query(links, predicate="intersects")[0], 1.0)
        cost = length * (1.0 + (grade / STEEP) ** 2) + CROSSING_COST * crossed
        free = known.ravel() & open_.ravel() & open_.ravel()[to]
        costs.append(np.where(free, cost, np.inf).tolist())
    return Ground(grid, nodes, costs, open_)


def _shifted(index: IntArray, dy: int, dx: int) -> IntArray:
    padded = np.pad(index, 1, constant_values=-1)
    rows, columns = index.shape
    return padded[1 + dy : 1 + dy + rows, 1 + dx : 1 + dx + columns]


def cheapest(ground: Ground, start: int, goal: int) -> list[int]:
    """Cells of the cheapest way from start to goal (A*), built links being cheap; empty when there is none."""
    offsets, costs = ground.offsets(), ground.costs
    flat = metres(ground.nodes)
    ahead = (np.linalg.norm(flat - flat[goal], axis=1) * REUSE).tolist()
    best = {start: 0.0}
    came: dict[int, int] = {}
    heap = [(ahead[start], start)]
    done: set[int] = set()
    while heap:
        cell = heapq.heappop(heap)[1]
        if cell == goal:
            return _trace(came, cell)
        if cell in done:
            continue
        done.add(cell)
        for direction, offset in enumerate(offsets):
            other = cell + offset
            cost = best[cell] + costs[direction][cell]
            if cost < best.get(other, np.inf):
                best[other], came[other] = cost, cell
                heapq.heappush(heap, (cost + ahead[other], other))
    return []


def _trace(came: dict[int, int], cell: int) -> list[int]:
    path = [cell]
    while cell in came:
        cell = came[cell]
        path.append(cell)
    return path[::-1]


@dataclass
class Network:
    """Links between cells, each with the best class of the ways that use it (0 is the best)."""

    links: dict[tuple[int, int], int] = field(default_factory=dict)

    def add(self, ground: Ground, path: list[int], rank: int) -> None:
        """Lay a way of a class over its cells."""
        for a, b in pairwise(path):
            link = (min(a, b), max(a, b))
            self.links[link] = min(rank, self.links.get(link, rank))
            ground.build(a, b)

    def chains(self, stops: set[int]) -> list[tuple[int, list[int]]]:
        """The network cut at its joints, at changes of class and at stops: (class, cells) of each piece."""
        around: dict[int, list[int]] = {}
        for a, b in self.links:
            around.setdefault(a, []).append(b)
            around.setdefault(b, []).append(a)
        joints = {c for c, others in around.items() if self._is_joint(c, others) or c in stops}
        used: set[tuple[int, int]] = set()
        starts = [*sorted(joints), *sorted(set(around) - joints)]
        found = []
        for cell in starts:
            for other in sorted(around[cell]):
                link = (min(cell, other), max(cell, other))
                if link not in used:
                    found.append((self.links[link], _walk(cell, other, around, joints, used)))
        return found

    def _is_joint(self, cell: int, others: list[int]) -> bool:
        ranks = {self.links[(min(cell, o), max(cell, o))] for o in others}
        return len(others) != THROUGH or len(ranks) > 1


def _walk(
    start: int, following: int, around: dict[int, list[int]], joints: set[int], used: set[tuple[int, int]]
) -> list[int]:
    path = [start, following]
    used.add((min(path), max(path)))
    while path[-1] not in joints and path[-1] != start:
        ahead = next(o for o in sorted(around[path[-1]]) if o != path[-2])
        used.add((min(path[-1], ahead), max(path[-1], ahead)))
        path.append(ahead)
    return path
