"""The shape of the ground from heights: shade, slope, and heights packed into colours."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tiles.frame import Frame

Numbers = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]
Pixels = npt.NDArray[np.uint8]
MARGIN = 1
"""Pixels around a frame that slopes on its rim need."""
_SHADES = 254
_BYTE = 256
_MOST = 2**24 - 1
_MAPBOX_BASE, _MAPBOX_STEP = 10_000.0, 0.1
_TERRARIUM_BASE, _TERRARIUM_STEP = 32_768.0, 1 / 256


@dataclass(frozen=True, slots=True)
class Light:
    """Where the light of a shaded relief comes from.

    Attributes:
        azimuth: Degrees clockwise from north; 315 is the north-west, as on maps.
        altitude: Degrees above the horizon.
        exaggeration: Factor of the heights.
    """

    azimuth: float = 315.0
    altitude: float = 45.0
    exaggeration: float = 1.0


def gradient(heights: Numbers, valid: Mask, frame: Frame) -> tuple[Numbers, Numbers]:
    """Rise per metre towards the east and towards the south (Horn, 1981: Hill shading and the reflectance map).

    Args:
        heights: Heights in metres on the frame grown by `MARGIN`.
        valid: Which of them are known. A neighbour without a height counts as level with the middle.
        frame: The frame that is asked for.

    Returns:
        Two arrays of the size of the frame.
    """
    rows, columns = frame.height, frame.width
    middle = heights[1:-1, 1:-1]

    def beside(down: int, right: int) -> Numbers:
        where = slice(1 + down, 1 + down + rows), slice(1 + right, 1 + right + columns)
        return np.where(valid[where], heights[where], middle)

    north_west, north, north_east = (beside(-1, right) for right in (-1, 0, 1))
    south_west, south, south_east = (beside(1, right) for right in (-1, 0, 1))
    west, east = beside(0, -1), beside(0, 1)
    wide, tall = (metres[:, None] for metres in frame.ground())
    eastwards = (north_east + 2 * east + south_east) - (north_west + 2 * west + south_west)
    southwards = (south_west + 2 * south + south_east) - (north_west + 2 * north + north_east)
    return eastwards / (8 * wide), southwards / (8 * tall)


def hillshade(rise: tuple[Numbers, Numbers], light: Light) -> Pixels:
    """Brightness from 1 (in shade) to 255 (facing the light) of a surface that scatters light evenly (Lambert)."""
    east, south = (part * light.exaggeration for part in rise)
    azimuth, altitude = np.radians(light.azimuth), np.radians(light.altitude)
    # The normal of the surface points to (-east, south, 1), x to the east and y to the north.
    towards = -east * np.sin(azimuth) + south * np.cos(azimuth)
    cosine = (np.sin(altitude) + np.cos(altitude) * towards) / np.sqrt(1 + east**2 + south**2)
    return np.asarray(1 + np.rint(_SHADES * np.clip(cosine, 0, 1)), dtype=np.uint8)


def slope(rise: tuple[Numbers, Numbers]) -> Numbers:
    """Steepest slope in degrees from the horizontal."""
    return np.degrees(np.arctan(np.hypot(*rise)))


def mapbox_colours(heights: Numbers) -> Pixels:
    """Terrain-RGB of Mapbox: height = -10000 + 0.1 * (65536 red + 256 green + blue) metres."""
    return _packed((heights + _MAPBOX_BASE) / _MAPBOX_STEP)


def terrarium_colours(heights: Numbers) -> Pixels:
    """Terrarium: height = 256 red + green + blue / 256 - 32768 metres."""
    return _packed((heights + _TERRARIUM_BASE) / _TERRARIUM_STEP)


def _packed(steps: Numbers) -> Pixels:
    whole = np.clip(np.rint(steps), 0, _MOST).astype(np.uint32)
    return np.stack([whole // _BYTE**2, whole // _BYTE % _BYTE, whole % _BYTE]).astype(np.uint8)
