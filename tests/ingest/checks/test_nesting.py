"""Surfaces that must lie in the surface of another row of the same source."""

from __future__ import annotations

import pytest
import shapely

from tests.ingest.checks.planted import Judged, judge, layer_with

RULE = {"rule": "nests", "parent": "parent", "key": "code", "tolerance": "1 %"}
WHOLE = shapely.box(105, 38, 105.2, 38.1)
WEST, EAST = shapely.box(105, 38, 105.1, 38.1), shapely.box(105.1, 38, 105.2, 38.1)


def judged(rows: dict[str, tuple[str | None, shapely.Geometry]], parts: int = 1, **changes: str) -> Judged:
    layer = layer_with({**RULE, **changes}, code="text", parent="text")
    shapes = [shape for _, shape in rows.values()]
    return judge(layer, shapes, parts, 1, code=list(rows), parent=[parent for parent, _ in rows.values()])


@pytest.mark.parametrize("parts", [1, 2, 4])
def test_a_surface_that_leaves_its_parent(parts: int) -> None:
    wide = shapely.box(105.09, 38, 105.2, 38.1)
    rows = {"w": ("all", WEST), "all": (None, WHOLE), "e": ("all", EAST), "x": ("w", wide)}
    found = judged(rows, parts)
    assert set(found.kept_out) == {3}
    assert "parent" in found.kept_out[3]


def test_a_part_below_the_tolerance_may_leave() -> None:
    for excess, expected in ((0.0009, set()), (0.0011, {1})):
        # The child is a tenth of a degree wide: the excess is 0.9 % or 1.1 % of the area that it has within.
        child = shapely.box(105.1, 38, 105.2 + excess, 38.1)
        assert set(judged({"all": (None, WHOLE), "c": ("all", child)}).kept_out) == expected


def test_rows_without_a_parent_in_the_source_are_not_judged() -> None:
    rows: dict[str, tuple[str | None, shapely.Geometry]] = {
        "a": ("elsewhere", WEST),
        "b": (None, EAST),
        "c": ("c", WHOLE),
    }
    assert judged(rows).findings == ()


def test_a_warning_keeps_nothing_out() -> None:
    found = judged({"w": (None, WEST), "e": ("w", EAST)}, severity="warning")
    assert found.kept_out == {}
    assert found.findings[0].rows == (2,)
