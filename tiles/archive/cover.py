"""Which tiles of WebMercatorQuad things can be seen in, so that empty ones need not be drawn.

Reckoning is in shares of the world: x from the west, y from the north, both from 0 to 1.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import shapely

from layers.ladder import LIMIT, WORLD
from tiles.archive.subject import Address, Box, Shapes
from tiles.ladder.generalise import mercator
from tiles.target import TILE_EXTENT

Numbers = npt.NDArray[np.float64]
Tiles = npt.NDArray[np.int64]
"""Columns and rows of one zoom level, of shape (n, 2)."""
MARGIN = 192 / TILE_EXTENT
"""Share of a tile by which things may be seen beyond where they are: the buffer of 64, and as much again twice for what
a ladder does to them (simplified by about 8, cells of a mosaic by 64)."""
MANY = 16
"""Tiles of the highest zoom beyond which a thing is told by its outline: a slanting line fills little of its box."""


def world_boxes(boxes: Numbers) -> Numbers:
    """Boxes in degrees (west, south, east, north) as shares of the world: west, north, east, south.

    Spherical Mercator (EPSG method 1024): y = (1 - asinh(tan(lat)) / pi) / 2.
    """
    x = (boxes[:, [0, 2]] + 180.0) / 360.0
    latitude = np.radians(np.clip(boxes[:, [3, 1]], -LIMIT, LIMIT))
    y = (1.0 - np.arcsinh(np.tan(latitude)) / np.pi) / 2.0
    return np.column_stack([x[:, 0], y[:, 0], x[:, 1], y[:, 1]])


def world_geometry(geometries: npt.NDArray[np.object_]) -> npt.NDArray[np.object_]:
    """Geometries in degrees as shares of the world, cut where Web Mercator ends."""

    def shares(xy: Numbers) -> Numbers:
        return np.column_stack([xy[:, 0] / WORLD + 0.5, 0.5 - xy[:, 1] / WORLD])

    found: npt.NDArray[np.object_] = np.asarray(shapely.transform(mercator(geometries), shares), dtype=object)
    return found


def window(address: Address) -> Box:
    """West, south, east, north (degrees) of a tile with its margin, within the world."""
    z, x, y = address
    count = 2.0**z
    west, east = (360.0 * (v / count) - 180.0 for v in (x - MARGIN, x + 1 + MARGIN))
    north, south = (
        float(np.degrees(np.arctan(np.sinh(np.pi * (1 - 2 * v / count))))) for v in (y - MARGIN, y + 1 + MARGIN)
    )
    return max(west, -180.0), max(south, -90.0), min(east, 180.0), min(north, 90.0)


def children(tiles: Tiles) -> Tiles:
    """The four tiles of the next zoom level in each tile."""
    corners = np.array([[0, 0], [1, 0], [0, 1], [1, 1]])
    found: Tiles = (tiles[:, None, :] * 2 + corners).reshape(-1, 2)
    return found


def meeting(geometry: shapely.Geometry, z: int, tiles: Tiles, margin: float) -> Tiles:
    """Those tiles, grown by a share of their side, that a geometry (shares of the world) meets."""
    low, high = (tiles - margin) / 2.0**z, (tiles + 1 + margin) / 2.0**z
    boxes = shapely.box(low[:, 0], low[:, 1], high[:, 0], high[:, 1])
    return tiles[shapely.intersects(geometry, boxes)]


def tiles_below(root: Address, shapes: Shapes, high: int) -> dict[int, Tiles]:
    """The tiles in which something may be seen, of a root tile and all below it, by zoom level.

    Args:
        root: The root tile.
        shapes: What lies in its `window`.
        high: Highest zoom level.
    """
    spans = world_boxes(shapes.boxes)
    outlined = np.array([one is not None for one in shapes.outlines], dtype=bool)
    found = {z: [_boxed(root, spans[~outlined], z)] for z in range(root[0], high + 1)}
    for outline in world_geometry(shapes.outlines[outlined]):
        shapely.prepare(outline)
        tiles = np.array([root[1:]], dtype=np.int64)
        for z in range(root[0], high + 1):
            tiles = meeting(outline, z, tiles, MARGIN)
            found[z].append(tiles)
            tiles = children(tiles)
    return {z: np.unique(np.concatenate(some), axis=0) for z, some in found.items()}


def _boxed(root: Address, spans: Numbers, z: int) -> Tiles:
    """Tiles of one zoom level below a root that boxes (shares of the world) with their margin meet."""
    deeper = z - root[0]
    first = np.array(root[1:], dtype=np.int64) << deeper
    last = first + (1 << deeper) - 1
    low = np.floor(spans[:, :2] * 2.0**z - MARGIN).astype(np.int64)
    high = np.floor(spans[:, 2:] * 2.0**z + MARGIN).astype(np.int64)
    low, high = np.maximum(low, first), np.minimum(high, last)
    inside = (low <= high).all(axis=1)
    low, sides = low[inside], (high - low + 1)[inside]
    counts = sides.prod(axis=1)
    which = np.repeat(np.arange(len(low)), counts)
    number = np.arange(len(which)) - np.repeat(np.cumsum(counts) - counts, counts)
    columns = sides[which, 0]
    return np.unique(low[which] + np.column_stack([number % columns, number // columns]), axis=0)
