"""What one filter may be: its length, depth, number of parts and of vertices. Everything else follows from these."""

from __future__ import annotations

from collections.abc import Sequence

from layers.errors import BadFilter
from layers.filter.tree import Items, Node, Operation

MOST_TEXT = 131_072
"""Characters of a filter."""
MOST_DEPTH = 24
"""Operations and parentheses inside one another: each takes a dozen frames of the interpreter's stack as SQL."""
MOST_NODES = 5_000
"""Operations, names and values; a statement may bind 32,767 values."""
MOST_VERTICES = 10_000
"""Positions of all geometries together."""


class Budget:
    """What may still be read of one filter."""

    def __init__(self) -> None:
        """Begin with everything."""
        self._nodes, self._vertices = MOST_NODES, MOST_VERTICES

    def node(self, number: int = 1) -> None:
        """Count parts of the filter.

        Raises:
            BadFilter: When there are too many.
        """
        self._nodes -= number
        if self._nodes < 0:
            raise BadFilter(f"A filter has at most {MOST_NODES} operators, names and values; this one has more.")

    def vertices(self, number: int) -> None:
        """Count positions of geometries.

        Raises:
            BadFilter: When there are too many.
        """
        self._vertices -= number
        if self._vertices < 0:
            raise BadFilter(f"The geometries of a filter have at most {MOST_VERTICES} vertices; these have more.")

    def operation(self, op: str, args: Sequence[Node]) -> Operation:
        """An operation, counted.

        Raises:
            BadFilter: When there are too many, or too many inside one another.
        """
        self.node()
        depth = 1 + max((depth_of(arg) for arg in args), default=0)
        check_depth(depth)
        return Operation(op, tuple(args), depth=depth)


def depth_of(node: Node) -> int:
    """How many operations stand inside one another."""
    if isinstance(node, Operation):
        return node.depth
    if isinstance(node, Items):
        return max((depth_of(item) for item in node.items), default=0)
    return 0


def check_depth(depth: int) -> None:
    """Make sure that a depth is allowed.

    Raises:
        BadFilter: When it is not.
    """
    if depth > MOST_DEPTH:
        raise BadFilter(f"Operators and parentheses of a filter stand at most {MOST_DEPTH} deep in one another.")
