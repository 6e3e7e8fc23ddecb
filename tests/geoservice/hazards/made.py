"""Zones made in tests: methods by their names, shapes of classes, figures on the ellipsoid."""

from __future__ import annotations

import json
from typing import Any

import pyproj
import shapely

from geoservice.hazards.attenuation import relations
from geoservice.hazards.method import Found
from geoservice.hazards.registry import METHODS
from layers.hazard import HazardZone, ZoneClass

GEOD = pyproj.Geod(a=6378137.0, rf=298.257222101)


def zone_of(method: str, found: Found | None = None, **told: Any) -> HazardZone:
    """The zone of a method and its parameters."""
    one = METHODS[method]
    return one.zone(one.parameters.model_validate(told), found or Found(relations=relations()))


def shape(one: ZoneClass) -> shapely.Geometry:
    """The area of a class."""
    return shapely.from_geojson(json.dumps(one.geometry))


def shapes(classes: tuple[ZoneClass, ...]) -> dict[str, shapely.Geometry]:
    """Areas by code."""
    return {one.code: shape(one) for one in classes}


def whole(classes: tuple[ZoneClass, ...]) -> shapely.Geometry:
    """All classes together."""
    return shapely.union_all([shape(one) for one in classes])


def metres2(area: shapely.Geometry) -> float:
    """Area on the ellipsoid in square metres, its edges cut to a hundred metres."""
    dense = shapely.segmentize(shapely.orient_polygons(area), 0.001)
    return abs(float(GEOD.geometry_area_perimeter(dense)[0]))


def assert_disjoint(classes: tuple[ZoneClass, ...]) -> None:
    """No place in two classes, but for borders: corners lie on a grid of a centimetre, edges between them beside it."""
    found = [shape(one) for one in classes]
    for n, one in enumerate(found):
        assert one.is_valid
        for other in found[n + 1 :]:
            assert shapely.intersection(one, other).area <= 1e-7 * min(one.length, other.length)
