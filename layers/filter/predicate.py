"""From a checked filter to a SQL condition over a layer's table. Values are bound, nothing is spliced.

Null is unknown, as in SQL and in CQL2: a feature whose condition is unknown is not found, nor by its negation.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias, TypeGuard

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, array

from layers.filter import words
from layers.filter.calls import call
from layers.filter.check import kind_of
from layers.filter.geometries import near, related
from layers.filter.numbers import calculated
from layers.filter.parse import Filter, is_literal_list, literals, slot_name
from layers.filter.sql import SQL_TYPES, bound, constant, shape_of
from layers.filter.times import compared
from layers.filter.tree import Interval, Items, Kind, Node, Operation, Property, Shape, Value

Expression: TypeAlias = sa.ColumnElement[Any]
_TURNED = {"<": ">", ">": "<", "<=": ">=", ">=": "<=", "=": "=", "<>": "<>"}


def predicate(filter_: Filter, table: sa.FromClause) -> sa.ColumnElement[bool]:
    """The condition that the rows of a table meet a filter.

    Literals are bound under the names of `filter_.values`, with their values; a statement that is kept for another
    filter of the same `shape` is run with the values of that one.

    Args:
        filter_: The filter, checked against the queryables of the layer and the reader.
        table: Current rows, history, or anything with their columns.
    """
    return _Compiler(filter_, table).expression(filter_.tree)


def coarse(filter_: Filter, table: sa.FromClause) -> sa.ColumnElement[bool]:
    """A condition that every row that meets a filter fulfils, and that costs little: of shapes only boxes are compared.

    With all of `relations` it says the same as `predicate`.
    """
    compiler = _Compiler(filter_, table)
    found = []
    for node in _conjuncts(filter_.tree):
        found.append(near(*map(compiler.expression, node.args)) if _is_relation(node) else compiler.expression(node))
    return sa.and_(*found)


def relations(filter_: Filter, table: sa.FromClause) -> list[sa.ColumnElement[bool]]:
    """What `coarse` leaves out: relations of the geometry with a shape that every row must be in.

    Args:
        filter_: The filter.
        table: Anything with the geometry of the rows.
    """
    compiler = _Compiler(filter_, table)
    return [compiler.expression(node) for node in _conjuncts(filter_.tree) if _is_relation(node)]


def has_relations(filter_: Filter) -> bool:
    """Whether there are any."""
    return any(map(_is_relation, _conjuncts(filter_.tree)))


def _conjuncts(node: Node) -> list[Node]:
    if isinstance(node, Operation) and node.op == words.AND:
        return [one for part in node.args for one in _conjuncts(part)]
    return [node]


def _is_relation(node: Node) -> TypeGuard[Operation]:
    if not isinstance(node, Operation) or node.op not in words.SPATIAL or node.op == "s_disjoint":
        return False
    return {type(side) for side in node.args} == {Property, Shape}


class _Compiler:
    def __init__(self, filter_: Filter, table: sa.FromClause) -> None:
        self._filter, self._table = filter_, table
        self._rules: dict[str, Callable[[Operation], Expression]] = {
            words.AND: lambda node: sa.and_(*map(self.expression, node.args)),
            words.OR: lambda node: sa.or_(*map(self.expression, node.args)),
            words.NOT: lambda node: sa.not_(self.expression(node.args[0])),
            words.LIKE: self._like,
            words.BETWEEN: self._between,
            words.IN: self._in,
            words.IS_NULL: lambda node: self.expression(node.args[0]).is_(sa.null()),
            words.CASEI: lambda node: _case_folded(self.expression(node.args[0])),
            words.ACCENTI: lambda node: _without_accents(self.expression(node.args[0])),
            **dict.fromkeys(words.COMPARISON, self._comparison),
            **dict.fromkeys(words.ARITHMETIC, self._arithmetic),
            **dict.fromkeys(words.SPATIAL, self._spatial),
            **dict.fromkeys(words.TEMPORAL, self._temporal),
            **dict.fromkeys(words.ARRAY, self._array),
        }

    def expression(self, node: Node) -> Expression:
        """SQL of a node."""
        if isinstance(node, Operation):
            return self._rules.get(node.op, self._call)(node)
        if isinstance(node, Property):
            return self._column(node)
        if isinstance(node, Value):
            return bound(slot_name(node), node.value, SQL_TYPES[node.kind])
        if isinstance(node, Shape):
            return shape_of(slot_name(node), node.wkb)
        if isinstance(node, Items):
            return self._list(node)
        raise LookupError("an interval stands in a temporal operation only")

    def _column(self, node: Property) -> Expression:
        column = self._table.c[self._filter.queryables.names[node.name].column]
        # The type of geometry columns would wrap them in conversions.
        return sa.type_coerce(column, sa.types.NullType()) if node.kind is Kind.GEOMETRY else column

    def _list(self, node: Items) -> Expression:
        kind = SQL_TYPES[node.element or Kind.TEXT]
        if not node.items:
            return sa.cast(array([], type_=kind), ARRAY(kind))
        if is_literal_list(node):
            return bound(slot_name(node), literals(node), ARRAY(kind))
        return array([sa.cast(self.expression(item), kind) for item in node.items])

    # ------------------------------------------------------------------ comparisons

    def _comparison(self, node: Operation) -> Expression:
        left, right = (self.expression(arg) for arg in node.args)
        ordered = node.op not in words.EQUALITY and kind_of(node.args[0]) is Kind.TEXT
        if ordered:
            left, right = _by_code(left), _by_code(right)
        return left.op(node.op, is_comparison=True, return_type=sa.Boolean())(right)

    def _like(self, node: Operation) -> Expression:
        text, pattern = (self.expression(arg) for arg in node.args)
        return text.like(pattern)

    def _between(self, node: Operation) -> Expression:
        value, low, high = (self.expression(arg) for arg in node.args)
        if kind_of(node.args[0]) is Kind.TEXT:
            value, low, high = _by_code(value), _by_code(low), _by_code(high)
        return value.between(low, high)

    def _in(self, node: Operation) -> Expression:
        value = self.expression(node.args[0])
        listed = node.args[1]
        if is_literal_list(listed):
            return value == sa.any_(self.expression(listed))
        items = listed.items if isinstance(listed, Items) else ()
        return sa.or_(*(value == self.expression(item) for item in items))

    # ------------------------------------------------------------------ families with a module of their own

    def _arithmetic(self, node: Operation) -> Expression:
        left, right = (self.expression(arg) for arg in node.args)
        return calculated(node.op, left, right, whole=node.kind is Kind.INTEGER)

    def _spatial(self, node: Operation) -> Expression:
        left, right = (self.expression(arg) for arg in node.args)
        found = related(node.op, left, right)
        if not self._filter.queryables.any_geometry or node.op in ("s_intersects", "s_disjoint"):
            return found
        # GEOS knows the other relations of a single kind of geometry only.
        whole = [sa.func.GeometryType(side) != "GEOMETRYCOLLECTION" for side in (left, right)]
        return sa.case((sa.and_(*whole), found), else_=sa.null())

    def _temporal(self, node: Operation) -> Expression:
        sides = []
        for arg in node.args:
            ends = (arg.start, arg.end) if isinstance(arg, Interval) else (arg, arg)
            sides.append(tuple(None if end is None else (self.expression(end), kind_of(end)) for end in ends))
        return compared(node.op, sides[0], sides[1])

    def _array(self, node: Operation) -> Expression:
        left, right = (self.expression(arg) for arg in node.args)
        if node.op == "a_equals":
            return sa.and_(_contains(left, right), _contains(right, left))
        if node.op == "a_overlaps":
            return left.op("&&", is_comparison=True, return_type=sa.Boolean())(right)
        return _contains(left, right) if node.op == "a_contains" else _contains(right, left)

    def _call(self, node: Operation) -> Expression:
        return call(node.op, [self.expression(arg) for arg in node.args], [kind_of(arg) for arg in node.args])


def _contains(whole: Expression, part: Expression) -> Expression:
    return whole.op("@>", is_comparison=True, return_type=sa.Boolean())(part)


def _by_code(text: Expression) -> Expression:
    """Texts in the order of their code points, which is the same on every server.

    Both sides say so: one that was folded has a collation of its own, and the server refuses to choose between two.
    """
    return sa.collate(text, "C")


def _case_folded(text: Expression) -> Expression:
    """The text with differences of case removed: to capitals and back, because ß and SS, ς and Σ meet only there.

    The root collation of ICU knows all scripts, whatever the locale of the database.
    """
    capitals = sa.func.upper(sa.collate(text, "und-x-icu"))
    return sa.func.translate(sa.func.lower(capitals), "ς", "σ", type_=sa.Text())


_MARKS = "[\u0300-\u036f\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f]"


def _without_accents(text: Expression) -> Expression:
    """The text without combining marks, after canonical decomposition (Unicode NFD)."""
    apart = sa.func.pg_catalog.normalize(text, constant("'NFD'"))
    return sa.func.regexp_replace(apart, constant(f"'{_MARKS}'"), constant("''"), constant("'g'"), type_=sa.Text())
