"""Raster assets of a layer: the statement, and reading it for a clearance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import asyncpg
import sqlalchemy as sa

from geoservice.db.compiled import compile_statement
from geoservice.db.reading import Reading
from layers.access import Decision, RowRule
from layers.asset import Asset
from layers.model import RasterLayer
from layers.system import raster_asset

_SIDES = {"west": sa.func.ST_XMin, "south": sa.func.ST_YMin, "east": sa.func.ST_XMax, "north": sa.func.ST_YMax}


def assets_statement(layer: RasterLayer, rule: RowRule) -> sa.Select[Any]:
    """Current files of a raster layer up to a clearance, the newest first, with the box of their footprint."""
    table = raster_asset
    footprint = sa.type_coerce(table.c.footprint, sa.types.NullType())
    corners: list[sa.ColumnElement[Any]] = [
        side(footprint, type_=sa.Double()).label(name) for name, side in _SIDES.items()
    ]
    current = (table.c.layer == layer.name, table.c.valid_to.is_(None), table.c.clearance <= int(rule.max_clearance))
    return sa.select(table.c.file, table.c.crs, *corners).where(*current).order_by(table.c.id.desc())


def assets_of(rows: Sequence[Mapping[str, Any]], folder: Path) -> list[Asset]:
    """The files of `assets_statement`, in its order."""
    return [Asset(folder / row["file"], tuple(row[side] for side in _SIDES), row["crs"]) for row in rows]


async def read_assets(
    connection: asyncpg.pool.PoolConnectionProxy[asyncpg.Record],
    reading: Reading,
    layer: RasterLayer,
    decision: Decision,
    folder: Path,
) -> list[Asset]:
    """Current files of a layer that a decision lets through, the newest first."""
    shape = ("assets", layer.name, decision.rule.max_clearance)
    compiled = reading.statements.get(shape)
    if compiled is None:
        compiled = reading.statements[shape] = compile_statement(assets_statement(layer, decision.rule))
    rows = await connection.fetch(compiled.sql, *compiled.arguments({}))
    return assets_of(rows, folder)
