"""From cells to images: colours by the style of the layer, then PNG, WebP or JPEG."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from rio_tiler.utils import render as encode_image

from layers.codelist import CodeList
from layers.colormap import STEPS, UNLISTED, class_colours, ramp_table
from layers.errors import BadParameter
from layers.model import RasterLayer
from layers.style import RasterStyle

ImageFormat = Literal["png", "webp", "jpeg"]
MEDIA_TYPES: dict[ImageFormat, str] = {"png": "image/png", "webp": "image/webp", "jpeg": "image/jpeg"}
Values = npt.NDArray[Any]
Mask = npt.NDArray[np.bool_]
Pixels = npt.NDArray[np.uint8]
_OPTIONS: dict[ImageFormat, dict[str, Any]] = {
    "png": {"ZLEVEL": 6},
    "webp": {"QUALITY": 82},
    "jpeg": {"QUALITY": 85},
}
_EXACT_WEBP = {"LOSSLESS": "YES"}
_PAPER = 255
_OPAQUE = 255
_EIGHT_BITS = (0.0, 255.0)


def image_format(name: str) -> ImageFormat:
    """The image format of this name.

    Raises:
        BadParameter: When there is none.
    """
    for known in MEDIA_TYPES:
        if name == known:
            return known
    raise BadParameter(f"Image tiles come as {', '.join(MEDIA_TYPES)}; {name[:30]!r} is not offered.", parameter="f")


def paint(values: Values, valid: Mask, layer: RasterLayer, codelists: Mapping[str, CodeList]) -> Pixels:
    """Colours of cells as (red, green, blue; row; column), 0 where nothing is valid.

    Args:
        values: Cells (band, row, column), in the bands that the style draws.
        valid: Pixels that have data.
        layer: Whose style is followed.
        codelists: Code lists by id; the one of a style with classes must be there.

    Raises:
        DefinitionError: When the style and its code list do not fit.
    """
    style = layer.style
    if style.rgb is not None:
        pixels = _stretched(values, style)
    elif style.classes is not None:
        pixels = _classed(values[0], class_colours(style, codelists))
    else:
        pixels = _ramped(values[0], style)
    pixels[:, ~valid] = 0
    return pixels


def encode(pixels: Pixels, valid: Mask, fmt: ImageFormat, *, exact: bool = False) -> bytes:
    """An image file. Pixels without data are transparent; JPEG, which has no transparency, shows white paper there.

    Args:
        pixels: Red, green, blue (band, row, column).
        valid: Pixels that have data.
        fmt: Image format.
        exact: Whether colours must not change (classes): WebP is then written without loss.
    """
    options = dict(_OPTIONS[fmt])
    if fmt == "jpeg":
        return bytes(encode_image(np.where(valid, pixels, _PAPER).astype(np.uint8), img_format="JPEG", **options))
    if fmt == "webp" and exact:
        options |= _EXACT_WEBP
    alpha = np.where(valid, _OPAQUE, 0).astype(np.uint8)
    return bytes(encode_image(pixels, mask=alpha, img_format=fmt.upper(), **options))


@lru_cache(maxsize=16)
def empty_image(fmt: ImageFormat, size: int) -> bytes:
    """An image without any data."""
    nothing = np.zeros((3, size, size), dtype=np.uint8)
    return encode(nothing, np.zeros((size, size), dtype=np.bool_), fmt, exact=True)


def _ramped(values: Values, style: RasterStyle) -> Pixels:
    low, high = style.stretch or _EIGHT_BITS
    place = (np.nan_to_num(values.astype(np.float64)) - low) / (high - low) * (STEPS - 1)
    index = np.clip(np.rint(place), 0, STEPS - 1).astype(np.intp)
    return np.moveaxis(np.array(ramp_table(style), dtype=np.uint8)[index], -1, 0).copy()


def _stretched(values: Values, style: RasterStyle) -> Pixels:
    low, high = style.stretch or _EIGHT_BITS
    if values.dtype == np.uint8 and (low, high) == _EIGHT_BITS:
        return np.array(values)
    scaled = (np.nan_to_num(values.astype(np.float64)) - low) / (high - low) * _EIGHT_BITS[1]
    return np.clip(np.rint(scaled), 0, _OPAQUE).astype(np.uint8)


def _classed(values: Values, colours: Mapping[int, tuple[int, int, int, int]]) -> Pixels:
    pixels = np.empty((3, *values.shape), dtype=np.uint8)
    pixels[:] = np.array(UNLISTED, dtype=np.uint8)[:, None, None]
    for value in np.unique(values).tolist():
        if value in colours:
            pixels[:, values == value] = np.array(colours[value][:3], dtype=np.uint8)[:, None]
    return pixels
