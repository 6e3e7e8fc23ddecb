"""Distances and buffers on the ellipsoid, against PROJ and against the definition by dense places."""

from __future__ import annotations

import itertools

import numpy as np
import pyproj
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from geoservice.queries.geodesy import distances, reach
from geoservice.queries.profile import stations
from geoservice.queries.ring import MOST_METRES_AROUND, buffered
from layers.errors import BadParameter, TooLarge

GEOD = pyproj.Geod(a=6378137.0, rf=298.257222101)
MILLIMETRE = 1e-3


def brute(x: float, y: float, shape: shapely.Geometry) -> float:
    """The least geodesic to places on the edges, ever denser around the best one."""
    if shape.intersects(shapely.Point(x, y)):
        return 0.0
    best = np.inf
    for part in shapely.get_parts(shape):
        rings = shapely.get_rings(part) if part.geom_type == "Polygon" else [part]
        for line in rings:
            at = shapely.get_coordinates(line)
            for begin, end in itertools.pairwise(at):
                low, high = 0.0, 1.0
                for _ in range(9):
                    share = np.linspace(low, high, 60)
                    places = begin + (end - begin) * share[:, None]
                    metres = GEOD.inv(np.full(60, x), np.full(60, y), places[:, 0], places[:, 1])[2]
                    least = int(np.argmin(metres))
                    best = min(best, float(metres[least]))
                    low, high = share[max(least - 1, 0)], share[min(least + 1, 59)]
    return best


degrees = st.floats(-179, 179, allow_nan=False).map(lambda v: round(v, 4))
latitudes = st.floats(-85, 85, allow_nan=False).map(lambda v: round(v, 4))


@settings(max_examples=40)
@given(degrees, latitudes, st.floats(-179, 179), st.floats(-90, 90))
def test_points_as_proj_measures(x: float, y: float, lon: float, lat: float) -> None:
    found = distances(np.array([x]), np.array([y]), np.array([shapely.Point(lon, lat)]))
    assert found[0] == pytest.approx(GEOD.inv(x, y, lon, lat)[2], abs=MILLIMETRE)


@settings(max_examples=25)
@given(
    degrees,
    latitudes,
    st.lists(st.tuples(st.floats(-3, 3), st.floats(-3, 3)), min_size=3, max_size=6, unique=True),
    st.sampled_from(["line", "area"]),
)
def test_lines_and_areas_to_a_millimetre(x: float, y: float, steps: list[tuple[float, float]], kind: str) -> None:
    rng = np.random.default_rng(abs(hash((x, y))) % 2**32)
    # Within the band of longitudes: what is beyond 180 degrees is the business of another test.
    corner = np.clip(x + rng.uniform(-4, 4), -176, 176), np.clip(y + rng.uniform(-4, 4), -87, 87)
    places = np.add(steps, corner)
    shape = shapely.LineString(places) if kind == "line" else shapely.MultiPoint(places).convex_hull
    if shape.length == 0 or (kind == "area" and shape.geom_type != "Polygon"):
        return
    found = distances(np.array([x]), np.array([y]), np.array([shape]))[0]
    assert found == pytest.approx(brute(x, y, shape), abs=MILLIMETRE)


def test_over_180_degrees_the_way_is_short() -> None:
    line = shapely.LineString([(-179.9, 10), (-179.9, 11)])
    found = distances(np.array([179.9]), np.array([10.5]), np.array([line]))[0]
    assert found == pytest.approx(GEOD.inv(179.9, 10.5, -179.9, 10.5)[2], abs=30)
    assert found < 22_000


def test_missing_and_empty_shapes_have_no_distance() -> None:
    shapes = np.array([None, shapely.Polygon(), shapely.Point(1, 1)], dtype=object)
    found = distances(np.ones(3), np.ones(3), shapes)
    assert np.isnan(found[:2]).all()
    assert found[2] == 0.0


@settings(max_examples=80)
@given(st.floats(-180, 180), st.floats(-90, 90), st.floats(1, 3_000_000), st.floats(0, 360))
def test_boxes_hold_everything_within_reach(x: float, y: float, metres: float, azimuth: float) -> None:
    lon, lat, _ = GEOD.fwd(x, y, azimuth, metres)
    boxes = reach(x, y, metres)
    held = any(w - 1e-9 <= lon <= e + 1e-9 and s <= lat <= n for w, s, e, n in boxes)
    assert held or abs(abs(lon) - 180) < 1e-6
    assert all(-180 <= w <= e <= 180 and -90 <= s <= n <= 90 for w, s, e, n in boxes)


@pytest.mark.parametrize(("x", "y", "metres"), [(105, 38, 500), (0, 0, 1_000_000), (120, -60, 20_000)])
def test_a_circle_is_as_far_away_as_asked(x: float, y: float, metres: float) -> None:
    ring = shapely.get_coordinates(buffered(shapely.Point(x, y), metres))
    found = GEOD.inv(np.full(len(ring), x), np.full(len(ring), y), ring[:, 0], ring[:, 1])[2]
    assert found == pytest.approx(metres, abs=MILLIMETRE)


def test_a_circle_over_180_degrees_has_two_parts() -> None:
    found = buffered(shapely.Point(179.95, 20), 20_000)
    assert found.geom_type == "MultiPolygon"
    assert found.is_valid
    west, _, east, _ = found.bounds
    assert (west, east) == (-180, 180)
    assert found.intersects(shapely.Point(-179.95, 20))
    assert not found.intersects(shapely.Point(0, 20))


@pytest.mark.parametrize("y", [89.5, -90.0])
def test_a_circle_around_a_pole_holds_it(y: float) -> None:
    found = buffered(shapely.Point(30, y), 200_000)
    pole = 90.0 if y > 0 else -90.0
    assert found.is_valid
    for lon in (-180, -90, 0, 90, 180):
        assert found.intersects(shapely.Point(lon, pole))
        far = shapely.Point(lon, pole - np.sign(pole) * 4)
        assert not found.intersects(far)


@pytest.mark.parametrize(
    "shape",
    [
        shapely.LineString([(100, 30), (101.7, 30.4), (101.9, 32.1)]),
        shapely.box(100, 60, 100.5, 60.2),
        shapely.MultiLineString([[(179.5, 10), (180, 10.2)], [(-180, 10.2), (-179.5, 10.5)]]),
        shapely.difference(shapely.box(20, 0, 21, 1), shapely.box(20.3, 0.3, 20.7, 0.7)),
    ],
)
def test_surroundings_of_lines_and_areas(shape: shapely.Geometry) -> None:
    metres = 8_000.0
    area = buffered(shape, metres)
    assert area.is_valid
    assert area.covers(shapely.buffer(shape, -1e-9)) or shape.geom_type != "Polygon"
    edge = shapely.get_coordinates(shapely.segmentize(shapely.boundary(area), 0.02))
    edge = edge[np.abs(edge[:, 0]) < 179.999][::7]
    found = distances(edge[:, 0], edge[:, 1], np.full(len(edge), shape, dtype=object))
    assert found == pytest.approx(metres, rel=5e-3)


def test_distances_that_cannot_be_answered_are_refused() -> None:
    line = shapely.LineString([(100, 30), (101, 30)])
    for metres in (0.0, -5.0, MOST_METRES_AROUND * 2):
        with pytest.raises(BadParameter):
            buffered(line, metres)
    with pytest.raises(TooLarge):
        buffered(shapely.box(-90, -45, 90, 45), 10.0)


def test_stations_lie_at_even_distances() -> None:
    line = shapely.LineString([(105, 38), (105.3, 38.1), (105.2, 38.4)])
    found = stations(line, 500.0, 1_000)
    length = GEOD.geometry_length(shapely.segmentize(line, 0.001))
    assert found.metres[-1] == pytest.approx(length, abs=0.1)
    assert found.metres[:-1] == pytest.approx(np.arange(len(found.metres) - 1) * 500.0)
    assert (found.x[0], found.y[0]) == (105, 38)
    assert (found.x[-1], found.y[-1]) == pytest.approx((105.2, 38.4))
    straight = GEOD.inv(found.x[:-1], found.y[:-1], found.x[1:], found.y[1:])[2]
    assert (straight <= 500.0 + 0.01).all()
    with pytest.raises(TooLarge):
        stations(line, 0.1, 1_000)
