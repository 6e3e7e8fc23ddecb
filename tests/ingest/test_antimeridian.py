"""Rings stitched over 180 degrees: cut where they cross, measured against known areas."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from pyproj import Geod

from ingest.readers.antimeridian import cut, jumps

EARTH = Geod(ellps="GRS80")


def ring(*positions: tuple[float, float]) -> np.ndarray:
    return np.array([*positions, positions[0]], dtype=float)


def area(geometry: shapely.Geometry) -> float:
    """Area in km2 by geodesics, independent of the product's rule."""
    dense = shapely.segmentize(geometry, 0.05)
    return sum(abs(EARTH.geometry_area_perimeter(part)[0]) for part in shapely.get_parts(dense)) / 1e6


def test_a_box_over_180_becomes_two() -> None:
    stitched = ring((178, -18), (-179, -18), (-179, -16), (178, -16))
    assert jumps(stitched)
    found = cut([stitched])
    assert found.equals(shapely.union(shapely.box(178, -18, 180, -16), shapely.box(-180, -18, -179, -16)))


def test_holes_are_cut_too() -> None:
    shell = ring((170, -20), (-170, -20), (-170, 0), (170, 0))
    hole = ring((179, -11), (-179, -11), (-179, -9), (179, -9))
    found = cut([shell, hole])
    expected = area(shapely.box(170, -20, 180, 0)) * 2 - area(shapely.box(179, -11, 180, -9)) * 2
    assert area(found) == pytest.approx(expected, rel=1e-6)
    assert not found.contains(shapely.Point(179.5, -10))


def test_a_ring_around_the_pole_reaches_it() -> None:
    south = ring(*[(float(lon), -70.0) for lon in range(-180, 180, 10)])
    found = cut([south])
    assert found.bounds == (-180, -90, 180, -70)
    assert area(found) == pytest.approx(area(shapely.box(-180, -90, 180, -70)), rel=1e-6)


def test_two_rings_around_the_pole_enclose_what_lies_between() -> None:
    near, far = (ring(*[(float(lon), lat) for lon in range(-180, 180, 10)]) for lat in (-89.0, -70.0))
    for rings in ([near, far], [far, near]):
        found = cut(rings)
        assert found.bounds == (-180, -89, 180, -70)
        assert area(found) == pytest.approx(area(shapely.box(-180, -89, 180, -70)), rel=1e-6)


def test_what_does_not_jump_and_a_world_frame_stay() -> None:
    assert not jumps(ring((10, 0), (20, 0), (20, 10)))
    frame = ring((-180, -90), (180, -90), (180, 90), (-180, 90))
    assert cut([frame]).equals(shapely.box(-180, -90, 180, 90))
