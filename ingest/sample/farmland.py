"""Control lines drawn from the patches: permanent basic farmland, and the red line and town boundary beside it."""

from __future__ import annotations

import numpy as np
import shapely
from shapely.geometry.base import BaseGeometry

from ingest.sample.facilities import POOL_REDLINE, Feature
from ingest.sample.grid import METRES_Y
from ingest.sample.lines import polygon_parts
from ingest.sample.names import Name
from ingest.sample.parcels import Batch
from ingest.sample.region import Region
from ingest.sample.settlements import ADCODE

FARMLAND_CLASSES = ("0101", "0102")
GENTLE = 2
TOWN_REACH = 500.0


class FarmlandCollector:
    """Joins the best cropland of each township, batch of patches by batch."""

    def __init__(self, townships: int) -> None:
        """Begin with nothing."""
        self._parts: list[list[BaseGeometry]] = [[] for _ in range(townships)]

    def add(self, batch: Batch) -> None:
        """Take paddies and irrigated fields of slope class 1 or 2."""
        parcels = batch.parcels
        good = np.isin(batch.classes, FARMLAND_CLASSES) & (parcels.slopes[batch.part] <= GENTLE)
        home = parcels.townships[batch.part]
        for number, parts in enumerate(self._parts):
            chosen = batch.polygons[good & (home == number)]
            if len(chosen):
                parts.append(shapely.coverage_union_all(chosen))

    def joined(self) -> list[BaseGeometry]:
        """One area per township, perhaps of many parts; an empty one where there is no such land."""
        return [shapely.coverage_union_all(p) if p else shapely.MultiPolygon() for p in self._parts]


def control_lines(region: Region, farmland: FarmlandCollector) -> list[Feature]:
    """Basic farmland by township, the ecological red line around the reservoir, the boundary of the county town."""
    rows: list[Feature] = []
    for township, area in zip(region.settlements.townships, farmland.joined(), strict=True):
        if not shapely.is_empty(area):
            name = Name(f"{township.name.zh}永久基本农田", f"Permanent basic farmland of {township.name.en}")
            rows.append(_line(len(rows), area, "basic_farmland", name))
    town = region.settlements.places[0]
    urban = shapely.buffer(shapely.Point(town.point), (town.radius + TOWN_REACH) / METRES_Y, quad_segs=12)
    around = shapely.buffer(region.reservoir.polygon, POOL_REDLINE / METRES_Y, quad_segs=8)
    red = shapely.intersection(around, region.county)
    rows.append(_line(len(rows), red, "eco_redline", Name("水库生态保护红线", "Ecological red line of the reservoir")))
    rows.append(
        _line(len(rows), urban, "urban_boundary", Name("县城开发边界", "Development boundary of the county town"))
    )
    return rows


def _line(number: int, area: BaseGeometry, kind: str, name: Name) -> Feature:
    parts = polygon_parts(area)
    shape = parts[0] if len(parts) == 1 else shapely.MultiPolygon(parts)
    return Feature(
        shape, {"line_id": f"C{ADCODE}{number + 1:03d}", "kind": kind, "name_zh": name.zh, "name_en": name.en}
    )
