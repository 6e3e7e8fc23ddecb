"""Colour maps by name: those of the house, and those of cartography and science that rio-tiler brings along."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt
from rio_tiler.colormap import cmap

from layers.colormap import STEPS, blended
from layers.style import RAMPS

Palette = npt.NDArray[np.uint8]
_OPAQUE = 255
_TRANSLUCENT = frozenset({"cfastie", "rplumbo", "schwarzwald"})


@lru_cache(maxsize=1)
def colour_map_names() -> frozenset[str]:
    """Names of all colour maps. One that the house and rio-tiler both have is that of the house."""
    return frozenset(RAMPS) | frozenset(cmap.list())


@lru_cache(maxsize=64)
def colour_map(name: str) -> Palette:
    """256 colours (number, red-green-blue) from the low to the high end of a map in `colour_map_names`."""
    if name in RAMPS:
        return np.array(blended(RAMPS[name]), dtype=np.uint8)
    found = cmap.get(name)
    return np.array([found[step][:3] for step in range(STEPS)], dtype=np.uint8)
