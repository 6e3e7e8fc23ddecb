"""The footprint of a raster: the outline of its cells with data in storage coordinates, cut at 180 degrees."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyproj
import shapely
from affine import Affine
from shapely.affinity import affine_transform

from layers.crs import storage_transformer
from layers.errors import SourceMismatch

POINTS_PER_EDGE = 64
SQUARES = 256
"""Most squares along a side, by which the cells with data are outlined."""
_MOST_VERTICES = 600
_NEARLY_ALL = 350.0
_WORLD, _HALF, _POLE = 360.0, 180.0, 90.0
_ROUNDING = 1e-6


def footprint(
    crs: pyproj.CRS, transform: Affine, width: int, height: int, valid: Coverage | None = None
) -> shapely.MultiPolygon:
    """Outline of the cells of a grid in EPSG:4490 (x=longitude, y=latitude, degrees).

    Edges are densified before they are transformed, because they are curves in longitude and latitude. A raster
    across 180 degrees gets one part on either side, one around a pole reaches up to it.

    Args:
        crs: CRS of the grid.
        transform: From column and row (upper left corner of a cell) to coordinates, x=east; not rotated.
        width: Columns.
        height: Rows.
        valid: Where the cells with data are; without it, or where the outline goes around the Earth, the whole grid
            is outlined.

    Raises:
        CrsRefused: When there is no safe way from the CRS into storage.
        SourceMismatch: When the grid reaches beyond the Earth or beyond where its projection is defined.
    """
    way = storage_transformer(crs)
    place = _Place(transform, way, _POLE + _ROUNDING + (abs(transform.e) / 2 if crs.is_geographic else 0.0))
    longitude, latitude = place.of(_ring(width, height))
    longitude = _unwrapped(longitude)
    whole = _outline(longitude, latitude)
    partly = valid is not None and not valid.complete and longitude.max() - longitude.min() < _NEARLY_ALL
    if not partly or valid is None:
        return _cut(whole)
    return _cut(_of_valid_cells(valid, place, float(longitude.min() + longitude.max()) / 2))


class Coverage:
    """Which parts of a grid hold data, on squares of so many cells that there are at most `SQUARES` along a side."""

    def __init__(self, width: int, height: int) -> None:
        """Start with nothing seen."""
        self.width, self.height = width, height
        self.step = -(-max(width, height) // SQUARES)
        self.seen = np.zeros((-(-height // self.step), -(-width // self.step)), dtype=np.bool_)

    @property
    def complete(self) -> bool:
        """Whether every square holds data."""
        return bool(self.seen.all())

    def add(self, row: int, valid: npt.NDArray[np.bool_]) -> None:
        """Take note of full rows of cells from `row` on."""
        first, last = row // self.step, (row + len(valid) - 1) // self.step
        starts = np.maximum(np.arange(first, last + 1) * self.step - row, 0)
        across = np.logical_or.reduceat(valid, starts, axis=0)
        self.seen[first : last + 1] |= np.logical_or.reduceat(across, np.arange(0, self.width, self.step), axis=1)

    def polygons(self) -> shapely.Geometry:
        """The squares with data, in columns and rows; coarsened until the outline has few vertices, never cut."""
        seen, step = self.seen, self.step
        while True:
            merged = shapely.simplify(shapely.union_all(_runs(seen)), 0.0)
            if shapely.get_num_coordinates(merged) <= _MOST_VERTICES or max(seen.shape) <= 1:
                break
            seen, step = _halved(seen), 2 * step
        scaled = shapely.transform(merged, lambda c: np.minimum(c * step, (self.width, self.height)))
        return shapely.segmentize(scaled, max(self.width, self.height) / POINTS_PER_EDGE)


def _runs(seen: npt.NDArray[np.bool_]) -> npt.NDArray[np.object_]:
    """Each unbroken run of squares with data in a row, as a box."""
    edges = np.diff(np.pad(seen, ((0, 0), (1, 1))).astype(np.int8), axis=1)
    rows, starts = np.nonzero(edges > 0)
    ends = np.nonzero(edges < 0)[1]
    return np.asarray(shapely.box(starts, rows, ends, rows + 1), dtype=np.object_)


def _halved(seen: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    rows, columns = seen.shape
    padded = np.pad(seen, ((0, rows % 2), (0, columns % 2)))
    coarse = padded.reshape(len(padded) // 2, 2, -1, 2).any(axis=(1, 3))
    return np.asarray(coarse, dtype=np.bool_)


@dataclass(frozen=True)
class _Place:
    """The way from columns and rows to longitude and latitude."""

    transform: Affine
    way: pyproj.Transformer | None
    limit: float

    def of(self, cells: npt.NDArray[np.float64]) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        x = self.transform.c + cells[:, 0] * self.transform.a
        y = self.transform.f + cells[:, 1] * self.transform.e
        if self.way is not None:
            x, y = self.way.transform(x, y)
        if not (np.isfinite(x).all() and np.isfinite(y).all()) or np.abs(y).max() > self.limit:
            raise SourceMismatch(
                "The raster reaches beyond the Earth in its coordinate reference system; "
                "its georeference or the CRS stated for it is wrong.",
            )
        return np.asarray(x, dtype=np.float64), np.clip(np.asarray(y, dtype=np.float64), -_POLE, _POLE)


def _of_valid_cells(valid: Coverage, place: _Place, middle: float) -> shapely.Geometry:
    """The cells with data; longitudes within half a turn of the middle of the grid."""

    def moved(cells: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        longitude, latitude = place.of(cells)
        near = np.mod(longitude - middle + _HALF, _WORLD) - _HALF + middle
        return np.column_stack([near, latitude])

    return shapely.make_valid(shapely.transform(valid.polygons(), moved))


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


def _outline(longitude: npt.NDArray[np.float64], latitude: npt.NDArray[np.float64]) -> shapely.Geometry:
    outline = list(zip(longitude.tolist(), latitude.tolist(), strict=True))
    turn = longitude[-1] - longitude[0]
    if abs(turn) > _HALF:
        # The outline goes around a pole: close it along the meridian and over the pole.
        pole = _POLE if latitude.mean() > 0 else -_POLE
        outline += [(float(longitude[-1]), pole), (float(longitude[0]), pole)]
    return shapely.make_valid(shapely.Polygon(outline))


def _cut(whole: shapely.Geometry) -> shapely.MultiPolygon:
    west, _, east, _ = shapely.bounds(whole)
    parts: list[shapely.Polygon] = []
    for turn_number in range(int(np.floor((west + _HALF) / _WORLD)), int(np.floor((east + _HALF) / _WORLD)) + 1):
        shift = turn_number * _WORLD
        window = shapely.box(shift - _HALF, -_POLE, shift + _HALF, _POLE)
        piece = affine_transform(shapely.intersection(whole, window), [1.0, 0.0, 0.0, 1.0, -shift, 0.0])
        parts += [p for p in shapely.get_parts(piece, return_index=False) if p.geom_type == "Polygon" and p.area > 0]
    merged = shapely.union_all(parts)
    return shapely.MultiPolygon([p for p in shapely.get_parts(merged) if p.geom_type == "Polygon"])
