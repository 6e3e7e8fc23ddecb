"""Filters over HTTP: Features Part 3 and CQL2 on items, queryables of each reader, hostile filters."""

from __future__ import annotations

import json
import time
from typing import Any
from urllib.parse import quote, urlencode

import jsonschema
import pyproj
import pytest

from layers.access import Clearance
from tests.support.service import Service, spot_rows

ASKERS = [None, Clearance.INTERNAL, Clearance.RESTRICTED]
ROWS = spot_rows()
SQUARE = "BBOX(105.0205, 38.0205, 105.0615, 38.0615)"


def items(service: Service, asker: Clearance | None = None, layer: str = "spot", **asked: str) -> Any:
    query = urlencode({"limit": "100", **{k.replace("_", "-"): v for k, v in asked.items()}})
    return service.get(f"/collections/{layer}/items?{query}", asker)


def found(service: Service, asker: Clearance | None = None, **asked: str) -> set[int]:
    """Numbers (`amount`) of the points that are found."""
    response = items(service, asker, **asked)
    assert response.status_code == 200, response.text
    return {int(one["properties"]["amount"]) for one in response.json()["features"]}


def visible(asker: Clearance | None) -> list[dict[str, Any]]:
    most = Clearance.PUBLIC if asker is None else asker
    return [row for row in ROWS if Clearance.parse(row["level"]) <= most]


@pytest.mark.parametrize("asker", ASKERS)
def test_both_languages_find_what_the_reader_may_see(service: Service, asker: Clearance | None) -> None:
    expected = {int(r["amount"]) for r in visible(asker) if r["amount"] > 4 and r["name"].startswith("点 1")}
    assert expected
    assert found(service, asker, filter="amount > 4 AND name LIKE '点 1%'") == expected
    tree = {
        "op": "and",
        "args": [
            {"op": ">", "args": [{"property": "amount"}, 4]},
            {"op": "like", "args": [{"property": "name"}, "点 1%"]},
        ],
    }
    assert found(service, asker, filter=json.dumps(tree), filter_lang="cql2-json") == expected


@pytest.mark.parametrize("asker", ASKERS)
def test_a_filter_counts_nothing_above_the_reader(service: Service, asker: Clearance | None) -> None:
    response = items(service, asker, filter="amount >= 0")
    assert response.json()["numberReturned"] == len(visible(asker))
    assert found(service, asker, filter=f"S_INTERSECTS(geometry, {SQUARE})") == {
        int(r["amount"]) for r in visible(asker) if 105.0205 <= r["geometry"].x <= 105.0615
    }
    assert found(service, asker, filter="T_AFTER(seen, DATE('2026-06-01'))") == {
        int(r["amount"]) for r in visible(asker) if r["seen"] > "2026-06-01"
    }


@pytest.mark.parametrize(("code", "uri"), [(4490, "EPSG/0/4490"), (3857, "EPSG/0/3857"), (4523, "EPSG/0/4523")])
def test_geometries_have_the_axes_of_filter_crs(service: Service, code: int, uri: str) -> None:
    way = pyproj.Transformer.from_crs("OGC:CRS84", f"EPSG:{code}")
    corners = [way.transform(*c) for c in [(105.02, 38.02), (105.06, 38.02), (105.06, 38.06), (105.02, 38.06)]]
    ring = [*corners, corners[0]]
    text = "S_INTERSECTS(geometry, POLYGON((" + ", ".join(f"{a!r} {b!r}" for a, b in ring) + ")))"
    near = found(service, filter=text, filter_crs=f"http://www.opengis.net/def/crs/{uri}")
    assert near == found(service, filter="S_INTERSECTS(geometry, BBOX(105.02, 38.02, 105.06, 38.06))")
    assert near
    swapped = items(service, filter=text)
    assert swapped.status_code == 422 or not swapped.json()["features"]


def test_filter_crs_is_looked_up_in_a_list(service: Service) -> None:
    for name in ("http://127.0.0.1:9/crs", "EPSG:4214", "file:///etc/passwd", "+proj=longlat", "EPSG:999999", ""):
        response = items(service, filter="S_INTERSECTS(geometry, POINT(1 2))", filter_crs=name)
        assert (response.status_code, response.json()["parameter"]) == (400, "filter-crs")


def test_pages_keep_their_filter(service: Service) -> None:
    first = items(service, Clearance.RESTRICTED, filter="amount >= 10", limit="7")
    seen, response = [], first
    while True:
        body = response.json()
        seen += [one["properties"]["amount"] for one in body["features"]]
        onward = [one["href"] for one in body["links"] if one["rel"] == "next"]
        if not onward:
            break
        response = service.get(onward[0].removeprefix("http://testserver"), Clearance.RESTRICTED)
    assert seen == [float(n) for n in range(10, 30)]
    token = first.json()["links"]
    address = next(one["href"] for one in token if one["rel"] == "next").removeprefix("http://testserver")
    other = service.get(address.replace("10", "11", 1) if "10" in address else address, Clearance.RESTRICTED)
    assert other.status_code == 400


def test_filters_join_the_other_parameters(service: Service) -> None:
    both = found(service, Clearance.RESTRICTED, filter="amount < 20", bbox="105.05,38,105.2,38.2")
    assert both == {int(r["amount"]) for r in ROWS if r["amount"] < 20 and r["geometry"].x >= 105.05}
    assert found(service, Clearance.RESTRICTED, filter="amount < 20", datetime="2026-03-01/2026-03-31") == {
        int(r["amount"]) for r in ROWS if r["amount"] < 20 and r["seen"].startswith("2026-03")
    }


def test_properties_are_parameters(service: Service) -> None:
    assert found(service, amount="3") == {3}
    assert found(service, name="点 6") == {6}
    assert found(service, seen="2026-01-15", filter="amount > 0") == {12, 24}
    assert found(service, Clearance.RESTRICTED, level="internal", amount="4.0") == {4}
    assert found(service, id="CNRY-0-spot-9") == {9}
    assert found(service, name="' OR '1'='1") == set()


@pytest.mark.parametrize(
    ("name", "value"), [("amount", "many"), ("amount", "inf"), ("seen", "yesterday"), ("seen", "2026-13-01")]
)
def test_a_value_that_does_not_fit_its_property_is_refused(service: Service, name: str, value: str) -> None:
    response = items(service, **{name: value})
    assert (response.status_code, response.json()["parameter"]) == (400, name)


def test_unknown_parameters_stay_refused_and_hidden_ones_look_alike(service: Service) -> None:
    strange, hidden = items(service, nonsense="x"), items(service, **{"secret": "x"})
    assert strange.status_code == hidden.status_code == 400
    assert strange.text.replace("nonsense", "?") == hidden.text.replace("secret", "?")
    assert "amount" in strange.json()["detail"]
    assert items(service, Clearance.RESTRICTED, **{"secret": "x"}).status_code == 200
    assert items(service, geometry="POINT(1 1)").status_code == 400
    twice = service.get("/collections/spot/items?amount=1&amount=2")
    assert twice.status_code == 400
    assert service.get("/collections/spot/schema?amount=1").status_code == 400


def test_an_attribute_above_the_clearance_is_unknown(service: Service) -> None:
    for asker in (None, Clearance.INTERNAL):
        for form in ("{} = 'x'", "{} IS NULL", "casei({}) LIKE '%'", "NOT ({} IN ('a'))", "upper({}) = 'A'"):
            told = [items(service, asker, filter=form.format(name)) for name in ("nonsense", "secret")]
            assert [one.status_code for one in told] == [400, 400]
            assert told[0].text.replace("nonsense", "?") == told[1].text.replace("secret", "?")
    assert found(service, Clearance.RESTRICTED, filter="secret LIKE 'CNRY-2%'") == set(range(30))


def test_a_series_is_filtered_too(service: Service) -> None:
    response = items(service, layer="reading", filter="station = 's1' AND amount BETWEEN 3 AND 9")
    assert {one["properties"]["amount"] for one in response.json()["features"]} == {3.5, 5.5, 7.5}
    refused = items(service, layer="reading", filter="S_INTERSECTS(geometry, POINT(1 1))")
    assert refused.status_code == 400
    assert "no property 'geometry'" in refused.json()["detail"]


REFUSED = [
    ("name LIKE 'a'; SELECT pg_sleep(5)--'", 400), ("name='x' OR '1'='1", 400), ("\"n\"\"; DROP TABLE x--\" = 1", 400),
    ("seen > TIMESTAMP('2020-01-01''||pg_sleep(5)--')", 400),
    ("ctid = '(0,1)'", 400), ("_clearance = 0", 400),
    ("pg_read_file('/etc/passwd') = 'x'", 400), ("set_config('app.clearance','3',true) = '3'", 400),
    ("name = '\x00'", 400),
    ("current_setting('x') = 'y'", 400), ("NOT " * 10_000 + "amount = 1", 400), ("", 400),
    ("amount", 400), ("name = 1", 400),
    ("amount IN (" + ",".join("1" * 6_000) + ")", 400), ("S_INTERSECTS(geometry, POLYGON((0 0,1 1,0 1,1 0,0 0)))", 422),
    ("S_WITHIN(geometry, POINT(38 105))", 422), ("amount * 1e308 * 1e308 > 1", 400), ("amount * 1e308 > 1", 400),
]  # fmt: skip


@pytest.mark.parametrize(("text", "status"), REFUSED)
def test_hostile_filters_are_refused_quickly(service: Service, text: str, status: int) -> None:
    began = time.perf_counter()
    response = items(service, filter=text)
    assert response.status_code == status, response.text
    assert response.json()["parameter"] == "filter"
    assert time.perf_counter() - began < 1
    assert found(service, filter="amount = 3") == {3}


def test_a_geometry_that_is_not_valid_is_told_with_its_place(service: Service) -> None:
    response = items(service, filter="S_INTERSECTS(geometry, POLYGON((0 0,1 1,0 1,1 0,0 0)))")
    assert response.status_code == 422
    assert "0.5 0.5" in response.json()["where"]


def test_deep_json_is_refused_and_the_service_lives(service: Service) -> None:
    text = '{"op":"not","args":[' * 600 + '{"op":"isNull","args":[{"property":"name"}]}' + "]}" * 600
    assert items(service, filter=text, filter_lang="cql2-json").status_code == 400
    assert items(service, filter="[" * 20_000, filter_lang="cql2-json").status_code == 400
    assert service.get("/health/live").status_code == 200


def test_filter_lang_is_one_of_two(service: Service) -> None:
    response = items(service, filter="amount = 1", filter_lang="ecql")
    assert (response.status_code, response.json()["parameter"]) == (400, "filter-lang")
    assert items(service, filter='{"op":"=","args":[1,1]}').status_code == 400


def test_refusals_are_told_in_chinese(service: Service) -> None:
    response = service.get(f"/collections/spot/items?filter={quote('nonsense = 1')}&lang=zh")
    assert response.status_code == 400
    assert "没有属性" in response.json()["detail"]


# -------------------------------------------------------------------- queryables and functions


@pytest.mark.parametrize("asker", ASKERS)
def test_queryables_are_those_of_the_reader(service: Service, asker: Clearance | None) -> None:
    response = service.get("/collections/spot/queryables", asker)
    assert response.headers["content-type"].startswith("application/schema+json")
    schema = response.json()
    jsonschema.Draft202012Validator.check_schema(schema)
    assert schema["$id"].endswith("/collections/spot/queryables")
    assert schema["additionalProperties"] is False
    names = ["id", "geometry", "code", "name", "amount", "level", *(["secret"] if asker == 2 else []), "seen"]
    assert list(schema["properties"]) == names
    assert schema["properties"]["geometry"]["x-ogc-role"] == "primary-geometry"
    assert schema["properties"]["seen"]["format"] == "date"
    for name in names:
        assert items(service, asker, filter=f"{name} IS NOT NULL").status_code == 200


def test_queryables_of_several_collections_are_what_they_share(service: Service) -> None:
    def names(query: str, asker: Clearance | None = None) -> set[str]:
        return set(service.get(f"/queryables{query}", asker).json()["properties"])

    assert names("") == {"id", "amount"}
    assert names("", Clearance.RESTRICTED) == {"id", "amount", "secret"}
    assert names("?collections=spot,area", Clearance.INTERNAL) >= {"id", "geometry", "code", "name", "level"}
    assert service.get("/queryables?collections=spot,way").status_code == 404
    assert service.get("/queryables?collections=spot,yaw").status_code == 404


def test_pages_for_people(service: Service) -> None:
    for path, words in [
        ("/collections/spot/queryables", ("Queryables", "可过滤属性")),
        ("/queryables", ("Queryables", "可过滤属性")),
        ("/functions", ("Functions of filters", "过滤函数")),
    ]:
        for language, word in zip(("en", "zh"), words, strict=True):
            page = service.get(f"{path}?f=html&lang={language}")
            assert page.status_code == 200, page.text
            assert word in page.text


def test_every_function_that_is_listed_can_be_called(service: Service) -> None:
    sample = {
        "string": "'a'",
        "number": "2",
        "integer": "2",
        "datetime": "DATE('2026-01-01')",
        "geometry": "POINT(1 2)",
    }
    listed = service.get("/functions").json()["functions"]
    assert {"upper", "area", "within_distance"} <= {one["name"] for one in listed}
    for one in listed:
        arguments = ", ".join(sample[argument["type"][0]] for argument in one["arguments"])
        call = f"{one['name']}({arguments})"
        boolean = one["returns"] == ["boolean"]
        text = call if boolean else f"{call} IS NOT NULL"
        assert found(service, filter=text), text


def test_links_lead_to_queryables(service: Service) -> None:
    rel = "http://www.opengis.net/def/rel/ogc/1.0/queryables"
    collection = service.get("/collections/spot").json()
    assert any(one["rel"] == rel and one["href"].endswith("/spot/queryables") for one in collection["links"])
    landing = service.get("/?f=json").json()
    assert {rel, rel.replace("queryables", "functions")} <= {one["rel"] for one in landing["links"]}
