"""Places along a line at an even spacing, for a profile: where they are and how far from the beginning."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import shapely

from geoservice.queries.geodesy import geodesics
from layers.area import MAX_EDGE_DEGREES
from layers.errors import BadGeometry, TooLarge

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Stations:
    """Places along a line: longitudes, latitudes (degrees), metres from its beginning."""

    x: Floats
    y: Floats
    metres: Floats


def stations(line: shapely.Geometry, spacing: float, most: int) -> Stations:
    """Places every so many metres from the beginning of a line, and its end.

    Args:
        line: A line string; its edges are straight in longitude and latitude.
        spacing: Metres, above 0.
        most: Most places.

    Raises:
        BadGeometry: When it is no line string.
        TooLarge: When there were more places.
    """
    if not isinstance(line, shapely.LineString):
        raise BadGeometry(f"A profile goes along a LineString; this is a {type(line).__name__}.", where="geometry")
    # On pieces of a kilometre the difference between a geodesic and a straight edge is below 3 centimetres.
    at = shapely.get_coordinates(shapely.segmentize(line, MAX_EDGE_DEGREES))
    steps = geodesics(at[:-1, 0], at[:-1, 1], at[1:, 0], at[1:, 1])
    along = np.concatenate([[0.0], np.cumsum(steps)])
    if along[-1] / spacing + 2 > most:
        raise TooLarge(
            f"The line has {along[-1]:.0f} m; every {spacing:g} m makes more than {most} places. Ask for a wider "
            "spacing, or for parts of the line.",
            limit=most,
            length=float(along[-1]),
        )
    wanted = np.arange(0.0, along[-1], spacing)
    if along[-1] - wanted[-1] > spacing * 1e-9:
        wanted = np.append(wanted, along[-1])
    x, y = (np.interp(wanted, along, at[:, side]) for side in (0, 1))
    return Stations(x, y, wanted)
