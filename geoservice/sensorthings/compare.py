"""Comparisons as OData has them: null is equal to null alone, and neither above nor below anything (part 1, 5.1.1.1).

A comparison is true or false, never unknown. Where it merely selects rows, unknown is as good as false, and the plain
form is what indexes serve; under `not`, or as a value, it is made true or false.
"""

from __future__ import annotations

import operator
from collections.abc import Callable

import sqlalchemy as sa

from geoservice.sensorthings.kinds import Column, Kind, Term, read_as
from layers.errors import BadFilter

OPERATORS: dict[str, Callable[[Column, Column], Column]] = {
    "eq": operator.eq,
    "ne": operator.ne,
    "lt": operator.lt,
    "le": operator.le,
    "gt": operator.gt,
    "ge": operator.ge,
}
_MIRRORED = {"lt": "gt", "le": "ge", "gt": "lt", "ge": "le"}
_COMMON = (
    Kind.PERIOD,
    Kind.INSTANT,
    Kind.NUMBER,
    Kind.TEXT,
    Kind.BOOLEAN,
    Kind.DATE,
    Kind.CLOCK,
    Kind.DURATION,
)
"""Kinds in which two values are compared; the first that both can be read as."""
_CODE_POINTS = "C"


def compared(op: str, left: Term, right: Term, *, exact: bool) -> Column:
    """A comparison of two values.

    Args:
        op: `eq`, `ne`, `lt`, `le`, `gt` or `ge`.
        left: What is compared.
        right: What it is compared with.
        exact: Whether false must be told from unknown.

    Raises:
        BadFilter: When values of these kinds cannot be compared.
    """
    if Kind.NULL in (left.kind, right.kind):
        return _with_null(op, left if right.kind is Kind.NULL else right)
    if left.kind is right.kind is Kind.OPEN:
        return _open(op, left, right, exact=exact)
    one, other = _alike(op, left, right)
    if op in ("eq", "ne"):
        same = _same(one, other)
        return _exactly(same if op == "eq" else sa.not_(_exactly(same, True)), exact and op == "eq")
    found = _period(op, one, other) if one.kind is Kind.PERIOD else OPERATORS[op](_ordered(one), _ordered(other))
    return _exactly(found, exact)


def _exactly(condition: Column, exact: bool) -> Column:
    return sa.func.coalesce(condition, sa.false()) if exact else condition


def _with_null(op: str, term: Term) -> Column:
    if op not in ("eq", "ne"):
        return sa.false()
    if term.kind is Kind.NULL:
        return sa.true() if op == "eq" else sa.false()
    if term.opened is not None:
        parts = (term.opened.number, term.opened.text, term.opened.flag, term.sql)
        empty = sa.and_(*(part.is_(None) for part in parts))
        return empty if op == "eq" else sa.not_(empty)
    return term.sql.is_(None) if op == "eq" else term.sql.is_not(None)


def _alike(op: str, left: Term, right: Term) -> tuple[Term, Term]:
    """Both in the same kind."""
    for kind in _COMMON:
        if kind not in (left.kind, right.kind):
            continue
        one, other = read_as(left, kind), read_as(right, kind)
        if one is not None and other is not None:
            return (_widened(one, right), _widened(other, left)) if kind is Kind.NUMBER else (one, other)
    hint = "; geometries are compared by functions such as st_equals" if Kind.SHAPE in (left.kind, right.kind) else ""
    raise BadFilter(f"{op} cannot compare a {left.kind} with a {right.kind}{hint}.")


def _widened(term: Term, other: Term) -> Term:
    """A number as exact as those of JSON, where it meets one: some of those are too great for 64 bits."""
    return Term(term.kind, sa.cast(term.sql, sa.Numeric()), fixed=term.fixed) if _of_json(other) else term


def _of_json(term: Term) -> bool:
    return term.opened is not None and isinstance(term.opened.number.type, sa.Numeric)


def _same(one: Term, other: Term) -> Column:
    """Whether both are the same, or both null. Values of the expression are not null, so that an index may serve."""
    pairs = [(one.sql, other.sql)]
    if one.end is not None and other.end is not None:
        pairs.append((one.end, other.end))
    if one.fixed or other.fixed:
        return sa.and_(*(left == right for left, right in pairs))
    return sa.and_(*(left.is_not_distinct_from(right) for left, right in pairs))


def _ordered(term: Term) -> Column:
    """Texts are ordered by their code points, in every database alike."""
    return sa.collate(term.sql, _CODE_POINTS) if term.kind is Kind.TEXT else term.sql


def _period(op: str, one: Term, other: Term) -> Column:
    """A period is below another when it ends before that begins, above when it begins after that ends.

    With `le` and `ge` the two may touch.
    """
    if op in ("gt", "ge"):
        return _period(_MIRRORED[op], other, one)
    if one.end is None or other.end is None:
        raise BadFilter("A period has an end.")
    compare = OPERATORS[op]
    # The end decides; the beginning, which is never later, is what an index knows.
    return sa.and_(compare(one.sql, other.sql), compare(one.sql, other.end), compare(one.end, other.sql))


def _open(op: str, left: Term, right: Term, *, exact: bool) -> Column:
    """Two values of any type: equal when they are of one type and equal in it; ordered as numbers or as texts."""
    if left.opened is None or right.opened is None:
        raise BadFilter(f"{op} compares two values.")
    kinds = (
        (Kind.NUMBER, left.opened.number, right.opened.number),
        (Kind.TEXT, left.opened.text, right.opened.text),
        (Kind.BOOLEAN, left.opened.flag, right.opened.flag),
    )
    if op in ("eq", "ne"):
        nothing = sa.and_(_with_null("eq", left), _with_null("eq", right))
        same = sa.or_(nothing, *(_exactly(one == other, True) for _, one, other in kinds))
        return same if op == "eq" else sa.not_(same)
    found = [OPERATORS[op](_ordered(Term(k, a)), _ordered(Term(k, b))) for k, a, b in kinds[:2]]
    return sa.or_(*(_exactly(one, exact) for one in found))
