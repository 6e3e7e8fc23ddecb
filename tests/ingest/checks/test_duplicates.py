"""Rows with the same geometry, however it is written."""

from __future__ import annotations

import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.checks import duplicates
from tests.ingest.checks.planted import judge, layer_with, mesh

RULE = {"rule": "duplicate-geometry"}
SQUARE = shapely.box(105, 38, 105.01, 38.01)
HOLED = shapely.difference(SQUARE, shapely.box(105.002, 38.002, 105.004, 38.004))


def written_otherwise(polygon: shapely.Polygon, turns: int, backwards: bool) -> shapely.Polygon:
    """The same surface, whose rings start elsewhere or run the other way."""

    def ring(line: shapely.LinearRing) -> list[tuple[float, ...]]:
        points = list(line.coords)[:-1]
        points = points[turns % len(points) :] + points[: turns % len(points)]
        return points[::-1] if backwards else points

    return shapely.Polygon(ring(polygon.exterior), [ring(hole) for hole in polygon.interiors])


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 11), st.integers(0, 5), st.booleans()), max_size=30), st.integers(1, 3))
def test_copies_are_found_however_they_are_written(copies: list[tuple[int, int, bool]], parts: int) -> None:
    shapes = mesh(4, 3)
    shapes += [written_otherwise(shapes[row], turns, backwards) for row, turns, backwards in copies]
    found = judge(layer_with(RULE), shapes, parts, size=5)
    assert set(found.kept_out) == set(range(12, len(shapes)))


@pytest.mark.parametrize(
    ("geometry", "one", "other", "same"),
    [
        ("polygon", HOLED, written_otherwise(HOLED, 2, True), True),
        ("polygon", HOLED, SQUARE, False),
        ("polygon", SQUARE, shapely.MultiPolygon([SQUARE]), True),
        ("line", shapely.LineString([(1, 2), (3, 4), (5, 2)]), shapely.LineString([(5, 2), (3, 4), (1, 2)]), True),
        ("line", shapely.LineString([(1, 2), (3, 4)]), shapely.LineString([(1, 2), (3, 4.0000001)]), False),
        ("point", shapely.Point(105, 0.0), shapely.Point(105, -0.0), True),
        ("point", shapely.Point(105, 38), shapely.Point(38, 105), False),
        ("point", shapely.MultiPoint([(1, 2), (3, 4)]), shapely.MultiPoint([(3, 4), (1, 2)]), True),
    ],
)  # fmt: skip
def test_what_is_the_same(geometry: str, one: shapely.Geometry, other: shapely.Geometry, same: bool) -> None:
    found = judge(layer_with(RULE, geometry=geometry), [one, other])
    assert set(found.kept_out) == ({1} if same else set())


def test_passes_find_what_one_pass_finds(monkeypatch: pytest.MonkeyPatch) -> None:
    shapes = mesh(10, 10) * 2
    monkeypatch.setattr(duplicates, "_PASS", 7)
    assert set(judge(layer_with(RULE), shapes).kept_out) == set(range(100, 200))
