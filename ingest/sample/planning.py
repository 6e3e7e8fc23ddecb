"""The spatial plan of the county and what was approved by it, with areas that are known.

The last township has no plan yet, so that questions about plans meet land for which nothing is planned.
"""

from __future__ import annotations

import datetime as dt

import shapely
from shapely.geometry.base import BaseGeometry

from ingest.sample.facilities import POOL_REDLINE, Feature
from ingest.sample.farmland import TOWN_REACH
from ingest.sample.grid import METRES_Y
from ingest.sample.lines import polygon_parts
from ingest.sample.names import Name
from ingest.sample.region import Region
from ingest.sample.settlements import ADCODE, TOWNSHIPS

_FIRST = dt.date(2024, 3, 1)
_KINDS = ("conversion", "requisition", "assignment", "allocation", "temporary")
_SITE = ((120.0, 80.0), (180.0, 120.0))
"""Least and greatest half widths (m) of approved sites along and across the streets of a seat."""


def planning_zones(region: Region) -> list[Feature]:
    """Ecological protection around the reservoir, the town, and the countryside of all townships but the last."""
    town = region.settlements.places[0]
    pool = shapely.buffer(region.reservoir.polygon, POOL_REDLINE / METRES_Y, quad_segs=8)
    urban = shapely.buffer(shapely.Point(town.point), (town.radius + TOWN_REACH) / METRES_Y, quad_segs=12)
    planned = shapely.union_all([t.polygon for t in region.settlements.townships[:-1]])
    rest = shapely.difference(planned, shapely.union_all([pool, urban]))
    rows = (
        (
            "ecological_protection",
            shapely.intersection(pool, planned),
            Name("水库生态保护区", "Protection of the reservoir"),
        ),
        (
            "urban_development",
            shapely.difference(shapely.intersection(urban, planned), pool),
            Name("县城城镇发展区", "Development of the county town"),
        ),
        ("rural_development", rest, Name("乡村发展区", "Development of the countryside")),
    )
    return [
        Feature(
            _shape(area),
            {"zone_id": f"Y{ADCODE}{number:02d}", "kind": kind, "name_zh": name.zh, "name_en": name.en},
        )
        for number, (kind, area, name) in enumerate(rows, 1)
        if not shapely.is_empty(area)
    ]


def land_approvals(region: Region) -> list[Feature]:
    """One site beside the centre of each seat, approved month after month."""
    found = []
    for number, place in enumerate(region.settlements.places[:TOWNSHIPS]):
        plan = region.transport.plans[number]
        (x, y), (far_x, far_y) = _SITE
        wide = (far_x - x) * number / TOWNSHIPS + x
        high = (far_y - y) * number / TOWNSHIPS + y
        ring = [plan.at(sx * wide, 260.0 + sy * high) for sx, sy in ((-1, -1), (1, -1), (1, 1), (-1, 1))]
        kind = _KINDS[number % len(_KINDS)]
        values: dict[str, object] = {
            "approval_id": f"样自然资批〔{2024 + number // 10}〕{number + 1}号",
            "kind": kind,
            "name_zh": f"{place.name.zh}建设用地",
            "name_en": f"Building land of {place.name.en}",
            "approved": _FIRST + dt.timedelta(days=30 * number),
        }
        found.append(Feature(shapely.Polygon([(p.x, p.y) for p in ring]), values))
    return found


def _shape(area: BaseGeometry) -> BaseGeometry:
    parts = polygon_parts(shapely.set_precision(area, 1e-9))
    return parts[0] if len(parts) == 1 else shapely.MultiPolygon(parts)
