"""CQL2 JSON (OGC 21-065r2, clause 8 and its JSON schema) to the same tree."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from layers.errors import BadFilter
from layers.filter import scalars
from layers.filter.budget import MOST_DEPTH, Budget, check_depth
from layers.filter.geometry import Drawing, members_of
from layers.filter.tree import Interval, Items, Node, Property

# A text that never ends matches too: looking for its end anew at each quote would take quadratic time.
_BRACKET = re.compile(r'"(?:[^"\\]|\\.)*+"?|[\[\]{}]', re.DOTALL)
_MOST_BRACKETS = 2 * MOST_DEPTH + 12
"""Each operation opens an object and an array; a collection of polygons has up to ten more."""
_SIDES = 2


def read_json(text: str, budget: Budget, drawing: Drawing) -> Node:
    """Read a filter.

    Raises:
        BadFilter: When it is not CQL2 JSON or exceeds the budget.
        BadGeometry: When a geometry in it is not sound.
    """
    return _Reader(budget, drawing).node(_loaded(text), 1)


def _loaded(text: str) -> object:
    """The JSON value. Its depth is looked at first, because the parser of the library calls itself."""
    depth = 0
    for match in _BRACKET.finditer(text):
        said = match.group()
        depth += 1 if said in "[{" else -1 if said in "]}" else 0
        if depth > _MOST_BRACKETS:
            check_depth(MOST_DEPTH + 1)
    try:
        return json.loads(text, parse_constant=_no_constant)
    except ValueError as error:
        place = f" at character {error.pos + 1}" if isinstance(error, json.JSONDecodeError) else ""
        raise BadFilter(f"The filter is not JSON{place}; filter-lang says that it is cql2-json.") from None


def _no_constant(said: str) -> float:
    raise BadFilter(f"{said} is no number of JSON.")


class _Reader:
    """Turns JSON values into nodes."""

    def __init__(self, budget: Budget, drawing: Drawing) -> None:
        self._budget, self._drawing = budget, drawing
        self._members: dict[str, Callable[[Mapping[str, Any]], Node]] = {
            "property": self._property,
            "date": lambda value: scalars.date(_text(value["date"], "date")),
            "timestamp": lambda value: scalars.timestamp(_text(value["timestamp"], "timestamp")),
            "interval": self._interval,
            "bbox": self._box,
        }

    def node(self, value: object, depth: int) -> Node:
        """A node of any kind."""
        self._budget.node()
        if isinstance(value, bool):
            return scalars.boolean(value)
        if isinstance(value, int | float):
            return scalars.number(value)
        if isinstance(value, str):
            return scalars.text(value)
        if isinstance(value, list):
            return Items(tuple(self.node(item, depth + 1) for item in value))
        if isinstance(value, dict):
            return self._object(value, depth)
        raise BadFilter("null is no value of a filter; ask with the operator isNull.")

    def _object(self, value: Mapping[str, Any], depth: int) -> Node:
        if "op" in value:
            return self._operation(value, depth)
        kind = value.get("type")
        if isinstance(kind, str):
            return self._drawing.shape(kind, members_of(value))
        for name, reader in self._members.items():
            if name in value:
                return reader(value)
        raise BadFilter(
            f"An object of the filter has the members {', '.join(sorted(value))[:100] or 'of nothing'}; it is an "
            "operation with op and args, a property, date, timestamp, interval or bbox, or a geometry."
        )

    def _operation(self, value: Mapping[str, Any], depth: int) -> Node:
        op, args = value["op"], value.get("args")
        check_depth(depth)
        if not isinstance(op, str) or not isinstance(args, list):
            raise BadFilter("An operation of the filter has op, a text, and args, an array.")
        return self._budget.operation(op, [self.node(arg, depth + 1) for arg in args])

    def _property(self, value: Mapping[str, Any]) -> Property:
        return Property(_text(value["property"], "property"))

    def _interval(self, value: Mapping[str, Any]) -> Interval:
        sides = value["interval"]
        if not isinstance(sides, list) or len(sides) != _SIDES:
            raise BadFilter("An interval of the filter is an array of its start and its end.")
        start, end = (scalars.instant(side) if isinstance(side, str) else self.node(side, 1) for side in sides)
        return Interval(start, end)

    def _box(self, value: Mapping[str, Any]) -> Node:
        if not isinstance(value["bbox"], list):
            raise BadFilter("A bbox of the filter is an array of numbers.")
        return self._drawing.box(value["bbox"])


def _text(value: object, what: str) -> str:
    if not isinstance(value, str):
        raise BadFilter(f"The {what} of an object of the filter is a text.")
    return value
