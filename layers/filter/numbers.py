"""Arithmetic of a filter as SQL. What has no result (a division by zero, a root of nothing) is unknown."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

_LARGEST_EXPONENT = 700.0
"""Natural logarithm of the largest result of a power; a double ends at 709."""


def calculated(
    op: str, left: sa.ColumnElement[Any], right: sa.ColumnElement[Any], *, whole: bool
) -> sa.ColumnElement[Any]:
    """The result of an operator.

    Integers are added, subtracted, multiplied and divided by `div` and `%` exactly, whatever their size. `div` cuts
    towards zero, `%` has the sign of its first operand. `/` and `^` calculate in doubles.
    """
    kind: sa.types.TypeEngine[Any] = sa.Numeric() if whole or op == "%" else sa.Double()
    first, second = sa.cast(left, kind), sa.cast(right, kind)
    if op == "^":
        return _power(first, second)
    if op in ("+", "-", "*"):
        return first.op(op, return_type=kind)(second)
    divisor = sa.func.nullif(second, 0)
    if op == "%":
        return first.op("%", return_type=kind)(divisor)
    quotient = first.op("/", return_type=kind)(divisor)
    if op == "/":
        return quotient
    return sa.func.div(first, divisor, type_=kind) if whole else sa.func.trunc(quotient, type_=kind)


def _power(base: sa.ColumnElement[Any], exponent: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
    """A power where it is a real number that a double can hold."""
    size: sa.ColumnElement[Any] = sa.func.ln(sa.func.abs(base), type_=sa.Double()) * exponent
    return sa.case(
        (sa.and_(base == 0, exponent > 0), 0.0),
        (sa.and_(base == 0, exponent == 0), 1.0),
        (base == 0, sa.null()),
        (sa.and_(base < 0, exponent != sa.func.floor(exponent)), sa.null()),
        (size <= _LARGEST_EXPONENT, sa.func.power(base, exponent, type_=sa.Double())),
        else_=sa.null(),
    )
