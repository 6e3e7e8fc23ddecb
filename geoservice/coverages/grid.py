"""The grid of a coverage: that of the topmost raster where its CRS is kept, else one of cells as large."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import shapely
from affine import Affine
from rasterio._err import CPLE_BaseError
from rasterio.crs import CRS
from rasterio.errors import RasterioError
from rasterio.warp import calculate_default_transform
from shapely.affinity import translate

from geoservice.analysis.cells import MAX_VERTICES, polygons
from geoservice.coverages.errors import NoCoverage
from geoservice.coverages.request import CoverageRequest
from geoservice.coverages.source import Box, Source, epsg_of, pyproj_crs, same_coordinates
from layers.area import MAX_EDGE_DEGREES
from layers.crs import storage_transformer
from layers.errors import BadParameter, TooLarge
from tiles.frame import Frame
from tiles.warp import web_crs

_MARGIN = 0.05
"""Degrees around the rasters in which the zone is kept: their edges are curves in degrees."""
_WORLD, _HALF = 360.0, 180.0
_SLIVER = 1e-4
"""Share of a cell that a zone may reach into it without meaning it: what rounding of coordinates makes."""


@dataclass(frozen=True)
class Grid:
    """Rows and columns of cells, north up.

    Attributes:
        crs: CRS of the answer.
        transform: From column and row to coordinates, x=east or longitude.
        width, height: Cells along the sides.
        epsg: Code of the CRS; None when it has none.
    """

    crs: CRS
    transform: Affine
    width: int
    height: int
    epsg: int | None

    @property
    def bounds(self) -> Box:
        """West, south, east, north."""
        grid = self.transform
        return (grid.c, grid.f + self.height * grid.e, grid.c + self.width * grid.a, grid.f)

    def rows(self, first: int, count: int) -> Grid:
        """Some of its rows."""
        return replace(self, transform=self.transform @ Affine.translation(0, first), height=count)

    def frame(self) -> Frame:
        """The same as a frame of pixels.

        Raises:
            BadParameter: When rasters must be brought onto it and its CRS has no code.
        """
        if self.epsg is None:
            raise BadParameter(
                "These rasters lie in a CRS without a code and must be resampled; name the CRS of the answer by crs.",
                parameter="crs",
            )
        return Frame(self.epsg, self.bounds, self.width, self.height)


def grid_of(
    sources: Sequence[Source], zone: shapely.Geometry | None, asked: CoverageRequest
) -> tuple[Grid, shapely.Geometry | None]:
    """The grid of the cells that a zone touches, and the zone in the CRS of the grid.

    Args:
        sources: The rasters, the topmost first; it decides on CRS and size of cells.
        zone: Polygon in EPSG:4490, x=longitude, in degrees; None for everything.
        asked: CRS and size that are wanted.

    Raises:
        NoCoverage: When no raster is there.
        BadParameter: When the CRS does not reach there.
        TooLarge: When the zone has too many vertices at one per kilometre.
    """
    top = sources[0]
    crs = top.crs if asked.crs is None else CRS.from_epsg(asked.crs.srid)
    base = _base(top, crs)
    shape = None if zone is None else _projected(_near(zone, sources), crs, sources)
    window = _window(_meeting(sources, crs, shape), base)
    return _sized(Grid(crs, *window, epsg_of(crs)), asked), shape


def _base(top: Source, crs: CRS) -> Affine:
    """The grid that cells are counted on: that of the raster, or one of cells as large from the origin of the CRS."""
    if same_coordinates(top.crs, crs):
        return top.facts.transform
    facts = top.facts
    try:
        made, _, _ = calculate_default_transform(facts.crs, web_crs(crs), facts.width, facts.height, *top.bounds)
    except (CPLE_BaseError, RasterioError) as error:
        raise _beyond() from error
    return Affine(made.a, 0.0, 0.0, 0.0, made.e, 0.0)


def _near(zone: shapely.Geometry, sources: Sequence[Source]) -> shapely.Geometry:
    """The part of a zone around the rasters; also turned once around the Earth for those beyond 180 degrees."""
    boxes = np.array([source.degrees for source in sources])
    around = shapely.union_all(shapely.buffer(shapely.box(*boxes.T), _MARGIN, join_style="mitre"))
    if boxes[:, 2].max() > _HALF:
        zone = shapely.union_all([zone, translate(zone, _WORLD)])
    return polygons(shapely.intersection(zone, around))


def _projected(zone: shapely.Geometry, crs: CRS, sources: Sequence[Source]) -> shapely.Geometry:
    if shapely.is_empty(zone):
        raise _nothing()
    way = storage_transformer(pyproj_crs(crs))
    if way is None:
        return zone
    dense = shapely.segmentize(zone, MAX_EDGE_DEGREES)
    count = int(shapely.get_num_coordinates(dense))
    if count > MAX_VERTICES:
        raise TooLarge(
            f"The zone has {count} vertices at one per kilometre of its edge; at most {MAX_VERTICES} are taken.",
            limit=MAX_VERTICES,
        )

    def moved(points: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        found = np.column_stack(way.transform(points[:, 0], points[:, 1], direction="INVERSE"))
        if not np.isfinite(found).all():
            raise _beyond()
        return found

    return polygons(shapely.make_valid(shapely.transform(dense, moved)))


def _meeting(sources: Sequence[Source], crs: CRS, shape: shapely.Geometry | None) -> Box:
    """The box in which rasters and the zone meet."""
    web = web_crs(crs)
    try:
        boxes = np.array([source.within(web) for source in sources])
    except (CPLE_BaseError, RasterioError) as error:
        raise _beyond() from error
    boxes = boxes[np.isfinite(boxes).all(axis=1)]
    if shape is not None:
        west, south, east, north = shapely.bounds(shape)
        boxes = np.column_stack([np.maximum(boxes[:, :2], (west, south)), np.minimum(boxes[:, 2:], (east, north))])
        boxes = boxes[(boxes[:, 0] < boxes[:, 2]) & (boxes[:, 1] < boxes[:, 3])]
    if not len(boxes):
        raise _nothing()
    west, south = boxes[:, :2].min(axis=0).tolist()
    east, north = boxes[:, 2:].max(axis=0).tolist()
    return (west, south, east, north)


def _window(box: Box, base: Affine) -> tuple[Affine, int, int]:
    """Transform, width and height of the cells that a box touches."""
    left = math.floor((box[0] - base.c) / base.a + _SLIVER)
    right = math.ceil((box[2] - base.c) / base.a - _SLIVER)
    top = math.floor((box[3] - base.f) / base.e + _SLIVER)
    bottom = math.ceil((box[1] - base.f) / base.e - _SLIVER)
    corner = Affine(base.a, 0.0, base.c + left * base.a, 0.0, base.e, base.f + top * base.e)
    return corner, max(1, right - left), max(1, bottom - top)


def _sized(grid: Grid, asked: CoverageRequest) -> Grid:
    if asked.width is None and asked.height is None:
        return grid
    width = asked.width or max(1, round(grid.width * (asked.height or 1) / grid.height))
    height = asked.height or max(1, round(grid.height * (asked.width or 1) / grid.width))
    scale = Affine.scale(grid.width / width, grid.height / height)
    return replace(grid, transform=grid.transform @ scale, width=width, height=height)


def _beyond() -> BadParameter:
    return BadParameter("The CRS of the answer does not reach that far; name another one by crs.", parameter="crs")


def _nothing() -> NoCoverage:
    return NoCoverage("The collection has no raster there that you may see; its extent says where it has some.")
