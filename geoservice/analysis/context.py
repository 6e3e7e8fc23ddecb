"""What an analysis works with besides its connection: who asks, the layers, the rasters, the time it may take."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from geoservice.analysis.geojson import PolygonGeometry
from geoservice.analysis.zonal import zonal
from layers.access import Principal
from layers.asset import Asset
from layers.catalog import Catalog


class RasterSum(Protocol):
    """What the cells of a raster add up to inside a zone."""

    @property
    def sum(self) -> float | None:
        """Sum of the cells with data, None when there are none; a cell on the rim adds its share inside."""

    @property
    def covered(self) -> float:
        """Share (0 to 1) of the zone in which the raster has data."""


class RasterSummer(Protocol):
    """Sums rasters inside a zone. It blocks; it is called in a thread."""

    def __call__(self, assets: Sequence[Asset], zone: PolygonGeometry) -> RasterSum:
        """Sum the assets (the newest first) inside a zone in longitude and latitude."""


def _nothing(assets: Sequence[Asset]) -> None:
    """Prepare nothing."""


@dataclass(frozen=True)
class AnalysisContext:
    """The surroundings of one analysis.

    Attributes:
        principal: Who asks; every layer is opened through the access decision for them.
        catalog: All layers and code lists.
        rasters: Folder of the raster files.
        seconds: Time for the whole answer. Each section may use half of what is left, so that one heavy layer
            does not cost the others their answer.
        schema: Schema names to replace, where readers see views instead of tables (`Reading.schema`).
        raster_sum: How rasters are summed.
        prepare: Told which rasters are summed, so that the next time is quicker.
        as_of: Instant of system time as of which named zones and the layers are looked at; None for now.
    """

    principal: Principal
    catalog: Catalog
    rasters: Path
    seconds: float = 60.0
    schema: Mapping[str, str] | None = None
    raster_sum: RasterSummer = zonal
    prepare: Callable[[Sequence[Asset]], object] = _nothing
    as_of: dt.datetime | None = None
