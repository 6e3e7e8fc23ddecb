"""The zone analysis: draw or choose a zone, get what lies in it. This module is its face."""

from __future__ import annotations

from geoservice.analysis.context import AnalysisContext
from geoservice.analysis.geojson import parse_zone
from geoservice.analysis.place import Place, zone_from_bbox, zone_from_feature
from geoservice.analysis.request import NamedFeature, ZoneRequest, find_place, zone_request
from geoservice.analysis.run import zone_answer

__all__ = [
    "AnalysisContext",
    "NamedFeature",
    "Place",
    "ZoneRequest",
    "find_place",
    "parse_zone",
    "zone_answer",
    "zone_from_bbox",
    "zone_from_feature",
    "zone_request",
]
