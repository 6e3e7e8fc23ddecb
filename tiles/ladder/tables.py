"""Tables of a ladder, in the schema `ladder`: one per rung, and two of a mosaic."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import sqlalchemy as sa
from geoalchemy2 import Geometry

from layers.crs import WEB_MERCATOR_SRID
from layers.ladder import LADDER_SCHEMA, Rung, rung_attributes
from layers.model import VectorLayer
from layers.table import column_type


@lru_cache(maxsize=4096)
def rung_table(layer: VectorLayer, rung: Rung, suffix: str = "") -> sa.Table:
    """The table of a rung, `ladder.<layer>_z<highest zoom>`.

    `geom` and `spot` (where a label of a surface stands, else null) are in EPSG:3857; `size` is the area (m2) or
    length (m) of the whole feature in that projection, by which larger features go first.
    """
    columns: list[sa.Column[Any]] = [
        sa.Column("fid", sa.BigInteger(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("geom", Geometry("GEOMETRY", srid=WEB_MERCATOR_SRID, spatial_index=False), nullable=False),
        sa.Column("spot", Geometry("POINT", srid=WEB_MERCATOR_SRID, spatial_index=False)),
        sa.Column("size", sa.Double(), nullable=False),
        *(sa.Column(name, column_type(layer.attributes[name])) for name in rung_attributes(layer, rung)),
        sa.Column("_clearance", sa.SmallInteger(), nullable=False),
    ]
    name = f"{layer.name}_z{rung.to}{suffix}"
    table = sa.Table(name, sa.MetaData(schema=LADDER_SCHEMA), *columns)
    sa.Index(f"{name}_fid", table.c.fid, unique=True)
    sa.Index(f"{name}_geom", table.c.geom, postgresql_using="gist")
    if layer.geometry in ("polygon", "any"):
        sa.Index(f"{name}_spot", table.c.spot, postgresql_using="gist")
    return table


def cell_table(layer: VectorLayer, suffix: str = "") -> sa.Table:
    """The table `ladder.<layer>_cell`: what lies in each cell of the finest mosaic, by value and clearance of the rows.

    `x` and `y` count cells of `CELLS` per tile at the highest zoom of the mosaic, from the north-west. `count` counts
    features by their centroid; `area` is in square decimetres of EPSG:3857, whole, so that sums do not depend on order.
    """
    name = f"{layer.name}_cell{suffix}"
    table = sa.Table(
        name,
        sa.MetaData(schema=LADDER_SCHEMA),
        sa.Column("x", sa.Integer(), nullable=False),
        sa.Column("y", sa.Integer(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("_clearance", sa.SmallInteger(), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.Column("area", sa.BigInteger(), nullable=False),
    )
    sa.Index(f"{name}_place", table.c.x, table.c.y)
    return table


def mosaic_table(layer: VectorLayer, suffix: str = "") -> sa.Table:
    """The table `ladder.<layer>_mosaic`: the prevailing value of each cell of each zoom level.

    A row holds for readers of its clearance and above, up to the next higher row of the same cell; nothing is counted
    in it that lies above its clearance.
    """
    name = f"{layer.name}_mosaic{suffix}"
    table = sa.Table(
        name,
        sa.MetaData(schema=LADDER_SCHEMA),
        sa.Column("z", sa.SmallInteger(), nullable=False),
        sa.Column("x", sa.Integer(), nullable=False),
        sa.Column("y", sa.Integer(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("_clearance", sa.SmallInteger(), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.Column("area", sa.BigInteger(), nullable=False),
        sa.Column("total", sa.BigInteger(), nullable=False),
    )
    sa.Index(f"{name}_place", table.c.z, table.c.x, table.c.y, table.c["_clearance"], unique=True)
    return table
