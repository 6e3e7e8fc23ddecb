"""How entangled outlines are, counted before GEOS works on them: few vertices can be much work and fill any memory.

GEOS looks at every pair of edges whose boxes meet, and keeps every point where edges cross. Both are counted here by an
index, in blocks, and counting ends as soon as there are too many. Coordinates are of any kind.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import shapely

from layers.errors import TooLarge

Shapes: TypeAlias = npt.NDArray[Any]
Floats: TypeAlias = npt.NDArray[np.float64]
Longs: TypeAlias = npt.NDArray[np.int64]

FEW = 20_000
"""Vertices up to which the edges of one outline may lie as they like: all pairs of so few are a matter of seconds."""
MOST_MEETINGS = 64
"""Pairs of edges (or of rings) whose boxes meet, for each vertex of a larger outline. Coasts and the rims of rasters
have less than ten; a star whose rays are a thousand times longer than they are wide has a thousand."""
MAX_CROSSINGS = 100_000
"""Points where edges of different outlines meet, of which each costs GEOS about a kilobyte."""
_PAIRS = 2_000_000
"""Pairs that are held at a time."""
_RUN, _FIRST, _LONGEST = 16, 64, 65_536


def require_untangled(geometry: shapely.Geometry) -> None:
    """Refuse a large outline whose edges or rings lie beside each other by the thousand.

    Args:
        geometry: Polygon or multipolygon; it may cross itself.

    Raises:
        TooLarge: When more than `MOST_MEETINGS` pairs per vertex would have to be looked at.
    """
    vertices = int(shapely.get_num_coordinates(geometry))
    if vertices <= FEW:
        return
    most = MOST_MEETINGS * vertices
    rings = shapely.get_rings(shapely.get_parts(geometry))
    around = np.asarray(shapely.box(*shapely.bounds(rings).T))
    for boxes in (_edges(rings)[0], around):
        met = 0
        for one, _ in _meetings(boxes):
            met += len(one)
            if met > most:
                raise TooLarge(
                    f"The edges of the zone's {vertices:,} vertices lie too close to each other to be looked at: more "
                    f"than {MOST_MEETINGS} pairs for each vertex. Smooth it or ask about its parts.",
                    limit=most,
                )


def require_mergeable(shapes: Sequence[shapely.Geometry]) -> None:
    """Refuse areas whose outlines cross each other so often that laying them over each other would fill the memory.

    Args:
        shapes: Polygons and multipolygons that will be merged or cut with each other. Borders that they share, edge by
            edge, are no crossings.

    Raises:
        TooLarge: When there are more than `MAX_CROSSINGS`, or too many pairs to be looked at.
    """
    if len(shapes) <= 1:
        return
    parts, owner = shapely.get_parts(np.array(shapes, dtype=np.object_), return_index=True)
    rings, part = shapely.get_rings(parts, return_index=True)
    edges, ring = _edges(rings)
    ends, whose = shapely.get_coordinates(edges).reshape(-1, 4), owner[part[ring]]
    met, crossed, most = 0, 0, MOST_MEETINGS * max(len(edges), FEW)
    for one, other in _meetings(edges):
        met += len(one)
        apart = whose[one] != whose[other]
        crossed += int(np.count_nonzero(_cross(ends[one[apart]], ends[other[apart]])))
        if crossed > MAX_CROSSINGS or met > most:
            raise TooLarge(
                "The outlines of the zone's parts cross too often to be merged; merge or simplify them first.",
                limit=MAX_CROSSINGS,
            )


def _edges(rings: Shapes) -> tuple[Shapes, Longs]:
    """The edges of rings as lines, and the number of the ring of each."""
    points, owner = shapely.get_coordinates(rings, return_index=True)
    same = owner[:-1] == owner[1:]
    return shapely.linestrings(np.stack([points[:-1], points[1:]], axis=1)[same]), owner[:-1][same]


def _meetings(shapes: Shapes) -> Iterator[tuple[Longs, Longs]]:
    """Pairs of different shapes whose boxes meet, each once, in blocks that the memory holds."""
    tree = shapely.STRtree(shapes)
    # Runs of neighbours, which the index finds quickly, in no order that a sender could know: so the next block is
    # about as rich in pairs as those before it.
    runs = np.random.default_rng().permutation(-(-len(shapes) // _RUN))
    order = (runs[:, None] * _RUN + np.arange(_RUN)).ravel()
    order = order[order < len(shapes)]
    start, step = 0, _FIRST
    while start < len(order):
        block = order[start : start + step]
        one, other = tree.query(shapes[block])
        later = block[one] < other
        yield block[one][later], other[later]
        start += step
        each = max(1.0, len(one) / len(block))
        step = int(np.clip(_PAIRS / each, _RUN, min(4 * step, _LONGEST)))


def _cross(one: Floats, other: Floats) -> npt.NDArray[np.bool_]:
    """Which pairs of edges (rows of x, y, x, y) meet at a point that is not an end of both."""
    (a, b), (c, d) = ((edge[:, :2], edge[:, 2:]) for edge in (one, other))
    left, right = _side(c, d, a), _side(c, d, b)
    below, above = _side(a, b, c), _side(a, b, d)
    proper = (left * right < 0) & (below * above < 0)
    touches = [
        (side == 0) & _within(point, begin, end)
        for side, point, begin, end in ((left, a, c, d), (right, b, c, d), (below, c, a, b), (above, d, a, b))
    ]
    found: npt.NDArray[np.bool_] = proper | np.logical_or.reduce(touches)
    return found


def _side(begin: Floats, end: Floats, point: Floats) -> Floats:
    """On which side of a line points lie: the sign of the cross product; 0 is on the line."""
    along, to = end - begin, point - begin
    turned: Floats = np.sign(along[:, 0] * to[:, 1] - along[:, 1] * to[:, 0])
    return turned


def _within(point: Floats, begin: Floats, end: Floats) -> npt.NDArray[np.bool_]:
    """Whether points on the line of an edge lie on the edge, without its ends."""
    low, high = np.minimum(begin, end), np.maximum(begin, end)
    inside = ((point >= low) & (point <= high)).all(axis=1)
    at_end = (point == begin).all(axis=1) | (point == end).all(axis=1)
    found: npt.NDArray[np.bool_] = inside & ~at_end
    return found
