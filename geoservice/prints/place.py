"""Where a printed map lies: its CRS, its true scale on paper, and the way to north.

A scale is meant on the ground, at the middle of the map, on the ellipsoid: what the CRS stretches there (Web Mercator
by 1/cos of the latitude, a Gauss-Krueger zone by some parts in a thousand) is taken out, in both directions by itself.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

import pyproj

from geoservice.prints.asked import LEAST_SCALE, MOST_SCALE, SheetBody
from layers.errors import BadParameter
from layers.gauss import zone_of
from tiles.plane import Box, MapCrs, Plane, degrees_of, map_crs, place_in, window
from web.sheet.layout import POINT, Layout

_GEOD = pyproj.Geod(ellps="GRS80")
_METRE_MM = 1000.0
_STEP = {"degrees": 1e-4}
_STEP_METRES = 10.0
_NICE = (1, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10)
_MOST_ZONED, _NARROW = 1_000_000, 10_000
_CHINA = (3.0, 54.0)
_SAMPLES, _SLACK = 5, 1.0000001
_MOST_LON, _MOST_LAT, _UPRIGHT = 180.0, 85.0, 1e-6


@dataclass(frozen=True)
class Placed:
    """A printed map on the ground.

    Attributes:
        plane: The map; as many points as its frame on paper.
        scale: Denominator of its scale at the middle.
        north: Degrees clockwise from the upper side to true north, at the middle.
    """

    plane: Plane
    scale: int
    north: float

    def page(self, place: Layout) -> Plane:
        """The whole paper as a map, of which the frame shows its part."""
        (left, top, _, _), (wide, high) = place.points, place.page_points
        across, down = self.plane.steps
        x, y = self.plane.box[0] - left * across, self.plane.box[3] + top * down
        return Plane(self.plane.crs, (x, y - high * down, x + wide * across, y), wide, high)

    def outline(self, samples: int = 8) -> list[list[float]]:
        """The frame as a closed ring of longitudes and latitudes; its sides are curves there."""
        one = self.plane
        corners = [(0.0, 0.0), (one.width, 0.0), (one.width, one.height), (0.0, one.height), (0.0, 0.0)]
        ring = []
        for (x0, y0), (x1, y1) in pairwise(corners):
            for n in range(samples):
                share = n / samples
                lon, lat = one.degrees(x0 + (x1 - x0) * share, y0 + (y1 - y0) * share)
                ring.append([round(float(lon), 8), round(float(lat), 8)])
        return [*ring, ring[0]]


def placed(asked: SheetBody, place: Layout) -> Placed:
    """Where the map that was asked for lies.

    Raises:
        BadParameter: When the place or scale is missing, said twice, or out of reach of the CRS.
        CrsRefused: When maps are not drawn in the CRS.
    """
    if (asked.bbox is None) == (asked.center is None):
        raise BadParameter("The place is given as bbox, or as center together with scale.", parameter="bbox")
    if asked.bbox is not None:
        return _around(asked, _box(asked.bbox), place)
    if asked.scale is None or asked.center is None:
        raise BadParameter("center needs a scale, such as 50000 for 1:50,000.", parameter="scale")
    lon, lat = asked.center
    if abs(lon) > _MOST_LON or abs(lat) > _MOST_LAT:
        raise BadParameter("center is lon, lat in degrees, within 85 degrees of latitude.", parameter="center")
    crs = map_crs(asked.crs) if asked.crs else usual_crs(lon, lat, asked.scale)
    return _centred(crs, place_in(crs, lon, lat), asked.scale, place)


def _box(box: Box) -> Box:
    west, south, east, north = box
    if not (-_MOST_LON <= west < east <= _MOST_LON and -_MOST_LAT <= south < north <= _MOST_LAT):
        raise BadParameter(
            "bbox is west, south, east, north in degrees, within 85 degrees of latitude, and does not cross 180.",
            parameter="bbox",
        )
    return box


def _around(asked: SheetBody, box: Box, place: Layout) -> Placed:
    west, south, east, north = box
    lon, lat = (west + east) / 2, (south + north) / 2
    wide = _GEOD.inv(west, lat, lon, lat)[2] * 2
    high = _GEOD.inv(lon, south, lon, north)[2]
    rough = max(wide / place.frame.width, high / place.frame.height) * _METRE_MM
    crs = map_crs(asked.crs) if asked.crs else usual_crs(lon, lat, asked.scale or rough)
    places = [
        place_in(crs, west + (east - west) * i / _SAMPLES, south + (north - south) * j / _SAMPLES)
        for i in range(_SAMPLES + 1)
        for j in range(_SAMPLES + 1)
    ]
    if not all(math.isfinite(x) and math.isfinite(y) for x, y in places):
        raise BadParameter(f"{crs.name} does not reach the box that was asked for.", parameter="bbox")
    xs, ys = [x for x, _ in places], [y for _, y in places]
    middle = (min(xs) + max(xs)) / 2, (min(ys) + max(ys)) / 2
    across, up = factors(crs, middle)
    needed = max((max(xs) - min(xs)) * across / place.frame.width, (max(ys) - min(ys)) * up / place.frame.height)
    return _centred(crs, middle, asked.scale or nice_scale(needed * _METRE_MM), place)


def nice_scale(least: float) -> int:
    """The first round scale denominator that is not smaller than a number."""
    power = 10.0 ** math.floor(math.log10(max(least, LEAST_SCALE)))
    found = next(n * power for n in _NICE if n * power * _SLACK >= least)
    return min(round(found), MOST_SCALE)


def usual_crs(lon: float, lat: float, scale: float) -> MapCrs:
    """The CRS in which a map of this place and scale is printed when none was asked for.

    Zones of 3 degrees up to 1:10,000 and of 6 degrees beyond are the ones of the national map series (GB/T 13989).
    """
    if scale <= _MOST_ZONED and _CHINA[0] <= lat <= _CHINA[1]:
        try:
            zone = zone_of(lon, 3 if scale <= _NARROW else 6)
        except ValueError:
            return map_crs("EPSG:3857")
        return map_crs(f"EPSG:{zone.code('cgcs2000', prefixed=True)}")
    return map_crs("EPSG:3857")


def _centred(crs: MapCrs, middle: tuple[float, float], scale: int, place: Layout) -> Placed:
    x, y = middle
    if not (math.isfinite(x) and math.isfinite(y)):
        raise BadParameter(f"{crs.name} does not reach the place that was asked for.", parameter="crs")
    _, _, width, height = place.points
    across, up = factors(crs, middle)
    metres = POINT / _METRE_MM * scale
    half = width / 2 * metres / across, height / 2 * metres / up
    box = (x - half[0], y - half[1], x + half[0], y + half[1])
    if window(crs, box) is None:
        raise BadParameter(f"{crs.name} does not reach the place that was asked for.", parameter="crs")
    found = Placed(Plane(crs, box, width, height), scale, _north(crs, middle))
    if not all(math.isfinite(value) for corner in found.outline() for value in corner):
        raise BadParameter(
            f"{crs.name} does not reach as far as a paper at 1:{scale:,} does; ask for a larger scale, or EPSG:3857.",
            parameter="crs",
        )
    return found


def factors(crs: MapCrs, middle: tuple[float, float]) -> tuple[float, float]:
    """Metres on the ellipsoid per unit of a CRS at a place, along its x and y axes.

    Raises:
        BadParameter: When the CRS does not reach there.
    """
    (x, y), step = middle, _STEP.get(crs.kind, _STEP_METRES)
    found = []
    for dx, dy in ((step, 0.0), (0.0, step)):
        ends = (*degrees_of(crs, x - dx, y - dy), *degrees_of(crs, x + dx, y + dy))
        if not all(math.isfinite(value) for value in ends):
            raise BadParameter(f"{crs.name} does not reach the place that was asked for.", parameter="crs")
        found.append(_GEOD.inv(*ends)[2] / (2 * step))
    return found[0], found[1]


def _north(crs: MapCrs, middle: tuple[float, float]) -> float:
    lon, lat = degrees_of(crs, *middle)
    x, y = place_in(crs, lon, lat + _STEP["degrees"])
    turn = math.degrees(math.atan2(x - middle[0], y - middle[1]))
    return 0.0 if abs(turn) < _UPRIGHT else turn
