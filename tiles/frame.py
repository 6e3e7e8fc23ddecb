"""A frame: the pixels that an image or a grid of heights has on the ground, in one CRS."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from affine import Affine
from rasterio.crs import CRS
from rasterio.warp import transform_bounds

from layers.crs import WEB_MERCATOR_SRID
from tiles.sets.model import Place

Numbers = npt.NDArray[np.float64]
Kind = Literal["mercator", "degrees", "other"]
RADIUS = 6378137.0
"""Radius of the sphere of Web Mercator, and semi-major axis of CGCS2000 and WGS 84 (m)."""
FLATTENING = 1 / 298.257222101
"""Flattening of CGCS2000 (GB 22021); that of WGS 84 is equal to nine digits."""
_DEGREES = frozenset({4326, 4490})


@dataclass(frozen=True, slots=True)
class Frame:
    """Rows and columns of pixels, north up.

    Attributes:
        epsg: CRS. EPSG:4490 and EPSG:4326 stand for each other (`layers.crs.NULL_LINK`).
        bounds: xmin, ymin, xmax, ymax in that CRS, x=east or longitude, y=north or latitude.
        width, height: Pixels along either side.
    """

    epsg: int
    bounds: tuple[float, float, float, float]
    width: int
    height: int

    @classmethod
    def of_place(cls, place: Place, size: int) -> Frame:
        """The frame of a tile of any set."""
        return cls(place.grid.srid, place.bounds, size, size)

    @property
    def kind(self) -> Kind:
        """Whether x and y are metres of Web Mercator, degrees, or something else."""
        if self.epsg == WEB_MERCATOR_SRID:
            return "mercator"
        return "degrees" if self.epsg in _DEGREES else "other"

    @property
    def crs(self) -> CRS:
        """The CRS for GDAL; degrees are those of EPSG:4326, for which PROJ is many times faster than for EPSG:4490."""
        return CRS.from_epsg(4326 if self.kind == "degrees" else self.epsg)

    @property
    def steps(self) -> tuple[float, float]:
        """Width and height of a pixel in units of the CRS."""
        west, south, east, north = self.bounds
        return (east - west) / self.width, (north - south) / self.height

    @property
    def transform(self) -> Affine:
        """From column and row to x and y."""
        across, down = self.steps
        return Affine(across, 0.0, self.bounds[0], 0.0, -down, self.bounds[3])

    def grown(self, pixels: int) -> Frame:
        """The frame with so many more pixels on every side."""
        across, down = (step * pixels for step in self.steps)
        west, south, east, north = self.bounds
        box = (west - across, south - down, east + across, north + down)
        return replace(self, bounds=box, width=self.width + 2 * pixels, height=self.height + 2 * pixels)

    def centres(self) -> tuple[Numbers, Numbers]:
        """Of the columns x, of the rows y, in the middle of their pixels."""
        across, down = self.steps
        x = self.bounds[0] + (np.arange(self.width, dtype=np.float64) + 0.5) * across
        y = self.bounds[3] - (np.arange(self.height, dtype=np.float64) + 0.5) * down
        return np.asarray(x), np.asarray(y)

    def degrees(self) -> tuple[float, float, float, float]:
        """West, south, east, north in degrees of a box around the frame; the whole row of them across 180 degrees."""
        west, south, east, north = self.bounds
        if self.kind == "degrees":
            return self.bounds
        if self.kind == "mercator":
            lon, lat = longitude(np.array([west, east])), latitude(np.array([south, north]))
            return float(lon[0]), float(lat[0]), float(lon[1]), float(lat[1])
        west, south, east, north = transform_bounds(self.crs, CRS.from_epsg(4326), *self.bounds)
        return (west, south, east, north) if west <= east else (-180.0, south, 180.0, north)

    def ground(self) -> tuple[Numbers, Numbers]:
        """Width and height of a pixel on the ground in metres, by row.

        On the ellipsoid, from the radii of curvature in the prime vertical N and in the meridian M (Snyder, Map
        Projections, 4-20 and 4-19). Other CRS are projected and true to scale to a thousandth: there it is the step.
        """
        across, down = self.steps
        if self.kind == "other":
            return np.full(self.height, across), np.full(self.height, down)
        _, y = self.centres()
        phi = np.radians(latitude(y) if self.kind == "mercator" else y)
        squared = FLATTENING * (2 - FLATTENING)
        bent = 1 - squared * np.sin(phi) ** 2
        vertical, meridian = RADIUS / np.sqrt(bent), RADIUS * (1 - squared) / bent**1.5
        angles = np.cos(phi) / RADIUS if self.kind == "mercator" else np.full(self.height, math.pi / 180)
        parallel = 1 / RADIUS if self.kind == "mercator" else math.pi / 180
        return vertical * np.cos(phi) * parallel * across, meridian * angles * down


def longitude(x: npt.NDArray[Any]) -> Numbers:
    """Degrees of longitude of metres of Web Mercator (EPSG method 1024)."""
    return np.degrees(np.asarray(x, dtype=np.float64) / RADIUS)


def latitude(y: npt.NDArray[Any]) -> Numbers:
    """Degrees of latitude of metres of Web Mercator (EPSG method 1024)."""
    return np.degrees(np.arctan(np.sinh(np.asarray(y, dtype=np.float64) / RADIUS)))


def easting(lon: npt.NDArray[Any]) -> Numbers:
    """Metres of Web Mercator of degrees of longitude (EPSG method 1024)."""
    return np.asarray(np.radians(lon) * RADIUS, dtype=np.float64)


def northing(lat: npt.NDArray[Any]) -> Numbers:
    """Metres of Web Mercator of degrees of latitude (EPSG method 1024); infinite at the poles."""
    with np.errstate(divide="ignore"):
        return np.asarray(np.arctanh(np.sin(np.radians(lat))) * RADIUS, dtype=np.float64)
