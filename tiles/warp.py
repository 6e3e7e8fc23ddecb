"""Cells of a COG on the pixels of a frame: the right overview, sampled along two axes where it can be, else warped.

CRSs that `layers.crs.NULL_LINK` joins with WGS 84 are handed to GDAL as EPSG:4326 when they are geographic: PROJ takes
12 to 37 times as long for EPSG:4490, with the same result. Calls may run in any number of threads; memory is bounded by
one frame, GDAL's block cache and the idle handles.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import pyproj
from affine import Affine
from rasterio.crs import CRS
from rasterio.enums import Resampling
from rasterio.io import DatasetReader
from rasterio.vrt import WarpedVRT
from rasterio.warp import transform as transform_points

from layers.asset import Asset
from layers.crs import WEB_MERCATOR_SRID, keeps_coordinates
from layers.errors import CrsRefused
from tiles.frame import Frame, Kind, easting, latitude, longitude, northing
from tiles.handles import reading
from tiles.sample import Axis, Mask, Values, axis, has_data, read_straight

_PROBES = 3
_SLACK = 1.01
_TOLERANCE = 0.125
_WORLD_SRID = 4326


@dataclass(frozen=True)
class Opened:
    """What never changes about a COG, kept by file (files are named after their content).

    Attributes:
        crs: CRS for the warper. kind: which sort of coordinates. transform, width, height: the grid.
        overviews: decimations, ascending.
        nodata: Value for "no data", None when a mask or nothing says so.
    """

    crs: CRS
    kind: Kind
    transform: Affine
    width: int
    height: int
    overviews: tuple[int, ...]
    nodata: float | None


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which cells are read, and how they become pixels.

    Attributes:
        bands: Bands from 1.
        mixed: Whether pixels are means of cells; else each shows the cell it lies in (codes, counts).
        any_band: Whether a cell counts as soon as one of the bands has data (pictures); else all must have.
    """

    bands: tuple[int, ...]
    mixed: bool
    any_band: bool


def opened(asset: Asset) -> Opened:
    """The unchanging facts of an asset's file.

    Raises:
        AssetUnavailable: When the file is missing or damaged.
    """
    return _opened(asset)


@lru_cache(maxsize=1024)
def _opened(asset: Asset) -> Opened:
    with reading(asset) as dataset:
        crs, transform = web_crs(dataset.crs), dataset.transform
        return Opened(
            crs=crs,
            kind=_kind(crs, transform),
            transform=transform,
            width=dataset.width,
            height=dataset.height,
            overviews=tuple(dataset.overviews(1)),
            nodata=dataset.nodata,
        )


def _kind(crs: CRS, grid: Affine) -> Kind:
    if grid.b or grid.d or grid.a <= 0 or grid.e >= 0:
        return "other"
    known = crs.to_epsg()
    return "mercator" if known == WEB_MERCATOR_SRID else "degrees" if known == _WORLD_SRID else "other"


def web_crs(crs: CRS) -> CRS:
    """The CRS that the warper is given: EPSG:4326 for every geographic CRS that the null link joins with it."""
    try:
        known = pyproj.CRS.from_wkt(crs.to_wkt(version="WKT2_2019"))
        linked = keeps_coordinates(known)
    except CrsRefused:
        # A file without a datum never comes in by a load; it is drawn as its own CRS says.
        linked = False
    return CRS.from_epsg(_WORLD_SRID) if linked else crs


def read_frame(asset: Asset, frame: Frame, wanted: Wanted) -> tuple[Values, Mask, float]:
    """Cells of an asset on the pixels of a frame.

    Args:
        asset: The COG.
        frame: The pixels.
        wanted: Which cells, and how they become pixels after the overview was chosen.

    Returns:
        Values (band, row, column), which pixels have data, and how many cells of the full raster one cell of the
        overview that was read stands for. A pixel has data when its middle lies in a cell that has.

    Raises:
        AssetUnavailable: When the file is missing or damaged.
    """
    facts = opened(asset)
    level = _overview(facts, frame)
    straight = "other" not in (facts.kind, frame.kind)
    with reading(asset, level) as dataset:
        values, mask = (_straight if straight else _warped)(dataset, facts, frame, wanted)
        share = facts.width * facts.height / (dataset.width * dataset.height)
    return values, mask, share


def _straight(dataset: DatasetReader, facts: Opened, frame: Frame, wanted: Wanted) -> tuple[Values, Mask]:
    values = np.zeros((len(wanted.bands), frame.height, frame.width), dtype=dataset.dtypes[wanted.bands[0] - 1])
    mask = np.zeros((frame.height, frame.width), dtype=np.bool_)
    ways = _axes(dataset, facts.kind, frame, mixed=wanted.mixed)
    if ways is not None:
        inner = ways[1].pixels, ways[0].pixels
        found = read_straight(dataset, ways, wanted.bands, facts.nodata, any_band=wanted.any_band)
        values[:, *inner], mask[inner] = found
    return values, mask


def _axes(dataset: DatasetReader, kind: Kind, frame: Frame, *, mixed: bool) -> tuple[Axis, Axis] | None:
    """The axis of the columns and that of the rows; None where the frame has no pixel in the grid."""
    x, y = frame.centres()
    if frame.kind != kind:
        x, y = (longitude(x), latitude(y)) if frame.kind == "mercator" else (easting(x), northing(y))
    grid = dataset.transform
    across = axis((x - grid.c) / grid.a, dataset.width, mixed=mixed)
    down = axis((y - grid.f) / grid.e, dataset.height, mixed=mixed)
    return None if across is None or down is None else (across, down)


def _warped(dataset: DatasetReader, facts: Opened, frame: Frame, wanted: Wanted) -> tuple[Values, Mask]:
    options: dict[str, Any] = {
        "src_crs": facts.crs,
        "crs": frame.crs,
        "transform": frame.transform,
        "width": frame.width,
        "height": frame.height,
        "resampling": Resampling.bilinear if wanted.mixed else Resampling.nearest,
        "tolerance": _TOLERANCE,
    }
    if facts.nodata is None:
        options["add_alpha"] = True
    else:
        # The warper moves a valid value that equals `nodata` by one, so that it stays visible: in colour images
        # a band of 0 becomes 1.
        options |= {"src_nodata": facts.nodata, "nodata": facts.nodata}
    with WarpedVRT(dataset, **options) as warped:
        values = warped.read(wanted.bands)
        if facts.nodata is None:
            return values, warped.dataset_mask() > 0
    return values, has_data(values, facts.nodata, any_band=wanted.any_band)


def _overview(facts: Opened, frame: Frame) -> int | None:
    """The coarsest overview that is not coarser than the pixels of the frame; None for the full raster."""
    pixel = _pixel_in_cells(facts, frame)
    fitting = [i for i, decimation in enumerate(facts.overviews) if decimation <= pixel * _SLACK]
    return fitting[-1] if fitting else None


def _pixel_in_cells(facts: Opened, frame: Frame) -> float:
    """How many cells one pixel of the frame spans, where it spans fewest; infinite where the CRS does not reach."""
    west, south, east, north = frame.bounds
    across, down = frame.steps
    x, y = (a.ravel() for a in np.meshgrid(np.linspace(west, east, _PROBES), np.linspace(south, north, _PROBES)))
    places = np.stack([np.concatenate([x, x + across, x]), np.concatenate([y, y, y + down])])
    column, row = _cells(facts, frame.crs, places[0], places[1])
    here, right, above = np.split(np.stack([column, row]), 3, axis=1)
    spans = np.maximum(np.hypot(*(right - here)), np.hypot(*(above - here)))
    finite = spans[np.isfinite(spans)]
    return float(finite.min()) if finite.size else np.inf


def _cells(facts: Opened, crs: CRS, x: Values, y: Values) -> tuple[Values, Values]:
    """Column and row (not rounded) of places given in a CRS."""
    found_x, found_y = transform_points(crs, facts.crs, x.tolist(), y.tolist())
    grid = facts.transform
    return (np.asarray(found_x) - grid.c) / grid.a, (np.asarray(found_y) - grid.f) / grid.e


def cell_at(asset: Asset, lon: float, lat: float) -> tuple[int, int] | None:
    """Column and row of the cell at a place (degrees); None when the asset does not reach there.

    Raises:
        AssetUnavailable: When the file is missing or damaged.
    """
    facts = opened(asset)
    column, row = _cells(facts, CRS.from_epsg(_WORLD_SRID), np.array([lon]), np.array([lat]))
    if not (np.isfinite(column[0]) and np.isfinite(row[0])):
        return None
    place = int(np.floor(column[0])), int(np.floor(row[0]))
    return place if 0 <= place[0] < facts.width and 0 <= place[1] < facts.height else None
