"""Cutting a layer into parts: boxes of at most so many features that lie near each other."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

Boxes = npt.NDArray[np.float64]
Rows = npt.NDArray[np.int64]
MOST = 20_000
"""Features of a part: a few seconds of work and some hundred megabytes at most."""
_SPARSE, _MARGIN = 16.0, 1e-3
"""How many times larger a window may be; degrees (about 100 m) by which a feature counts as larger than it is."""


def parts_of(boxes: Boxes, most: int = MOST, *, scattered: bool = False) -> Iterator[Rows]:
    """Cut features into parts by halving along the longer side, at the median of their middles.

    Args:
        boxes: West, south, east, north of each feature (degrees), of shape (n, 4).
        most: Features of a part.
        scattered: Also cut parts whose window is mostly empty: what lies in a window is read, whether it is asked for
            or not, and edits in two corners of a country must not read all that lies between.

    Yields:
        Numbers of the features of a part, in ascending order.
    """
    middles = (boxes[:, :2] + boxes[:, 2:]) / 2
    waiting = [np.arange(len(boxes))] if len(boxes) else []
    while waiting:
        rows = waiting.pop()
        if len(rows) <= most and not (scattered and _is_sparse(boxes, rows)):
            yield np.sort(rows)
            continue
        axis = int(np.argmax(np.ptp(middles[rows], axis=0)))
        order = rows[np.argsort(middles[rows, axis], kind="stable")]
        waiting += [order[: len(order) // 2], order[len(order) // 2 :]]


def _is_sparse(boxes: Boxes, rows: Rows) -> bool:
    """Whether the window of some features is many times larger than they are together."""
    if len(rows) == 1:
        return False
    west, south, east, north = window_of(boxes, rows)
    sizes = boxes[rows, 2:] - boxes[rows, :2] + _MARGIN
    return (east - west) * (north - south) > _SPARSE * float(sizes.prod(axis=1).sum())


def window_of(boxes: Boxes, rows: Rows) -> tuple[float, float, float, float]:
    """West, south, east, north of some features together."""
    some = boxes[rows]
    west, south = some[:, :2].min(axis=0)
    east, north = some[:, 2:].max(axis=0)
    return float(west), float(south), float(east), float(north)
