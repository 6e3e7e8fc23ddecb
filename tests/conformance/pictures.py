"""Images of answers, decoded by GDAL."""

from __future__ import annotations

import warnings

import numpy as np
import numpy.typing as npt
from rasterio.errors import NotGeoreferencedWarning
from rasterio.io import MemoryFile


def pixels(content: bytes) -> npt.NDArray[np.uint8]:
    """Bands, rows and columns of a PNG, JPEG or WebP; a palette is resolved into red, green, blue and opacity."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        with MemoryFile(content) as memory, memory.open() as image:
            bands: npt.NDArray[np.uint8] = image.read()
            if image.count != 1:
                return bands
            try:
                palette = image.colormap(1)
            except ValueError:
                return np.repeat(bands, 3, axis=0)
            table = np.array([palette.get(index, (0, 0, 0, 255)) for index in range(256)], dtype=np.uint8)
            return np.moveaxis(table[bands[0]], -1, 0)


def size(content: bytes) -> tuple[int, int]:
    """Width and height in pixels."""
    _, height, width = pixels(content).shape
    return width, height
