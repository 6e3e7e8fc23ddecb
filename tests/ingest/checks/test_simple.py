"""Polygons proved valid without GEOS: never against its judgement, and nearly always for what people draw."""

from __future__ import annotations

from typing import Any
from unittest.mock import patch

import numpy as np
import numpy.typing as npt
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from ingest.checks import simple

GRID = st.integers(-4, 4).map(float)
WILD = st.floats(allow_nan=True, allow_infinity=True)


def array(*geometries: Any) -> npt.NDArray[np.object_]:
    found = np.empty(len(geometries), dtype=object)
    found[:] = geometries
    return found


def polygon(points: npt.NDArray[np.float64]) -> shapely.Polygon:
    with np.errstate(invalid="ignore"):
        return shapely.Polygon(shapely.linearrings(np.vstack([points, points[:1]]), handle_nan="allow"))


def parcels(count: int) -> npt.NDArray[np.object_]:
    """Rings with 5 to 40 corners at uneven distances from their middle, drawn to the left and to the right."""
    random = np.random.default_rng(7)
    found = []
    for number in range(count):
        corners = random.integers(5, 40)
        angles = (np.arange(corners) + random.uniform(0, 0.9, corners)) * 2 * np.pi / corners
        angles = angles[:: -1 if number % 2 else 1]
        reach = random.uniform(0.7, 1.0, corners) * 1e-4
        middle = random.uniform((73, 18), (135, 53))
        found.append(polygon(middle + np.column_stack([np.cos(angles), np.sin(angles)]) * reach[:, None]))
    return array(*found)


@settings(max_examples=400)
@given(hnp.arrays(np.float64, st.tuples(st.integers(3, 9), st.just(2)), elements=GRID))
def test_nothing_is_proved_that_geos_finds_invalid_among_corners_of_a_grid(points: npt.NDArray[np.float64]) -> None:
    # Few distinct coordinates: repeated vertices, spikes, crossings and collapsed rings come all the time.
    shape = polygon(points)
    assert simple.proved_valid(array(shape))[0] <= shapely.is_valid(shape)


@settings(max_examples=200)
@given(hnp.arrays(np.float64, st.tuples(st.integers(3, 6), st.just(2)), elements=WILD))
def test_nothing_is_proved_of_numbers_at_the_edge(points: npt.NDArray[np.float64]) -> None:
    points[0] = 1.0, 2.0
    shape = polygon(points)
    with np.errstate(invalid="ignore"):
        assert simple.proved_valid(array(shape))[0] <= shapely.is_valid(shape)


@settings(max_examples=300)
@given(hnp.arrays(np.float64, st.tuples(st.integers(3, 5), st.just(2)), elements=GRID), st.booleans(), st.booleans())
def test_a_multipolygon_with_a_hole_is_never_proved(
    points: npt.NDArray[np.float64], turned: bool, around: bool
) -> None:
    shell = np.array(shapely.box(-9, -9, 9, 9).exterior.coords)[:: -1 if turned else 1]
    hole = np.vstack([points, points[:1]]) + (0 if around else 4)
    shape = shapely.MultiPolygon([shapely.Polygon(shell, [hole])])
    assert not simple.proved_valid(array(shape))[0]


def test_what_people_draw_is_proved() -> None:
    some = parcels(5000)
    assert shapely.is_valid(some).all()
    assert simple.proved_valid(some).mean() > 0.95


def test_a_ring_that_goes_round_twice_is_not_proved() -> None:
    turns = np.linspace(0, 4 * np.pi, 10, endpoint=False)
    twice = polygon(np.column_stack([np.cos(turns), np.sin(turns)]) * np.linspace(1, 2, 10)[:, None])
    assert not shapely.is_valid(twice)
    assert not simple.proved_valid(array(twice))[0]
    # The count of crossings is what keeps it out: all its edges run to the left.
    with patch.object(simple, "_CROSSED", 0):
        assert simple.proved_valid(array(twice))[0]


def test_collapsed_rings_are_not_proved_by_rounding() -> None:
    # All corners on one line: exact arithmetic gives cross products of zero, floating point gives noise.
    random = np.random.default_rng(3)
    flat = array(*(polygon(np.outer(random.uniform(100, 120, 4), (0.1, 0.3))) for _ in range(2000)))
    proved = simple.proved_valid(flat)
    assert not (proved & ~shapely.is_valid(flat)).any()


def test_every_kind_of_geometry_is_judged_as_geos_does() -> None:
    square, bow = shapely.box(0, 0, 2, 2), shapely.from_wkt("POLYGON ((0 0, 2 2, 2 0, 0 2, 0 0))")
    hole = shapely.from_wkt("POLYGON ((0 0, 9 0, 9 9, 0 9, 0 0), (8 8, 12 8, 12 12, 8 12, 8 8))")
    some = array(
        None,
        square,
        bow,
        hole,
        shapely.MultiPolygon([square]),
        shapely.MultiPolygon([bow]),
        shapely.MultiPolygon([hole]),
        shapely.MultiPolygon([square, shapely.box(1, 1, 3, 3)]),
        shapely.MultiPolygon([square, shapely.box(5, 5, 6, 6)]),
        shapely.from_wkt("POLYGON EMPTY"),
        shapely.from_wkt("MULTIPOLYGON EMPTY"),
        shapely.Point(1, 1),
        shapely.LineString([(0, 0), (0, 0)]),
        shapely.GeometryCollection([square]),
    )
    assert simple.valid(some).tolist() == shapely.is_valid(some).tolist()
    assert simple.proved_valid(some).tolist() == [i in (1, 4) for i in range(len(some))]


def test_blocks_join_without_a_seam() -> None:
    some = parcels(300)
    some[[10, 77, 299]] = shapely.from_wkt("POLYGON ((0 0, 2 2, 2 0, 0 2, 0 0))")
    with patch.object(simple, "_BLOCK", 64):
        assert simple.valid(some).tolist() == shapely.is_valid(some).tolist()
