"""Statistics of raster cells in a zone: sums, extremes, areas by class. Pure and synchronous: no HTTP, no database.

Method: cells count by the exact share of them that lies in the zone; areas are ellipsoidal
(`layers.area`). Where assets overlap, the newest one that has data counts, as on the map.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import shapely

from geoservice.analysis.cells import on_raster, polygons
from geoservice.analysis.raster_sums import RasterSums
from geoservice.analysis.sheet import CoveredCells
from geoservice.analysis.sums import Sums
from layers.area import ellipsoidal_area
from layers.asset import Asset
from layers.errors import BadGeometry

METHOD = "Cells weighted by the exact share that lies in the zone; areas on the CGCS2000 ellipsoid."


@dataclass(frozen=True)
class ZonalResult:
    """What the cells with data say about a zone. Numbers are None when no cell in the zone has data: that is not zero.

    Attributes:
        sum: Sum of the cell values, each by its share in the zone.
        count: Number of cells with data, each by its share in the zone.
        mean: `sum / count`.
        minimum, maximum: Over all cells with data that the zone touches.
        class_areas: Area in square metres by cell value, for classed rasters.
        valid_area: Area in square metres that cells with data cover.
        zone_area: Area of the zone in square metres.
    """

    sum: float | None
    count: float
    mean: float | None
    minimum: float | None
    maximum: float | None
    class_areas: dict[int, float]
    valid_area: float
    zone_area: float

    @property
    def covered(self) -> float:
        """Share of the zone that cells with data cover, 0 to 1."""
        return min(1.0, self.valid_area / self.zone_area) if self.zone_area > 0 else 0.0


@dataclass
class _Totals:
    """What has been added up so far."""

    sums: list[float] = field(default_factory=list)
    counts: list[float] = field(default_factory=list)
    areas: list[float] = field(default_factory=list)
    minimum: float = math.inf
    maximum: float = -math.inf
    classes: dict[int, list[float]] = field(default_factory=lambda: defaultdict(list))

    def put(self, sums: Sums) -> None:
        """Add the sums of a zone in one raster."""
        if sums.count[0] > 0:
            self.sums.append(float(sums.total[0]))
            self.counts.append(float(sums.count[0]))
            self.areas.append(float(sums.area[0]))
            self.minimum = min(self.minimum, float(sums.minimum[0]))
            self.maximum = max(self.maximum, float(sums.maximum[0]))

    def add(self, cells: CoveredCells) -> None:
        """Add cells that are codes, as far as they have data."""
        valid = cells.valid
        if not valid.any():
            return
        values, share = cells.values[valid].astype(np.float64), cells.share[valid]
        area = share * cells.area[valid]
        self.sums.append(float((values * share).sum()))
        self.counts.append(float(share.sum()))
        self.areas.append(float(area.sum()))
        self.minimum = min(self.minimum, float(values.min()))
        self.maximum = max(self.maximum, float(values.max()))
        codes, places = np.unique(values, return_inverse=True)
        for code, part in zip(codes.tolist(), np.bincount(places, weights=area).tolist(), strict=True):
            self.classes[int(code)].append(part)


def zonal(
    assets: Sequence[Asset], zone: shapely.Geometry, *, classed: bool = False, kept: RasterSums | None = None
) -> ZonalResult:
    """Statistics of the first band of a raster layer in a zone.

    Args:
        assets: COGs of the layer, the newest first.
        zone: Polygon or multipolygon in EPSG:4490 (x=longitude, y=latitude, degrees); parts on both sides of 180
            degrees are separate polygons.
        classed: Whether cells are codes, so that areas by code are wanted.
        kept: Sums that are kept beside the rasters; they change no figure.

    Returns:
        The figures; `covered` tells no data from zero.

    Raises:
        BadGeometry: When the zone has no area.
        AssetUnavailable: When a file that the zone needs is missing or damaged.
        TooLarge: When the zone has too many vertices.
    """
    area = _zone_area(zone)
    totals = _Totals()
    needed = [a for a in assets if a.meets(tuple(shapely.bounds(zone).tolist()))]
    rest = zone
    for place, asset in enumerate(needed):
        with on_raster(asset, rest, kept.blocks(asset) if kept is not None else None) as here:
            if classed:
                for cells in here.cells():
                    totals.add(cells)
            else:
                totals.put(here.sums([rest]))
            if place + 1 < len(needed):
                # What this asset answers is no longer asked of the older ones below it.
                rest = polygons(shapely.difference(rest, here.taken()))
        if shapely.is_empty(rest):
            break
    return _result(totals, area)


def _zone_area(zone: shapely.Geometry) -> float:
    if not isinstance(zone, shapely.Polygon | shapely.MultiPolygon):
        raise BadGeometry("A zone is a polygon or a multipolygon.", found=type(zone).__name__)
    area = float(ellipsoidal_area(zone))
    if not area > 0:
        raise BadGeometry("A zone is a polygon or a multipolygon that has an area; this one has none.")
    return area


def _result(totals: _Totals, zone_area: float) -> ZonalResult:
    count, total = math.fsum(totals.counts), math.fsum(totals.sums)
    known = count > 0
    return ZonalResult(
        sum=total if known else None,
        count=count,
        mean=total / count if known else None,
        minimum=totals.minimum if known else None,
        maximum=totals.maximum if known else None,
        class_areas={code: math.fsum(parts) for code, parts in sorted(totals.classes.items())},
        valid_area=math.fsum(totals.areas),
        zone_area=zone_area,
    )
