"""Where filters look: no feature that meets one lies outside, by shapely's own relations."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from unittest.mock import patch

import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from layers.errors import GeoError
from layers.filter import Filter, Queryable, Queryables, parse_filter
from layers.filter.tokens import Tokens
from layers.filter.tree import Kind, Shape, walk

NAMES = {"number": Kind.NUMBER, "geometry": Kind.GEOMETRY}
KNOWN = Queryables({name: Queryable(name, kind, name) for name, kind in NAMES.items()}, any_geometry=True)
RELATIONS: dict[str, Callable[[shapely.Geometry, shapely.Geometry], bool]] = {
    "S_INTERSECTS": lambda a, b: bool(a.intersects(b)),
    "S_WITHIN": lambda a, b: bool(a.within(b)),
    "S_CONTAINS": lambda a, b: bool(a.contains(b)),
    "S_TOUCHES": lambda a, b: bool(a.touches(b)),
    "S_DISJOINT": lambda a, b: bool(a.disjoint(b)),
}


def parsed(text: str) -> Filter:
    found = parse_filter(text, "cql2-text", None, KNOWN)
    assert found is not None
    return found


@dataclass(frozen=True)
class Condition:
    """A condition as text, and what it says of a geometry whose number is 1."""

    text: str
    holds: Callable[[shapely.Geometry], bool]


whole = st.integers(0, 12)
boxes = st.tuples(whole, whole, st.integers(1, 5), st.integers(1, 5)).map(
    lambda b: shapely.box(b[0], b[1], b[0] + b[2], b[1] + b[3])
)


def spatial(relation: str, shape: shapely.Polygon, turned: bool) -> Condition:
    sides = f"{shape.wkt}, geometry" if turned else f"geometry, {shape.wkt}"
    rule = RELATIONS[relation]
    return Condition(f"{relation}({sides})", lambda one: rule(shape, one) if turned else rule(one, shape))


leaves = st.one_of(
    st.builds(spatial, st.sampled_from(list(RELATIONS)), boxes, st.booleans()),
    st.just(Condition("number = 1", lambda _: True)),
    st.just(Condition("number = 2", lambda _: False)),
)


def joined(inner: st.SearchStrategy[Condition]) -> st.SearchStrategy[Condition]:
    several = st.lists(inner, min_size=2, max_size=3)
    return st.one_of(
        several.map(
            lambda c: Condition(" AND ".join(f"({x.text})" for x in c), lambda one: all(x.holds(one) for x in c))
        ),
        several.map(
            lambda c: Condition(" OR ".join(f"({x.text})" for x in c), lambda one: any(x.holds(one) for x in c))
        ),
        inner.map(lambda c: Condition(f"NOT ({c.text})", lambda one: not c.holds(one))),
    )


@given(st.recursive(leaves, joined, max_leaves=6), st.lists(boxes, min_size=1, max_size=20))
def test_nothing_beyond_the_reach_is_met(condition: Condition, features: list[shapely.Polygon]) -> None:
    reach = parsed(condition.text).reach
    for one in features:
        if reach is not None and condition.holds(one):
            assert any(one.intersects(shapely.box(*box)) for box in reach)


@pytest.mark.parametrize(
    ("text", "reach"),
    [
        ("S_INTERSECTS(geometry, BBOX(1, 2, 3, 4))", ((1, 2, 3, 4),)),
        ("number = 1 AND S_WITHIN(geometry, POLYGON((0 0, 4 0, 4 4, 0 0)))", ((0, 0, 4, 4),)),
        ("S_INTERSECTS(geometry, BBOX(0, 0, 9, 9)) AND S_EQUALS(POINT(5 6), geometry)", ((5, 6, 5, 6),)),
        ("S_TOUCHES(geometry, POINT(1 1)) OR S_CROSSES(geometry, POINT(2 2))", ((1, 1, 1, 1), (2, 2, 2, 2))),
        ("S_TOUCHES(geometry, POINT(1 1)) OR number = 1", None),
        ("NOT S_INTERSECTS(geometry, BBOX(1, 2, 3, 4))", None),
        ("S_DISJOINT(geometry, BBOX(1, 2, 3, 4))", None),
        ("S_INTERSECTS(POINT(1 1), BBOX(1, 2, 3, 4))", None),
        ("number = 1", None),
    ],
)
def test_reaches(text: str, reach: tuple[tuple[float, ...], ...] | None) -> None:
    assert parsed(text).reach == reach


numbers = st.one_of(
    st.floats(-80, 80, allow_nan=False).map(repr),
    st.integers(-80, 80).map(str),
    st.sampled_from(["+1", "-.5", "2.", "1e1", "-1.5E+1", "5e-3"]),
)
gaps = st.sampled_from([" ", "  ", "\t", "\n "])


@given(st.lists(st.tuples(numbers, gaps, numbers), min_size=2, max_size=12), st.sampled_from(["", " ", "\n"]))
def test_positions_are_read_as_written(positions: list[tuple[str, str, str]], around: str) -> None:
    """By shapely's reader, and by our own when it takes one token after the other."""
    line = f",{around}".join(f"{around}{x}{gap}{y}" for x, gap, y in positions)
    text = f"S_INTERSECTS(geometry, MULTIPOINT({line}{around}))"
    (found,) = (node for node in walk(parsed(text).tree) if isinstance(node, Shape))
    expected = shapely.MultiPoint([(float(x), float(y)) for x, _, y in positions])
    assert found.wkb == shapely.to_wkb(expected)
    with patch.object(Tokens, "positions", return_value=None):
        assert parsed(text) == Filter(parsed(text).tree, KNOWN)
        (slowly,) = (node for node in walk(parsed(text).tree) if isinstance(node, Shape))
    assert slowly.wkb == found.wkb


@pytest.mark.parametrize(
    "wkt",
    [
        *("POINT(1)", "POINT(1 2 3 4)", "POINT(1 2", "POINT(1,2)", "POINT(1 2,)", "LINESTRING(1 2, 3)"),
        *("POINT(1e 2)", "POINT(1 x)", "POINT()", "POINT(1 '2')", "LINESTRING(1 2, (3 4))", "POINT Z(1 2 3 4)"),
    ],
)
def test_what_is_no_position_is_refused_in_the_same_words(wkt: str) -> None:
    text = f"S_INTERSECTS(geometry, {wkt})"
    with pytest.raises(GeoError) as refused:
        parsed(text)
    with patch.object(Tokens, "positions", return_value=None), pytest.raises(GeoError) as slowly:
        parsed(text)
    assert (type(refused.value), refused.value.detail) == (type(slowly.value), slowly.value.detail)
