"""What the abstract tests of Features Part 3 and of CQL2 ask, class by class, with answers worked out from the rows.

A class is declared when a test here proves it, and every declared class has one.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

import cql2
import pytest
import shapely

from layers.access import Clearance
from tests.support.service import Service, spot_rows

Row = dict[str, Any]
Case = tuple[str, Callable[[Row], bool | None]]
ROWS = spot_rows()
BOX = shapely.box(105.05, 38.05, 105.1, 38.1)
WKT = "POLYGON((105.05 38.05, 105.1 38.05, 105.1 38.1, 105.05 38.1, 105.05 38.05))"
LINE = shapely.LineString([(105.001, 38.001), (105.2, 38.2)])
PREFIX = "http://www.opengis.net/spec"


def at(row: Row) -> shapely.Point:
    found: shapely.Point = row["geometry"]
    return found


def day(row: Row) -> dt.date:
    return dt.date.fromisoformat(row["seen"])


def relation(name: str, literal: str, shape: shapely.Geometry) -> Case:
    return f"S_{name.upper()}(geometry, {literal})", lambda row: bool(getattr(shapely, name)(at(row), shape))


POINT = ROWS[7]["geometry"]
SPOT = f"POINT({POINT.x!r} {POINT.y!r})"
MULTI = f"MULTIPOINT(({POINT.x!r} {POINT.y!r}), (0 0))"
JUNE = "INTERVAL('2026-03-01', '2026-06-30')"
FIRST, LAST = dt.date(2026, 3, 1), dt.date(2026, 6, 30)
CASES: dict[str, list[Case]] = {
    "basic-cql2": [
        ("amount = 3", lambda r: r["amount"] == 3),
        ("amount <> 3 AND name > '点 2'", lambda r: r["amount"] != 3 and r["name"] > "点 2"),
        ("NOT (amount < 5 OR amount >= 20)", lambda r: 5 <= r["amount"] < 20),
        ("seen = DATE('2026-02-15')", lambda r: day(r) == dt.date(2026, 2, 15)),
        ("seen <= DATE('2026-02-15') AND code IS NOT NULL", lambda r: day(r) <= dt.date(2026, 2, 15)),
        ("level IS NULL", lambda r: False),
        ("TRUE", lambda r: True),
    ],
    "advanced-comparison-operators": [
        ("name LIKE '点 _'", lambda r: len(r["name"]) == 3),
        ("name NOT LIKE '%1%'", lambda r: "1" not in r["name"]),
        ("amount BETWEEN 4 AND 6", lambda r: 4 <= r["amount"] <= 6),
        ("amount NOT BETWEEN 4 AND 26", lambda r: not 4 <= r["amount"] <= 26),
        ("name IN ('点 1', '点 2', 'x')", lambda r: r["name"] in ("点 1", "点 2")),
        ("amount NOT IN (1, 2)", lambda r: r["amount"] not in (1, 2)),
    ],
    "case-insensitive-comparison": [
        ("CASEI(code) LIKE casei('cnry-0-%')", lambda r: r["code"].startswith("CNRY-0")),
        ("CASEI(level) = CASEI('INTERNAL')", lambda r: r["level"] == "internal"),
        ("level = 'INTERNAL'", lambda r: False),
    ],
    "accent-insensitive-comparison": [
        ("ACCENTI(level) = ACCENTI('públic')", lambda r: r["level"] == "public"),
        ("ACCENTI(CASEI(level)) IN (ACCENTI(CASEI('ÍNTERNAL')))", lambda r: r["level"] == "internal"),
        ("level = 'públic'", lambda r: False),
    ],
    "basic-spatial-functions": [
        relation("intersects", "BBOX(105.05, 38.05, 105.1, 38.1)", BOX),
        relation("intersects", SPOT, POINT),
    ],
    "basic-spatial-functions-plus": [
        relation("intersects", WKT, BOX),
        relation("intersects", "LINESTRING(105.001 38.001, 105.2 38.2)", LINE),
        relation("intersects", MULTI, shapely.MultiPoint([POINT, (0, 0)])),
        relation("intersects", f"GEOMETRYCOLLECTION({SPOT}, {WKT})", shapely.GeometryCollection([POINT, BOX])),
    ],
    "spatial-functions": [
        relation("disjoint", WKT, BOX),
        relation("within", WKT, BOX),
        relation("touches", WKT, BOX),
        relation("equals", SPOT, POINT),
        relation("contains", SPOT, POINT),
        relation("crosses", WKT, BOX),
        relation("overlaps", MULTI, shapely.MultiPoint([POINT, (0, 0)])),
    ],
    "temporal-functions": [
        ("T_AFTER(seen, DATE('2026-06-15'))", lambda r: day(r) > dt.date(2026, 6, 15)),
        ("T_BEFORE(seen, DATE('2026-06-15'))", lambda r: day(r) < dt.date(2026, 6, 15)),
        (f"T_DURING(seen, {JUNE})", lambda r: FIRST < day(r) < LAST),
        (f"T_INTERSECTS(seen, {JUNE})", lambda r: FIRST <= day(r) <= LAST),
        (f"T_DISJOINT(seen, {JUNE})", lambda r: not FIRST <= day(r) <= LAST),
        ("T_EQUALS(seen, DATE('2026-02-15'))", lambda r: day(r) == dt.date(2026, 2, 15)),
        ("T_STARTS(seen, INTERVAL('2026-02-15', '..'))", lambda r: day(r) == dt.date(2026, 2, 15)),
        ("T_FINISHES(seen, INTERVAL('..', '2026-02-15'))", lambda r: day(r) == dt.date(2026, 2, 15)),
    ],
    "property-property": [
        ("name = code", lambda r: False),
        ("name <> code AND amount = amount", lambda r: True),
        ("level < code", lambda r: r["level"] < r["code"]),
    ],
    "functions": [
        ("char_length(name) = 4", lambda r: len(r["name"]) == 4),
        ("month(seen) = 3", lambda r: day(r).month == 3),
        ("upper(level) = 'PUBLIC'", lambda r: r["level"] == "public"),
    ],
    "arithmetic": [
        ("amount * 2 + 1 = 7", lambda r: r["amount"] == 3),
        ("amount % 7 = 2 AND amount / 2 > 5", lambda r: r["amount"] % 7 == 2 and r["amount"] > 10),
        ("amount div 10 = 1", lambda r: 10 <= r["amount"] < 20),
        ("amount ^ 2 < 26 - 1", lambda r: r["amount"] < 5),
    ],
}


def found(service: Service, **asked: str) -> set[str]:
    query = urlencode({"limit": "100", **{name.replace("_", "-"): value for name, value in asked.items()}})
    response = service.get(f"/collections/spot/items?{query}", Clearance.RESTRICTED)
    assert response.status_code == 200, response.text
    return {feature["id"] for feature in response.json()["features"]}


@pytest.mark.parametrize("name", CASES)
def test_the_class_finds_what_it_names_in_both_encodings(service: Service, name: str) -> None:
    """cql2-text and cql2-json: JSON is made of the text by another library."""
    told = set()
    for text, meets in CASES[name]:
        expected = {row["code"] for row in ROWS if meets(row)}
        assert found(service, filter=text, filter_lang="cql2-text") == expected, text
        tree = json.dumps(cql2.parse_text(text).to_json())
        assert found(service, filter=tree, filter_lang="cql2-json") == expected, text
        told.add(frozenset(expected))
    assert any(told), "a class that finds nothing is not proved"


def test_every_class_that_is_declared_is_proved_and_the_other_way_round(service: Service) -> None:
    declared = set(service.get("/conformance?f=json").json()["conformsTo"])
    ours = {uri.removeprefix(f"{PREFIX}/cql2/1.0/conf/") for uri in declared if "/cql2/" in uri}
    assert ours == {*CASES, "cql2-text", "cql2-json"}
    part3 = {uri.rpartition("/")[2] for uri in declared if "ogcapi-features-3" in uri}
    assert part3 == {"queryables", "queryables-query-parameters", "filter", "features-filter"}


def test_queryables_are_linked_and_are_parameters(service: Service) -> None:
    """queryables, queryables-query-parameters: the resource is found by its relation; equality as a parameter."""
    rel = f"{PREFIX.replace('spec', 'def')}/rel/ogc/1.0/queryables"
    links = service.get("/collections/spot").json()["links"]
    address = next(one["href"] for one in links if one["rel"] == rel).removeprefix("http://testserver")
    response = service.get(address, Clearance.RESTRICTED)
    schema = response.json()
    assert response.headers["content-type"].startswith("application/schema+json")
    assert (schema["$schema"], schema["type"]) == ("https://json-schema.org/draft/2020-12/schema", "object")
    for name, value in (("name", "点 4"), ("amount", "4"), ("level", "internal"), ("seen", "2026-05-15")):
        assert name in schema["properties"]
        expected = {row["code"] for row in ROWS if str(row[name]) in (value, f"{value}.0")}
        assert found(service, **{name: value}) == expected


def test_what_is_no_filter_is_an_error_of_the_client(service: Service) -> None:
    """filter: unknown properties, malformed filters, unknown languages and systems are 400."""
    for asked in (
        {"filter": "nothing = 1"},
        {"filter": "amount = "},
        {"filter": "amount = 1", "filter-lang": "cql"},
        {"filter": "S_INTERSECTS(geometry, POINT(1 1))", "filter-crs": "http://www.opengis.net/def/crs/EPSG/0/0"},
    ):
        response = service.get(f"/collections/spot/items?{urlencode(asked)}")
        assert response.status_code == 400, asked
