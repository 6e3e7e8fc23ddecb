"""The lattice of cells under the sample region: positions, sampling, nearest cells, outlines of sets of cells."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import rasterio.features
import shapely
from rasterio.transform import Affine
from shapely.geometry.base import BaseGeometry

from ingest.sample.chance import BoolArray, FloatArray, IntArray

METRES_PER_DEGREE = 111319.49079327358
"""One degree of the equator of CGCS2000, 2 pi a / 360."""
MIDDLE_LATITUDE = 38.6
METRES_X = METRES_PER_DEGREE * float(np.cos(np.radians(MIDDLE_LATITUDE)))
"""Metres per degree of longitude in the middle of the region: a local flat measure for distances, never for areas."""
METRES_Y = 110_990.0
"""Metres per degree of latitude at 38.6 N."""


@dataclass(frozen=True)
class Grid:
    """Square cells in degrees, rows from the north.

    Attributes:
        west, north: Outer corner, degrees.
        cell: Side of a cell, degrees.
        rows, columns: Size.
    """

    west: float
    north: float
    cell: float
    rows: int
    columns: int

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.rows, self.columns

    @property
    def transform(self) -> Affine:
        """Affine transform from (column, row) to (lon, lat)."""
        return Affine(self.cell, 0.0, self.west, 0.0, -self.cell, self.north)

    @property
    def cell_area(self) -> float:
        """Area of a cell in m2, taken as flat in the middle of the region."""
        return self.cell * METRES_X * self.cell * METRES_Y

    def coarser(self, factor: int) -> Grid:
        """The same extent with cells `factor` times as large; rows and columns must be divisible."""
        return Grid(self.west, self.north, self.cell * factor, self.rows // factor, self.columns // factor)

    def finer(self, factor: int) -> Grid:
        """The same extent with cells `factor` times as small."""
        return Grid(self.west, self.north, self.cell / factor, self.rows * factor, self.columns * factor)

    def centres(self) -> tuple[FloatArray, FloatArray]:
        """Longitudes and latitudes of all cell centres, each of the grid's shape."""
        lon = self.west + (np.arange(self.columns) + 0.5) * self.cell
        lat = self.north - (np.arange(self.rows) + 0.5) * self.cell
        x, y = np.meshgrid(lon, lat)
        return x, y

    def positions(self, row: npt.ArrayLike, column: npt.ArrayLike) -> FloatArray:
        """Centres (lon, lat) of cells as an array of shape (n, 2)."""
        lon = self.west + (np.asarray(column) + 0.5) * self.cell
        lat = self.north - (np.asarray(row) + 0.5) * self.cell
        return np.column_stack([lon, lat])

    def cells(self, points: FloatArray) -> tuple[IntArray, IntArray]:
        """Rows and columns of the cells that hold points (n, 2); outside points go to the nearest border cell."""
        column = np.floor((points[:, 0] - self.west) / self.cell).astype(np.int64)
        row = np.floor((self.north - points[:, 1]) / self.cell).astype(np.int64)
        return np.clip(row, 0, self.rows - 1), np.clip(column, 0, self.columns - 1)

    def nearest(self, values: npt.NDArray[np.generic], points: FloatArray) -> npt.NDArray[np.generic]:
        """Value of the cell that holds each point."""
        return np.asarray(values[self.cells(points)])

    def bilinear(self, values: FloatArray, points: FloatArray) -> FloatArray:
        """Values between cell centres, interpolated along both axes."""
        x = np.clip((points[:, 0] - self.west) / self.cell - 0.5, 0, self.columns - 1.000001)
        y = np.clip((self.north - points[:, 1]) / self.cell - 0.5, 0, self.rows - 1.000001)
        column, row = x.astype(np.int64), y.astype(np.int64)
        tx, ty = x - column, y - row
        upper = values[row, column] * (1 - tx) + values[row, column + 1] * tx
        lower = values[row + 1, column] * (1 - tx) + values[row + 1, column + 1] * tx
        return np.asarray(upper * (1 - ty) + lower * ty)

    def mask(self, shapes: Sequence[BaseGeometry]) -> BoolArray:
        """Cells whose centre lies in one of the polygons."""
        if len(shapes) == 0:
            return np.zeros(self.shape, dtype=bool)
        burned = rasterio.features.rasterize(shapes, out_shape=self.shape, transform=self.transform, dtype="uint8")
        return np.asarray(burned, dtype=bool)

    def polygons(self, mask: BoolArray) -> list[shapely.Polygon]:
        """Outlines of the 4-connected sets of true cells, along the cell borders."""
        found = rasterio.features.shapes(mask.astype("uint8"), mask=mask, transform=self.transform)
        return [shapely.Polygon(shape["coordinates"][0], shape["coordinates"][1:]) for shape, _ in found]


def metres(points: FloatArray) -> FloatArray:
    """Degrees (n, 2) to flat local metres, for distances and angles."""
    return np.asarray(points * np.array([METRES_X, METRES_Y]))


def degrees(points: FloatArray) -> FloatArray:
    """Flat local metres (n, 2) to degrees: the inverse of `metres`."""
    return np.asarray(points / np.array([METRES_X, METRES_Y]))


def nearest_true(grid: Grid, mask: BoolArray, reach: float = np.inf) -> tuple[IntArray, FloatArray]:
    """For each cell the flat index of the nearest true cell and the distance to it in metres, exactly.

    First along the columns, then across them in growing steps until no farther column can be nearer.

    Args:
        grid: The cells.
        mask: True cells.
        reach: Distances above this need not be told from one another; makes sparse masks quick.

    Returns:
        Index and distance, both of the grid's shape; -1 and infinity where no true cell is within reach.
    """
    wide, high = grid.cell * METRES_X, grid.cell * METRES_Y
    row, away = _along_columns(mask)
    vertical = (away * high) ** 2
    best = vertical.copy()
    column = np.broadcast_to(np.arange(grid.columns), grid.shape).copy()
    for step in range(1, grid.columns):
        offset = (step * wide) ** 2
        if step * wide > reach or offset >= best.max():
            break
        for to, source in ((np.s_[:, :-step], np.s_[:, step:]), (np.s_[:, step:], np.s_[:, :-step])):
            candidate = vertical[source] + offset
            nearer = candidate < best[to]
            np.copyto(best[to], candidate, where=nearer)
            np.copyto(column[to], np.broadcast_to(np.arange(grid.columns), grid.shape)[source], where=nearer)
    index = row[np.arange(grid.rows)[:, None], column] * grid.columns + column
    return np.where(np.isfinite(best), index, -1), np.sqrt(best)


def _along_columns(mask: BoolArray) -> tuple[IntArray, FloatArray]:
    """Row of the nearest true cell of the same column, and how many rows away it is."""
    rows = mask.shape[0]
    number = np.broadcast_to(np.arange(rows)[:, None], mask.shape)
    above = np.maximum.accumulate(np.where(mask, number, -1), axis=0)
    below = np.minimum.accumulate(np.where(mask, number, rows)[::-1], axis=0)[::-1]
    up = np.where(above >= 0, number - above, np.inf)
    down = np.where(below < rows, below - number, np.inf)
    return np.where(up <= down, above, below) % rows, np.minimum(up, down)


def flood(allowed: BoolArray, starts: list[tuple[int, int]]) -> BoolArray:
    """Cells that can be reached from the starts over allowed cells, through sides (4-connected)."""
    reached = np.zeros(allowed.shape, dtype=bool)
    queue = [s for s in starts if allowed[s]]
    for start in queue:
        reached[start] = True
    rows, columns = allowed.shape
    while queue:
        row, column = queue.pop()
        for r, c in ((row - 1, column), (row + 1, column), (row, column - 1), (row, column + 1)):
            if 0 <= r < rows and 0 <= c < columns and allowed[r, c] and not reached[r, c]:
                reached[r, c] = True
                queue.append((r, c))
    return reached


def blur(values: FloatArray, radius: int, passes: int = 2) -> FloatArray:
    """Moving average over a square of 2 x radius + 1 cells, repeated, with the border cells continued outwards."""
    out = np.asarray(values, dtype=np.float64)
    width = 2 * radius + 1
    for _ in range(passes):
        for axis in (0, 1):
            pad = [(radius + 1, radius) if a == axis else (0, 0) for a in (0, 1)]
            total = np.cumsum(np.pad(out, pad, mode="edge"), axis=axis)
            upper = np.take(total, np.arange(width, total.shape[axis]), axis=axis)
            lower = np.take(total, np.arange(0, total.shape[axis] - width), axis=axis)
            out = (upper - lower) / width
    return out
