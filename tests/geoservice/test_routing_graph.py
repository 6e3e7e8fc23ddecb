"""From roads to a graph: where they join, what they cost, and that being brought up to date is being made anew."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyproj
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from geoservice.routing.graph import Graph, Stamp, arrays_of, graph_of
from geoservice.routing.roads import Roads, Row, step_lengths
from geoservice.routing.store import GraphStore
from tests.support.roads import Street, at, cut, graph, network, number_of, roads_of

CROSS = (Street("a", ((0, 1), (1, 1), (2, 1))), Street("b", ((1, 0), (1, 1), (1, 2))))
points = st.tuples(st.integers(0, 4), st.integers(0, 4))
streets = st.builds(
    Street,
    key=st.text("abcé中", min_size=1, max_size=3),
    points=st.lists(points, min_size=2, max_size=5).map(tuple),
    kind=st.sampled_from(["fast", "slow", "path", "none"]),
    oneway=st.booleans(),
    speed=st.sampled_from([None, 20.0, 60.0]),
    edition=st.integers(1, 3),
)
towns = st.lists(streets, max_size=8, unique_by=lambda street: street.key)


def same(one: Graph, other: Graph) -> bool:
    """Whether two graphs are the same, byte for byte."""
    a, b = arrays_of(one), arrays_of(other)
    return a.keys() == b.keys() and all(
        a[n].dtype == b[n].dtype and a[n].shape == b[n].shape and a[n].tobytes() == b[n].tobytes() for n in a
    )


def test_lines_join_at_common_vertices() -> None:
    made = graph(CROSS)
    assert (made.nodes, len(made.edges)) == (5, 4)


def test_lines_that_cross_without_a_vertex_pass_each_other() -> None:
    made = graph([Street("a", ((0, 1), (2, 1))), Street("b", ((1, 0), (1, 2)))])
    assert (made.nodes, len(made.edges)) == (4, 2)
    assert len(made.modes["car"].size) == 2


def test_by_ends_only_where_one_of_them_ends() -> None:
    assert graph(CROSS, noding="ends").nodes == 4
    meeting = [Street("a", ((0, 1), (1, 1), (2, 1))), Street("b", ((1, 1), (1, 2)))]
    made = graph(meeting, noding="ends")
    assert (made.nodes, len(made.edges)) == (4, 3)


def test_vertices_within_the_tolerance_are_one_place() -> None:
    near = shapely.to_wkb(shapely.LineString([at((1, 1)), at((2, 2))]))
    off = shapely.LineString([at((0, 0)), (at((1, 1))[0] + 2e-8, at((1, 1))[1])])
    rows = [Row(n, 1, str(n), wkb, "slow", False, None, None, None) for n, wkb in ((1, near), (2, shapely.to_wkb(off)))]
    assert graph_of(Roads.of(rows), network(tolerance=0.1), Stamp(1)).nodes == 3
    apart = shapely.transform(off, lambda xy: xy + np.array([[0, 0], [2e-6, 0]]))
    rows[1] = rows[1]._replace(wkb=shapely.to_wkb(apart))
    assert graph_of(Roads.of(rows), network(tolerance=0.1), Stamp(1)).nodes == 4


def test_both_sides_of_the_antimeridian_meet() -> None:
    lines = [shapely.LineString([(179.99, 0), (180, 0)]), shapely.LineString([(-180, 0), (-179.99, 0)])]
    rows = [Row(n, 1, str(n), shapely.to_wkb(line), "slow", False, None, None, None) for n, line in enumerate(lines)]
    made = graph_of(Roads.of(rows), network(), Stamp(1, 5))
    assert made.nodes == 3
    assert made.edges.length == pytest.approx([1113.195, 1113.195], abs=0.01)


def test_costs_follow_class_limit_and_direction() -> None:
    made = graph(
        [
            Street("a", ((0, 0), (1, 0)), "fast"),
            Street("b", ((1, 0), (2, 0)), "fast", speed=45.0),
            Street("c", ((2, 0), (3, 0)), "slow", oneway=True),
            Street("d", ((3, 0), (4, 0)), "path", speed=50.0),
        ]
    )
    metres = pyproj.Geod(ellps="GRS80").line_length(*zip(at((0, 0)), at((1, 0)), strict=True))
    car, foot = made.modes["car"].time / 1e6, made.modes["foot"].time / 1e6
    assert car[:4] == pytest.approx([metres / 25, metres / 12.5, metres * 3.6 / 30, np.inf], rel=1e-6)
    assert car[4:] == pytest.approx([metres / 25, metres / 12.5, np.inf, np.inf], rel=1e-6)
    assert foot[[2, 6]] == pytest.approx([metres * 3.6 / 5] * 2, rel=1e-6)
    assert foot[[3, 7]] == pytest.approx([metres * 3.6 / 4] * 2, rel=1e-6), "limits do not bind on foot"
    assert np.isinf(foot[0])


def test_several_lines_of_one_feature_are_one_road() -> None:
    parts = shapely.MultiLineString([[at((0, 0)), at((1, 0))], [at((3, 0)), at((4, 0))]])
    rows = [Row(1, 1, "m", shapely.to_wkb(parts), "slow", None, None, "名", "name")]
    made = graph_of(Roads.of([*rows, Street("z", ((1, 0), (3, 0))).row(2)]), network(), Stamp(1, 5))
    assert made.edges.road.tolist() == [0, 0, 1]
    assert made.modes["car"].size == pytest.approx([made.edges.length.sum()])
    assert (made.roads.name_zh[0], made.roads.name_en[0], made.roads.key[1]) == ("名", "name", "z")


@given(
    st.lists(
        st.tuples(st.floats(-179, 179), st.floats(-80, 80), st.floats(-0.0199, 0.0199), st.floats(-0.0199, 0.0199)),
        min_size=1,
    )
)
def test_short_steps_are_as_long_as_geodesics(steps: list[tuple[float, float, float, float]]) -> None:
    start = np.array([step[:2] for step in steps])
    end = start + np.array([step[2:] for step in steps])
    expected = pyproj.Geod(a=6378137.0, rf=298.257222101).inv(*start.T, *end.T)[2]
    assert step_lengths(start, end) == pytest.approx(expected, abs=2e-3, rel=2e-6)


def test_long_steps_are_geodesics() -> None:
    start, end = np.array([[10.0, 50.0], [179.0, 0.0]]), np.array([[20.0, 55.0], [-179.0, 0.0]])
    expected = pyproj.Geod(a=6378137.0, rf=298.257222101).inv(*start.T, *end.T)[2]
    assert step_lengths(start, end) == pytest.approx(expected, rel=1e-12)


@given(towns, towns)
def test_brought_up_to_date_is_made_anew(before: list[Street], after: list[Street]) -> None:
    old = roads_of(before)
    known = {(street.key, street.edition): street for street in before}
    # A row is told by number and edition: the same pair has the same content.
    now = [known.get((street.key, street.edition), street) for street in after]
    stays = {(number_of(s.key), s.edition) for s in now}
    kept = np.array([n for n in range(len(old)) if (int(old.fid[n]), int(old.edition[n])) in stays], dtype=np.int64)
    fresh = [street for street in now if (street.key, street.edition) not in known]
    renewed = Roads.together([old.take(kept), roads_of(fresh)])
    assert same(graph_of(renewed, network(), Stamp(1, 5)), graph_of(roads_of(now), network(), Stamp(1, 5)))


@given(towns)
def test_the_order_of_rows_does_not_matter(town: list[Street]) -> None:
    assert same(
        graph_of(roads_of(town), network(), Stamp(1, 5)), graph_of(roads_of(town[::-1]), network(), Stamp(1, 5))
    )


@given(towns)
def test_edges_and_nodes_are_those_of_the_drawing(town: list[Street]) -> None:
    moving = [replace(street, points=tuple(p for p, _ in itertools.groupby(street.points))) for street in town]
    moving = [street for street in moving if len(street.points) > 1]
    made, pieces = graph(moving), cut(moving)
    assert len(made.edges) == len(pieces)
    assert made.nodes == len({end for _, *ends in pieces for end in ends})


def test_a_graph_is_the_same_from_its_files(tmp_path: Path) -> None:
    made, store = graph(CROSS), GraphStore(tmp_path, "street-public")
    assert store.load(Stamp(1, 5), network()) is None
    with store.making() as mine:
        assert mine
        store.keep(made)
        with GraphStore(tmp_path, "street-public").making() as other:
            assert not other, "one process makes a graph at a time"
    found = store.load(Stamp(1, 5), network())
    assert found is not None
    assert same(made, found)
    assert isinstance(found.arcs.to.base, np.memmap), "processes share the pages of the file"
    assert (tmp_path / "street-public").stat().st_mode & 0o077 == 0


def test_a_newer_graph_takes_the_place_of_the_one_before(tmp_path: Path) -> None:
    store, (first, second) = GraphStore(tmp_path, "n"), (graph(CROSS), graph(CROSS[:1]))
    store.keep(first)
    mapped = store.load(Stamp(1, 5), network())
    (tmp_path / "n" / "new-left").mkdir()
    store.keep(graph_of(second.roads, network(), Stamp(2, 7)))
    assert sorted(p.name for p in (tmp_path / "n").iterdir() if p.is_dir()) == ["2-7"]
    assert mapped is not None
    assert same(mapped, first), "who has it open keeps it"
    newest: Any = store.newest(network())
    assert newest.edition == 2


def test_no_roads_make_an_empty_graph(tmp_path: Path) -> None:
    empty = graph([])
    GraphStore(tmp_path, "n").keep(empty)
    found = GraphStore(tmp_path, "n").load(Stamp(1, 5), network())
    assert found is not None
    assert (found.nodes, found.modes["car"].main) == (0, -1)
