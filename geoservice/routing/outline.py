"""Areas around reached roads: everything within a width of them, and nothing that no road leads to.

Few lines are widened exactly. For many, cells of a grid are marked by their distance from the lines, which takes a time
that depends on the extent and not on the number of lines; the rim is then true to a cell.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import shapely
from rasterio.features import shapes
from rasterio.transform import Affine
from scipy import ndimage

from geoservice.routing.lines import Shapes
from geoservice.routing.noding import METRES_PER_DEGREE
from geoservice.routing.roads import Floats

MANY = 800
"""From so many lines on, the grid is quicker."""
_CELLS = 600
"""Most cells along a side of the grid."""
_FINE = 3.0
"""Cells in the width, where the extent allows it."""
_SIMPLER = 0.1
"""Exact outlines are simplified by this part of the width."""
_CORNER = 4
_SPACING = 0.5
"""Distance of the points on a line that mark cells, in cells."""


@dataclass(frozen=True)
class Outline:
    """An area as a valid multipolygon (lon, lat), how far it reaches from the roads (m), and how it was drawn."""

    area: shapely.MultiPolygon
    width: float
    method: Literal["buffer", "grid"]


def outline_of(lines: Shapes, width: float) -> Outline:
    """The area within `width` metres of some lines (lon, lat); empty without lines.

    Widths are true at the middle latitude of the lines. Over large extents the width is at least that of a cell and a
    half; the answer says which it is.
    """
    if not len(lines):
        return Outline(shapely.MultiPolygon(), width, "buffer")
    west, south, _, north = shapely.total_bounds(lines)
    narrow = max(float(np.cos(np.radians((south + north) / 2.0))), 1e-6)
    scale = np.array([METRES_PER_DEGREE * narrow, METRES_PER_DEGREE])
    origin = np.array([west, south])
    plane = shapely.transform(lines, lambda xy: (xy - origin) * scale)
    exact = len(lines) < MANY
    drawn, used = (_widened(plane, width), width) if exact else _marked(plane, width)
    area = shapely.make_valid(shapely.transform(drawn, lambda xy: np.round(xy / scale + origin, 7)))
    surfaces = [p for p in shapely.get_parts(area).tolist() if isinstance(p, shapely.Polygon)]
    return Outline(shapely.MultiPolygon(surfaces), used, "buffer" if exact else "grid")


def _widened(plane: Shapes, width: float) -> shapely.Geometry:
    thin = shapely.simplify(plane, width * _SIMPLER)
    whole = shapely.union_all(shapely.buffer(thin, width, quad_segs=_CORNER))
    return shapely.simplify(whole, width * _SIMPLER)


def _marked(plane: Shapes, width: float) -> tuple[shapely.Geometry, float]:
    """The outline by a grid, and the width that it shows."""
    east, north = shapely.total_bounds(plane)[2:]
    cell = max(width / _FINE, max(east, north) / _CELLS)
    width = max(width, 1.5 * cell)
    rim = int(np.ceil(width / cell)) + 1
    columns, rows = (int(side / cell) + 1 + 2 * rim for side in (east, north))
    away = np.ones((rows, columns), dtype=np.bool_)
    x, y = _points(plane, cell * _SPACING).T
    away[(y / cell).astype(np.int64) + rim, (x / cell).astype(np.int64) + rim] = False
    near: npt.NDArray[np.uint8] = (ndimage.distance_transform_edt(away) <= width / cell).astype(np.uint8)
    frame = Affine(cell, 0.0, -rim * cell, 0.0, cell, -rim * cell)
    rings = [polygon["coordinates"] for polygon, _ in shapes(near, mask=near == 1, transform=frame)]
    found = [shapely.Polygon(shell, holes) for shell, *holes in rings]
    # Rings are simplified one by one: keeping the topology of thousands of holes takes minutes.
    return shapely.simplify(shapely.MultiPolygon(found), cell, preserve_topology=False), width


def _points(plane: Shapes, spacing: float) -> Floats:
    """Points on lines, at most so far from one another along each line."""
    dense = shapely.segmentize(plane, spacing)
    xy: Floats = shapely.get_coordinates(dense)
    return xy
