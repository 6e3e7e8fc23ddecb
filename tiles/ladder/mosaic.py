"""Mosaics: what lies in the cells of a fixed grid, and what prevails there.

Surfaces are cut along the lines of the grid by halving, so that the cost grows with the logarithm of the cells that a
surface covers. Areas are whole square decimetres of EPSG:3857 before they are added, so that parts, refreshes and whole
builds come to the same sums.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import shapely

from layers.ladder import CELLS, WORLD

Geometries = npt.NDArray[np.object_]
Numbers = npt.NDArray[np.float64]
Places = npt.NDArray[np.int64]
PER_SQUARE_METRE = 100
"""Square decimetres."""
_FULL = 1e-9
"""Relative difference below which a piece counts as its whole box."""


def cell_size(below: int) -> float:
    """Metres of EPSG:3857 of a cell's side at the highest zoom of a mosaic."""
    return float(WORLD / CELLS / 2 ** (below - 1))


def cells_of(bounds: Numbers, size: float) -> Places:
    """First column, first row, last column, last row of the cells that boxes (EPSG:3857) reach into; rows go down.

    A border on a line of the grid belongs to the cell east and south of it.
    """
    last = round(WORLD / size) - 1
    half = WORLD / 2
    west, north = (bounds[:, 0] + half) / size, (half - bounds[:, 3]) / size
    east, south = (bounds[:, 2] + half) / size, (half - bounds[:, 1]) / size
    found = np.column_stack([np.floor(west), np.floor(north), np.ceil(east) - 1, np.ceil(south) - 1]).astype(np.int64)
    found[:, 2:] = np.maximum(found[:, 2:], found[:, :2])
    return np.clip(found, 0, last)


def shares(geometries: Geometries, size: float) -> tuple[Places, Places, Places, Places]:
    """How much of each surface lies in each cell.

    Args:
        geometries: Surfaces in EPSG:3857; others have no share.
        size: Side of a cell in metres.

    Returns:
        Number of the geometry, column, row and area (square decimetres) of each share; shares of nothing are left out.
    """
    solid = np.flatnonzero(shapely.area(geometries) > 0).astype(np.int64)
    found = list(_pieces(solid, geometries[solid], size))
    if not found:
        return tuple(np.zeros((4, 0), dtype=np.int64))  # type: ignore[return-value]
    owner, column, row, area = (np.concatenate(parts) for parts in zip(*found, strict=True))
    whole = np.rint(area * PER_SQUARE_METRE).astype(np.int64)
    kept = whole > 0
    return owner[kept], column[kept], row[kept], whole[kept]


def _pieces(owner: Places, pieces: Geometries, size: float) -> Iterator[tuple[Places, Places, Places, Numbers]]:
    boxes = cells_of(shapely.bounds(pieces), size) if len(pieces) else np.zeros((0, 4), dtype=np.int64)
    while len(pieces):
        area = shapely.area(pieces)
        wide, high = boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1]
        single = (wide == 0) & (high == 0)
        yield owner[single], boxes[single, 0], boxes[single, 1], area[single]
        full = ~single & (area >= (wide + 1) * (high + 1) * size * size * (1 - _FULL))
        yield from _filled(owner[full], boxes[full], size)
        left = ~single & ~full & (area > 0)
        owner, pieces, boxes = _halved(owner[left], pieces[left], boxes[left], size)


def _filled(owner: Places, boxes: Places, size: float) -> Iterator[tuple[Places, Places, Places, Numbers]]:
    """All cells of boxes that are wholly covered."""
    for number, (west, north, east, south) in zip(owner, boxes, strict=True):
        columns, rows = np.meshgrid(np.arange(west, east + 1), np.arange(north, south + 1))
        count = columns.size
        yield np.full(count, number), columns.ravel(), rows.ravel(), np.full(count, size * size)


def _halved(owner: Places, pieces: Geometries, boxes: Places, size: float) -> tuple[Places, Geometries, Places]:
    """Both halves of each piece, cut along the line of the grid in the middle of its longer side."""
    across = (boxes[:, 2] - boxes[:, 0]) >= (boxes[:, 3] - boxes[:, 1])
    one, other = boxes.copy(), boxes.copy()
    middle = np.where(across, (boxes[:, 0] + boxes[:, 2]) // 2, (boxes[:, 1] + boxes[:, 3]) // 2)
    one[across, 2], one[~across, 3] = middle[across], middle[~across]
    other[across, 0], other[~across, 1] = middle[across] + 1, middle[~across] + 1
    both = np.concatenate([one, other])
    cut = shapely.intersection(np.concatenate([pieces, pieces]), rectangles(both, size))
    return np.concatenate([owner, owner]), np.asarray(cut, dtype=object), both


def rectangles(boxes: Places, size: float) -> Geometries:
    """Boxes of cells (first column, first row, last column, last row) as rectangles in EPSG:3857."""
    half = WORLD / 2
    west, east = boxes[:, 0] * size - half, (boxes[:, 2] + 1) * size - half
    north, south = half - boxes[:, 1] * size, half - (boxes[:, 3] + 1) * size
    return np.asarray(shapely.box(west, south, east, north), dtype=object)
