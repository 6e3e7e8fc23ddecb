"""Overlaps and gaps: exactly those that were planted, as pairwise comparison and GEOS find them."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely import affinity

from ingest.checks import coverage
from ingest.notes import FIRST
from layers.area import ellipsoidal_area
from tests.ingest.checks.planted import STEP, Judged, judge, layer_with, mesh
from tests.ingest.reading import vector

TOLERANCE = 0.1
OVERLAP = {"rule": "coverage-overlap", "tolerance": "0.1 m2"}
GAP = {"rule": "coverage-gap", "severity": "warning", "minimum": "1 m2"}
BOTH = layer_with(OVERLAP, GAP)
COLUMNS, ROWS = 9, 7
INNER = [r * COLUMNS + c for r in range(1, ROWS - 1) for c in range(1, COLUMNS - 1)]


def overlapping(shapes: list[shapely.Geometry]) -> set[int]:
    """Rows that overlap another one, by comparing each with each."""
    pairs = [(i, j) for i, j in combinations(range(len(shapes)), 2) if shapely.intersects(shapes[i], shapes[j])]
    deep = [p for p in pairs if ellipsoidal_area(shapely.intersection(shapes[p[0]], shapes[p[1]])) > TOLERANCE]
    return {row for pair in deep for row in pair}


def kept_out(found: Judged) -> set[int]:
    return {row for row, reason in found.kept_out.items() if "overlaps" in reason}


def test_a_true_coverage_has_neither() -> None:
    assert judge(BOTH, mesh(30, 20)).findings == ()


def test_a_coverage_with_further_vertices_on_its_borders_has_neither() -> None:
    shapes = mesh(6, 6)
    # The same borders, cut at their middles on one side only.
    shapes[::2] = [shapely.segmentize(shape, STEP / 2) for shape in shapes[::2]]
    assert judge(BOTH, shapes).findings == ()


@settings(max_examples=40, deadline=None)
@given(
    st.integers(0, 1000),
    st.sets(st.sampled_from(INNER), max_size=3),
    st.sets(st.sampled_from(INNER), max_size=4),
    st.sampled_from([1.02, 1.4, 2.5, 0.9]),
    st.integers(1, 4),
)
def test_exactly_the_planted_faults_are_found(
    seed: int, missing: set[int], scaled: set[int], factor: float, parts: int
) -> None:
    shapes = mesh(COLUMNS, ROWS, seed)
    for row in scaled - missing:
        shapes[row] = affinity.scale(shapes[row], factor, factor)
    shapes = [shape for row, shape in enumerate(shapes) if row not in missing]
    found = judge(BOTH, shapes, parts, size=9)
    assert kept_out(found) == overlapping(shapes)
    holes = [h for part in shapely.get_parts(shapely.union_all(shapes)) for h in part.interiors]
    large = [h for h in holes if ellipsoidal_area(shapely.Polygon(h)) >= 1]
    gap = found.of("coverage-gap")
    assert (0 if gap is None else gap.count) == len(large)
    inside = shapely.union_all([shapely.Polygon(hole) for hole in large])
    assert all(shapely.intersects(inside, shapely.Point(place)) for place in (gap.places if gap else ()))


@pytest.mark.parametrize("second", [mesh(12, 12, 1), mesh(7, 7, 2), mesh(3, 2, 3)])
def test_coverages_that_lie_on_each_other_overlap_everywhere(second: list[shapely.Geometry]) -> None:
    shapes = mesh(12, 12, 1) + second
    found = judge(layer_with(OVERLAP), shapes, parts=3, size=20)
    assert kept_out(found) == overlapping(shapes)
    assert len(kept_out(found)) > len(second)


def test_geos_agrees_about_what_is_a_coverage() -> None:
    shapes = mesh(8, 8, 4)
    assert shapely.coverage_is_valid(np.array(shapes, dtype=object))
    assert judge(BOTH, shapes).findings == ()
    shapes[27] = affinity.translate(shapes[27], STEP / 20)
    assert not shapely.coverage_is_valid(np.array(shapes, dtype=object))
    assert 27 in kept_out(judge(BOTH, shapes))


def test_slight_overlaps_are_tolerated() -> None:
    shapes = mesh(4, 4)
    shapes[5] = affinity.scale(shapes[5], 1.1, 1.1)
    assert judge(layer_with({**OVERLAP, "tolerance": "1 ha"}), shapes).findings == ()
    assert judge(layer_with(OVERLAP), shapes).findings != ()


def test_one_surface_inside_another_overlaps() -> None:
    outer, inner = shapely.box(105, 38, 105.01, 38.01), shapely.box(105.004, 38.004, 105.006, 38.006)
    assert kept_out(judge(layer_with(OVERLAP), [outer, inner])) == {0, 1}
    ring = shapely.difference(outer, inner)
    assert judge(BOTH, [ring, inner]).findings == ()
    alone = judge(BOTH, [ring]).of("coverage-gap")
    assert alone is not None
    assert alone.count == 1


def test_gaps_that_are_meant_to_be_there() -> None:
    outer, lake = shapely.box(105, 38, 105.01, 38.01), shapely.box(105.004, 38.004, 105.006, 38.006)
    ring = [shapely.difference(outer, lake)]
    assert judge(layer_with({**GAP, "maximum": "1 ha"}), ring).findings == ()
    assert judge(layer_with({**GAP, "maximum": "1000 ha"}), ring).findings != ()


@pytest.mark.parametrize("level", ["public", "restricted"])
def test_places_of_gaps_are_silent_when_any_row_around_them_is_hidden(level: str) -> None:
    """Also when it comes after all the rows that the finding names."""
    layer = vector("polygon", {"level": "text"}, checks=[GAP], row_clearance="level")
    shapes = [shape for row, shape in enumerate(mesh(31, 31)) if row // 31 % 2 == 0 or row % 31 % 2 == 0]
    levels = ["public"] * (len(shapes) - 40) + [level] * 40
    found = judge(layer, shapes, level=levels).of("coverage-gap")
    assert found is not None
    assert (found.count, len(found.rows)) == (225, FIRST)
    assert bool(found.places) == (level == "public")


def test_rules_that_are_not_declared_find_nothing() -> None:
    shapes = [*mesh(3, 3)[:4], *mesh(3, 3)[5:], mesh(3, 3)[0]]
    assert {f.rule for f in judge(BOTH, shapes).findings} == {"coverage-overlap", "coverage-gap"}
    assert [f.rule for f in judge(layer_with(OVERLAP), shapes).findings] == ["coverage-overlap"]
    assert [f.rule for f in judge(layer_with(GAP), shapes).findings] == ["coverage-gap"]


def test_heaps_of_surfaces_end_the_search_with_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    heap = [affinity.translate(shapely.box(105, 38, 105.01, 38.01), i * 1e-6) for i in range(60)]
    monkeypatch.setattr(coverage, "_PAIRS_PER_ROW", 20)
    monkeypatch.setattr(coverage, "_PAIRS_ANYWAY", 0)
    found = judge(layer_with(OVERLAP), heap)
    assert found.kept_out == {}
    assert "not sought to the end" in found.findings[0].message
    monkeypatch.undo()
    assert kept_out(judge(layer_with(OVERLAP), heap)) == set(range(60))


def test_a_coverage_without_common_vertices_is_not_searched_for_gaps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(coverage, "_MOST_EDGES", 10)
    shapes = [shape for row, shape in enumerate(mesh(5, 5)) if row != 12]
    found = judge(layer_with({**GAP, "severity": "error"}), shapes)
    assert found.kept_out == {}
    assert "not sought" in found.findings[0].message


def test_borders_that_cross_in_masses_are_not_cut_at_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    heap = [affinity.translate(shapely.box(105, 38, 105.01, 38.01), i * 1e-6, i * 1e-6) for i in range(60)]
    assert judge(layer_with(GAP), heap).findings == ()
    monkeypatch.setattr(coverage, "_MOST_MEETINGS", 1000)
    found = judge(layer_with(GAP), heap)
    assert "cross each other too often" in found.findings[0].message
    assert found.kept_out == {}
