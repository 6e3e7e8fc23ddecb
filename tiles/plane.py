"""The plane of a map: which part of the ground an image shows, in any offered CRS, cut into cells of 512 points.

The renderer knows nothing but Web Mercator. So it is told that the map lies there: rows are brought to the CRS of the
map by the database, cut by the cells of the image, and handed over as tiles of zoom level `LEVEL`, side by side from
the middle of the world. A map in degrees or in a Gauss-Krueger zone is drawn as sharp as any other; nothing is warped.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
import pyproj

from layers.crs import STORAGE_SRID, WEB_MERCATOR_SRID, storage_transformer
from layers.errors import CrsRefused
from layers.gauss import SIX_DEGREE, THREE_DEGREE, Zone
from layers.ladder import WORLD

Box = tuple[float, float, float, float]
LEVEL = 10
"""Zoom level of the cells in the renderer's plane; images up to half a million points find room there."""
CELL = 512
MARGIN = 64 / 4096
"""Share of a cell by which its window is wider on each side."""
HIGHEST, MOST_DETAILED = 22, 24.0
MERCATOR_LIMIT = 85.0511287798066
_DEGREE = math.pi / 180 * 6378137.0
"""Metres of a degree of a great circle."""
_REACH_EAST, _REACH_NORTH, _REACH_DEGREES = 4.5e6, 1.0e7, 40.0
"""How far from the central meridian (metres, degrees) and from the equator a Gauss-Krueger plane is filled."""
_FALSE_EASTING = 500_000.0
_SAMPLES = 9
_SLACK = 0.02


@dataclass(frozen=True)
class MapCrs:
    """A CRS in which maps are drawn.

    Attributes:
        name: As clients write it, such as `EPSG:4490` or `CRS:84`.
        srid: EPSG code for the database.
        swapped: Whether the CRS has its north axis first, so that WMS 1.3.0 writes boxes south, west, north, east.
        zone: Gauss-Krueger zone, else None.
        prefixed: Whether eastings carry the number of the zone.
    """

    name: str
    srid: int
    swapped: bool = False
    zone: Zone | None = None
    prefixed: bool = False

    @property
    def kind(self) -> str:
        """`mercator`, `degrees` or `zone`."""
        if self.zone is not None:
            return "zone"
        return "mercator" if self.srid == WEB_MERCATOR_SRID else "degrees"

    @property
    def world(self) -> Box:
        """West, south, east, north in degrees of what the CRS can show."""
        if self.zone is not None:
            return self.zone.meridian - _REACH_DEGREES, -89.9, self.zone.meridian + _REACH_DEGREES, 89.9
        limit = MERCATOR_LIMIT if self.kind == "mercator" else 90.0
        return -180.0, -limit, 180.0, limit

    @property
    def reach(self) -> Box:
        """Left, bottom, right, top in units of the CRS of what is filled."""
        if self.zone is None:
            half = WORLD / 2
            return (-half, -half, half, half) if self.kind == "mercator" else self.world
        middle = _FALSE_EASTING + (self.zone.prefix if self.prefixed else 0.0)
        return middle - _REACH_EAST, -_REACH_NORTH, middle + _REACH_EAST, _REACH_NORTH


@lru_cache(maxsize=1)
def map_systems() -> dict[str, MapCrs]:
    """The offered CRSs by name: Web Mercator, degrees, and all Gauss-Krueger zones of CGCS2000 in both forms."""
    plain = [
        MapCrs("EPSG:3857", WEB_MERCATOR_SRID),
        MapCrs("CRS:84", STORAGE_SRID),
        MapCrs("EPSG:4326", STORAGE_SRID, swapped=True),
        MapCrs("EPSG:4490", STORAGE_SRID, swapped=True),
    ]
    for number in (*SIX_DEGREE, *THREE_DEGREE):
        zone = Zone(number)
        for prefixed in (True, False):
            code = zone.code("cgcs2000", prefixed=prefixed)
            plain.append(MapCrs(f"EPSG:{code}", code, swapped=True, zone=zone, prefixed=prefixed))
    return {one.name: one for one in plain}


def map_crs(name: str) -> MapCrs:
    """The CRS of a name; case does not matter.

    Raises:
        CrsRefused: When maps are not drawn in it.
    """
    found = map_systems().get(name.upper())
    if found is None:
        raise CrsRefused(
            f"Maps are not drawn in {name[:40]!r}; expected EPSG:3857, CRS:84, EPSG:4326, EPSG:4490 or a Gauss-Krueger "
            "zone of CGCS2000 (EPSG:4491 to 4554).",
            crs=name[:40],
        )
    return found


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell of an image: its column and row, and its box (left, bottom, right, top) in the CRS of the map."""

    column: int
    row: int
    box: Box


@dataclass(frozen=True)
class Plane:
    """An image and the ground that it shows.

    Attributes:
        crs: CRS of the map.
        box: Left, bottom, right, top in units of that CRS, x to the east.
        width, height: Points; an image of ratio 2 has twice as many pixels.
    """

    crs: MapCrs
    box: Box
    width: int
    height: int

    @property
    def steps(self) -> tuple[float, float]:
        """Width and height of a point in units of the CRS."""
        left, bottom, right, top = self.box
        return (right - left) / self.width, (top - bottom) / self.height

    def cells(self) -> Iterator[Cell]:
        """The cells of the image from the north-west; the last ones reach over its edge."""
        across, down = self.steps
        for row in range(math.ceil(self.height / CELL)):
            for column in range(math.ceil(self.width / CELL)):
                left, top = self.box[0] + column * CELL * across, self.box[3] - row * CELL * down
                yield Cell(column, row, (left, top - CELL * down, left + CELL * across, top))

    @property
    def camera(self) -> tuple[float, float]:
        """Longitude and latitude of the middle of the image in the renderer's plane."""
        points = CELL * 2**LEVEL
        lat = math.atan(math.sinh(-math.pi * self.height / points))
        return self.width / points * 180.0, math.degrees(lat)

    def address(self, cell: Cell) -> tuple[int, int]:
        """Column and row of a cell among the tiles of the renderer's plane."""
        middle = 2 ** (LEVEL - 1)
        return middle + cell.column, middle + cell.row

    @cached_property
    def centre(self) -> tuple[float, float]:
        """Longitude and latitude of the middle of the map; the middle of the CRS where the map reaches beyond it."""
        left, bottom, right, top = self.box
        lon, lat = degrees_of(self.crs, (left + right) / 2, (bottom + top) / 2)
        if math.isfinite(lon) and math.isfinite(lat):
            return max(-180.0, min(180.0, lon)), max(-MERCATOR_LIMIT, min(MERCATOR_LIMIT, lat))
        return (0.0 if self.crs.zone is None else float(self.crs.zone.meridian)), 0.0

    @property
    def ground(self) -> float:
        """Metres on the ground per point, at the centre."""
        across, down = self.steps
        shrunk = math.cos(math.radians(self.centre[1]))
        if self.crs.kind == "degrees":
            return math.sqrt(across * down * shrunk) * _DEGREE
        return math.sqrt(across * down) * (shrunk if self.crs.kind == "mercator" else 1.0)

    @property
    def zoom(self) -> float:
        """The zoom level of Web Mercator that shows the ground at the same scale, at the latitude of the centre."""
        shrunk = math.cos(math.radians(self.centre[1]))
        return max(0.0, min(MOST_DETAILED, math.log2(WORLD * shrunk / CELL / self.ground)))

    @property
    def level(self) -> int:
        """The whole zoom level whose rows are drawn."""
        return min(HIGHEST, math.floor(self.zoom))

    def point(self, lon: float, lat: float) -> tuple[float, float]:
        """Where a place (degrees) lies in the image, in points from its upper left corner."""
        x, y = place_in(self.crs, lon, lat)
        across, down = self.steps
        return (x - self.box[0]) / across, (self.box[3] - y) / down

    def degrees(self, column: float, row: float) -> tuple[float, float]:
        """Longitude and latitude of a place in the image, given in points from its upper left corner."""
        across, down = self.steps
        return degrees_of(self.crs, self.box[0] + column * across, self.box[3] - row * down)


def degrees_of(crs: MapCrs, x: float, y: float) -> tuple[float, float]:
    """Longitude and latitude of coordinates (x to the east); infinite where the CRS does not reach."""
    way = _way(crs)
    return (x, y) if way is None else way.transform(x, y)


def place_in(crs: MapCrs, lon: float, lat: float) -> tuple[float, float]:
    """Coordinates (x to the east) of a place in degrees; infinite where the CRS does not reach."""
    way = _way(crs)
    return (lon, lat) if way is None else way.transform(lon, lat, direction="INVERSE")


def window(crs: MapCrs, box: Box) -> Box | None:
    """West, south, east, north in degrees of a box around a box of the CRS; None where the CRS does not reach."""
    left, bottom, right, top = _common(box, crs.reach)
    if left >= right or bottom >= top:
        return None
    x, y = (a.ravel() for a in np.meshgrid(np.linspace(left, right, _SAMPLES), np.linspace(bottom, top, _SAMPLES)))
    way = _way(crs)
    lon, lat = (x, y) if way is None else way.transform(x, y)
    known = np.isfinite(lon) & np.isfinite(lat)
    if not known.any():
        return None
    west, east, south, north = (float(f(a[known])) for a in (lon, lat) for f in (np.min, np.max))
    # Between the samples an edge may bulge a little.
    wide, high = ((east - west) * _SLACK, (north - south) * _SLACK) if crs.zone is not None else (0.0, 0.0)
    found = _common((west - wide, south - high, east + wide, north + high), crs.world)
    return found if found[0] < found[2] and found[1] < found[3] else None


def grown(box: Box, share: float = MARGIN) -> Box:
    """A box that is wider by a share of its sides on each side."""
    wide, high = (box[2] - box[0]) * share, (box[3] - box[1]) * share
    return box[0] - wide, box[1] - high, box[2] + wide, box[3] + high


def mercator_of(box: Box) -> Box:
    """A box in degrees as left, bottom, right, top in metres of Web Mercator."""
    limited = _common(box, (-180.0, -MERCATOR_LIMIT, 180.0, MERCATOR_LIMIT))
    left, bottom = place_in(map_crs("EPSG:3857"), limited[0], limited[1])
    right, top = place_in(map_crs("EPSG:3857"), limited[2], limited[3])
    return left, bottom, right, top


def _common(one: Box, other: Box) -> Box:
    low = (max(one[0], other[0]), max(one[1], other[1]))
    return (*low, min(one[2], other[2]), min(one[3], other[3]))


@lru_cache(maxsize=128)
def _way(crs: MapCrs) -> pyproj.Transformer | None:
    return storage_transformer(pyproj.CRS.from_epsg(crs.srid))
