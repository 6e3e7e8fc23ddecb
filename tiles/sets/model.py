"""A tile matrix set and the place of a tile in it (OGC 17-083r4, Tile Matrix Set 2.0).

Inside, coordinates are always x = east or longitude, y = north or latitude. The order of axes that a CRS declares
counts in the document of a set and nowhere else.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

import pyproj
from pyproj.exceptions import ProjError

from layers.crs import WEB_MERCATOR_SRID, keeps_coordinates
from layers.errors import TileOutside
from layers.extent import MAX_LAT, MAX_LON, Extent
from layers.ladder import WORLD
from layers.model import Text

PIXEL = 0.00028
"""Side of the standard's rendering pixel in metres: a scale denominator is metres per cell divided by it."""
TILE_PIXELS = 256
MERCATOR_LATITUDE = 85.0511287798066
"""Latitude (degrees) at which the square of Web Mercator ends: atan(sinh(pi))."""
METRES_PER_DEGREE = math.pi * 6378137.0 / 180
"""Metres of one degree of the equator, by which the standard turns degrees into scale denominators."""

Box = tuple[float, float, float, float]
"""Least x, least y, greatest x, greatest y."""
Family = Literal["mercator", "degrees", "projected"]
"""How geometry reaches a set: Web Mercator, longitude and latitude as they are stored, or any other projection."""

_RADIUS = 6378137.0
_WORLD: Box = (-MAX_LON, -MAX_LAT, MAX_LON, MAX_LAT)
_DIGITS = re.compile(r"\d{1,9}", re.ASCII)
_EDGE_POINTS = 101
_SLACK = 0.002
_SAME_LEVEL = 0.01
_TINY = 1e-9


@dataclass(frozen=True, slots=True)
class Matrix:
    """One level of a set.

    Attributes:
        level: Its identifier, a whole number.
        cell: Units of the CRS per pixel.
        west, north: The corner from which columns and rows are counted (x, y).
        width, height: Number of columns and rows.
        size: Pixels along an edge of a tile.
        scale: Scale denominator at a pixel of 0.28 mm.
    """

    level: int
    cell: float
    west: float
    north: float
    width: int
    height: int
    size: int
    scale: float

    @property
    def span(self) -> float:
        """Units of the CRS along an edge of a tile."""
        return self.cell * self.size

    @property
    def zoom(self) -> int:
        """The zoom level of WebMercatorQuad with at least as many pixels per metre, also where Mercator is largest.

        A metre of Web Mercator is never longer than a metre on the ground, so what is drawn for that zoom has
        detail enough everywhere.
        """
        metres = self.scale * PIXEL
        return max(0, math.ceil(math.log2(WORLD / TILE_PIXELS / metres) - _SAME_LEVEL))


@dataclass(frozen=True, eq=False)
class MatrixSet:
    """A tile matrix set.

    Attributes:
        id: Identifier in addresses.
        title: Title in Chinese and English.
        crs: CRS of the set.
        srid: EPSG code under which PostGIS and GDAL reach its coordinates.
        matrices: Levels by number, ascending.
        document: The definition as JSON (requirements class json-tilematrixset), without `uri` for sets of our own.
        area: Where the set is meant to be used: west, south, east, north in degrees; None for all that it covers.
        registered: Whether the standard's register has it.
    """

    id: str
    title: Text
    crs: pyproj.CRS
    srid: int
    matrices: Mapping[int, Matrix]
    document: Mapping[str, Any] = field(repr=False)
    area: Box | None = None
    registered: bool = False

    @cached_property
    def family(self) -> Family:
        """How geometry reaches the set."""
        if self.srid == WEB_MERCATOR_SRID:
            return "mercator"
        # Whether a projected CRS keeps coordinates is a slow question with one answer.
        return "degrees" if self.crs.is_geographic and keeps_coordinates(self.crs) else "projected"

    @property
    def crs_uri(self) -> str:
        """URI of the CRS."""
        return str(self.document["crs"])

    @cached_property
    def first(self) -> int:
        """The lowest level."""
        return min(self.matrices)

    @cached_property
    def last(self) -> int:
        """The highest level."""
        return max(self.matrices)

    @cached_property
    def bounds(self) -> Box:
        """The box around all tiles, in x and y of the CRS."""
        boxes = [
            (m.west, m.north - m.height * m.span, m.west + m.width * m.span, m.north) for m in self.matrices.values()
        ]
        west, south, east, north = zip(*boxes, strict=True)
        return min(west), min(south), max(east), max(north)

    def place(self, level: int | str, row: int | str, col: int | str) -> Place:
        """The place of a tile, as numbers or as written in an address.

        Raises:
            TileOutside: When the level or the tile does not exist; the sentence gives the allowed range.
        """
        number = _number("tile matrix", level, range(self.first, self.last + 1), self.id)
        matrix = self.matrices[number]
        where = f"tile matrix {number} of {self.id}"
        return Place(
            self,
            number,
            _number("row", row, range(matrix.height), where),
            _number("column", col, range(matrix.width), where),
        )

    def levels(self, from_: int, to: int) -> tuple[Matrix, ...]:
        """Levels that correspond to zoom levels of WebMercatorQuad, the last one included."""
        return tuple(m for m in self.matrices.values() if from_ <= m.zoom <= to)

    def reaches(self, extent: Extent) -> bool:
        """Whether the area for which the set is meant meets an extent (degrees)."""
        west, south, east, north = self.area or self._reach
        return any(w <= east and west <= e and s <= north and south <= n for w, s, e, n in extent.boxes())

    def limits(self, extent: Extent, matrices: Iterable[Matrix]) -> list[dict[str, str | int]]:
        """The tiles that an extent (degrees) can meet, per level: `tileMatrixSetLimits` of OGC 17-083r4.

        An extent across 180 degrees gets the columns of the whole row, because limits know no gap.

        Args:
            extent: Extent of the data.
            matrices: For which levels of this set.

        Returns:
            Nothing for levels of which no tile meets the extent.
        """
        box = self.box_of(extent)
        found = [] if box is None else [_limits(matrix, box) for matrix in matrices]
        return [entry for entry in found if entry is not None]

    def box_of(self, extent: Extent) -> Box | None:
        """The box around an extent (degrees) in x and y of the CRS; None when it lies outside of the set."""
        west, east = (extent.west, extent.east) if extent.west <= extent.east else (-MAX_LON, MAX_LON)
        box = (west, extent.south, east, extent.north)
        if self.family == "degrees":
            return _meeting(box, self.bounds)
        if self.family == "mercator":
            return _meeting(mercator_box(box), self.bounds)
        # Far from where a projection is meant for, its formulas bend back: what lies outside of the set is cut off.
        cut = _meeting(box, self._reach)
        if cut is None:
            return None
        try:
            found = self._forward.transform_bounds(*cut, densify_pts=_EDGE_POINTS, errcheck=True)
        except ProjError:
            return self.bounds
        return _meeting(_wider(found, _SLACK), self.bounds)

    @cached_property
    def _reach(self) -> Box:
        return self.degrees(self.bounds)

    @cached_property
    def _forward(self) -> pyproj.Transformer:
        # CGCS2000 and WGS 84 are linked by the null operation of `layers.crs`, which PROJ calls a ballpark one.
        return pyproj.Transformer.from_crs(4326, self.crs, always_xy=True)

    @cached_property
    def _backward(self) -> pyproj.Transformer:
        return pyproj.Transformer.from_crs(self.crs, 4326, always_xy=True)

    def degrees(self, box: Box) -> Box:
        """West, south, east, north (degrees) around a box in x and y of the CRS.

        All longitudes when 180 degrees lie inside; the whole world where a projection does not reach back.
        """
        if self.family == "degrees":
            return box
        if self.family == "mercator":
            return _from_mercator(box)
        try:
            west, south, east, north = self._backward.transform_bounds(*box, densify_pts=_EDGE_POINTS, errcheck=True)
        except ProjError:
            return _WORLD
        if not all(map(math.isfinite, (west, south, east, north))):
            return _WORLD
        return (west, south, east, north) if west <= east else (-MAX_LON, south, MAX_LON, north)


@dataclass(frozen=True, slots=True)
class Place:
    """A tile of a set that exists."""

    grid: MatrixSet
    level: int
    row: int
    col: int

    @property
    def matrix(self) -> Matrix:
        """Its level."""
        return self.grid.matrices[self.level]

    @property
    def zoom(self) -> int:
        """The zoom level of WebMercatorQuad whose detail it wants (see `Matrix.zoom`)."""
        return self.matrix.zoom

    @property
    def bounds(self) -> Box:
        """Its box in x and y of the CRS."""
        matrix = self.matrix
        # From whole numbers each time, so that neighbours share their edge to the last bit.
        west, east = (matrix.west + i * matrix.span for i in (self.col, self.col + 1))
        north, south = (matrix.north - i * matrix.span for i in (self.row, self.row + 1))
        return west, south, east, north

    def degrees(self, margin: float = 0.0) -> Box:
        """The box around the tile in degrees (west, south, east, north), within the world.

        Args:
            margin: By which share of its side the tile is widened first.
        """
        return _meeting(self.grid.degrees(_wider(self.bounds, margin)), _WORLD) or _WORLD

    def mercator(self, margin: float = 0.0) -> Box:
        """The box around the tile in metres of EPSG:3857, within its square."""
        return mercator_box(self.degrees(margin))


def mercator_box(degrees: Box) -> Box:
    """A box in degrees as one in metres of EPSG:3857, cut where Web Mercator ends.

    Spherical Mercator (EPSG method 1024): x = R lon, y = R asinh(tan(lat)).
    """
    west, south, east, north = degrees
    low, high = (max(-MERCATOR_LATITUDE, min(MERCATOR_LATITUDE, v)) for v in (south, north))
    y = [math.asinh(math.tan(math.radians(v))) * _RADIUS for v in (low, high)]
    return math.radians(west) * _RADIUS, y[0], math.radians(east) * _RADIUS, y[1]


def _from_mercator(box: Box) -> Box:
    """The inverse: lon = x / R, lat = atan(sinh(y / R))."""
    west, east = (math.degrees(v / _RADIUS) for v in (box[0], box[2]))
    south, north = (math.degrees(math.atan(math.sinh(v / _RADIUS))) for v in (box[1], box[3]))
    return west, south, east, north


def _wider(box: Box, share: float) -> Box:
    west, south, east, north = box
    dx, dy = (east - west) * share, (north - south) * share
    return west - dx, south - dy, east + dx, north + dy


def _meeting(one: Box, other: Box) -> Box | None:
    """What two boxes have in common; None when that is nothing."""
    west, south = max(one[0], other[0]), max(one[1], other[1])
    east, north = min(one[2], other[2]), min(one[3], other[3])
    return (west, south, east, north) if west <= east and south <= north else None


def _limits(matrix: Matrix, box: Box) -> dict[str, str | int] | None:
    west, south, east, north = box
    columns = _range((west - matrix.west) / matrix.span, (east - matrix.west) / matrix.span, matrix.width)
    rows = _range((matrix.north - north) / matrix.span, (matrix.north - south) / matrix.span, matrix.height)
    if columns is None or rows is None:
        return None
    return {
        "tileMatrix": str(matrix.level),
        "minTileRow": rows[0],
        "maxTileRow": rows[1],
        "minTileCol": columns[0],
        "maxTileCol": columns[1],
    }


def _range(first: float, last: float, count: int) -> tuple[int, int] | None:
    """Whole numbers of the tiles from one place to another, both counted in tiles; None when none of them exists."""
    if last < 0 or first > count:
        return None
    low, high = (max(0, min(math.floor(v), count - 1)) for v in (first + _TINY, last - _TINY))
    return low, max(low, high)


def _number(name: str, written: int | str, allowed: range, place: str) -> int:
    text = str(written)
    if _DIGITS.fullmatch(text) and int(text) in allowed:
        return int(text)
    raise TileOutside(
        f"In {place} a {name} is a whole number from {allowed[0]} to {allowed[-1]}; there is no {text[:30]!r}.",
        parameter=name,
        minimum=allowed[0],
        maximum=allowed[-1],
    )
