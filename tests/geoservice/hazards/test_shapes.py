"""Classes of overlapping shapes: disjoint, whole, in one order and on one grid."""

from __future__ import annotations

import random

import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from geoservice.hazards import shapes as module
from geoservice.hazards.shapes import Grade, mapping_of, merged, ranked, within_world
from layers.errors import TooLarge
from layers.model import Text
from tests.geoservice.hazards.made import assert_disjoint, shape, whole

DEGREES = st.floats(-20, 20)
CIRCLES = st.lists(st.tuples(DEGREES, DEGREES, st.floats(0.1, 8)), min_size=1, max_size=8)


def grade(number: int) -> Grade:
    return Grade(f"c{number}", Text(zh="级", en="class"))


def circle(at: tuple[float, float, float]) -> shapely.Geometry:
    return shapely.Point(at[:2]).buffer(at[2], quad_segs=6)


@settings(max_examples=25)
@given(CIRCLES)
def test_each_place_belongs_to_its_worst_class(circles: list[tuple[float, float, float]]) -> None:
    graded = [(grade(n), circle(at)) for n, at in enumerate(circles)]
    classes = ranked(graded)
    assert_disjoint(classes)
    assert [one.rank for one in classes] == list(range(1, len(classes) + 1))
    union = shapely.union_all([area for _, area in graded])
    assert whole(classes).area == pytest.approx(union.area, rel=1e-6)
    for one in classes:
        place = shape(one).representative_point()
        first = next(g.code for g, area in graded if shapely.dwithin(area, place, 1e-6))
        assert one.code == first


@settings(max_examples=20)
@given(CIRCLES, st.randoms(use_true_random=False))
def test_a_union_does_not_depend_on_the_order(circles: list[tuple[float, float, float]], chance: random.Random) -> None:
    areas = [circle(at) for at in circles]
    mixed = areas.copy()
    chance.shuffle(mixed)
    assert mapping_of(merged(areas)) == mapping_of(merged(mixed))


def test_outer_rings_run_against_the_clock_on_the_grid() -> None:
    mapping = mapping_of(shapely.box(0.123456789, 0, 1, 1).reverse())
    ring = mapping["coordinates"][0]
    assert shapely.LinearRing(ring).is_ccw
    assert [0.1234568, 0.0] in ring


def test_what_is_smaller_than_a_centimetre_is_nothing() -> None:
    assert ranked([(grade(0), shapely.box(0, 0, 1e-9, 1e-9))]) == ()


def test_longitudes_beyond_the_world_come_back() -> None:
    area = within_world(shapely.box(175, 0, 190, 10))
    assert area.equals(shapely.MultiPolygon([shapely.box(175, 0, 180, 10), shapely.box(-180, 0, -170, 10)]))


def test_too_many_vertices_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_VERTICES", 100)
    with pytest.raises(TooLarge, match="more than 100 vertices"):
        ranked([(grade(0), shapely.Point(0, 0).buffer(1, 64))])
