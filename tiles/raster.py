"""Raster tiles: COGs of a layer, the topmost first, drawn as one image in the layer's style or as a view asks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from rasterio.windows import Window

from layers.asset import Asset
from layers.codelist import CodeList
from layers.errors import BadParameter
from layers.model import RasterLayer
from tiles.frame import Frame
from tiles.grid import web_mercator
from tiles.handles import reading
from tiles.image import MEDIA_TYPES, ImageFormat, Picture, empty_image, encode, image_format
from tiles.mosaic import stack
from tiles.paint import paint, paint_heights, paint_view
from tiles.relief import MARGIN
from tiles.sets.model import Place
from tiles.source import SourceInfo
from tiles.view import SIZES, View, plain_view
from tiles.warp import cell_at

__all__ = ["MEDIA_TYPES", "Asset", "ImageFormat", "PointValue", "RasterTiles", "picture", "point_value", "render"]

TILE_SIZE = SIZES[0]
"""Pixels along the edge of a tile unless more are asked for."""


@dataclass(frozen=True, slots=True)
class PointValue:
    """The cell at a place: a value per band of the file (None = no data), and the asset it comes from."""

    values: tuple[float | None, ...]
    asset: Asset


@dataclass(frozen=True)
class RasterTiles:
    """The tiles of a raster layer as a `tiles.source.TileSource`.

    Attributes:
        assets: COGs of the layer; the first lies on top.
        layer: Whose style is followed.
        codelists: Code lists by id.
        fmt: Image format.
        size: Pixels along an edge, 256 or 512.
        view: What is shown, when it is not the style of the layer; its size counts then.
    """

    assets: Sequence[Asset]
    layer: RasterLayer
    codelists: Mapping[str, CodeList]
    fmt: ImageFormat = "png"
    size: int = TILE_SIZE
    view: View | None = None

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
        """Draw one tile of WebMercatorQuad; see `at`.

        Args:
            z: Zoom level.
            row: Row, from the top.
            col: Column, from the left.
        """
        return self.at(web_mercator().place(z, row, col))

    def at(self, place: Place) -> bytes:
        """Draw one tile of any set.

        Returns:
            The image. A tile that no data meet is a transparent image.

        Raises:
            AssetUnavailable: When a file that the tile needs is missing or damaged.
            BadParameter: When the view packs numbers into colours and the format would change them.
            DefinitionError: When the style and its code list do not fit.
        """
        view = self.view or plain_view(self.layer, self.size)
        if view.packed and self.fmt == "jpeg":
            raise BadParameter(
                f"algorithm={view.algorithm} packs heights into colours, which JPEG changes.", parameter="f"
            )
        shown = picture(self.assets, self.layer, self.codelists, Frame.of_place(place, view.size), view)
        return empty_image(self.fmt, view.size) if shown is None else encode(shown, self.fmt)


def picture(
    assets: Sequence[Asset], layer: RasterLayer, codelists: Mapping[str, CodeList], frame: Frame, view: View
) -> Picture | None:
    """What a frame shows of a layer; None when no data meet it.

    Args:
        assets: COGs of the layer; the first lies on top.
        layer: Whose style is followed where the view says nothing else.
        codelists: Code lists by id.
        frame: The pixels, in any CRS.
        view: What is shown.

    Raises:
        AssetUnavailable: When a file that the frame needs is missing or damaged.
        DefinitionError: When the style and its code list do not fit.
    """
    wide = frame.grown(MARGIN) if view.algorithm in ("hillshade", "slope") else frame
    found = stack(assets, layer, wide, view.bands)
    if found is None:
        return _sea(frame, view) if view.opaque else None
    values, valid = found
    if view.algorithm is not None:
        return paint_heights(values, valid, view, frame)
    if view.ranges:
        return paint_view(values, valid, view)
    return paint(values, valid, layer, codelists)


def _sea(frame: Frame, view: View) -> Picture:
    """Packed heights of a frame that no data meet: sea level."""
    shape = (frame.height, frame.width)
    return paint_heights(np.zeros((1, *shape)), np.zeros(shape, dtype=bool), view, frame)


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
