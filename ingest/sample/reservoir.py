"""The dam across the main valley, the reservoir behind it, and the flood below it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import shapely
from shapely.geometry.base import BaseGeometry

from ingest.sample.chance import BoolArray, FloatArray
from ingest.sample.grid import Grid, blur, degrees, flood, metres, nearest_true
from ingest.sample.lines import along, line_parts, normals, polygon_parts, smooth_polygon
from ingest.sample.terrain import GRID
from ingest.sample.water import Stem, Waters

DAM_HEIGHTS = (46.0, 38.0, 30.0, 24.0)
FREEBOARD = 3.0
LONGEST_WALL = 1000.0
SMALLEST_POOL = 5.0e6
LARGEST_POOL = 3.0e7
REFINEMENT = 4
FLOOD_LENGTH = 33_000.0
FLOOD_DEPTHS = (9.0, 2.5)
FLOOD_REACH = 2500.0
SHORTEST_PIECE = 350.0


class NoDamSite(Exception):
    """No place along the main river can hold a reservoir of the wanted size."""


@dataclass(frozen=True)
class Reservoir:
    """A dam and the water behind it.

    Attributes:
        polygon: Surface of the water.
        cells: Cells of the full grid whose centre lies under water.
        level: Height of the water in metres.
        crest: Height of the dam's crest in metres.
        height: Height of the dam above the river bed in metres.
        capacity: Volume below the level in 10^6 m3, from the heights of the cells.
        dam: Position (lon, lat), a vertex of the main river.
        wall: The crest line of the dam.
        stem: Number of the dammed river.
        vertex: Number of its vertex at the dam.
    """

    polygon: shapely.Polygon
    cells: BoolArray
    level: float
    crest: float
    height: float
    capacity: float
    dam: tuple[float, float]
    wall: shapely.LineString
    stem: int
    vertex: int


@dataclass(frozen=True)
class Flood:
    """Land under water below the dam: outline, cells, greatest depth in metres."""

    polygon: BaseGeometry
    cells: BoolArray
    depth: float


@dataclass(frozen=True)
class _Site:
    vertex: int
    wall: shapely.LineString
    level: float
    bed: float
    pool: BoolArray
    worth: float


def build_reservoir(waters: Waters, county: shapely.Polygon) -> Reservoir:
    """Choose the best dam site on the main river inside the county and fill the valley behind it.

    Raises:
        NoDamSite: When no site gives a reservoir of 5 to 30 km2.
    """
    number = _main_stem(waters, county)
    stem = waters.stems[number]
    inside = GRID.mask([shapely.buffer(county, -0.012)])
    for height in DAM_HEIGHTS:
        sites = [s for v in _candidates(stem, inside) if (s := _try_site(stem, v, height, waters.height, inside))]
        if sites:
            return _build(waters, number, max(sites, key=lambda s: (s.worth, -s.vertex)))
    raise NoDamSite(f"None of {len(stem.points)} positions along the main river can hold a reservoir.")


def _main_stem(waters: Waters, county: shapely.Polygon) -> int:
    inside = [shapely.contains_xy(county, s.points[:, 0], s.points[:, 1]) for s in waters.stems]
    worth = [float(s.drained[-1]) * float(i.sum()) for s, i in zip(waters.stems, inside, strict=True)]
    return int(np.argmax([w if s.parent < 0 else 0.0 for w, s in zip(worth, waters.stems, strict=True)]))


def _candidates(stem: Stem, inside: BoolArray) -> list[int]:
    distance = along(stem.points)
    within = inside[GRID.cells(stem.points)]
    part = (distance > 0.12 * distance[-1]) & (distance < 0.62 * distance[-1]) & within
    return [int(v) for v in np.flatnonzero(part)[::4]]


def _try_site(stem: Stem, vertex: int, height: float, ground: FloatArray, inside: BoolArray) -> _Site | None:
    bed = float(stem.bed[vertex])
    wall = _wall(stem, vertex, bed + height, ground)
    if wall is None:
        return None
    level = bed + height - FREEBOARD
    barrier = _touched(GRID, wall)
    start = GRID.cells(stem.points[max(vertex - 6, 0) : max(vertex - 6, 0) + 1])
    pool = flood((ground < level) & inside & ~barrier, [(int(start[0][0]), int(start[1][0]))])
    area = float(pool.sum()) * GRID.cell_area
    rim = pool & ~inside
    below = pool[GRID.cells(stem.points[vertex + 8 :])]
    if not SMALLEST_POOL < area < LARGEST_POOL or rim.any() or below.any() or _leaks(pool, inside, ground < level):
        return None
    volume = float(np.sum((level - ground)[pool])) * GRID.cell_area
    return _Site(vertex, wall, level, bed, pool, volume / shapely.length(wall) ** 1.3)


def _leaks(pool: BoolArray, inside: BoolArray, low: BoolArray) -> bool:
    """Whether the water would run on beyond the allowed area."""
    grown = pool.copy()
    grown[1:] |= pool[:-1]
    grown[:-1] |= pool[1:]
    grown[:, 1:] |= pool[:, :-1]
    grown[:, :-1] |= pool[:, 1:]
    return bool(np.any(grown & ~inside & low))


def _wall(stem: Stem, vertex: int, crest: float, ground: FloatArray) -> shapely.LineString | None:
    """A straight wall across the valley from bank to bank at the crest's height; None where it would be too long."""
    span = slice(max(vertex - 5, 0), vertex + 6)
    across = normals(stem.points[span])[min(vertex, 5)]
    steps = np.arange(0.0, LONGEST_WALL, 20.0)
    ends = []
    for side in (-1.0, 1.0):
        points = stem.points[vertex] + degrees(side * steps[:, None] * across)
        above = np.flatnonzero(GRID.bilinear(ground, points) > crest)
        if not len(above):
            return None
        ends.append(points[above[0]])
    return shapely.LineString(np.round([ends[0], stem.points[vertex], ends[1]], 9))


def _touched(grid: Grid, line: shapely.LineString) -> BoolArray:
    points = shapely.get_coordinates(shapely.segmentize(line, grid.cell / 6))
    touched = np.zeros(grid.shape, dtype=bool)
    for dx in (-0.3, 0.0, 0.3):
        for dy in (-0.3, 0.0, 0.3):
            touched[grid.cells(points + np.array([dx, dy]) * grid.cell)] = True
    return touched


def _build(waters: Waters, number: int, site: _Site) -> Reservoir:
    stem = waters.stems[number]
    start = stem.points[max(site.vertex - 6, 0)]
    near = np.zeros(GRID.shape, dtype=bool)
    near[GRID.mask([shapely.buffer(p, 3 * GRID.cell) for p in GRID.polygons(site.pool)])] = True
    polygon = _refined(site.level - waters.height, near, start, site.wall)
    cells = GRID.mask([polygon])
    depth = np.maximum(site.level - waters.height, 0.0)
    capacity = float(np.sum(depth[cells])) * GRID.cell_area / 1e6
    dam = (float(stem.points[site.vertex, 0]), float(stem.points[site.vertex, 1]))
    crest = site.level + FREEBOARD
    return Reservoir(polygon, cells, site.level, crest, crest - site.bed, capacity, dam, site.wall, number, site.vertex)


def _refined(depth: FloatArray, near: BoolArray, start: FloatArray, wall: shapely.LineString | None) -> shapely.Polygon:
    """Outline of positive depth around a start, on cells a quarter as wide, smoothed."""
    rows, columns = np.flatnonzero(near.any(axis=1)), np.flatnonzero(near.any(axis=0))
    top, left = max(int(rows[0]) - 2, 0), max(int(columns[0]) - 2, 0)
    size = (min(int(rows[-1]) + 3, GRID.rows) - top, min(int(columns[-1]) + 3, GRID.columns) - left)
    window = Grid(GRID.west + left * GRID.cell, GRID.north - top * GRID.cell, GRID.cell, *size).finer(REFINEMENT)
    lon, lat = window.centres()
    points = np.column_stack([lon.ravel(), lat.ravel()])
    wet = (GRID.bilinear(depth, points) > 0).reshape(window.shape)
    wet &= np.asarray(GRID.nearest(near, points), dtype=bool).reshape(window.shape)
    if wall is not None:
        wet &= ~_touched(window, wall)
    row, column = window.cells(start[None, :])
    reached = flood(wet, [(int(row[0]), int(column[0]))])
    outline = max(window.polygons(reached), key=lambda p: p.area)
    least = 30 * window.cell**2
    kept = shapely.Polygon(outline.exterior, [h for h in outline.interiors if shapely.Polygon(h).area > least])
    smoothed = shapely.set_precision(smooth_polygon(kept, window.cell * 0.75), 1e-9)
    return max(polygon_parts(smoothed), key=lambda p: p.area)


def build_flood(waters: Waters, reservoir: Reservoir, county: shapely.Polygon) -> Flood:
    """Land below the water when the dam releases: as deep as stated at the dam, shallower downstream."""
    stem = waters.stems[reservoir.stem]
    reach = stem.points[reservoir.vertex + 4 :]
    distance = along(reach)
    within = shapely.contains_xy(shapely.buffer(county, -0.004), reach[:, 0], reach[:, 1])
    end = int(np.flatnonzero((distance > FLOOD_LENGTH) | ~within)[:1].sum()) or len(reach)
    depth = np.interp(distance[:end], [0.0, FLOOD_LENGTH], FLOOD_DEPTHS)
    surface, near = _flood_surface(reach[:end], stem.bed[reservoir.vertex + 4 :][:end] + depth)
    over = surface - waters.height
    polygon = shapely.intersection(_refined(over, near & ~reservoir.cells, reach[4], reservoir.wall), county)
    cells = GRID.mask([polygon])
    return Flood(polygon, cells, round(float(np.max(over[cells], initial=0.0)), 1))


def _flood_surface(reach: FloatArray, levels: FloatArray) -> tuple[FloatArray, BoolArray]:
    """Height of the water everywhere, as at the nearest place of the reach, and the cells that it may cover."""
    mask, height = np.zeros(GRID.shape, dtype=bool), np.zeros(GRID.shape)
    cells = GRID.cells(reach)
    mask[cells] = True
    height[cells] = levels
    nearest, distance = nearest_true(GRID, mask, FLOOD_REACH)
    near = distance < FLOOD_REACH
    lon, lat = GRID.centres()
    flat = metres(np.column_stack([lon.ravel(), lat.ravel()]))
    for end, inwards in ((0, 5), (-1, -6)):
        point, towards = metres(reach[[end, inwards]])
        beyond = ((flat - point) @ (towards - point) < 0).reshape(GRID.shape)
        own = nearest == cells[0][end] * GRID.columns + cells[1][end]
        near &= ~(beyond & own)
    return blur(height.ravel()[nearest], 3), near


def river_lines(waters: Waters, reservoir: Reservoir, county: shapely.Polygon) -> list[list[shapely.LineString]]:
    """The parts of each river that lie in the county and outside the reservoir, downstream, shorter ones left out."""
    return [
        _outside(stem, reservoir if n == reservoir.stem else None, reservoir.polygon, county)
        for n, stem in enumerate(waters.stems)
    ]


def _outside(
    stem: Stem, dammed: Reservoir | None, pool: shapely.Polygon, county: shapely.Polygon
) -> list[shapely.LineString]:
    if dammed is None:
        pieces = line_parts(shapely.difference(shapely.LineString(stem.points), pool))
    else:
        upper, lower = stem.points[: dammed.vertex + 1], stem.points[dammed.vertex :]
        pieces = line_parts(shapely.difference(shapely.LineString(upper), pool))[:1]
        pieces.append(shapely.LineString(lower))
    clipped = [part for piece in pieces for part in line_parts(shapely.intersection(piece, county))]
    return [p for p in clipped if along(shapely.get_coordinates(p))[-1] > SHORTEST_PIECE]
