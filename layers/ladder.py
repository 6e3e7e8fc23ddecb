"""The ladder: generalised copies of a vector layer, one rung per band of zoom levels.

Low zooms are where tile servers die: a tile of zoom 8 touches a hundred thousand parcels. A rung holds what its zooms
can show, simplified and in Web Mercator already. The highest zooms have no rung; they are drawn from the rows
themselves.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import sqlalchemy as sa
from geoalchemy2 import Geometry

from layers.crs import WEB_MERCATOR_SRID
from layers.model import LayerBase, Mosaic, RowLayer, VectorLayer
from layers.table import column_type

LADDER_SCHEMA = "ladder"
SPAN = 2
"""Zoom levels that share a rung; the lowest rung takes one more where one would be left over."""
WORLD = 2 * 20037508.342789244
"""Width of Web Mercator in metres of EPSG:3857."""
PIXELS = 512
"""Display pixels of a tile's side, as MapLibre draws it."""
CELLS = 64
"""Cells of a mosaic along a tile's side."""


@dataclass(frozen=True, slots=True)
class Rung:
    """One step of the ladder.

    Attributes:
        from_: Lowest zoom level drawn from it.
        to: Highest zoom level drawn from it; its name, and what it is generalised for.
    """

    from_: int
    to: int

    @property
    def pixel(self) -> float:
        """Metres of EPSG:3857 per display pixel at the highest zoom of the rung."""
        return float(WORLD / PIXELS / 2**self.to)


@lru_cache(maxsize=4096)
def rungs(layer: RowLayer) -> tuple[Rung, ...]:
    """The rungs of a layer, the most detailed first; none for points, which need no simplifying, and for tables."""
    if not isinstance(layer, VectorLayer) or layer.geometry == "point":
        return ()
    found: list[Rung] = []
    top = layer.tiles.to - 1
    lowest = layer.tiles.mosaic.below if layer.tiles.mosaic is not None else layer.tiles.from_
    while top >= lowest:
        low = top - SPAN + 1
        low = lowest if low - 1 <= lowest else low
        found.append(Rung(low, top))
        top = low - 1
    return tuple(found)


def rung_at(layer: RowLayer, zoom: int) -> Rung | None:
    """The rung from which a zoom level is drawn; None where the rows themselves are drawn."""
    return next((rung for rung in rungs(layer) if rung.from_ <= zoom <= rung.to), None)


def has_ladder(layer: RowLayer) -> bool:
    """Whether some zoom levels of a layer are drawn from a ladder."""
    return bool(rungs(layer)) or mosaic_at(layer, 0) is not None


def mosaic_at(layer: RowLayer, zoom: int) -> Mosaic | None:
    """The mosaic from which a zoom level is drawn, if it is."""
    mosaic = layer.tiles.mosaic if isinstance(layer, VectorLayer) else None
    return mosaic if mosaic is not None and zoom < mosaic.below else None


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


def rung_attributes(layer: VectorLayer, rung: Rung) -> tuple[str, ...]:
    """Attributes that a rung carries: all that tiles carry on the most detailed one, below what drawing needs.

    Drawing needs what style and labels name.
    """
    offered = tuple(layer.attributes) if layer.tiles.attributes is None else layer.tiles.attributes
    if rung == rungs(layer)[0]:
        return offered
    label = () if layer.label is None else (layer.label.zh, layer.label.en)
    needed = {*layer.style.attributes(), *label}
    return tuple(name for name in offered if name in needed)


def is_rung_name(layer: LayerBase, name: str) -> bool:
    """Whether a table of the schema is (or was to become) a rung of a layer."""
    return re.fullmatch(rf"{re.escape(layer.name)}_(z\d+|cell|mosaic)(_new)?", name) is not None


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
