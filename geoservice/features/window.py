"""Boxes in any offered coordinate reference system, as what they are in storage."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pyproj
import shapely

from layers.crs import CRS84_URI, STORAGE_SRID, WEB_MERCATOR_SRID, storage_transformer
from layers.errors import BadParameter
from layers.extent import Extent, parse_bbox
from layers.offered import OfferedCrs

_FLAT, _SOLID = 4, 6
_STEP = 1_000.0
"""Metres between the points by which the edge of a projected box is followed."""
_FEWEST, _MOST = 8, 256
_HALF = 20_037_508.342789244
"""Half the side of the square of Web Mercator in metres."""
_WIDEST, _HIGHEST = 60.0, 85.0
"""Degrees from the central meridian, and of latitude, within which a transverse Mercator box is taken."""


@dataclass(frozen=True, slots=True)
class Window:
    """What a box is in storage: a box in degrees, or a polygon as EWKB where its edges are curves there."""

    bbox: Extent | None = None
    region: bytes | None = None


def parse_window(text: str, crs: OfferedCrs) -> Window:
    """Read `bbox` in the coordinate reference system of `bbox-crs`, its axes in the order of the authority.

    Raises:
        BadParameter: When it is not 4 or 6 finite numbers, is upside down, or lies outside what the system covers.
    """
    if crs.uri == CRS84_URI:
        return Window(parse_bbox(text))
    numbers = _corners(text, crs)
    if not crs.projected:
        return Window(parse_bbox(",".join(map(repr, numbers))))
    west, south, east, north = numbers
    if west > east or south > north:
        raise BadParameter("bbox goes from its lower to its upper corner; this one does not.", parameter="bbox")
    if crs.srid == WEB_MERCATOR_SRID:
        return Window(_mercator_box(numbers))
    return Window(region=_region(numbers, crs))


def _mercator_box(numbers: list[float]) -> Extent:
    """Edges of a box in Web Mercator are meridians and parallels; what is beyond the square is cut off."""
    west, south, east, north = (max(-_HALF, min(_HALF, number)) for number in numbers)
    lons, lats = _to_storage(WEB_MERCATOR_SRID).transform([west, east], [south, north])
    return Extent(lons[0], lats[0], lons[1], lats[1])


def _region(numbers: list[float], crs: OfferedCrs) -> bytes:
    """The polygon of a box in a transverse Mercator system: its edges are curves in degrees."""
    lons, lats = _to_storage(crs.srid).transform(*_edge(*numbers))
    middle = pyproj.CRS.from_epsg(crs.srid).to_cf()["longitude_of_central_meridian"]
    if not (np.all(np.abs(lons - middle) < _WIDEST) and np.all(np.abs(lats) < _HIGHEST)):
        raise BadParameter(
            f"bbox lies where {crs.uri} cannot be used; its coordinates are metres near the central meridian.",
            parameter="bbox",
        )
    polygon = shapely.set_srid(shapely.polygons(np.column_stack((lons, lats))), STORAGE_SRID)
    return bytes(shapely.to_wkb(polygon, include_srid=True))


def _edge(west: float, south: float, east: float, north: float) -> tuple[np.ndarray, np.ndarray]:
    across = np.linspace(west, east, _points(east - west))
    up = np.linspace(south, north, _points(north - south))
    xs = (across, np.full(len(up), east), across[::-1], np.full(len(up), west))
    ys = (np.full(len(across), south), up, np.full(len(across), north), up[::-1])
    return np.concatenate(xs), np.concatenate(ys)


def _points(length: float) -> int:
    return int(min(_MOST, max(_FEWEST, length / _STEP)))


def _to_storage(srid: int) -> pyproj.Transformer:
    way = storage_transformer(pyproj.CRS.from_epsg(srid))
    if way is None:
        raise LookupError("a projected system is always converted")
    return way


def _corners(text: str, crs: OfferedCrs) -> list[float]:
    try:
        numbers = [float(part) for part in text.split(",")]
    except ValueError:
        numbers = []
    if len(numbers) not in (_FLAT, _SOLID) or not all(map(math.isfinite, numbers)):
        raise BadParameter(
            f"bbox is four numbers (or six, with heights) in the axis order of {crs.uri}; {text[:60]!r} is not that.",
            parameter="bbox",
        )
    half = len(numbers) // 2
    first, second, third, fourth = numbers[0], numbers[1], numbers[half], numbers[half + 1]
    return [second, first, fourth, third] if crs.swapped else [first, second, third, fourth]
