"""Cutting an archive into parts that are drawn apart: subtrees of the pyramid with about the same content.

The pyramid is descended only where something lies. What lies above the roots of the subtrees is the crown.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import shapely

from tiles.archive.cover import MANY, MARGIN, Tiles, meeting, tiles_below, window, world_geometry
from tiles.archive.subject import Address, Drawer

MOST = 5_000
"""Things of a part, so that it takes seconds."""
DEPTH = 5
"""Zoom levels of a part below its root, so that it has 1,365 tiles at most."""
CROWN = 32
"""Tiles of a part of the crown."""
_WORLD: Address = (0, 0, 0)


@dataclass(frozen=True)
class Part:
    """Some tiles of an archive.

    Attributes:
        name: Tells it from the others, the same in every run over the same data.
        root: Its tiles are those of this one and below in which something lies; None for a part of the crown.
        tiles: Its tiles, for a part of the crown.
    """

    name: str
    root: Address | None = None
    tiles: tuple[Address, ...] = ()


@dataclass(frozen=True)
class Area:
    """Where tiles are wanted: a geometry in shares of the world (see `tiles.archive.cover`); None is everywhere."""

    geometry: shapely.Geometry | None = None

    @classmethod
    def of(cls, geometry: shapely.Geometry | None) -> Area:
        """The area of a surface in degrees (x=longitude, y=latitude)."""
        if geometry is None:
            return cls()
        return cls(world_geometry(np.array([geometry], dtype=object))[0])

    def among(self, z: int, tiles: Tiles) -> Tiles:
        """Those tiles of one zoom level that meet the area."""
        return tiles if self.geometry is None else meeting(self.geometry, z, tiles, 0.0)

    def holds(self, address: Address) -> bool:
        """Whether one tile meets the area."""
        return bool(len(self.among(address[0], np.array([address[1:]], dtype=np.int64))))


def parts_of(drawer: Drawer, zooms: tuple[int, int], area: Area) -> tuple[Part, ...]:
    """All parts of an archive, in a settled order: the crown, then subtrees.

    Args:
        drawer: Counts what lies where.
        zooms: Lowest and highest zoom level.
        area: Where tiles are wanted.
    """
    low, high = zooms
    crown: list[Address] = []
    roots: list[Address] = []
    waiting = [_WORLD]
    while waiting:
        address = waiting.pop()
        z, x, y = address
        found = drawer.count(window(address), MOST + 1) if area.holds(address) else 0
        if not found:
            continue
        if z == high or (found <= MOST and z >= high - DEPTH):
            roots.append(address)
            continue
        if z >= low:
            crown.append(address)
        waiting += [(z + 1, 2 * x + i, 2 * y + j) for j in (1, 0) for i in (1, 0)]
    return (*_crown_parts(crown), *(Part("{}-{}-{}".format(*root), root) for root in roots))


def _crown_parts(crown: list[Address]) -> Iterator[Part]:
    crown = sorted(crown)
    for number, start in enumerate(range(0, len(crown), CROWN)):
        yield Part(f"crown-{number}", tiles=tuple(crown[start : start + CROWN]))


def addresses(drawer: Drawer, part: Part, zooms: tuple[int, int], area: Area) -> Iterator[Address]:
    """The tiles of a part in which something may be seen, zoom level by zoom level."""
    if part.root is None:
        yield from part.tiles
        return
    low, high = zooms
    wide = 360.0 / 2**high * (MANY**0.5 - 2 * MARGIN - 1)
    below = tiles_below(part.root, drawer.shapes(window(part.root), wide), high)
    for z, tiles in below.items():
        if z >= low and len(tiles):
            for x, y in area.among(z, tiles).tolist():
                yield z, x, y
