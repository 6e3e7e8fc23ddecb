"""The cells of a COG that zones cover: which, to what share, how large on the ellipsoid, and what they add up to.

Shares are exact: the part of a cell, in the plane of the raster's CRS, that lies in the zone. A raster is read in
sheets, so memory does not grow with the zone.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import numpy.typing as npt
import pyproj
import shapely
from affine import Affine
from rasterio import features, windows
from rasterio.io import DatasetReader
from shapely.affinity import translate

from geoservice.analysis.cell_areas import Frame, moved
from geoservice.analysis.scan import cover, spread
from geoservice.analysis.sheet import CoveredCells, Sheet, rows_of_sheet
from geoservice.analysis.sums import Parted, Pieces, Sums, by_owner
from ingest.footprint import footprint
from layers.area import MAX_EDGE_DEGREES
from layers.asset import Asset
from layers.crs import storage_transformer
from layers.errors import TooLarge
from tiles.handles import reading

MAX_VERTICES = 2_000_000
_MARGIN_DEGREES = 0.05
_WORLD, _HALF = 360.0, 180.0


class ZoneOnRaster:
    """A zone brought onto the grid of one COG."""

    def __init__(self, asset: Asset, dataset: DatasetReader, zone: shapely.Geometry, kept: Sums | None = None) -> None:
        """Clip the zone to where the raster is and transform it into the raster's CRS.

        Args:
            asset: The COG.
            dataset: The opened COG.
            zone: Polygon in EPSG:4490, x=longitude, in degrees.
            kept: Sums of the raster's blocks, where they are kept.

        Raises:
            TooLarge: When the zone has too many vertices after its edges were densified.
        """
        self.asset = asset
        self._dataset, self._kept = dataset, kept
        crs = pyproj.CRS.from_wkt(dataset.crs.to_wkt(version="WKT2_2019"))
        self._way = storage_transformer(crs)
        self._frame = Frame(dataset.transform, dataset.width, dataset.height, self._way)
        outline = footprint(crs, dataset.transform, dataset.width, dataset.height)
        self._reach = shapely.buffer(outline, _MARGIN_DEGREES, join_style="mitre")
        self.shape = self._brought(zone)

    def cells(self) -> Iterator[CoveredCells]:
        """Covered cells of the zone, sheet by sheet."""
        for parted, sheet in self._sheets(self._parted([self.shape], blocks=False)):
            number, column = spread(parted.cells.begin, parted.cells.end - 1)
            row = np.concatenate([parted.cells.row[number], parted.rim.row])
            column = np.concatenate([column, parted.rim.column])
            yield sheet.covered(row, column, np.concatenate([np.ones(len(number)), parted.rim.share]))

    def sums(self, parts: Sequence[shapely.Geometry]) -> Sums:
        """What the cells in each part of the zone (EPSG:4490) add up to."""
        parted = self._parted([self._brought(part) for part in parts])
        looked = [(some, Pieces.of(sheet, some)) for some, sheet in self._sheets(parted)]
        return by_owner(looked, len(parts))

    def block_rows(self) -> Iterator[Sums]:
        """Sums of all blocks of the raster, whatever the zone."""
        frame = self._frame
        rows = rows_of_sheet(frame.width)
        for top in range(0, frame.height, rows):
            yield Sheet(self._dataset, frame, (top, min(top + rows, frame.height)), (0, frame.width)).whole_blocks()

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

    def _sheets(self, parted: Parted) -> Iterator[tuple[Parted, Sheet]]:
        """The parts in each sheet of the raster, and the sheet; what nothing is asked of is not read."""
        parted, frame = parted.by_row(), self._frame
        columns = parted.columns()
        if columns is None:
            return
        rows = rows_of_sheet(columns[1] - columns[0])
        for top in range(parted.top() // rows * rows, frame.height, rows):
            bottom = min(top + rows, frame.height)
            some = parted.within(top, bottom)
            columns = some.columns()
            if columns is not None:
                yield some, Sheet(self._dataset, frame, (top, bottom), columns, self._kept)

    def _brought(self, zone: shapely.Geometry) -> shapely.Geometry:
        """What of a zone (EPSG:4490) the raster may have to do with, in its CRS."""
        inside = not shapely.is_empty(zone) and shapely.contains(self._reach, shapely.box(*shapely.bounds(zone)))
        return self._projected(polygons(zone if inside else shapely.intersection(zone, self._reach)))

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
def on_raster(asset: Asset, zone: shapely.Geometry, kept: Sums | None = None) -> Iterator[ZoneOnRaster]:
    """Open an asset and bring a zone (EPSG:4490) onto it.

    Args:
        asset: The COG.
        zone: The zone.
        kept: Sums of the asset's blocks (`block_rows`), where they are kept; they change no figure.

    Raises:
        AssetUnavailable: When the file is missing or damaged.
        TooLarge: When the zone has too many vertices.
    """
    with reading(asset) as dataset:
        yield ZoneOnRaster(asset, dataset, zone, kept)


def block_rows(asset: Asset) -> Iterator[Sums]:
    """Sums of all blocks of a raster, some rows of blocks at a time, from north to south.

    Raises:
        AssetUnavailable: When the file is missing or damaged.
    """
    with on_raster(asset, shapely.MultiPolygon()) as here:
        yield from here.block_rows()


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
