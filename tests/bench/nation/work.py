"""Which tiles of the country are asked for: a fixed list, drawn with a fixed seed."""

from __future__ import annotations

import random
from dataclasses import dataclass

from tests.bench.nation import country
from tests.bench.workload import TileAddress, tile_at

ZOOMS = {5: 2, 6: 3, 7: 4, 8: 6, 9: 8, 10: 10, 11: 12, 12: 13, 13: 14, 14: 13, 15: 9, 16: 6}
LAYERS = {"parcels": 40, "roads": 30, "rivers": 15, "counties": 15}
DETAIL = 11
"""From this zoom on nothing is seeded."""
_SPOTS, _AT_A_SPOT = 120, 0.6


@dataclass(frozen=True)
class Asked:
    """A tile of a layer."""

    layer: str
    tile: TileAddress

    @property
    def path(self) -> str:
        """Its address at our service."""
        return f"/collections/{self.layer}/tiles/WebMercatorQuad/{self.tile.z}/{self.tile.y}/{self.tile.x}"

    @property
    def path_of_tipg(self) -> str:
        """Its address at tipg."""
        return f"/collections/geo.{self.layer}/tiles/WebMercatorQuad/{self.tile.z}/{self.tile.x}/{self.tile.y}"


def mix(number: int, lowest: int = min(ZOOMS)) -> list[Asked]:
    """Tiles of zooms 5 to 16 over the four layers, three in five near some towns; no more often than asked for."""
    chance = random.Random(country.SEED)  # noqa: S311 - no secret hangs on it
    spots = [_place(chance) for _ in range(_SPOTS)]
    found = []
    while len(found) < number:
        zoom = chance.choices(list(ZOOMS), list(ZOOMS.values()))[0]
        layer = chance.choices(list(LAYERS), list(LAYERS.values()))[0]
        near = chance.choice(spots)
        lon, lat = (side + chance.gauss(0, 0.03) for side in near) if chance.random() < _AT_A_SPOT else _place(chance)
        if zoom >= lowest:
            found.append(Asked(layer, tile_at(lon, lat, zoom)))
    return found


def unseeded(number: int) -> list[Asked]:
    """Tiles of zooms 11 to 16, each once."""
    found: dict[Asked, None] = {}
    for asked in mix(3 * number, DETAIL):
        found[asked] = None
        if len(found) == number:
            break
    return list(found)


def _place(chance: random.Random) -> tuple[float, float]:
    # Clear of the rim, so that no tile is empty.
    lon = country.WEST + chance.uniform(0.05, 0.95) * country.WIDTH
    return lon, country.SOUTH + chance.uniform(0.05, 0.95) * country.HEIGHT
