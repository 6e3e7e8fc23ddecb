"""How long a line is, how large an area, and which way each of its edges goes; on the ellipsoid of CGCS2000. Pure."""

from __future__ import annotations

from typing import Any

import numpy as np
import shapely

from geoservice.queries.geodesy import ellipsoid
from layers.area import (
    SQUARE_METRES_PER_HECTARE,
    SQUARE_METRES_PER_MU,
    ellipsoidal_area,
    ellipsoidal_length,
    ellipsoidal_lengths,
)

MOST_EDGES = 1_000
"""Edges that are told one by one; of longer lines only the whole is told."""
_MILLIMETRES, _TURN = 3, 360.0
_DECIMALS = 4


def measured(geometry: shapely.Geometry) -> dict[str, Any]:
    """Lengths in metres, areas in m2, ha and mu, directions in degrees clockwise from north.

    Edges are straight in longitude and latitude, as the area rule has it (`layers.area`). Points measure nothing.

    Args:
        geometry: Points, lines or areas; x=longitude, y=latitude in degrees.

    Returns:
        `length_m` of lines, with `edges` (`length_m`, and `azimuth` at which the geodesic leaves) where there are not
        too many; `area_m2`, `area_ha`, `area_mu` and `perimeter_m` of areas.
    """
    told: dict[str, Any] = {}
    dimension = shapely.get_dimensions(geometry)
    if dimension == 1:
        told["length_m"] = round(ellipsoidal_length(geometry), _MILLIMETRES)
        if isinstance(geometry, shapely.LineString) and len(geometry.coords) <= MOST_EDGES + 1:
            told["edges"] = _edges(shapely.get_coordinates(geometry))
    elif dimension > 1:
        size = float(ellipsoidal_area(geometry))
        told["area_m2"] = round(size, _DECIMALS)
        told["area_ha"] = round(size / SQUARE_METRES_PER_HECTARE, _DECIMALS)
        told["area_mu"] = round(size / SQUARE_METRES_PER_MU, _DECIMALS)
        told["perimeter_m"] = round(ellipsoidal_length(shapely.boundary(geometry)), _MILLIMETRES)
    return told


def _edges(at: Any) -> list[dict[str, float]]:
    lines = np.asarray([shapely.LineString(at[n : n + 2]) for n in range(len(at) - 1)], dtype=np.object_)
    lengths = ellipsoidal_lengths(lines)
    forth, _, _ = ellipsoid().inv(at[:-1, 0], at[:-1, 1], at[1:, 0], at[1:, 1])
    return [
        {"length_m": round(metres, _MILLIMETRES), "azimuth": round(azimuth % _TURN, _DECIMALS) % _TURN}
        for metres, azimuth in zip(lengths.tolist(), forth.tolist(), strict=True)
    ]
