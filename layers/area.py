"""The area rule: ellipsoidal area on the CGCS2000 ellipsoid, edges straight in longitude and latitude.

Edges are densified to at most 1 km first, so that the parts of a cut polygon add up to the whole. The area is then
taken in the ellipsoidal Lambert cylindrical equal-area projection (EPSG method 9835), which keeps areas exactly.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt
import pyproj
import shapely

SEMI_MAJOR = 6378137.0
INVERSE_FLATTENING = 298.257222101
MAX_EDGE_DEGREES = 1000.0 / 111319.49079327358
"""1 km of the equator in degrees (2 pi a / 360); everywhere else a degree of longitude is shorter."""

SQUARE_METRES_PER_HECTARE = 10_000.0
SQUARE_METRES_PER_MU = 10_000.0 / 15.0


def ellipsoidal_area(geometry: shapely.Geometry | npt.NDArray[np.object_]) -> npt.NDArray[np.float64]:
    """Areas in square metres of geometries whose coordinates are x=longitude, y=latitude in degrees.

    Args:
        geometry: One geometry or an array of them. Lines and points have area 0; None has NaN.

    Returns:
        An array of the same shape (a 0-dimensional one for a single geometry).
    """
    values = np.asarray(geometry, dtype=np.object_)
    dense = shapely.segmentize(values, MAX_EDGE_DEGREES)
    flat = shapely.transform(dense, _project)
    return np.asarray(shapely.area(flat), dtype=np.float64)


def ellipsoidal_length(geometry: shapely.Geometry) -> float:
    """Length in metres of a line in longitude and latitude, edges straight in longitude and latitude."""
    geod = pyproj.Geod(a=SEMI_MAJOR, rf=INVERSE_FLATTENING)
    return float(geod.geometry_length(shapely.segmentize(geometry, MAX_EDGE_DEGREES)))


def ellipsoidal_lengths(geometries: npt.NDArray[np.object_]) -> npt.NDArray[np.float64]:
    """Lengths in metres of the lines in geometries in longitude and latitude, as `ellipsoidal_length` measures them.

    Args:
        geometries: Geometries of any kind; points and areas in them have no length, None has none either.
    """
    owner = np.arange(len(geometries))
    parts = geometries
    # Collections may hold lines of several parts.
    for _ in range(2):
        parts, inner = shapely.get_parts(parts, return_index=True)
        owner = owner[inner]
    lines = shapely.get_dimensions(parts) == 1
    dense = shapely.segmentize(parts[lines], MAX_EDGE_DEGREES)
    at, line = shapely.get_coordinates(dense, return_index=True)
    same = line[1:] == line[:-1]
    geod = pyproj.Geod(a=SEMI_MAJOR, rf=INVERSE_FLATTENING)
    begin, end = at[:-1][same], at[1:][same]
    _, _, metres = geod.inv(begin[:, 0], begin[:, 1], end[:, 0], end[:, 1])
    whole = np.bincount(owner[lines][line[1:][same]], weights=metres, minlength=len(geometries))
    return np.asarray(whole, dtype=np.float64)


@lru_cache(maxsize=1)
def _equal_area() -> pyproj.Transformer:
    ellipsoid = f"+a={SEMI_MAJOR} +rf={INVERSE_FLATTENING}"
    return pyproj.Transformer.from_pipeline(
        f"+proj=pipeline +step +proj=unitconvert +xy_in=deg +xy_out=rad +step +proj=cea {ellipsoid} +over"
    )


def _project(coordinates: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    x, y = _equal_area().transform(coordinates[:, 0], coordinates[:, 1])
    return np.column_stack([x, y])
