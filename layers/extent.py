"""Extents in longitude and latitude (degrees, CRS84 order). West may exceed east: then the box crosses 180 degrees."""

from __future__ import annotations

import math
from dataclasses import dataclass

from layers.errors import BadParameter

_EXPECTED = (
    "bbox is west,south,east,north (or with heights west,south,low,east,north,high) "
    "in degrees of longitude and latitude"
)
MAX_LON, MAX_LAT = 180.0, 90.0
_FLAT, _SOLID = 4, 6


@dataclass(frozen=True, slots=True)
class Extent:
    """A box on the globe: west, south, east, north in degrees. `west > east` crosses the antimeridian."""

    west: float
    south: float
    east: float
    north: float

    def boxes(self) -> tuple[tuple[float, float, float, float], ...]:
        """One plain box, or two when the extent crosses the antimeridian, as (xmin, ymin, xmax, ymax)."""
        if self.west <= self.east:
            return ((self.west, self.south, self.east, self.north),)
        return ((self.west, self.south, 180.0, self.north), (-180.0, self.south, self.east, self.north))

    def as_list(self) -> list[float]:
        """The four numbers in the order of a GeoJSON bbox."""
        return [self.west, self.south, self.east, self.north]

    def union(self, other: Extent) -> Extent:
        """The smallest box around two boxes that do not cross the antimeridian."""
        return Extent(
            min(self.west, other.west),
            min(self.south, other.south),
            max(self.east, other.east),
            max(self.north, other.north),
        )


def is_box(numbers: tuple[float, float, float, float]) -> bool:
    """Whether these are west, south, east, north (degrees) of a box with an inside that does not cross 180 degrees."""
    west, south, east, north = numbers
    return -MAX_LON <= west < east <= MAX_LON and -MAX_LAT <= south < north <= MAX_LAT


def parse_bbox(text: str) -> Extent:
    """Read the `bbox` parameter (OGC API Features Part 1, 7.15.3), CRS84 order; heights are ignored.

    Raises:
        BadParameter: When it is not 4 or 6 finite numbers, lies outside the world or stands upside down.
    """
    try:
        numbers = [float(part) for part in text.split(",")]
    except ValueError:
        raise BadParameter(f"{_EXPECTED}; {text[:60]!r} is not that.", parameter="bbox") from None
    if len(numbers) not in (_FLAT, _SOLID) or not all(map(math.isfinite, numbers)):
        raise BadParameter(f"{_EXPECTED}; got {len(numbers)} value(s) or one that is not finite.", parameter="bbox")
    if len(numbers) == _SOLID:
        numbers = [numbers[0], numbers[1], numbers[3], numbers[4]]
    west, south, east, north = numbers
    if max(abs(west), abs(east)) > MAX_LON or max(abs(south), abs(north)) > MAX_LAT:
        raise BadParameter(f"{_EXPECTED}; longitudes lie in [-180, 180] and latitudes in [-90, 90].", parameter="bbox")
    if south > north:
        raise BadParameter(f"{_EXPECTED}; south ({south:g}) lies above north ({north:g}).", parameter="bbox")
    return Extent(west, south, east, north)
