"""Tables of a ladder, in the schema `ladder`: one per rung, and two of a mosaic or of clusters."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import sqlalchemy as sa
from geoalchemy2 import Geometry

from layers.crs import WEB_MERCATOR_SRID
from layers.ladder import LADDER_SCHEMA, Rung, cell_name, rung_attributes, rung_name
from layers.model import VectorLayer
from layers.table import column_type


@lru_cache(maxsize=4096)
def rung_table(layer: VectorLayer, rung: Rung, suffix: str = "") -> sa.Table:
    """The table of a rung, `ladder.<layer>_z<highest zoom>`.

    `geom` and `_spot` (where a label of a surface stands, else null) are in EPSG:3857. Names of attributes never begin
    with an underscore. `_from` is the zoom level from which a feature is drawn. `_plain` says that the feature stays
    sound when its corners are rounded to the units of a tile of any zoom of the rung (see `tiles.ladder.rounding`).
    """
    columns: list[sa.Column[Any]] = [
        sa.Column("fid", sa.BigInteger(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("geom", Geometry("GEOMETRY", srid=WEB_MERCATOR_SRID, spatial_index=False), nullable=False),
        sa.Column("_spot", Geometry("POINT", srid=WEB_MERCATOR_SRID, spatial_index=False)),
        *(sa.Column(name, column_type(layer.attributes[name])) for name in rung_attributes(layer, rung)),
        sa.Column("_from", sa.SmallInteger(), nullable=False),
        sa.Column("_plain", sa.Boolean(), nullable=False),
        sa.Column("_clearance", sa.SmallInteger(), nullable=False),
    ]
    name = f"{rung_name(layer, rung)}{suffix}"
    table = sa.Table(name, sa.MetaData(schema=LADDER_SCHEMA), *columns)
    sa.Index(f"{name}_fid", table.c.fid, unique=True)
    sa.Index(f"{name}_geom", table.c.geom, postgresql_using="gist")
    if layer.geometry in ("polygon", "any"):
        sa.Index(f"{name}_spot", table.c["_spot"], postgresql_using="gist")
    return table


def cell_table(layer: VectorLayer, suffix: str = "") -> sa.Table:
    """The table `ladder.<layer>_cell`: what lies in each cell of the finest mosaic, by value and clearance of the rows.

    `x` and `y` count cells of `CELLS` per tile at the highest zoom of the mosaic, from the north-west. `count` counts
    features by their centroid; `area` is in square decimetres of EPSG:3857, whole, so that sums do not depend on order.
    """
    table = sa.Table(f"{cell_name(layer)}{suffix}", sa.MetaData(schema=LADDER_SCHEMA), *_of_a_cell())
    sa.Index(f"{table.name}_at", table.c.x, table.c.y)
    return table


def mosaic_table(layer: VectorLayer, suffix: str = "") -> sa.Table:
    """The table `ladder.<layer>_mosaic`: the prevailing value of each cell of each zoom level.

    A row holds for readers of its clearance and above, up to the next higher row of the same cell; nothing is counted
    in it that lies above its clearance. `area` is that of the value, `total` that of all values.
    """
    zoom = sa.Column("z", sa.SmallInteger(), nullable=False)
    total = sa.Column("total", sa.BigInteger(), nullable=False)
    name = f"{layer.name}_mosaic{suffix}"
    table = sa.Table(name, sa.MetaData(schema=LADDER_SCHEMA), zoom, *_of_a_cell(), total)
    sa.Index(f"{name}_at", table.c.z, table.c.x, table.c.y, table.c["_clearance"], unique=True)
    return table


def point_table(layer: VectorLayer, suffix: str = "") -> sa.Table:
    """The table `ladder.<layer>_cell` of a layer of points: what lies in each of the finest cells of its clusters.

    `x` and `y` count cells of `CLUSTER_CELLS` per tile at the highest zoom of the clusters, from the north-west.
    `sum_x` and `sum_y` add up positions in whole decimetres of EPSG:3857; `fid` is the lowest feature number.
    """
    types: dict[str, sa.types.TypeEngine[Any]] = {
        "x": sa.Integer(),
        "y": sa.Integer(),
        "value": sa.Text(),
        "_clearance": sa.SmallInteger(),
        **dict.fromkeys(("count", "sum_x", "sum_y", "fid"), sa.BigInteger()),
    }
    columns: list[sa.Column[Any]] = [sa.Column(name, kind, nullable=False) for name, kind in types.items()]
    table = sa.Table(f"{cell_name(layer)}{suffix}", sa.MetaData(schema=LADDER_SCHEMA), *columns)
    sa.Index(f"{table.name}_at", table.c.x, table.c.y)
    return table


def cluster_table(layer: VectorLayer, suffix: str = "") -> sa.Table:
    """The table `ladder.<layer>_cluster`: the clusters of each zoom level.

    A row holds for readers of its clearance and above, up to the next higher row of the same cell; nothing is counted
    in it that lies above its clearance. `east` and `north` (metres of EPSG:3857) are the mean of the points, `fid` the
    feature where there is only one, `value` the most frequent value and `most` how often it occurs, `classes` a JSON
    object of the most frequent values and their counts.
    """
    columns: list[sa.Column[Any]] = [
        sa.Column("z", sa.SmallInteger(), nullable=False),
        sa.Column("x", sa.Integer(), nullable=False),
        sa.Column("y", sa.Integer(), nullable=False),
        sa.Column("_clearance", sa.SmallInteger(), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.Column("east", sa.Double(), nullable=False),
        sa.Column("north", sa.Double(), nullable=False),
        sa.Column("fid", sa.BigInteger()),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("most", sa.BigInteger(), nullable=False),
        sa.Column("classes", sa.Text(), nullable=False),
    ]
    name = f"{layer.name}_cluster{suffix}"
    table = sa.Table(name, sa.MetaData(schema=LADDER_SCHEMA), *columns)
    sa.Index(f"{name}_at", table.c.z, table.c.x, table.c.y, table.c["_clearance"], unique=True)
    return table


def _of_a_cell() -> list[sa.Column[Any]]:
    types: dict[str, sa.types.TypeEngine[Any]] = {
        "x": sa.Integer(),
        "y": sa.Integer(),
        "value": sa.Text(),
        "_clearance": sa.SmallInteger(),
        "count": sa.BigInteger(),
        "area": sa.BigInteger(),
    }
    return [sa.Column(name, kind, nullable=False) for name, kind in types.items()]
