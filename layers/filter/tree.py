"""The tree of a filter: what CQL2 says, whichever encoding it was written in.

Nodes are immutable and compare by value. Operations carry the names that CQL2 gives them in JSON (`and`, `=`, `like`,
`s_intersects`, `t_finishedBy`, `casei` ...), or the name of a function.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeAlias

Scalar: TypeAlias = "str | bool | int | float | dt.date | dt.datetime"


class Kind(StrEnum):
    """What sort of value a node stands for; the word is used in sentences."""

    TEXT = "text"
    INTEGER = "integer"
    NUMBER = "number"
    BOOLEAN = "boolean"
    DATE = "date"
    DATETIME = "timestamp"
    INTERVAL = "interval"
    GEOMETRY = "geometry"
    ARRAY = "array"


NUMERIC = frozenset({Kind.INTEGER, Kind.NUMBER})
INSTANTS = frozenset({Kind.DATE, Kind.DATETIME})
SCALARS = frozenset({Kind.TEXT, Kind.BOOLEAN}) | NUMERIC | INSTANTS


@dataclass(frozen=True, slots=True)
class Property:
    """A queryable by its name; `kind` is known once the tree was checked against queryables."""

    name: str
    kind: Kind | None = None


@dataclass(frozen=True, slots=True)
class Value:
    """A scalar. `slot` is the number under which it is bound, once the tree was checked."""

    value: Scalar
    kind: Kind
    slot: int = -1


@dataclass(frozen=True, slots=True)
class Shape:
    """A geometry as WKB in longitude and latitude (degrees, x first).

    `mixed` says that points, lines and areas stand side by side in it.
    """

    wkb: bytes = field(repr=False)
    mixed: bool = False
    slot: int = -1


@dataclass(frozen=True, slots=True)
class Interval:
    """Two instants, both included; None leaves a side open."""

    start: Node | None
    end: Node | None


@dataclass(frozen=True, slots=True)
class Items:
    """A list of scalars: what `in` compares with, or an array. `element` is their common kind, once checked."""

    items: tuple[Node, ...]
    element: Kind | None = None


@dataclass(frozen=True, slots=True)
class Operation:
    """An operator or function and what it works on.

    `kind` is what comes out, once checked; `depth` counts the operations that stand inside one another.
    """

    op: str
    args: tuple[Node, ...]
    kind: Kind | None = None
    depth: int = field(default=1, compare=False, repr=False)


Node: TypeAlias = Property | Value | Shape | Interval | Items | Operation


def parts(node: Node) -> tuple[Node, ...]:
    """The nodes directly inside a node."""
    if isinstance(node, Operation):
        return node.args
    if isinstance(node, Items):
        return node.items
    if isinstance(node, Interval):
        return tuple(side for side in (node.start, node.end) if side is not None)
    return ()


def walk(node: Node) -> Iterator[Node]:
    """A node and all nodes inside it, outer ones first."""
    waiting = [node]
    while waiting:
        found = waiting.pop()
        yield found
        waiting.extend(reversed(parts(found)))
