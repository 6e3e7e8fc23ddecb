"""Sums over cells: a coarser level of a grid is made of the finest one, for a mosaic as for clusters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from tiles.ladder.mosaic import Places


def summed_cells(
    table: sa.Table, shift: int, places: Places | None, sums: Sequence[str], *more: sa.ColumnElement[Any]
) -> sa.Select[Any]:
    """Cells of a coarser level by value and clearance: all of them, or some.

    Args:
        table: The finest cells, with `x`, `y`, `value` and `_clearance`.
        shift: How many levels coarser; each halves the number of cells along a side.
        places: Columns and rows of the coarser cells that are wanted; None for all.
        sums: Columns that are added up, whole numbers.
        more: Further aggregates.
    """
    x, y = (table.c[name].op(">>")(sa.literal(shift, sa.Integer())) for name in ("x", "y"))
    key = (x, y, table.c.value, table.c["_clearance"])
    added = (whole(sa.func.sum(table.c[name])).label(name) for name in sums)
    chosen = sa.select(x.label("x"), y.label("y"), table.c.value, table.c["_clearance"], *added, *more).group_by(*key)
    if places is None:
        return chosen
    some, side = unnested(places), 1 << shift
    within = [table.c[name].between(some.c[name] * side, some.c[name] * side + side - 1) for name in ("x", "y")]
    return chosen.where(*within)


def whole(sums: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
    """A sum of bigint, which PostgreSQL makes numeric, as bigint again.

    Areas of the whole world in square decimetres and a billion positions in decimetres still fit.
    """
    return sa.cast(sums, sa.BigInteger())


def unnested(places: Places) -> sa.TableValuedAlias:
    """Columns and rows of cells as a table with `x` and `y`."""
    arrays = [sa.literal(places[:, axis].tolist(), sa.ARRAY(sa.Integer())) for axis in (0, 1)]
    columns = (sa.column("x", sa.Integer()), sa.column("y", sa.Integer()))
    return sa.func.unnest(*arrays).table_valued(*columns, name="some").render_derived()
