"""Division of the square into any number of four-sided patches that share every vertex with their neighbours.

The square is cut in two, the parts again, until each part is one patch; cuts follow a density, so that patches are
small where it is high. Where a patch ends in the middle of a neighbour's side, the neighbour gets that vertex too.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import shapely

from ingest.sample.chance import BoolArray, FloatArray, IntArray, ShapeArray
from ingest.sample.outline import Outline

BISECTIONS = 12
SIDE_JITTER = 0.18
EDGE_JITTER = 0.28
CUT_JITTER = 0.12
LEAST_SHARE = 0.22
ATTEMPTS = 8
AT_ONCE = 50_000


@dataclass(frozen=True)
class Mesh:
    """Patches as rings of vertex numbers.

    Attributes:
        vertices: Positions (lon, lat), (m, 2).
        rings: Vertex numbers of all rings one after another, counter-clockwise, not closed.
        starts: Where each ring starts in `rings`; one more entry than patches.
        centres: Mean of each patch's vertices (lon, lat), (n, 2).
    """

    vertices: FloatArray
    rings: IntArray
    starts: IntArray
    centres: FloatArray

    def polygons(self, first: int, last: int) -> ShapeArray:
        """Polygons of the patches first..last-1."""
        return _polygons(self.vertices, self.rings, self.starts, np.arange(first, last))


class Density:
    """Weights over the square, to be summed over any rectangle.

    Args:
        weights: Positive weights, rows along v from -1, columns along u from -1.
    """

    def __init__(self, weights: FloatArray) -> None:
        """Prepare the running sums."""
        self._size = weights.shape[0]
        self._sums = np.pad(np.cumsum(np.cumsum(weights, axis=0), axis=1), ((1, 0), (1, 0)))

    def mass(self, box: FloatArray) -> FloatArray:
        """Sums over rectangles (n, 4): u0, u1, v0, v1."""
        return np.asarray(
            self._corner(box[:, 1], box[:, 3])
            - self._corner(box[:, 0], box[:, 3])
            - self._corner(box[:, 1], box[:, 2])
            + self._corner(box[:, 0], box[:, 2])
        )

    def _corner(self, u: FloatArray, v: FloatArray) -> FloatArray:
        x, y = (u + 1) / 2 * self._size, (v + 1) / 2 * self._size
        column = np.clip(x.astype(np.int64), 0, self._size - 1)
        row = np.clip(y.astype(np.int64), 0, self._size - 1)
        tx, ty = x - column, y - row
        s = self._sums
        upper = s[row, column] * (1 - tx) + s[row, column + 1] * tx
        lower = s[row + 1, column] * (1 - tx) + s[row + 1, column + 1] * tx
        return np.asarray(upper * (1 - ty) + lower * ty)


def build_mesh(outline: Outline, density: Density, count: int, chance: np.random.Generator) -> Mesh:
    """Divide the county into exactly `count` patches, in an order in which neighbours are mostly near."""
    boxes = _split(density, count, chance)
    corners, rings, starts = _rings(boxes, outline.rim_square)
    counts = np.diff(starts)
    limit = _jitter_limit(corners, rings, starts, np.minimum(boxes[:, 1] - boxes[:, 0], boxes[:, 3] - boxes[:, 2]))
    turn, reach = chance.random(len(corners)) * 2 * np.pi, np.sqrt(chance.random(len(corners))) * limit
    vertices = _placed(outline, corners, np.column_stack([np.cos(turn), np.sin(turn)]) * reach[:, None], rings, starts)
    sums = np.add.reduceat(vertices[rings], starts[:-1], axis=0)
    return Mesh(vertices, rings, starts, sums / counts[:, None])


def _placed(outline: Outline, corners: FloatArray, moves: FloatArray, rings: IntArray, starts: IntArray) -> FloatArray:
    """Positions of the moved corners; where a bend of the rim would fold a patch over, its corners move less."""
    suspects = np.arange(len(starts) - 1)
    for attempt in range(ATTEMPTS):
        vertices = outline.place(corners + moves)
        folded = _folded(vertices, rings, starts, suspects)
        if not len(folded):
            break
        touched = np.unique(np.concatenate([rings[starts[p] : starts[p + 1]] for p in folded]))
        moves[touched] *= 0.0 if attempt == ATTEMPTS - 2 else 0.5
        patches = np.repeat(np.arange(len(starts) - 1), np.diff(starts))
        suspects = np.unique(patches[np.isin(rings, touched)])
    return vertices


def _folded(vertices: FloatArray, rings: IntArray, starts: IntArray, suspects: IntArray) -> IntArray:
    """Those of some patches whose ring crosses itself."""
    found = []
    for first in range(0, len(suspects), AT_ONCE):
        some = suspects[first : first + AT_ONCE]
        found.append(some[~shapely.is_valid(_polygons(vertices, rings, starts, some))])
    return np.concatenate(found)


def _polygons(vertices: FloatArray, rings: IntArray, starts: IntArray, patches: IntArray) -> ShapeArray:
    """Polygons of some patches, in the order asked for."""
    counts = np.diff(starts)[patches]
    before = np.cumsum(counts) - counts
    place = np.arange(int(counts.sum())) - np.repeat(before, counts) + np.repeat(starts[:-1][patches], counts)
    ids = np.insert(rings[place], before + counts, rings[starts[:-1][patches]])
    number = np.repeat(np.arange(len(counts)), counts + 1)
    return np.asarray(shapely.polygons(shapely.linearrings(vertices[ids], indices=number)))


def _split(density: Density, count: int, chance: np.random.Generator) -> FloatArray:
    boxes = np.array([[-1.0, 1.0, -1.0, 1.0]])
    shares = np.array([count], dtype=np.int64)
    while np.any(shares > 1):
        many = shares > 1
        low, high, first = _halves(density, boxes[many], shares[many], chance)
        at = np.cumsum(np.where(many, 2, 1)) - np.where(many, 2, 1)
        size = int(np.sum(np.where(many, 2, 1)))
        next_boxes, next_shares = np.empty((size, 4)), np.empty(size, dtype=np.int64)
        next_boxes[at[~many]], next_shares[at[~many]] = boxes[~many], 1
        next_boxes[at[many]], next_shares[at[many]] = low, first
        next_boxes[at[many] + 1], next_shares[at[many] + 1] = high, shares[many] - first
        boxes, shares = next_boxes, next_shares
    return boxes


def _halves(
    density: Density, boxes: FloatArray, shares: IntArray, chance: np.random.Generator
) -> tuple[FloatArray, FloatArray, IntArray]:
    luck = chance.random((len(boxes), 3))
    width, height = boxes[:, 1] - boxes[:, 0], boxes[:, 3] - boxes[:, 2]
    across = width / height * np.exp(0.9 * (luck[:, 0] - 0.5)) > 1.0
    first = (shares + np.round(luck[:, 1]).astype(np.int64)) // 2
    start = np.where(across, boxes[:, 0], boxes[:, 2])
    length = np.where(across, width, height)
    cut = start + length * _share(density, boxes, across, first / shares, luck[:, 2])
    low, high = boxes.copy(), boxes.copy()
    low[across, 1], high[across, 0] = cut[across], cut[across]
    low[~across, 3], high[~across, 2] = cut[~across], cut[~across]
    return low, high, first


def _share(density: Density, boxes: FloatArray, across: BoolArray, wanted: FloatArray, luck: FloatArray) -> FloatArray:
    """Where along its longer side each box is cut, as a share of the side."""
    total = density.mass(boxes)
    below, above = np.zeros(len(boxes)), np.ones(len(boxes))
    part = boxes.copy()
    for _ in range(BISECTIONS):
        middle = (below + above) / 2
        part[across, 1] = (boxes[:, 0] + (boxes[:, 1] - boxes[:, 0]) * middle)[across]
        part[~across, 3] = (boxes[:, 2] + (boxes[:, 3] - boxes[:, 2]) * middle)[~across]
        less = density.mass(part) < wanted * total
        below, above = np.where(less, middle, below), np.where(less, above, middle)
    return np.clip((below + above) / 2 + CUT_JITTER * (luck - 0.5), LEAST_SHARE, 1 - LEAST_SHARE)


def _rings(boxes: FloatArray, rim: FloatArray) -> tuple[FloatArray, IntArray, IntArray]:
    """All distinct corners, and for each box the ring of corners that lie on its sides."""
    us, u_rank = np.unique(np.concatenate([boxes[:, 0], boxes[:, 1], rim[:, 0]]), return_inverse=True)
    vs, v_rank = np.unique(np.concatenate([boxes[:, 2], boxes[:, 3], rim[:, 1]]), return_inverse=True)
    n = len(boxes)
    u0, u1, v0, v1 = u_rank[:n], u_rank[n : 2 * n], v_rank[:n], v_rank[n : 2 * n]
    column_keys = np.unique(
        np.concatenate(
            [a * len(vs) + b for a in (u0, u1) for b in (v0, v1)] + [u_rank[2 * n :] * len(vs) + v_rank[2 * n :]]
        )
    )
    u_of, v_of = column_keys // len(vs), column_keys % len(vs)
    by_row = np.lexsort((u_of, v_of))
    row_keys = v_of[by_row] * len(us) + u_of[by_row]
    sides = (
        _side(row_keys, v0 * len(us) + u0, v0 * len(us) + u1, by_row, False),
        _side(column_keys, u1 * len(vs) + v0, u1 * len(vs) + v1, None, False),
        _side(row_keys, v1 * len(us) + u0, v1 * len(us) + u1, by_row, True),
        _side(column_keys, u0 * len(vs) + v0, u0 * len(vs) + v1, None, True),
    )
    rings, starts = _weave(sides, n)
    return np.column_stack([us[u_of], vs[v_of]]), rings, starts


def _side(
    keys: IntArray, first: IntArray, last: IntArray, ids: IntArray | None, backwards: bool
) -> tuple[IntArray, IntArray]:
    """Corners on one side of every box, without the side's end: (all corners, number per box)."""
    low, high = np.searchsorted(keys, first), np.searchsorted(keys, last)
    counts = high - low
    offset = np.arange(int(counts.sum())) - np.repeat(np.cumsum(counts) - counts, counts)
    at = np.repeat(high, counts) - offset if backwards else np.repeat(low, counts) + offset
    return (at if ids is None else ids[at]), counts


def _weave(sides: tuple[tuple[IntArray, IntArray], ...], boxes: int) -> tuple[IntArray, IntArray]:
    total = np.sum([counts for _, counts in sides], axis=0)
    starts = np.concatenate([[0], np.cumsum(total)])
    rings = np.empty(int(starts[-1]), dtype=np.int64)
    base = starts[:boxes].copy()
    for ids, counts in sides:
        offset = np.arange(len(ids)) - np.repeat(np.cumsum(counts) - counts, counts)
        rings[np.repeat(base, counts) + offset] = ids
        base += counts
    return rings, starts


def _jitter_limit(corners: FloatArray, rings: IntArray, starts: IntArray, sides: FloatArray) -> FloatArray:
    """How far each corner may move so that no patch is turned inside out; corners on the rim stay."""
    counts = np.diff(starts)
    limit = np.full(len(corners), np.inf)
    np.minimum.at(limit, rings, np.repeat(sides * SIDE_JITTER, counts))
    following = np.roll(rings, -1)
    following[starts[1:] - 1] = rings[starts[:-1]]
    edges = np.linalg.norm(corners[following] - corners[rings], axis=1) * EDGE_JITTER
    np.minimum.at(limit, rings, edges)
    np.minimum.at(limit, following, edges)
    limit[np.max(np.abs(corners), axis=1) >= 1.0] = 0.0
    return limit
