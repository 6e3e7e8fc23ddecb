"""Expressions as SQL: paths become joins, and what leads to many entities becomes "there is one of them that"."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import sqlalchemy as sa

from geoservice.sensorthings.compare import OPERATORS, compared
from geoservice.sensorthings.functions import call
from geoservice.sensorthings.kinds import Column, Kind, Term, of_json, of_literal, read_as, require
from geoservice.sensorthings.model import ENTITIES, Alias, Entity, Navigation
from geoservice.sensorthings.tree import Call, Literal, Node, Path
from layers.access import Clearance
from layers.errors import BadFilter

_SHOWN = 60
_NUMBERS = frozenset({"add", "sub", "mul", "div", "mod"})
_ID = ("id", "@iot.id")


@dataclass
class Scope:
    """Where paths begin: rows of an entity, and the rows that were joined to them so far.

    Attributes:
        entity: Of what type the rows are.
        alias: The rows.
        clearance: Of the reader: nothing above it is joined.
        joins: Joined rows of links to one, by their path, with the condition.
    """

    entity: Entity
    alias: Alias
    clearance: Clearance
    joins: dict[tuple[str, ...], tuple[Alias, Column]] = field(default_factory=dict)

    def joined(self) -> sa.FromClause:
        """The rows with all that was joined to them; a link that leads nowhere gives nulls."""
        found: sa.FromClause = self.alias
        for alias, condition in self.joins.values():
            found = sa.outerjoin(found, alias, condition)
        return found

    def link(self, path: tuple[str, ...], ours: Alias, navigation: Navigation) -> Alias:
        """The row that a link to one leads to."""
        if path not in self.joins:
            target = ENTITIES[navigation.target]
            theirs = target.table.alias()
            condition = navigation.join(self.clearance, ours, theirs)
            self.joins[path] = (theirs, sa.and_(condition, target.visible(self.clearance, theirs, one=True)))
        return self.joins[path][0]


def condition(node: Node, scope: Scope) -> Column:
    """A filter as the condition of rows.

    Raises:
        BadFilter: When it is no condition, names what is not there, or gives an operator what it does not take.
    """
    return _condition(node, scope, exact=False)


def key(node: Node, scope: Scope) -> Term:
    """A key of an order.

    Raises:
        BadFilter: As `condition`, or when it leads to many entities.
    """
    atom = _Atom(scope)
    term = atom.term(node)
    if atom.inner is not None:
        raise BadFilter("$orderby takes keys of which each entity has one; this one leads to many entities.")
    if term.kind in (Kind.SHAPE, Kind.NULL):
        raise BadFilter(f"Nothing can be put in the order of a {term.kind}.")
    return term


def _condition(node: Node, scope: Scope, *, exact: bool) -> Column:
    if isinstance(node, Call) and node.name in ("and", "or"):
        joined = sa.and_ if node.name == "and" else sa.or_
        return joined(*(_condition(arg, scope, exact=exact) for arg in node.args))
    if isinstance(node, Call) and node.name == "not":
        return sa.not_(_condition(node.args[0], scope, exact=True))
    atom = _Atom(scope)
    if isinstance(node, Call) and node.name in OPERATORS:
        left, right = (atom.term(arg) for arg in node.args)
        return atom.closed(compared(node.name, left, right, exact=exact))
    found = read_as(atom.term(node), Kind.BOOLEAN)
    if found is None:
        raise BadFilter(
            "A filter, and what and, or and not join, is a condition such as name eq 'x'; not stands before a "
            "condition in parentheses."
        )
    return atom.closed(found.sql)


class _Atom:
    """One comparison or function of a filter: all paths in it that lead to many mean the same ones."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope
        self.inner: sa.FromClause | None = None
        self._conditions: list[Column] = []
        self._many: dict[tuple[str, ...], Alias] = {}
        self._aliases: list[Alias] = []

    def closed(self, found: Column) -> Column:
        """The condition, or that there is one among the many of which it holds."""
        if self.inner is None:
            return found
        some = sa.select(sa.literal(1)).select_from(self.inner).where(*self._conditions, found)
        return sa.exists(some.correlate_except(*self._aliases))

    def term(self, node: Node) -> Term:
        """A part of the expression."""
        if isinstance(node, Literal):
            return of_literal(node)
        if isinstance(node, Path):
            return self._path(node.steps)
        if node.name in ("and", "or", "not", *OPERATORS):
            return Term(Kind.BOOLEAN, _condition(node, self._scope, exact=True))
        terms = [self.term(arg) for arg in node.args]
        if node.name == "neg":
            return _negative(terms[0])
        return _calculated(node.name, *terms) if node.name in _NUMBERS else call(node, terms)

    def _path(self, steps: tuple[str, ...]) -> Term:
        entity, alias, done = self._scope.entity, self._scope.alias, 0
        while done < len(steps) and steps[done] in entity.navigations:
            navigation = entity.navigations[steps[done]]
            done += 1
            alias = self._follow(steps[:done], alias, navigation)
            entity = ENTITIES[navigation.target]
        return _property(entity, alias, steps[done:], "/".join(steps))

    def _follow(self, path: tuple[str, ...], ours: Alias, navigation: Navigation) -> Alias:
        if not navigation.many and self.inner is None:
            return self._scope.link(path, ours, navigation)
        if path not in self._many:
            target = ENTITIES[navigation.target]
            theirs = target.table.alias()
            joined = navigation.join(self._scope.clearance, ours, theirs)
            self._many[path] = theirs
            self._aliases.append(theirs)
            self._conditions += [joined, target.visible(self._scope.clearance, theirs)]
            self.inner = theirs if self.inner is None else sa.join(self.inner, theirs, sa.true())
        return self._many[path]


def _property(entity: Entity, alias: Alias, rest: tuple[str, ...], whole: str) -> Term:
    """A property of an entity, or a member of it."""
    if rest and rest[0] in _ID and len(rest) == 1:
        return Term(Kind.NUMBER, alias.c.id)
    found = entity.properties.get(rest[0]) if rest else None
    if found is None:
        known = ", ".join(("id", *entity.properties, *entity.navigations))
        raise BadFilter(f"{whole[:_SHOWN]!r} names no property; {entity.plural} have {known}.")
    if len(rest) == 1:
        return found.term(alias)
    if len(rest) == 2 and rest[1] in found.members:  # noqa: PLR2004
        return found.members[rest[1]](alias)
    term = found.term(alias)
    document = alias.c.geojson if term.kind is Kind.SHAPE and "geojson" in alias.c else term.sql
    if term.kind not in (Kind.OPEN, Kind.SHAPE) or ("geojson" not in alias.c and term.kind is Kind.SHAPE):
        raise BadFilter(f"{whole[:_SHOWN]!r} names no property: {found.name} has no member {rest[1][:_SHOWN]!r}.")
    for step in rest[1:]:
        # A number is a place in an array, or the name of a member.
        named = sa.literal(step, sa.Text())
        document = sa.func.jsonb_extract_path(document, named)
    return of_json(document)


def _negative(term: Term) -> Term:
    number = read_as(term, Kind.NUMBER) or read_as(term, Kind.DURATION)
    if number is None:
        raise BadFilter(f"A minus stands before a number or duration, not before a {term.kind}.")
    return Term(number.kind, -number.sql, fixed=number.fixed)


def _calculated(op: str, left: Term, right: Term) -> Term:
    """Arithmetic: of numbers in double precision, and of times with durations."""
    if op in ("add", "sub") and {left.kind, right.kind} & {Kind.DURATION, Kind.INSTANT, Kind.PERIOD, Kind.DATE}:
        return _shifted(op, left, right)
    one, other = (_double(require(term, (Kind.NUMBER,), op)) for term in (left, right))
    return Term(Kind.NUMBER, _ARITHMETIC[op](one, other))


def _double(term: Term) -> Column:
    return sa.cast(term.sql, sa.Double())


def _quotient(one: Column, other: Column) -> Column:
    """Nothing is the quotient of anything and zero."""
    return one.op("/", return_type=sa.Double())(sa.func.nullif(other, 0.0, type_=sa.Double()))


def _remainder(one: Column, other: Column) -> Column:
    """With the sign of the dividend."""
    return one - other * sa.func.trunc(_quotient(one, other), type_=sa.Double())


_ARITHMETIC: dict[str, Callable[[Column, Column], Column]] = {
    "add": lambda one, other: one + other,
    "sub": lambda one, other: one - other,
    "mul": lambda one, other: one * other,
    "div": _quotient,
    "mod": _remainder,
}


def _shifted(op: str, left: Term, right: Term) -> Term:
    """A time and a duration, two times, or two durations."""
    calculate = _ARITHMETIC[op]
    if right.kind is Kind.DURATION and left.kind is Kind.PERIOD and left.end is not None:
        return Term(Kind.PERIOD, calculate(left.sql, right.sql), end=calculate(left.end, right.sql), fixed=left.fixed)
    if left.kind is right.kind is Kind.DURATION:
        return Term(Kind.DURATION, calculate(left.sql, right.sql), fixed=left.fixed and right.fixed)
    moment = require(left, (Kind.INSTANT,), op)
    if right.kind is Kind.DURATION:
        return Term(Kind.INSTANT, calculate(moment.sql, right.sql), fixed=left.fixed)
    if op == "sub":
        return Term(Kind.DURATION, moment.sql - require(right, (Kind.INSTANT,), op).sql)
    raise BadFilter(f"add takes a time and a duration, not a {left.kind} and a {right.kind}.")
