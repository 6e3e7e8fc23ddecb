"""Taking geometries apart without GEOS gives what GEOS gives."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.checks import measure
from ingest.checks.curves import Geometries, curves_of, single_rings

SQUARE = shapely.box(0, 0, 2, 2)
HOLED = SQUARE.difference(shapely.box(0.5, 0.5, 1, 1))
TOUCHING = shapely.from_wkt("POLYGON ((0 0, 4 0, 4 4, 0 4, 0 0), (0 0, 2 1, 1 2, 0 0))")
KINDS: list[Any] = [
    None,
    SQUARE,
    HOLED,
    TOUCHING,
    shapely.MultiPolygon([SQUARE]),
    shapely.MultiPolygon([HOLED]),
    shapely.MultiPolygon([TOUCHING]),
    shapely.MultiPolygon([SQUARE, shapely.box(5, 5, 6, 6)]),
    shapely.from_wkt("POLYGON EMPTY"),
    shapely.from_wkt("MULTIPOLYGON EMPTY"),
    shapely.from_wkt("MULTIPOLYGON (EMPTY, ((0 0, 1 0, 1 1, 0 0)))"),
    shapely.Point(1, 1),
    shapely.MultiPoint([(1, 1), (2, 2)]),
    shapely.LineString([(0, 0), (1, 1), (2, 0)]),
    shapely.from_wkt("LINESTRING EMPTY"),
    shapely.MultiLineString([[(0, 0), (1, 1)], [(3, 3), (4, 4), (5, 5)]]),
    shapely.GeometryCollection([SQUARE, shapely.Point(9, 9), shapely.LineString([(7, 7), (8, 8)])]),
]


def array(geometries: list[Any]) -> Geometries:
    found = np.empty(len(geometries), dtype=object)
    found[:] = geometries
    return found


def by_geos(geometries: list[Any]) -> Counter[tuple[int, bool, bytes]]:
    """Geometry, whether no hole, and vertices of each curve, found one geometry at a time."""
    found: Counter[tuple[int, bool, bytes]] = Counter()
    for number, geometry in enumerate(geometries):
        for part in () if geometry is None else shapely.get_parts(geometry):
            if part.geom_type == "LineString" and not part.is_empty:
                found[number, True, np.array(part.coords).tobytes()] += 1
            if part.geom_type == "Polygon" and not part.is_empty:
                found[number, True, np.array(part.exterior.coords).tobytes()] += 1
                found.update((number, False, np.array(hole.coords).tobytes()) for hole in part.interiors)
    return found


def in_place(geometries: list[Any]) -> Counter[tuple[int, bool, bytes]]:
    known = curves_of(array(geometries))
    runs = np.split(known.points, known.starts[1:]) if len(known) else []
    return Counter(
        (int(owner), bool(shell), run.tobytes())
        for owner, shell, run in zip(known.owner, known.shell, runs, strict=True)
    )


@settings(max_examples=200)
@given(st.lists(st.sampled_from(KINDS), max_size=8))
def test_every_curve_is_found_once(geometries: list[Any]) -> None:
    assert in_place(geometries) == by_geos(geometries)


def test_a_surface_of_one_ring_is_told_from_one_with_holes() -> None:
    told = single_rings(array(KINDS)).tolist()
    assert [i for i, one in enumerate(told) if one] == [1, 4]


def slivers(count: int) -> npt.NDArray[np.object_]:
    """Rectangles from squares to slivers, from the equator to 80 degrees, turned at random."""
    random = np.random.default_rng(11)
    found = []
    for _ in range(count):
        middle = random.uniform(-80, 80)
        width = 10 ** random.uniform(-6, -3)
        corners = np.array([[0, 0], [1, 0], [1, 1], [0, 1]]) * [1e-3, width] + [random.uniform(-170, 170), middle]
        found.append(shapely.transform(shapely.Polygon(corners), lambda c: c))
    return array(found)


@pytest.mark.parametrize("limit", [1e-4, 0.01, 0.3])
def test_whether_a_surface_is_thin_is_decided_as_by_geodesics(limit: float) -> None:
    some = slivers(500)
    sizes = measure.areas(some)
    exact = 4 * np.pi * sizes / np.square(measure.lengths(some))
    assert ((measure.thinness(some, sizes, limit) < limit) == (exact < limit)).all()


def test_what_is_measured_roughly_is_near_enough_for_its_margin() -> None:
    some = slivers(500)
    rough = measure._rough_outlines(some)
    assert np.isfinite(rough).all()
    assert np.abs(rough / measure.lengths(some) - 1).max() < (measure._NEAR - 1) / 4


def test_large_surfaces_and_those_near_a_pole_are_measured_exactly() -> None:
    some = array([shapely.box(100, 30, 101, 31), shapely.box(100, 89, 100.001, 89.001)])
    assert np.isnan(measure._rough_outlines(some)).all()
    sizes = measure.areas(some)
    assert measure.thinness(some, sizes, 1e-9) == pytest.approx(
        4 * np.pi * sizes / np.square(measure.lengths(some)), rel=1e-12
    )


def test_northings_of_small_steps_are_those_of_the_integral() -> None:
    """Against the integral of the slope by 40 nodes of Gauss and Legendre, in long doubles."""
    nodes, weights = (part.astype(np.longdouble) for part in np.polynomial.legendre.leggauss(40))
    flattening = 1 / np.longdouble("298.257222101")
    e2 = flattening * (2 - flattening)
    latitudes, step = np.linspace(-89.9, 89.9, 41), 0.009
    found = measure._rise(latitudes, np.ones(41, dtype=np.int64), np.full(41, step))
    for latitude, metres in zip(latitudes, found, strict=True):
        half = np.radians(np.longdouble(step)) / 2
        phi = np.radians(np.longdouble(latitude)) + half * (1 + nodes)
        slope = np.cos(phi) / np.square(1 - e2 * np.square(np.sin(phi)))
        exact = np.longdouble(6378137) * (1 - e2) * half * np.sum(weights * slope)
        assert abs(float(exact) - metres) < 1e-9
