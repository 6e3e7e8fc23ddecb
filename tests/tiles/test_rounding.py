"""Which geometries may be drawn in whole units without repair, against what PostGIS and shapely say of the result."""

from __future__ import annotations

import numpy as np
import shapely
from hypothesis import given
from hypothesis import strategies as st

from layers.ladder import WORLD, Rung
from tiles.ladder.rounding import UNITS, plain

RUNG = Rung(10, 11)
UNIT = WORLD / 2**10 / UNITS
"""Metres of a unit at the lowest zoom of the rung."""


def asked(*geometries: shapely.Geometry) -> list[bool]:
    return [bool(one) for one in plain(np.array(geometries, dtype=object), RUNG)]


def scaled(geometry: shapely.Geometry) -> shapely.Geometry:
    """A geometry written in units of the lowest zoom."""
    return shapely.transform(geometry, lambda corners: corners * UNIT)


def test_a_plain_square_and_a_plain_line() -> None:
    assert asked(scaled(shapely.box(10, 10, 50, 40)), scaled(shapely.LineString([(0, 0), (9, 3)]))) == [True, True]


def test_what_rounding_breaks_is_repaired() -> None:
    sliver = shapely.box(10, 10, 50, 10.3)
    touching = shapely.Polygon([(0, 0), (20, 0), (20, 10), (10, 0.4), (0, 10)])
    crossing = shapely.Polygon([(0, 0), (30, 0), (30, 20), (14.6, 10.4), (15.4, 9.6), (0, 20)])
    assert shapely.is_valid(touching)
    assert shapely.is_valid(crossing)
    assert asked(scaled(sliver), scaled(touching)) == [False, False]
    hole = shapely.Polygon([(0, 0), (30, 0), (30, 30), (0, 30)], [[(5, 5), (5, 5.3), (20, 5.3), (20, 5)]])
    assert asked(scaled(hole)) == [False]


def test_lines_that_vanish_and_other_kinds_are_repaired() -> None:
    short = shapely.LineString([(3, 3), (3.2, 3.1)])
    partly = shapely.MultiLineString([[(0, 0), (9, 9)], [(3, 3), (3.2, 3.1)]])
    mixed = shapely.GeometryCollection([shapely.box(0, 0, 9, 9), shapely.Point(2, 2)])
    empty = shapely.Polygon()
    assert asked(*(scaled(one) for one in (short, partly, mixed, empty, shapely.Point(4, 4)))) == [False] * 5


def test_nothing_is_asked() -> None:
    assert asked() == []


CORNERS = st.lists(st.tuples(st.floats(0, 12), st.floats(0, 12)), min_size=3, max_size=7)


@given(CORNERS)
def test_plain_means_valid_on_the_grid_of_each_zoom(corners: list[tuple[float, float]]) -> None:
    """GEOS rounds on its own, halves another way: so no corner lies half way between two units."""
    surface = scaled(shapely.transform(shapely.Polygon(corners), lambda places: places + 0.0137))
    if not shapely.is_valid(surface):
        return
    for zoom in (RUNG.from_, RUNG.to):
        unit = WORLD / 2**zoom / UNITS
        rounded = shapely.set_precision(surface, unit, mode="pointwise")
        if asked(surface)[0]:
            assert shapely.is_valid(rounded)
            assert not shapely.is_empty(rounded)
