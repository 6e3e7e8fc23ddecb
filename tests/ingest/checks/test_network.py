"""Ends of lines: undershoots, overshoots and lines without connection, against a network of known truth."""

from __future__ import annotations

import numpy as np
import pyproj
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.ingest.checks.planted import Judged, judge, layer_with

GEOD = pyproj.Geod(ellps="GRS80")
DANGLE = {"rule": "dangle", "tolerance": "5 m"}
LONELY = {"rule": "unconnected", "severity": "warning"}
SOUTH, STEM = 38.0, 105.005
MAIN = shapely.LineString([(105, SOUTH), (105.01, SOUTH)])
UPPER = shapely.LineString([(105, 38.01), (105.01, 38.01)])


def stem(metres: float, middle: float = STEM) -> shapely.LineString:
    """A line from the upper street towards the main one; it ends so many metres north of it."""
    lon, lat, _ = GEOD.fwd(middle, SOUTH, 0, metres)
    return shapely.LineString([(middle, 38.01), (lon, lat)])


def judged(*lines: shapely.Geometry, rules: tuple[dict[str, object], ...] = (DANGLE, LONELY), parts: int = 1) -> Judged:
    return judge(layer_with(*rules, geometry="line"), lines, parts, size=2)


def rules_of(found: Judged) -> dict[str, tuple[int, ...]]:
    """Lines that break a rule, by their place in the list (from 0; findings count rows from 1)."""
    return {f.rule: tuple(row - 1 for row in f.rows) for f in found.findings}


@pytest.mark.parametrize("parts", [1, 2, 3])
@pytest.mark.parametrize(
    ("metres", "expected"),
    [
        (0.0, {}),
        (0.0005, {}),
        (2.0, {"undershoot": (2,)}),
        (4.9, {"undershoot": (2,)}),
        (5.1, {}),
        (-2.0, {"overshoot": (2,)}),
        (-5.1, {}),
    ],
)
def test_ends_near_a_line(metres: float, expected: dict[str, tuple[int, ...]], parts: int) -> None:
    assert rules_of(judged(MAIN, UPPER, stem(metres), rules=(DANGLE,), parts=parts)) == expected


@settings(max_examples=30, deadline=None)
@given(st.lists(st.floats(-8, 8).filter(lambda m: min(abs(m), abs(abs(m) - 5)) > 0.1), min_size=1, max_size=8))
def test_each_end_is_judged_for_itself(ends: list[float]) -> None:
    stems = [stem(metres, 105.001 + i / 1000) for i, metres in enumerate(ends)]
    found = rules_of(judged(MAIN, UPPER, *stems, rules=(DANGLE,)))
    assert set(found.get("undershoot", ())) == {2 + i for i, m in enumerate(ends) if 0 < m <= 5}
    assert set(found.get("overshoot", ())) == {2 + i for i, m in enumerate(ends) if -5 <= m < 0}


def test_measures_and_places() -> None:
    short, beyond = (judged(MAIN, UPPER, stem(metres)).findings[0] for metres in (2, -2))
    assert (short.measure, beyond.measure) == (23, 24)
    lon, lat = short.places[0]
    assert GEOD.inv(lon, lat, STEM, SOUTH)[2] == pytest.approx(2, abs=0.01)


def test_lines_that_share_an_end_are_connected() -> None:
    first = shapely.LineString([(105, 38), (105.1, 38)])
    second = shapely.LineString([(105.1, 38), (105.2, 38.1)])
    apart = shapely.LineString([(106, 38), (106.1, 38)])
    assert rules_of(judged(first, second, apart)) == {"unconnected": (2,)}
    every = {**LONELY, "ends": "all"}
    found = judged(first, second, rules=(every,)).of("unconnected")
    assert found is not None
    assert (found.count, found.rows, found.measure) == (2, (1, 2), 21)


def test_a_line_on_which_another_ends_is_connected() -> None:
    assert rules_of(judged(MAIN, UPPER, stem(0))) == {}
    assert rules_of(judged(MAIN, UPPER, stem(50))) == {"unconnected": (0,)}


def test_closed_lines_have_no_ends() -> None:
    ring = shapely.LineString(shapely.Point(105, 38).buffer(0.01).exterior.coords)
    assert rules_of(judged(ring)) == {}


def test_parts_of_one_row_are_no_connection_to_another() -> None:
    both = shapely.MultiLineString([[(105, 38), (105.1, 38)], [(105.1, 38), (105.2, 38)]])
    assert rules_of(judged(both)) == {"unconnected": (0,)}


def test_distances_hold_at_high_latitudes() -> None:
    north = shapely.LineString([(105, 70), (105, 70.01)])
    for metres, expected in ((4.8, {"undershoot": (1,)}), (5.2, {})):
        lon, lat, _ = GEOD.fwd(105, 70.005, 90, metres)
        side = shapely.LineString([(lon + 0.01, lat), (lon, lat)])
        assert rules_of(judged(north, side, rules=(DANGLE,))) == expected


def test_rows_that_break_the_rule_are_kept_out_and_others_not() -> None:
    found = judged(MAIN, UPPER, stem(2))
    assert set(found.kept_out) == {2}
    assert judged(MAIN, UPPER, stem(2), rules=({**DANGLE, "severity": "warning"},)).kept_out == {}


def test_a_grid_of_streets_is_whole() -> None:
    x, y = np.meshgrid(np.arange(6) / 100 + 105, np.arange(6) / 100 + 38)
    east = [shapely.LineString([(x[j, i], y[j, i]), (x[j, i + 1], y[j, i + 1])]) for j in range(6) for i in range(5)]
    north = [shapely.LineString([(x[j, i], y[j, i]), (x[j + 1, i], y[j + 1, i])]) for j in range(5) for i in range(6)]
    assert judged(*east, *north).findings == ()
