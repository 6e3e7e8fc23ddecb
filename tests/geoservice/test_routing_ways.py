"""The best ways: as cheap as another engine finds them, around closures, over parts of edges, and always the same."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import networkx as nx
import numpy as np
import pyproj
import pytest
import shapely
from hypothesis import assume, given
from hypothesis import strategies as st

from geoservice.routing.answers import Words, route_answer, routed
from geoservice.routing.closures import Closure, effect_of
from geoservice.routing.graph import Graph
from geoservice.routing.snap import Snap, snapped
from geoservice.routing.travel import Travel
from tests.support.roads import PACE, SOUTH, WEST, Street, at, graph, oracle, square

SIZE = 5
lattice = st.tuples(st.integers(0, SIZE), st.integers(0, SIZE))
places = st.tuples(st.floats(-0.5, SIZE + 0.5), st.floats(-0.5, SIZE + 0.5))
modes = st.sampled_from(["car", "foot"])
preferences: Any = st.sampled_from(["fastest", "shortest"])


@st.composite
def towns(draw: Any) -> list[Street]:
    """Roads that walk over a lattice, so that most of them meet."""
    made = []
    for number in range(draw(st.integers(1, 9))):
        x, y = draw(lattice)
        points = [(x, y)]
        for dx, dy in draw(
            st.lists(st.sampled_from([(1, 0), (0, 1), (-1, 0), (0, -1), (1, 1)]), min_size=1, max_size=6)
        ):
            x, y = x + dx, y + dy
            points.append((x, y))
        kind, speed = draw(st.sampled_from(["fast", "slow", "path"])), draw(st.sampled_from([None, 20.0, 60.0]))
        made.append(Street(f"s{number}", tuple(points), kind, draw(st.booleans()), speed))
    return made


closures = st.lists(
    st.builds(
        lambda corner, size, factor: Closure(square(*corner, size), factor),
        lattice,
        st.integers(1, 2),
        st.sampled_from([None, None, 2.5]),
    ),
    max_size=2,
)


def degrees(place: tuple[float, float]) -> tuple[float, float]:
    """Longitude and latitude of a place between lattice points."""
    return WEST + place[0] * PACE, SOUTH + place[1] * PACE


def snap(made: Graph, mode: str, *wanted: tuple[float, float]) -> list[Snap]:
    """Places between lattice points on the network."""
    return snapped(made, mode, np.array([degrees(place) for place in wanted]))


def expected(travel: Travel, start: Snap, end: Snap) -> float:
    """What networkx says that the way costs: ends are nodes of their own, joined to their edges by what parts cost."""
    other = oracle(travel.graph, travel.mode, travel.costs)
    for name, place, towards in (("start", start, False), ("end", end, True)):
        other.add_node(name)
        for seed in travel.seeds(place, towards=towards):
            ends = (seed.node, name) if towards else (name, seed.node)
            other.add_edge(*ends, weight=seed.cost)
    direct = travel.direct(start, end)
    if direct is not None:
        other.add_edge("start", "end", weight=direct.cost)
    try:
        return float(nx.dijkstra_path_length(other, "start", "end"))
    except nx.NetworkXNoPath:
        return float("inf")


@given(towns(), closures, places, places, modes, preferences)
def test_ways_cost_what_another_engine_finds(
    town: list[Street], zones: list[Closure], one: Any, two: Any, mode: str, preference: Any
) -> None:
    made = graph(town)
    travel = Travel(made, mode, preference, effect_of(made, zones))
    start, end = snap(made, mode, one, two)
    if not (start.found and end.found):
        return
    leg = travel.leg(start, end)
    assert (float("inf") if leg is None else leg.cost) == expected(travel, start, end)


@given(towns(), closures, places, places, modes, preferences)
def test_a_way_hangs_together_and_sums_to_its_cost(
    town: list[Street], zones: list[Closure], one: Any, two: Any, mode: str, preference: Any
) -> None:
    made = graph(town)
    travel = Travel(made, mode, preference, effect_of(made, zones))
    start, end = snap(made, mode, one, two)
    leg = travel.leg(start, end)
    if leg is None:
        return
    edges, tail, head = len(made.edges), made.edges.tail, made.edges.head

    def node(code: int, leaving: bool) -> int:
        along = code < edges
        return int((head if along == leaving else tail)[code % edges])

    for before, after in pairwise(leg.passages):
        assert node(before.code, True) == node(after.code, False)
    assert all(np.isfinite(travel.open_costs[p.code]) for p in leg.passages), "nobody goes against a one-way road"
    assert not any(travel.effect.closed(p.code % edges) for p in leg.passages[1:-1])
    spent = travel.metres(leg.passages) if preference == "shortest" else travel.seconds(leg.passages)
    assert spent * 1e6 == pytest.approx(leg.cost, abs=2.0 * len(leg.passages))


def metres(shape: shapely.Geometry) -> float:
    """Length on the ellipsoid."""
    return float(pyproj.Geod(ellps="GRS80").geometry_length(shape))


def inside(line: shapely.LineString, zone: shapely.Geometry) -> float:
    """Metres of a line in a zone, piece by piece: one that turns back is there twice."""
    return sum(metres(shapely.LineString(pair).intersection(zone)) for pair in pairwise(line.coords))


def test_a_road_that_turns_back_is_slow_both_ways() -> None:
    made = graph([Street("s", ((0, 0), (1, 0), (0, 0)), "fast")])
    assert effect_of(made, [Closure(square(0, 0), 2.0)]).times.tolist() == pytest.approx([1.5], rel=1e-6)


@given(towns(), closures, modes)
def test_what_a_zone_closes_is_what_meets_it(town: list[Street], zones: list[Closure], mode: str) -> None:
    made = graph(town)
    effect = effect_of(made, zones)
    for edge in range(len(made.edges)):
        line = shapely.LineString(made.vertices(edge))
        shut = any(z.factor is None and line.intersects(z.zone) for z in zones)
        slow = max([1.0, *(1 + (z.factor - 1) * inside(line, z.zone) / metres(line) for z in zones if z.factor)])
        number = effect.number(edge)
        times = 1.0 if number is None else float(effect.times[number])
        assert np.isinf(times) if shut else times == pytest.approx(slow, rel=1e-3)


def test_large_zones_are_judged_as_small_ones_are() -> None:
    rows = [Street(f"h{y:02}", tuple((x, y) for x in range(40))) for y in range(40)]
    made = graph([*rows, *(Street(f"v{x:02}", tuple((x, y) for y in range(40))) for x in range(40))])
    assert len(made.edges) > 3000
    ring = (
        shapely.Point(*degrees((20.3, 19.2)))
        .buffer(18 * PACE)
        .difference(shapely.Point(*degrees((22.1, 21.2))).buffer(4.1 * PACE))
    )
    effect = effect_of(made, [Closure(ring)])
    met = [n for n in range(len(made.edges)) if shapely.LineString(made.vertices(n)).intersects(ring)]
    assert effect.edges.tolist() == met
    assert 1000 < len(met) < len(made.edges)


@given(towns(), st.lists(places, min_size=20, max_size=25), modes)
def test_the_nearest_road_is_the_nearest(town: list[Street], wanted: list[Any], mode: str) -> None:
    made = graph(town, reach=100_000)
    usable = [n for n in range(len(made.edges)) if made.modes[mode].piece[n] >= 0]
    assume(usable)
    many, single = snap(made, mode, *wanted), [snap(made, mode, place)[0] for place in wanted]
    assert many == single, "one by one and all together"
    for place, found in zip(wanted, many, strict=True):
        lon, lat = degrees(place)
        narrow = np.cos(np.radians(lat))
        flat = [shapely.transform(shapely.LineString(made.vertices(n)), lambda xy: xy * [narrow, 1]) for n in usable]  # noqa: B023
        away = min(shapely.distance(line, shapely.Point(lon * narrow, lat)) for line in flat)
        assert found.metres == pytest.approx(away * 111_319.49, rel=1e-6, abs=1e-3)


def test_of_equal_ways_the_lowest_keys_are_taken() -> None:
    block = [
        Street("b", ((0, 0), (1, 0), (1, 1))),
        Street("a", ((0, 0), (0, 1), (1, 1))),
        Street("z", ((1, 1), (2, 1))),
    ]
    made = graph(block)
    south, north = made.edges.length[1], made.edges.length[0]
    assert south == pytest.approx(north, rel=1e-3)
    travel = Travel(made, "car", "shortest")
    ways = [routed(travel, snap(made, "car", (0.0, 0.0), (2.0, 1.0))) for _ in range(3)]
    assert ways[0].passages == ways[1].passages == ways[2].passages


def answer(made: Graph, zones: list[Closure], *wanted: tuple[float, float], mode: str = "car") -> Any:
    """The answer to a route."""
    travel = Travel(made, mode, "fastest", effect_of(made, zones))
    return route_answer(routed(travel, snap(made, mode, *wanted)), Words({}))


LOOP = [
    Street("direct", ((0, 0), (1, 0), (2, 0), (3, 0), (4, 0)), name="Straight"),
    Street("detour", ((1, 0), (1, 2), (3, 2), (3, 0)), name="Around"),
    Street("island", ((0, 5), (2, 5)), name="Island"),
]


def test_an_answer_names_roads_and_what_was_cut() -> None:
    made = graph(LOOP)
    found = answer(made, [Closure(square(2, 0), None, "alert:x")], (0.5, 0.0), (3.5, 0.0))
    segments = [f["properties"] for f in found["features"] if f["properties"]["type"] == "segment"]
    assert [s["name"]["en"] for s in segments] == ["Straight", "Around", "Straight"]
    assert sum(s["distance_m"] for s in segments) == pytest.approx(found["distance_m"], abs=0.3)
    cut = [f["properties"] for f in found["features"] if f["properties"]["type"] == "cut"]
    assert [(c["road"], c["closure"]) for c in cut] == [("direct", "alert:x")]
    assert found["closures"]["undisturbed"]["distance_m"] < found["distance_m"]
    overview = found["features"][0]["geometry"]["coordinates"]
    assert overview[0] == pytest.approx(degrees((0.5, 0.0)), abs=1e-6)
    assert overview[-1] == pytest.approx(degrees((3.5, 0.0)), abs=1e-6)


def test_slow_roads_are_slow_and_not_longer() -> None:
    made = graph(LOOP)
    free, slow = (
        answer(made, [], (0.5, 0.0), (3.5, 0.0)),
        answer(made, [Closure(square(2, 0), 1.5)], (0.5, 0.0), (3.5, 0.0)),
    )
    assert slow["distance_m"] == free["distance_m"]
    assert slow["duration_s"] == pytest.approx(free["duration_s"] * (1 + 0.5 / 3), rel=1e-3), "one of three spaces"
    around = answer(made, [Closure(square(2, 0), 50.0)], (0.5, 0.0), (3.5, 0.0))
    assert around["distance_m"] > free["distance_m"]


@pytest.mark.parametrize(
    ("ends", "zones", "reason"),
    [
        (((0.5, 0.0), (1.0, 5.0)), [], "apart"),
        (((2.0, 0.0), (4.0, 0.0)), [Closure(square(2, 0))], "closed-start"),
        (((0.5, 0.0), (2.0, 0.0)), [Closure(square(2, 0))], "closed-end"),
        (((0.5, 0.0), (3.5, 0.0)), [Closure(square(2, 0)), Closure(square(2, 2))], "closed"),
        (((0.5, 0.0), (60.0, 0.0)), [], "no-road"),
    ],
)
def test_no_way_is_an_answer_that_says_why(ends: Any, zones: list[Closure], reason: str) -> None:
    found = answer(graph(LOOP), zones, *ends)
    assert (found["status"], found["reason"]) == ("unreachable", reason)
    assert found["explanation"].keys() == {"zh", "en"}


def test_an_island_tells_how_far_the_main_network_is() -> None:
    found = answer(graph(LOOP), [], (1.0, 5.0), (0.5, 0.0))
    start = found["features"][0]["properties"]
    assert not start["on_main_network"]
    assert start["to_main_network_m"] == pytest.approx(3 * PACE * 111_319.49, rel=1e-3)
    assert start["network_km"] == pytest.approx(2 * PACE * 111.32 * np.cos(np.radians(38.05)), rel=1e-2)


def test_fragments_are_no_place_to_start_from_while_there_is_a_road() -> None:
    yard = Street("yard", ((2, 1), (2, 1), (2, 1)))
    tiny = Street("yard", ((1, 1),) * 1 + ((2, 1),))
    assert yard.key == tiny.key
    made = graph([LOOP[0], tiny], fragment=2000.0)
    assert snap(made, "car", (1.5, 0.9))[0].edge != len(made.edges) - 1
    far = graph([Street("a", ((50, 50), (60, 50))), tiny], fragment=2000.0)
    assert far.roads.key[int(far.edges.road[snap(far, "car", (1.5, 0.9))[0].edge])] == "yard"


def test_one_way_roads_bind_cars_and_not_walkers() -> None:
    ring = [Street("a", ((0, 0), (2, 0)), oneway=True), Street("b", ((2, 0), (2, 2), (0, 2), (0, 0)))]
    made = graph(ring)
    there, back = answer(made, [], (0.5, 0.0), (1.5, 0.0)), answer(made, [], (1.5, 0.0), (0.5, 0.0))
    assert back["distance_m"] > 5 * there["distance_m"]
    assert answer(made, [], (1.5, 0.0), (0.5, 0.0), mode="foot")["distance_m"] == there["distance_m"]
    alone = graph([Street("a", ((0, 0), (2, 0)), oneway=True)])
    assert answer(alone, [], (1.5, 0.0), (0.5, 0.0))["reason"] == "direction"


def test_a_closed_road_can_be_left_on_the_open_side() -> None:
    made = graph([Street("long", ((0, 0), (4, 0))), Street("end", ((0, 0), (0, 2)))])
    shut = [Closure(square(3, 0))]
    assert answer(made, shut, (1.0, 0.0), (0.0, 1.0))["status"] == "successful"
    assert answer(made, shut, (3.6, 0.0), (0.0, 1.0))["reason"] == "closed"
    assert answer(made, shut, (3.0, 0.0), (0.0, 1.0))["reason"] == "closed-start"
    assert answer(made, shut, (0.5, 0.0), (1.5, 0.0))["status"] == "successful", "both before the zone"


def test_places_in_between_are_visited_in_order() -> None:
    found = answer(graph(LOOP), [], (0.5, 0.0), (2.0, 2.0), (3.5, 0.0))
    kinds = [f["properties"]["type"] for f in found["features"]]
    assert kinds.count("via") == 1
    assert {f["properties"]["leg"] for f in found["features"] if "leg" in f["properties"]} == {1, 2}
    assert at((1, 2)) in [tuple(p) for p in found["features"][0]["geometry"]["coordinates"]]
