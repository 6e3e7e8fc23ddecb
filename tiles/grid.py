"""WebMercatorQuad, the tile matrix set of web maps: which tiles it has and where they lie.

A tile is addressed as tile matrix (zoom level `z`), `row` counted from the top and `col` counted from the left. Other
sets, and this one among them, are in `tiles.sets`.
"""

from __future__ import annotations

from tiles.sets.model import MERCATOR_LATITUDE, MatrixSet
from tiles.sets.registry import MatrixSets
from tiles.sets.standard import WEB_MERCATOR_QUAD

__all__ = ["MERCATOR_LATITUDE", "WEB_MERCATOR_QUAD", "bounds_degrees", "bounds_mercator", "web_mercator"]

_WORLD = MatrixSets()


def web_mercator() -> MatrixSet:
    """WebMercatorQuad."""
    return _WORLD.get(WEB_MERCATOR_QUAD)


def bounds_mercator(z: int, row: int, col: int) -> tuple[float, float, float, float]:
    """Bounds of a WebMercatorQuad tile as (xmin, ymin, xmax, ymax) in metres of EPSG:3857."""
    return web_mercator().place(z, row, col).bounds


def bounds_degrees(z: int, row: int, col: int) -> tuple[float, float, float, float]:
    """Bounds of a WebMercatorQuad tile as (west, south, east, north) in degrees of longitude and latitude."""
    return web_mercator().place(z, row, col).degrees()
