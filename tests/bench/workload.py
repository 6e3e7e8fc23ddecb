"""What is asked: fixed lists drawn with a fixed seed from the extent of the sample region."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass

SEED = 20260101
ZOOMS = {8: 1, 9: 1, 10: 2, 11: 4, 12: 8, 13: 14, 14: 24, 15: 26, 16: 20}
"""How often each zoom comes in a hundred tiles: somebody who looks around once and then works in the detail."""
BOX_DEGREES = 0.01

Bounds = tuple[float, float, float, float]


@dataclass(frozen=True, order=True)
class TileAddress:
    """A tile of WebMercatorQuad."""

    z: int
    x: int
    y: int


def tile_at(lon: float, lat: float, z: int) -> TileAddress:
    """The tile of a zoom that holds a place (spherical Mercator, EPSG method 1024)."""
    count = 2**z
    x = int((lon + 180) / 360 * count)
    y = int((1 - math.asinh(math.tan(math.radians(lat))) / math.pi) / 2 * count)
    return TileAddress(z, x, y)


def tiles(bounds: Bounds, number: int) -> list[TileAddress]:
    """A mix of zooms 8 to 16 in a shuffled order; the share of each zoom is exact."""
    chance = random.Random(SEED)  # noqa: S311 - no secret hangs on it
    whole = sum(ZOOMS.values())
    found = [tile_at(*_place(bounds, chance), z) for z, share in ZOOMS.items() for _ in range(number * share // whole)]
    chance.shuffle(found)
    return found


def boxes(bounds: Bounds, number: int) -> list[Bounds]:
    """Small boxes inside the region: west, south, east, north in degrees."""
    chance = random.Random(SEED + 1)  # noqa: S311
    places = (_place(bounds, chance) for _ in range(number))
    return [(x, y, round(x + BOX_DEGREES, 6), round(y + BOX_DEGREES, 6)) for x, y in places]


def chosen(most: int, number: int) -> list[int]:
    """Row numbers from 0 to `most` - 1."""
    chance = random.Random(SEED + 2)  # noqa: S311
    return [chance.randrange(most) for _ in range(number)]


def _place(bounds: Bounds, chance: random.Random) -> tuple[float, float]:
    # The inner part of the extent: the county is not a rectangle.
    west, south, east, north = bounds
    share_x, share_y = chance.uniform(0.2, 0.8), chance.uniform(0.2, 0.8)
    return round(west + share_x * (east - west), 6), round(south + share_y * (north - south), 6)
