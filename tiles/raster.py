"""Raster tiles: COGs of a layer, the newest on top, drawn in the layer's style as one image."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from rasterio.enums import Resampling
from rasterio.windows import Window

from layers.asset import Asset
from layers.codelist import CodeList
from layers.model import RasterLayer
from tiles.grid import bounds_degrees
from tiles.image import MEDIA_TYPES, ImageFormat, empty_image, encode, image_format, paint
from tiles.source import SourceInfo
from tiles.warp import cell_at, read_tile, reading

__all__ = ["MEDIA_TYPES", "Asset", "ImageFormat", "PointValue", "RasterTiles", "point_value", "render"]

TILE_SIZE = 256


@dataclass(frozen=True, slots=True)
class PointValue:
    """The cell at a place: a value per band of the file (None = no data), and the asset it comes from."""

    values: tuple[float | None, ...]
    asset: Asset


@dataclass(frozen=True)
class RasterTiles:
    """The tiles of a raster layer as a `tiles.source.TileSource`.

    Attributes:
        assets: COGs of the layer, the newest first; it lies on top.
        layer: Whose style is followed.
        codelists: Code lists by id.
        fmt: Image format.
        size: Pixels along an edge, 256 or 512.
    """

    assets: Sequence[Asset]
    layer: RasterLayer
    codelists: Mapping[str, CodeList]
    fmt: ImageFormat = "png"
    size: int = TILE_SIZE

    def info(self) -> SourceInfo:
        """What the layer offers."""
        boxes = np.array([a.bounds for a in self.assets])
        bounds = None
        if len(boxes):
            low, high = boxes.min(axis=0), boxes.max(axis=0)
            bounds = (float(low[0]), float(low[1]), float(high[2]), float(high[3]))
        zooms = self.layer.tiles
        return SourceInfo(self.layer.name, MEDIA_TYPES[self.fmt], zooms.from_, zooms.to, bounds)

    def tile(self, z: int, row: int, col: int) -> bytes:
        """Draw one tile of WebMercatorQuad.

        Cells that sums were made of (overviews `sum`) are drawn as the mean of the cells they stand for, so that a
        colour means the same at every zoom level.

        Args:
            z: Zoom level.
            row: Row, from the top.
            col: Column, from the left.

        Returns:
            The image. A tile that no data meet is a transparent image.

        Raises:
            AssetUnavailable: When a file that the tile needs is missing or damaged.
            DefinitionError: When the style and its code list do not fit.
        """
        box = bounds_degrees(z, row, col)
        found = _mosaic([a for a in self.assets if a.meets(box)], self.layer, (z, row, col), self.size)
        if found is None:
            return empty_image(self.fmt, self.size)
        values, valid = found
        pixels = paint(values, valid, self.layer, self.codelists)
        return encode(pixels, valid, self.fmt, exact=self.layer.style.classes is not None)


def render(
    assets: Sequence[Asset],
    layer: RasterLayer,
    codelists: Mapping[str, CodeList],
    z: int,
    row: int,
    col: int,
    fmt: str = "png",
) -> bytes:
    """Draw a 256-pixel tile of WebMercatorQuad as png, webp or jpeg; see `RasterTiles.tile`.

    Raises:
        BadParameter: When there is no such image format.
        AssetUnavailable: When a file that the tile needs is missing or damaged.
        DefinitionError: When the style and its code list do not fit.
    """
    return RasterTiles(assets, layer, codelists, image_format(fmt)).tile(z, row, col)


def point_value(assets: Sequence[Asset], lon: float, lat: float) -> PointValue | None:
    """The topmost cell that has data at a place.

    Args:
        assets: COGs of a layer, the newest first.
        lon: Longitude in degrees.
        lat: Latitude in degrees.

    Returns:
        None when no asset has data there. A cell counts when any of its bands has data.

    Raises:
        AssetUnavailable: When a file is missing or damaged.
    """
    for asset in assets:
        place = cell_at(asset, lon, lat) if asset.meets((lon, lat, lon, lat)) else None
        if place is None:
            continue
        with reading(asset) as dataset:
            cell = dataset.read(window=Window(place[0], place[1], 1, 1), masked=True)
        missing = np.ma.getmaskarray(cell).ravel().tolist()
        values = [None if gone else float(v) for v, gone in zip(cell.data.ravel().tolist(), missing, strict=True)]
        if any(v is not None for v in values):
            return PointValue(tuple(values), asset)
    return None


def _mosaic(
    assets: Sequence[Asset], layer: RasterLayer, address: tuple[int, int, int], size: int
) -> tuple[npt.NDArray[Any], npt.NDArray[np.bool_]] | None:
    """Stack the assets, the first on top, until every pixel has data; None when none has."""
    values: npt.NDArray[Any] | None = None
    valid = np.zeros((size, size), dtype=np.bool_)
    for asset in assets:
        read, has_data, share = read_tile(asset, address, size, _bands(layer), _resampling(layer))
        if layer.cog.overviews == "sum" and share != 1:
            read = read / share
        fresh = has_data & ~valid
        if not fresh.any():
            continue
        if values is None:
            values = read
        else:
            kind = np.result_type(values.dtype, read.dtype)
            values = np.where(fresh, read.astype(kind), values.astype(kind))
        valid |= fresh
        if valid.all():
            break
    return None if values is None else (values, valid)


def _bands(layer: RasterLayer) -> tuple[int, ...]:
    return layer.style.rgb or (1,)


def _resampling(layer: RasterLayer) -> Resampling:
    """Codes and counts are never mixed with their neighbours."""
    exact = layer.style.classes is not None or layer.list is not None or layer.cog.overviews == "sum"
    return Resampling.nearest if exact else Resampling.bilinear
