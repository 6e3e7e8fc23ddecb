"""The rasters that a coverage is made of, with the facts of their files."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyproj
from affine import Affine
from rasterio.crs import CRS
from rasterio.io import DatasetReader
from rasterio.warp import transform_bounds

from layers.asset import Asset
from layers.crs import describe, horizontal, keeps_coordinates
from tiles.handles import reading
from tiles.warp import Opened, opened

Box = tuple[float, float, float, float]
Palette = dict[int, tuple[int, int, int, int]]
_WORLD = CRS.from_epsg(4326)
_STEP = 1e-3
"""How far, in cells, the corners of two grids may lie apart that count as one: GeoTIFFs of one mosaic are rounded."""


@dataclass(frozen=True)
class Source:
    """One raster.

    Attributes:
        asset: The file.
        crs: CRS as the file states it.
        facts: Its grid, overviews and value for "no data"; the CRS in it is that for the warper.
        dtype: Type of its cells. count: bands.
        units, scales, offsets: Of each band.
        palette: Colours of its values; empty without.
    """

    asset: Asset
    crs: CRS
    facts: Opened
    dtype: np.dtype[np.generic]
    count: int
    units: tuple[str, ...]
    scales: tuple[float, ...]
    offsets: tuple[float, ...]
    palette: Palette

    @property
    def bounds(self) -> Box:
        """West, south, east, north of its grid, in its CRS."""
        grid, facts = self.facts.transform, self.facts
        return (grid.c, grid.f + facts.height * grid.e, grid.c + facts.width * grid.a, grid.f)

    @property
    def degrees(self) -> Box:
        """A box around its grid: west, south, east, north in degrees."""
        west, south, east, north = self.within(_WORLD)
        return (west, south, east, north) if west <= east else (-180.0, south, 180.0, north)

    def within(self, crs: CRS) -> Box:
        """A box around its grid in another CRS (one for the warper)."""
        if crs == self.facts.crs:
            return self.bounds
        west, south, east, north = transform_bounds(self.facts.crs, crs, *self.bounds)
        return (west, south, east, north)

    def lies_on(self, crs: CRS, grid: Affine) -> bool:
        """Whether its cells are cells of a grid, so that they can be taken as they are."""
        own, facts = self.facts.transform, self.facts
        if not same_coordinates(self.crs, crs):
            return False
        drift = max(abs(own.a - grid.a) * facts.width / grid.a, abs(own.e - grid.e) * facts.height / -grid.e)
        column, row = (own.c - grid.c) / grid.a, (own.f - grid.f) / grid.e
        return max(drift, abs(column - round(column)), abs(row - round(row))) < _STEP


def source_of(asset: Asset) -> Source:
    """The facts of an asset's file.

    Raises:
        AssetUnavailable: When the file is missing or damaged.
    """
    facts = opened(asset)
    with reading(asset) as dataset:
        return Source(
            asset=asset,
            crs=dataset.crs,
            facts=facts,
            dtype=np.result_type(*dataset.dtypes),
            count=dataset.count,
            units=tuple(unit or "" for unit in dataset.units),
            scales=tuple(dataset.scales),
            offsets=tuple(dataset.offsets),
            palette=_palette(dataset),
        )


def same_coordinates(one: CRS, other: CRS) -> bool:
    """Whether places have the same numbers in two CRSs: one CRS, or degrees that `layers.crs.NULL_LINK` joins."""
    ours, theirs = pyproj_crs(one), pyproj_crs(other)
    if keeps_coordinates(ours) and keeps_coordinates(theirs):
        return True
    return horizontal(ours) == horizontal(theirs) or (":" in describe(ours) and describe(ours) == describe(theirs))


def pyproj_crs(crs: CRS) -> pyproj.CRS:
    """The same CRS for PROJ."""
    return pyproj.CRS.from_wkt(crs.to_wkt(version="WKT2_2019"))


def epsg_of(crs: CRS) -> int | None:
    """Code of a CRS in the register of EPSG; None when it has none."""
    name = describe(pyproj_crs(crs))
    code = name.removeprefix("EPSG:")
    return int(code) if code.isdigit() else None


def _palette(dataset: DatasetReader) -> Palette:
    try:
        found: Palette = dataset.colormap(1)
    except ValueError:
        return {}
    return found
