"""A raster asset: one Cloud-Optimised GeoTIFF of a raster layer, where it lies and what its bands hold."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, field_serializer

from layers.interval import Interval

SUFFIX = ".tif"


@dataclass(frozen=True, slots=True)
class Asset:
    """One COG of a layer. Where several are handed over together, the newest comes first and lies on top.

    Attributes:
        path: The file.
        bounds: Box around its footprint: west, south, east, north in degrees (EPSG:4490, x=longitude).
        crs: Short name of its CRS, for people; the file itself is the authority.
        name: Name of the raster it was made of.
        taken: When it was taken, as far as its name says.
    """

    path: Path
    bounds: tuple[float, float, float, float]
    crs: str
    name: str = ""
    taken: Interval | None = None

    def meets(self, box: tuple[float, float, float, float]) -> bool:
        """Whether the box of the footprint meets another box (west, south, east, north in degrees)."""
        west, south, east, north = self.bounds
        return west <= box[2] and box[0] <= east and south <= box[3] and box[1] <= north


class BandFigures(BaseModel):
    """What was counted in a band when it was written. Numbers are None when no cell is valid.

    Attributes:
        name: Name of the band in the layer file.
        dtype: Type of the stored cells (numpy name).
        nodata: Value that means "no data" (`NaN` included); None when a mask or nothing at all says so.
        cells: All cells. valid: cells that have data.
        minimum, maximum, mean, deviation, total: Over the valid cells; deviation is that of the population.
        edges, histogram: Bounds and counts of equal classes of the valid cells (empty for classed bands).
        classes: Cells by class value (classed bands only).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    dtype: str
    nodata: float | None = None
    cells: int
    valid: int
    minimum: float | None = None
    maximum: float | None = None
    mean: float | None = None
    deviation: float | None = None
    total: float | None = None
    edges: tuple[float, ...] = ()
    histogram: tuple[int, ...] = ()
    classes: Mapping[int, int] = Field(default_factory=dict)

    @field_serializer("nodata", when_used="json")
    def _plain(self, value: float | None) -> float | str | None:
        # JSON has no NaN; read back, the text becomes the number again.
        return "nan" if value is not None and math.isnan(value) else value
