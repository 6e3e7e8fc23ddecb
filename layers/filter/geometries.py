"""Spatial relations as SQL. The bare && comes first: it may run before row policies, and so the index serves."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

_FUNCTIONS = {
    "s_contains": "ST_Contains",
    "s_crosses": "ST_Crosses",
    "s_equals": "ST_Equals",
    "s_intersects": "ST_Intersects",
    "s_overlaps": "ST_Overlaps",
    "s_touches": "ST_Touches",
    "s_within": "ST_Within",
}


def related(op: str, left: sa.ColumnElement[Any], right: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
    """The relation of two geometries in longitude and latitude, by the rules of DE-9IM in the plane of degrees."""
    if op == "s_disjoint":
        return sa.not_(related("s_intersects", left, right))
    function = getattr(sa.func, _FUNCTIONS[op])
    return sa.and_(near(left, right), function(left, right, type_=sa.Boolean()))


def near(left: sa.ColumnElement[Any], right: sa.ColumnElement[Any]) -> sa.ColumnElement[bool]:
    """Whether the boxes of two geometries meet, as they do in all relations but disjointness."""
    return left.op("&&", is_comparison=True, return_type=sa.Boolean())(right)
