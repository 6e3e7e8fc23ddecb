"""Filters that want to break something: each is refused quickly with a sentence, or means what it literally says."""

from __future__ import annotations

import json
import time
import tracemalloc
from contextlib import suppress
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st

from layers.errors import BadFilter, BadGeometry, GeoError
from layers.filter import Filter, Queryable, Queryables, parse_filter, predicate
from layers.filter.budget import MOST_DEPTH, MOST_VERTICES
from layers.filter.tree import Kind

NAMES = {"id": Kind.TEXT, "name": Kind.TEXT, "number": Kind.INTEGER, "moment": Kind.DATETIME, "geometry": Kind.GEOMETRY}
KNOWN = Queryables({name: Queryable(name, kind, name) for name, kind in NAMES.items()})
TABLE = sa.table("t", *(sa.column(name) for name in NAMES))


def parsed(text: str, lang: str = "cql2-text") -> Filter:
    found = parse_filter(text, lang, None, KNOWN)
    assert found is not None
    return found


def nested(depth: int, op: str = "not") -> str:
    """CQL2 JSON of so many operations inside one another."""
    innermost = '{"op":"isNull","args":[{"property":"name"}]}'
    opening, closing = (f'{{"op":"{op}","args":[', "]}") if op == "not" else ('{"op":"and","args":[true,', "]}")
    return opening * (depth - 1) + innermost + closing * (depth - 1)


DEEP = {
    "text-not": ("NOT " * 100_000 + "number = 1", "cql2-text"),
    "text-not-parentheses": ("NOT(" * 10_000 + "number = 1" + ")" * 10_000, "cql2-text"),
    "text-parentheses": ("(" * 60_000 + "number = 1" + ")" * 60_000, "cql2-text"),
    "text-open-parentheses": ("(" * 130_000, "cql2-text"),
    "text-sum": ("number = " + "1+" * 60_000 + "1", "cql2-text"),
    "text-power": ("number = " + "2^" * 60_000 + "1", "cql2-text"),
    "text-signs": ("number = " + "-" * 130_000 + "1", "cql2-text"),
    "text-calls": ("upper(" * 20_000 + "name" + ")" * 20_000 + " = 'a'", "cql2-text"),
    "text-arrays": ("a_equals(" + "(" * 60_000, "cql2-text"),
    "text-collections": ("s_intersects(geometry, " + "GEOMETRYCOLLECTION(" * 6_000, "cql2-text"),
    "text-rings": ("s_intersects(geometry, POLYGON" + "(" * 100_000, "cql2-text"),
    "json-1600": (nested(1_600), "cql2-json"),
    "json-and": (nested(1_600, "and"), "cql2-json"),
    "json-many": (nested(100_000)[:131_072], "cql2-json"),
    "json-arrays": ("[" * 131_000, "cql2-json"),
    "json-quotes": ('"' + '\\"' * 65_000, "cql2-json"),
    "json-collections": (
        '{"type":"GeometryCollection","geometries":[' * 2_000 + "]}" * 2_000,
        "cql2-json",
    ),
}
LARGE = {
    "text-in": (f"number IN ({', '.join(map(str, range(100_000)))})", "cql2-text"),
    "text-in-short": (f"number IN ({','.join('1' * 60_000)})", "cql2-text"),
    "text-or": (" OR ".join(["number=1"] * 10_000), "cql2-text"),
    "text-megabyte": (f"name = '{'a' * 1_000_000}'", "cql2-text"),
    "text-line": (f"s_intersects(geometry, LINESTRING({','.join(['1 1', '2 2'] * 8_000)}))", "cql2-text"),
    "text-quotes": ("'" * 131_071, "cql2-text"),
    "text-names": ('"' * 131_071, "cql2-text"),
    "json-in": (
        json.dumps({"op": "in", "args": [{"property": "number"}, [1] * 40_000]}, separators=(",", ":")),
        "cql2-json",
    ),
    "json-digits": ('{"op":"=","args":[{"property":"number"},' + "9" * 100_000 + "]}", "cql2-json"),
    "text-digits": ("number = " + "9" * 100_000, "cql2-text"),
    "json-points": (
        json.dumps({"type": "MultiPoint", "coordinates": [[0, 0]] * 16_000}, separators=(",", ":")),
        "cql2-json",
    ),
}


@pytest.mark.parametrize("case", [*DEEP, *LARGE])
def test_depth_and_size_are_refused_at_once_in_little_memory(case: str) -> None:
    text, lang = {**DEEP, **LARGE}[case]
    tracemalloc.start()
    began = time.process_time()
    with pytest.raises(BadFilter):
        parsed(text, lang)
    took, (_, peak) = time.process_time() - began, tracemalloc.get_traced_memory()
    tracemalloc.stop()
    # Memory is traced, which slows everything several times.
    assert took < 1.5
    assert peak < 50_000_000


@pytest.mark.parametrize(
    ("text", "lang"),
    [
        ("NOT " * (MOST_DEPTH - 2) + "number = 1", "cql2-text"),
        ("(" * (MOST_DEPTH - 2) + "number = 1" + ")" * (MOST_DEPTH - 2), "cql2-text"),
        ("number = " + "(1+" * (MOST_DEPTH // 2 - 1) + "1" + ")" * (MOST_DEPTH // 2 - 1), "cql2-text"),
        ("number = " + "1*2+" * (MOST_DEPTH - 2) + "1", "cql2-text"),
        ("upper(" * (MOST_DEPTH - 2) + "name" + ")" * (MOST_DEPTH - 2) + " = 'A'", "cql2-text"),
        (nested(MOST_DEPTH), "cql2-json"),
        (nested(MOST_DEPTH, "and"), "cql2-json"),
    ],
)
def test_what_the_depth_allows_becomes_sql_on_a_shallow_stack(text: str, lang: str) -> None:
    """The deepest filters of each kind, with half of the interpreter's stack used up by others."""

    def below(frames: int) -> str:
        return below(frames - 1) if frames else str(predicate(parsed(text, lang), TABLE))

    assert "t." in below(400)


def test_one_level_more_is_refused() -> None:
    parsed(nested(MOST_DEPTH), "cql2-json")
    with pytest.raises(BadFilter, match="deep in one another"):
        parsed(nested(MOST_DEPTH + 1), "cql2-json")


INJECTIONS = [
    "'; SELECT pg_sleep(5)--",
    "x' OR '1'='1",
    "') OR 1=1 --",
    "\\'; DROP TABLE geo.spot; --",
    "$$; SELECT 1; $$",
    "%(filter_0)s",
    ":filter_0",
    "$1",
    "{0}",
    "%s",
    "%%",
    "/* */",
    "--",
    "\\",
    "\\\\' OR TRUE --",
    "E'\\x27'",
    "U&'\\0027'",
    "\u2019 OR 1=1",
    "ʼ; --",
    "\ufeff'",
    "a\nb",
    "\x1b[2J",
    "<script>alert(1)</script>",
    "${jndi:ldap://x}",
    "'||pg_sleep(5)--",
]


@pytest.mark.parametrize("payload", INJECTIONS)
@pytest.mark.parametrize("lang", ["cql2-text", "cql2-json"])
def test_texts_are_bound_and_never_part_of_the_statement(payload: str, lang: str) -> None:
    if lang == "cql2-json":
        text = json.dumps({"op": "=", "args": [{"property": "name"}, payload]})
    else:
        # The only two characters with a meaning inside a text.
        pairs = payload.replace("'", "''") if "\\" not in payload else payload.replace("\\", "").replace("'", "''")
        text, payload = f"name = '{pairs}'", payload.replace("\\", "")
    found = parsed(text, lang)
    assert str(predicate(found, TABLE)) == str(predicate(parsed("name = 'harmless'"), TABLE))
    assert list(found.values.values()) == [payload]


REFUSED = [
    "name LIKE 'a'; SELECT pg_sleep(5)--'",
    "name='x' OR '1'='1",
    "name = 'a' UNION SELECT 1",
    'name = "a" --',
    "moment > TIMESTAMP('2020-01-01''||pg_sleep(5)--')",
    "moment > DATE('2020-01-01'';--')",
    "moment > TIMESTAMP('now')",
    "moment > TIMESTAMP('infinity')",
    "moment > TIMESTAMP('2026-02-30T00:00:00Z')",
    "moment > DATE('٢٠٢٦-٠١-٠١')",
    '"number""; DROP TABLE x--" = 1',
    "ctid = '(0,1)'",
    "xmin = 1",
    "tableoid = 1",
    "_clearance = 0",
    "fid = 1",
    "geom IS NULL",
    "pg_read_file('/etc/passwd') = 'x'",
    "lo_import('x') = 1",
    "dblink('x') = 'y'",
    "query_to_xml('x') = 'y'",
    "current_setting('app.clearance') = '1'",
    "set_config('app.clearance','3',true) = '3'",
    "pg_sleep(5) = 1",
    "version() = 'x'",
    "ST_MakeValid(geometry) IS NULL",
    "ST_Buffer(geometry, 1e9) IS NULL",
    "s_buffer(geometry, 1) IS NULL",
    "current_user = 'x'",
    "number = 1e999",
    "number = NaN",
    "number = Infinity",
    "number = ٣",
    "number = 0x10",
    "number == 1",
    "number != 1",
    "",
    " ",
    "number",
    "1",
    "'a'",
    "name = ",
    "= 1",
    "name = 'a",
    'name = "a',
    "(number = 1",
    "number = 1)",
    "number IN ()",
    "name LIKE 'a\\'",
    "name LIKE number",
    "name LIKE upper('a')",
    "name BETWEEN 1 AND 'b'",
    "number BETWEEN 1",
    "name = 1",
    "number = '1'",
    "name = TRUE",
    "moment = DATE('2026-01-01')",
    "geometry = POINT(1 1)",
    "TRUE > FALSE",
    "name IS 1",
    "s_intersects(geometry)",
    "s_intersects(geometry, name)",
    "s_intersects(geometry, POINT(1 2), 3)",
    "t_after(name, moment)",
    "t_during(moment, INTERVAL('2026-02-01', '2026-01-01'))",
    "t_during(moment, INTERVAL('2026-01-01'))",
    "INTERVAL('..','..')",
    "a_contains(name, ('a'))",
    "a_contains((1), ('a'))",
    "a_overlaps(geometry, (1))",
    "upper() = 'A'",
    "upper(number) = 'A'",
    "NOT number",
    "number AND TRUE",
    "TRUE AND",
    "name = NULL",
    "NULL = name",
    "casei(number) = 'a'",
    "number + 'a' = 1",
    "number IN ((1, 2), 3)",
    "BBOX(1,2,3,4)",
    "number = 1 number = 2",
    "name = 'a' 'b'",
    "\x00",
    "name = '\x00'",
    "ſ_intersects(1)",
]


@pytest.mark.parametrize("text", REFUSED)
def test_what_is_no_filter_is_refused_with_a_sentence(text: str) -> None:
    with pytest.raises(BadFilter) as told:
        parsed(text)
    assert told.value.detail.endswith(".")
    assert len(told.value.detail) < 600
    assert told.value.facts["parameter"] == "filter"


REFUSED_JSON = [
    "",
    "{",
    "null",
    "[]",
    "{}",
    "1",
    '"name"',
    "true false",
    '{"op":"="}',
    '{"op":1,"args":[]}',
    '{"op":"=","args":{}}',
    '{"op":"=","args":[{"property":1},2]}',
    '{"op":"=","args":[{"property":"name"},null]}',
    '{"op":"and","args":[true]}',
    '{"op":"=","args":[{"property":"number"},NaN]}',
    '{"op":"=","args":[{"property":"number"},1e999]}',
    '{"op":"=","args":[{"property":"name"},"\\u0000"]}',
    '{"op":"=","args":[{"property":"name"},"\\ud800"]}',
    '{"op":"__import__","args":["os"]}',
    '{"op":"and","args":[]}',
    '{"op":"not","args":[true,true]}',
    '{"op":"in","args":[{"property":"number"},[]]}',
    '{"op":"in","args":[{"property":"number"},1]}',
    '{"op":"=","args":[{"date":1},{"date":"2026-01-01"}]}',
    '{"op":"t_after","args":[{"interval":[]},{"interval":[1]}]}',
    '{"function":{"name":"pg_sleep","args":[5]}}',
    '{"op":"isNull","args":["a"]}',
    '{"op":"=","args":[[1],[1]]}',
    '{"op":"s_intersects","args":[{"property":"geometry"},{"bbox":"1,2,3,4"}]}',
    '{"op":"s_intersects","args":[{"property":"geometry"},{"type":"GeometryCollection","geometries":[1]}]}',
]


@pytest.mark.parametrize("text", REFUSED_JSON)
def test_what_is_no_filter_in_json_is_refused_with_a_sentence(text: str) -> None:
    with pytest.raises(BadFilter):
        parsed(text, "cql2-json")


@settings(max_examples=200, deadline=None)
@given(
    st.text(alphabet=st.sampled_from("()'\",.=<>+-*/%^ \\\n0129abNOTINLIKEpoint\u00e9点")),
    st.sampled_from(["cql2-text", "cql2-json"]),
)
def test_rubbish_never_surprises(text: str, lang: str) -> None:
    with suppress(GeoError):
        parsed(text, lang)


WORDS = [
    "number",
    "name",
    "geometry",
    "=",
    "<",
    "(",
    ")",
    ",",
    "AND",
    "NOT",
    "IN",
    "LIKE",
    "'a'",
    "1",
    "-",
    "BETWEEN",
    "IS",
    "NULL",
    "POINT",
    "BBOX",
    "INTERVAL",
    "DATE",
    "casei",
    "s_within",
    "a_equals",
    "t_after",
    "'..'",
    "TRUE",
    "DIV",
]


@settings(max_examples=200, deadline=None)
@given(st.lists(st.sampled_from(WORDS), max_size=14))
def test_words_in_any_order_never_surprise(words: list[str]) -> None:
    with suppress(GeoError):
        predicate(parsed(" ".join(words)), TABLE)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(["a", "name", "2026-01-01", ".."]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["op", "args", "property", "date", "interval", "bbox", "type", "coordinates", "geometries"]
            ),
            inner | st.sampled_from(["and", "=", "in", "isNull", "s_within", "Point", "Polygon", "GeometryCollection"]),
            max_size=3,
        )
    ),
    max_leaves=12,
)


@settings(max_examples=200, deadline=None)
@given(json_values)
def test_json_of_any_form_never_surprises(value: Any) -> None:
    with suppress(GeoError):
        predicate(parsed(json.dumps(value), "cql2-json"), TABLE)


def test_an_unknown_property_names_the_known_ones() -> None:
    with pytest.raises(BadFilter, match=r"no property 'nam' .* known properties: id, name, number, moment, geometry\."):
        parsed("nam = 'x'")


def test_a_syntax_error_names_the_place() -> None:
    with pytest.raises(BadFilter, match="character 10 ") as told:
        parsed("number = ")
    assert told.value.facts["at"] == 10


GEOMETRIES = [
    ("POLYGON((0 0, 1 1, 0 1, 1 0, 0 0))", r"Self-intersection\[0\.5 0\.5\]"),
    ("POLYGON((0 0, 1 0, 1 1))", "fewer than 4"),
    ("POLYGON((0 0, 1 0, 1 1, 0 1))", "not closed: it begins at 0 0 and ends at 0 1"),
    ("POLYGON((0 0, 0 0, 0 0, 0 0))", "Too few points"),
    ("POLYGON((0 0, 9 0, 9 9, 0 0), (20 20, 21 20, 21 21, 20 20))", "Hole lies outside"),
    ("LINESTRING(1 1)", "fewer than 2"),
    ("LINESTRING(1 1, 1 1)", "Too few points"),
    ("POINT(181 0)", "outside the world, at longitude and latitude 181 0"),
    ("POINT(30 100)", "outside the world"),
    ("POINT(1)", "2 or 3 numbers"),
    ("POINT(1 2, 3 4)", "not nested|not a number"),
    ("POLYGON(0 0, 1 0, 1 1, 0 0)", "fewer than 4|not nested"),
    ("MULTIPOLYGON(((0 0, 4 0, 4 4, 0 4, 0 0)), ((1 1, 2 1, 2 2, 1 2, 1 1)))", "Nested shells"),
    ("POINT(1e308 1)", "outside the world"),
    ("BBOX(1, 2, 3)", "4 or 6 numbers"),
    ("BBOX(1, 9, 3, 4)", "least coordinates first"),
    ("BBOX(1, 2, 3, 95)", "outside the world"),
]


@pytest.mark.parametrize(("geometry", "said"), GEOMETRIES)
def test_a_geometry_that_is_not_sound_is_refused_with_the_place(geometry: str, said: str) -> None:
    with pytest.raises(BadGeometry, match=said) as told:
        parsed(f"s_intersects(geometry, {geometry})")
    assert told.value.facts["where"]


def test_a_star_of_many_crossings_is_refused_in_no_time() -> None:
    """A zigzag whose edges cross each other millions of times; the check stops at the first crossing."""
    half = MOST_VERTICES // 2 - 10
    there = [[i / half, 0 if i % 2 else 1] for i in range(half)]
    back = [[0 if i % 2 else 1, i / half] for i in range(half)]
    shape = {"type": "Polygon", "coordinates": [[*there, *back, there[0]]]}
    text = json.dumps({"op": "s_within", "args": [{"property": "geometry"}, shape]}, separators=(",", ":"))
    limited = text if len(text) < 131_072 else None
    began = time.process_time()
    with pytest.raises((BadGeometry, BadFilter)):
        parsed(limited or text, "cql2-json")
    assert time.process_time() - began < 1.0
