"""Image tiles of an archive: one raster layer, drawn as the service draws it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import shapely

from layers.asset import Asset
from layers.codelist import CodeList
from layers.model import RasterLayer
from tiles.archive.subject import Address, Box, Shapes
from tiles.image import ImageFormat, empty_image
from tiles.raster import TILE_SIZE, render


@dataclass(frozen=True)
class Images:
    """A raster layer as the subject of an archive.

    Attributes:
        layer: Whose style is followed.
        assets: Its files, the newest first; workers of a cluster must reach them at the same paths.
        codelists: Code lists by id.
        kind: Image format.
        zooms: Lowest and highest zoom level.
    """

    layer: RasterLayer
    assets: tuple[Asset, ...]
    codelists: Mapping[str, CodeList]
    kind: ImageFormat
    zooms: tuple[int, int]

    def open(self) -> ImageDrawer:
        """A drawer; it holds nothing open."""
        return ImageDrawer(self)


class ImageDrawer:
    """Draws the image tiles of one raster layer."""

    def __init__(self, subject: Images) -> None:
        """Draw a subject."""
        self._subject = subject

    def close(self) -> None:
        """Nothing to give back."""

    def count(self, window: Box, most: int) -> int:
        """Files whose footprint meets a window."""
        return min(most, sum(asset.meets(window) for asset in self._subject.assets))

    def shapes(self, window: Box, wide: float) -> Shapes:
        """Boxes of the files in a window; large ones come with the box as their outline."""
        boxes = [asset.bounds for asset in self._subject.assets if asset.meets(window)]
        outlines = [shapely.box(*b) if max(b[2] - b[0], b[3] - b[1]) > wide else None for b in boxes]
        return Shapes(np.array(boxes, dtype=np.float64).reshape(-1, 4), np.array(outlines, dtype=object))

    def draw(self, address: Address) -> bytes:
        """One image; empty when no pixel of it has data."""
        z, x, y = address
        subject = self._subject
        image = render(subject.assets, subject.layer, subject.codelists, z, y, x, subject.kind)
        return b"" if image == empty_image(subject.kind, TILE_SIZE) else image
