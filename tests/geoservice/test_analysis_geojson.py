"""Zones as they come in: what is taken, what is refused, and that the refusal says where and why."""

from __future__ import annotations

import contextlib
import math
from typing import Any

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from geoservice.analysis.zone import parse_zone, zone_from_bbox, zone_from_feature, zone_request
from layers.errors import BadBody, BadGeometry, BadParameter, GeoError, TooLarge
from layers.extent import Extent

MOST = 1000
SQUARE = [[[10, 20], [11, 20], [11, 21], [10, 21], [10, 20]]]
HOLED = [*SQUARE, [[10.2, 20.2], [10.2, 20.4], [10.4, 20.4], [10.4, 20.2], [10.2, 20.2]]]
OTHER = [[[12, 20], [13, 20], [13, 21], [12, 20]]]


def polygon(*rings: Any, **more: Any) -> dict[str, Any]:
    return {"type": "Polygon", "coordinates": list(rings), **more}


def feature(geometry: Any) -> dict[str, Any]:
    return {"type": "Feature", "properties": None, "geometry": geometry}


@pytest.mark.parametrize(
    ("geojson", "area"),
    [
        (polygon(*SQUARE), 1.0),
        (polygon(*HOLED), 0.96),
        (polygon([[10, 20, 5.0], [11, 20, 6.0], [11, 21, 7.0], [10, 20, 5.0]]), 0.5),
        ({"type": "MultiPolygon", "coordinates": [SQUARE, OTHER]}, 1.5),
        (feature(polygon(*SQUARE)), 1.0),
        ({"type": "FeatureCollection", "features": [feature(polygon(*SQUARE)), feature(polygon(*OTHER))]}, 1.5),
        ({"type": "GeometryCollection", "geometries": [polygon(*SQUARE), polygon(*SQUARE)]}, 1.0),
        (polygon(*SQUARE, crs={"type": "name", "properties": {"name": "urn:ogc:def:crs:OGC:1.3:CRS84"}}), 1.0),
        (
            {
                "type": "MultiPolygon",
                "coordinates": [
                    [[[179, 0], [180, 0], [180, 1], [179, 0]]],
                    [[[-180, 0], [-179, 0], [-180, 1], [-180, 0]]],
                ],
            },
            1.0,
        ),
    ],
)
def test_zones_that_are_taken(geojson: dict[str, Any], area: float) -> None:
    zone = parse_zone(geojson, MOST)
    assert zone.is_valid
    assert zone.area == pytest.approx(area)


@pytest.mark.parametrize(
    ("geojson", "words", "where"),
    [
        ({}, "has the type", "zone.type"),
        ({"type": "Circle", "coordinates": []}, "'Circle'", "zone.type"),
        ({"type": "Point", "coordinates": [10, 20]}, "buffer", "zone"),
        ({"type": "LineString", "coordinates": [[10, 20], [11, 21]]}, "buffer", "zone"),
        (feature(None), "not a GeoJSON object", "zone.geometry"),
        ({"type": "FeatureCollection", "features": []}, "empty", "zone"),
        ({"type": "FeatureCollection"}, "missing", "zone.features"),
        ({"type": "Polygon"}, "missing", "zone.coordinates"),
        (polygon(), "no ring", "zone.coordinates"),
        ({"type": "MultiPolygon", "coordinates": []}, "empty", "zone"),
        (polygon([]), "not closed", "zone.coordinates[0]"),
        (polygon([[10, 20], [11, 20], [11, 21], [10, 21]]), "not closed", "zone.coordinates[0]"),
        (polygon([[10, 20], [11, 20], [10, 20]]), "not closed", "zone.coordinates[0]"),
        (polygon([[10, 20], [11, 20], [12, 20], [10, 20]]), "not a proper area", "zone"),
        (polygon([[10, 20], [11, 21], [11, 20], [10, 21], [10, 20]]), "Self-intersection[10.5 20.5]", "zone"),
        ({"type": "MultiPolygon", "coordinates": [SQUARE, SQUARE]}, "not a proper area", "zone"),
        (polygon([[10, 20], [11, math.nan], [11, 21], [10, 20]]), "not a position", "zone.coordinates[0][1]"),
        (polygon([[10, 20], [math.inf, 20], [11, 21], [10, 20]]), "not a position", "zone.coordinates[0][1]"),
        (polygon([[10, 20], [181, 20], [11, 21], [10, 20]]), "outside the world", "zone.coordinates[0][1]"),
        (polygon([[10, 20], [11, 20], [11, -91], [10, 20]]), "outside the world", "zone.coordinates[0][2]"),
        (polygon([[10, 20], [10**400, 20], [11, 21], [10, 20]]), "outside the world", "zone.coordinates[0][1]"),
        (polygon([[10, 20], ["11", 20], [11, 21], [10, 20]]), "not a position", "zone.coordinates[0][1]"),
        (polygon([[10, 20], [True, 20], [11, 21], [10, 20]]), "not a position", "zone.coordinates[0][1]"),
        (polygon([[10, 20], [11], [11, 21], [10, 20]]), "not a position", "zone.coordinates[0][1]"),
        (polygon([[10, 20], 11, [11, 21], [10, 20]]), "not an array", "zone.coordinates[0][1]"),
        (
            polygon([[170, 0], [-170, 0], [-170, 10], [170, 0]]),
            "end at 180 and begin at -180",
            "zone.coordinates[0][0]",
        ),
        (polygon(*SQUARE, crs={"type": "name", "properties": {"name": "EPSG:3857"}}), "CRS84", "zone.crs"),
        (polygon(*SQUARE, crs="EPSG:3857"), "CRS84", "zone.crs"),
    ],
)
def test_zones_that_are_refused(geojson: dict[str, Any], words: str, where: str) -> None:
    with pytest.raises(BadGeometry) as refusal:
        parse_zone(geojson, MOST)
    assert words in refusal.value.detail
    assert refusal.value.facts["where"] == where


def test_too_many_vertices_are_counted_over_all_rings() -> None:
    square = polygon(*HOLED)
    assert parse_zone(square, 10).is_valid
    with pytest.raises(TooLarge):
        parse_zone(square, 9)


def test_few_vertices_far_apart_are_too_much_to_measure() -> None:
    teeth = [[lon, -80 + 160 * n / 1000 + lift] for n in range(1000) for lon, lift in ((-89, 0), (89, 0.04))]
    comb = polygon([*teeth, [-90, 80], [-90, -80], teeth[0]])
    assert shapely.geometry.shape(comb).is_valid
    with pytest.raises(TooLarge, match="are measured"):
        parse_zone(comb, 20_000)
    world = polygon([[-180, -90], [0, -90], [180, -90], [180, 90], [0, 90], [-180, 90], [-180, -90]])
    assert parse_zone(world, 20_000).area == 360 * 180


def test_deep_nesting_is_refused() -> None:
    nested: dict[str, Any] = polygon(*SQUARE)
    for _ in range(5000):
        nested = {"type": "GeometryCollection", "geometries": [nested]}
    with pytest.raises(BadGeometry, match="nested"):
        parse_zone(nested, MOST)


def test_a_collection_of_combs_is_not_merged() -> None:
    def comb(teeth: int, *, upright: bool) -> dict[str, Any]:
        at = np.linspace(0, 10, 2 * teeth)
        high = np.where(np.arange(2 * teeth) % 2, 10.0, 0.5)
        ring = np.column_stack([at, high] if upright else [high, at])
        corner = np.array([[10.0, 0.0], [0.0, 0.0]] if upright else [[0.0, 10.0], [0.0, 0.0]])
        closed = np.vstack([ring, corner, ring[:1]])
        return polygon(closed.tolist())

    combs = [comb(400, upright=True), comb(400, upright=False)]
    with pytest.raises(TooLarge, match="cross too often"):
        parse_zone({"type": "GeometryCollection", "geometries": combs}, 20_000)


def test_adjacent_parts_of_a_collection_become_one() -> None:
    boxes = [shapely.geometry.mapping(shapely.box(x, 0, x + 1, 1)) for x in range(5)]
    zone = parse_zone({"type": "GeometryCollection", "geometries": boxes}, MOST)
    assert zone.equals(shapely.box(0, 0, 5, 1))


json_values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.sampled_from(("type", "coordinates", "x")), inner),
)


@given(
    kind=st.sampled_from(("Polygon", "MultiPolygon", "Feature", "FeatureCollection", "GeometryCollection", "x")),
    value=json_values,
)
def test_no_json_ever_ends_in_another_error(kind: str, value: Any) -> None:
    members = dict.fromkeys(("coordinates", "geometry", "features", "geometries"), value)
    with contextlib.suppress(GeoError):
        assert parse_zone({"type": kind, **members}, MOST).is_valid


@given(st.lists(st.tuples(st.floats(-180, 180), st.floats(-90, 90)), min_size=3, max_size=8))
def test_every_ring_is_a_valid_zone_or_refused(points: list[tuple[float, float]]) -> None:
    ring = [list(p) for p in [*points, points[0]]]
    with contextlib.suppress(BadGeometry):
        zone = parse_zone(polygon(ring), MOST)
        assert zone.is_valid
        assert zone.area > 0


def test_a_box_over_the_antimeridian_has_two_parts() -> None:
    place = zone_from_bbox(Extent(170, -10, -170, 10))
    assert place.geometry.equals(
        shapely.MultiPolygon([shapely.box(170, -10, 180, 10), shapely.box(-180, -10, -170, 10)])
    )
    assert place.boxes() == ((170, -10, 180, 10), (-180, -10, -170, 10))
    assert place.described().bbox == (170, -10, -170, 10)
    assert place.described().area_m2 == pytest.approx(zone_from_bbox(Extent(0, -10, 20, 10)).described().area_m2)


def test_the_whole_world_is_one_box() -> None:
    place = zone_from_bbox(Extent(-180, -90, 180, 90))
    assert place.boxes() == ((-180, -90, 180, 90),)
    # The surface of the ellipsoid (GRS 80 in Moritz, Geodetic Reference System 1980: 510 065 621.7 km2).
    assert place.described().area_m2 == pytest.approx(510_065_621.7e6, rel=1e-9)


@pytest.mark.parametrize("extent", [Extent(5, 5, 5, 6), Extent(5, 5, 6, 5), Extent(180, 0, -180, 1)])
def test_a_box_without_area_is_refused(extent: Extent) -> None:
    with pytest.raises(BadGeometry):
        zone_from_bbox(extent)


def test_a_stored_feature_that_is_a_line_is_refused() -> None:
    with pytest.raises(BadGeometry, match="LineString has no area"):
        zone_from_feature(shapely.to_wkb(shapely.LineString([(0, 0), (1, 1)])), "feature:road/1")


@pytest.mark.parametrize(
    "extent",
    [Extent(9, 19, 9.5, 19.5), Extent(12.5, 20, 13, 21), Extent(-180, -90, 180, 90), Extent(10.2, 20.2, 10.3, 20.3)],
)
def test_surroundings_reach_as_far_as_the_zone_is_large(extent: Extent) -> None:
    place = zone_from_feature(shapely.to_wkb(shapely.box(10, 20, 12, 21)), "x")
    assert place.meets_surroundings(extent)
    assert not place.meets_surroundings(Extent(15, 20, 16, 21))
    assert not place.meets_surroundings(Extent(10, 23, 11, 24))


def test_surroundings_reach_over_the_antimeridian() -> None:
    place = zone_from_feature(shapely.to_wkb(shapely.box(179, 0, 179.9, 1)), "x")
    assert place.meets_surroundings(Extent(-179.9, 0, -179.5, 1))
    assert not place.meets_surroundings(Extent(-178, 0, -177, 1))


@pytest.mark.parametrize(
    "body",
    [
        [],
        "zone",
        {},
        {"zone": None},
        {"adcode": "1", "alert": "2"},
        {"adcode": "1", "colour": "red"},
        {"adcode": 990101},
        {"adcode": ""},
        {"adcode": "9" * 501},
        {"alert": "a\x00b"},
        {"alert": "\ud800"},
        {"bbox": "1,2,3,4"},
        {"bbox": [1, 2, 3, "4"]},
        {"feature": {"collection": "road"}},
        {"feature": {"collection": "road", "id": "1", "more": 1}},
        {"feature": "road"},
        {"feature": "road/"},
        {"feature": ["road", "1"]},
        {"division": "1", "postcode": "100000"},
        {"postcode": 100000},
    ],
)
def test_bodies_that_are_no_request(body: Any) -> None:
    with pytest.raises(BadBody):
        zone_request(body, MOST)


@pytest.mark.parametrize("box", [[1, 2, 3], [1, 5, 3, 4], [1, 2, 3, math.nan], [1, 2, 999, 4], [1, 2, 10**400, 4]])
def test_boxes_that_are_none(box: list[float]) -> None:
    with pytest.raises(BadParameter):
        zone_request({"bbox": box}, MOST)


def test_a_zone_that_is_no_object_is_refused() -> None:
    with pytest.raises(BadGeometry):
        zone_request({"zone": "POLYGON((0 0,1 0,1 1,0 0))"}, MOST)
