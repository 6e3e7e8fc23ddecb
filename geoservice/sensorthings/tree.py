"""The tree of an expression of SensorThings (OData, as 18-088, 9.3.3.5 narrows it); nodes compare by value."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Period:
    """Two instants (UTC), both included."""

    start: dt.datetime
    end: dt.datetime


@dataclass(frozen=True, slots=True)
class Shape:
    """A geometry as WKB in longitude and latitude (degrees, x first)."""

    wkb: bytes = field(repr=False)


Value: TypeAlias = "str | bool | int | float | dt.datetime | dt.date | dt.time | dt.timedelta | Period | Shape | None"


@dataclass(frozen=True, slots=True)
class Literal:
    """A value that stands in the expression."""

    value: Value


@dataclass(frozen=True, slots=True)
class Path:
    """A property, or one of an entity that is reached from here: `Datastream/Thing/name`, `properties/owner`."""

    steps: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Call:
    """An operator (`eq`, `and`, `add`, `not`, `neg` ...) or function, and what it works on."""

    name: str
    args: tuple[Node, ...]
    depth: int = field(default=1, compare=False, repr=False)
    """How many of them stand inside one another."""


Node: TypeAlias = Literal | Path | Call


@dataclass(frozen=True, slots=True)
class Order:
    """One key of an order."""

    node: Node
    descending: bool = False
