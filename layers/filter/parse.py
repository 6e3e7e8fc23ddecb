"""From what a request says to a checked filter."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import pyproj

from layers.errors import BadFilter, BadGeometry, BadParameter
from layers.filter import scalars, words
from layers.filter.budget import MOST_TEXT, Budget
from layers.filter.check import checked
from layers.filter.geometry import Drawing
from layers.filter.json_text import read_json
from layers.filter.queryables import Queryables
from layers.filter.reach import Box, reach_of
from layers.filter.size import require_size
from layers.filter.text import read_text
from layers.filter.tree import Interval, Items, Kind, Node, Operation, Property, Shape, Value, walk

Lang = Literal["cql2-text", "cql2-json"]
LANGS: tuple[Lang, ...] = ("cql2-text", "cql2-json")
_PREFIX = "filter_"


@dataclass(frozen=True)
class Filter:
    """A filter that was checked against what a reader may name.

    Attributes:
        tree: The condition; every part knows its kind, every literal its slot.
        queryables: What its names stand for.
    """

    tree: Node
    queryables: Queryables

    @cached_property
    def shape(self) -> Hashable:
        """What the SQL of the filter depends on: all but the literals, which are bound."""
        return _shape(self.tree)

    @cached_property
    def reach(self) -> tuple[Box, ...] | None:
        """Boxes of which every feature that meets the filter has a point in one; None when it may be anywhere."""
        return reach_of(self.tree)

    @cached_property
    def values(self) -> Mapping[str, Any]:
        """The literals by the names under which `predicate` binds them."""
        found: dict[str, Any] = {}
        for node in walk(self.tree):
            if isinstance(node, Value):
                found[slot_name(node)] = node.value
            elif isinstance(node, Shape):
                found[slot_name(node)] = node.wkb
        lists = [node for node in walk(self.tree) if isinstance(node, Items) and is_literal_list(node)]
        return found | {slot_name(node): literals(node) for node in lists}


def parse_filter(
    text: str | None,
    lang: str,
    filter_crs: pyproj.CRS | None,
    queryables: Queryables,
    equal: Mapping[str, str] | None = None,
) -> Filter | None:
    """Read and check a filter.

    Args:
        text: The filter; None when there is none but in `equal`.
        lang: `cql2-text` or `cql2-json`.
        filter_crs: CRS of the geometries in it, in the axis order of its authority; None is CRS84 (lon, lat).
        queryables: What may be named.
        equal: Properties and the values that they must have, as query parameters say them (Part 1, 7.15.6).

    Returns:
        None when nothing is asked.

    Raises:
        BadFilter: When it is malformed, exceeds its budget, names the unknown or compares what does not compare.
        BadGeometry: When a geometry in it is not sound.
        BadParameter: When `lang` is another language, or a value of `equal` does not fit its property.
    """
    require_lang(lang)
    try:
        return _parsed(text, lang, filter_crs, queryables, equal or {})
    except (BadFilter, BadGeometry) as error:
        error.facts.setdefault("parameter", "filter")
        raise


def _parsed(
    text: str | None, lang: str, filter_crs: pyproj.CRS | None, queryables: Queryables, equal: Mapping[str, str]
) -> Filter | None:
    budget = Budget()
    trees: list[Node] = [_equality(name, value, queryables, budget) for name, value in equal.items()]
    if text is not None:
        if len(text) > MOST_TEXT:
            raise BadFilter(f"A filter has at most {MOST_TEXT} characters; this one has {len(text)}.")
        reader = read_json if lang == "cql2-json" else read_text
        trees.append(reader(text, budget, Drawing(budget, filter_crs)))
    if not trees:
        return None
    tree = trees[0] if len(trees) == 1 else budget.operation(words.AND, trees)
    found = checked(tree, queryables)
    require_size(found)
    return Filter(found, queryables)


def require_lang(lang: str) -> None:
    """Make sure that a filter is in a language that is understood.

    Raises:
        BadParameter: When it is not.
    """
    if lang not in LANGS:
        raise BadParameter(f"filter-lang is {' or '.join(LANGS)}; {lang[:40]!r} is not.", parameter="filter-lang")


def slot_name(node: Node) -> str:
    """The name under which a literal is bound."""
    return f"{_PREFIX}{first_slot(node)}"


def first_slot(node: Node) -> int:
    """The slot of a literal; of a list of literals, the slot of the first."""
    if isinstance(node, Items):
        return first_slot(node.items[0])
    if isinstance(node, Value | Shape):
        return node.slot
    raise LookupError("only literals have a slot")


def is_literal_list(node: Node) -> bool:
    """Whether a list holds literals only, so that it is bound as a whole."""
    return isinstance(node, Items) and bool(node.items) and all(isinstance(item, Value) for item in node.items)


def literals(node: Items) -> list[Any]:
    """The values of a list of literals, as they are bound."""
    return [item.value for item in node.items if isinstance(item, Value)]


def _equality(name: str, value: str, queryables: Queryables, budget: Budget) -> Operation:
    known = queryables.names.get(name)
    if known is None or known.kind not in _READERS:
        raise BadParameter(f"{name[:60]} cannot be asked for by its value; use filter.", parameter=name[:60])
    try:
        literal = _READERS[known.kind](value)
    except (BadFilter, ValueError, OverflowError):
        raise BadParameter(f"{name} is a {known.kind}; {value[:60]!r} is not.", parameter=name) from None
    return budget.operation("=", (Property(name), literal))


def _truth(value: str) -> Value:
    return scalars.boolean({"true": True, "false": False}[value.lower()])


_READERS: dict[Kind, Callable[[str], Value]] = {
    Kind.TEXT: scalars.text,
    Kind.INTEGER: lambda value: scalars.number(float(value)),
    Kind.NUMBER: lambda value: scalars.number(float(value)),
    Kind.BOOLEAN: _truth,
    Kind.DATE: scalars.date,
    Kind.DATETIME: scalars.timestamp,
}


def _shape(node: Node) -> Hashable:
    if isinstance(node, Property):
        return node.name
    if isinstance(node, Value | Shape):
        # The slot is a part of it: the same literal in another place is bound by another name.
        return (node.kind if isinstance(node, Value) else Kind.GEOMETRY, node.slot)
    if isinstance(node, Interval):
        return ("interval", *(None if side is None else _shape(side) for side in (node.start, node.end)))
    if isinstance(node, Items):
        plain = is_literal_list(node)
        return ("items", node.element, (first_slot(node),) if plain else tuple(_shape(item) for item in node.items))
    return (node.op, node.kind, *(_shape(arg) for arg in node.args))
