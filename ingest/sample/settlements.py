"""Where people live: townships with their seats, villages, names and numbers of people."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import shapely

from ingest.sample import COUNTY_CODE
from ingest.sample.chance import FloatArray, IntArray, Noise, smoothstep, stream
from ingest.sample.grid import METRES_X, METRES_Y, blur, metres, nearest_true
from ingest.sample.names import Name, NameGiver
from ingest.sample.outline import Outline, divide
from ingest.sample.reservoir import Reservoir
from ingest.sample.terrain import GRID, slope_degrees
from ingest.sample.water import Waters, half_width

ADCODE = COUNTY_CODE
PARENT = "990100"
COUNTY = Name("样例县（虚构）", "Sample County (fictional)")
TOWNSHIPS = 10
TOWNS = 6
VILLAGES = 150
SEAT_SPACING = 0.40
VILLAGE_SPACING = 1500.0
BORDER_WANDER = 0.08
COUNTY_SEAT_PEOPLE = 68_000


@dataclass(frozen=True)
class Township:
    """A township: nine-digit code, name, area, flat index of its seat among the places."""

    code: str
    name: Name
    polygon: shapely.Polygon
    seat: int


@dataclass(frozen=True)
class Place:
    """A village or seat: twelve-digit code, name, position (lon, lat), people, rank (0 highest), its township."""

    code: str
    name: Name
    point: tuple[float, float]
    people: int
    rank: int
    township: int

    @property
    def radius(self) -> float:
        """Radius of the built-up area in metres."""
        space = 105.0 if self.people > COUNTY_SEAT_PEOPLE // 2 else 170.0
        return float(np.sqrt(self.people * space / np.pi))


@dataclass(frozen=True)
class Settlements:
    """Townships in order of code and places, the county seat and the other seats first."""

    townships: list[Township]
    places: list[Place]

    @property
    def points(self) -> FloatArray:
        """Positions of the places (n, 2)."""
        return np.array([p.point for p in self.places])

    def people(self, township: int) -> int:
        """People of a township: the sum of its places."""
        return sum(p.people for p in self.places if p.township == township)


def suitability(waters: Waters, reservoir: Reservoir) -> FloatArray:
    """How well each cell of the full grid suits a settlement, 0..1: dry, even, near a river, low."""
    slope = blur(slope_degrees(waters.height), 2)
    off = waters.distance - half_width(waters.drained.ravel()[waters.nearest])
    _, from_pool = nearest_true(GRID, reservoir.cells, 600.0)
    dry = smoothstep(140.0, 260.0, off) * smoothstep(250.0, 450.0, from_pool) * (waters.height > 0)
    near = np.exp(-np.maximum(off - 300.0, 0.0) / 1400.0)
    low = 1.0 - 0.6 * smoothstep(1300.0, 2200.0, waters.height)
    return np.asarray(dry * near * low * np.exp(-((slope / 5.0) ** 2)))


def build_settlements(
    outline: Outline, waters: Waters, reservoir: Reservoir, names: NameGiver, seed: int
) -> Settlements:
    """Choose seats and villages, draw the townships around the seats, and count people."""
    suits = suitability(waters, reservoir)
    seats = _seats(outline, waters, suits)
    wander = tuple(Noise(seed, f"township border {a}", width=0.30, octaves=4) for a in "uv")
    polygons = divide(outline, seats, (wander[0], wander[1]), BORDER_WANDER)
    points = _villages(outline, suits, outline.place(seats), seed)
    home = _homes(points, polygons)
    places = _places(points, home, suits, names, seed)
    townships = [
        Township(places[i].code[:9], _township_name(i, places[i].name), polygons[i], i) for i in range(TOWNSHIPS)
    ]
    return Settlements(townships, [_named(p, i) for i, p in enumerate(places)])


def _township_name(number: int, name: Name) -> Name:
    if number == 0:
        return Name("城关镇", "Chengguan Town")
    return name.with_ending("镇", "Town") if number < TOWNS else name.with_ending("乡", "Township")


def _named(place: Place, number: int) -> Place:
    if number == 0:
        name = Name("样例县城", "Sample County Town")
    elif number < TOWNSHIPS:
        name = place.name
    else:
        name = place.name.with_ending("村", "Village")
    return Place(place.code, name, place.point, place.people, place.rank, place.township)


def _seats(outline: Outline, waters: Waters, suits: FloatArray) -> FloatArray:
    """Points of the square: first the county seat on the greatest river, then seats as far apart as demanded."""
    ticks = np.linspace(-0.86, 0.86, 220)
    u, v = (a.ravel() for a in np.meshgrid(ticks, ticks))
    square = np.column_stack([u, v])
    points = outline.place(square)
    score = GRID.bilinear(blur(suits, 3), points) + 1e-6
    great = GRID.nearest(waters.drained.ravel()[waters.nearest], points).astype(np.float64)
    middle = np.exp(-((u - 0.15) ** 2 + v**2) / 0.18)
    first = int(np.argmax(score * smoothstep(8000.0, 16000.0, great) * middle))
    chosen = [first]
    spacing = SEAT_SPACING
    while len(chosen) < TOWNSHIPS:
        away = np.min(np.linalg.norm(square[:, None] - square[chosen][None], axis=2), axis=1)
        open_ = score * (away > spacing) * np.minimum(away, 0.9)
        if open_.max() > 0:
            chosen.append(int(np.argmax(open_)))
        else:
            spacing *= 0.9
    return square[chosen]


def _villages(outline: Outline, suits: FloatArray, seats: FloatArray, seed: int) -> FloatArray:
    """Seats and then villages: each time the best cell, whose surroundings are then closed to others."""
    lon, lat = GRID.centres()
    inside = GRID.mask([shapely.buffer(outline.polygon(), -0.008)])
    taste = 0.55 + 0.45 * Noise(seed, "taste", width=0.02, octaves=3)(lon, lat)
    score = suits * taste * inside
    points = list(seats)
    for number in range(TOWNSHIPS + VILLAGES):
        if number >= TOWNSHIPS:
            best = int(np.argmax(score))
            points.append(GRID.positions(best // GRID.columns, best % GRID.columns)[0])
        spacing = 3200.0 if number == 0 else 2200.0 if number < TOWNSHIPS else VILLAGE_SPACING
        _close(score, points[number], spacing)
    return np.round(np.array(points), 6)


def _close(score: FloatArray, point: FloatArray, spacing: float) -> None:
    row, column = (int(a[0]) for a in GRID.cells(point[None, :]))
    reach_y, reach_x = int(2 * spacing / (GRID.cell * METRES_Y)), int(2 * spacing / (GRID.cell * METRES_X))
    rows = slice(max(row - reach_y, 0), row + reach_y + 1)
    columns = slice(max(column - reach_x, 0), column + reach_x + 1)
    y, x = np.mgrid[rows.start : min(rows.stop, GRID.rows), columns.start : min(columns.stop, GRID.columns)]
    away = np.hypot((y - row) * GRID.cell * METRES_Y, (x - column) * GRID.cell * METRES_X)
    score[rows, columns] *= smoothstep(0.95 * spacing, 1.6 * spacing, away)


def _homes(points: FloatArray, polygons: list[shapely.Polygon]) -> IntArray:
    tree = shapely.STRtree(polygons)
    which, polygon = tree.query(shapely.points(points), predicate="within")
    home = np.array(tree.nearest(shapely.points(points)), dtype=np.int64)
    home[which] = polygon
    return home


def _places(points: FloatArray, home: IntArray, suits: FloatArray, names: NameGiver, seed: int) -> list[Place]:
    chance = stream(seed, "people")
    luck = chance.random((len(points), 2))
    good = GRID.bilinear(suits, points)
    serial = dict.fromkeys(range(TOWNSHIPS), 200)
    places = []
    for number, point in enumerate(points):
        township = number if number < TOWNSHIPS else int(home[number])
        people = _people(number, float(good[number]), luck[number])
        kind = 1
        if number >= TOWNSHIPS:
            kind = serial[township]
            serial[township] += 1
        code = f"{_township_code(township)}{kind:03d}"
        rank = 6 if number == 0 else 8 if number < TOWNSHIPS else 10
        places.append(Place(code, names.place(), (float(point[0]), float(point[1])), people, rank, township))
    return places


def _people(number: int, good: float, luck: FloatArray) -> int:
    if number == 0:
        return COUNTY_SEAT_PEOPLE + int(luck[0] * 4000)
    if number < TOWNSHIPS:
        return int(2600 + 6500 * luck[0])
    return int(160 + (350 + 900 * good) * np.exp(1.1 * (luck[0] + luck[1] - 1.0)))


def _township_code(number: int) -> str:
    return f"{ADCODE}{100 + number:03d}" if number < TOWNS else f"{ADCODE}{200 + number - TOWNS:03d}"


def distances(points: FloatArray, to: FloatArray) -> FloatArray:
    """Distances in metres from points (n, 2) to points (m, 2) as an (n, m) array."""
    a, b = metres(points), metres(to)
    return np.asarray(np.hypot(a[:, None, 0] - b[None, :, 0], a[:, None, 1] - b[None, :, 1]))
