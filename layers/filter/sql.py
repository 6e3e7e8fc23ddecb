"""What all conditions of a filter are made with: bound values and their types."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from layers.crs import STORAGE_SRID
from layers.filter.tree import Kind

SQL_TYPES: dict[Kind, sa.types.TypeEngine[Any]] = {
    Kind.TEXT: sa.Text(),
    Kind.INTEGER: sa.BigInteger(),
    Kind.NUMBER: sa.Double(),
    Kind.BOOLEAN: sa.Boolean(),
    Kind.DATE: sa.Date(),
    Kind.DATETIME: sa.DateTime(timezone=True),
}


def bound(name: str, value: object, kind: sa.types.TypeEngine[Any]) -> sa.ColumnElement[Any]:
    """A bound value of a type."""
    return sa.bindparam(name, value, kind)


def shape_of(name: str, wkb: bytes) -> sa.ColumnElement[Any]:
    """A bound geometry in the CRS of storage."""
    return sa.func.ST_GeomFromWKB(bound(name, wkb, sa.LargeBinary()), STORAGE_SRID)


def constant(text: str) -> sa.ColumnElement[Any]:
    """A constant of this product's own text, which the planner may look at."""
    return sa.literal_column(text)
