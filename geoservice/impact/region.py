"""A polygon made ready to be asked about many features: which lie wholly inside, which are cut, and by what.

Most features of a zone lie wholly inside and need no geometry at all. A grid over the polygon tells them by their boxes
alone: each cell is inside, outside, or crossed by the outline. Only features near the outline are looked at, and they
are cut with small pieces of the polygon. All pieces are cut along meridians and parallels, so parts add up.
Coordinates are longitude and latitude in degrees.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property, lru_cache
from itertools import pairwise
from threading import Lock

import numpy as np
import numpy.typing as npt
import shapely

Floats = npt.NDArray[np.float64]
Longs = npt.NDArray[np.int64]
Bytes = npt.NDArray[np.uint8]
Truths = npt.NDArray[np.bool_]
Shapes = npt.NDArray[np.object_]
Box = tuple[float, float, float, float]
OUTSIDE, WHOLE, LOOK = 0, 1, 2
"""What the box of a feature says: it lies outside, it lies wholly inside, or its geometry has to be looked at."""
MOST_CORNERS = 96
"""Corners of a piece; a feature on the rim is cut with pieces of this size."""
_SIDES = (16, 256)
_PER_CELL = 4
_UNEVEN = 0.4891
"""Where a polygon is parted. Not in the middle, because data often have borders at round coordinates."""
_MOST_DEPTH = 40
_SAME = 1e-9
_MOST_STEPS = 500_000
"""Steps along an outline that are looked at together: a long thin zone has very many cells of its height."""
_HALF_TURN = 180.0


class Region:
    """A polygon or multipolygon with its grid."""

    def __init__(self, shape: shapely.Geometry, features: int = 0) -> None:
        """Remember a valid polygon.

        Args:
            shape: Polygon or multipolygon.
            features: About how many features will be asked about; the grid is finer for more.
        """
        self.shape = shape
        low, high = _SIDES
        self._side = int(min(max(low, (features / _PER_CELL) ** 0.5), high))
        west, south, east, north = shapely.bounds(shape).tolist()
        slack = 1e-9 * max(east - west, north - south) + 1e-12
        self._origin = np.array([west - slack, south - slack])
        self._step = (np.array([east - west, north - south]) + 2 * slack) / self._side
        self.bounds = (west, south, east, north)
        # A prepared geometry makes its index when it is first asked, which two threads must not do at once.
        self._asking = Lock()

    def sort(self, boxes: Floats) -> Bytes:
        """What boxes say of their features: `OUTSIDE`, `WHOLE` or `LOOK`.

        Args:
            boxes: One row of west, south, east, north per feature.
        """
        if not len(boxes):
            return np.zeros(0, dtype=np.uint8)
        first, last = self._cells(boxes[:, :2]), self._cells(boxes[:, 2:])
        uncovered, untouched = (_counted(table, first, last) for table in self._tables)
        found = np.where(uncovered == 0, WHOLE, np.where(untouched == 0, OUTSIDE, LOOK))
        return found.astype(np.uint8)

    def holds(self, x: Floats, y: Floats) -> Truths:
        """Which points lie inside or on the border."""
        found = self.sort(np.column_stack([x, y, x, y]))
        unsure = np.flatnonzero(found == LOOK)
        inside: Truths = found == WHOLE
        if len(unsure):
            with self._asking:
                shapely.prepare(self.shape)
                inside[unsure] = shapely.intersects_xy(self.shape, x[unsure], y[unsure])
        return inside

    def meets(self, shapes: Shapes) -> Truths:
        """Which geometries share a point with it, be it on the border."""
        with self._asking:
            shapely.prepare(self.shape)
            return np.asarray(shapely.intersects(self.shape, shapes), dtype=np.bool_)

    def cut(self, shapes: Shapes) -> tuple[Longs, Shapes]:
        """The parts of geometries inside: number of the geometry, and a part; one geometry may have several."""
        number, piece = self._tree.query(shapes)
        order = np.lexsort((piece, number))
        number, piece = number[order].astype(np.int64), piece[order]
        parts = shapely.intersection(shapes[number], self.pieces[piece])
        there = ~shapely.is_empty(parts)
        return number[there], parts[there]

    @cached_property
    def pieces(self) -> Shapes:
        """The polygon in pieces of few corners that do not overlap."""
        return pieces_of(self.shape)

    @cached_property
    def _tree(self) -> shapely.STRtree:
        return shapely.STRtree(self.pieces)

    @cached_property
    def _tables(self) -> tuple[Longs, Longs]:
        """Summed tables of the cells that are not wholly inside, and of those that are not wholly outside."""
        state = np.full((self._side + 2, self._side + 2), OUTSIDE, dtype=np.uint8)
        rim = self._rim(state.shape)
        free = np.argwhere(~rim[1:-1, 1:-1])
        middle = self._origin + (free + 0.5) * self._step
        with self._asking:
            shapely.prepare(self.shape)
            inside = shapely.contains_xy(self.shape, middle[:, 0], middle[:, 1])
        state[free[:, 0] + 1, free[:, 1] + 1] = np.where(inside, WHOLE, OUTSIDE)
        state[rim] = LOOK
        return _summed(state != WHOLE), _summed(state != OUTSIDE)

    def _rim(self, shape: tuple[int, int]) -> Truths:
        """The cells that the outline crosses, and perhaps some beside them."""
        rim = np.zeros(shape, dtype=np.bool_)
        at, ring = shapely.get_coordinates(shapely.get_rings(shapely.get_parts(self.shape)), return_index=True)
        same = ring[1:] == ring[:-1]
        begin, end = at[:-1][same], at[1:][same]
        # Cut so that a step is no longer than a cell is wide and high: it lies in the cells between those of its ends.
        steps = np.ceil(np.abs((end - begin) / self._step).max(axis=1)).astype(np.int64) + 1
        for some in _blocks(steps):
            edge, share = _stepped(steps[some])
            start, along = begin[some][edge], (end - begin)[some][edge]
            near = self._cells(start + along * share[:, :1])
            far = self._cells(start + along * share[:, 1:])
            low, high = np.minimum(near, far), np.maximum(near, far)
            for across in (0, 1):
                for up in (0, 1):
                    rim[np.minimum(low[:, 0] + across, high[:, 0]), np.minimum(low[:, 1] + up, high[:, 1])] = True
        return rim

    def _cells(self, at: Floats) -> Longs:
        """Column and row of positions; the rows and columns around the grid are outside."""
        place = np.floor((at - self._origin) / self._step) + 1
        return np.asarray(np.clip(place, 0, self._side + 1), dtype=np.int64)


@lru_cache(maxsize=256)
def kept_region(wkb: bytes, features: int) -> Region:
    """The region of a polygon that is asked about again and again, such as a division; its WKB tells it apart."""
    return Region(shapely.from_wkb(wkb), features)


def regions_of(shape: shapely.Geometry, features: int = 0) -> list[Region]:
    """Regions of a polygon: one, or one on each side of the antimeridian, so that no grid spans the world."""
    parts = shapely.get_parts(shape)
    bounds = shapely.bounds(parts)
    west = bounds[:, 2] < 0
    ends = bounds[:, 0].min() == -_HALF_TURN and bounds[:, 2].max() == _HALF_TURN
    if not ends or not west.any() or west.all():
        return [Region(shape, features)]
    return [Region(shapely.MultiPolygon(list(parts[half])), features) for half in (~west, west)]


def pieces_of(shape: shapely.Geometry, corners: int = MOST_CORNERS) -> Shapes:
    """A polygon in pieces of at most so many corners, parted along meridians and parallels."""
    quick = _parted(shape, corners, _clipped)
    sound = bool(shapely.is_valid(quick).all())
    whole = float(shapely.area(shape))
    if sound and abs(float(shapely.area(quick).sum()) - whole) <= _SAME * whole:
        return quick
    # Clipping is quick, but can leave spikes where an outline runs along the line that parts it.
    return _parted(shape, corners, _intersected)


def _parted(shape: shapely.Geometry, corners: int, clip: Callable[[shapely.Geometry, Box], shapely.Geometry]) -> Shapes:
    done: list[shapely.Geometry] = []
    waiting = [(part, 0) for part in shapely.get_parts(shape)]
    while waiting:
        part, depth = waiting.pop()
        if shapely.get_num_coordinates(part) <= corners or depth >= _MOST_DEPTH:
            done.append(part)
            continue
        for half in _halves(part):
            inside = shapely.get_parts(clip(part, half))
            waiting += [(one, depth + 1) for one in inside if one.geom_type == "Polygon" and not one.is_empty]
    found: Shapes = np.empty(len(done), dtype=np.object_)
    found[:] = done
    return found


def _halves(part: shapely.Geometry) -> tuple[Box, Box]:
    """The boxes on both sides of a line across the longer side."""
    west, south, east, north = shapely.bounds(part).tolist()
    if east - west >= north - south:
        middle = west + (east - west) * _UNEVEN
        return (west, south, middle, north), (middle, south, east, north)
    middle = south + (north - south) * _UNEVEN
    return (west, south, east, middle), (west, middle, east, north)


def _clipped(part: shapely.Geometry, box: Box) -> shapely.Geometry:
    return shapely.clip_by_rect(part, *box)


def _intersected(part: shapely.Geometry, box: Box) -> shapely.Geometry:
    return shapely.intersection(part, shapely.box(*box))


def _blocks(steps: Longs) -> list[slice]:
    """Runs of edges that have at most about `_MOST_STEPS` steps together."""
    made = np.cumsum(steps)
    ends = np.searchsorted(made, np.arange(_MOST_STEPS, int(made[-1]) + _MOST_STEPS, _MOST_STEPS), side="left") + 1
    return [slice(first, last) for first, last in pairwise(np.unique([0, *np.minimum(ends, len(steps))]).tolist())]


def _stepped(steps: Longs) -> tuple[Longs, Floats]:
    """The edge of each step, and at which shares of it the step begins and ends."""
    edge = np.repeat(np.arange(len(steps)), steps)
    number = np.arange(len(edge)) - np.repeat(np.cumsum(steps) - steps, steps)
    return edge, np.column_stack([number, number + 1]) / steps[edge, None]


def _summed(cells: Truths) -> Longs:
    table = np.zeros((cells.shape[0] + 1, cells.shape[1] + 1), dtype=np.int64)
    table[1:, 1:] = cells.cumsum(axis=0).cumsum(axis=1)
    return table


def _counted(table: Longs, first: Longs, last: Longs) -> Longs:
    """How many marked cells lie between two cells, both included."""
    left, low, right, high = first[:, 0], first[:, 1], last[:, 0] + 1, last[:, 1] + 1
    counted: Longs = table[right, high] - table[left, high] - table[right, low] + table[left, low]
    return counted
