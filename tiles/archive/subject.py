"""What an archive is made of: a subject that opens drawers, and what these answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

Box = tuple[float, float, float, float]
"""West, south, east, north in degrees."""
Address = tuple[int, int, int]
"""Zoom level, column from the left, row from the top, of WebMercatorQuad."""


@dataclass(frozen=True)
class Shapes:
    """What lies in a window.

    Attributes:
        boxes: West, south, east, north of each thing (degrees), of shape (n, 4).
        outlines: Geometries in degrees (x=longitude) of things too large to be told by their box; None elsewhere.
    """

    boxes: npt.NDArray[np.float64]
    outlines: npt.NDArray[np.object_]


class Drawer(Protocol):
    """Draws tiles; for one thread at a time."""

    def count(self, window: Box, most: int) -> int:
        """How many things lie in a window, counted up to `most`."""

    def shapes(self, window: Box, wide: float) -> Shapes:
        """What lies in a window; things wider or higher than `wide` degrees come with their outline."""

    def draw(self, address: Address) -> bytes:
        """One tile as it is stored; empty when there is nothing to be seen."""

    def close(self) -> None:
        """Give back what the drawer holds."""


class Subject(Protocol):
    """A plain value that can travel to another machine and opens drawers there."""

    @property
    def zooms(self) -> tuple[int, int]:
        """Lowest and highest zoom level of the archive."""

    def open(self) -> Drawer:
        """A drawer of one's own."""
