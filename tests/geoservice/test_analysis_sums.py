"""Parts add up: random zones, zones cut in two, zones over the antimeridian, a whole county. Oracles: GEOS and PROJ."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pyproj
import pytest
import shapely
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from geoservice.db.engine import Database
from geoservice.db.pools import Pools
from layers.access import Clearance
from layers.answer import ZoneAnswer
from layers.catalog import Catalog, read_catalog
from layers.model import VectorLayer
from tests.support.zones import ask, counts, plant, prepare, section, values

ALL = read_catalog()
CATALOG = Catalog({name: ALL.layer(name) for name in ("landuse_patch", "road", "populated_place")}, ALL.codelists)
GEOD = pyproj.Geod(a=6378137.0, rf=298.257222101)
FINE = 0.002
# Pieces of 1 km of a straight line in degrees differ from it by up to 7 m2 each, wherever a cut makes them begin.
EQUAL, TRIFLE = 1e-6, 100.0
CODES = ("0101", "0201", "0301", None)
Asker = Callable[[Any], ZoneAnswer]
place = st.tuples(st.floats(109.9, 110.3), st.floats(29.9, 30.3))


def layer(name: str) -> VectorLayer:
    found = ALL.layer(name)
    assert isinstance(found, VectorLayer)
    return found


def triangles() -> list[shapely.Geometry]:
    """Triangles that cover 110.0-110.2, 30.0-30.2 without gaps and share their borders exactly, large and small."""
    chance = np.random.default_rng(11)
    inner = np.column_stack([chance.uniform(110.0, 110.2, 300), chance.uniform(30.0, 30.2, 300)])
    corners = np.array([(110.0, 30.0), (110.2, 30.0), (110.2, 30.2), (110.0, 30.2)])
    return list(shapely.get_parts(shapely.delaunay_triangles(shapely.multipoints(np.vstack([inner, corners])))))


def lines() -> list[shapely.LineString]:
    chance = np.random.default_rng(12)
    starts, steps = chance.uniform((110.0, 30.0), (110.2, 30.2), (60, 2)), chance.uniform(-0.02, 0.02, (60, 4, 2))
    return [shapely.LineString(np.cumsum(np.vstack([a, b]), axis=0)) for a, b in zip(starts, steps, strict=True)]


PATCHES = [
    {"patch_id": f"{n:019d}00000000", "class_code": CODES[n % 4], "geom": geometry}
    for n, geometry in enumerate(triangles())
]
ROADS = [{"road_id": f"r{n}", "class": "track", "geom": geometry} for n, geometry in enumerate(lines())]
WIDE = [
    {"patch_id": f"{n:019d}00000000", "class_code": code, "geom": geometry}
    for n, (code, geometry) in enumerate(
        (
            ("0101", shapely.box(179.5, -17, 180, -16)),
            ("0101", shapely.box(-180, -17, -179.5, -16)),
            ("0201", shapely.box(0, -17, 1, -16)),
            ("0301", shapely.box(-180, 70, -170, 75)),
        ),
        start=100_000,
    )
]


@pytest.fixture(scope="module")
def asker(module_database: Database) -> Iterator[Asker]:
    prepare(module_database, CATALOG)
    plant(module_database, layer("landuse_patch"), PATCHES + WIDE)
    plant(module_database, layer("road"), ROADS)
    points = [(n, shapely.Point(110.0 + n * 0.0017, 30.0 + (n * n % 97) * 0.002)) for n in range(100)]
    people = [{"place_id": f"p{n}", "population": n, "geom": point} for n, point in points]
    plant(module_database, layer("populated_place"), people)
    with asyncio.Runner() as runner:
        pools = runner.run(Pools(module_database).__aenter__())
        yield lambda zone: runner.run(ask(pools, CATALOG, zone, Clearance.RESTRICTED))
        runner.run(pools.__aexit__(None, None, None))


def area(geometry: shapely.Geometry) -> float:
    polygons = [part for part in shapely.get_parts(geometry) if isinstance(part, shapely.Polygon)]
    dense = [shapely.orient_polygons(shapely.segmentize(part, FINE)) for part in polygons]
    return sum(GEOD.geometry_area_perimeter(part)[0] for part in dense)


def length(geometry: shapely.Geometry) -> float:
    return float(GEOD.geometry_length(shapely.segmentize(geometry, FINE)))


def hull(points: list[tuple[float, float]]) -> shapely.Polygon:
    found = shapely.convex_hull(shapely.multipoints(points))
    assume(isinstance(found, shapely.Polygon) and found.area > 1e-6)
    return found


random_zones = st.lists(place, min_size=3, max_size=8).map(hull)
few = settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))


@few
@given(zone=random_zones)
def test_a_random_zone_measures_what_the_oracles_measure(asker: Asker, zone: shapely.Polygon) -> None:
    found = asker(zone)
    expected: dict[str | None, float] = {}
    for patch in PATCHES:
        part = area(shapely.intersection(zone, patch["geom"]))
        if part:
            expected[patch["class_code"]] = expected.get(patch["class_code"], 0.0) + part
    land, tracks = section(found, "landuse_patch"), section(found, "road")
    assert {c: v for c, v in values(land).items() if v > 1} == pytest.approx(
        {c: v for c, v in expected.items() if v > 1}, rel=EQUAL, abs=TRIFLE
    )
    walked = sum(length(shapely.intersection(zone, row["geom"])) for row in ROADS)
    assert tracks.total == pytest.approx(walked, rel=EQUAL, abs=TRIFLE)
    assert found.zone.area_m2 == pytest.approx(area(zone), rel=EQUAL, abs=TRIFLE)


@few
@given(zone=random_zones, angle=st.floats(0.1, 1.4), shift=st.floats(-0.05, 0.05))
def test_a_zone_cut_in_two_adds_up(asker: Asker, zone: shapely.Polygon, angle: float, shift: float) -> None:
    middle, along = np.array(zone.centroid.coords[0]) + shift, np.array([np.cos(angle), np.sin(angle)])
    across = np.array([-along[1], along[0]])
    half = shapely.Polygon([middle - along, middle + along, middle + along + across, middle - along + across])
    parts = [shapely.intersection(zone, half), shapely.difference(zone, half)]
    assume(all(isinstance(part, shapely.Polygon) and part.area > 1e-7 for part in parts))
    whole, (one, other) = asker(zone), (asker(part) for part in parts)
    for name in ("landuse_patch", "road"):
        total = section(whole, name).total
        halves = [section(a, name).total for a in (one, other)]
        # None where a part lies away from everything that is loaded.
        assert sum(h or 0.0 for h in halves) == pytest.approx(total or 0.0, rel=EQUAL, abs=TRIFLE)
    assert one.zone.area_m2 + other.zone.area_m2 == pytest.approx(whole.zone.area_m2, rel=EQUAL, abs=TRIFLE)


def test_the_classes_of_a_coverage_add_up_to_the_zone(asker: Asker) -> None:
    found = asker(shapely.Point(110.1, 30.1).buffer(0.08))
    land = section(found, "landuse_patch")
    assert sum(row.value for row in land.rows) == pytest.approx(found.zone.area_m2, rel=EQUAL)
    assert land.total == pytest.approx(found.zone.area_m2, rel=EQUAL)


def test_points_are_counted_once_by_each_side_of_a_cut_between_them(asker: Asker) -> None:
    cut = 110.1 + 0.0004
    west, east = asker(shapely.box(109.9, 29.9, cut, 30.3)), asker(shapely.box(cut, 29.9, 110.3, 30.3))
    sums = [section(a, "populated_place") for a in (west, east)]
    assert [s.features_total for s in sums] == [60, 40]
    assert sum(s.total or 0 for s in sums) == sum(range(100))


@pytest.mark.parametrize(
    "body",
    [
        {"bbox": [179.0, -17.0, -179.0, -16.0]},
        {
            "zone": shapely.geometry.mapping(
                shapely.MultiPolygon([shapely.box(179, -17, 180, -16), shapely.box(-180, -17, -179, -16)])
            )
        },
    ],
)
def test_a_zone_over_the_antimeridian(asker: Asker, body: dict[str, Any]) -> None:
    found = asker(body)
    land = section(found, "landuse_patch")
    assert found.zone.bbox == (179.0, -17.0, -179.0, -16.0)
    assert counts(land) == {"0101": 2}
    assert land.total == pytest.approx(2 * area(shapely.box(0, -17, 0.5, -16)), rel=1e-8)


def test_the_whole_world_holds_everything(asker: Asker) -> None:
    found = asker({"bbox": [-180, -90, 180, 90]})
    assert section(found, "populated_place").total == sum(range(100))
    assert sum(counts(section(found, "landuse_patch")).values()) == len(PATCHES) + len(WIDE)
    expected = area(shapely.box(110.0, 30.0, 110.2, 30.2)) + sum(area(row["geom"]) for row in WIDE)
    assert section(found, "landuse_patch").total == pytest.approx(expected, rel=1e-6)
