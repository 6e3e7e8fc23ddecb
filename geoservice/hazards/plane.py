"""A plane around a place, for work in metres: azimuthal equidistant, true in distance and azimuth from its middle."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pyproj
import shapely

from geoservice.queries.geodesy import ellipsoid
from geoservice.queries.ring import world_of
from layers.area import INVERSE_FLATTENING, SEMI_MAJOR
from layers.extent import MAX_LAT, MAX_LON, Extent

Floats = npt.NDArray[np.float64]
_TURN = 360.0
_METRES_PER_DEGREE = 110_000.0
"""At most this many metres of a meridian make a degree: a box in degrees reaches rather too far."""


@dataclass(frozen=True)
class Plane:
    """A plane in metres, x east, y north, that touches the ellipsoid at a longitude and latitude in degrees."""

    lon: float
    lat: float

    @cached_property
    def _way(self) -> pyproj.Proj:
        return pyproj.Proj(proj="aeqd", lon_0=self.lon, lat_0=self.lat, a=SEMI_MAJOR, rf=INVERSE_FLATTENING)

    def onto(self, lon: Floats, lat: Floats) -> Floats:
        """Positions in the plane, one row each."""
        return np.column_stack(self._way(lon, lat))

    def shape(self, geometry: shapely.Geometry) -> shapely.Geometry:
        """A geometry in the plane."""
        return shapely.transform(geometry, lambda at: self.onto(at[:, 0], at[:, 1]))

    def back(self, area: shapely.Geometry, longest: float) -> shapely.Geometry:
        """Areas of the plane in degrees, cut at 180 degrees and closed at a pole.

        Args:
            area: Polygons in the plane.
            longest: Metres: edges are cut into pieces no longer, because straight lines are not straight in degrees.
        """
        found = list[shapely.Geometry]()
        for part in shapely.get_parts(shapely.segmentize(area, longest)):
            whole = self._ring(part.exterior)
            for hole in part.interiors:
                whole = shapely.difference(whole, self._ring(hole))
            found.append(whole)
        return shapely.union_all(found)

    def _ring(self, ring: shapely.Geometry) -> shapely.Geometry:
        at = shapely.get_coordinates(ring)
        lon, lat = self._way(at[:, 0], at[:, 1], inverse=True)
        return world_of(np.column_stack([lon, lat]), self.lat)


def around(lon: float, lat: float, azimuths: Floats, metres: Floats) -> shapely.Geometry:
    """The area inside a ring of points, each at an azimuth and a geodesic distance from a place.

    Args:
        lon: Longitude of the place in degrees.
        lat: Its latitude.
        azimuths: Degrees clockwise from north, ascending.
        metres: Distance of each.
    """
    # Against the clock, so that outer rings have the direction that RFC 7946 wants.
    turned, far = azimuths[::-1], metres[::-1]
    size = len(turned)
    x, y, _ = ellipsoid().fwd(np.full(size, lon), np.full(size, lat), turned, far)
    ring = np.column_stack([x, y])
    return world_of(np.concatenate([ring, ring[:1]]), lat)


def extent_around(lon: float, lat: float, metres: float) -> Extent:
    """A box that holds everything within a distance of a place; it may cross the antimeridian."""
    high = metres / _METRES_PER_DEGREE
    south, north = max(lat - high, -MAX_LAT), min(lat + high, MAX_LAT)
    widest = np.cos(np.radians(max(abs(south), abs(north))))
    if widest * MAX_LON <= high:
        return Extent(-MAX_LON, south, MAX_LON, north)
    wide = float(high / widest)
    return Extent(_wrapped(lon - wide), south, _wrapped(lon + wide), north)


def _wrapped(lon: float) -> float:
    return lon if -MAX_LON <= lon <= MAX_LON else lon - float(np.copysign(_TURN, lon))
