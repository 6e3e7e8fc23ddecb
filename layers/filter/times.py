"""Temporal relations as SQL (OGC 21-065r2, 7.11): instants are intervals that end where they begin.

Both ends of an interval belong to it. Dates among themselves are compared as dates; beside a timestamp, a date is its
whole UTC day.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import sqlalchemy as sa

from layers.filter.sql import constant
from layers.filter.tree import Kind

Expression: TypeAlias = sa.ColumnElement[Any]
End: TypeAlias = "tuple[Expression, Kind] | None"
Side: TypeAlias = "tuple[End, ...]"
_Relation: TypeAlias = Callable[[Expression, Expression, Expression, Expression], Expression]

_RELATIONS: dict[str, _Relation] = {
    "t_after": lambda a, b, c, d: a > d,
    "t_before": lambda a, b, c, d: b < c,
    "t_contains": lambda a, b, c, d: sa.and_(a < c, b > d),
    "t_disjoint": lambda a, b, c, d: sa.or_(a > d, b < c),
    "t_during": lambda a, b, c, d: sa.and_(a > c, b < d),
    "t_equals": lambda a, b, c, d: sa.and_(a == c, b == d),
    "t_finishedBy": lambda a, b, c, d: sa.and_(a < c, b == d),
    "t_finishes": lambda a, b, c, d: sa.and_(a > c, b == d),
    "t_intersects": lambda a, b, c, d: sa.and_(a <= d, b >= c),
    "t_meets": lambda a, b, c, d: b == c,
    "t_metBy": lambda a, b, c, d: a == d,
    "t_overlappedBy": lambda a, b, c, d: sa.and_(a > c, a < d, b > d),
    "t_overlaps": lambda a, b, c, d: sa.and_(a < c, b > c, b < d),
    "t_startedBy": lambda a, b, c, d: sa.and_(a == c, b > d),
    "t_starts": lambda a, b, c, d: sa.and_(a == c, b < d),
}
"""Of the start and end of the first side, the start and end of the second."""


def compared(op: str, left: Side, right: Side) -> Expression:
    """The relation of two sides, each of a start and an end; None is an end that is open."""
    ends = [end for end in (*left, *right) if end is not None]
    dates = all(kind is Kind.DATE for _, kind in ends)
    bounds = [_bound(end, last=last, dates=dates) for side in (left, right) for last, end in enumerate(side)]
    return _RELATIONS[op](*bounds)


def _bound(end: End, *, last: int, dates: bool) -> Expression:
    if end is None:
        sign, kind = ("" if last else "-"), ("date" if dates else "timestamptz")
        return constant(f"'{sign}infinity'::{kind}")
    value, kind_of_end = end
    return value if dates or kind_of_end is Kind.DATETIME else _of_day(value, last=bool(last))


def _of_day(day: Expression, *, last: bool) -> Expression:
    """The first or the last instant of a UTC day; instants are kept by the microsecond."""
    first = sa.func.timezone("UTC", sa.cast(day, sa.DateTime()), type_=sa.DateTime(timezone=True))
    return first + constant("interval '1 day - 1 microsecond'") if last else first
