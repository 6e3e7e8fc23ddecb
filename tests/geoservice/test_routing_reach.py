"""How far one gets, which facilities are nearest, matrices: as single ways say, on random networks."""

from __future__ import annotations

from typing import Any

import networkx as nx
import numpy as np
import pyproj
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from geoservice.routing import nearest as nearby
from geoservice.routing.answers import Words
from geoservice.routing.areas import ReachQuestion
from geoservice.routing.closures import Closure, effect_of
from geoservice.routing.facilities import Facilities
from geoservice.routing.graph import UNITS
from geoservice.routing.ground import Ground
from geoservice.routing.lines import lines_of
from geoservice.routing.matrix import MatrixQuestion, matrix
from geoservice.routing.nearest import NearestQuestion, nearest
from geoservice.routing.outline import MANY, outline_of
from geoservice.routing.reach import cut_off, length_of, reached, shapes_of
from geoservice.routing.snap import Snap
from geoservice.routing.travel import Travel
from layers.errors import BadBody, TooLarge
from tests.geoservice.test_routing_ways import LOOP, closures, degrees, modes, places, preferences, snap, towns
from tests.support.roads import PACE, Street, graph, oracle, square, street_layer

limits = st.sampled_from([30.0, 200.0, 1000.0, 4000.0])
shares = st.lists(st.floats(0, 1), min_size=4, max_size=4)


def traveller(town: list[Street], zones: list[Closure], mode: str, preference: Any) -> Travel:
    """Who travels on the graph of a town."""
    made = graph(town, reach=100_000)
    return Travel(made, mode, preference, effect_of(made, zones))


def ground(travel: Travel) -> Ground:
    """The ground of a traveller."""
    return Ground(street_layer(), travel, Words({}))


@given(towns(), closures, places, modes, preferences, limits, st.booleans())
def test_nodes_are_reached_exactly_within_the_limit(
    town: list[Street], zones: list[Closure], place: Any, mode: str, preference: Any, limit: float, towards: bool
) -> None:
    travel = traveller(town, zones, mode, preference)
    here = snap(travel.graph, mode, place)
    field = travel.spread(here, towards=towards, limit=limit * UNITS)
    other = oracle(travel.graph, mode, travel.costs)
    other.add_node("place")
    for seed in travel.seeds(here[0], towards=towards):
        other.add_edge(*((seed.node, "place") if towards else ("place", seed.node)), weight=seed.cost)
    walked = other.reverse() if towards else other
    expected = nx.single_source_dijkstra_path_length(walked, "place", cutoff=limit * UNITS)
    found = {n: field.cost[n] for n in np.flatnonzero(np.isfinite(field.cost)).tolist()}
    assert found == {node: cost for node, cost in expected.items() if node != "place"}


travellers = st.builds(traveller, towns(), closures, modes, preferences)


@settings(max_examples=40)
@given(travellers, places, limits, st.booleans(), shares)
def test_a_point_on_a_road_is_reached_as_its_way_says(
    travel: Travel, place: Any, limit: float, towards: bool, where: list[float]
) -> None:
    mode = travel.mode
    here = snap(travel.graph, mode, place)
    field = travel.spread(here, towards=towards, limit=limit * UNITS)
    parts = reached(travel, field, here, limit * UNITS)
    for edge in range(len(travel.graph.edges)):
        if travel.graph.modes[mode].piece[edge] < 0 or travel.effect.closed(edge):
            continue
        for share in where:
            there = Snap(0.0, 0.0, edge, share, 0.0)
            leg = travel.leg(*((there, here[0]) if towards else (here[0], there)))
            cost = np.inf if leg is None else leg.cost
            if abs(cost - limit * UNITS) < 5:
                continue
            mine = parts.edge == edge
            inside = bool((mine & (parts.start - 1e-9 <= share) & (share <= parts.end + 1e-9)).any())
            assert inside == (cost < limit * UNITS), (edge, share, cost)


@given(towns(), st.lists(places, min_size=2, max_size=3), modes, limits)
def test_roads_belong_to_the_nearest_place_and_to_one(town: list[Street], wanted: Any, mode: str, limit: float) -> None:
    travel = traveller(town, [], mode, "fastest")
    here = snap(travel.graph, mode, *wanted)
    field = travel.spread(here, limit=limit * UNITS)
    parts = reached(travel, field, here, limit * UNITS)
    assert length_of(travel, parts) <= travel.graph.edges.length.sum() + 1e-6
    for number in range(len(parts.edge)):
        middle = Snap(0.0, 0.0, int(parts.edge[number]), float(parts.start[number] + parts.end[number]) / 2, 0.0)
        legs = [travel.leg(one, middle) for one in here]
        costs = [np.inf if leg is None else leg.cost for leg in legs]
        assert costs[parts.place[number]] <= min(costs) + 5


@given(towns(), closures, places, st.lists(places, min_size=1, max_size=8), modes, preferences, st.booleans())
def test_the_nearest_facilities_are_those_of_the_best_ways(
    town: list[Street],
    zones: list[Closure],
    place: Any,
    others: Any,
    mode: str,
    preference: Any,
    towards: bool,
) -> None:
    travel = traveller(town, zones, mode, preference)
    here, there = snap(travel.graph, mode, place)[0], snap(travel.graph, mode, *others)
    among = Facilities.posted(tuple(degrees(other) for other in others))
    field = travel.spread([here], towards=towards)
    found = nearest(travel, (field, here), among, 3, np.inf)
    legs = [travel.leg(*((other, here) if towards else (here, other))) for other in there]
    costs = sorted((leg.cost, number) for number, leg in enumerate(legs) if leg is not None)
    assert [(one.cost, one.number) for one in found] == costs[:3]


def test_facilities_far_away_are_not_even_put_onto_the_network(monkeypatch: pytest.MonkeyPatch) -> None:
    made = graph([Street("long", tuple((x, 0) for x in range(0, 400, 2)), "fast")], reach=100)
    travel = Travel(made, "car")
    here = snap(made, "car", (0.5, 0.0))[0]
    among = Facilities.posted(tuple(degrees((x / 4, 0.0)) for x in range(1600)))
    looked: list[int] = []
    plain = nearby.snaps_of
    monkeypatch.setattr(nearby, "snaps_of", lambda t, p: looked.append(len(p)) or plain(t, p))
    found = nearest(travel, (travel.spread([here]), here), among, 3, np.inf)
    assert [one.number for one in found] == [2, 1, 3]
    assert sum(looked) < 300


@given(towns(), closures, st.lists(places, min_size=1, max_size=3), st.lists(places, min_size=1, max_size=4), modes)
def test_a_matrix_holds_the_costs_of_single_ways(
    town: list[Street], zones: list[Closure], one: Any, two: Any, mode: str
) -> None:
    travel = traveller(town, zones, mode, "fastest")
    sources, targets = snap(travel.graph, mode, *one), snap(travel.graph, mode, *two)
    legs = [[travel.leg(source, target) for target in targets] for source in sources]
    expected = [[np.inf if leg is None else leg.cost for leg in row] for row in legs]
    assert matrix(travel, sources, targets).tolist() == expected


def test_what_closures_cut_off() -> None:
    cut = graph([Street("a", ((0, 0), (1, 0))), Street("b", ((1, 0), (2, 0))), Street("c", ((2, 0), (3, 0)))])
    travel = Travel(cut, "car", "fastest", effect_of(cut, [Closure(square(1, 0, 1))]))
    lost = cut_off(travel, snap(cut, "car", (0.2, 0.0)))
    assert cut.edges.node[lost][:, 0] == pytest.approx([degrees((x, 0))[0] for x in (1, 2, 3)])


def grid(size: int) -> list[Street]:
    """Straight roads that cross at every lattice point."""
    rows = [Street(f"h{y:03}", tuple((x, y) for x in range(size))) for y in range(size)]
    return [*rows, *(Street(f"v{x:03}", tuple((x, y) for y in range(size))) for x in range(size))]


@pytest.mark.parametrize(("size", "method"), [(10, "buffer"), (24, "grid")])
def test_areas_reach_as_far_from_roads_as_they_say(size: int, method: str) -> None:
    made = graph(grid(size))
    lines = lines_of(made, np.arange(len(made.edges)))
    assert (len(lines) < MANY) == (method == "buffer")
    outline = outline_of(lines, 100.0)
    assert outline.method == method
    assert outline.area.is_valid
    geod = pyproj.Geod(ellps="GRS80")
    assert outline.area.buffer(1e-7).covers(shapely.MultiLineString(list(lines)))
    tree = shapely.STRtree(lines)
    rims = shapely.get_coordinates(outline.area)[:: max(1, len(shapely.get_coordinates(outline.area)) // 200)]
    cell = 0 if method == "buffer" else 1.5 * max(100 / 3, size * PACE * 111_000 / 600)
    for lon, lat in rims:
        near = lines[tree.nearest(shapely.Point(lon, lat))]
        foot = near.interpolate(near.project(shapely.Point(lon, lat)))
        away = geod.inv(lon, lat, foot.x, foot.y)[2]
        assert away < outline.width * 1.02 + cell


def test_nothing_reached_is_an_empty_area() -> None:
    assert outline_of(np.zeros(0, dtype=object), 50.0).area.is_empty


def test_isochrones_grow_and_tell_roads_and_areas() -> None:
    made = graph(LOOP)
    travel = Travel(made, "car")
    body = {"places": [list(degrees((2.0, 0.0)))], "breaks": [100, 50, 300], "width": 50}
    question = ReachQuestion.read(body)
    found = question.answer(ground(travel), Facilities())
    areas = [f for f in found["features"] if f["properties"]["type"] == "areas"]
    assert [a["properties"]["limit"] for a in areas] == [50, 100, 300]
    metres = [a["properties"]["roads_m"] for a in areas]
    # 30 km/h on both sides of the middle of a straight road.
    assert metres[:2] == pytest.approx([2 * 50 / 3.6 * 30, 2 * 100 / 3.6 * 30], rel=1e-4)
    shapes = [shapely.geometry.shape(a["geometry"]) for a in areas]
    assert shapes[1].covers(shapely.Point(degrees((2.5, 0.0))))
    assert not shapes[0].covers(shapely.Point(degrees((2.6, 0.0))))
    lone = areas[0]["properties"]["area_m2"]
    assert lone == pytest.approx(metres[0] * 100 + np.pi * 50**2, rel=0.03)


def test_service_areas_are_told_for_each_place() -> None:
    travel = Travel(graph(LOOP), "car")
    ends = [list(degrees((0.0, 0.0))), list(degrees((4.0, 0.0)))]
    body = {"places": ends, "breaks": [10_000], "shape": "lines"}
    apart = ReachQuestion.read(body).answer(ground(travel), Facilities())
    lines = [f["properties"] for f in apart["features"] if f["properties"]["type"] == "lines"]
    assert [line["place"] for line in lines] == ["1", "2"]
    assert lines[0]["roads_m"] == pytest.approx(lines[1]["roads_m"], rel=1e-6)
    whole = ReachQuestion.read({**body, "merge": True}).answer(ground(travel), Facilities())
    assert whole["features"][0]["properties"]["roads_m"] == pytest.approx(sum(x["roads_m"] for x in lines), abs=0.2)


def test_lines_of_reach_are_the_reached_parts() -> None:
    made = graph([Street("a", ((0, 0), (1, 0), (2, 0)))])
    travel, here = Travel(made, "car", "shortest"), snap(made, "car", (1.0, 0.0))
    parts = reached(travel, travel.spread(here, limit=300 * UNITS), here, 300 * UNITS)
    assert length_of(travel, parts) == pytest.approx(600, abs=1e-3)
    length = sum(pyproj.Geod(ellps="GRS80").geometry_length(line) for line in shapes_of(travel, parts))
    assert length == pytest.approx(600, abs=0.01)


@pytest.mark.parametrize(
    ("read", "body", "error"),
    [
        (MatrixQuestion.read, {"sources": [[0, 0]] * 101, "targets": [[0, 0]] * 101}, TooLarge),
        (MatrixQuestion.read, {"sources": [[0, 0]] * 1001, "targets": [[0, 0]]}, TooLarge),
        (MatrixQuestion.read, {"sources": []}, BadBody),
        (MatrixQuestion.read, {"sources": [[0, 0], [float("nan"), 0]]}, BadBody),
        (NearestQuestion.read, {"place": [0, 0], "facilities": []}, BadBody),
        (NearestQuestion.read, {"place": [0, 0], "facilities": "hospital", "count": 51}, BadBody),
        (NearestQuestion.read, {"place": [0, 0], "facilities": "hospital", "count": True}, BadBody),
        (NearestQuestion.read, {"place": [0, 0], "facilities": [[0, 0]] * 1001}, TooLarge),
        (NearestQuestion.read, {"facilities": "hospital"}, BadBody),
        (ReachQuestion.read, {"places": [[0, 0]], "breaks": []}, BadBody),
        (ReachQuestion.read, {"places": [[0, 0]], "breaks": [60] * 11}, BadBody),
        (ReachQuestion.read, {"places": [[0, 0]], "breaks": [float("inf")]}, BadBody),
        (ReachQuestion.read, {"places": [[0, 0]], "breaks": [-1]}, BadBody),
        (ReachQuestion.read, {"places": [[0, 0]] * 101, "breaks": [60]}, TooLarge),
        (ReachQuestion.read, {"places": [[0, 0]], "breaks": [60], "width": 1}, BadBody),
        (ReachQuestion.read, {"places": [[0, 0]], "breaks": [60], "merge": "yes"}, BadBody),
        (ReachQuestion.read, {"places": [[0, 0]], "breaks": [60], "shape": "cubes"}, BadBody),
    ],
)
def test_questions_that_are_too_large_or_no_questions(read: Any, body: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match=r"\.$"):
        read(body)
