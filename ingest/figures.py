"""Counts, extents and time spans of a layer, one set per clearance, renewed by each load."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import sqlalchemy as sa

from layers.access import Clearance
from layers.model import RowLayer, VectorLayer
from layers.system import layer_figures
from layers.table import current_table, history_table

ByLevel = Mapping[int, Mapping[str, Any]]
"""Figures of the rows of each clearance alone."""


def read(connection: sa.Connection, layer: RowLayer, table: sa.Table) -> ByLevel:
    """Figures of a table that has the columns of the layer's current rows."""
    return {row["level"]: dict(row) for row in connection.execute(_by_level(layer, table)).mappings()}


def renew(connection: sa.Connection, layer: RowLayer, known: ByLevel | None = None) -> dict[str, float | None]:
    """Compute the figures of a layer anew from its current rows.

    A reader of a clearance sees the figures of the rows up to it, never of rows above.

    Args:
        connection: In the transaction that changed the rows.
        layer: The layer.
        known: The figures of all current rows, where somebody has read them.

    Returns:
        west, south, east, north (degrees) of all current rows; empty for a layer without geometry or rows.
    """
    by_level = known if known is not None else read(connection, layer, current_table(layer))
    connection.execute(sa.delete(layer_figures).where(layer_figures.c.layer == layer.name))
    total: Mapping[str, Any] | None = None
    for clearance in Clearance:
        total = _merge(total, by_level.get(int(clearance)))
        if clearance >= layer.clearance and total is not None:
            values = {k: v for k, v in total.items() if k != "level"}
            connection.execute(sa.insert(layer_figures).values(layer=layer.name, clearance=int(clearance), **values))
    return {side: total[side] for side in _SIDES if total is not None and side in total}


def follow(connection: sa.Connection, layer: RowLayer, edition: int, keys: Collection[str]) -> dict[str, float | None]:
    """Bring the figures up to what an edition did to a few rows, without reading all rows.

    Only where a row that was ended may have held up a side of the extent, or an end of the time span, are they computed
    anew.

    Args:
        connection: In the transaction that changed the rows.
        layer: The layer.
        edition: The edition.
        keys: Keys of the rows that it wrote.

    Returns:
        west, south, east, north (degrees) of all rows that were written or ended; empty for a layer without geometry.
    """
    current, history = current_table(layer), history_table(layer)
    fresh = _levels(
        connection, _by_level(layer, current).where(current.c.key.in_(keys), current.c["_edition"] == edition)
    )
    ended = _levels(connection, _by_level(layer, history).where(history.c["_ended_by"] == edition))
    stored = connection.execute(sa.select(layer_figures).where(layer_figures.c.layer == layer.name)).mappings()
    known = [dict(row) for row in stored]
    if not known or any(_held_up(row, gone) for gone in ended.values() for row in known):
        renew(connection, layer)
    else:
        for row in known:
            _shift(connection, row, fresh, ended)
    total: Mapping[str, Any] | None = None
    for part in (*fresh.values(), *ended.values()):
        total = _merge(total, part)
    return {side: total[side] for side in _SIDES if total is not None and side in total}


def _levels(connection: sa.Connection, statement: sa.Select[Any]) -> ByLevel:
    return {row["level"]: dict(row) for row in connection.execute(statement).mappings()}


def _held_up(figures: Mapping[str, Any], gone: Mapping[str, Any]) -> bool:
    """Whether rows that are gone reached as far as the figures do, so that these may be smaller now."""
    low = any(gone.get(n) is not None and figures[n] is not None and gone[n] <= figures[n] for n in _LOWEST)
    return low or any(gone.get(n) is not None and figures[n] is not None and gone[n] >= figures[n] for n in _HIGHEST)


def _shift(connection: sa.Connection, row: Mapping[str, Any], fresh: ByLevel, ended: ByLevel) -> None:
    """Add to the figures of one clearance what became visible at it, and take off what was ended."""
    total: Mapping[str, Any] = {k: v for k, v in row.items() if k not in ("layer", "clearance")}
    for level, part in fresh.items():
        if level <= row["clearance"]:
            total = {**total, **(_merge(total, part) or {})}
    gone = sum(part["rows"] for level, part in ended.items() if level <= row["clearance"])
    mine = (layer_figures.c.layer == row["layer"], layer_figures.c.clearance == row["clearance"])
    values = {k: v for k, v in total.items() if k != "level"} | {"rows": total["rows"] - gone}
    connection.execute(sa.update(layer_figures).where(*mine).values(values))


def touched(layer: VectorLayer, edition: int) -> sa.Select[Any]:
    """Extent (degrees) of the rows an edition wrote and of those it ended; null when it touched no geometry."""
    current, history = current_table(layer), history_table(layer)
    written = sa.select(_geometry(current)).where(current.c["_edition"] == edition)
    ended = sa.select(_geometry(history)).where(history.c["_ended_by"] == edition)
    rows = sa.union_all(written, ended).subquery()
    box = sa.func.ST_Extent(sa.type_coerce(rows.c.geom, sa.types.NullType()))
    return sa.select(*_corners(box))


def _by_level(layer: RowLayer, table: sa.Table) -> sa.Select[Any]:
    columns: list[sa.ColumnElement[Any]] = [table.c["_clearance"].label("level"), sa.func.count().label("rows")]
    if isinstance(layer, VectorLayer):
        columns += _corners(sa.func.ST_Extent(_geometry(table)))
    if layer.time is not None:
        moment = sa.cast(table.c[layer.time], sa.DateTime(timezone=True))
        columns += [sa.func.min(moment).label("begins"), sa.func.max(moment).label("ends")]
    return sa.select(*columns).group_by(table.c["_clearance"])


def _geometry(table: sa.Table) -> sa.ColumnElement[Any]:
    return sa.type_coerce(table.c.geom, sa.types.NullType()).label("geom")


def _corners(box: sa.ColumnElement[Any]) -> list[sa.ColumnElement[Any]]:
    sides = {"west": sa.func.ST_XMin, "south": sa.func.ST_YMin, "east": sa.func.ST_XMax, "north": sa.func.ST_YMax}
    return [side(box).label(name) for name, side in sides.items()]


_SIDES = ("west", "south", "east", "north")
_LOWEST = ("west", "south", "begins")
_HIGHEST = ("east", "north", "ends")


def _merge(one: Mapping[str, Any] | None, other: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    if one is None or other is None:
        return one or other
    merged = {"rows": one["rows"] + other["rows"]}
    for names, pick in ((_LOWEST, min), (_HIGHEST, max)):
        for name in names:
            if name in one and name in other:
                values = [v for v in (one[name], other[name]) if v is not None]
                merged[name] = pick(values) if values else None
    return merged
