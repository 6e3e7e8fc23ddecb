"""Filters of SensorThings against a second evaluation in Python, of random expressions over a small set of readings.

The evaluation below is written from OData 4.0 and 18-088 alone: null is equal to null, and neither above nor below
anything; conditions are true, false or unknown, and unknown selects nothing.
"""

from __future__ import annotations

import datetime as dt
import math
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from geoservice.db.credentials import Role
from geoservice.db.engine import Database
from geoservice.observations.reading import Reading
from geoservice.sensorthings.model import ENTITIES
from geoservice.sensorthings.options import read_options
from geoservice.sensorthings.parse import read_filter, read_order
from geoservice.sensorthings.readings import write_all
from geoservice.sensorthings.select import Query
from geoservice.sensorthings.tree import Call, Literal, Path
from layers.access import Clearance, Principal
from layers.catalog import Catalog
from layers.errors import BadFilter
from tests.support.loading import prepared
from tests.support.sensorthings import ANYTHING

OBSERVATIONS = ENTITIES["Observations"]
START = dt.datetime(2026, 3, 30, 22, 15, 30, 250000, tzinfo=dt.UTC)
RESULTS = (0, 1, -2.5, 7.25, 40, "", "warm", "Wärme 水", "a'b", True, False, {"a": 1}, None, 3, -3)
QUALITIES = ("good", None, "bad", "suspect", "missing")
PARAMETERS: tuple[Any, ...] = (None, {"k": 1}, {"k": "warm"}, {"k": True}, {"k": -2.5}, {"other": 1}, {"k": None})


def row(place: int) -> dict[str, Any]:
    """A reading as Python has it."""
    result = RESULTS[place % len(RESULTS)]
    begin = START + dt.timedelta(hours=7 * place)
    end = begin + dt.timedelta(hours=3) if place % 3 == 0 else None
    return {
        "result": result,
        "phenomenonTime": (begin, end or begin),
        "end": end,
        "resultTime": begin + dt.timedelta(minutes=place),
        "resultQuality": "missing" if result is None else QUALITIES[place % 4],
        "parameters": PARAMETERS[place % len(PARAMETERS)],
        "Datastream/name": f"flow {place % 2}",
    }


ROWS = [row(place) for place in range(30)]


@pytest.fixture(scope="module")
def numbers(module_database: Database) -> tuple[Database, list[int]]:
    """The readings in the database, and their numbers in the order of ROWS."""
    prepared(module_database, Catalog())
    with module_database.transaction(Role.WRITER) as connection:
        for name in ("Things", "Sensors", "ObservedProperties"):
            values = {"name": name, "description": "", **({"definition": ""} if name == "ObservedProperties" else {})}
            connection.execute(sa.insert(ENTITIES[name].table).values(**values))
        for place in range(2):
            flow = {"name": f"flow {place}", "thing": 1, "sensor": 1, "property": 1, "observation_type": ANYTHING}
            connection.execute(sa.insert(ENTITIES["Datastreams"].table).values(**flow))
        readings = [
            Reading(
                one["phenomenonTime"][0],
                one["result"],
                stream=1 + place % 2,
                end=one["end"],
                result_time=one["resultTime"],
                quality=one["resultQuality"],
                parameters=one["parameters"],
            )
            for place, one in enumerate(ROWS)
        ]
        found = write_all(connection, readings, Principal("tests", Clearance.RESTRICTED))
    return module_database, found


# ---------------------------------------------------------------- the second evaluation

Tree = tuple[Any, ...]


def number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def member(one: dict[str, Any], name: str) -> Any:
    return (one["parameters"] or {}).get(name)


def each(function: Any, *values: Any) -> Any:
    """A function of values, null when one of them is null."""
    return None if any(value is None for value in values) else function(*values)


def rounded(value: float) -> float:
    return math.copysign(math.floor(abs(value) + 0.5), value)


NUMBERS: dict[str, Any] = {
    "add": lambda a, b: a + b,
    "sub": lambda a, b: a - b,
    "mul": lambda a, b: a * b,
    "div": lambda a, b: None if b == 0 else a / b,
    "mod": lambda a, b: None if b == 0 else a - b * math.trunc(a / b),
}
ONE_NUMBER: dict[str, Any] = {"round": rounded, "floor": math.floor, "ceiling": math.ceil}
OF_TIME: dict[str, Any] = {
    "year": lambda t: t.year,
    "month": lambda t: t.month,
    "day": lambda t: t.day,
    "hour": lambda t: t.hour,
    "minute": lambda t: t.minute,
    "second": lambda t: t.second,
    "fractionalseconds": lambda t: t.microsecond / 1e6,
}
TEXTS: dict[str, Any] = {
    "tolower": lambda t: t.lower(),
    "toupper": lambda t: t.upper(),
    "trim": lambda t: t.strip(" "),
    "concat": lambda a, b: a + b,
    "substring": lambda t, start: t[max(math.floor(start), 0) :],
}
CONDITIONS: dict[str, Any] = {
    "substringof": lambda part, whole: part in whole,
    "startswith": lambda whole, part: whole.startswith(part),
    "endswith": lambda whole, part: whole.endswith(part),
}
COMPARED: dict[str, Any] = {
    "lt": lambda a, b: a < b,
    "le": lambda a, b: a <= b,
    "gt": lambda a, b: a > b,
    "ge": lambda a, b: a >= b,
}


def value(tree: Tree, one: dict[str, Any]) -> Any:
    """What a tree is for a row."""
    kind, *args = tree
    if kind == "literal":
        return args[0]
    if kind == "path":
        found = member(one, "k") if args[0] == "parameters/k" else one[args[0]]
        return {
            "number": number,
            "text": text,
            "time": lambda t: t,
            "flag": lambda v: v if isinstance(v, bool) else None,
        }[args[1]](found)
    if kind in COMPARED or kind in ("eq", "ne"):
        return compared(kind, value(args[0], one), value(args[1], one))
    if kind in ("and", "or", "not"):
        return joined(kind, [value(arg, one) for arg in args])
    if kind in ("length", "indexof"):
        found = [value(arg, one) for arg in args]
        return each(len if kind == "length" else (lambda whole, part: whole.find(part)), *found)
    for table in (NUMBERS, ONE_NUMBER, OF_TIME, TEXTS, CONDITIONS):
        if kind in table:
            return each(table[kind], *(instant(value(arg, one)) for arg in args))
    raise AssertionError(kind)


def instant(found: Any) -> Any:
    return found[0] if isinstance(found, tuple) else found


def compared(op: str, left: Any, right: Any) -> bool:
    if op == "ne":
        return not compared("eq", left, right)
    if left is None or right is None:
        return op == "eq" and left is None and right is None
    if isinstance(left, tuple) or isinstance(right, tuple):
        a, b = (found if isinstance(found, tuple) else (found, found) for found in (left, right))
        orders = {"eq": a == b, "lt": a[1] < b[0], "le": a[1] <= b[0], "gt": a[0] > b[1], "ge": a[0] >= b[1]}
        return orders[op]
    return left == right if op == "eq" else COMPARED[op](left, right)


def joined(op: str, parts: list[Any]) -> bool | None:
    if op == "not":
        return None if parts[0] is None else not parts[0]
    decisive = op == "or"
    if decisive in parts:
        return decisive
    return None if None in parts else not decisive


# ---------------------------------------------------------------- trees as text


def spell(tree: Tree) -> str:
    """A tree as `$filter` has it."""
    kind, *args = tree
    if kind == "literal":
        return spelt(args[0])
    if kind == "path":
        return str(args[0])
    if kind == "not":
        return f"not ({spell(args[0])})"
    if kind in COMPARED or kind in NUMBERS or kind in ("eq", "ne", "and", "or"):
        return f"({spell(args[0])}) {kind} ({spell(args[1])})" if kind in NUMBERS else between(kind, args)
    return f"{kind}({','.join(spell(arg) for arg in args)})"


def between(kind: str, args: list[Tree]) -> str:
    left, right = (f"({spell(arg)})" if arg[0] in ("and", "or", "eq", "ne", *COMPARED) else spell(arg) for arg in args)
    return f"{left} {kind} {right}"


def spelt(found: Any) -> str:
    if found is None:
        return "null"
    if isinstance(found, tuple):
        return "/".join(spelt(one) for one in found)
    if isinstance(found, dt.datetime):
        return found.astimezone(dt.timezone(dt.timedelta(hours=8))).isoformat()
    return "'" + found.replace("'", "''") + "'" if isinstance(found, str) else repr(found)


# ---------------------------------------------------------------- random trees

FIELDS_OF_NUMBERS = st.sampled_from(
    [("path", "result", "number"), ("path", "parameters/k", "number"), ("literal", None)]
)
FIELDS_OF_TEXT = st.sampled_from(
    [
        ("path", "result", "text"),
        ("path", "resultQuality", "text"),
        ("path", "Datastream/name", "text"),
        ("path", "parameters/k", "text"),
    ]
)
TIMES = st.one_of(
    st.sampled_from([("path", "phenomenonTime", "time"), ("path", "resultTime", "time")]),
    st.integers(0, 70).map(lambda hours: ("literal", START + dt.timedelta(hours=3.5 * hours))),
    st.integers(0, 70).map(lambda h: ("literal", (START + dt.timedelta(hours=h), START + dt.timedelta(hours=h + 20)))),
)
INSTANTS = TIMES.filter(lambda tree: not isinstance(tree[1], tuple))
FIGURES = st.integers(-5, 45) | st.sampled_from([-2.5, 0.5, 7.25])
NUMERIC = st.deferred(
    lambda: st.one_of(
        FIELDS_OF_NUMBERS,
        FIGURES.map(lambda one: ("literal", one)),
        st.tuples(st.sampled_from(sorted(NUMBERS)), NUMERIC, NUMERIC),
        st.tuples(st.sampled_from(sorted(ONE_NUMBER)), NUMERIC),
        st.tuples(st.sampled_from(sorted(OF_TIME)), INSTANTS),
        st.tuples(st.just("length"), TEXTUAL),
        st.tuples(st.just("indexof"), TEXTUAL, TEXTUAL),
    )
)
TEXTUAL = st.deferred(
    lambda: st.one_of(
        FIELDS_OF_TEXT,
        st.sampled_from(["", "a", "warm", "flow 1", "'", "水", " x "]).map(lambda one: ("literal", one)),
        st.tuples(st.sampled_from(["tolower", "toupper", "trim"]), TEXTUAL),
        st.tuples(st.just("concat"), TEXTUAL, TEXTUAL),
        st.tuples(st.just("substring"), TEXTUAL, FIGURES.map(lambda one: ("literal", one))),
    )
)
OPS = st.sampled_from(["eq", "ne", *COMPARED])
CONDITION = st.deferred(
    lambda: st.one_of(
        st.tuples(OPS, NUMERIC, NUMERIC),
        st.tuples(OPS, TEXTUAL, TEXTUAL),
        st.tuples(OPS, TIMES, TIMES),
        st.tuples(st.sampled_from(sorted(CONDITIONS)), TEXTUAL, TEXTUAL),
        st.just(("path", "result", "flag")),
        st.tuples(st.sampled_from(["and", "or"]), CONDITION, CONDITION),
        st.tuples(st.just("not"), CONDITION),
    )
)


def open_pair(tree: Tree) -> bool:
    """Whether two values of any type, or null, stand against each other: what they are is then told by each row."""
    kind, *args = tree
    if kind in ("literal", "path"):
        return False
    inner = any(open_pair(arg) for arg in args if isinstance(arg, tuple) and arg and isinstance(arg[0], str))
    named = [("path", "result"), ("path", "parameters/k"), ("literal", None)]
    loose = [arg[:2] in named for arg in args]
    return inner or (kind in ("eq", "ne", *COMPARED) and all(loose))


@given(tree=CONDITION.filter(lambda tree: not open_pair(tree)))
@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.filter_too_much])
def test_random_filters_select_what_python_selects(numbers: tuple[Database, list[int]], tree: Tree) -> None:
    database, ids = numbers
    expression = spell(tree)
    try:
        options = read_options(OBSERVATIONS, [("$filter", expression)])
    except BadFilter as error:
        # Some trees exceed the budget; none is refused for another reason.
        reject = "deep" in error.detail or "at most" in error.detail
        if not reject:
            raise
        return
    with database.transaction(Role.READER_RESTRICTED) as connection:
        found = connection.execute(Query(OBSERVATIONS, options, Clearance.RESTRICTED).page(100)).all()
    assert {one.id for one in found} == {n for n, one in zip(ids, ROWS, strict=True) if value(tree, one) is True}, (
        expression
    )


def test_the_second_evaluation_can_fail() -> None:
    """Negative control: the rows differ in everything that expressions look at."""
    for tree in (("eq", ("path", "result", "number"), ("literal", 1)), ("path", "result", "flag")):
        assert 0 < sum(value(tree, one) is True for one in ROWS) < len(ROWS)


def plain(one: Any) -> Any:
    """What can be compared of a value: its type and itself; objects cannot."""
    return (dict, object()) if isinstance(one, dict) else (float if number(one) is not None else type(one), one)


def test_values_of_any_type_are_equal_in_their_type(numbers: tuple[Database, list[int]]) -> None:
    database, ids = numbers
    found: dict[str, set[int]] = {}
    with database.transaction(Role.READER_RESTRICTED) as connection:
        for op in ("eq", "ne"):
            options = read_options(OBSERVATIONS, [("$filter", f"result {op} parameters/k and result ne null")])
            rows = connection.execute(Query(OBSERVATIONS, options, Clearance.RESTRICTED).page(100)).all()
            found[op] = {one.id for one in rows}
    told = [(n, one) for n, one in zip(ids, ROWS, strict=True) if one["result"] is not None]
    same = {n for n, one in told if plain(one["result"]) == plain(member(one, "k"))}
    assert found == {"eq": same, "ne": {n for n, _ in told} - same}


# ---------------------------------------------------------------- the language


def test_trees() -> None:
    assert read_filter("Datastream/id eq 1") == Call("eq", (Path(("Datastream", "id")), Literal(1)))
    assert read_filter("not (a eq 'it''s')") == Call("not", (Call("eq", (Path(("a",)), Literal("it's"))),))
    both = Call("and", (Call("eq", (Path(("a",)), Literal(1))), Path(("b",))))
    assert read_filter("a eq 1 and b or c") == Call("or", (both, Path(("c",))))
    assert read_filter("1 add 2 mul 3") == Call("add", (Literal(1), Call("mul", (Literal(2), Literal(3)))))
    assert read_filter("1 sub 2 sub 3 eq -4") == Call(
        "eq", (Call("sub", (Call("sub", (Literal(1), Literal(2))), Literal(3))), Call("neg", (Literal(4),)))
    )
    moment = dt.datetime(2026, 7, 1, tzinfo=dt.UTC)
    assert read_filter("t gt 2026-07-01T08:00:00+08:00") == Call("gt", (Path(("t",)), Literal(moment)))
    assert read_filter("a eq 1 and b eq 2 and c") == Call(
        "and",
        (Call("eq", (Path(("a",)), Literal(1))), Call("eq", (Path(("b",)), Literal(2))), Path(("c",))),
    )
    assert [one.descending for one in read_order("a desc,b asc,length(c)")] == [True, False, False]


@pytest.mark.parametrize(
    ("text_", "place"),
    [
        ("a eq", 5),
        ("a eq ;", 6),
        ("(a", 3),
        ("a)", 2),
        ("eq 1", 1),
        ("a eq 2026-02-30", 6),
        ("length(a", 9),
        ("a//b", 3),
    ],
)
def test_errors_say_where(text_: str, place: int) -> None:
    with pytest.raises(BadFilter) as error:
        read_filter(text_)
    assert f"character {place}" in error.value.detail


@given(st.text(max_size=60))
@settings(max_examples=300)
def test_no_text_breaks_the_reader(text_: str) -> None:
    for read in (read_filter, read_order):
        try:
            read(text_)
        except BadFilter:
            continue
