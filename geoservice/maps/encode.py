"""Finished maps in the image format that was asked for."""

from __future__ import annotations

import warnings

import numpy as np
from rasterio.errors import NotGeoreferencedWarning
from rasterio.io import MemoryFile
from rio_tiler.utils import render as encode_image

from layers.colormap import rgb
from layers.errors import MapUnavailable

PNG, JPEG, WEBP = "image/png", "image/jpeg", "image/webp"
FORMATS = (PNG, JPEG, WEBP)
_CHANNELS = 4


def encoded_map(picture: bytes, media: str, paper: str = "#ffffff") -> bytes:
    """A map as PNG (as it came from the renderer), as WebP with its transparency, or as JPEG on paper of a colour.

    Raises:
        MapUnavailable: When the renderer gave something else than a picture.
    """
    if media == PNG:
        return picture
    pixels = decoded(picture)
    if media == WEBP:
        return bytes(encode_image(pixels[:3], mask=pixels[3], img_format="WEBP", QUALITY=85))
    share = pixels[3:].astype(np.float32) / 255
    below = np.array(rgb(paper), dtype=np.float32)[:, None, None]
    mixed = np.rint(pixels[:3] * share + below * (1 - share)).astype(np.uint8)
    return bytes(encode_image(mixed, img_format="JPEG", QUALITY=88))


def decoded(picture: bytes) -> np.ndarray:
    """Pixels of a PNG as (red, green, blue, alpha; row; column).

    Raises:
        MapUnavailable: When it is none.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        with MemoryFile(picture) as file, file.open(driver="PNG") as found:
            pixels: np.ndarray = found.read()
    if pixels.shape[0] != _CHANNELS:
        raise MapUnavailable("The renderer gave a picture of another kind than was agreed.")
    return pixels
