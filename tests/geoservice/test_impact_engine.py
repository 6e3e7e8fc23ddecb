"""The engine of impacts without a database: against shapely's own overlay, on shapes that are hard to sort."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from geoservice.impact.atoms import Atoms, Rows, atoms_of
from geoservice.impact.divisions import NOWHERE, Division, Divisions
from geoservice.impact.hits import ZonePart, hits_of
from geoservice.impact.measure import UNITS, Measure
from geoservice.impact.region import LOOK, MOST_CORNERS, OUTSIDE, WHOLE, Region, pieces_of, regions_of
from geoservice.impact.rounding import rounded_parts
from geoservice.impact.store import AtomStore, Stamp
from geoservice.impact.tally import Tally
from layers.area import ellipsoidal_area, ellipsoidal_lengths
from layers.model import Text

WORD = Text(zh="试", en="test")
NONE = Divisions()


def divided(*shapes: shapely.Geometry) -> Divisions:
    members = tuple(Division(f"d{n}", "county", None, WORD) for n in range(len(shapes)))
    return Divisions(members, np.array(shapes, dtype=np.object_))


def atoms(shapes: Sequence[Any], measure: Measure = "area", divisions: Divisions = NONE, **more: Any) -> Atoms:
    number = len(shapes)
    texts = shapely.to_wkb(np.array(list(shapes), dtype=np.object_)).tolist()
    rows = {"code": ["a"] * number, "value": [1.0] * number, **more}
    return atoms_of(Rows(list(range(number)), texts, rows["code"], rows["value"]), measure, divisions)


def tally(found: Atoms, measure: Measure, *zones: shapely.Geometry) -> Tally:
    parts = [ZonePart.of(rank, zone, 500) for rank, zone in enumerate(zones, 1)]
    return Tally.of(found, hits_of(found, measure, parts))


def mesh(number: int = 20) -> Any:
    """Squares that fill the box from (105, 38) to (106, 39)."""
    x, y = np.meshgrid(np.arange(number) / number + 105, np.arange(number) / number + 38)
    return shapely.box(x.ravel(), y.ravel(), x.ravel() + 1 / number, y.ravel() + 1 / number)


def ring(corners: int, wave: int, radius: float = 0.3) -> shapely.Polygon:
    """A zone with a wavy outline and a hole."""
    turn = np.linspace(0, 2 * np.pi, corners, endpoint=False)
    far = radius + 0.03 * np.sin(turn * wave)
    outline = np.column_stack([105.47 + far * np.cos(turn), 38.52 + far * np.sin(turn)])
    return shapely.Polygon(outline, [outline[::-1] * 0.3 + np.array([105.47, 38.52]) * 0.7])


@settings(max_examples=15)
@given(corners=st.integers(5, 700), wave=st.integers(0, 9), side=st.integers(2, 30))
def test_areas_in_a_zone_are_those_of_an_overlay(corners: int, wave: int, side: int) -> None:
    zone, shapes = ring(corners, wave), mesh(side)
    found = tally(atoms(shapes), "area", zone)
    expected = ellipsoidal_area(shapely.intersection(shapes, zone))
    # Straight edges of up to 1 km are measured in other pieces: a few square metres in a thousand square kilometres.
    assert found.total().value == pytest.approx(expected.sum(), rel=1e-8)
    assert found.total().features == (expected > 1e-3).sum()


@settings(max_examples=15)
@given(st.lists(st.tuples(st.floats(105, 106), st.floats(38, 39)), min_size=1, max_size=60))
def test_points_in_a_zone_are_those_that_it_covers(places: list[tuple[float, float]]) -> None:
    zone = shapely.union(shapely.box(105.25, 38.25, 105.5, 38.75), shapely.box(105.5, 38.25, 105.75, 38.5))
    corners = shapely.points(shapely.get_coordinates(zone))
    points = [*shapely.points(np.array(places)), *corners]
    found = tally(atoms(points, "sum"), "sum", zone)
    assert found.total().value == shapely.intersects(zone, np.array(points, dtype=np.object_)).sum()


def test_lines_follow_the_border_and_count_by_length() -> None:
    zone = shapely.box(105.0, 38.0, 105.5, 38.5)
    lines = [
        shapely.LineString([(104.9, 38.25), (105.25, 38.25)]),
        shapely.LineString([(105.0, 38.1), (105.0, 38.3)]),
        shapely.LineString([(105.5, 38.5), (105.9, 38.9)]),
    ]
    found = tally(atoms(lines, "length"), "length", zone)
    expected = ellipsoidal_lengths(shapely.intersection(np.array(lines, dtype=np.object_), zone))
    assert found.total().value == pytest.approx(expected.sum(), rel=1e-9)
    # The last one only touches the corner.
    assert found.total().features == 2


def test_the_worst_class_takes_what_is_counted() -> None:
    worse, better = shapely.box(105, 38, 105.5, 39), shapely.box(105.5, 38, 106, 39)
    house = shapely.box(105.45, 38.4, 105.55, 38.5)
    found = tally(atoms([house], "count"), "count", worse, better).by(("rank",))
    assert {key: one.features for key, one in found.items()} == {(1,): 1}


def test_a_building_that_only_touches_the_zone_does_not_count() -> None:
    zone = shapely.box(105, 38, 105.5, 38.5)
    touching, inside = shapely.box(105.5, 38.1, 105.6, 38.2), shapely.box(105.4, 38.1, 105.6, 38.2)
    assert tally(atoms([touching, inside], "count"), "count", zone).total().features == 1


def test_parts_in_divisions_add_up_also_outside_and_where_these_overlap() -> None:
    # The second overlaps the first, and nothing covers the east.
    divisions = divided(shapely.box(105, 38, 105.53, 39), shapely.box(105.47, 38, 105.88, 39))
    shapes = mesh(7)
    found = atoms(shapes, "area", divisions)
    assert found.size.sum() / UNITS == pytest.approx(ellipsoidal_area(shapes).sum(), rel=1e-9)
    zone = ring(300, 5, 0.42)
    by = tally(found, "area", zone).by(("division",))
    assert set(by) == {(NOWHERE,), (0,), (1,)}
    first = ellipsoidal_area(shapely.intersection(zone, divisions.shapes[0]))
    assert by[(0,)].value == pytest.approx(float(first), rel=1e-8)
    assert sum(one.value for one in by.values()) == pytest.approx(float(ellipsoidal_area(zone)), rel=1e-8)


def test_the_order_of_rows_changes_nothing() -> None:
    shapes, zone = mesh(12), ring(400, 7)
    divisions = divided(shapely.box(105, 38, 105.53, 39), shapely.box(105.53, 38, 106, 39))
    codes = ["abc"[n % 3] for n in range(len(shapes))]
    there = tally(atoms(shapes, "area", divisions, code=codes), "area", zone)
    back = tally(atoms(shapes[::-1], "area", divisions, code=codes[::-1]), "area", zone)
    assert there.by(("division", "code")) == back.by(("division", "code"))


def test_kept_atoms_have_the_same_figures(tmp_path: Any) -> None:
    divisions = divided(shapely.box(105, 38, 105.53, 39))
    codes = [None if n % 5 == 0 else "ab"[n % 2] for n in range(144)]
    half = (
        atoms(mesh(12)[:70], "area", divisions, code=codes[:70]),
        atoms(mesh(12)[70:], "area", divisions, code=codes[70:]),
    )
    whole = Atoms.together([half[0], _renumbered(half[1], 70)])
    store, stamp = AtomStore(tmp_path / "kept"), Stamp(3, 1, 2, 1)
    assert store.load(stamp) is None
    store.keep(stamp, whole)
    store.keep(Stamp(4, 2, 2, 1), whole)
    assert store.load(stamp) is None
    kept = store.load(Stamp(4, 2, 2, 1))
    assert kept is not None
    zone, direct = ring(333, 3), atoms(mesh(12), "area", divisions, code=codes)
    names = ("division", "code")
    told = [
        {(k[0], one.codes[k[1]]): v for k, v in tally(one, "area", zone).by(names).items()} for one in (kept, direct)
    ]
    assert told[0] == told[1]
    assert kept.of_divisions(("other", "d0")).division.max() == 1
    assert kept.of_divisions(()).division.max() == NOWHERE


def _renumbered(some: Atoms, by: int) -> Atoms:
    arrays = {**some.arrays(), "fid": some.fid + by}
    return Atoms.of(arrays, some.codes, some.divisions)


def test_boxes_alone_never_say_more_than_is_true() -> None:
    zone, shapes = ring(500, 8), mesh(60)
    region = Region(zone, 3000)
    said = region.sort(shapely.bounds(shapes))
    assert shapely.covers(zone, shapes[said == WHOLE]).all()
    assert (shapely.area(shapely.intersection(zone, shapes[said == OUTSIDE])) == 0).all()
    # The grid is worth something: most squares need no geometry.
    assert (said == LOOK).mean() < 0.25
    assert {OUTSIDE, WHOLE, LOOK} == set(said.tolist())


def test_a_million_vertices_are_parted_without_loss() -> None:
    zone = ring(1_000_000, 4001)
    pieces = pieces_of(zone)
    assert shapely.get_num_coordinates(pieces).max() <= MOST_CORNERS
    assert shapely.area(pieces).sum() == pytest.approx(shapely.area(zone), rel=1e-9)


def test_a_zone_over_the_antimeridian_has_a_region_on_each_side() -> None:
    zone = shapely.MultiPolygon([shapely.box(179.5, 0, 180, 1), shapely.box(-180, 0, -179.6, 1)])
    regions = regions_of(zone, 100)
    assert [one.bounds[0] for one in regions] == [179.5, -180.0]
    shapes = [shapely.box(179.9, 0.2, 180, 0.4), shapely.box(-180, 0.2, -179.9, 0.4), shapely.box(0, 0, 1, 1)]
    found = tally(atoms(shapes), "area", zone)
    assert found.total().features == 2
    assert found.total().value == pytest.approx(ellipsoidal_area(np.array(shapes[:2], dtype=np.object_)).sum())


def test_values_that_are_missing_are_counted_apart() -> None:
    points = [shapely.Point(105.1, 38.1), shapely.Point(105.2, 38.2)]
    found = tally(atoms(points, "sum", value=[7.5, None]), "sum", shapely.box(105, 38, 106, 39)).total()
    assert (found.value, found.features, found.missing) == (7.5, 2, 1)


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=40), st.integers(0, 4))
def test_rounded_parts_add_up(values: list[float], decimals: int) -> None:
    made = rounded_parts(values, decimals)
    unit = 10.0**-decimals
    assert sum(made) == pytest.approx(round(sum(values) / unit) * unit, abs=unit * 0.5001)
    assert all(abs(one - value) < unit * 1.0001 for one, value in zip(made, values, strict=True))


def test_rounding_gives_the_rest_to_those_that_lost_most() -> None:
    # Worked by hand: 3.333... three times is 10.00 in hundredths only when one of them gets the hundredth left.
    assert rounded_parts([10 / 3, 10 / 3, 10 / 3], 2) == [3.34, 3.33, 3.33]
    assert [round(v, 2) for v in (10 / 3, 10 / 3, 10 / 3)] == [3.33, 3.33, 3.33]
