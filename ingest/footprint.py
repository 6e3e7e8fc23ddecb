"""The footprint of a raster: its outline in storage coordinates, cut at 180 degrees."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyproj
import shapely
from affine import Affine
from shapely.affinity import affine_transform

from layers.crs import storage_transformer
from layers.errors import SourceMismatch

POINTS_PER_EDGE = 64
_WORLD, _HALF, _POLE = 360.0, 180.0, 90.0
_ROUNDING = 1e-6


def footprint(crs: pyproj.CRS, transform: Affine, width: int, height: int) -> shapely.MultiPolygon:
    """Outline of a grid of cells in EPSG:4490 (x=longitude, y=latitude, degrees).

    Edges are densified before they are transformed, because they are curves in longitude and latitude. A raster
    across 180 degrees gets one part on either side, one around a pole reaches up to it.

    Args:
        crs: CRS of the grid.
        transform: From column and row (upper left corner of a cell) to coordinates, x=east; not rotated.
        width: Columns.
        height: Rows.

    Raises:
        CrsRefused: When there is no safe way from the CRS into storage.
        SourceMismatch: When the grid reaches beyond the Earth or beyond where its projection is defined.
    """
    ring = _ring(width, height)
    x, y = transform.c + ring[:, 0] * transform.a, transform.f + ring[:, 1] * transform.e
    way = storage_transformer(crs)
    if way is not None:
        x, y = way.transform(x, y)
    if not (np.isfinite(x).all() and np.isfinite(y).all()) or np.abs(y).max() > _POLE + _ROUNDING:
        raise SourceMismatch(
            "The raster reaches beyond the Earth in its coordinate reference system; "
            "its georeference or the CRS stated for it is wrong.",
        )
    return _cut(_unwrapped(np.asarray(x, dtype=np.float64)), np.clip(y, -_POLE, _POLE))


def _ring(width: int, height: int) -> npt.NDArray[np.float64]:
    along = np.linspace(0.0, 1.0, POINTS_PER_EDGE, endpoint=False)
    zero, one = np.zeros_like(along), np.ones_like(along)
    columns = np.concatenate([along, one, 1 - along, zero, [0.0]]) * width
    rows = np.concatenate([zero, along, one, 1 - along, [0.0]]) * height
    return np.column_stack([columns, rows])


def _unwrapped(longitude: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Longitudes without jumps: neighbours differ by less than half a turn."""
    steps = np.diff(longitude)
    turns = np.round(steps / _WORLD)
    free = longitude - np.concatenate([[0.0], np.cumsum(turns)]) * _WORLD
    return np.asarray(free, dtype=np.float64)


def _cut(longitude: npt.NDArray[np.float64], latitude: npt.NDArray[np.float64]) -> shapely.MultiPolygon:
    outline = list(zip(longitude.tolist(), latitude.tolist(), strict=True))
    turn = longitude[-1] - longitude[0]
    if abs(turn) > _HALF:
        # The outline goes around a pole: close it along the meridian and over the pole.
        pole = _POLE if latitude.mean() > 0 else -_POLE
        outline += [(float(longitude[-1]), pole), (float(longitude[0]), pole)]
    whole = shapely.make_valid(shapely.Polygon(outline))
    first = int(np.floor((longitude.min() + _HALF) / _WORLD))
    last = int(np.floor((longitude.max() + _HALF) / _WORLD))
    parts: list[shapely.Polygon] = []
    for turn_number in range(first, last + 1):
        shift = turn_number * _WORLD
        window = shapely.box(shift - _HALF, -_POLE, shift + _HALF, _POLE)
        piece = affine_transform(shapely.intersection(whole, window), [1.0, 0.0, 0.0, 1.0, -shift, 0.0])
        parts += [p for p in shapely.get_parts(piece, return_index=False) if p.geom_type == "Polygon" and p.area > 0]
    merged = shapely.union_all(parts)
    return shapely.MultiPolygon([p for p in shapely.get_parts(merged) if p.geom_type == "Polygon"])
