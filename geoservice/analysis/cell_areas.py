"""How large the cells of a raster are on the ellipsoid, in square metres.

What is said of a cell hangs on the raster alone and not on what else is asked for.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyproj
import shapely
from affine import Affine

from geoservice.analysis.scan import Floats, Longs
from layers.area import ellipsoidal_area

_STEP = 16
_PARTS = 4


@dataclass(frozen=True)
class Frame:
    """The grid of a raster.

    Attributes:
        grid: From column and row to coordinates; north is up.
        width: Columns.
        height: Rows.
        way: From the CRS of the raster to EPSG:4490; None where both are the same.
    """

    grid: Affine
    width: int
    height: int
    way: pyproj.Transformer | None


class CellAreas:
    """Areas of the cells of a raster in some of its rows and columns."""

    def __init__(self, frame: Frame, rows: tuple[int, int], columns: tuple[int, int]) -> None:
        """Measure what is needed: rows of a grid in degrees, every sixteenth cell of a projected one.

        Args:
            frame: The raster.
            rows: First row, and the one after the last.
            columns: First column, and the one after the last.
        """
        self._frame = frame
        if frame.way is None:
            self._top, self._left = rows[0], 0
            edge = frame.grid.f + np.arange(rows[0], rows[1] + 1) * frame.grid.e
            west = np.zeros(len(edge) - 1)
            self._measured = ellipsoidal_area(shapely.box(west, edge[1:], west + frame.grid.a, edge[:-1]))
            return
        # A projection stretches smoothly: the cells between those that are measured are interpolated.
        self._top, self._left = rows[0] // _STEP, columns[0] // _STEP
        down = _node(np.arange(self._top, rows[1] // _STEP + 2), frame.height)
        across = _node(np.arange(self._left, columns[1] // _STEP + 2), frame.width)
        row, column = (one.ravel() for one in np.meshgrid(down, across, indexing="ij"))
        self._measured = ellipsoidal_area(_outlines(frame, row, column)).reshape(len(down), len(across))

    def of(self, row: Longs, column: Longs) -> Floats:
        """Areas of cells; the arrays are broadcast against each other."""
        measured, frame = self._measured, self._frame
        if frame.way is None:
            return np.broadcast_to(measured[row - self._top], np.broadcast_shapes(row.shape, column.shape))
        down, across = row // _STEP, column // _STEP
        south, east = _between(row, down, frame.height), _between(column, across, frame.width)
        down, across = down - self._top, across - self._left
        upper = measured[down, across] * (1 - east) + measured[down, across + 1] * east
        lower = measured[down + 1, across] * (1 - east) + measured[down + 1, across + 1] * east
        return np.asarray(upper * (1 - south) + lower * south, dtype=np.float64)


def moved(shape: Any, way: pyproj.Transformer | None, *, inverse: bool) -> Any:
    """Geometries brought from one CRS to another, corner by corner."""
    direction = "INVERSE" if inverse else "FORWARD"

    def step(points: Floats) -> Floats:
        x, y = way.transform(points[:, 0], points[:, 1], direction=direction) if way else (points[:, 0], points[:, 1])
        return np.column_stack([x, y])

    return shapely.transform(shape, step)


def _outlines(frame: Frame, row: Longs, column: Longs) -> Any:
    """Outlines of cells in EPSG:4490; edges are densified, because they are curves there."""
    grid = frame.grid
    west, north = grid.c + column * grid.a, grid.f + row * grid.e
    boxes = shapely.box(west, north + grid.e, west + grid.a, north)
    return moved(shapely.segmentize(boxes, max(grid.a, -grid.e) / _PARTS), frame.way, inverse=False)


def _node(number: Longs, size: int) -> Longs:
    """Places of nodes: every sixteenth, none beyond the last cell."""
    return np.minimum(number * _STEP, size - 1)


def _between(place: Longs, number: Longs, size: int) -> Floats:
    """How far a cell lies between two nodes, 0 to 1."""
    before, after = _node(number, size), _node(number + 1, size)
    return np.asarray((place - before) / np.maximum(after - before, 1), dtype=np.float64)
