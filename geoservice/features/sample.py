"""Some features of a layer, drawn by chance: their numbers and their boxes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import shapely

from geoservice.features.query import FeatureQuery
from layers.extent import Extent

Box: TypeAlias = tuple[float, float, float, float]
_SIDES = 4


@dataclass(frozen=True, slots=True)
class Sample:
    """A sample of the features that somebody may see.

    Attributes:
        drawn: When it was drawn, on the monotonic clock (seconds).
        fids: Numbers of the features.
        boxes: A row per feature: west, south, east, north in degrees, not a number where it has no geometry; no
            columns for a layer without geometries.
        total: About how many features they were drawn from.
    """

    drawn: float
    fids: tuple[int, ...]
    boxes: npt.NDArray[np.float64]
    total: int = 0

    @property
    def seen(self) -> int:
        """Number of features."""
        return len(self.fids)

    def meeting(self, extent: Extent, *, placeless: bool) -> int:
        """How many have a box that meets an extent; with `placeless` those without a geometry do, too."""
        return int(np.count_nonzero(self.near(extent.boxes(), placeless=placeless)))

    def near(self, boxes: Iterable[Box], *, placeless: bool) -> npt.NDArray[np.bool_]:
        """Which have a box that meets one of some boxes (degrees); with `placeless` those without a geometry do, too.

        No other feature of the sample can have a point in them.
        """
        if self.boxes.shape[1] != _SIDES:
            return np.full(self.seen, placeless)
        west, south, east, north = self.boxes.T
        found: npt.NDArray[np.bool_] = np.isnan(west) & placeless
        for x0, y0, x1, y1 in boxes:
            found |= (west <= x1) & (east >= x0) & (south <= y1) & (north >= y0)
        return found

    def may_meet(self, query: FeatureQuery) -> npt.NDArray[np.bool_]:
        """Which may be found by a query about a layer with geometries: those whose boxes meet where it looks."""
        found = np.ones(self.seen, dtype=bool)
        if query.bbox is not None:
            found &= self.near(query.bbox.boxes(), placeless=query.placeless)
        if query.region is not None:
            found &= self.near([shapely.from_wkb(query.region).bounds], placeless=query.placeless)
        if query.filter is not None and query.filter.reach is not None:
            found &= self.near(query.filter.reach, placeless=False)
        return found
