"""Further ways: known ones around a block, and for any town ways that hold what they promise."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyproj
import pytest
from hypothesis import given
from hypothesis import strategies as st

from geoservice.routing.alternatives import MOST_SHARED, MOST_WORSE, alternatives
from geoservice.routing.answers import Routed, line_of, routed
from geoservice.routing.closures import Closure, effect_of
from geoservice.routing.graph import Graph
from geoservice.routing.snap import snapped
from geoservice.routing.travel import Travel
from tests.geoservice.test_routing_ways import expected, places, snap, towns
from tests.support.roads import Street, at, graph, square

LENGTH = 8
BLOCK = [
    Street("straight", ((0, 0), (LENGTH, 0))),
    Street("north", ((0, 0), (0, 1), (LENGTH, 1), (LENGTH, 0))),
    Street("south", ((0, 0), (0, -1), (LENGTH, -1), (LENGTH, 0))),
    Street("far", ((0, 0), (0, 3), (LENGTH, 3), (LENGTH, 0))),
]


def best(made: Graph, *zones: Closure) -> Routed:
    """The best way along the block."""
    ends = np.array([at((0, 0)), at((LENGTH, 0))])
    return routed(Travel(made, "car", "shortest", effect_of(made, zones)), snapped(made, "car", ends))


def metres(street: Street) -> float:
    return float(pyproj.Geod(ellps="GRS80").geometry_length(street.line))


def test_ways_around_a_block() -> None:
    way = best(graph(BLOCK))
    found = alternatives(way, 3)
    # The far one is more than one and a half times as long.
    assert metres(BLOCK[3]) > MOST_WORSE * metres(BLOCK[0])
    lengths = [way.travel.metres(one.way.passages) for one in found]
    assert lengths == pytest.approx([metres(BLOCK[1]), metres(BLOCK[2])], rel=1e-4)
    assert [one.shared for one in found] == [0.0, 0.0]
    assert len(alternatives(way, 1)) == 1


def test_a_closed_way_is_none() -> None:
    found = alternatives(best(graph(BLOCK), Closure(square(3, 1, 1))), 3)
    assert [round(one.way.travel.metres(one.way.passages)) for one in found] == [
        pytest.approx(metres(BLOCK[2]), rel=1e-4)
    ]


def test_a_single_road_has_none() -> None:
    assert alternatives(best(graph(BLOCK[:1])), 3) == []


@given(towns(), places, places, st.sampled_from(["car", "foot"]), st.sampled_from(["fastest", "shortest"]))
def test_alternatives_keep_their_promises(town: list[Street], one: Any, two: Any, mode: str, preference: Any) -> None:
    made = graph(town)
    travel = Travel(made, mode, preference)
    start, end = snap(made, mode, one, two)
    way = routed(travel, [start, end])
    if not way.complete:
        return
    found = [a.way for a in alternatives(way, 3)]
    least = burden(travel, way)
    for number, other in enumerate(found):
        assert least <= burden(travel, other) * (1 + 1e-6) + 0.1
        assert burden(travel, other) <= MOST_WORSE * least + 1e-6
        line = line_of(travel, other.passages)
        assert line[0] == line_of(travel, way.passages)[0]
        assert line[-1] == line_of(travel, way.passages)[-1]
        for before in (way, *found[:number]):
            assert shared(travel, other, before) <= MOST_SHARED + 0.01
    assert expected(travel, start, end) == way.legs[0].cost  # type: ignore[union-attr]


def burden(travel: Travel, way: Routed) -> float:
    """Seconds or metres that a way takes."""
    return travel.seconds(way.passages) if travel.preference == "fastest" else travel.metres(way.passages)


def shared(travel: Travel, way: Routed, other: Routed) -> float:
    """Part of a way that lies where another one leads, counted at many places along each of its passages."""
    edges, both = len(travel.graph.edges), 0.0
    for one in way.passages:
        spots = one.start + (one.end - one.start) * (np.arange(200) + 0.5) / 200
        met = np.zeros(200, dtype=bool)
        for o in other.passages:
            if o.code % edges == one.code % edges:
                met |= (spots > min(o.start, o.end)) & (spots < max(o.start, o.end))
        both += travel.metres([one]) * float(met.mean())
    whole = travel.metres(way.passages)
    return both / whole if whole else 1.0
