"""Filters whose SQL would be far larger than they are: refused before it is written, reckoned by what is written."""

from __future__ import annotations

import re
import time

import pytest
import sqlalchemy as sa

from layers.errors import BadFilter
from layers.filter import Filter, Queryable, Queryables, parse_filter, predicate
from layers.filter.size import MOST_WRITTEN, written_out
from layers.filter.tree import Kind

NAMES = {"number": Kind.NUMBER, "truth": Kind.BOOLEAN, "day": Kind.DATE, "geometry": Kind.GEOMETRY}
KNOWN = Queryables({name: Queryable(name, kind, name) for name, kind in NAMES.items()}, any_geometry=True)
TABLE = sa.table("t", *(sa.column(name) for name in NAMES))


def parsed(text: str) -> Filter:
    found = parse_filter(text, "cql2-text", None, KNOWN)
    assert found is not None
    return found


GROWING = {
    "greatest": ("greatest({0}, 1)", "number", " > 1"),
    "least": ("least(1, {0})", "number", " > 1"),
    "sqrt": ("sqrt(sqrt({0}))", "number", " > 1"),
    "power": ("({0} ^ 2)", "number", " > 1"),
    "exponent": ("(2 ^ {0})", "number", " > 1"),
    "a_equals": ("a_equals(({0}, {0}), (truth, {0}))", "truth", ""),
    "in": ("({0} IN (truth, NOT truth, truth))", "truth", ""),
}


@pytest.mark.parametrize("name", GROWING)
def test_what_doubles_with_each_level_is_refused_at_once(name: str) -> None:
    around, text, condition = GROWING[name]
    for _ in range(11 if name != "a_equals" else 5):
        text = around.format(text)
    began = time.perf_counter()
    with pytest.raises(BadFilter, match="written out"):
        parsed(text + condition)
    assert time.perf_counter() - began < 2


def test_a_long_value_among_many_calculated_ones_is_refused() -> None:
    long = "+".join(["number"] * 20)
    many = ",".join(["number + 1"] * 1_000)
    with pytest.raises(BadFilter, match="written out"):
        parsed(f"{long} IN ({many})")


ONCE = [
    *("number + 1 > 2", "2 * number > number", "number BETWEEN number AND number", "number IN (1, 2, 3)"),
    *("number ^ number > 1", "sqrt(number) > 1", "greatest(number, number) > 1", "least(number, 2) > 1"),
    *("number IN (number, number + 1, 2 * number)", "truth AND (truth OR NOT truth)"),
    "s_touches(geometry, geometry)",
    "s_intersects(centroid(geometry), geometry)",
    "s_disjoint(geometry, centroid(geometry))",
    "within_distance(geometry, geometry, number + number) AND distance(geometry, centroid(geometry)) < area(geometry)",
    *(f"t_{relation}(day, day)" for relation in ("overlaps", "disjoint", "equals", "meets", "during", "overlappedby")),
    "a_equals((truth, truth), (truth, NOT truth))",
    "greatest(sqrt(number), number ^ least(number, 3)) > sqrt(sqrt(number))",
]


@pytest.mark.parametrize("text", ONCE)
def test_no_name_is_written_more_often_than_reckoned(text: str) -> None:
    """The statement itself is the measure."""
    found = parsed(text)
    sql = str(predicate(found, TABLE).compile())
    names = re.findall(r"\bt\.(?:number|truth|day|geometry)\b", sql)
    literals = re.findall(r":filter_\d+", sql)
    assert written_out(found.tree) >= len(names) + len(literals)


def test_large_plain_filters_are_still_taken() -> None:
    near = " OR ".join(["s_intersects(geometry, POINT(105 38))"] * 1_200)
    assert written_out(parsed(near).tree) <= MOST_WRITTEN
    parsed("sqrt(sqrt(number)) > greatest(1, greatest(2, least(number ^ 2, 3)))")
