"""The cells of a COG that zones cover: which, to what share, how large on the ellipsoid, and what they add up to.

Shares are exact: the part of a cell, in the plane of the raster's CRS, that lies in the zone. A raster is read in
strips, so memory does not grow with the zone.
"""

from __future__ import annotations

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
from rasterio import features, windows
from rasterio.io import DatasetReader
from shapely.affinity import translate

from geoservice.analysis.cell_areas import CellAreas, Frame, moved
from geoservice.analysis.scan import Floats, Longs, cover, spread
from geoservice.analysis.sums import SIDE, Parted, Pieces, Sums, block_sums, by_owner
from ingest.footprint import footprint
from layers.area import MAX_EDGE_DEGREES
from layers.asset import Asset
from layers.crs import storage_transformer
from layers.errors import TooLarge
from tiles.handles import reading

CELLS_PER_STRIP = 4_000_000
MAX_VERTICES = 2_000_000
_MARGIN_DEGREES = 0.05
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


class Strip:
    """Some rows and columns of a raster, read into memory."""

    def __init__(self, dataset: DatasetReader, areas: CellAreas, window: windows.Window) -> None:
        """Read a window of the first band; its corner begins a block."""
        self._areas, self._top, self._left = areas, window.row_off, window.col_off
        read = dataset.read(1, window=window, masked=True)
        self.values, self.valid = read.data, ~np.ma.getmaskarray(read)
        self._blocks: Sums | None = None

    def cells(self, row: Longs, column: Longs) -> Sums:
        """Cells by their places in the raster, every one for itself."""
        at = (row - self._top, column - self._left)
        return Sums.of(self.values[at], self.valid[at], self._areas.of(row, column))

    def covered(self, row: Longs, column: Longs, share: Floats) -> CoveredCells:
        """Cells by their places in the raster, with their shares."""
        at = (row - self._top, column - self._left)
        return CoveredCells(self.values[at], self.valid[at], share, self._areas.of(row, column))

    def blocks(self, row: Longs, column: Longs) -> Sums:
        """Blocks by their places in the raster."""
        if self._blocks is None:
            rows, columns = (np.arange(size) for size in self.values.shape)
            area = self._areas.of((rows + self._top)[:, None], (columns + self._left)[None, :])
            self._blocks = block_sums(Sums.of(self.values, self.valid, area))
        at = (row - self._top // SIDE, column - self._left // SIDE)
        return Sums(*(array[at] for array in self._blocks.arrays().values()))


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
        crs = pyproj.CRS.from_wkt(dataset.crs.to_wkt(version="WKT2_2019"))
        self._way = storage_transformer(crs)
        self._frame = Frame(dataset.transform, dataset.width, dataset.height, self._way)
        outline = footprint(crs, dataset.transform, dataset.width, dataset.height)
        self._reach = shapely.buffer(outline, _MARGIN_DEGREES, join_style="mitre")
        self.shape = self._brought(zone)

    def cells(self) -> Iterator[CoveredCells]:
        """Covered cells of the zone, strip by strip."""
        for parted, strip in self._strips(self._parted([self.shape], blocks=False)):
            number, column = spread(parted.cells.begin, parted.cells.end - 1)
            row = np.concatenate([parted.cells.row[number], parted.rim.row])
            column = np.concatenate([column, parted.rim.column])
            yield strip.covered(row, column, np.concatenate([np.ones(len(number)), parted.rim.share]))

    def sums(self, parts: Sequence[shapely.Geometry]) -> Sums:
        """What the cells in each part of the zone (EPSG:4490) add up to."""
        parted = self._parted([self._brought(part) for part in parts])
        looked = [(some, Pieces.of(strip, some)) for some, strip in self._strips(parted)]
        return by_owner(looked, len(parts))

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

    def _parted(self, shapes: Sequence[shapely.Geometry], *, blocks: bool = True) -> Parted:
        frame = self._frame
        made: npt.NDArray[np.object_] = np.empty(len(shapes), dtype=np.object_)
        made[:] = list(shapes)
        found = cover(made, frame.grid, frame.width, frame.height)
        return Parted.of(found, frame.width, frame.height, blocks=blocks)

    def _strips(self, parted: Parted) -> Iterator[tuple[Parted, Strip]]:
        """The parts in each strip of the raster, and the strip; what nothing is asked of is not read."""
        parted, frame = parted.by_row(), self._frame
        columns = parted.columns()
        if columns is None:
            return
        rows = max(1, CELLS_PER_STRIP // (columns[1] - columns[0]) // SIDE) * SIDE
        for top in range(parted.top() // SIDE * SIDE, frame.height, rows):
            bottom = min(top + rows, frame.height)
            some = parted.within(top, bottom)
            columns = some.columns()
            if columns is None:
                continue
            left = columns[0] // SIDE * SIDE
            right = min(-(-columns[1] // SIDE) * SIDE, frame.width)
            areas = CellAreas(frame, (top, bottom), (left, right))
            yield some, Strip(self._dataset, areas, windows.Window(left, top, right - left, bottom - top))

    def _brought(self, zone: shapely.Geometry) -> shapely.Geometry:
        """What of a zone (EPSG:4490) the raster may have to do with, in its CRS."""
        return self._projected(polygons(shapely.intersection(zone, self._reach)))

    def _projected(self, zone: shapely.Geometry) -> shapely.Geometry:
        if self._way is None:
            bounds = self._dataset.bounds
            turned = translate(zone, _WORLD) if bounds.right > _HALF else None
            return zone if turned is None else shapely.union_all([zone, turned])
        dense = shapely.segmentize(zone, MAX_EDGE_DEGREES)
        _refuse_vertices(dense)
        return polygons(shapely.make_valid(moved(dense, self._way, inverse=True)))

    def _unprojected(self, shape: shapely.Geometry) -> shapely.Geometry:
        return shape if self._way is None else shapely.make_valid(moved(shape, self._way, inverse=False))

    def _window(self) -> windows.Window | None:
        if shapely.is_empty(self.shape):
            return None
        grid, (west, south, east, north) = self._dataset.transform, shapely.bounds(self.shape)
        left = max(0, math.floor((west - grid.c) / grid.a))
        right = min(self._dataset.width, math.ceil((east - grid.c) / grid.a))
        top = max(0, math.floor((north - grid.f) / grid.e))
        bottom = min(self._dataset.height, math.ceil((south - grid.f) / grid.e))
        return windows.Window(left, top, right - left, bottom - top) if right > left and bottom > top else None


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


def _refuse_vertices(shape: shapely.Geometry) -> None:
    count = int(shapely.get_num_coordinates(shape))
    if count > MAX_VERTICES:
        raise TooLarge(
            f"The zone has {count} vertices at one per kilometre of its edge; at most {MAX_VERTICES} are taken.",
            limit=MAX_VERTICES,
        )
