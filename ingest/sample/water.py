"""Rivers traced where much water gathers, the valleys they carve, and the final surface they run down."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import shapely

from ingest.sample.chance import BoolArray, FloatArray, IntArray, Noise, smoothstep
from ingest.sample.grid import blur, metres, nearest_true
from ingest.sample.hydrology import fill_depressions
from ingest.sample.lines import along, resample, smooth
from ingest.sample.terrain import CENTRE, GRID, HALF_SIZE, RIDGE_POSITION, Relief, refine, valley_axis

STREAM_CELLS = 100
"""A cell of the coarse land that drains at least so many cells (about 11 km2) carries a river."""
HEAD_CELLS = 35
SHORTEST_STEM = 9
VERTEX_SPACING = 55.0
LEAST_FALL = 0.0007
BED_DEPTH = 2.5
MAIN_CELLS = 8000
BASIN_LENGTH = 9000.0
SAMPLING = 12.0
"""Spacing in metres at which a line is sampled so that no cell it crosses for long is missed."""


@dataclass(frozen=True)
class Stem:
    """One river from its head to its mouth.

    Attributes:
        points: Vertices downstream, (n, 2) degrees.
        drained: Cells of the coarse land that drain through each vertex.
        bed: Height of the bed at each vertex in metres, never rising downstream.
        parent: Number of the river it joins, -1 for one that leaves the land.
    """

    points: FloatArray
    drained: FloatArray
    bed: FloatArray
    parent: int


@dataclass(frozen=True)
class Waters:
    """Rivers and the surface that fits them.

    Attributes:
        stems: Rivers, the greatest first.
        height: Final heights on the full grid, metres.
        nearest: Flat index of the nearest river cell for each cell.
        distance: Distance to it in metres.
        river: Cells on a river.
        drained: Drained coarse cells on river cells, 0 elsewhere.
    """

    stems: list[Stem]
    height: FloatArray
    nearest: IntArray
    distance: FloatArray
    river: BoolArray
    drained: FloatArray


@dataclass
class _Path:
    cells: list[int]
    parent: int
    joins: int
    branches: list[tuple[int, int]] = field(default_factory=list)


def build_waters(relief: Relief, seed: int) -> Waters:
    """Trace the rivers, carve their valleys into the refined land and settle both to each other."""
    ground = refine(relief, seed)
    stems = _stems(relief, ground, seed)
    river, bed, drained = _river_cells(stems)
    nearest, distance = nearest_true(GRID, river)
    carved = _carve(ground, nearest, distance, bed, drained)
    height = settle(stems, fill_depressions(carved))
    return Waters(_with_beds(stems, height), height, nearest, distance, river, drained)


def _paths(relief: Relief) -> list[_Path]:
    """Follow each river upstream from its mouth, always into the greater branch; branches wait their turn."""
    flat, target = relief.drained.ravel(), relief.target.ravel()
    order = np.argsort(-flat, kind="stable")
    mouths = [int(c) for c in order[: int(np.sum(flat >= STREAM_CELLS))] if target[c] == c]
    donors = _donors(target)
    waiting = [(m, -1, -1) for m in mouths]
    paths: list[_Path] = []
    while waiting:
        waiting.sort(key=lambda w: (-flat[w[0]], w[0]))
        start, parent, joins = waiting.pop(0)
        path = _follow(start, donors, flat)
        if len(path.cells) < SHORTEST_STEM:
            continue
        path.parent, path.joins = parent, joins
        waiting += [(cell, len(paths), at) for cell, at in path.branches if flat[cell] >= STREAM_CELLS]
        paths.append(path)
    return paths


def _donors(target: IntArray) -> dict[int, list[int]]:
    donors: dict[int, list[int]] = {}
    for cell, receiver in enumerate(target.tolist()):
        if receiver != cell:
            donors.setdefault(receiver, []).append(cell)
    return donors


def _follow(start: int, donors: dict[int, list[int]], drained: FloatArray) -> _Path:
    path = _Path([start], -1, -1)
    while True:
        here = path.cells[-1]
        above = sorted(donors.get(here, []), key=lambda c: (-drained[c], c))
        path.branches += [(c, here) for c in above[1:]]
        if not above or drained[above[0]] < HEAD_CELLS:
            return path
        path.cells.append(above[0])


def _stems(relief: Relief, ground: FloatArray, seed: int) -> list[Stem]:
    winding = (
        Noise(seed, "winding east", width=0.021, octaves=3),
        Noise(seed, "winding north", width=0.021, octaves=3),
    )
    stems: list[Stem] = []
    for path in _paths(relief):
        line = _line(path, relief, winding)
        parent = stems[path.parent] if path.parent >= 0 else None
        if parent is not None:
            line = _join(line, parent)
        bed = _profile(line, ground, parent)
        stems.append(Stem(line[:, :2], line[:, 2], bed, path.parent))
    return stems


def wind(points: FloatArray, winding: tuple[Noise, Noise], reach: float) -> FloatArray:
    """Move points by one and the same noise, so that lines wind but keep their crossings and joints."""
    moves = np.column_stack([n(points[:, 0], points[:, 1]) for n in winding])
    return np.asarray(points + reach * moves)


def _line(path: _Path, relief: Relief, winding: tuple[Noise, Noise]) -> FloatArray:
    cells = np.array(path.cells[::-1] + ([path.joins] if path.joins >= 0 else []))
    positions = relief.grid.positions(cells // relief.grid.columns, cells % relief.grid.columns)
    if path.joins < 0:
        positions = np.vstack([positions, _to_edge(positions[-1])])
        cells = np.append(cells, cells[-1])
    line = smooth(np.column_stack([positions, relief.drained.ravel()[cells]]), rounds=4)
    line = resample(line, VERTEX_SPACING)
    line[:, :2] = wind(line[:, :2], winding, 0.0045)
    line[:, 0] = np.clip(line[:, 0], GRID.west + 1e-6, GRID.west + GRID.columns * GRID.cell - 1e-6)
    line[:, 1] = np.clip(line[:, 1], GRID.north - GRID.rows * GRID.cell + 1e-6, GRID.north - 1e-6)
    return np.round(line, 9)


def _to_edge(point: FloatArray) -> FloatArray:
    east, south = GRID.west + GRID.columns * GRID.cell, GRID.north - GRID.rows * GRID.cell
    edges = np.array([[GRID.west, point[1]], [east, point[1]], [point[0], GRID.north], [point[0], south]])
    return np.asarray(edges[np.argmin(np.linalg.norm(edges - point, axis=1))])


def _join(line: FloatArray, parent: Stem) -> FloatArray:
    """End a tributary where it first meets its river, at the river's nearest vertex."""
    river = shapely.LineString(parent.points)
    crossing = shapely.intersection(shapely.LineString(line[:, :2]), river)
    keep = len(line) - 1
    if not shapely.is_empty(crossing):
        first = min(shapely.get_coordinates(crossing).tolist(), key=lambda p: _position(line, p))
        keep = max(int(_position(line, first)), 2)
    meeting = parent.points[np.argmin(np.linalg.norm(metres(parent.points - line[keep, :2]), axis=1))]
    return np.vstack([line[:keep], [*meeting, line[keep, 2]]])


def _position(line: FloatArray, point: list[float]) -> float:
    return float(np.argmin(np.linalg.norm(metres(line[:, :2] - np.array(point)), axis=1)))


def _profile(line: FloatArray, ground: FloatArray, parent: Stem | None) -> FloatArray:
    bed = np.minimum.accumulate(GRID.bilinear(ground, line[:, :2])) - BED_DEPTH
    distance = along(line)
    if parent is not None:
        bed[-1] = parent.bed[np.argmin(np.linalg.norm(metres(parent.points - line[-1, :2]), axis=1))]
        left = distance[-1] - distance
        bed = np.minimum(bed, bed[-1] + 0.02 * left + 0.00003 * left**2)
    elif line[-1, 2] >= MAIN_CELLS:
        bed = _grade_above_gorge(line, bed, distance)
    lift = LEAST_FALL * distance
    return np.asarray(np.maximum.accumulate((bed + lift)[::-1])[::-1] - lift)


def _grade_above_gorge(line: FloatArray, bed: FloatArray, distance: FloatArray) -> FloatArray:
    """Let the river flow gently above the place where it cuts through the ridge, so that a dam there holds much."""
    gorge = int(np.argmin(np.abs(_across_ridge(line[:, 0], line[:, 1]))))
    left = distance[gorge] - distance
    gentle = bed[gorge] + 0.0013 * left + 0.02 * np.maximum(left - BASIN_LENGTH, 0.0)
    return np.where(left > 0, np.minimum(bed, gentle), bed)


def _samples(points: FloatArray, values: FloatArray) -> tuple[tuple[IntArray, IntArray], FloatArray]:
    dense = resample(np.column_stack([points, values]), SAMPLING)
    return GRID.cells(dense[:, :2]), dense[:, 2]


def _river_cells(stems: list[Stem]) -> tuple[BoolArray, FloatArray, FloatArray]:
    bed, drained = np.full(GRID.shape, np.inf), np.zeros(GRID.shape)
    for stem in stems:
        cells, beds = _samples(stem.points, stem.bed)
        np.minimum.at(bed, cells, beds)
        cells, drains = _samples(stem.points, stem.drained)
        np.maximum.at(drained, cells, drains)
    return np.isfinite(bed), bed, drained


def _carve(
    ground: FloatArray, nearest: IntArray, distance: FloatArray, bed: FloatArray, drained: FloatArray
) -> FloatArray:
    """Cut valleys: flat floors as wide as the river is great, narrow where the ridge stands, then the beds."""
    floor = bed.ravel()[nearest] + 1.5 + 0.006 * distance
    width = (70.0 + 9.0 * np.sqrt(drained.ravel()[nearest])) * _openness()
    share = smoothstep(0.0, 1.0, (distance - 0.45 * width) / (2.2 * width + 150.0))
    depth = np.maximum(ground - floor, 0.0) * (1.0 - share)
    carved = ground - blur(depth, radius=5)
    carved = np.maximum(carved, np.minimum(ground, floor - 1.0))
    river = np.isfinite(bed)
    return np.where(river, bed, carved)


def _across_ridge(lon: FloatArray, lat: FloatArray) -> FloatArray:
    x, y = (lon - CENTRE[0]) / HALF_SIZE[0], (lat - CENTRE[1]) / HALF_SIZE[1]
    return np.asarray(x - RIDGE_POSITION - 0.30 * (y - valley_axis(x)))


def _openness() -> FloatArray:
    return np.asarray(1.0 - 0.88 * np.exp(-((_across_ridge(*GRID.centres()) / 0.06) ** 2)))


def settle(stems: list[Stem], height: FloatArray) -> FloatArray:
    """Lower river cells until no cell along any river is higher than one upstream of it.

    Works on float32 heights, as they are written, and ends because heights only ever fall to one another's value.
    """
    out = height.astype(np.float32)
    paths = [_cell_path(stem.points) for stem in stems]
    changed = True
    while changed:
        changed = False
        for path in paths:
            heights = out[path]
            lowered = np.minimum.accumulate(heights)
            np.minimum.at(out, path, lowered)
            changed = changed or not np.array_equal(out[path], heights)
    return out.astype(np.float64)


def _cell_path(points: FloatArray) -> tuple[IntArray, IntArray]:
    """Every cell that a line passes through, in order, however short the passage."""
    dense = shapely.get_coordinates(shapely.segmentize(shapely.LineString(points), 0.4 * GRID.cell))
    start, end = ((dense[part] - [GRID.west, GRID.north]) / [GRID.cell, -GRID.cell] for part in (np.s_[:-1], np.s_[1:]))
    line = np.maximum(np.floor(start), np.floor(end))
    with np.errstate(divide="ignore", invalid="ignore"):
        cut = np.where(np.floor(start) != np.floor(end), (line - start) / (end - start), 0.0)
    stops = np.sort(np.column_stack([np.zeros(len(cut)), cut, np.ones(len(cut))]), axis=1)
    middle = (stops[:, :-1] + stops[:, 1:]) / 2
    inner = (start[:, None, :] + (end - start)[:, None, :] * middle[:, :, None]).reshape(-1, 2)
    column, row = np.floor(inner).astype(np.int64).T
    return np.clip(row, 0, GRID.rows - 1), np.clip(column, 0, GRID.columns - 1)


def _with_beds(stems: list[Stem], height: FloatArray) -> list[Stem]:
    return [Stem(s.points, s.drained, height[GRID.cells(s.points)], s.parent) for s in stems]


def half_width(drained: FloatArray) -> FloatArray:
    """Half the width of a river's water in metres from the number of coarse cells it drains."""
    return np.asarray(1.5 + 0.32 * np.sqrt(drained))
