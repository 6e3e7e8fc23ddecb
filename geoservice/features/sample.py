"""Some features of a layer, drawn by chance: their numbers and their boxes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from layers.extent import Extent

_SIDES = 4


@dataclass(frozen=True, slots=True)
class Sample:
    """A sample of the features that somebody may see.

    Attributes:
        drawn: When it was drawn, on the monotonic clock (seconds).
        fids: Numbers of the features.
        boxes: A row per feature: west, south, east, north in degrees, not a number where it has no geometry; no
            columns for a layer without geometries.
    """

    drawn: float
    fids: tuple[int, ...]
    boxes: npt.NDArray[np.float64]

    @property
    def seen(self) -> int:
        """Number of features."""
        return len(self.fids)

    def meeting(self, extent: Extent, *, placeless: bool) -> int:
        """How many have a box that meets an extent; with `placeless` those without a geometry do, too."""
        if self.boxes.shape[1] != _SIDES:
            return self.seen if placeless else 0
        west, south, east, north = self.boxes.T
        found = np.isnan(west) & placeless
        for x0, y0, x1, y1 in extent.boxes():
            found |= (west <= x1) & (east >= x0) & (south <= y1) & (north >= y0)
        return int(np.count_nonzero(found))
