"""The one contract of everything that answers with tiles: what it has, and one tile of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class SourceInfo:
    """What a tile source offers.

    Attributes:
        name: Collection id.
        media_type: Media type of its tiles.
        min_zoom, max_zoom: Zoom levels it is meant for.
        bounds: West, south, east, north in degrees; None when it holds nothing.
    """

    name: str
    media_type: str
    min_zoom: int
    max_zoom: int
    bounds: tuple[float, float, float, float] | None


class TileSource(Protocol):
    """A back end of tiles."""

    def info(self) -> SourceInfo:
        """What the source offers."""

    def tile(self, z: int, row: int, col: int) -> bytes:
        """The bytes of one WebMercatorQuad tile, row from the top; an empty tile has bytes too."""
