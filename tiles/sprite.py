"""Images that map styles ask for by name, and the sheets in which clients fetch them.

`hatch:<colour>` is a pattern of slanted strokes; `disc:<ring>:<colour>` is a round mark with a ring. They look as
the portal's own, which draws them in the browser.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from rio_tiler.utils import render as encode_image

from layers.colormap import rgb
from layers.errors import UnknownResource

Rgba = npt.NDArray[np.uint8]
Share = npt.NDArray[np.float64]
HATCH_SIDE, HATCH_STROKE = 8, 1.6
DISC_SIDE, DISC_RADIUS, DISC_RING = 10, 4.0, 1.0
"""Sizes in pixels of a display with one pixel per point."""
_FINE = 8
_NAME = re.compile(r"hatch:(#[0-9a-f]{6})|disc:(#[0-9a-f]{6}):(#[0-9a-f]{6})")
_CELL = 12


@dataclass(frozen=True)
class Sheet:
    """A sprite: one picture (PNG) that holds all images, and where each of them stands in it."""

    picture: bytes
    index: dict[str, dict[str, Any]]

    @property
    def index_text(self) -> bytes:
        """The index as JSON."""
        return json.dumps(self.index, separators=(",", ":")).encode()


def sheet(names: Iterable[str], ratio: int = 1) -> Sheet:
    """The sheet of images, in the order of their names.

    Args:
        names: Names of images.
        ratio: Pixels per point, 1 or 2.

    Raises:
        UnknownResource: When there is no such image.
    """
    drawn = {name: image(name, ratio) for name in sorted(set(names))}
    across = max(1, math.ceil(math.sqrt(len(drawn))))
    cell = _CELL * ratio
    board = np.zeros((4, cell * max(1, math.ceil(len(drawn) / across)), cell * across), dtype=np.uint8)
    index: dict[str, dict[str, Any]] = {}
    for number, (name, pixels) in enumerate(drawn.items()):
        x, y = number % across * cell, number // across * cell
        height, width = pixels.shape[1:]
        board[:, y : y + height, x : x + width] = pixels
        index[name] = {"x": x, "y": y, "width": width, "height": height, "pixelRatio": ratio}
    return Sheet(png(board), index)


def png(pixels: Rgba) -> bytes:
    """Pixels (red, green, blue, alpha; row; column) as a PNG."""
    return bytes(encode_image(pixels[:3], mask=pixels[3], img_format="PNG"))


def image(name: str, ratio: int = 1) -> Rgba:
    """One image as (red, green, blue, alpha; row; column), colours not multiplied by alpha.

    Raises:
        UnknownResource: When there is no such image.
    """
    found = _NAME.fullmatch(name)
    if found is None:
        raise UnknownResource(f"There is no map image {name[:60]!r}; there are hatch:#rrggbb and disc:#rrggbb:#rrggbb.")
    hatched, ring, inside = found.groups()
    return _hatch(hatched, ratio) if hatched else _disc(ring, inside, ratio)


def _hatch(colour: str, ratio: int) -> Rgba:
    x, y = _places(HATCH_SIDE, ratio)
    # Strokes run from lower left to upper right, where x + y is a multiple of the side; so copies join without a seam.
    off = (x + y + HATCH_SIDE / 2) % HATCH_SIDE - HATCH_SIDE / 2
    return _coloured(_share(np.abs(off) / math.sqrt(2) <= HATCH_STROKE / 2, ratio), colour)


def _disc(ring: str, inside: str, ratio: int) -> Rgba:
    x, y = _places(DISC_SIDE, ratio)
    away = np.hypot(x - DISC_SIDE / 2, y - DISC_SIDE / 2)
    whole = _share(away <= DISC_RADIUS + DISC_RING / 2, ratio)
    rim = _share((away > DISC_RADIUS - DISC_RING / 2) & (away <= DISC_RADIUS + DISC_RING / 2), ratio)
    pixels = _coloured(whole, inside)
    mixed = np.divide(rim, whole, out=np.zeros_like(rim), where=whole > 0)
    outer, inner = (np.array(rgb(c), dtype=np.float64)[:, None, None] for c in (ring, inside))
    pixels[:3] = np.rint(inner + (outer - inner) * mixed)
    return pixels


def _places(side: int, ratio: int) -> tuple[Share, Share]:
    """Coordinates, in points, of a fine grid of samples."""
    along = (np.arange(side * ratio * _FINE) + 0.5) / (ratio * _FINE)
    x, y = np.meshgrid(along, along)
    return x, y


def _share(inside: npt.NDArray[np.bool_], ratio: int) -> Share:
    """Share of each pixel that is covered."""
    side = inside.shape[0] // _FINE
    return np.asarray(inside.reshape(side, _FINE, side, _FINE).mean(axis=(1, 3)))


def _coloured(share: Share, colour: str) -> Rgba:
    pixels = np.empty((4, *share.shape), dtype=np.uint8)
    pixels[:3] = np.array(rgb(colour), dtype=np.uint8)[:, None, None]
    pixels[3] = np.rint(share * 255)
    return pixels
