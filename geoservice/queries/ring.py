"""Geodesic buffers: everything within a distance of a geometry, in metres on the ellipsoid.

A point's buffer is a polygon whose corners lie at the distance. Anything else is cut into pieces of at most a degree;
each is buffered in the azimuthal equidistant projection of its own middle, in which distances from the middle are exact
and those across a piece and its surroundings wrong by less than one in a thousand, and the results are merged. What
reaches beyond a pole or over the meridian of 180 degrees is closed and cut there (RFC 7946, 3.1.9).
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import pyproj
import shapely
import shapely.affinity

from geoservice.queries.geodesy import ellipsoid
from layers.area import INVERSE_FLATTENING, MAX_EDGE_DEGREES, SEMI_MAJOR
from layers.errors import BadGeometry, BadParameter, TooLarge

Floats = npt.NDArray[np.float64]
CORNERS = 128
MOST_METRES = 2_000_000.0
"""For points; a larger circle is no neighbourhood any more."""
MOST_METRES_AROUND = 100_000.0
"""For anything else, so that the projections stay true to one in a thousand."""
MOST_PIECES = 400
_PIECE = 1.0
_QUARTER = 16
_TURN, _HALF_TURN, _POLE = 360.0, 180.0, 90.0


def buffered(geometry: shapely.Geometry, metres: float) -> shapely.Geometry:
    """Everything within a distance of a geometry, in longitude and latitude.

    Args:
        geometry: Any geometry in longitude and latitude.
        metres: The distance, above 0.

    Raises:
        BadParameter: When the distance is larger than can be answered.
        TooLarge: When the geometry reaches over more degrees than can be answered.
        BadGeometry: When it is empty.
    """
    if shapely.is_empty(geometry):
        raise BadGeometry("An empty geometry has no surroundings.", where="geometry")
    points = shapely.get_dimensions(geometry) == 0
    most = MOST_METRES if points else MOST_METRES_AROUND
    if not 0 < metres <= most:
        raise BadParameter(
            f"distance is more than 0 and at most {most:g} metres around {'points' if points else 'lines and areas'}; "
            f"{metres:g} is not.",
            parameter="distance",
            maximum=most,
        )
    if points:
        circles = [_circle(x, y, metres) for x, y in shapely.get_coordinates(geometry).tolist()]
        return _merged(circles)
    return _merged([_around(piece, metres) for piece in _pieces(geometry)])


def _merged(parts: list[shapely.Geometry]) -> shapely.Geometry:
    return parts[0] if len(parts) == 1 else shapely.union_all(parts)


def _circle(x: float, y: float, metres: float) -> shapely.Geometry:
    # Counter-clockwise, so that outer rings have the direction that RFC 7946 wants.
    azimuths = -np.arange(CORNERS) * (_TURN / CORNERS)
    lon, lat, _ = ellipsoid().fwd(np.full(CORNERS, x), np.full(CORNERS, y), azimuths, np.full(CORNERS, metres))
    ring = np.column_stack([lon, lat])
    return world_of(np.concatenate([ring, ring[:1]]), y)


def _pieces(geometry: shapely.Geometry) -> Iterator[shapely.Geometry]:
    west, south, east, north = shapely.bounds(geometry).tolist()
    columns = np.arange(np.floor(west / _PIECE), np.floor(east / _PIECE) + 1) * _PIECE
    rows = np.arange(np.floor(south / _PIECE), np.floor(north / _PIECE) + 1) * _PIECE
    shapely.prepare(geometry)
    found = 0
    for column in columns.tolist():
        for row in rows.tolist():
            cell = shapely.box(column, row, column + _PIECE, row + _PIECE)
            if not shapely.intersects(geometry, cell):
                continue
            piece = shapely.intersection(geometry, cell)
            found += 1
            if found > MOST_PIECES:
                raise TooLarge(
                    f"The geometry reaches into more than {MOST_PIECES} cells of a degree; ask about its parts.",
                    limit=MOST_PIECES,
                )
            if not shapely.is_empty(piece):
                yield piece


def _around(piece: shapely.Geometry, metres: float) -> shapely.Geometry:
    middle = shapely.centroid(shapely.envelope(piece))
    x, y = float(shapely.get_x(middle)), float(shapely.get_y(middle))
    plane = pyproj.Proj(proj="aeqd", lon_0=x, lat_0=y, a=SEMI_MAJOR, rf=INVERSE_FLATTENING)
    # Edges are straight in longitude and latitude; short ones are straight in the plane as well.
    dense = shapely.segmentize(piece, MAX_EDGE_DEGREES * 4)
    flat = shapely.transform(dense, lambda at: np.column_stack(plane(at[:, 0], at[:, 1])))
    grown = shapely.segmentize(shapely.buffer(flat, metres, quad_segs=_QUARTER), max(metres, 5_000.0))
    found = list[shapely.Geometry]()
    for part in shapely.get_parts(grown):
        whole = _ring_on_world(part.exterior, plane, y)
        for hole in part.interiors:
            whole = shapely.difference(whole, _ring_on_world(hole, plane, y))
        found.append(whole)
    return _merged(found)


def _ring_on_world(ring: shapely.Geometry, plane: pyproj.Proj, latitude: float) -> shapely.Geometry:
    at = shapely.get_coordinates(ring)
    lon, lat = plane(at[:, 0], at[:, 1], inverse=True)
    return world_of(np.column_stack([lon, lat]), latitude)


def world_of(ring: Floats, latitude: float) -> shapely.Geometry:
    """The area inside a closed ring of short steps, cut at 180 degrees and closed at a pole that it goes around.

    Args:
        ring: Positions in degrees, the last one equal to the first; longitudes may jump by a turn.
        latitude: Of the middle: which pole lies inside, if one does.
    """
    steps = np.diff(ring[:, 0])
    steps -= np.round(steps / _TURN) * _TURN
    lon = np.concatenate([ring[:1, 0], ring[0, 0] + np.cumsum(steps)])
    lat = ring[:, 1]
    if abs(lon[-1] - lon[0]) > _HALF_TURN:
        pole = np.copysign(_POLE, latitude)
        lon = np.concatenate([lon, [lon[-1], lon[0], lon[0]]])
        lat = np.concatenate([lat, [pole, pole, lat[0]]])
    area: shapely.Geometry = shapely.Polygon(np.column_stack([lon, lat]))
    if not shapely.is_valid(area):
        area = shapely.make_valid(area)
    if lon.min() >= -_HALF_TURN and lon.max() <= _HALF_TURN:
        return area
    return _cut(area, float(lon.min()), float(lon.max()))


def _cut(area: shapely.Geometry, west: float, east: float) -> shapely.Geometry:
    found = list[shapely.Geometry]()
    for turn in range(int(np.floor((west + _HALF_TURN) / _TURN)), int(np.floor((east + _HALF_TURN) / _TURN)) + 1):
        left = turn * _TURN - _HALF_TURN
        part = shapely.intersection(area, shapely.box(left, -_POLE, left + _TURN, _POLE))
        pieces = shapely.get_parts(part)
        # Where the ring only touches the cut there is nothing but a line.
        areas = pieces[shapely.get_dimensions(pieces) == len(("lon", "lat"))]
        found += [shapely.affinity.translate(one, xoff=-turn * _TURN) for one in areas]
    return _merged(found)
