"""The cells of a COG that a zone covers: which, to what share, how large on the ellipsoid.

Shares are exact (exactextract): the part of a cell, in the plane of the raster's CRS, that lies in the zone. A raster
is read in strips, so memory does not grow with the zone.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyproj
import shapely
from affine import Affine
from exactextract import exact_extract
from exactextract.feature import JSONFeatureSource
from exactextract.raster import NumPyRasterSource
from rasterio import features, windows
from rasterio.io import DatasetReader
from shapely.affinity import translate

from ingest.footprint import footprint
from layers.area import MAX_EDGE_DEGREES, ellipsoidal_area
from layers.asset import Asset
from layers.crs import storage_transformer
from layers.errors import TooLarge
from tiles.handles import reading

Floats = npt.NDArray[np.float64]
Indexes = npt.NDArray[np.int64]
CELLS_PER_STRIP = 4_000_000
MAX_VERTICES = 2_000_000
_MARGIN_DEGREES = 0.05
_STEP = 16
_PARTS = 4
_WORLD, _HALF = 360.0, 180.0


@dataclass(frozen=True)
class CoveredCells:
    """Cells of one strip that the zone covers, one entry per cell.

    Attributes:
        values: Cell values. valid: whether the cell has data.
        share: Covered share of the cell, above 0 and at most 1.
        area: Ellipsoidal area of the whole cell in square metres.
    """

    values: npt.NDArray[Any]
    valid: npt.NDArray[np.bool_]
    share: Floats
    area: Floats


class ZoneOnRaster:
    """A zone brought onto the grid of one COG."""

    def __init__(self, asset: Asset, dataset: DatasetReader, zone: shapely.Geometry) -> None:
        """Clip the zone to where the raster is and transform it into the raster's CRS.

        Args:
            asset: The COG.
            dataset: The opened COG.
            zone: Polygon in EPSG:4490, x=longitude, in degrees.

        Raises:
            TooLarge: When the zone has too many vertices after its edges were densified.
        """
        self.asset = asset
        self._dataset = dataset
        self._crs = pyproj.CRS.from_wkt(dataset.crs.to_wkt(version="WKT2_2019"))
        self._way = storage_transformer(self._crs)
        outline = footprint(self._crs, dataset.transform, dataset.width, dataset.height)
        self._reach = shapely.buffer(outline, _MARGIN_DEGREES, join_style="mitre")
        self.shape = self._brought(zone)

    def strips(self) -> Iterator[CoveredCells]:
        """Covered cells, strip by strip."""
        for _, found in self._covered([self.shape]):
            yield found

    def parts(self, parts: Sequence[shapely.Geometry]) -> Iterator[tuple[int, CoveredCells]]:
        """Covered cells of parts of the zone (EPSG:4490), strip by strip: number of the part, and its cells."""
        yield from self._covered([self._brought(part) for part in parts])

    def _brought(self, zone: shapely.Geometry) -> shapely.Geometry:
        """What of a zone (EPSG:4490) the raster may have to do with, in its CRS."""
        return self._projected(polygons(shapely.intersection(zone, self._reach)))

    def _covered(self, shapes: Sequence[shapely.Geometry]) -> Iterator[tuple[int, CoveredCells]]:
        window = self._window()
        if window is None:
            return
        rows = max(1, CELLS_PER_STRIP // window.width)
        for row in range(window.row_off, window.row_off + window.height, rows):
            height = min(rows, window.row_off + window.height - row)
            yield from self._strip(windows.Window(window.col_off, row, window.width, height), shapes)

    def taken(self) -> shapely.Geometry:
        """Where the raster has data near the zone: union of its valid cells in EPSG:4490."""
        window = self._window()
        if window is None:
            return shapely.MultiPolygon()
        valid = self._dataset.read_masks(1, window=window) > 0
        transform = _shifted(self._dataset.transform, window)
        shapes = features.shapes(valid.astype(np.uint8), mask=valid, transform=transform)
        cells = shapely.union_all([shapely.geometry.shape(s) for s, _ in shapes])
        return self._unprojected(cells)

    def _projected(self, zone: shapely.Geometry) -> shapely.Geometry:
        if self._way is None:
            bounds = self._dataset.bounds
            turned = translate(zone, _WORLD) if bounds.right > _HALF else None
            return zone if turned is None else shapely.union_all([zone, turned])
        dense = shapely.segmentize(zone, MAX_EDGE_DEGREES)
        _refuse_vertices(dense)
        return polygons(shapely.make_valid(_moved(dense, self._way, inverse=True)))

    def _unprojected(self, shape: shapely.Geometry) -> shapely.Geometry:
        return shape if self._way is None else shapely.make_valid(_moved(shape, self._way, inverse=False))

    def _window(self) -> windows.Window | None:
        if shapely.is_empty(self.shape):
            return None
        grid, (west, south, east, north) = self._dataset.transform, shapely.bounds(self.shape)
        left = max(0, math.floor((west - grid.c) / grid.a))
        right = min(self._dataset.width, math.ceil((east - grid.c) / grid.a))
        top = max(0, math.floor((north - grid.f) / grid.e))
        bottom = min(self._dataset.height, math.ceil((south - grid.f) / grid.e))
        return windows.Window(left, top, right - left, bottom - top) if right > left and bottom > top else None

    def _strip(self, window: windows.Window, shapes: Sequence[shapely.Geometry]) -> Iterator[tuple[int, CoveredCells]]:
        transform = _shifted(self._dataset.transform, window)
        there = [(number, shape) for number, shape in enumerate(shapes) if not shapely.is_empty(shape)]
        covered = [(number, coverage(shape, transform, window.width, window.height)) for number, shape in there]
        if not any(cells.size for _, (cells, _) in covered):
            return
        read = self._dataset.read(1, window=window, masked=True)
        values, valid = read.data.ravel(), ~np.ma.getmaskarray(read).ravel()
        areas = self._cell_areas(transform, window)
        for number, (cells, share) in covered:
            if cells.size:
                area = areas[cells // window.width, cells % window.width]
                yield number, CoveredCells(values[cells], valid[cells], share, area)

    def _cell_areas(self, transform: Affine, window: windows.Window) -> Floats:
        """Ellipsoidal area of every cell of a window, in square metres."""
        columns, rows = int(window.width), int(window.height)
        if self._way is None:
            edges = transform.f + np.arange(rows + 1) * transform.e
            west = np.zeros(rows)
            boxes = shapely.box(west, edges[1:], west + transform.a, edges[:-1])
            return np.broadcast_to(ellipsoidal_area(boxes)[:, None], (rows, columns))
        # A projection stretches smoothly: every sixteenth cell is measured, the others are interpolated.
        down, across = _nodes(rows), _nodes(columns)
        measured = ellipsoidal_area(self._cell_outlines(transform, down, across)).reshape(len(down), len(across))
        return _between(_between(measured, down, rows).T, across, columns).T

    def _cell_outlines(self, transform: Affine, down: Indexes, across: Indexes) -> Any:
        """Outlines of some cells in EPSG:4490, row by row; edges are densified, because they are curves there."""
        row, column = (a.ravel() for a in np.meshgrid(down, across, indexing="ij"))
        west, north = transform.c + column * transform.a, transform.f + row * transform.e
        boxes = shapely.box(west, north + transform.e, west + transform.a, north)
        return _moved(shapely.segmentize(boxes, max(transform.a, -transform.e) / _PARTS), self._way, inverse=False)


def coverage(shape: shapely.Geometry, transform: Affine, width: int, height: int) -> tuple[Any, Floats]:
    """Flat indexes of the cells of a grid that a shape covers, and the covered share of each.

    Args:
        shape: Polygon in the coordinates of the grid.
        transform: From column and row to coordinates; north is up.
        width: Columns.
        height: Rows.
    """
    grid = NumPyRasterSource(
        np.broadcast_to(np.zeros((1, 1), dtype=np.uint8), (height, width)),
        xmin=transform.c,
        ymin=transform.f + height * transform.e,
        xmax=transform.c + width * transform.a,
        ymax=transform.f,
    )
    zone = JSONFeatureSource({"type": "Feature", "properties": {}, "geometry": json.loads(shapely.to_geojson(shape))})
    found = exact_extract(grid, zone, ["cell_id", "coverage"], max_cells_in_memory=2 * CELLS_PER_STRIP)
    properties = found[0]["properties"]
    share = np.asarray(properties["coverage"], dtype=np.float64)
    inside = share > 0
    return np.asarray(properties["cell_id"], dtype=np.int64)[inside], share[inside]


def polygons(shape: shapely.Geometry) -> shapely.Geometry:
    """The polygons of a geometry, without the points and lines that touching leaves behind."""
    parts = shapely.get_parts(shapely.get_parts(shape))
    return shapely.MultiPolygon([p for p in parts if p.geom_type == "Polygon" and not p.is_empty])


@contextmanager
def on_raster(asset: Asset, zone: shapely.Geometry) -> Iterator[ZoneOnRaster]:
    """Open an asset and bring a zone (EPSG:4490) onto it.

    Raises:
        AssetUnavailable: When the file is missing or damaged.
        TooLarge: When the zone has too many vertices.
    """
    with reading(asset) as dataset:
        yield ZoneOnRaster(asset, dataset, zone)


def _shifted(grid: Affine, window: windows.Window) -> Affine:
    """The transform of a window of a grid."""
    return Affine(grid.a, 0.0, grid.c + window.col_off * grid.a, 0.0, grid.e, grid.f + window.row_off * grid.e)


def _nodes(size: int) -> Indexes:
    """Every sixteenth place of a row of cells, and the last one."""
    return np.unique(np.append(np.arange(0, size, _STEP), size - 1)).astype(np.int64)


def _between(measured: Floats, nodes: Indexes, size: int) -> Floats:
    """Linear interpolation along the first axis from the nodes to every place."""
    places = np.arange(size)
    before = np.searchsorted(nodes, places, side="right") - 1
    after = np.minimum(before + 1, len(nodes) - 1)
    share = (places - nodes[before]) / np.maximum(nodes[after] - nodes[before], 1)
    return np.asarray(measured[before] * (1 - share[:, None]) + measured[after] * share[:, None], dtype=np.float64)


def _refuse_vertices(shape: shapely.Geometry) -> None:
    count = int(shapely.get_num_coordinates(shape))
    if count > MAX_VERTICES:
        raise TooLarge(
            f"The zone has {count} vertices at one per kilometre of its edge; at most {MAX_VERTICES} are taken.",
            limit=MAX_VERTICES,
        )


def _moved(shape: Any, way: pyproj.Transformer | None, *, inverse: bool) -> Any:
    direction = "INVERSE" if inverse else "FORWARD"

    def step(points: Floats) -> Floats:
        x, y = way.transform(points[:, 0], points[:, 1], direction=direction) if way else (points[:, 0], points[:, 1])
        return np.column_stack([x, y])

    return shapely.transform(shape, step)
