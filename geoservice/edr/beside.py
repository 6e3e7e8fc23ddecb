"""Stations beside a line: which lie within reach of it, and where along it each lies."""

from __future__ import annotations

import numpy as np
import shapely

from geoservice.edr.model import Along, Floats
from geoservice.queries.geodesy import geodesics
from geoservice.queries.ring import buffered
from layers.errors import BadGeometry, BadParameter

BESIDE = 5_000.0
"""Metres: a station further away does not lie on the way along a line."""


def land_beside(where: Along) -> shapely.Geometry:
    """The land within `BESIDE` of a line (longitude and latitude in degrees).

    Raises:
        BadParameter: When the line says at which time it is where: stations read at times of their own.
        BadGeometry: When it stays at one place.
    """
    if where.t:
        raise BadParameter(
            "Stations read at times of their own: give the line as LINESTRING, and the times as datetime.",
            parameter="coords",
        )
    line = _line(where)
    if not shapely.length(line):
        raise BadGeometry("A trajectory goes along a line between different places.", where="coords")
    return buffered(line, BESIDE)


def along(where: Along, x: Floats, y: Floats) -> Floats:
    """Metres from the beginning of a line to the place on it that is nearest to each point.

    The nearest place is found in degrees whose longitudes are shortened as they are in the middle of the line, which is
    good enough to say in which order the points lie.
    """
    vertices = np.column_stack([where.x, where.y])
    narrow = float(np.cos(np.radians(where.y.mean())))
    scaled = shapely.linestrings(vertices * (narrow, 1.0))
    reached = shapely.line_locate_point(scaled, shapely.points(x * narrow, y))
    steps = np.hypot(*(np.diff(vertices, axis=0) * (narrow, 1.0)).T)
    metres = geodesics(where.x[:-1], where.y[:-1], where.x[1:], where.y[1:])
    ends = np.concatenate([[0.0], np.cumsum(steps)])
    found: Floats = np.interp(reached, ends, np.concatenate([[0.0], np.cumsum(metres)]))
    return found


def _line(where: Along) -> shapely.Geometry:
    return shapely.LineString(np.column_stack([where.x, where.y]))
