"""The box of what a layer held at an instant, which tells "nothing is known there" from zero as it was then."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from layers.access import RowRule
from layers.extent import Extent
from layers.model import VectorLayer
from layers.table import held, row_predicate

_LOW, _HIGH = ("west", "south"), ("east", "north")


def stands_since(committed: dt.datetime | None, instant: dt.datetime | None) -> bool:
    """Whether what is known of a layer now held at an instant already, because no edition came after it.

    Args:
        committed: When the layer's latest edition was committed; None where it has none.
        instant: The instant; None for now.
    """
    return instant is None or committed is None or committed <= instant


def extent_statement(layer: VectorLayer, rule: RowRule) -> sa.Select[Any]:
    """West, south, east and north (degrees) of the rows that held at the instant bound as `as_of`; null for none.

    It reads all rows of the layer: ask only where the figures of the layer are not those of the instant.
    """

    def rows_of(table: sa.Table) -> sa.Select[Any]:
        box = sa.func.ST_Extent(sa.type_coerce(table.c.geom, sa.types.NullType()))
        low = [side(box).label(name) for name, side in zip(_LOW, (sa.func.ST_XMin, sa.func.ST_YMin), strict=True)]
        high = [side(box).label(name) for name, side in zip(_HIGH, (sa.func.ST_XMax, sa.func.ST_YMax), strict=True)]
        return sa.select(*low, *high).where(row_predicate(table, rule))

    both = held(layer, rows_of, past=True).subquery("both")
    ends = [(name, sa.func.min) for name in _LOW] + [(name, sa.func.max) for name in _HIGH]
    sides: list[sa.ColumnElement[Any]] = [sa.cast(end(both.c[name]), sa.Double()).label(name) for name, end in ends]
    return sa.select(*sides)


def extent_of(row: Mapping[str, Any]) -> Extent | None:
    """The extent that a row of `extent_statement` tells; None where nothing was held."""
    corners = [row[side] for side in (*_LOW, *_HIGH)]
    return None if None in corners else Extent(*corners)
