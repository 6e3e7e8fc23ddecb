"""Roads: one connected network between the settlements, bridges where it crosses rivers, streets, a railway."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import shapely
from shapely.geometry.base import BaseGeometry

from ingest.sample.chance import FloatArray, Noise, stream
from ingest.sample.grid import METRES_Y, degrees, metres
from ingest.sample.lines import along, smooth
from ingest.sample.names import Name
from ingest.sample.reservoir import Reservoir
from ingest.sample.routes import Ground, Network, cheapest, prepare
from ingest.sample.settlements import TOWNSHIPS, Place, Settlements, distances
from ingest.sample.terrain import COARSE, COARSE_FACTOR
from ingest.sample.water import Waters, half_width, wind

TRUNK, SECONDARY, TERTIARY, RESIDENTIAL, TRACK = range(5)
CLASSES = ("trunk", "secondary", "tertiary", "residential", "track")
LANES = (4, 2, 2, 1, 1)
SPEEDS = (80.0, 60.0, 40.0, 30.0, 20.0)
EXTRA_LINK = 4200.0
EXTRA_SHARE = 0.16
STREET_SHARE = 0.45
SHORTEST = 1e-6
TRACKS = 90
STREET_SPACING = 115.0
STREET_MARGIN = 22.0
"""Least distance in metres between a street and a river's water."""


@dataclass(frozen=True)
class Road:
    """A piece of road between joints: class as number in `CLASSES`, line, whether it is a bridge, name."""

    rank: int
    line: shapely.LineString
    bridge: bool
    name: Name | None


@dataclass(frozen=True)
class StreetPlan:
    """The street grid of a settlement: its centre, direction in radians, spacing and radius in metres."""

    centre: FloatArray
    angle: float
    spacing: float
    radius: float

    def place(self, points: FloatArray) -> FloatArray:
        """Points of the plan (metres along and across) to degrees."""
        cosine, sine = np.cos(self.angle), np.sin(self.angle)
        turned = np.column_stack([points @ [cosine, -sine], points @ [sine, cosine]])
        return np.asarray(np.round(self.centre + degrees(turned), 9))

    def at(self, x: float, y: float) -> shapely.Point:
        """One point of the plan (metres along and across), in degrees."""
        return shapely.Point(self.place(np.array([[x, y]]))[0])


@dataclass(frozen=True)
class Transport:
    """Roads, street plans (one per settlement) and the railway."""

    roads: list[Road]
    plans: list[StreetPlan]
    railway: list[shapely.LineString]


class Crossings:
    """The rivers as lines with their widths, to be asked where something crosses them."""

    def __init__(self, lines: list[list[shapely.LineString]], waters: Waters) -> None:
        """Index the lines."""
        self.lines = [line for group in lines for line in group]
        self.widths = [
            float(half_width(waters.stems[n].drained[-1:])[0]) for n, group in enumerate(lines) for _ in group
        ]
        self.tree = shapely.STRtree(self.lines)

    def on(self, line: shapely.LineString) -> list[tuple[float, float]]:
        """Crossings of a line: distance from its start and half width of the river, in metres, ascending."""
        points = shapely.get_coordinates(line)
        distance = along(points)
        found = []
        for river in self.tree.query(line, predicate="intersects"):
            for x, y in shapely.get_coordinates(shapely.intersection(line, self.lines[river])):
                found.append((_distance_at(points, distance, np.array([x, y])), self.widths[river]))
        return sorted(found)

    def water(self) -> BaseGeometry:
        """The water of the rivers as an area, widened by the margin that streets keep."""
        reach = (np.array(self.widths) + STREET_MARGIN) / METRES_Y
        return shapely.union_all(shapely.buffer(np.array(self.lines), reach, quad_segs=2))


def _distance_at(points: FloatArray, distance: FloatArray, point: FloatArray) -> float:
    flat, spot = metres(points), metres(point[None, :])[0]
    step = np.diff(flat, axis=0)
    share = np.clip(np.sum((spot - flat[:-1]) * step, axis=1) / np.maximum(np.sum(step**2, axis=1), 1e-12), 0, 1)
    nearest = int(np.argmin(np.linalg.norm(flat[:-1] + step * share[:, None] - spot, axis=1)))
    return float(distance[nearest] + share[nearest] * (distance[nearest + 1] - distance[nearest]))


@dataclass(frozen=True)
class _Land:
    waters: Waters
    reservoir: Reservoir
    settlements: Settlements
    county: shapely.Polygon


def build_transport(
    waters: Waters,
    reservoir: Reservoir,
    settlements: Settlements,
    rivers: list[list[shapely.LineString]],
    county: shapely.Polygon,
    seed: int,
) -> Transport:
    """Lay the roads, streets and the railway of the county."""
    land = _Land(waters, reservoir, settlements, county)
    crossings = Crossings(rivers, waters)
    roads = _country_roads(_ground(land, crossings, seed), settlements, crossings, county, seed)
    plans = _plans(settlements.places, seed)
    closed = shapely.union_all([crossings.water(), shapely.buffer(reservoir.polygon, 60.0 / METRES_Y)])
    shapely.prepare(closed)
    for plan in plans:
        roads += [Road(RESIDENTIAL, line, False, None) for line in _streets(plan, closed, seed)]
    return Transport(roads, plans, _railway(land, crossings, seed))


def _ground(land: _Land, crossings: Crossings, seed: int) -> Ground:
    lon, lat = COARSE.centres()
    nodes = np.column_stack([lon.ravel(), lat.ravel()])
    winding = (Noise(seed, "road east", width=0.012, octaves=3), Noise(seed, "road north", width=0.012, octaves=3))
    nodes = wind(nodes, winding, 0.0022)
    for place, cell in zip(land.settlements.places, _cells(land.settlements.points), strict=True):
        nodes[cell] = place.point
    height = land.waters.height.reshape(COARSE.rows, COARSE_FACTOR, COARSE.columns, COARSE_FACTOR).mean(axis=(1, 3))
    pool = COARSE.mask([shapely.buffer(land.reservoir.polygon, 300.0 / METRES_Y)])
    inside = COARSE.mask([shapely.buffer(land.county, -1.6 * COARSE.cell)])
    return prepare(COARSE, np.round(nodes, 9), height, inside & ~pool, crossings.tree)


def _cells(points: FloatArray) -> list[int]:
    row, column = COARSE.cells(points)
    return [int(c) for c in row * COARSE.columns + column]


def _country_roads(
    ground: Ground, settlements: Settlements, crossings: Crossings, county: shapely.Polygon, seed: int
) -> list[Road]:
    cells = _cells(settlements.points)
    network = Network()
    exits = _exits(ground, county)
    for goal in exits:
        network.add(ground, cheapest(ground, cells[0], goal), TRUNK)
    for a, b in _tree(distances(settlements.points[:TOWNSHIPS], settlements.points[:TOWNSHIPS])):
        network.add(ground, cheapest(ground, cells[a], cells[b]), SECONDARY)
    for a, b in _links(settlements.points, seed):
        network.add(ground, cheapest(ground, cells[a], cells[b]), TERTIARY)
    for start, goal in _track_ends(ground, cells, county, seed):
        network.add(ground, cheapest(ground, start, goal), TRACK)
    return _pieces(ground, network, set(cells), crossings, exits)


def _exits(ground: Ground, county: shapely.Polygon) -> dict[int, FloatArray]:
    """Where roads leave the county to the east, west and north: the last open cell and the point on the border."""
    west, south, east, north = county.bounds
    middle = ((west + east) / 2, (south + north) / 2)
    wanted = [(east, middle[1]), (west, middle[1] - 0.06), (middle[0] + 0.05, north)]
    exits = {}
    for point in wanted:
        cell = ground.nearest_open(np.array(point))
        border = shapely.shortest_line(shapely.Point(ground.nodes[cell]), county.exterior)
        exits[cell] = shapely.get_coordinates(border)[-1]
    return exits


def _tree(distance: FloatArray) -> list[tuple[int, int]]:
    """Edges of a minimum spanning tree (Prim), from node 0 outwards."""
    count = len(distance)
    nearest, source = distance[0].copy(), np.zeros(count, dtype=int)
    nearest[0] = np.inf
    edges = []
    inside = {0}
    for _ in range(count - 1):
        node = int(np.argmin(nearest))
        edges.append((int(source[node]), node))
        inside.add(node)
        closer = distance[node] < nearest
        source = np.where(closer, node, source)
        nearest = np.where(closer, distance[node], nearest)
        nearest[list(inside)] = np.inf
    return edges


def _links(points: FloatArray, seed: int) -> list[tuple[int, int]]:
    distance = distances(points, points)
    tree = _tree(distance)
    chance = stream(seed, "extra links")
    known = {(min(e), max(e)) for e in tree}
    a, b = np.nonzero(np.triu(distance < EXTRA_LINK, 1))
    lucky = chance.random(len(a)) < EXTRA_SHARE
    extra = [(int(i), int(j)) for i, j, yes in zip(a, b, lucky, strict=True) if yes and (int(i), int(j)) not in known]
    return tree + extra


def _track_ends(ground: Ground, cells: list[int], county: shapely.Polygon, seed: int) -> list[tuple[int, int]]:
    chance = stream(seed, "tracks")
    home = county.buffer(-0.01)
    starts = chance.integers(1, len(cells), TRACKS)
    turn, reach = chance.random(TRACKS) * 2 * np.pi, 1300.0 + 2600.0 * chance.random(TRACKS)
    ends = ground.nodes[np.array(cells)[starts]] + degrees(
        np.column_stack([np.cos(turn), np.sin(turn)]) * reach[:, None]
    )
    inside = shapely.contains_xy(home, ends[:, 0], ends[:, 1])
    goals = _cells(ends)
    return [(cells[s], g) for s, g, yes in zip(starts, goals, inside, strict=True) if yes]


def _pieces(
    ground: Ground, network: Network, stops: set[int], crossings: Crossings, exits: dict[int, FloatArray]
) -> list[Road]:
    roads = []
    for number, (rank, path) in enumerate(network.chains(stops | set(exits))):
        before = [exits[path[0]]] if path[0] in exits else []
        after = [exits[path[-1]]] if path[-1] in exits else []
        points = np.round(smooth(np.vstack([*before, ground.nodes[path], *after]), rounds=3), 9)
        name = _name(rank, number)
        roads += [
            Road(rank, line, bridge, name) for line, bridge in _with_bridges(shapely.LineString(points), crossings)
        ]
    return roads


def components(lines: list[shapely.LineString]) -> list[int]:
    """Number of the connected part that each line belongs to, by ends that are exactly equal."""
    parent: dict[tuple[float, ...], tuple[float, ...]] = {}

    def find(end: tuple[float, ...]) -> tuple[float, ...]:
        parent.setdefault(end, end)
        while parent[end] != end:
            parent[end] = parent[parent[end]]
            end = parent[end]
        return end

    ends = [(line.coords[0], line.coords[-1]) for line in lines]
    for a, b in ends:
        parent[find(a)] = find(b)
    numbers: dict[tuple[float, ...], int] = {}
    return [numbers.setdefault(find(a), len(numbers)) for a, _ in ends]


def _with_bridges(line: shapely.LineString, crossings: Crossings) -> list[tuple[shapely.LineString, bool]]:
    points = shapely.get_coordinates(line)
    distance = along(points)
    spans: list[list[float]] = []
    for at, width in crossings.on(line):
        reach = 1.4 * width + 14.0
        start, end = max(at - reach, 0.0), min(at + reach, float(distance[-1]))
        if spans and start <= spans[-1][1] + 10.0:
            spans[-1][1] = max(end, spans[-1][1])
        else:
            spans.append([start, end])
    cuts = [0.0, *(d for span in spans for d in span), float(distance[-1])]
    pieces = [(_between(points, distance, a, b), bool(n % 2)) for n, (a, b) in enumerate(pairwise(cuts))]
    return [(shapely.LineString(p), bridge) for p, bridge in pieces if p is not None]


def _between(points: FloatArray, distance: FloatArray, start: float, end: float) -> FloatArray | None:
    if end - start < SHORTEST:
        return None
    inner = (distance > start + 1e-3) & (distance < end - 1e-3)
    ends = [[np.interp(d, distance, points[:, 0]), np.interp(d, distance, points[:, 1])] for d in (start, end)]
    return np.round(np.vstack([ends[0], points[inner], ends[1]]), 9)


def _name(rank: int, number: int) -> Name | None:
    if rank == TRUNK:
        return Name("国道G999（虚构）", "National Road G999 (fictional)")
    if rank == SECONDARY:
        return Name(f"县道X{number % 9 + 1:03d}", f"County Road X{number % 9 + 1:03d}")
    return Name(f"乡道Y{number % 97 + 1:03d}", f"Township Road Y{number % 97 + 1:03d}") if rank == TERTIARY else None


def _plans(places: list[Place], seed: int) -> list[StreetPlan]:
    turn = stream(seed, "street plans").random(len(places)) * np.pi
    return [
        StreetPlan(np.array(p.point), float(a), STREET_SPACING, p.radius * 1.05)
        for p, a in zip(places, turn, strict=True)
    ]


def _streets(plan: StreetPlan, closed: BaseGeometry, seed: int) -> list[shapely.LineString]:
    """Streets on the plan's grid that can be reached from its centre and stay clear of water."""
    reach = int(plan.radius // plan.spacing)
    chance = stream(seed, f"streets {plan.centre[0]:.6f} {plan.centre[1]:.6f}")
    links: dict[tuple[int, int], list[tuple[int, int]]] = {}
    for i in range(-reach, reach + 1):
        for j in range(-reach, reach + 1):
            for other in ((i + 1, j), (i, j + 1)):
                wanted = other[0] == i or j == 0 or chance.random() < STREET_SHARE
                if wanted and np.hypot(*other) * plan.spacing <= plan.radius:
                    links.setdefault((i, j), []).append(other)
                    links.setdefault(other, []).append((i, j))
    return _reachable(plan, links, closed)


def _reachable(
    plan: StreetPlan, links: dict[tuple[int, int], list[tuple[int, int]]], closed: BaseGeometry
) -> list[shapely.LineString]:
    queue, seen, done, lines = [(0, 0)], {(0, 0)}, set(), []
    while queue:
        node = queue.pop(0)
        for other in links.get(node, []):
            if (other, node) in done or (node, other) in done:
                continue
            done.add((node, other))
            line = shapely.LineString(plan.place(np.array([node, other], dtype=np.float64) * plan.spacing))
            if shapely.intersects(closed, line):
                continue
            lines.append(line)
            if other not in seen:
                seen.add(other)
                queue.append(other)
    return lines


def _railway(land: _Land, crossings: Crossings, seed: int) -> list[shapely.LineString]:
    ground = _ground(land, crossings, seed + 1)
    town = land.settlements.places[0]
    station = np.array(town.point) + degrees(np.array([[0.0, -town.radius * 1.15]]))
    west, south, east, north = land.county.bounds
    ends = [ground.nearest_open(np.array(p)) for p in ((east, (south + north) / 2 - 0.05), (west + 0.2, south))]
    middle = _cells(station)[0]
    path = cheapest(ground, ends[0], middle) + cheapest(ground, middle, ends[1])[1:]
    inner = ground.nodes[path[::3] + path[-1:]]
    rim = [
        shapely.get_coordinates(shapely.shortest_line(shapely.Point(p), land.county.exterior))[-1]
        for p in inner[[0, -1]]
    ]
    return [shapely.LineString(np.round(smooth(np.vstack([rim[0], inner, rim[1]]), rounds=4), 9))]
