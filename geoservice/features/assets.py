"""Raster assets of a layer: which files are current, for a reader's clearance."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import asyncpg
import sqlalchemy as sa

from geoservice.db.compiled import Compiled, compile_statement
from layers.model import RasterLayer
from layers.system import raster_asset
from tiles.raster import Asset


def assets_statement() -> sa.Select[Any]:
    """Current assets of the layer bound as `layer`, newest first, with the bbox of their footprint in degrees."""
    table = raster_asset
    footprint = sa.type_coerce(table.c.footprint, sa.types.NullType())
    corners = [
        side(footprint).label(name)
        for name, side in (
            ("west", sa.func.ST_XMin),
            ("south", sa.func.ST_YMin),
            ("east", sa.func.ST_XMax),
            ("north", sa.func.ST_YMax),
        )
    ]
    columns = (table.c.id, table.c.file, table.c.sha256, table.c.crs, table.c.edition, table.c.source)
    return (
        sa.select(*columns, *corners)
        .where(table.c.layer == sa.bindparam("layer", type_=sa.Text()), table.c.valid_to.is_(None))
        .order_by(table.c.id.desc())
    )


_COMPILED: list[Compiled] = []


async def read_assets(
    connection: asyncpg.pool.PoolConnectionProxy[asyncpg.Record], layer: RasterLayer, folder: Path
) -> tuple[Asset, ...]:
    """Current assets of a layer that the connection's role may see, newest first."""
    if not _COMPILED:
        _COMPILED.append(compile_statement(assets_statement()))
    compiled = _COMPILED[0]
    rows = await connection.fetch(compiled.sql, *compiled.arguments({"layer": layer.name}))
    return tuple(
        Asset(path=folder / row["file"], bounds=(row["west"], row["south"], row["east"], row["north"]), crs=row["crs"])
        for row in rows
    )
