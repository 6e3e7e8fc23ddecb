"""Cutting a layer into parts: boxes of at most so many features that lie near each other."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

Boxes = npt.NDArray[np.float64]
Rows = npt.NDArray[np.int64]
MOST = 20_000
"""Features of a part: a few seconds of work and some hundred megabytes at most."""


def parts_of(boxes: Boxes, most: int = MOST) -> Iterator[Rows]:
    """Cut features into parts by halving along the longer side, at the median of their middles.

    Args:
        boxes: West, south, east, north of each feature, of shape (n, 4).
        most: Features of a part.

    Yields:
        Numbers of the features of a part, in ascending order.
    """
    middles = (boxes[:, :2] + boxes[:, 2:]) / 2
    waiting = [np.arange(len(boxes))] if len(boxes) else []
    while waiting:
        rows = waiting.pop()
        if len(rows) <= most:
            yield np.sort(rows)
            continue
        axis = int(np.argmax(np.ptp(middles[rows], axis=0)))
        order = rows[np.argsort(middles[rows, axis], kind="stable")]
        waiting += [order[: len(order) // 2], order[len(order) // 2 :]]


def window_of(boxes: Boxes, rows: Rows) -> tuple[float, float, float, float]:
    """West, south, east, north of some features together."""
    some = boxes[rows]
    west, south = some[:, :2].min(axis=0)
    east, north = some[:, 2:].max(axis=0)
    return float(west), float(south), float(east), float(north)
