"""Images: pixels with or without a palette, written as PNG, WebP or JPEG."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from rio_tiler.utils import render as encode_image

from layers.errors import BadParameter
from tiles import png

ImageFormat = Literal["png", "webp", "jpeg"]
MEDIA_TYPES: dict[ImageFormat, str] = {"png": "image/png", "webp": "image/webp", "jpeg": "image/jpeg"}
Mask = npt.NDArray[np.bool_]
Pixels = npt.NDArray[np.uint8]
JPEG_QUALITY = 85
WEBP_QUALITY = 82
_JPEG: dict[str, Any] = {"QUALITY": JPEG_QUALITY}
_WEBP: dict[str, Any] = {"QUALITY": WEBP_QUALITY, "METHOD": 0}
"""Method 0 is four times as fast as the library's own choice, for files a seventh larger."""
_EXACT_WEBP: dict[str, Any] = {"LOSSLESS": "YES", "EXACT": 1, "METHOD": 0}
_PAPER = 255
_OPAQUE = 255


@dataclass(frozen=True, slots=True)
class Picture:
    """What is shown.

    Attributes:
        valid: Pixels that have data (row, column); the others are transparent.
        cells: Red, green, blue (band, row, column), or with a palette the number of the colour (row, column).
        palette: Colours (number, red-green-blue), at most 256.
        exact: Whether colours must not change on the way, because they mean classes or numbers.
    """

    valid: Mask
    cells: Pixels
    palette: Pixels | None = None
    exact: bool = False

    @property
    def pixels(self) -> Pixels:
        """Red, green, blue (band, row, column)."""
        if self.palette is None:
            return self.cells
        return np.ascontiguousarray(np.moveaxis(self.palette[self.cells], -1, 0))


def image_format(name: str) -> ImageFormat:
    """The image format of this name.

    Raises:
        BadParameter: When there is none.
    """
    for known in MEDIA_TYPES:
        if name == known:
            return known
    raise BadParameter(f"Image tiles come as {', '.join(MEDIA_TYPES)}; {name[:30]!r} is not offered.", parameter="f")


def encode(picture: Picture, fmt: ImageFormat) -> bytes:
    """An image file. Pixels without data are transparent; JPEG, which has no transparency, shows white paper there."""
    if fmt == "png":
        return _png(picture)
    pixels, valid = picture.pixels, picture.valid
    if fmt == "jpeg":
        shown = pixels if valid.all() else np.where(valid, pixels, _PAPER).astype(np.uint8)
        return bytes(encode_image(shown, img_format="JPEG", **_JPEG))
    options = _EXACT_WEBP if picture.exact else _WEBP
    return bytes(encode_image(pixels, mask=None if valid.all() else _alpha(valid), img_format="WEBP", **options))


def _png(picture: Picture) -> bytes:
    whole = bool(picture.valid.all())
    if picture.palette is not None:
        used = np.bincount(picture.cells[picture.valid], minlength=png.MOST_COLOURS)
        spare = int(np.argmin(used))
        if whole:
            return png.indexed(picture.cells, picture.palette)
        if used[spare] == 0:
            palette = np.zeros((max(spare + 1, len(picture.palette)), 3), dtype=np.uint8)
            palette[: len(picture.palette)] = picture.palette
            return png.indexed(np.where(picture.valid, picture.cells, spare).astype(np.uint8), palette, spare)
    pixels = picture.pixels
    return png.truecolour(pixels if whole else np.concatenate([pixels, _alpha(picture.valid)[None]]))


def _alpha(valid: Mask) -> Pixels:
    return np.where(valid, _OPAQUE, 0).astype(np.uint8)


@lru_cache(maxsize=16)
def empty_image(fmt: ImageFormat, size: int) -> bytes:
    """An image without any data."""
    nothing = np.zeros((size, size), dtype=np.uint8)
    return encode(Picture(nothing > 0, nothing, np.zeros((1, 3), dtype=np.uint8), exact=True), fmt)
