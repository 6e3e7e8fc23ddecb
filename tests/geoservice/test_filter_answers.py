"""Filters over a real table, answer by answer against another engine, and against facts written out by hand."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Any

import numpy as np
import pyproj
import pytest
import shapely
import sqlalchemy as sa
from hypothesis import HealthCheck, example, given, settings

from geoservice.db.credentials import Role
from geoservice.db.engine import Database
from layers.access import ANONYMOUS, Clearance, Principal, decide
from layers.area import ellipsoidal_area, ellipsoidal_length
from layers.errors import BadFilter
from layers.filter import parse_filter, predicate, queryables_of
from layers.model import VectorLayer
from layers.table import current_table, row_predicate
from tests.support.cql2 import FILTERS, MOMENTS, NUMBERS, TEXTS, WHOLES, as_json, operation, written
from tests.support.duck import Duck
from tests.support.loading import trial_catalog, trial_layer
from tests.support.zones import plant, prepare

INTERNAL = Principal("tester", Clearance.INTERNAL)


def layer() -> VectorLayer:
    kinds = {"number": "integer", "amount": "number", "flag": "boolean", "seen": "date", "moment": "datetime"}
    made = trial_layer(
        "mixed",
        geometry="any",
        geometry_required=False,
        style={"circle": {"colour": "#336699"}},
        key=None,
        row_clearance=None,
        attributes={
            "name": {"type": "text"},
            **{name: {"type": kind} for name, kind in kinds.items()},
            "secret": {"type": "text", "clearance": "restricted"},
        },
    )
    assert isinstance(made, VectorLayer)
    return made


LAYER = layer()
SHAPES: list[shapely.Geometry | None] = [
    None,
    shapely.Point(1, 1),
    shapely.Point(2, 3),
    shapely.MultiPoint([(0, 0), (4, 4)]),
    shapely.LineString([(0, 0), (2, 0), (2, 2)]),
    shapely.LineString([(1, 1), (3, 3)]),
    shapely.box(0, 0, 2, 2),
    shapely.box(2, 0, 4, 2),
    shapely.box(1, 1, 3, 3),
    shapely.box(0, 0, 4, 4).difference(shapely.box(1, 1, 2, 2)),
    shapely.MultiPolygon([shapely.box(0, 0, 1, 1), shapely.box(3, 3, 4, 4)]),
]


def rows() -> list[dict[str, Any]]:
    """Every value beside every other sooner or later, and null in every column."""
    random = np.random.default_rng(5)

    def pick(values: tuple[Any, ...]) -> Any:
        chosen = int(random.integers(len(values) + 1))
        return None if chosen == len(values) else values[chosen]

    days = (dt.date(2024, 2, 29), dt.date(2025, 12, 31), dt.date(2026, 1, 1), dt.date(2026, 6, 15))
    times = tuple(dt.datetime.fromisoformat(moment) for moment in MOMENTS)
    return [
        {
            "fid": number + 1,
            "name": pick(TEXTS),
            "number": pick(WHOLES),
            "amount": pick(NUMBERS),
            "flag": pick((True, False)),
            "seen": pick(days),
            "moment": pick(times),
            "geometry": SHAPES[number % len(SHAPES)],
        }
        for number in range(220)
    ]


ROWS = rows()


@pytest.fixture(scope="module")
def filled(module_database: Database) -> Database:
    prepare(module_database, trial_catalog(LAYER))
    columns = ("name", "number", "amount", "flag", "seen", "moment")
    plant(
        module_database,
        LAYER,
        [{**{c: row[c] for c in columns}, "geom": row["geometry"], "secret": "s"} for row in ROWS],
    )
    return module_database


@pytest.fixture(scope="module")
def duck() -> Duck:
    return Duck(ROWS)


@pytest.fixture
def reader(filled: Database) -> Iterator[sa.Connection]:
    with filled.transaction(Role.READER_INTERNAL) as connection:
        yield connection


def found(reader: sa.Connection, text: str, lang: str = "cql2-text", crs: pyproj.CRS | None = None) -> set[int]:
    decision = decide(INTERNAL, "read", LAYER)
    condition = parse_filter(text, lang, crs, queryables_of(LAYER, decision))
    assert condition is not None
    table = current_table(LAYER)
    statement = sa.select(table.c.fid).where(row_predicate(table, decision.rule), predicate(condition, table))
    return set(reader.execute(statement).scalars())


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@example(node=operation("not", operation("=", operation("/", {"property": "number"}, 0), 1)))
@example(node=operation("like", {"property": "name"}, "a\\%b"))
@example(node=operation("or", operation(">", {"property": "amount"}, 1), operation("isNull", {"property": "flag"})))
@given(node=FILTERS)
def test_another_engine_finds_the_same_features(reader: sa.Connection, duck: Duck, node: Any) -> None:
    """Read, translated and run by others: `cql2` and DuckDB; by us from both encodings."""
    expected = duck.found(written(node))
    assert found(reader, written(node)) == expected
    assert found(reader, as_json(node), "cql2-json") == expected


def test_filters_at_random_do_tell_features_apart(reader: sa.Connection) -> None:
    """The comparison above would prove little if it compared empty answers."""
    sizes = {
        len(found(reader, text)) for text in ("number > 1", "name LIKE 'a%'", "S_INTERSECTS(geometry, POINT(1 1))")
    }
    assert all(10 < size < 150 for size in sizes)


def test_unknown_is_neither_true_nor_false(reader: sa.Connection) -> None:
    everything = {row["fid"] for row in ROWS}
    nameless = {row["fid"] for row in ROWS if row["name"] is None}
    assert nameless
    assert found(reader, "name = 'a' OR NOT name = 'a'") == everything - nameless
    assert found(reader, "name = 'a' OR NOT name = 'a' OR TRUE") == everything
    assert found(reader, "name = name AND FALSE") == set()
    assert found(reader, "NOT (name = 'a' AND FALSE)") == everything
    assert found(reader, "name IN ('a', 'b') OR name NOT IN ('a', 'b')") == everything - nameless
    assert found(reader, "S_INTERSECTS(geometry, POINT(1 1)) OR S_DISJOINT(geometry, POINT(1 1))") == {
        row["fid"] for row in ROWS if row["geometry"] is not None
    }


# Relations of intervals (Allen): the first is [4, 8] of June, the second as given; by the definitions of the standard.
RELATIONS = {
    "T_AFTER": (1, 3), "T_BEFORE": (9, 10), "T_CONTAINS": (5, 7), "T_DISJOINT": (9, 10), "T_DURING": (3, 9),
    "T_EQUALS": (4, 8), "T_FINISHEDBY": (5, 8), "T_FINISHES": (3, 8), "T_INTERSECTS": (8, 9), "T_MEETS": (8, 9),
    "T_METBY": (1, 4), "T_OVERLAPPEDBY": (3, 5), "T_OVERLAPS": (5, 9), "T_STARTEDBY": (4, 7), "T_STARTS": (4, 9),
}  # fmt: skip
SECONDS = sorted(set(RELATIONS.values()))
# Which relations hold beside the one that the pair was chosen for.
ALSO = {
    (1, 3): {"T_AFTER", "T_DISJOINT"}, (9, 10): {"T_BEFORE", "T_DISJOINT"}, (5, 7): {"T_CONTAINS", "T_INTERSECTS"},
    (3, 9): {"T_DURING", "T_INTERSECTS"}, (4, 8): {"T_EQUALS", "T_INTERSECTS"},
    (5, 8): {"T_FINISHEDBY", "T_INTERSECTS"},
    (3, 8): {"T_FINISHES", "T_INTERSECTS"}, (8, 9): {"T_MEETS", "T_INTERSECTS"}, (1, 4): {"T_METBY", "T_INTERSECTS"},
    (3, 5): {"T_OVERLAPPEDBY", "T_INTERSECTS"}, (5, 9): {"T_OVERLAPS", "T_INTERSECTS"},
    (4, 7): {"T_STARTEDBY", "T_INTERSECTS"}, (4, 9): {"T_STARTS", "T_INTERSECTS"},
}  # fmt: skip


@pytest.mark.parametrize("pair", SECONDS)
@pytest.mark.parametrize("form", ["2026-06-{:02}", "2026-06-{:02}T12:00:00Z"])
def test_relations_of_intervals(reader: sa.Connection, pair: tuple[int, int], form: str) -> None:
    first, second = (f"INTERVAL('{form.format(a)}', '{form.format(b)}')" for a, b in ((4, 8), pair))
    held = {name for name in RELATIONS if found(reader, f"{name}({first}, {second})")}
    assert held == ALSO[pair]


def test_a_date_beside_a_timestamp_is_its_whole_day(reader: sa.Connection) -> None:
    noon, night = "TIMESTAMP('2026-06-15T12:00:00Z')", "TIMESTAMP('2026-06-16T00:00:00Z')"
    day = "DATE('2026-06-15')"
    cases = {
        f"T_INTERSECTS({day}, {noon})": True, f"T_INTERSECTS({day}, {night})": False, f"T_BEFORE({day}, {night})": True,
        f"T_BEFORE({day}, {noon})": False, f"T_EQUALS({day}, {day})": True, f"T_EQUALS({day}, {noon})": False,
        f"T_DURING({noon}, INTERVAL('2026-06-15', '2026-06-15'))": True,
        f"T_DURING({night}, INTERVAL('..', '2026-06-15'))": False,
    }  # fmt: skip
    assert {text: bool(found(reader, text)) for text in cases} == cases
    meeting = {r["fid"] for r in ROWS if r["seen"] and r["moment"] and r["moment"].date() == r["seen"]}
    assert found(reader, "T_INTERSECTS(seen, moment)") == meeting
    assert meeting


CALCULATED = {
    "7 div 2": 3, "-7 div 2": -3, "7.5 div 2": 3, "7 % 3": 1, "-7 % 3": -1, "7 % -3": 1, "5.5 % 2": 1.5, "1 / 4": 0.25,
    "2 ^ 10": 1024, "2 ^ -1": 0.5, "(-2) ^ 3": -8, "4 ^ 0.5": 2, "0 ^ 0": 1, "2 + 3 * 4 - 6 / 3": 12, "-2 ^ 2": 4,
    "9007199254740993 + 0": 9007199254740993, "9223372036854775807 * 10": 92233720368547758070, "abs(-3)": 3,
    "floor(-1.5)": -2, "ceil(-1.5)": -1, "sqrt(16)": 4, "greatest(1, 2)": 2, "least(1, 2)": 1,
    "year(DATE('2026-06-15'))": 2026, "month(TIMESTAMP('2026-01-01T07:00:00+08:00'))": 12,
    "day(DATE('2026-06-15'))": 15,
    "char_length('点a')": 2,
}  # fmt: skip


@pytest.mark.parametrize("expression", CALCULATED)
def test_arithmetic_has_the_results_of_arithmetic(reader: sa.Connection, expression: str) -> None:
    assert len(found(reader, f"{expression} = {CALCULATED[expression]!r}")) == len(ROWS)
    assert found(reader, f"{expression} <> {CALCULATED[expression]!r}") == set()


@pytest.mark.parametrize(
    "expression", ["1 / 0", "1 div 0", "1 % 0", "0 ^ -1", "(-2) ^ 0.5", "10 ^ 400", "sqrt(-1)", "1.5 % 0", "0 / 0"]
)
def test_what_has_no_result_is_unknown(reader: sa.Connection, expression: str) -> None:
    assert found(reader, f"({expression}) IS NULL") == {row["fid"] for row in ROWS}
    assert found(reader, f"{expression} = 1 OR {expression} <> 1") == set()


FOLDED = [
    "Straße",
    "STRASSE",
    "strasse",
    "ΟΔΟΣ",
    "οδος",
    "ὈΔΌΣ",
    "Äpfel",
    "äPFEL",
    "ǅ",
    "ǆ",
    "ПРИВЕТ",
    "Привет",
    "點",
    "ﬀ",
]


def test_case_is_folded_as_unicode_folds_it(reader: sa.Connection) -> None:
    for one in FOLDED:
        for other in FOLDED:
            same = bool(found(reader, f"CASEI('{one}') = CASEI('{other}')"))
            assert same == (one.casefold() == other.casefold()), (one, other)
    assert found(reader, "CASEI('Straße') LIKE CASEI('STRA__E')")
    assert found(reader, "CASEI('ΟΔΟΣ') LIKE CASEI('οδο%')")
    assert not found(reader, "CASEI('Ä') = CASEI('A')")


def test_accents_are_taken_off(reader: sa.Connection) -> None:
    for accented, plain in [
        ("Ünïcödé", "Unicode"),
        ("\u00e9", "e\u0301"),
        ("Việt", "Viet"),
        ("がぎ", "がぎ"),
        ("ø", "ø"),
    ]:
        assert found(reader, f"ACCENTI('{accented}') = ACCENTI('{plain}')"), accented
    assert not found(reader, "ACCENTI('É') = ACCENTI('e')")
    assert found(reader, "CASEI(ACCENTI('É')) = CASEI(ACCENTI('e'))")


def test_texts_are_ordered_by_code_points(reader: sa.Connection) -> None:
    """Whatever the locale of the database: capitals come before small letters."""
    for bound in ("a", "B", "点", ""):
        assert found(reader, f"name < '{bound}'") == {
            r["fid"] for r in ROWS if r["name"] is not None and r["name"] < bound
        }


def test_arrays_are_compared_as_sets(reader: sa.Connection) -> None:
    cases = {
        "A_CONTAINS((1, 2, 3), (2, 1))": True, "A_CONTAINS((1, 2), (3))": False,
        "A_CONTAINEDBY(('a'), ('b', 'a'))": True,
        "A_EQUALS((1, 2), (2, 1, 1))": True, "A_EQUALS((1, 2), (1))": False, "A_OVERLAPS((1, 2), (2, 9))": True,
        "A_OVERLAPS((1, 2), (3))": False, "A_CONTAINS((1), ())": True,
    }  # fmt: skip
    assert {text: bool(found(reader, text)) for text in cases} == cases
    assert found(reader, "A_CONTAINS((name, 'x'), ('a'))") == {r["fid"] for r in ROWS if r["name"] == "a"}


def test_measures_are_those_of_the_ellipsoid(reader: sa.Connection) -> None:
    geod = pyproj.Geod(ellps="GRS80")
    for fid in (2, 5, 7, 9, 10):
        shape = ROWS[fid - 1]["geometry"]
        measures = {
            "area(geometry)": float(ellipsoidal_area(shape)),
            "line_length(geometry)": ellipsoidal_length(shape) if shape.geom_type == "LineString" else 0.0,
        }
        if shape.geom_type == "Point":
            measures["distance(geometry, POINT(5 6))"] = geod.inv(shape.x, shape.y, 5, 6)[2]
        for name, value in measures.items():
            assert fid in found(reader, f"{name} >= {value * 0.99999 - 1} AND {name} <= {value * 1.00001 + 1}"), (
                fid,
                name,
            )


@pytest.mark.parametrize("place", [(2.5, 2.5), (5, 89.5), (179.99, 1)])
def test_within_a_distance_agrees_with_the_distance(reader: sa.Connection, place: tuple[float, float]) -> None:
    point = f"POINT({place[0]} {place[1]})"
    for metres in (0, 50_000, 300_000, 9_800_000, 19_900_000):
        near = found(reader, f"within_distance(geometry, {point}, {metres})")
        assert near == found(reader, f"distance(geometry, {point}) <= {metres}")


@pytest.mark.parametrize("code", [4490, 4326, 3857, 4525, 4502, 32650])
def test_a_filter_has_the_axes_of_its_crs(reader: sa.Connection, code: int) -> None:
    """Points and boxes around the corner (1, 1), or around a place in China, written as the authority orders axes."""
    crs = pyproj.CRS.from_epsg(code)
    way = pyproj.Transformer.from_crs("OGC:CRS84", crs)
    around = [way.transform(x, y) for x, y in ((0.99, 0.99), (1.01, 1.01))]
    if code in (4490, 4326, 3857):
        text = "S_INTERSECTS(geometry, BBOX({!r}, {!r}, {!r}, {!r}))".format(*around[0], *around[1])
        assert found(reader, text, crs=crs) == found(reader, "S_INTERSECTS(geometry, BBOX(0.99, 0.99, 1.01, 1.01))")
    corner = way.transform(116.5, 40.5)
    text = f"distance(POINT({corner[0]!r} {corner[1]!r}), POINT({corner[0]!r} {corner[1]!r})) = 0"
    assert len(found(reader, text, crs=crs)) == len(ROWS)


def test_edges_of_a_projected_crs_keep_their_course(reader: sa.Connection) -> None:
    """A straight edge of a Gauss-Krueger zone is no straight edge in degrees: its middle lies 2 km off that one."""
    zone = pyproj.CRS.from_epsg(4527)
    way = pyproj.Transformer.from_crs("OGC:CRS84", zone)
    (n1, e1), (n2, e2) = (way.transform(x, 40.0) for x in (115.0, 119.0))
    line = f"LINESTRING({n1!r} {e1!r}, {n2!r} {e2!r})"
    middle = pyproj.Transformer.from_crs(zone, "OGC:CRS84").transform((n1 + n2) / 2, (e1 + e2) / 2)
    north, east = (n1 + n2) / 2, (e1 + e2) / 2
    box = f"BBOX({north - 1!r}, {east - 1!r}, {north + 1!r}, {east + 1!r})"
    assert found(reader, f"S_CROSSES({line}, {box})", crs=zone)
    degrees = f"BBOX({middle[0] - 0.01!r}, {middle[1] - 0.01!r}, {middle[0] + 0.01!r}, {middle[1] + 0.01!r})"
    assert not found(reader, f"S_CROSSES(LINESTRING(115 40, 119 40), {degrees})")


def test_a_box_may_cross_the_antimeridian(reader: sa.Connection) -> None:
    assert found(reader, "S_INTERSECTS(BBOX(170, -10, -170, 10), POINT(179 0))")
    assert found(reader, "S_INTERSECTS(BBOX(170, -10, -170, 10), POINT(-179 0))")
    assert not found(reader, "S_INTERSECTS(BBOX(170, -10, -170, 10), POINT(0 0))")


def test_collections_are_asked_as_a_whole(reader: sa.Connection) -> None:
    point, line, area = "POINT(1 1)", "LINESTRING(2 0, 2 2)", "POLYGON((3 3, 4 3, 4 4, 3 3))"
    parts = [found(reader, f"S_INTERSECTS(geometry, {one})") for one in (point, line, area)]
    mixed = f"GEOMETRYCOLLECTION({point}, {line}, {area})"
    assert found(reader, f"S_INTERSECTS(geometry, {mixed})") == set.union(*parts)
    assert found(reader, f"S_DISJOINT(geometry, {mixed})") == {
        r["fid"] for r in ROWS if r["geometry"] is not None
    } - set.union(*parts)
    with pytest.raises(BadFilter, match="not defined for a collection of points, lines and areas"):
        found(reader, f"S_TOUCHES(geometry, {mixed})")
    overlapping = "GEOMETRYCOLLECTION(POLYGON((0 0, 2 0, 2 2, 0 2, 0 0)), POLYGON((1 0, 4 0, 4 2, 1 2, 1 0)))"
    assert found(reader, f"S_WITHIN(geometry, {overlapping})") == found(reader, "S_WITHIN(geometry, BBOX(0, 0, 4, 2))")


def test_an_attribute_above_the_clearance_is_unknown_like_any_other() -> None:
    for principal, level in ((ANONYMOUS, "public"), (INTERNAL, "internal")):
        known = queryables_of(LAYER, decide(principal, "read", LAYER))
        told = []
        for name in ("secret", "nonsense"):
            with pytest.raises(BadFilter) as error:
                parse_filter(f"{name} = 's'", "cql2-text", None, known)
            told.append(error.value.detail.replace(name, "?"))
        assert told[0] == told[1], level
        assert "secret" not in told[0]
    seen = queryables_of(LAYER, decide(Principal("tester", Clearance.RESTRICTED), "read", LAYER))
    assert parse_filter("secret = 's'", "cql2-text", None, seen) is not None
