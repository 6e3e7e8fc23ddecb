"""The functions of `layers.filter.functions` as SQL."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import sqlalchemy as sa

from layers.area import MAX_EDGE_DEGREES
from layers.extent import MAX_LON
from layers.filter.sql import SQL_TYPES
from layers.filter.tree import NUMERIC, Kind

Expression: TypeAlias = sa.ColumnElement[Any]
_METRES_PER_DEGREE = 110_500.0
"""A little less than a degree of latitude has anywhere, so that boxes in degrees are rather too large."""
_NEAR_POLE = 89.9
_DOUBLE: sa.Double[float] = sa.Double()


def call(name: str, args: Sequence[Expression], kinds: Sequence[Kind]) -> Expression:
    """A call of a function that a checked filter names."""
    if name in _PARTS:
        return _part(name, args[0], kinds[0])
    return _CALLS[name](*(_double(a) if k in NUMERIC else a for a, k in zip(args, kinds, strict=True)))


def _double(value: Expression) -> Expression:
    return sa.cast(value, _DOUBLE)


_PARTS = ("year", "month", "day")


def _part(name: str, moment: Expression, kind: Kind) -> Expression:
    """A part of a date, or of a timestamp in UTC."""
    local = moment if kind is Kind.DATE else sa.func.timezone("UTC", moment)
    return sa.cast(sa.func.date_part(name, local), SQL_TYPES[Kind.INTEGER])


def _geography(geom: Expression) -> Expression:
    return sa.func.geography(geom)


def _area(geom: Expression) -> Expression:
    # Edges are straight in degrees; on the ellipsoid that takes vertices at most 1 km apart (see layers.area).
    return sa.func.ST_Area(_geography(sa.func.ST_Segmentize(geom, MAX_EDGE_DEGREES)), type_=_DOUBLE)


def _distance(first: Expression, second: Expression) -> Expression:
    return sa.func.ST_Distance(_geography(first), _geography(second), type_=_DOUBLE)


def _within_distance(first: Expression, second: Expression, metres: Expression) -> Expression:
    """A box around the second geometry finds candidates by the index, unless it reaches a pole or the antimeridian."""
    up = metres / _METRES_PER_DEGREE
    highest = sa.func.greatest(sa.func.abs(sa.func.ST_YMin(second)), sa.func.abs(sa.func.ST_YMax(second))) + up
    across = up / sa.func.cos(sa.func.radians(sa.func.least(highest, _NEAR_POLE), type_=_DOUBLE), type_=_DOUBLE)
    wide = sa.or_(
        highest >= _NEAR_POLE,
        sa.func.ST_XMin(second) - across < -MAX_LON,
        sa.func.ST_XMax(second) + across > MAX_LON,
    )
    box = sa.func.ST_Expand(second, across, up)
    near = first.op("&&", is_comparison=True, return_type=sa.Boolean())(box)
    return sa.and_(sa.or_(near, wide), _distance(first, second) <= metres)


_CALLS: dict[str, Callable[..., Expression]] = {
    "upper": lambda text: sa.func.upper(sa.collate(text, "und-x-icu"), type_=sa.Text()),
    "lower": lambda text: sa.func.lower(sa.collate(text, "und-x-icu"), type_=sa.Text()),
    "trim": lambda text: sa.func.btrim(text, type_=sa.Text()),
    "concat": lambda one, other: one.op("||", return_type=sa.Text())(other),
    "char_length": lambda text: sa.cast(sa.func.length(text), SQL_TYPES[Kind.INTEGER]),
    "abs": lambda number: sa.func.abs(number, type_=_DOUBLE),
    "floor": lambda number: sa.func.floor(number, type_=_DOUBLE),
    "ceil": lambda number: sa.func.ceil(number, type_=_DOUBLE),
    "sqrt": lambda number: sa.case((number >= 0, sa.func.sqrt(number, type_=_DOUBLE)), else_=sa.null()),
    "greatest": lambda one, other: sa.case((one >= other, one), (other > one, other), else_=sa.null()),
    "least": lambda one, other: sa.case((one <= other, one), (other < one, other), else_=sa.null()),
    "area": _area,
    "line_length": lambda geom: sa.func.ST_Length(
        _geography(sa.func.ST_Segmentize(geom, MAX_EDGE_DEGREES)), type_=_DOUBLE
    ),
    "distance": _distance,
    "within_distance": _within_distance,
    "centroid": sa.func.ST_Centroid,
}
