"""CQL2 text and JSON mean the same tree; another library's reader of text agrees, filter by filter."""

from __future__ import annotations

import json
from typing import Any

import cql2
import pytest
from hypothesis import given, settings

from layers.filter import Queryable, Queryables, parse_filter
from layers.filter.tree import Interval, Kind, Node, Operation, Property, Value
from tests.support.cql2 import FILTERS, as_json, operation, written

NAMES = {
    "name": Kind.TEXT,
    "alias": Kind.TEXT,
    "number": Kind.INTEGER,
    "amount": Kind.NUMBER,
    "flag": Kind.BOOLEAN,
    "seen": Kind.DATE,
    "moment": Kind.DATETIME,
    "begins": Kind.DATETIME,
    "ends": Kind.DATETIME,
    "geometry": Kind.GEOMETRY,
}
KNOWN = Queryables({name: Queryable(name, kind, name) for name, kind in NAMES.items()})


def tree(text: str, lang: str = "cql2-text") -> Node:
    found = parse_filter(text, lang, None, KNOWN)
    assert found is not None
    return found.tree


# Each of the standard's kinds of condition, in the words of this product's layers.
TEXTS = [
    "number = 3",
    "number <> -3",
    "amount < 1.5e3",
    "amount >= 0.5",
    "name = 'it''s'",
    "name > 'b'",
    "flag = true",
    "flag",
    "NOT flag",
    "seen = DATE('2026-06-01')",
    "moment <= TIMESTAMP('2026-06-01T08:00:00Z')",
    "number = 1 AND number = 2 AND number = 3",
    "number = 1 OR number = 2 AND flag",
    "(number = 1 OR flag) AND flag",
    "NOT number = 1 AND flag",
    "not (number = 1 and flag)",
    "name LIKE 'a%'",
    "name NOT LIKE '_b'",
    "name like 'a\\%'",
    "number BETWEEN 1 AND 2 AND flag",
    "number NOT BETWEEN 1 AND 2",
    "number IN (1, 2, 3)",
    "name NOT IN ('a', 'b')",
    "name IS NULL",
    "geometry IS NOT NULL",
    "CASEI(name) = casei('A')",
    "ACCENTI(CASEI(name)) LIKE ACCENTI(casei('é%'))",
    "casei(name) in (casei('a'), casei('b'))",
    "name = alias",
    "number < amount",
    "number = 1 + 2 * 3",
    "(number + 1) * 2 = 4",
    "number = 7 div 2",
    "number = 7 % 2 - 1",
    "amount = 2 ^ 3",
    "amount - 1 - 1 > 0",
    "S_INTERSECTS(geometry, POINT(1 2))",
    "s_within(geometry, BBOX(1, 2, 3, 4))",
    "S_DISJOINT(geometry, LINESTRING(0 0, 1 1, 2 0))",
    "S_EQUALS(geometry, POLYGON((0 0, 1 0, 1 1, 0 0)))",
    "S_CONTAINS(geometry, MULTIPOINT((0 0), (1 1)))",
    "S_CROSSES(geometry, MULTILINESTRING((0 0, 1 1), (2 2, 3 4)))",
    "S_OVERLAPS(geometry, MULTIPOLYGON(((0 0, 1 0, 1 1, 0 0)), ((5 5, 6 5, 6 6, 5 5))))",
    "S_TOUCHES(geometry, POLYGON((0 0, 9 0, 9 9, 0 0), (2 1, 3 1, 3 2, 2 1)))",
    "S_INTERSECTS(geometry, GEOMETRYCOLLECTION(POINT(1 2), LINESTRING(0 0, 1 1)))",
    "T_AFTER(moment, TIMESTAMP('2026-06-01T08:00:00Z'))",
    "T_BEFORE(seen, DATE('2026-06-01'))",
    "T_DURING(moment, INTERVAL('2026-06-01', '..'))",
    "T_INTERSECTS(INTERVAL(begins, ends), INTERVAL('..', '2026-06-01'))",
    *(
        f"T_{name}(INTERVAL(begins, ends), INTERVAL('2026-01-01T00:00:00Z', '2026-06-01T00:00:00Z'))"
        for name in (
            "CONTAINS",
            "DISJOINT",
            "EQUALS",
            "FINISHEDBY",
            "FINISHES",
            "MEETS",
            "METBY",
            "OVERLAPPEDBY",
            "OVERLAPS",
            "STARTEDBY",
            "STARTS",
        )
    ),
    "A_CONTAINS(('a', name), ('a', 'b'))",
    "A_CONTAINEDBY((1, number), (1, 2))",
    "A_EQUALS((1, 2), (2, 1))",
    "A_OVERLAPS((name, alias), ('x', 'y'))",
    "upper(name) = 'A'",
    "concat(name, alias) = 'ab'",
    "\"name\" = 'x'",
    "-2 ^ 2 = amount",
    "number = - 3",
    "name = ''",
    "number = 1\n\tAND\r flag",
]


@pytest.mark.parametrize("text", TEXTS)
def test_text_means_what_another_reader_reads_in_it(text: str) -> None:
    """`cql2` (Rust) reads the text and writes JSON; our reader of JSON must find the tree of our reader of text."""
    theirs = cql2.parse_text(text).to_json()
    assert tree(text) == tree(json.dumps(theirs), "cql2-json")


@settings(max_examples=150, deadline=None)
@given(node=FILTERS)
def test_a_filter_is_the_same_in_both_encodings(node: Any) -> None:
    assert tree(written(node)) == tree(as_json(node), "cql2-json")


def test_differences_of_filters_are_differences_of_trees() -> None:
    """The comparison above can fail: no two of these filters mean the same."""
    trees = [tree(text) for text in TEXTS if text not in ("\"name\" = 'x'", "number = 1\n\tAND\r flag")]
    assert all(one != other for i, one in enumerate(trees) for other in trees[:i])


PRECEDENCE = [
    (
        "flag OR flag AND NOT flag",
        {"op": "or", "args": [True, {"op": "and", "args": [True, {"op": "not", "args": [True]}]}]},
    ),
    ("number = 1 + 2 * 3", {"op": "=", "args": ["n", {"op": "+", "args": [1, {"op": "*", "args": [2, 3]}]}]}),
    ("number = 8 - 4 - 2", {"op": "=", "args": ["n", {"op": "-", "args": [{"op": "-", "args": [8, 4]}, 2]}]}),
    ("NOT number = 1", {"op": "not", "args": [{"op": "=", "args": ["n", 1]}]}),
    ("-2 ^ 2 = number", {"op": "=", "args": [{"op": "^", "args": [-2, 2]}, "n"]}),
]


def plainly(node: Node) -> Any:
    """A tree as nested lists; `flag` is true, `number` is n."""
    if isinstance(node, Operation):
        return {"op": node.op, "args": [plainly(arg) for arg in node.args]}
    if isinstance(node, Property):
        return True if node.name == "flag" else "n"
    assert isinstance(node, Value)
    return node.value


@pytest.mark.parametrize(("text", "expected"), PRECEDENCE)
def test_operators_bind_as_the_grammar_says(text: str, expected: Any) -> None:
    assert plainly(tree(text)) == expected


@pytest.mark.parametrize(
    ("text", "meant"),
    [("'it''s'", "it's"), (r"'it\'s'", "it's"), (r"'a\%b'", r"a\%b"), (r"'a\\'", r"a\\"), ("'点'", "点"), ("''", "")],
)
def test_quotes_and_backslashes_of_texts(text: str, meant: str) -> None:
    found = tree(f"name = {text}")
    assert isinstance(found, Operation)
    assert found.args[1] == Value(meant, Kind.TEXT, slot=0)


def test_words_are_known_in_any_case_and_names_are_not() -> None:
    assert tree("number = 1 aNd s_InTerSects(geometry, pOiNt(1 2))") == tree(
        "number = 1 AND S_INTERSECTS(geometry, POINT(1 2))"
    )
    with pytest.raises(Exception, match="no property 'NUMBER'"):
        tree("NUMBER = 1")


def test_numbers_begin_with_a_point_or_end_with_one() -> None:
    assert tree("amount = .5") == tree("amount = 0.5") == tree("amount = +5e-1")
    assert tree("amount = 5.") == tree("amount = 5") == tree("amount = 5.0")


def test_heights_are_read_and_left_out() -> None:
    for solid, flat in [
        ("POINT Z (1 2 3)", "POINT(1 2)"),
        ("POINT(1 2 3)", "POINT(1 2)"),
        ("BBOX(1, 2, 0, 3, 4, 9)", "BBOX(1, 2, 3, 4)"),
        ("MULTIPOINT(1 2, 3 4)", "MULTIPOINT((1 2), (3 4))"),
    ]:
        assert tree(f"s_intersects(geometry, {solid})") == tree(f"s_intersects(geometry, {flat})")


def test_sides_of_intervals() -> None:
    found = tree("t_during(moment, INTERVAL('..', ends))")
    assert isinstance(found, Operation)
    assert found.args[1] == Interval(None, Property("ends", Kind.DATETIME))
    node = operation("t_during", {"property": "moment"}, {"interval": ["..", {"property": "ends"}]})
    assert tree(json.dumps(node), "cql2-json") == found
