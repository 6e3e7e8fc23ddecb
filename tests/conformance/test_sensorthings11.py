"""SensorThings 1.1: the requirements that the service root declares, asked over a socket, one after the other.

Docstrings name the requirement of OGC 18-088 that a test is about; payloads follow the examples of the standard.
Changing requests are in `test_sensorthings11_writes.py`.
"""

from __future__ import annotations

import datetime as dt
import math
from itertools import pairwise
from typing import Any

import pytest
import shapely

from tests.conformance.sensorthings import PROOFS, SETS, Room
from tests.support.sensorthings import named, observed, reading, sensor, stream

LINKS = {
    "Things": {"Locations", "HistoricalLocations", "Datastreams"},
    "Locations": {"Things", "HistoricalLocations"},
    "HistoricalLocations": {"Thing", "Locations"},
    "Datastreams": {"Thing", "Sensor", "ObservedProperty", "Observations"},
    "Sensors": {"Datastreams"},
    "ObservedProperties": {"Datastreams"},
    "Observations": {"Datastream", "FeatureOfInterest"},
    "FeaturesOfInterest": {"Observations"},
}
"""Figure 2 of the standard: which entity leads to which."""
MUST = {
    "Things": {"name", "description"},
    "Locations": {"name", "description", "encodingType", "location"},
    "HistoricalLocations": {"time"},
    "Datastreams": {"name", "description", "unitOfMeasurement", "observationType"},
    "Sensors": {"name", "description", "encodingType", "metadata"},
    "ObservedProperties": {"name", "definition", "description"},
    "Observations": {"phenomenonTime", "result", "resultTime"},
    "FeaturesOfInterest": {"name", "description", "encodingType", "feature"},
}
"""Tables 3 to 15: properties that an entity has one or more of."""


def test_what_the_root_declares_is_proved_and_the_other_way_round(room: Room) -> None:
    """9.2.1: the sets with their addresses, and the requirements that are met."""
    body = room.get("").json()
    assert [one["name"] for one in body["value"]] == list(SETS)
    for one in body["value"]:
        assert room.client.get(one["url"]).status_code == 200
    declared = body["serverSettings"]["conformance"]
    assert len(declared) == len(set(declared))
    assert set(declared) == set(PROOFS)


# ---------------------------------------------------------------- req/datamodel


@pytest.mark.parametrize("name", SETS)
def test_each_entity_has_its_properties_and_links(room: Room, name: str) -> None:
    """req/datamodel/*/properties, */relations, entity-control-information: what each of its kind has."""
    entities = room.values(name, top="5")
    assert entities
    for one in entities:
        assert MUST[name] <= one.keys()
        assert one["@iot.selfLink"] == f"{room.root}/{name}({one['@iot.id']})"
        links = {key.partition("@")[0]: value for key, value in one.items() if key.endswith("@iot.navigationLink")}
        assert set(links) == LINKS[name]
        for link, address in links.items():
            assert address == f"{one['@iot.selfLink']}/{link}"
            assert room.client.get(address).status_code == 200
        assert room.client.get(one["@iot.selfLink"]).json() == one


def test_relations_lead_back(room: Room) -> None:
    """req/datamodel/*/relations: a link and the link the other way round are about the same entities."""
    for plural, links in LINKS.items():
        for one in room.values(plural, top="3"):
            for link in sorted(links):
                far = room.client.get(f"{one['@iot.selfLink']}/{link}").json()
                other = far["value"][0] if "value" in far else far
                target = other["@iot.selfLink"].rpartition("/")[2].partition("(")[0]
                back = next(name for name in LINKS[target] if name in (plural, _singular(plural)))
                here = room.client.get(f"{other['@iot.selfLink']}/{back}?$top=1000").json()
                found = [near["@iot.id"] for near in here["value"]] if "value" in here else [here["@iot.id"]]
                assert one["@iot.id"] in found, (plural, link)


def _singular(plural: str) -> str:
    return {"ObservedProperties": "ObservedProperty", "FeaturesOfInterest": "FeatureOfInterest"}.get(
        plural, plural[:-1]
    )


@pytest.mark.parametrize(
    ("kind", "result"),
    [
        ("OM_Measurement", 21.5),
        ("OM_CountObservation", 7),
        ("OM_TruthObservation", True),
        ("OM_CategoryObservation", "http://example.org/wet"),
        ("OM_Observation", {"any": ["thing", 1]}),
    ],
)
def test_results_are_of_the_type_of_their_datastream(room: Room, kind: str, result: Any) -> None:
    """req/datamodel/datastream/properties, table 12: codes of observationType and the results of each."""
    whole = f"http://www.opengis.net/def/observationType/OGC-OM/2.0/{kind}"
    made = room.make("Things", named(kind, Datastreams=[stream(kind, whole, Observations=[reading(1, result)])]))
    (found,) = room.values(f"Things({made})/Datastreams", expand="Observations")
    assert found["observationType"] == whole
    assert [one["result"] for one in found["Observations"]] == [result]


def test_times_come_back_in_utc_and_periods_with_both_ends(room: Room) -> None:
    """req/datamodel/observation/properties: TM_Object, TM_Instant and TM_Period as ISO 8601 strings."""
    told = {
        "phenomenonTime": "2026-05-01T08:00:00+08:00/2026-05-01T09:00:00+08:00",
        "resultTime": "2026-05-01T09:05:00.5+08:00",
        "validTime": "2026-05-01T00:00:00Z/2026-05-02T00:00:00Z",
        "result": 1,
    }
    number = room.make(f"Datastreams({room.level})/Observations", told)
    found = room.get(f"Observations({number})").json()
    assert [dt.datetime.fromisoformat(one) for one in found["phenomenonTime"].split("/")] == [
        dt.datetime(2026, 5, 1, hour, tzinfo=dt.UTC) for hour in (0, 1)
    ]
    assert dt.datetime.fromisoformat(found["resultTime"]) == dt.datetime(2026, 5, 1, 1, 5, 0, 500000, dt.UTC)
    assert found["validTime"] == told["validTime"]
    assert room.send("DELETE", f"Observations({number})").status_code == 200


# ---------------------------------------------------------------- req/resource-path


@pytest.mark.parametrize("name", SETS)
def test_the_eight_usages_of_a_path(room: Room, name: str) -> None:
    """req/resource-path/resource-path-to-entities: 9.2.1 to 9.2.8, one after the other."""
    (first, *_) = room.values(name, top="1")
    here = f"{name}({first['@iot.id']})"
    assert room.get(here).json() == first
    for member in sorted(MUST[name]):
        assert room.get(f"{here}/{member}").json() == {member: first[member]}
        bare = room.get(f"{here}/{member}/$value")
        kind = bare.headers["content-type"].partition(";")[0]
        told = bare.json() if isinstance(first[member], dict) else bare.text
        assert kind == ("application/json" if isinstance(first[member], dict) else "text/plain")
        assert told == first[member] or (isinstance(first[member], float) and float(told) == first[member])
    for link in sorted(LINKS[name]):
        linked = room.get(f"{here}/{link}").json()
        refs = room.get(f"{here}/{link}/$ref").json()
        if "value" in linked:
            assert refs["value"] == [{"@iot.selfLink": one["@iot.selfLink"]} for one in linked["value"]]
            nested = f"{here}/{link}({linked['value'][0]['@iot.id']})"
            assert room.get(nested).json() == linked["value"][0]
        else:
            assert refs == {"@iot.selfLink": linked["@iot.selfLink"]}


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("Things(1000000)", 404),
        ("Nothings", 404),
        ("Things(1)/Observations", 404),
        ("Things(1)/nothing", 404),
        ("Things(1)/name/$value/x", 404),
        ("Things(%27a%27)", 404),
        ("Things?$filter=nothing eq 1", 400),
        ("Things?$expand=Nothings", 400),
        ("Things?$orderby=nothing", 400),
        ("Things?$select=nothing", 400),
        ("Things?$top=-1", 400),
        ("Things?$skip=x", 400),
        ("Things?$count=1", 400),
        ("Things?$nothing=1", 400),
        ("Things?$filter=nothing(name)", 400),
    ],
)
def test_errors_are_told_with_their_status(room: Room, path: str, status: int) -> None:
    """req/request-data/status-code, query-status-code: 404 where nothing is, 400 for wrong options."""
    answer = room.get(path)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    body = answer.json()
    assert body["status"] == status
    assert body["title"]
    assert body["detail"].endswith(".")


# ---------------------------------------------------------------- req/request-data


def test_what_is_expanded_stands_in_place_of_its_link(room: Room) -> None:
    """req/request-data/expand: by name, by path, several, and with options in parentheses, inside one another."""
    one = room.get(f"Datastreams({room.level})", expand="Thing,ObservedProperty").json()
    assert one["Thing"] == room.get(f"Datastreams({room.level})/Thing").json()
    assert "Thing@iot.navigationLink" not in one
    inner = "Observations($filter=result ge 3;$orderby=result desc;$top=2;$skip=1;$count=true;$select=result)"
    thing = room.get(f"Things({room.gauge})", expand=f"Datastreams($select=name;$expand={inner}),Locations").json()
    level = next(one for one in thing["Datastreams"] if one["name"] == "level")
    assert set(level) == {"name", "Observations", "Observations@iot.count", "Observations@iot.nextLink"}
    assert level["Observations"] == [{"result": 8}, {"result": 7}]
    assert level["Observations@iot.count"] == 7
    rest = room.client.get(level["Observations@iot.nextLink"]).json()
    assert rest["value"] == [{"result": 6}, {"result": 5}]
    by_path = room.get("Observations", expand="Datastream/Thing/Locations", top="1").json()["value"][0]
    assert by_path["Datastream"]["Thing"]["Locations"][0]["encodingType"] == "application/geo+json"


def test_select_leaves_the_rest_out(room: Room) -> None:
    """req/request-data/select: the properties and links that are named, and no other."""
    assert room.values("Observations", select="result", top="1")[0].keys() == {"result"}
    assert room.values("Things", select="name,Locations", top="1")[0].keys() == {
        "name",
        "Locations@iot.navigationLink",
    }
    assert room.values("Things", select="id", top="1")[0].keys() == {"@iot.id", "@iot.selfLink"}


@pytest.mark.parametrize("order", ["result", "result desc", "result asc", "phenomenonTime desc,result"])
def test_orderby(room: Room, order: str) -> None:
    """req/request-data/orderby: ascending unless desc is said, by several keys in turn."""
    found = room.values(f"Datastreams({room.level})/Observations", orderby=order)
    keys = [one["result"] if order.startswith("result") else one["phenomenonTime"] for one in found]
    assert len(keys) == 10
    assert all(a >= b if "desc" in order else a <= b for a, b in pairwise(keys))


def test_count_top_and_skip(room: Room) -> None:
    """req/request-data/count, top, skip: the count is of all that pass the filter, whatever is shown of them."""
    base = f"Datastreams({room.level})/Observations"
    body = room.get(base, count="true", filter="result lt 6", top="2", skip="3", orderby="result").json()
    assert (body["@iot.count"], [one["result"] for one in body["value"]]) == (6, [3, 4])
    assert "@iot.count" not in room.get(base, count="false").json()
    assert "@iot.count" not in room.get(base).json()
    assert room.get(base, top="0").json() == {"value": []}
    assert room.get(base, skip="1000").json() == {"value": []}


def test_pages_stay_whole_while_others_write(room: Room) -> None:
    """req/request-data/pagination: nextLink until there is none; nothing twice, nothing left out."""
    made = room.make("Things", named("paged", Datastreams=[stream("paged")]))
    (flow,) = room.values(f"Things({made})/Datastreams")
    base = f"Datastreams({flow['@iot.id']})/Observations"
    ids = [room.make(base, reading(hour, float(hour))) for hour in range(0, 20, 2)]
    seen, address = [], f"{base}?$top=3&$orderby=result&$select=id,result"
    for turn in range(20):
        body = room.get(address).json()
        seen += [one["@iot.id"] for one in body["value"]]
        if "@iot.nextLink" not in body:
            break
        address = body["@iot.nextLink"]
        if turn == 0:
            room.make(base, reading(1, 1.0))
            assert room.send("DELETE", f"Observations({ids[0]})").status_code == 200
    assert seen == ids


LATER = "2026-07-01T04:00:00Z"
POINT = "geography'POINT (105.1 38.5)'"
BOX = "geography'POLYGON ((105 38, 106 38, 106 39, 105 39, 105 38))'"
OPERATORS: list[tuple[str, Any]] = [
    ("result eq 3", lambda r, t: r == 3),
    ("result ne 3", lambda r, t: r != 3),
    ("result gt 3", lambda r, t: r > 3),
    ("result ge 3", lambda r, t: r >= 3),
    ("result lt 3", lambda r, t: r < 3),
    ("result le 3", lambda r, t: r <= 3),
    ("result gt 3 and result lt 6", lambda r, t: 3 < r < 6),
    ("result lt 3 or result gt 6", lambda r, t: r < 3 or r > 6),
    ("not (result lt 3)", lambda r, t: r >= 3),
    ("result add 1 eq 4", lambda r, t: r + 1 == 4),
    ("result sub 1 eq 4", lambda r, t: r - 1 == 4),
    ("result mul 2 eq 4", lambda r, t: r * 2 == 4),
    ("result div 2 eq 4", lambda r, t: r / 2 == 4),
    ("result mod 4 eq 1", lambda r, t: math.fmod(r, 4) == 1),
    ("(result add 1) mul 2 gt 10", lambda r, t: (r + 1) * 2 > 10),
    ("round(result div 4) eq 1", lambda r, t: math.floor(r / 4 + 0.5) == 1),
    ("floor(result div 4) eq 1", lambda r, t: math.floor(r / 4) == 1),
    ("ceiling(result div 4) eq 1", lambda r, t: math.ceil(r / 4) == 1),
    (f"phenomenonTime gt {LATER}", lambda r, t: t > dt.datetime.fromisoformat(LATER)),
    ("phenomenonTime lt 2026-07-01T12:00:00+08:00", lambda r, t: t < dt.datetime.fromisoformat(LATER)),
    ("year(phenomenonTime) eq 2026", lambda r, t: t.year == 2026),
    ("month(phenomenonTime) eq 6", lambda r, t: t.month == 6),
    ("day(phenomenonTime) eq 1", lambda r, t: t.day == 1),
    ("hour(phenomenonTime) ge 5", lambda r, t: t.hour >= 5),
    ("minute(phenomenonTime) eq 0", lambda r, t: t.minute == 0),
    ("second(resultTime) eq 0", lambda r, t: True),
    ("fractionalseconds(phenomenonTime) eq 0", lambda r, t: t.microsecond == 0),
    ("date(phenomenonTime) eq 2026-07-01", lambda r, t: t.date() == dt.date(2026, 7, 1)),
    ("time(phenomenonTime) gt 03:30:00", lambda r, t: t.time() > dt.time(3, 30)),
    ("totaloffsetminutes(phenomenonTime) eq 0", lambda r, t: True),
    ("phenomenonTime lt now()", lambda r, t: t < dt.datetime.now(dt.UTC)),
    ("phenomenonTime gt mindatetime()", lambda r, t: True),
    ("phenomenonTime gt maxdatetime()", lambda r, t: False),
    ("phenomenonTime add duration'PT2H' gt 2026-07-01T05:00:00Z", lambda r, t: t.hour + 2 > 5),
]
"""Tables 22 and 23 on readings: result r at r o'clock of 1 July, and what Python says of the same."""


@pytest.mark.parametrize(("expression", "expected"), OPERATORS)
def test_operators_and_functions_of_numbers_and_times(room: Room, expression: str, expected: Any) -> None:
    """req/request-data/filter, built-in-filter-operations, built-in-query-functions."""
    found = room.values(f"Datastreams({room.level})/Observations", filter=expression, orderby="result")
    moment = dt.datetime(2026, 7, 1, tzinfo=dt.UTC)
    truth = [r for r in range(10) if expected(r, moment + dt.timedelta(hours=r))]
    assert [one["result"] for one in found] == truth


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("substringof('eir', name)", {"weir"}),
        ("startswith(name, 'we')", {"weir"}),
        ("endswith(name, 'CIT')", {"CCIT"}),
        ("length(name) eq 4", {"weir", "CCIT"}),
        ("indexof(name, 'IT') eq 2", {"CCIT"}),
        ("substring(name, 1) eq 'eir'", {"weir"}),
        ("substring(name, 1, 2) eq 'ei'", {"weir"}),
        ("tolower(name) eq 'ccit'", {"CCIT"}),
        ("toupper(name) eq 'WEIR'", {"weir"}),
        ("trim(' weir ') eq name", {"weir"}),
        ("concat(concat(name, ', '), 'x') eq 'weir, x'", {"weir"}),
        (f"geo.distance(location, {POINT}) lt 0.5", {"weir"}),
        ("geo.length(geography'LINESTRING (0 0, 3 4)') eq 5", {"weir", "CCIT"}),
        (f"geo.intersects(location, {BOX})", {"weir"}),
        (f"st_equals(location, {POINT})", {"weir"}),
        (f"st_disjoint(location, {BOX})", {"CCIT"}),
        ("st_touches(location, geography'LINESTRING (105.1 38.5, 106 39)')", {"weir"}),
        (f"st_within(location, {BOX})", {"weir"}),
        (f"st_overlaps(location, {BOX})", set()),
        ("st_crosses(location, geography'LINESTRING (105 38, 106 39)')", set()),
        (f"st_intersects(location, {BOX})", {"weir"}),
        (f"st_contains(location, {POINT})", {"weir"}),
        (f"st_relate(location, {BOX}, 'T*F**F***')", {"weir"}),
        ("name eq 'it''s'", set()),
    ],
)
def test_functions_of_texts_and_places(room: Room, expression: str, expected: set[str]) -> None:
    """req/request-data/built-in-query-functions: strings and geometries (table 23)."""
    condition = f"({expression}) and (name eq 'weir' or name eq 'CCIT')"
    assert {one["name"] for one in room.values("Locations", filter=condition)} == expected


def test_the_oracle_of_places_agrees() -> None:
    """What is expected above of points and boxes is what GEOS says of them."""
    weir, box = shapely.Point(105.1, 38.5), shapely.box(105, 38, 106, 39)
    assert weir.within(box)
    assert weir.relate_pattern(box, "T*F**F***")
    assert weir.touches(shapely.LineString([(105.1, 38.5), (106, 39)]))
    assert not weir.overlaps(box)


def test_filters_go_along_links(room: Room) -> None:
    """req/request-data/filter: properties of linked entities by path, in sets of one and of many."""
    found = room.values("Observations", filter="Datastream/Thing/name eq 'gauge' and result ge 8", orderby="result")
    assert [one["result"] for one in found] == [8, 9]
    assert [one["@iot.id"] for one in room.values("Things", filter="Datastreams/Observations/result eq 9")] == [
        room.gauge
    ]
    assert room.values("Datastreams", filter="unitOfMeasurement/symbol eq 'nothing'") == []


def test_data_arrays_say_what_entities_say(room: Room) -> None:
    """req/data-array/data-array (reading): the same observations by datastream, with components and counts."""
    plain = room.values(f"Datastreams({room.level})/Observations", orderby="result")
    answer = room.get(f"Datastreams({room.level})/Observations", resultFormat="dataArray", orderby="result").json()
    (group,) = answer["value"]
    assert group["Datastream@iot.navigationLink"] == f"{room.root}/Datastreams({room.level})"
    assert group["dataArray@iot.count"] == len(group["dataArray"]) == len(plain)
    for row, one in zip(group["dataArray"], plain, strict=True):
        told = dict(zip(group["components"], row, strict=True))
        assert told.pop("id") == one["@iot.id"]
        # A line has a place for each component; entities leave out what they have not.
        assert {name: value for name, value in told.items() if value is not None}.items() <= one.items()
    chosen = room.get("Observations", resultFormat="dataArray", select="result", top="2", count="true").json()
    assert chosen["@iot.count"] >= 10
    assert all(one["components"] == ["result"] for one in chosen["value"])
    assert "resultFormat=dataArray" in chosen["@iot.nextLink"]


def test_a_sensor_and_a_property_are_entities_of_their_own(room: Room) -> None:
    """req/datamodel/sensor, observed-property: they may stand without any datastream."""
    alone = room.make("Sensors", sensor("alone"))
    assert room.values(f"Sensors({alone})/Datastreams") == []
    seen = room.make("ObservedProperties", observed("alone"))
    assert room.get(f"ObservedProperties({seen})/definition/$value").text == "http://example.org/alone"
    for path in (f"Sensors({alone})", f"ObservedProperties({seen})"):
        assert room.send("DELETE", path).status_code == 200
