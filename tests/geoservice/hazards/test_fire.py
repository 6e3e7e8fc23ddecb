"""Fires from points: clusters against a graph library, perimeters that hold their pixels, confidence, the date line."""

from __future__ import annotations

import datetime as dt
from typing import Any

import networkx as nx
import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from geoservice.hazards import fire
from geoservice.hazards.errors import EmptyZone
from geoservice.hazards.fire import FirePoints, clusters, confidence_class
from layers.errors import TooLarge
from tests.geoservice.hazards.made import GEOD, assert_disjoint, metres2, shapes, whole, zone_of

START = dt.datetime(2026, 7, 1, tzinfo=dt.UTC)


def seen(lon: float, lat: float, hours: float = 0.0, confidence: Any = "h") -> dict[str, Any]:
    time = (START + dt.timedelta(hours=hours)).isoformat()
    return {"time": time, "lon": lon, "lat": lat, "confidence": confidence}


def moved(lon: float, lat: float, azimuth: float, metres: float) -> tuple[float, float]:
    x, y, _ = GEOD.fwd(lon, lat, azimuth, metres)
    return x, y


@pytest.mark.parametrize(
    ("value", "name"),
    [
        ("h", "high"), ("n", "nominal"), ("l", "low"), ("High", "high"), (80, "high"), (79, "nominal"),
        ("30", "nominal"), ("29", "low"), (0, "low"), (None, "nominal"), ("?", "nominal"),
    ],
)  # fmt: skip
def test_confidence_of_both_instruments(value: Any, name: str) -> None:
    assert confidence_class(value) == name


def test_one_point_is_its_pixel() -> None:
    for confidence, side in (("h", 375.0), (90, 1000.0)):
        zone = zone_of("fire", points=[seen(110.0, 30.0, 0, confidence)])
        assert metres2(whole(zone.classes)) == pytest.approx(side**2, rel=1e-3)
    zone = zone_of("fire", points=[{**seen(110.0, 30.0), "pixel": 600.0}])
    assert metres2(whole(zone.classes)) == pytest.approx(600.0**2, rel=1e-3)


def test_a_ring_of_points_has_an_inside_and_a_far_one_is_another_fire() -> None:
    ring = [seen(*moved(110.0, 30.0, azimuth, 2000.0)) for azimuth in range(0, 360, 30)]
    far = seen(*moved(110.0, 30.0, 90.0, 9000.0))
    area = whole(zone_of("fire", points=[*ring, far], concavity=1.0).classes)
    assert len(shapely.get_parts(area)) == 2
    assert shapely.contains_xy(area, 110.0, 30.0)


def test_points_far_apart_in_time_are_not_one_fire() -> None:
    row = [seen(*moved(110.0, 30.0, 90.0, 1000.0 * n), hours=30.0 * n) for n in range(4)]
    apart, joined = (zone_of("fire", points=row, gap_hours=hours) for hours in (24, 31))
    assert len(shapely.get_parts(whole(apart.classes))) == 4
    assert len(shapely.get_parts(whole(joined.classes))) == 1
    assert apart.start == START


def test_confidence_makes_classes_and_estimates() -> None:
    points = [seen(110.0 + n / 200, 30.0, confidence="hnl"[n % 3]) for n in range(9)]
    zone = zone_of("fire", points=points)
    assert [one.code for one in zone.classes] == ["high", "nominal"]
    assert [one.code for one in zone.bound("low")] == ["high"]
    assert [one.code for one in zone.bound("high")] == ["high", "nominal", "low"]
    assert_disjoint(zone.bound("high"))
    low, best, high = (whole(zone.bound(bound)).area for bound in ("low", "best", "high"))
    assert low < best < high


PLACES = st.lists(
    st.tuples(st.integers(0, 40), st.integers(0, 40), st.integers(0, 96)), min_size=1, max_size=25, unique=True
)


@settings(max_examples=20)
@given(PLACES)
def test_clusters_are_the_components_of_near_points(places: list[tuple[int, int, int]]) -> None:
    """The oracle asks each pair by its geodesic and its time, and networkx which are joined."""
    at = [(110.0 + x / 200 + 1e-4, 30.0 + y / 200, hour) for x, y, hour in places]
    graph = nx.Graph()
    graph.add_nodes_from(range(len(at)))
    for n, (x, y, hour) in enumerate(at):
        for m, (x2, y2, hour2) in enumerate(at[:n]):
            if abs(hour - hour2) <= 24 and GEOD.inv(x, y, x2, y2)[2] <= 1500.0:
                graph.add_edge(n, m)
    lon, lat, hours = np.array(at).T
    points = FirePoints(lon, lat, hours * 3600.0, np.full(len(at), 200.0), np.full(len(at), "high"))
    owner = clusters(points, 1500.0, 24 * 3600.0)
    found = {frozenset(np.flatnonzero(owner == one).tolist()) for one in range(owner.max() + 1)}
    assert found == {frozenset(one) for one in nx.connected_components(graph)}


def test_the_order_of_points_does_not_matter() -> None:
    points = [seen(179.99 + n / 300 if n < 3 else n / 300 - 180.01, -16.0, n, "hnl"[n % 3]) for n in range(9)]
    one, other = zone_of("fire", points=points), zone_of("fire", points=points[::-1])
    assert shapes(one.classes) == shapes(other.classes)
    west, _, east, _ = whole(one.classes).bounds
    assert (west, east) == (-180.0, 180.0)


def test_no_points_and_too_many() -> None:
    with pytest.raises(EmptyZone):
        zone_of("fire", points=[])


def test_pairs_are_counted_before_they_are_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fire, "MOST_PAIRS", 10)
    with pytest.raises(TooLarge, match="smaller gap"):
        zone_of("fire", points=[seen(110.0 + n / 1e5, 30.0) for n in range(10)])
