"""Points in polygons from memory: equal to a join by geopandas, on borders and corners too."""

from __future__ import annotations

from typing import Any

import geopandas as gpd
import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from geoservice.queries.grid import PolygonIndex, spread

Numbers = np.ndarray[Any, Any]


def joined(polygons: Numbers, x: Numbers, y: Numbers) -> Numbers:
    """The lowest rank of a polygon that holds each point, by geopandas; -1 for none."""
    right = gpd.GeoDataFrame({"rank": np.arange(len(polygons))}, geometry=list(polygons))
    left = gpd.GeoDataFrame(geometry=gpd.points_from_xy(x, y))
    pairs = gpd.sjoin(left, right, predicate="intersects", how="left")
    return np.asarray(pairs.groupby(level=0)["rank"].min().fillna(-1).astype(int))


def mosaic(number: int, seed: int) -> Numbers:
    """Polygons that share their borders: cells around random points, in random order, with ragged edges inside."""
    rng = np.random.default_rng(seed)
    seeds = shapely.multipoints(np.column_stack([rng.uniform(100, 110, number), rng.uniform(30, 38, number)]))
    cells = shapely.get_parts(shapely.voronoi_polygons(seeds, extend_to=shapely.box(100, 30, 110, 38)))
    clipped = shapely.intersection(cells, shapely.box(100, 30, 110, 38))
    return np.asarray(rng.permutation(clipped))


def on_borders(polygons: Numbers, seed: int) -> Numbers:
    """Corners of polygons, and the middles of their edges."""
    corners = shapely.get_coordinates(polygons)
    chosen = np.random.default_rng(seed).integers(0, len(corners) - 1, 4_000)
    return np.concatenate([corners[chosen], (corners[chosen] + corners[chosen + 1]) / 2])


def test_a_hundred_thousand_points_as_geopandas_joins_them() -> None:
    polygons = mosaic(300, seed=1)
    # Larger areas lie over the small ones, as provinces over counties, one of them with a hole and a part elsewhere.
    ring = shapely.difference(shapely.box(101, 31, 106, 36), shapely.box(102, 32, 103, 33))
    polygons = np.concatenate([polygons[:200], [shapely.union(ring, shapely.box(108, 36, 109, 37))], polygons[200:]])
    rng = np.random.default_rng(2)
    x = np.append(rng.uniform(99.5, 110.5, 92_000), on_borders(polygons, 3)[:, 0])
    y = np.append(rng.uniform(29.5, 38.5, 92_000), on_borders(polygons, 3)[:, 1])
    found = PolygonIndex(polygons).find(x, y)
    expected = joined(polygons, x, y)
    assert np.array_equal(found, expected)
    assert {-1, 200} < set(found.tolist())


def test_corners_of_squares_belong_to_the_lowest_rank() -> None:
    squares = np.array([shapely.box(i, j, i + 1, j + 1) for j in range(10, 14) for i in range(20, 24)])
    corners = np.array([(i, j) for j in range(10, 15) for i in range(20, 25)], dtype=np.float64)
    found = PolygonIndex(squares).find(corners[:, 0], corners[:, 1])
    # The first of up to four squares around a corner is the one to its south-west, as far as there is one.
    expected = [max(j - 11, 0) * 4 + max(i - 21, 0) for j in range(10, 15) for i in range(20, 25)]
    assert found.tolist() == expected
    turned = PolygonIndex(squares[::-1].copy()).find(corners[:, 0], corners[:, 1])
    assert turned.tolist() != expected, "the order of ranks decides"


@settings(max_examples=60)
@given(
    st.lists(
        st.tuples(st.integers(0, 40), st.integers(0, 40), st.integers(1, 15), st.integers(1, 15)),
        min_size=1,
        max_size=12,
    ),
    st.lists(st.tuples(st.integers(-2, 60), st.integers(-2, 60)), min_size=1, max_size=40),
)
def test_boxes_that_overlap_in_any_way(boxes: list[tuple[int, int, int, int]], points: list[tuple[int, int]]) -> None:
    found = PolygonIndex(np.array([shapely.box(x, y, x + w, y + h) for x, y, w, h in boxes])).find(
        np.array([p[0] for p in points], dtype=np.float64), np.array([p[1] for p in points], dtype=np.float64)
    )
    expected = [
        next((n for n, (x, y, w, h) in enumerate(boxes) if x <= px <= x + w and y <= py <= y + h), -1)
        for px, py in points
    ]
    assert found.tolist() == expected


def test_the_meridian_of_180_degrees_is_one() -> None:
    east, west = shapely.box(170, -20, 180, -10), shapely.box(-180, -20, -170, -10)
    index = PolygonIndex(np.array([west, east]))
    found = index.find(np.array([180.0, -180.0, 179.9, -179.9]), np.full(4, -15.0))
    assert found.tolist() == [0, 0, 1, 0]


def test_poles_nowhere_and_nothing() -> None:
    cap = shapely.Polygon([(-180, -90), (180, -90), (180, -60), (-180, -60)])
    index = PolygonIndex(np.array([cap, None, shapely.Polygon()], dtype=object))
    x, y = np.array([0.0, 77.0, np.nan, np.inf, 5.0]), np.array([-90.0, -90.0, -70.0, -70.0, -59.9])
    assert index.find(x, y).tolist() == [0, 0, -1, -1, -1]
    empty = PolygonIndex(np.array([None], dtype=object))
    assert empty.find(x, y).tolist() == [-1] * 5


@pytest.mark.parametrize(("starts", "counts"), [([5, 9], [2, 1]), ([3], [0]), ([], [])])
def test_runs_one_after_the_other(starts: list[int], counts: list[int]) -> None:
    expected = [n for start, count in zip(starts, counts, strict=True) for n in range(start, start + count)]
    assert spread(np.array(starts, dtype=np.int64), np.array(counts, dtype=np.int64)).tolist() == expected
