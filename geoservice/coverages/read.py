"""Cells of several rasters on one grid, strip by strip: taken as they are where they lie on it, else resampled.

Memory is bounded by one strip, whatever the coverage is.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import shapely
from affine import Affine
from rasterio.enums import Resampling
from rasterio.features import geometry_mask
from rasterio.vrt import WarpedVRT
from rasterio.windows import Window

from geoservice.coverages.grid import Grid
from geoservice.coverages.source import Source
from ingest.cog import Chunk, rows_per_chunk, with_data
from layers.model import RasterLayer
from tiles.handles import reading
from tiles.warp import Wanted, read_frame, web_crs

Cells = npt.NDArray[Any]
Mask = npt.NDArray[np.bool_]
Nature = Literal["codes", "counts", "measures"]
Found = tuple[Cells, Mask]
_TOLERANCE = 0.01
"""Cells by which the warper may miss a place when counts are shared out."""


def nature_of(layer: RasterLayer) -> Nature:
    """What cells are: codes are never mixed, counts are added, measures are interpolated."""
    if layer.cog.overviews == "sum":
        return "counts"
    coded = layer.list is not None or layer.style.classes is not None
    return "codes" if coded or layer.cog.overviews in ("nearest", "mode") else "measures"


@dataclass(frozen=True)
class Reader:
    """Reads a coverage.

    Attributes:
        sources: The rasters, the topmost first.
        grid: The grid of the answer.
        shape: The zone in the CRS of the grid; None when every cell of the grid is meant.
        nature: What cells are.
        bands: How many bands there are.
        dtype: Type of the cells of the answer.
        nodata: Value for cells without data; None when a mask says so.
    """

    sources: Sequence[Source]
    grid: Grid
    shape: shapely.Geometry | None
    nature: Nature
    bands: int
    dtype: np.dtype[np.generic]
    nodata: float | None

    def chunks(self, block: int) -> Iterator[Chunk]:
        """All rows of the grid, from the north, in strips of whole blocks.

        Raises:
            AssetUnavailable: When a file is missing or damaged.
            BadParameter: When cells must be resampled and the CRS has no code.
        """
        step = min(self.grid.height, rows_per_chunk(self.grid.width, self.bands, block))
        for first in range(0, self.grid.height, step):
            part = self.grid.rows(first, min(step, self.grid.height - first))
            values, valid = self._strip(part)
            yield Chunk(first, values, valid)

    def _strip(self, part: Grid) -> Found:
        shape = (self.bands, part.height, part.width)
        values = np.full(shape, 0 if self.nodata is None else self.nodata, dtype=self.dtype)
        valid = np.zeros(shape, dtype=np.bool_)
        wanted = self._inside(part)
        for source in self.sources:
            if not wanted.any():
                break
            found = self._of(source, part)
            if found is None:
                continue
            # The topmost raster with data in any band of a cell gives all its bands.
            fresh = found[1].any(axis=0) & wanted
            taken = fresh & found[1]
            np.copyto(values, found[0].astype(self.dtype, copy=False), where=taken)
            valid |= fresh if self.nodata is None else taken
            wanted &= ~fresh
        return values, valid

    def _inside(self, part: Grid) -> Mask:
        """Cells whose middle lies in the zone."""
        if self.shape is None:
            return np.ones((part.height, part.width), dtype=np.bool_)
        near = shapely.clip_by_rect(self.shape, *part.bounds)
        if shapely.is_empty(near):
            return np.zeros((part.height, part.width), dtype=np.bool_)
        size = (part.height, part.width)
        return np.asarray(geometry_mask([self.shape], size, part.transform, invert=True), dtype=np.bool_)

    def _of(self, source: Source, part: Grid) -> Found | None:
        if source.lies_on(part.crs, part.transform):
            return _exact(source, part, self.bands)
        west, south, east, north = source.within(web_crs(part.crs))
        box = part.bounds
        if west >= box[2] or box[0] >= east or south >= box[3] or box[1] >= north:
            return None
        return self._added(source, part) if self.nature == "counts" else self._resampled(source, part)

    def _resampled(self, source: Source, part: Grid) -> Found:
        wanted = Wanted(tuple(range(1, self.bands + 1)), mixed=self.nature == "measures", any_band=True)
        values, mask, _ = read_frame(source.asset, part.frame(), wanted)
        return values, with_data(values, source.facts.nodata) & mask

    def _added(self, source: Source, part: Grid) -> Found:
        """Counts of cells, shared out by area: their total stays the same."""
        facts = source.facts
        options: dict[str, Any] = {
            "src_crs": facts.crs,
            "crs": web_crs(part.crs),
            "transform": part.transform,
            "width": part.width,
            "height": part.height,
            "resampling": Resampling.sum,
            "tolerance": _TOLERANCE,
            "dtype": str(self.dtype),
        }
        empty = {"add_alpha": True} if facts.nodata is None else {"src_nodata": facts.nodata, "nodata": facts.nodata}
        with reading(source.asset) as dataset, WarpedVRT(dataset, **options, **empty) as warped:
            values = warped.read(list(range(1, self.bands + 1)))
            if facts.nodata is None:
                return values, np.broadcast_to(warped.dataset_mask() > 0, values.shape)
        return values, with_data(values, facts.nodata)


def _exact(source: Source, part: Grid, bands: int) -> Found | None:
    """The cells of a raster that lies on the grid, bit by bit."""
    own = source.facts.transform
    left, top = round((part.transform.c - own.c) / own.a), round((part.transform.f - own.f) / own.e)
    first, last = max(left, 0), min(left + part.width, source.facts.width)
    upper, lower = max(top, 0), min(top + part.height, source.facts.height)
    if first >= last or upper >= lower:
        return None
    window, numbers = Window(first, upper, last - first, lower - upper), list(range(1, bands + 1))
    values = np.zeros((bands, part.height, part.width), dtype=source.dtype)
    valid = np.zeros(values.shape, dtype=np.bool_)
    inner = (slice(None), slice(upper - top, lower - top), slice(first - left, last - left))
    with reading(source.asset) as dataset:
        values[inner] = dataset.read(numbers, window=window)
        valid[inner] = dataset.read_masks(numbers, window=window) > 0
    return values, valid


def source_cells(source: Source, grid: Grid) -> int:
    """About how many cells of a raster lie under a grid, which adding them up must read."""
    own: Affine = source.facts.transform
    west, south, east, north = source.within(web_crs(grid.crs))
    box = grid.bounds
    wide, high = min(east, box[2]) - max(west, box[0]), min(north, box[3]) - max(south, box[1])
    if wide <= 0 or high <= 0 or own.is_degenerate:
        return 0
    share = wide * high / ((east - west) * (north - south))
    return round(min(1.0, share) * source.facts.width * source.facts.height)
