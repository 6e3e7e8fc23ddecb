"""How large a filter is once it is written out as SQL.

SQL has no names for what was calculated before: `greatest(a, b)` writes `a` and `b` three times each, so that a few
functions inside one another would fill the memory. The size is reckoned from the tree, before anything is written.
"""

from __future__ import annotations

from layers.errors import BadFilter
from layers.filter import words
from layers.filter.tree import Items, Node, Operation, Value, parts

MOST_WRITTEN = 12_000
"""Operators, names and values of the SQL of one filter: enough for the largest filter of spatial conditions."""
COPIES: dict[str, tuple[int, ...]] = {
    **dict.fromkeys(words.SPATIAL, (3, 3)),
    **dict.fromkeys(words.TEMPORAL, (3, 3)),
    "a_equals": (2, 2),
    "^": (6, 6),
    "sqrt": (2,),
    "greatest": (3, 3),
    "least": (3, 3),
    "within_distance": (2, 12, 9),
}
"""How often `layers.filter.predicate` writes each operand, at most; operators that are not named write each once."""


def require_size(tree: Node) -> None:
    """Make sure that a checked filter can be written out.

    Raises:
        BadFilter: When its SQL would be too large.
    """
    if written_out(tree) > MOST_WRITTEN:
        raise BadFilter(
            f"The filter calculates too much: written out it has more than {MOST_WRITTEN} operators, names and values, "
            "because what stands inside powers, roots, comparisons of places and lists of calculated values is needed "
            "several times."
        )


def written_out(node: Node) -> int:
    """Operators, names and values of the SQL of a node, rather too many than too few."""
    sizes = [written_out(part) for part in parts(node)]
    return 1 + sum(size * times for size, times in zip(sizes, _copies(node, len(sizes)), strict=True))


def _copies(node: Node, number: int) -> tuple[int, ...]:
    if not isinstance(node, Operation):
        return (1,) * number
    if node.op == words.IN and isinstance(node.args[1], Items):
        items = node.args[1].items
        # What is compared with calculated values is written for each of them.
        return (1 if all(isinstance(item, Value) for item in items) else len(items), 1)
    return COPIES.get(node.op, (1,) * number)
