"""Lines of equal height in a grid, by marching squares."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import shapely

Numbers = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]
_SIDES = 4
_TOP, _RIGHT, _BOTTOM, _LEFT = range(_SIDES)
_NONE = -1
# Which sides a line enters and leaves by, by the corners that are high: upper left 1, upper right 2, lower right 4,
# lower left 8. A square with two high corners across from one another has two lines; they are told apart below.
_LINES = np.array(
    [
        (_NONE, _NONE),
        (_LEFT, _TOP),
        (_TOP, _RIGHT),
        (_LEFT, _RIGHT),
        (_RIGHT, _BOTTOM),
        (_NONE, _NONE),
        (_TOP, _BOTTOM),
        (_LEFT, _BOTTOM),
        (_BOTTOM, _LEFT),
        (_BOTTOM, _TOP),
        (_NONE, _NONE),
        (_BOTTOM, _RIGHT),
        (_RIGHT, _LEFT),
        (_RIGHT, _TOP),
        (_TOP, _LEFT),
        (_NONE, _NONE),
    ]
)
_SADDLES = {
    # (corners that are high, whether the middle is high): the two lines.
    (5, True): ((_TOP, _RIGHT), (_BOTTOM, _LEFT)),
    (5, False): ((_LEFT, _TOP), (_RIGHT, _BOTTOM)),
    (10, True): ((_LEFT, _TOP), (_RIGHT, _BOTTOM)),
    (10, False): ((_TOP, _RIGHT), (_BOTTOM, _LEFT)),
}
_CORNERS = ((0, 0), (0, 1), (1, 1), (1, 0))
"""Row and column of the corners of a square, clockwise from the upper left."""


def contour(heights: Numbers, valid: Mask, level: float) -> npt.NDArray[Any]:
    """Lines along which a grid has a height.

    Between neighbouring places of the grid heights change evenly. A place that has exactly the height counts as above
    it. Squares with a corner whose height is unknown have no line.

    Args:
        heights: Heights of the places of the grid (row, column).
        valid: Which are known.
        level: The height of the lines.

    Returns:
        Lines (shapely), x = column and y = row of the grid; as long as they go on without a fork.
    """
    corners = np.stack([_corner(heights, *place) for place in _CORNERS])
    known = np.logical_and.reduce([_corner(valid, *place) for place in _CORNERS])
    case = sum((corners[place] >= level).astype(np.int8) << place for place in range(_SIDES))
    case = np.where(known, case, 0)
    row, column = np.nonzero((case > 0) & (case < 2**_SIDES - 1))
    if not row.size:
        return np.zeros(0, dtype=object)
    starts, ends = _ways(case[row, column], corners[:, row, column].mean(axis=0) >= level)
    heights_here = corners[:, row, column]
    segments = []
    for one, other in zip(starts, ends, strict=True):
        there = one != _NONE
        ends_of = [
            _crossing(heights_here[:, there], row[there], column[there], side[there], level) for side in (one, other)
        ]
        segments.append(np.stack(ends_of, axis=1))
    return _joined(np.concatenate(segments))


def _corner(grid: npt.NDArray[Any], down: int, right: int) -> npt.NDArray[Any]:
    rows, columns = grid.shape
    return grid[down : rows - 1 + down, right : columns - 1 + right]


def _ways(case: npt.NDArray[Any], high: Mask) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """Sides by which the first and the second line of each square enter and leave; no side where there is none."""
    starts = np.full((2, len(case)), _NONE)
    ends = np.full((2, len(case)), _NONE)
    starts[0], ends[0] = _LINES[case].T
    for (saddle, middle), lines in _SADDLES.items():
        here = (case == saddle) & (high == middle)
        for number, (start, end) in enumerate(lines):
            starts[number, here], ends[number, here] = start, end
    return starts, ends


def _crossing(
    corners: Numbers, row: npt.NDArray[Any], column: npt.NDArray[Any], side: npt.NDArray[Any], level: float
) -> Numbers:
    """Where the height is met along a side of each square, as x and y.

    The share is always counted from the upper or the left end, so that two squares find the same place on the side that
    they share, to the last bit.
    """
    first = np.choose(side, [0, 1, 3, 0])
    second = np.choose(side, [1, 2, 2, 3])
    squares = np.arange(len(side))
    low, high = corners[first, squares], corners[second, squares]
    share = (level - low) / (high - low)
    across = (side == _TOP) | (side == _BOTTOM)
    x = column + np.where(across, share, (side == _RIGHT).astype(np.float64))
    y = row + np.where(across, (side == _BOTTOM).astype(np.float64), share)
    return np.stack([x, y], axis=-1)


def _joined(segments: Numbers) -> npt.NDArray[Any]:
    """Pieces (line, end, x-y) joined where ends meet; pieces without length are left out."""
    long = segments[(segments[:, 0] != segments[:, 1]).any(axis=1)]
    if not len(long):
        return np.zeros(0, dtype=object)
    return np.asarray(shapely.get_parts(shapely.line_merge(shapely.multilinestrings(shapely.linestrings(long)))))
