"""Outlines of very many vertices whose truth is known: stars and combs."""

from __future__ import annotations

import numpy as np
import shapely

CENTRE = (105.1, 38.5)


def star(
    vertices: int, depth: float = 1e-4, radius: float = 0.1, centre: tuple[float, float] = CENTRE
) -> shapely.Polygon:
    """A star in degrees.

    Args:
        vertices: Corners; every second one lies deeper.
        depth: By which share of the radius.
        radius: From the centre to the outer corners.
        centre: Longitude and latitude.
    """
    turn = np.arange(vertices) / vertices * 2 * np.pi
    reach = np.where(np.arange(vertices) % 2 == 0, radius, radius * (1 - depth))
    ring = np.column_stack([centre[0] + reach * np.cos(turn), centre[1] + reach * np.sin(turn)])
    return shapely.Polygon(ring)


def comb(teeth: int) -> shapely.Polygon:
    """Level teeth between 0 and 10, as many as are wanted, on a back at the left."""
    along = np.where(np.arange(2 * teeth) % 2, 10.0, 0.5)
    ring = np.column_stack([along, np.linspace(0, 10, 2 * teeth)])
    return shapely.Polygon(np.vstack([ring, [[0.0, 10.0], [0.0, 0.0]]]))
