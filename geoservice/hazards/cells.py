"""The cells of a raster collection in a box as one grid: as they are, or coarser where there are too many."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import shapely

from geoservice.coverages.errors import NoCoverage
from geoservice.coverages.grid import Grid as Frame
from geoservice.coverages.grid import grid_of
from geoservice.coverages.read import Reader, nature_of
from geoservice.coverages.request import CoverageRequest
from geoservice.coverages.source import pyproj_crs, source_of
from geoservice.hazards.grading import Grid
from geoservice.hazards.method import Raster
from layers.crs import storage_transformer
from layers.errors import BadParameter
from layers.extent import Extent
from layers.model import Text

MOST_CELLS = 4_000_000
_BLOCK = 512


@dataclass(frozen=True)
class Cells:
    """A grid, and what a reader must know of how it was read."""

    grid: Grid
    notes: tuple[Text, ...]


def read_cells(raster: Raster, extent: Extent, most: int = MOST_CELLS, band: int = 0) -> Cells:
    """The cells of a raster around a box.

    Args:
        raster: The collection and its files there.
        extent: The box; it does not cross the antimeridian.
        most: Most cells; where there are more, they are read at a coarser resolution.
        band: Which band, from 0.

    Raises:
        BadParameter: When the box crosses the antimeridian, or the collection has no such band.
        NoCoverage: When no raster is there, or none of its cells there has data: that is not the same as no danger.
        AssetUnavailable: When a file is missing or damaged.
    """
    if band >= len(raster.layer.bands):
        raise BadParameter(f"Collection {raster.layer.name} has no band {band + 1}.", parameter="band")
    if extent.west >= extent.east or extent.south >= extent.north:
        raise BadParameter("The box has an area and does not cross 180 degrees; ask for each side.", parameter="bbox")
    sources = [source_of(asset) for asset in raster.assets]
    zone, asked = shapely.box(*extent.boxes()[0]), CoverageRequest(raster.layer.name)
    frame, _ = grid_of(sources, zone, asked)
    notes: tuple[Text, ...] = ()
    if frame.width * frame.height > most:
        share = (most / (frame.width * frame.height)) ** 0.5
        width = max(1, int(frame.width * share))
        notes = (_coarser(frame.width / width),)
        frame, _ = grid_of(sources, zone, CoverageRequest(raster.layer.name, width=width))
    dtype = np.result_type(*(source.dtype for source in sources))
    nature, bands = nature_of(raster.layer), len(raster.layer.bands)
    reader = Reader(sources, frame, None, nature, bands, dtype, None)
    values = _values(reader, frame, band)
    if not np.isfinite(values).any():
        raise NoCoverage(f"No cell of {raster.layer.name} in that box has data.")
    return Cells(Grid(values, frame.transform, storage_transformer(pyproj_crs(frame.crs))), notes)


def _values(reader: Reader, frame: Frame, band: int) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    values = np.full((frame.height, frame.width), np.nan)
    for chunk in reader.chunks(_BLOCK):
        rows = slice(chunk.row, chunk.row + chunk.values.shape[1])
        values[rows] = np.where(chunk.valid[band], chunk.values[band].astype(np.float64), np.nan)
    return values


def _coarser(times: float) -> Text:
    return Text(
        zh=f"栅格按约{times:.1f}倍粗的分辨率读取。",
        en=f"Cells were read about {times:.1f} times as coarse as they are.",
    )
