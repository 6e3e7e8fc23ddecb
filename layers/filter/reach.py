"""Where a filter looks: boxes outside which no feature meets it, so that others need not be asked at all."""

from __future__ import annotations

from typing import TypeAlias

import shapely

from layers.filter import words
from layers.filter.tree import Node, Operation, Property, Shape

Box: TypeAlias = tuple[float, float, float, float]


def reach_of(tree: Node) -> tuple[Box, ...] | None:
    """Boxes of which every feature that meets a checked filter has a point in one.

    Args:
        tree: The condition.

    Returns:
        West, south, east, north in degrees, borders included; None when features anywhere may meet it.
    """
    if not isinstance(tree, Operation):
        return None
    if tree.op == words.AND:
        known = [found for found in map(reach_of, tree.args) if found is not None]
        return min(known, key=_size, default=None)
    if tree.op == words.OR:
        return _all_of(tree.args)
    # All relations but this one share a point.
    if tree.op not in words.SPATIAL or tree.op == "s_disjoint":
        return None
    return _around(tree.args)


def _all_of(conditions: tuple[Node, ...]) -> tuple[Box, ...] | None:
    found: tuple[Box, ...] = ()
    for condition in conditions:
        reach = reach_of(condition)
        if reach is None:
            return None
        found += reach
    return found


def _around(sides: tuple[Node, ...]) -> tuple[Box, ...] | None:
    """The box of the shape that the feature's own geometry is compared with; None when other things are compared."""
    shapes = [side for side in sides if isinstance(side, Shape)]
    if len(shapes) != 1 or not any(isinstance(side, Property) for side in sides):
        return None
    west, south, east, north = shapely.from_wkb(shapes[0].wkb).bounds
    return ((west, south, east, north),)


def _size(boxes: tuple[Box, ...]) -> float:
    return sum((east - west) * (north - south) for west, south, east, north in boxes)
