"""Into which coordinates a tile is drawn: how rows, rungs and mosaics get there, in SQL (pure).

Rows are stored in EPSG:4490, rungs and mosaics in EPSG:3857. The named null link of `layers.crs` joins both, and rows
are labelled EPSG:4326 on their way, because PROJ is many times slower for 4490 with the same result.

A projection is only sound around the place that it is made for, and bends what is straight elsewhere. So before
geometries are projected into a set such as a Gauss-Krueger zone they are cut to the surroundings of the tile, and edges
get vertices in between; an edge then leaves its true course by less than half a unit of the tile.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from layers.crs import STORAGE_SRID, WEB_MERCATOR_SRID
from layers.ladder import CELLS, WORLD
from tiles.sets.model import MERCATOR_LATITUDE, Box, Family, MatrixSet, Place

TILE_EXTENT = 4096
TILE_BUFFER = 64
MARGIN = TILE_BUFFER / TILE_EXTENT
"""Buffer of a tile as a share of its side."""
_WGS84 = 4326
_SURROUNDINGS = 0.005
"""By which share of a tile's side more is kept than its buffer, so that no cut edge shows."""
_PIECES = 16
"""Edges are at most this part of the surroundings long: w/16 of an arc bends by w / R * 2 units of 4096 at most."""
_SIDES = ("west", "south", "east", "north")
_EDGES = ("left", "bottom", "right", "top")
_CELLS = ("first_cell", "last_cell", "first_line", "last_line")

Element = sa.ColumnElement[Any]


@dataclass(frozen=True, slots=True)
class Target:
    """Coordinates of the tiles of a set.

    Attributes:
        family: How geometry gets there.
        srid: EPSG code.
    """

    family: Family = "mercator"
    srid: int = WEB_MERCATOR_SRID

    def envelope(self) -> Element:
        """The tile itself. Bind parameters: `z`, `x`, `y`, or `left`, `bottom`, `right`, `top` beside Web Mercator."""
        if self.family == "mercator":
            return sa.func.ST_TileEnvelope(*(sa.bindparam(name, type_=sa.Integer()) for name in ("z", "x", "y")))
        return sa.func.ST_MakeEnvelope(*_doubles(_EDGES), self.srid)

    def reach(self, *, lines: bool = False) -> Element:
        """What rows are cut to: the square of Web Mercator, or the surroundings of the tile. In EPSG:4490.

        Lines are cut to the surroundings in Web Mercator too, before they are projected: a river has some hundred
        vertices, of which a tile shows a few. One side of the tile more is kept all around: an edge that is cut is
        straight in degrees up to there, so it leaves its course in Web Mercator by less than a unit where tiles are
        drawn from rows. Surfaces stay whole, because their borders must meet those of their neighbours.
        """
        if self.family != "mercator":
            return sa.func.ST_MakeEnvelope(*_doubles(_SIDES), STORAGE_SRID)
        square = (-180.0, -MERCATOR_LATITUDE, 180.0, MERCATOR_LATITUDE)
        if not lines:
            return sa.func.ST_MakeEnvelope(*square, STORAGE_SRID)
        west, south, east, north = _doubles(_SIDES)
        wide, high = east - west, north - south
        lower = (sa.func.greatest(a, b) for a, b in zip((west - wide, south - high), square[:2], strict=True))
        upper = (sa.func.least(a, b) for a, b in zip((east + wide, north + high), square[2:], strict=True))
        return sa.func.ST_MakeEnvelope(*lower, *upper, STORAGE_SRID)

    def from_rows(self, geom: Element, reach: Element) -> Element:
        """A stored geometry in the coordinates of the tile."""
        if self.family == "degrees":
            return geom
        plain = sa.func.ST_SetSRID(_cut(geom, reach), _WGS84)
        if self.family == "projected":
            plain = sa.func.ST_Segmentize(plain, sa.bindparam("step", type_=sa.Double()))
        return sa.func.ST_Transform(plain, self.srid)

    def wide(self) -> Element:
        """The tile with its buffer in EPSG:3857, beside Web Mercator: `m_left`, `m_bottom`, `m_right`, `m_top`."""
        return sa.func.ST_MakeEnvelope(*_doubles(f"m_{edge}" for edge in _EDGES), WEB_MERCATOR_SRID)

    def from_mercator(self, geom: Element, wide: Element | None = None) -> Element:
        """A geometry of EPSG:3857 in the coordinates of the tile; cut to a box around it, if one is given."""
        if self.family == "mercator":
            return geom
        near = geom if wide is None else _cut(geom, wide)
        if self.family == "degrees":
            return sa.func.ST_SetSRID(sa.func.ST_Transform(near, _WGS84), self.srid)
        # More vertices: straight in Web Mercator is not straight in another projection.
        fine = sa.func.ST_Segmentize(near, sa.bindparam("m_step", type_=sa.Double()))
        return sa.func.ST_Transform(fine, self.srid)


WEB_MERCATOR = Target()


def target_of(grid: MatrixSet) -> Target:
    """The target of a set."""
    return Target(grid.family, grid.srid)


def tile_values(place: Place) -> dict[str, float | int]:
    """Values of all bind parameters that statements of tiles have, for one tile.

    `z` is the zoom level of WebMercatorQuad whose detail the tile wants; `x` and `y` count within its own set.
    """
    values: dict[str, float | int] = {"z": place.zoom, "x": place.col, "y": place.row}
    if place.grid.family == "mercator":
        return {**values, **_named(_SIDES, place.degrees(MARGIN))}
    degrees, metres = place.degrees(MARGIN + _SURROUNDINGS), place.mercator(MARGIN + _SURROUNDINGS)
    return {
        **values,
        **_named(_SIDES, degrees),
        **_named(_EDGES, place.bounds),
        **_named((f"m_{edge}" for edge in _EDGES), metres),
        **dict(zip(_CELLS, _cell_range(place.zoom, place.mercator(MARGIN)), strict=True)),
        "step": _longest(degrees),
        "m_step": _longest(metres),
    }


def cell_parameters() -> dict[str, tuple[Element, Element]]:
    """First and last column and line of the cells of a mosaic that a tile meets, beside Web Mercator."""
    first, last, above, below = (sa.bindparam(name, type_=sa.Integer()) for name in _CELLS)
    return {"x": (first, last), "y": (above, below)}


def _cell_range(zoom: int, box: Box) -> tuple[int, int, int, int]:
    """Columns and lines (from the north) of the cells of a mosaic that a box in EPSG:3857 meets."""
    half, count = WORLD / 2, CELLS * 2**zoom
    side = 2 * half / count
    numbers = (
        (box[0] + half) / side,
        (box[2] + half) / side,
        (half - box[3]) / side,
        (half - box[1]) / side,
    )
    first, last, above, below = (max(0, min(int(number), count - 1)) for number in numbers)
    return first, last, above, below


def _cut(geom: Element, box: Element) -> Element:
    # Comparing boxes costs almost nothing; cutting is for the few geometries that leave the box.
    inside = geom.op("@", is_comparison=True)(box)
    return sa.case((inside, geom), else_=sa.func.ST_ClipByBox2D(geom, box))


def _longest(box: Box) -> float:
    return max(box[2] - box[0], box[3] - box[1]) / _PIECES


def _doubles(names: Iterable[str]) -> list[Element]:
    return [sa.bindparam(name, type_=sa.Double()) for name in names]


def _named(names: Iterable[str], box: Box) -> dict[str, float]:
    return dict(zip(names, box, strict=True))
