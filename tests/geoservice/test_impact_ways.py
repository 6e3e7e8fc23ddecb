"""Ways out of a zone on roads of known shape: what is closed, who is cut off, what is reached; against networkx."""

from __future__ import annotations

from collections.abc import Sequence

import networkx as nx
import numpy as np
import pytest
import shapely

from geoservice.impact.evacuate import exits_of
from geoservice.impact.reachable import Spot
from geoservice.impact.ways import Telling, ways_of
from geoservice.impact.zoned import Severity, Zoned
from geoservice.routing.closures import Closure, effect_of
from geoservice.routing.graph import UNITS, Graph
from geoservice.routing.travel import Travel
from layers.impact import CutOff, Ways
from layers.model import Text
from tests.support.roads import Lattice, Street, at, graph, oracle, square

SIDE = 5
WORD = Text(zh="试验", en="test")
ROWS = [Street(f"r{y}", tuple((x, y) for x in range(SIDE + 1)), "slow", name=f"Row {y}") for y in range(SIDE + 1)]
COLUMNS = [Street(f"c{x}", tuple((x, y) for y in range(SIDE + 1)), "slow") for x in range(SIDE + 1)]
# A village at the end of the only road that leads there, by way of the middle of the town.
SPUR = Street("spur", ((5, 3), (6, 3), (7, 3), (8, 3)), "slow", name="Spur")
TOWN = graph([*ROWS, *COLUMNS, SPUR])
ZONE = square(2, 2, 2)


def zoned(best: shapely.Polygon, low: shapely.Polygon | None = None, high: shapely.Polygon | None = None) -> Zoned:
    def severity(shape: shapely.Polygon) -> tuple[Severity, ...]:
        return (Severity(1, "zone", WORD, shape),)

    bounds = {name: severity(shape) for name, shape in (("low", low), ("high", high)) if shape is not None}
    return Zoned("test", WORD, severity(best), **bounds)


def spot(name: str, place: Lattice, people: float | None = None) -> Spot:
    return Spot(name, WORD, *at(place), people)


HOMES = [
    spot("home/a", (2, 2), 10.0),
    spot("home/b", (0, 0), 20.0),
    spot("home/v", (8, 3), 40.0),
    spot("home/w", (4, 5)),
]
CARE = [spot("hospital/near", (3, 3)), spot("hospital/far", (5, 5)), spot("shelter/s", (0, 5))]


def told(zone: Zoned, telling: Telling | None = None, made: Graph = TOWN) -> Ways:
    return ways_of(Travel(made, "car"), "street", zone, (HOMES, CARE), telling or Telling((1.0, 4.0)))


def node(made: Graph, place: Lattice) -> int:
    away = np.hypot(*(made.edges.node - np.array(at(place))).T)
    return int(np.argmin(away))


def walls(made: Graph, zone: shapely.Polygon) -> tuple[Travel, nx.MultiDiGraph]:
    shut = Travel(made, "car", "fastest", effect_of(made, [Closure(zone)]))
    return shut, oracle(made, "car", shut.costs)


def minutes(made: nx.MultiDiGraph, start: int, ends: Sequence[int]) -> float:
    lengths = nx.single_source_dijkstra_path_length(made, start)
    return min((lengths[end] for end in ends if end in lengths), default=np.inf) / UNITS / 60


def test_roads_that_meet_the_zone_are_closed_and_counted() -> None:
    found = told(zoned(ZONE))
    edges = TOWN.edges
    lines = [shapely.LineString(edges.node[[tail, head]]) for tail, head in zip(edges.tail, edges.head, strict=True)]
    hit = shapely.intersects(ZONE, np.array(lines))
    assert found.closed_edges == hit.sum() > 0
    assert found.closed_m == pytest.approx(edges.length[hit].sum(), abs=0.1)


def test_exits_are_the_rim_of_the_closed_roads() -> None:
    shut, _ = walls(TOWN, ZONE)
    # The square covers four crossings; each has two neighbours outside, and no other road touches it.
    around = [(1, 2), (1, 3), (4, 2), (4, 3), (2, 1), (3, 1), (2, 4), (3, 4)]
    assert exits_of(shut).tolist() == sorted(node(TOWN, place) for place in around)


def settled(found: Ways) -> dict[str, CutOff]:
    return {one.id: one for one in found.settlements}


def test_settlements_reach_what_networkx_says() -> None:
    found = settled(told(zoned(ZONE)))
    _, left = walls(TOWN, ZONE)
    free = oracle(TOWN, "car", Travel(TOWN, "car").costs)
    # Before, the village reached the hospital in the zone; that one does not count any more.
    village = found["home/v"]
    assert village.situation == "detour"
    ends = {"hospital": [(5, 5)], "shelter": [(0, 5)]}
    before = {"hospital": [(3, 3), (5, 5)], "shelter": [(0, 5)]}
    for reach in village.reach:
        start = node(TOWN, (8, 3))
        assert reach.minutes == pytest.approx(
            minutes(left, start, [node(TOWN, p) for p in ends[reach.layer]]), abs=0.05
        )
        past = minutes(free, start, [node(TOWN, p) for p in before[reach.layer]])
        assert reach.minutes_before == pytest.approx(past, abs=0.05)
    assert {reach.layer: reach.id for reach in village.reach} == {"hospital": "hospital/far", "shelter": "shelter/s"}
    assert village.reach[0].roads[0] == Text(zh="Spur", en="Spur")


def test_those_inside_are_told_how_long_they_need_to_leave() -> None:
    found = settled(told(zoned(ZONE)))["home/a"]
    shut, _ = walls(TOWN, ZONE)
    free = oracle(TOWN, "car", Travel(TOWN, "car").costs)
    assert found.situation == "inside"
    assert found.minutes_out == pytest.approx(minutes(free, node(TOWN, (2, 2)), exits_of(shut).tolist()), abs=0.05)
    assert found.minutes is None


def test_a_way_is_told_as_a_line_where_lines_are_asked() -> None:
    village = settled(told(zoned(ZONE), Telling((), lines=True)))["home/v"]
    for reach in village.reach:
        assert reach.line is not None
        assert reach.line[0] == pytest.approx(at((8, 3)))
        assert not shapely.intersects(shapely.LineString(reach.line), ZONE)
    assert all(reach.line is None for reach in settled(told(zoned(ZONE)))["home/v"].reach)


def test_a_village_whose_only_road_is_cut_is_isolated() -> None:
    found = told(zoned(square(6, 3)))
    assert [(one.id, one.situation) for one in found.settlements] == [("home/v", "isolated")]
    assert (found.isolated, found.isolated_people) == (1, 40.0)
    assert all(reach.id is None and reach.minutes_before is not None for reach in found.settlements[0].reach)


def test_bounds_tell_what_the_zone_does_at_its_ends() -> None:
    found = told(zoned(ZONE, low=square(2, 2), high=shapely.union(ZONE, square(6, 3))))
    assert (found.isolated_low, found.isolated, found.isolated_high) == (0, 0, 1)
    assert (found.isolated_people, found.isolated_people_high) == (0.0, 40.0)
    assert found.closed_m_low is not None
    assert found.closed_m_high is not None
    assert found.closed_m_low < found.closed_m < found.closed_m_high


def test_isochrones_follow_from_the_costs_of_networkx() -> None:
    found = told(zoned(ZONE))
    shut, left = walls(TOWN, ZONE)
    lengths = nx.multi_source_dijkstra_path_length(left, set(exits_of(shut).tolist()))
    pace, total = 30 / 3.6, {}
    for limit in (60.0, 240.0):
        metres = 0.0
        for number in range(len(TOWN.edges)):
            if np.isfinite(shut.costs[number]):
                ends = (int(TOWN.edges.tail[number]), int(TOWN.edges.head[number]))
                sides = [max(limit - lengths.get(end, np.inf) / UNITS, 0.0) * pace for end in ends]
                metres += min(sum(sides), float(TOWN.edges.length[number]))
        total[limit / 60] = metres
    assert {one.minutes: one.road_m for one in found.evacuation} == pytest.approx(total, abs=0.06)
    # The village lies further out than one minute; both hospitals' crossings are told by layer.
    near, far = found.evacuation
    assert near.facilities == {"hospital": 0, "shelter": 0}
    assert far.settlements <= len(HOMES) - 1
    reached = [
        one for one in HOMES[1:] if minutes(left.reverse(), node(TOWN, _place(one)), exits_of(shut).tolist()) <= 4.0
    ]
    assert far.settlements == len(reached)
    assert far.people == sum(one.people or 0.0 for one in reached)


def _place(one: Spot) -> Lattice:
    return next(p for p in ((x, y) for x in range(9) for y in range(9)) if at(p) == (one.lon, one.lat))


def test_reached_land_is_drawn_around_the_roads_and_never_by_closed_ones() -> None:
    found = told(zoned(ZONE), Telling((1.0, 4.0), lines=True))
    small, large = (shapely.geometry.shape(one.area) for one in found.evacuation)
    assert shapely.area(small) < shapely.area(large)
    middle = shapely.Point(*np.add(at((2, 2)), 0.005))
    assert not shapely.contains(large, middle)
    assert all(one.area is None for one in told(zoned(ZONE)).evacuation)


def test_a_zone_beside_all_roads_changes_nothing() -> None:
    found = told(zoned(square(40, 40)))
    assert (found.closed_edges, found.isolated, found.exits) == (0, 0, 0)
    assert found.settlements == found.evacuation == ()


def test_order_of_what_is_asked_changes_nothing() -> None:
    zone, travel = zoned(ZONE), Travel(TOWN, "car")
    one = ways_of(travel, "street", zone, (HOMES, CARE), Telling((1.0, 4.0)))
    other = ways_of(travel, "street", zone, (HOMES[::-1], CARE[::-1]), Telling((1.0, 4.0)))
    assert {c.id: c.model_dump(exclude={"reach"}) for c in one.settlements} == {
        c.id: c.model_dump(exclude={"reach"}) for c in other.settlements
    }
    assert one.evacuation == other.evacuation
