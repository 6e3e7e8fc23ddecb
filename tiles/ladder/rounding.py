"""Which geometries of a rung may be drawn without being repaired.

A tile counts in whole units, 4096 to its side. Rounding may make a surface cross itself or a line vanish; whether it
does is found out once, when the rung is made. What stays sound and needs no clipping costs a fraction to draw.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import shapely

from layers.ladder import WORLD, Rung

UNITS = 4096
"""Units of a vector tile along its side (Mapbox Vector Tile 2.1, `extent`)."""
_LINES = (shapely.GeometryType.LINESTRING, shapely.GeometryType.MULTILINESTRING)
_SURFACES = (shapely.GeometryType.POLYGON, shapely.GeometryType.MULTIPOLYGON)


def plain(geometries: npt.NDArray[np.object_], rung: Rung) -> npt.NDArray[np.bool_]:
    """Which lines and surfaces (EPSG:3857) stay sound in whole units at every zoom level of a rung."""
    kinds = shapely.get_type_id(geometries)
    found = np.isin(kinds, (*_LINES, *_SURFACES)) & ~shapely.is_empty(geometries)
    for zoom in range(rung.from_, rung.to + 1):
        if not found.any():
            break
        rounded = _rounded(geometries[found], zoom)
        sound = shapely.is_valid(rounded)
        lines = np.isin(kinds[found], _LINES)
        sound[lines] = _shortest_part(rounded[lines]) > 0
        found[found] = sound
    return found


def _rounded(geometries: npt.NDArray[np.object_], zoom: int) -> npt.NDArray[np.object_]:
    """Geometries in whole units of a zoom level, counted from the middle of the world."""
    unit = WORLD / 2**zoom / UNITS
    return np.asarray(shapely.transform(geometries, lambda corners: np.rint(corners / unit)), dtype=object)


def _shortest_part(lines: npt.NDArray[np.object_]) -> npt.NDArray[np.float64]:
    """Length of the shortest part of each line."""
    parts, owner = shapely.get_parts(lines, return_index=True)
    shortest = np.full(len(lines), np.inf)
    np.minimum.at(shortest, owner, shapely.length(parts))
    return shortest
