"""The order of features and places in it: keyset paging instead of an offset.

Features are ordered by the sort keys and then by their number, so that the order is total. A page begins behind the
feature at which the former one ended. The rows behind it fall into segments: those that equal it in all keys but the
last and lie behind it there, those that equal it in all keys but two, and so on. A segment is a range of an index where
there is one, so deep pages cost no more than the first.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from geoservice.features.query import FeatureQuery, Position
from layers.model import RowLayer

FID = "fid"


def ordering(columns: Any, query: FeatureQuery) -> list[sa.ColumnElement[Any]]:
    """The ORDER BY of a query over a table's columns; PostgreSQL takes missing values as the largest.

    Args:
        columns: Columns by name: the sort keys and `fid`.
        query: Its keys and direction.
    """
    keys = [(columns[key.attribute], key.descending) for key in query.sort]
    flip = query.backward
    return [
        column.desc() if descending != flip else column.asc() for column, descending in [*keys, (columns[FID], False)]
    ]


def segments(layer: RowLayer, table: sa.Table, query: FeatureQuery) -> list[sa.ColumnElement[bool]]:
    """The rows behind the start of a query as disjoint conditions, or as one where no index would serve them apart."""
    if query.start is None:
        return [sa.true()]
    pieces = _pieces(layer, table, query, query.start)
    if not query.sort or query.sort[0].attribute == layer.time:
        return pieces
    return [sa.or_(*pieces)]


def _pieces(layer: RowLayer, table: sa.Table, query: FeatureQuery, start: Position) -> list[sa.ColumnElement[bool]]:
    number = sa.bindparam("at", type_=sa.BigInteger())
    behind = table.c[FID] < number if start.backward else table.c[FID] > number
    same = [_same(table.c[key.attribute], i, start.values[i]) for i, key in enumerate(query.sort)]
    pieces = [sa.and_(*same, behind)]
    for i in reversed(range(len(query.sort))):
        key = query.sort[i]
        nullable = not layer.attributes[key.attribute].required
        rising = key.descending == start.backward
        for later in _later(table.c[key.attribute], i, start.values[i], rising=rising, nullable=nullable):
            pieces.append(sa.and_(*same[:i], later))
    return pieces


def _same(column: sa.ColumnElement[Any], place: int, value: object) -> sa.ColumnElement[bool]:
    return column.is_(None) if value is None else column == sa.bindparam(f"at_{place}", type_=column.type)


def _later(
    column: sa.ColumnElement[Any], place: int, value: object, *, rising: bool, nullable: bool
) -> Sequence[sa.ColumnElement[bool]]:
    """What lies behind a value of one key, missing values being the largest."""
    if value is None:
        return [] if rising else [column.is_not(None)]
    bound = sa.bindparam(f"at_{place}", type_=column.type)
    if not rising:
        return [column < bound]
    return [column > bound, column.is_(None)] if nullable else [column > bound]
