"""SensorThings 1.1 over HTTP: what 18-088, 8 and 9 say of entities, addresses and options."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from geoservice.settings import Settings
from tests.support.sensorthings import ROOT, Sta, location, named, oven, reading, running_sta, stream

SETS = (
    "Things",
    "Locations",
    "HistoricalLocations",
    "Datastreams",
    "Sensors",
    "ObservedProperties",
    "Observations",
    "FeaturesOfInterest",
)


@pytest.fixture(scope="module")
def sta(cluster_settings: Settings) -> Iterator[Sta]:
    """An oven with three readings, a river gauge with 24 of which one was revised. Tests only read."""
    with running_sta(cluster_settings) as found:
        found.make("Things", oven())
        readings = [reading(hour, float(hour)) for hour in range(24)]
        gauge = named("gauge", properties={"river": "Min", "level": 3, "open": True})
        streams = [stream("water level", Observations=readings), stream("water temperature")]
        found.make("Things", {**gauge, "Locations": [location("weir", 105.1, 38.5)], "Datastreams": streams})
        found.make("Datastreams(2)/Observations", reading(23, 99.0, resultTime="2026-07-02T00:00:00Z"))
        yield found


def test_the_root_names_the_sets_and_what_is_met(sta: Sta) -> None:
    body = sta.get(ROOT).json()
    assert sta.get(f"{ROOT}/").json() == body
    assert [one["name"] for one in body["value"]] == list(SETS)
    assert all(sta.get(one["url"]).status_code == 200 for one in body["value"])
    declared = body["serverSettings"]["conformance"]
    assert "http://www.opengis.net/spec/iot_sensing/1.1/req/datamodel" in declared
    assert not any("multi-datastream" in one for one in declared), "there are none"


def test_an_entity_has_what_the_standard_says(sta: Sta) -> None:
    thing = sta.get("Things(1)").json()
    assert thing == {
        "@iot.id": 1,
        "@iot.selfLink": f"{ROOT}/Things(1)",
        "name": "Temperature Monitoring System",
        "description": "about Temperature Monitoring System",
        "properties": {"Deployment Condition": "Deployed in a third floor balcony", "Case Used": "Radiation shield"},
        "Datastreams@iot.navigationLink": f"{ROOT}/Things(1)/Datastreams",
        "Locations@iot.navigationLink": f"{ROOT}/Things(1)/Locations",
        "HistoricalLocations@iot.navigationLink": f"{ROOT}/Things(1)/HistoricalLocations",
    }
    flow = sta.get("Datastreams(1)").json()
    assert flow["unitOfMeasurement"]["symbol"] == "Cel"
    assert flow["phenomenonTime"] == "2026-07-01T08:00:00Z/2026-07-01T10:00:00Z"
    assert flow["observationType"].endswith("OM_Measurement")
    assert sta.get("Observations(1)").json()["result"] == 20.5
    assert sta.get("Locations(1)").json()["location"] == {"type": "Point", "coordinates": [-114.133, 51.08]}


@pytest.mark.parametrize("name", SETS)
def test_every_link_of_every_entity_leads_somewhere(sta: Sta, name: str) -> None:
    entities = sta.values(name, top="3")
    assert entities, name
    for one in entities:
        assert sta.get(one["@iot.selfLink"]).json() == one
        links = [value for key, value in one.items() if key.endswith("@iot.navigationLink")]
        assert links
        for link in links:
            answer = sta.get(link)
            assert answer.status_code == 200, link
            assert "@iot.id" in answer.json() or "value" in answer.json()


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("Things(1)/name", {"name": "Temperature Monitoring System"}),
        ("Things(2)/properties/level", {"level": 3}),
        ("Datastreams(1)/unitOfMeasurement/symbol", {"symbol": "Cel"}),
        ("Observations(1)/Datastream/Thing/id", {"id": 1}),
        ("Things(1)/Datastreams(1)/Observations(2)/result", {"result": 21}),
        ("Datastreams(1)/ObservedProperty/$ref", {"@iot.selfLink": f"{ROOT}/ObservedProperties(1)"}),
        ("Things(1)/Datastreams/$ref", {"value": [{"@iot.selfLink": f"{ROOT}/Datastreams(1)"}]}),
        ("Locations(1)/location/coordinates/1", {"1": 51.08}),
    ],
)
def test_addresses(sta: Sta, path: str, expected: object) -> None:
    assert sta.get(path).json() == expected


def test_bare_values(sta: Sta) -> None:
    name = sta.get("Things(1)/name/$value")
    assert (name.text, name.headers["content-type"]) == ("Temperature Monitoring System", "text/plain; charset=utf-8")
    assert sta.get("Observations(1)/result/$value").text == "20.5"
    assert sta.get("Locations(1)/location/$value").json()["type"] == "Point"
    assert sta.get("Observations(1)/validTime").status_code == 204


@pytest.mark.parametrize(
    "path",
    [
        "Things(99)",
        "Thing(1)",
        "Things(1)/Observations",
        "Things(1)/Datastreams(2)",
        "Things(x)",
        "Things(-1)",
        "Things/name",
        "Things(1)/name/$value/$value",
        "Things(1)/colour",
        "Things(1)/properties/colour",
        "Things(99)/Datastreams",
        "Things(1)/Datastreams/Observations",
        "Datastreams(1)/Thing(1)",
        "$metadata",
        "/".join(["Things(1)", *["Datastreams(1)", "Thing"] * 12]),
    ],
)
def test_what_is_not_there_is_not_found(sta: Sta, path: str) -> None:
    assert sta.get(path).status_code == 404


def test_pages_show_everything_once(sta: Sta) -> None:
    for order in ("result desc", "phenomenonTime", "Datastream/name desc,result", "resultQuality,id desc", "id"):
        seen, address = [], f"{ROOT}/Observations?$top=4&$count=true&$orderby={order}&$filter=result lt 50"
        pages = 0
        while address:
            body = sta.get(address).json()
            assert body["@iot.count"] == 26, order
            seen += [one["@iot.id"] for one in body["value"]]
            address, pages = body.get("@iot.nextLink"), pages + 1
        assert len(seen) == len(set(seen)) == 26, order
        assert pages == 7


def test_order_and_skip(sta: Sta) -> None:
    results = [one["result"] for one in sta.values("Datastreams(2)/Observations", orderby="result desc", top="3")]
    assert results == [99, 22, 21]
    skipped = sta.values("Datastreams(2)/Observations", orderby="result desc", top="2", skip="1")
    assert [one["result"] for one in skipped] == [22, 21]
    assert sta.get("Observations", top="0", count="true").json() == {"@iot.count": 27, "value": []}


def test_a_revised_reading_is_listed_as_it_counts(sta: Sta) -> None:
    at_last = sta.values("Datastreams(2)/Observations", filter="phenomenonTime eq 2026-07-01T23:00:00Z")
    assert [one["result"] for one in at_last] == [99]
    former = sta.get("Observations(27)").json()
    assert (former["result"], former["phenomenonTime"]) == (23, at_last[0]["phenomenonTime"])


def test_select(sta: Sta) -> None:
    assert sta.values("Observations", select="result,phenomenonTime", top="1") == [
        {"phenomenonTime": "2026-07-01T08:00:00Z", "result": 20.5}
    ]
    found = sta.values("Things", select="id,Datastreams", filter="id eq 2")
    assert found == [
        {
            "@iot.id": 2,
            "@iot.selfLink": f"{ROOT}/Things(2)",
            "Datastreams@iot.navigationLink": f"{ROOT}/Things(2)/Datastreams",
        }
    ]


def test_expand(sta: Sta) -> None:
    option = "Datastreams($select=name;$expand=Observations($top=2;$count=true;$orderby=result desc),Sensor),Locations"
    things = sta.values("Things", expand=option)
    assert [one["name"] for one in things[1]["Datastreams"]] == ["water level", "water temperature"]
    level, temperature = things[1]["Datastreams"]
    assert [one["result"] for one in level["Observations"]] == [99, 22]
    assert (level["Observations@iot.count"], temperature["Observations@iot.count"]) == (24, 0)
    assert temperature["Observations"] == []
    assert level["Sensor"]["name"] == "DHT22"
    assert things[0]["Locations"][0]["name"] == "CCIT"
    assert "HistoricalLocations@iot.navigationLink" in things[0]
    following = sta.get(level["Observations@iot.nextLink"]).json()
    assert [one["result"] for one in following["value"]] == [21, 20]


def test_expand_by_paths(sta: Sta) -> None:
    one = sta.get("Observations(1)", expand="Datastream/Thing,Datastream/Sensor,FeatureOfInterest").json()
    assert one["Datastream"]["Thing"]["@iot.id"] == 1
    assert one["Datastream"]["Sensor"]["@iot.id"] == 1
    # Made of the place of the thing, since nobody said what the readings are about.
    assert one["FeatureOfInterest"]["feature"] == {"type": "Point", "coordinates": [-114.133, 51.08]}


def test_data_arrays(sta: Sta) -> None:
    body = sta.get("Observations", resultFormat="dataArray", orderby="id", top="5", select="id,result").json()
    assert [one["Datastream@iot.navigationLink"] for one in body["value"]] == [
        f"{ROOT}/Datastreams(1)",
        f"{ROOT}/Datastreams(2)",
    ]
    assert body["value"][0]["components"] == ["id", "result"]
    assert body["value"][0]["dataArray"] == [[1, 20.5], [2, 21], [3, 22.25]]
    assert [one["dataArray@iot.count"] for one in body["value"]] == [3, 2]
    assert "resultFormat=dataArray" in body["@iot.nextLink"]


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("Datastreams/ObservedProperty/name eq 'water level property'", [2]),
        ("Locations/name eq 'CCIT' or startswith(name,'gau')", [1, 2]),
        ("not (Locations/name eq 'CCIT')", [2]),
        ("properties/river eq 'Min' and properties/level gt 2", [2]),
        ("properties/open", [2]),
        ("properties/river eq null", [1]),
        ("geo.distance(Locations/location, geography'POINT (-114 51)') lt 1", [1]),
        ("st_within(Locations/location, geography'POLYGON ((105 38, 106 38, 106 39, 105 39, 105 38))')", [2]),
        ("st_relate(Locations/location, geography'POINT (105.1 38.5)', 'T********')", [2]),
        ("Locations/location/coordinates/0 lt 0", [1]),
        ("Datastreams/Observations/result eq 22.25", [1]),
        ("length(name) eq 5", [2]),
    ],
)
def test_filters_of_things(sta: Sta, expression: str, expected: list[int]) -> None:
    assert [one["@iot.id"] for one in sta.values("Things", filter=expression)] == expected


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"filter": "name eq"}, "character 8"),
        ({"filter": "name eq 'x"}, "character 9"),
        ({"filter": "colour eq 'x'"}, "Datastreams"),
        ({"filter": "name"}, "condition"),
        ({"filter": "name lt 5"}, "cannot compare"),
        ({"filter": "contains(name,'x')"}, "substringof"),
        ({"filter": "length(name,'x') eq 1"}, "takes 1"),
        ({"filter": "not name eq 'x'"}, "parentheses"),
        ({"filter": "id eq 9 mul 9e999"}, "64 bits"),
        ({"filter": "properties/level mul 1e308 mul 1e308 gt 1"}, "64 bits"),
        ({"filter": "st_within(name, geography'POINT (1 2)')"}, "geometry"),
        ({"filter": "st_within(Locations/location, geography'POINT (1 200)')"}, "latitude"),
        ({"filter": "st_within(Locations/location, geography'POLYGON ((0 0, 1 1, 0 1, 1 0, 0 0))')"}, "Self-inter"),
        ({"filter": "(" * 40 + "name eq 'x'" + ")" * 40}, "deep"),
        ({"filter": " and ".join(["id eq 1"] * 400)}, "at most"),
        ({"filter": "x" * 9000}, "characters"),
        ({"orderby": "Locations/name"}, "many"),
        ({"orderby": "name sideways"}, "asc"),
        ({"select": "colour"}, "description"),
        ({"expand": "Observations"}, "Locations"),
        ({"expand": "Datastreams($top=x)"}, "whole number"),
        ({"expand": "Datastreams($colour=x)"}, "no option"),
        ({"expand": "Datastreams($top=1"}, "Parentheses"),
        ({"expand": "/".join(["Datastreams", "Thing"] * 5)}, "deep"),
        ({"top": "-1"}, "whole number"),
        ({"skip": "1e3"}, "whole number"),
        ({"count": "yes"}, "true or false"),
        ({"resultFormat": "dataArray"}, "Observations"),
        ({"skiptoken": "x"}, "nextLink"),
        ({"skiptoken": "WyJ4Il0"}, "nextLink"),
        ({"colour": "x"}, "$filter"),
    ],
)
def test_bad_options_are_told(sta: Sta, options: dict[str, str], word: str) -> None:
    answer = sta.get("Things", **options)
    assert answer.status_code == 400, answer.text
    assert word in answer.json()["detail"], answer.json()["detail"]


def test_an_option_comes_once(sta: Sta) -> None:
    assert sta.get(f"{ROOT}/Things?$top=1&$top=2").status_code == 400
    assert sta.get(f"{ROOT}/Things(1)/name?$top=1").status_code == 400
