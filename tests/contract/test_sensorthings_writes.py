"""SensorThings 1.1 over HTTP: creating, changing and deleting (18-088, 10), batches (11) and data arrays (12)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from email.parser import BytesParser
from email.policy import HTTP
from pathlib import Path
from typing import Any

import pytest

from geoservice.sensorthings.render import MOUNT
from geoservice.settings import Settings
from layers.access import Clearance
from tests.support.sensorthings import (
    ANYTHING,
    ROOT,
    Sta,
    location,
    named,
    observed,
    oven,
    reading,
    running_sta,
    sensor,
    stream,
)


@pytest.fixture(scope="module")
def sta(cluster_settings: Settings) -> Iterator[Sta]:
    """A service without entities; each test makes its own."""
    with running_sta(cluster_settings) as found:
        yield found


def number_of(answer: Any) -> int:
    assert answer.status_code == 201, answer.text
    assert answer.headers["location"] == answer.json()["@iot.selfLink"]
    found: int = answer.json()["@iot.id"]
    return found


def test_an_entity_is_made_and_shown(sta: Sta) -> None:
    answer = sta.send("POST", "Sensors", sensor("made"))
    assert answer.json() == sta.get(answer.headers["location"]).json()
    assert answer.json()["metadata"] == sensor()["metadata"]
    assert number_of(answer) > 0


def test_deep_insertion_links_what_it_makes(sta: Sta) -> None:
    thing = sta.make("Things", oven())
    flows = sta.values(f"Things({thing})/Datastreams", expand="Observations,Thing")
    assert [one["Thing"]["@iot.id"] for one in flows] == [thing]
    assert [one["result"] for one in flows[0]["Observations"]] == [20.5, 21, 22.25]
    (past,) = sta.values(f"Things({thing})/HistoricalLocations", expand="Locations")
    assert [one["name"] for one in past["Locations"]] == ["CCIT"]


@pytest.mark.parametrize(
    ("name", "body", "word"),
    [
        ("Things", {"name": "x"}, "description"),
        ("Things", named("x", colour="red"), "colour"),
        ("Things", named("x", properties=[1]), "object"),
        ("Things", {**named("x"), "name": 5}, "text"),
        ("Things", named("x\x00"), "characters"),
        ("Things", [], "object"),
        ("Things", named("x", Locations={"@iot.id": 1}), "array"),
        ("Things", named("x", Locations=[{"@iot.id": 10**6}]), "not there"),
        ("Things", named("x", Locations=[{"@iot.id": "$one"}]), "whole number"),
        ("Locations", {**location("x", 1, 2), "location": {"type": "Point"}}, "geometry"),
        ("Locations", location("x", 1, 200), "latitude"),
        ("Datastreams", stream("x"), "Thing"),
        ("Datastreams", stream("x", Thing={"@iot.id": 10**6}), "not there"),
        ("Datastreams", {**stream("x"), "unitOfMeasurement": "m"}, "symbol"),
        ("Observations", {"result": 1}, "Datastream"),
        ("Observations", reading(1, 1, Datastream={"@iot.id": 10**6}), "not there"),
        ("Observations", {"phenomenonTime": "yesterday", "result": 1}, "ISO 8601"),
        ("HistoricalLocations", {"time": "2026-01-01T00:00:00Z"}, "Thing"),
    ],
)
def test_bad_entities_are_told(sta: Sta, name: str, body: Any, word: str) -> None:
    before = {one: sta.get(one, count="true", top="0").json()["@iot.count"] for one in ("Sensors", name)}
    answer = sta.send("POST", name, body)
    assert answer.status_code in (400, 422), answer.text
    assert word in answer.json()["detail"], answer.json()["detail"]
    after = {one: sta.get(one, count="true", top="0").json()["@iot.count"] for one in before}
    assert after == before, "nothing half-written"


def test_readings_are_judged_by_the_one_writer(sta: Sta) -> None:
    thing = sta.make("Things", named("judged"))
    flow = sta.make(f"Things({thing})/Datastreams", stream("judged"))
    for result in ("warm", True):
        answer = sta.send("POST", f"Datastreams({flow})/Observations", reading(1, result))
        assert answer.status_code in (400, 422), answer.text
    late = {"phenomenonTime": "2099-01-01T00:00:00Z", "result": 1}
    assert sta.send("POST", f"Datastreams({flow})/Observations", late).status_code in (400, 422)
    assert sta.values(f"Datastreams({flow})/Observations") == []


def test_a_thing_that_moves_keeps_its_history(sta: Sta) -> None:
    thing = sta.make("Things", named("bus", Locations=[location("depot", 1, 1)]))
    there = sta.make(f"Things({thing})/Locations", location("stop", 2, 2))
    assert [one["@iot.id"] for one in sta.values(f"Things({thing})/Locations")] == [there]
    past = sta.values(f"Things({thing})/HistoricalLocations", expand="Locations", orderby="time")
    assert [one["Locations"][0]["name"] for one in past] == ["depot", "stop"]
    depot = past[0]["Locations"][0]["@iot.id"]
    assert sta.send("PATCH", f"Things({thing})", {"Locations": [{"@iot.id": depot}]}).status_code == 200
    assert [one["@iot.id"] for one in sta.values(f"Things({thing})/Locations")] == [depot]
    earlier = {"time": "2020-01-01T00:00:00Z", "Locations": [{"@iot.id": there}], "Thing": {"@iot.id": thing}}
    sta.make("HistoricalLocations", earlier)
    assert [one["@iot.id"] for one in sta.values(f"Things({thing})/Locations")] == [depot], "the past moves nobody"
    later = {"time": "2100-01-01T00:00:00Z", "Locations": [{"@iot.id": there}]}
    sta.make(f"Things({thing})/HistoricalLocations", later)
    assert [one["@iot.id"] for one in sta.values(f"Things({thing})/Locations")] == [there]


def test_a_change_changes_what_it_mentions(sta: Sta) -> None:
    thing = sta.make("Things", oven())
    before = sta.get(f"Things({thing})").json()
    answer = sta.send("PATCH", f"Things({thing})", {"description": "new", "@iot.id": 7})
    assert answer.status_code == 200
    assert answer.json() == sta.get(f"Things({thing})").json() == {**before, "description": "new"}
    place = sta.values(f"Things({thing})/Locations")[0]["@iot.id"]
    moved = {"type": "Point", "coordinates": [10, 10]}
    assert sta.send("PATCH", f"Locations({place})", {"location": moved}).status_code == 200
    inside = "st_within(location, geography'POLYGON ((9 9, 11 9, 11 11, 9 11, 9 9))')"
    assert place in [one["@iot.id"] for one in sta.values("Locations", filter=inside)]


def test_a_datastream_says_how_its_readings_are_calibrated(sta: Sta) -> None:
    thing = sta.make("Things", oven())
    flow = sta.values(f"Things({thing})/Datastreams")[0]["@iot.id"]
    wrong = sta.send("PATCH", f"Datastreams({flow})", {"properties": {"calibrations": [{"factor": 2}]}})
    assert wrong.status_code == 400
    assert "calibrations is an array" in wrong.text
    told = {"calibrations": [{"from": "2026-07-02T00:00:00Z", "factor": 2, "offset": 1}]}
    shown = sta.send("PATCH", f"Datastreams({flow})", {"properties": told})
    assert (shown.status_code, shown.json()["properties"]) == (200, told)
    fresh = {"phenomenonTime": "2026-07-02T08:00:00Z", "result": 20, "Datastream": {"@iot.id": flow}}
    made = sta.get(f"Observations({sta.make('Observations', fresh)})").json()
    assert (made["result"], made["resultQuality"]) == (41.0, "calibrated")
    assert made["parameters"]["calibration"]["raw"] == 20.0
    place = f"Observations({made['@iot.id']})"
    assert sta.send("PATCH", place, {"phenomenonTime": "2026-07-02T09:00:00Z"}).json()["result"] == 41.0
    other = sta.send("PATCH", place, {"result": 30}).json()
    assert (other["result"], other["parameters"]["calibration"]["raw"]) == (61.0, 30.0)
    assert [one["@iot.id"] for one in sta.values("Observations?$filter=resultQuality eq 'calibrated'")] == [
        made["@iot.id"]
    ]


def test_a_changed_observation_keeps_its_number(sta: Sta) -> None:
    thing = sta.make("Things", oven())
    flow = sta.values(f"Things({thing})/Datastreams")[0]["@iot.id"]
    readings = sta.values(f"Datastreams({flow})/Observations")
    last = readings[-1]
    answer = sta.send("PATCH", f"Observations({last['@iot.id']})", {"result": 30})
    assert answer.status_code == 200, answer.text
    assert answer.json() == {**last, "result": 30}
    assert sta.values(f"Datastreams({flow})/Observations") == [*readings[:-1], answer.json()]
    again = sta.send("PATCH", f"Observations({last['@iot.id']})", {"phenomenonTime": "2026-07-01T11:00:00Z"})
    assert again.json()["phenomenonTime"] == "2026-07-01T11:00:00Z"
    assert sta.get(f"Datastreams({flow})").json()["phenomenonTime"].endswith("T11:00:00Z")
    refused = sta.send("PATCH", f"Observations({last['@iot.id']})", {"result": "hot"})
    assert refused.status_code in (400, 422)
    assert sta.get(f"Observations({last['@iot.id']})").json() == again.json()


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("Things({thing})", {"name": None}),
        ("Things({thing})", {"Locations": [location("x", 1, 1)]}),
        ("Things({thing})", {"Datastreams": [{"@iot.id": 1}]}),
        ("Things({thing})", {"@geoservice.clearance": "internal"}),
    ],
)
def test_bad_changes_are_told(sta: Sta, path: str, body: Any) -> None:
    thing = sta.make("Things", named("still"))
    before = sta.get(f"Things({thing})").json()
    assert sta.send("PATCH", path.format(thing=thing), body).status_code == 400
    assert sta.get(f"Things({thing})").json() == before


def test_what_cannot_be_without_it_goes_with_it(sta: Sta) -> None:
    thing = sta.make("Things", oven())
    flow = sta.values(f"Things({thing})/Datastreams", expand="Sensor,ObservedProperty,Observations")[0]
    past = sta.values(f"Things({thing})/HistoricalLocations")[0]
    feature = sta.get(f"Observations({flow['Observations'][0]['@iot.id']})/FeatureOfInterest").json()
    assert sta.send("DELETE", f"Things({thing})").status_code == 200
    gone = [f"Things({thing})", flow["@iot.selfLink"], past["@iot.selfLink"]]
    gone += [one["@iot.selfLink"] for one in flow["Observations"]]
    assert [sta.get(one).status_code for one in gone] == [404] * len(gone)
    kept = [flow["Sensor"], flow["ObservedProperty"], feature]
    assert [sta.get(one["@iot.selfLink"]).status_code for one in kept] == [200] * 3
    assert sta.send("DELETE", f"Things({thing})").status_code == 404


def test_deletions_take_along_what_the_standard_says(sta: Sta) -> None:
    def fresh() -> tuple[int, dict[str, Any]]:
        thing = sta.make("Things", oven())
        return thing, sta.values(f"Things({thing})/Datastreams", expand="Sensor,ObservedProperty,Observations")[0]

    for link in ("Sensor", "ObservedProperty"):
        thing, flow = fresh()
        address = flow[link]["@iot.selfLink"].removeprefix(f"{ROOT}/")
        assert sta.send("DELETE", address).status_code == 200
        assert sta.get(flow["@iot.selfLink"]).status_code == 404
        assert sta.get(f"Things({thing})").status_code == 200
    thing, flow = fresh()
    first, *rest = flow["Observations"]
    assert sta.send("DELETE", f"Observations({rest[-1]['@iot.id']})").status_code == 200
    assert sta.get(flow["@iot.selfLink"]).json()["phenomenonTime"].endswith("T09:00:00Z")
    feature = sta.get(f"Observations({first['@iot.id']})/FeatureOfInterest").json()["@iot.id"]
    assert sta.send("DELETE", f"FeaturesOfInterest({feature})").status_code == 200
    assert sta.values(f"Things({thing})/Datastreams", expand="Observations")[0]["Observations"] == []
    place = sta.values(f"Things({thing})/Locations")[0]["@iot.id"]
    assert sta.send("DELETE", f"Locations({place})").status_code == 200
    assert sta.values(f"Things({thing})/HistoricalLocations") == []


def test_who_may_write(sta: Sta) -> None:
    body = named("nobody's")
    client = sta.service.client
    assert client.post(f"{MOUNT}/Things", json=body).status_code == 401
    key = sta.service.keys[Clearance.RESTRICTED]
    assert client.post(f"{MOUNT}/Things", json=body, headers={"X-API-Key": key}).status_code == 403
    headers = {"X-API-Key": sta.observers[Clearance.PUBLIC], "Content-Type": "text/plain"}
    assert client.post(f"{MOUNT}/Things", content="{}", headers=headers).status_code == 415
    for method, path in (
        ("DELETE", "Things"),
        ("POST", "Things(1)"),
        ("PATCH", "Things"),
        ("DELETE", "Things(1)/name"),
    ):
        assert sta.send(method, path, body).status_code in (404, 405), path


# ---------------------------------------------------------------- data arrays


def test_many_observations_as_arrays(sta: Sta) -> None:
    thing = sta.make("Things", named("arrays", Locations=[location("here", 3, 3)]))
    flow = sta.make(f"Things({thing})/Datastreams", stream("arrays"))
    rows = [[f"2026-07-01T{hour:02}:00:00Z", hour / 2] for hour in range(20)]
    bad = [["2026-07-02T00:00:00Z", "warm"], ["soon", 1], [1], None]
    body = [
        {"Datastream": {"@iot.id": flow}, "components": ["phenomenonTime", "result"], "dataArray": [*rows, *bad]},
        {"Datastream": {"@iot.id": 10**6}, "components": ["result"], "dataArray": [[1]]},
    ]
    answer = sta.send("POST", "CreateObservations", body)
    assert answer.status_code == 201, answer.text
    told = answer.json()
    assert told[20:] == ["error"] * 5
    assert [sta.get(one).json()["result"] for one in told[:20:7]] == [0, 3.5, 7]
    assert len(sta.values(f"Datastreams({flow})/Observations")) == 20
    assert sta.send("POST", "CreateObservations", body).json()[:20] == told[:20], "said twice, written once"
    for wrong in ({}, [], [{"Datastream": {"@iot.id": flow}, "components": ["colour"], "dataArray": [[1]]}]):
        assert sta.send("POST", "CreateObservations", wrong).status_code == 400


# ---------------------------------------------------------------- batches


def multipart(*parts: str) -> bytes:
    return "".join(f"--b\r\n{one}\r\n" for one in parts).encode() + b"--b--\r\n"


def http(text: str, name: str | None = None) -> str:
    head = "Content-Type: application/http\r\n" + (f"Content-ID: {name}\r\n" if name else "")
    return f"{head}\r\n{text}"


def changes(*parts: str) -> str:
    inner = "".join(f"--c\r\n{one}\r\n" for one in parts)
    return f"Content-Type: multipart/mixed; boundary=c\r\n\r\n{inner}--c--"


def post(path: str, body: str) -> str:
    return f"POST {path} HTTP/1.1\r\nContent-Type: application/json\r\n\r\n{body}"


def ask_batch(sta: Sta, body: bytes) -> list[Any]:
    headers = {"X-API-Key": sta.observers[Clearance.RESTRICTED], "Content-Type": "multipart/mixed; boundary=b"}
    answer = sta.service.client.post(f"{MOUNT}/$batch", content=body, headers=headers)
    assert answer.status_code == 200, answer.text
    media = answer.headers["content-type"]
    whole = BytesParser(policy=HTTP).parsebytes(f"Content-Type: {media}\r\n\r\n".encode() + answer.content)
    return list(whole.iter_parts())


def status(part: Any) -> int:
    return int(part.get_payload(decode=True).split()[1])


def test_a_batch_of_parts(sta: Sta) -> None:
    made = changes(
        http(post(f"{MOUNT}/Things", '{"name": "batched", "description": "x"}'), "one"),
        http(
            post("$one/Locations", '{"name": "l", "description": "x", "encodingType": "text/plain", "location": "h"}')
        ),
    )
    failed = changes(
        http(post("Things", '{"name": "never", "description": "x"}')), http(post("Things", '{"name": "never"}'))
    )
    body = multipart(http("GET /v1.1/Things?$filter=name%20eq%20'none' HTTP/1.1\r\n\r\n"), made, failed)
    first, second, third = ask_batch(sta, body)
    assert status(first) == 200
    assert b'"value": []' in first.get_payload(decode=True)
    assert [status(one) for one in second.iter_parts()] == [201, 201]
    assert status(third) == 400
    (thing,) = sta.values("Things", filter="name eq 'batched'", expand="Locations")
    assert [one["location"] for one in thing["Locations"]] == ["h"]
    assert sta.values("Things", filter="name eq 'never'") == []


def test_a_batch_in_json(sta: Sta) -> None:
    requests = [
        {"id": "s", "atomicityGroup": "g", "method": "post", "url": "Sensors", "body": sensor("in json")},
        {"id": "t", "atomicityGroup": "g", "method": "post", "url": "Things", "body": named("in json")},
        {
            "id": "d",
            "atomicityGroup": "g",
            "method": "post",
            "url": "$t/Datastreams",
            "body": {**stream("x", ANYTHING), "Sensor": {"@iot.id": "$s"}, "ObservedProperty": observed("any")},
        },
        {"id": "r", "method": "get", "url": "Sensors?$filter=name eq 'in json'&$expand=Datastreams/Thing"},
        {"id": "x", "method": "delete", "url": "Things(1000000)"},
    ]
    responses = sta.send("POST", "$batch", {"requests": requests}).json()["responses"]
    assert [(one["id"], one["status"]) for one in responses] == [
        ("s", 201),
        ("t", 201),
        ("d", 201),
        ("r", 200),
        ("x", 404),
    ]
    (found,) = responses[3]["body"]["value"]
    assert found["Datastreams"][0]["Thing"]["name"] == "in json"


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"requests": []},
        {"requests": [{"id": "1", "method": "TRACE", "url": "Things"}]},
        {"requests": [{"id": "1", "method": "GET", "url": "Things"}] * 2},
        {"requests": [{"id": "1", "method": "GET", "url": "Things", "atomicityGroup": "g"}]},
    ],
)
def test_bad_batches_are_told(sta: Sta, body: Any) -> None:
    assert sta.send("POST", "$batch", body).status_code == 400


def test_a_batch_needs_no_key_to_read(sta: Sta) -> None:
    requests = [
        {"id": "r", "method": "GET", "url": "Things?$top=0"},
        {"id": "w", "method": "POST", "url": "Things", "body": named("x")},
    ]
    answer = sta.service.client.post(f"{MOUNT}/$batch", json={"requests": requests})
    assert [one["status"] for one in answer.json()["responses"]] == [200, 401]


# ---------------------------------------------------------------- the page of examples


class Client:
    """What the page opens, on the service under test."""

    def __init__(self, sta: Sta) -> None:
        self._client, self._headers = sta.service.client, {"X-API-Key": sta.observers[Clearance.PUBLIC]}

    def get(self, address: str, **more: Any) -> Any:
        return self._client.get(ROOT + address.removeprefix(ROOT), headers=self._headers, **more)

    def post(self, address: str, **more: Any) -> Any:
        return self._client.post(ROOT + address, headers=self._headers, **more)


def test_the_page_of_examples(sta: Sta, capsys: pytest.CaptureFixture[str]) -> None:
    page = (Path(__file__).parents[2] / "docs" / "examples" / "sensorthings.md").read_text(encoding="utf-8")
    opening, *blocks = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    assert "httpx.Client(" in opening
    assert len(blocks) == 3
    exec("\n".join(blocks), {"client": Client(sta)})  # noqa: S102
    printed = capsys.readouterr().out.splitlines()
    assert printed == [f"2026-07-01T{hour}:00:00Z 2.{50 + hour} [105.1, 38.5]" for hour in (21, 22, 23)]
