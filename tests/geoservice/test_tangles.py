"""How entangled outlines are: crossings against shapely, and what is refused before GEOS begins."""

from __future__ import annotations

import itertools
import time
import tracemalloc
from typing import Any

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from geoservice.analysis import tangles
from geoservice.analysis.geojson import parse_zone
from geoservice.analysis.tangles import MAX_CROSSINGS, require_mergeable, require_untangled
from layers.errors import TooLarge
from tests.support.stars import comb, star

corner = st.tuples(st.integers(0, 6), st.integers(0, 6))
triangle = st.lists(corner, min_size=3, max_size=3, unique=True).map(shapely.Polygon)


def meetings(one: shapely.Polygon, other: shapely.Polygon) -> int:
    """Pairs of edges that share more than a common end, found with shapely edge by edge."""
    found = 0
    pairs = itertools.product(*(itertools.pairwise(shape.exterior.coords) for shape in (one, other)))
    for a, b in pairs:
        shared = shapely.intersection(shapely.LineString(a), shapely.LineString(b))
        points = {tuple(at) for at in shapely.get_coordinates(shared).tolist()}
        found += bool(points - (set(a) & set(b)))
    return found


@given(triangle.filter(lambda t: t.area > 0), triangle.filter(lambda t: t.area > 0))
def test_crossings_are_those_that_shapely_finds(one: shapely.Polygon, other: shapely.Polygon) -> None:
    expected = meetings(one, other)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tangles, "MAX_CROSSINGS", expected)
        require_mergeable([one, other])
        if expected:
            patch.setattr(tangles, "MAX_CROSSINGS", expected - 1)
            with pytest.raises(TooLarge):
                require_mergeable([one, other])


def test_borders_that_areas_share_are_no_crossings() -> None:
    cells = [shapely.box(x, y, x + 1, y + 1) for x in range(80) for y in range(80)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tangles, "MAX_CROSSINGS", 0)
        require_mergeable(cells)
        with pytest.raises(TooLarge):
            require_mergeable([*cells, shapely.box(0.5, 0.5, 1.5, 1.5)])


def test_combs_across_each_other_are_refused_before_they_fill_the_memory() -> None:
    across = [comb(5_000), shapely.transform(comb(5_000), lambda at: at[:, ::-1])]
    tracemalloc.start()
    begun = time.process_time()
    with pytest.raises(TooLarge) as refused:
        require_mergeable(across)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert refused.value.facts["limit"] == MAX_CROSSINGS
    # They cross 100 million times.
    assert peak < 300e6
    assert time.process_time() - begun < 5


@pytest.mark.parametrize(
    ("vertices", "depth", "taken"), [(40_000, 1e-3, True), (40_000, 0.2, False), (2_000, 0.5, True)]
)
def test_long_rays_side_by_side_are_refused_where_there_are_many(vertices: int, depth: float, *, taken: bool) -> None:
    drawn: dict[str, Any] = shapely.geometry.mapping(star(vertices, depth))
    if taken:
        assert shapely.get_num_coordinates(parse_zone(drawn, vertices + 1)) == vertices + 1
        return
    with pytest.raises(TooLarge, match="too close"):
        parse_zone(drawn, vertices + 1)


def test_rings_in_each_other_by_the_thousand_are_refused() -> None:
    # None of their edges meet, but the box of each ring lies in those of all larger ones.
    size = np.arange(6_000, 0, -1) / 1_000
    rings = shapely.box(-size, -size, size, size)
    with pytest.raises(TooLarge, match="too close"):
        require_untangled(shapely.MultiPolygon(list(rings)))
    apart = shapely.box(np.arange(6_000), 0, np.arange(6_000) + 0.5, 1)
    require_untangled(shapely.MultiPolygon(list(apart)))
