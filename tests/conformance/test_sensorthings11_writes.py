"""SensorThings 1.1: requirements of creating, changing and deleting, of batches and data arrays, over a socket.

Docstrings name the requirement of OGC 18-088 that a test is about; payloads follow the examples of the standard.
"""

from __future__ import annotations

import json
from email.parser import BytesParser
from email.policy import HTTP
from typing import Any

import pytest

from tests.conformance.sensorthings import SETS, Room
from tests.support.sensorthings import location, named, observed, oven, reading, sensor, stream

PLACE = {"type": "Point", "coordinates": [-114.06, 51.05]}


def feature(name: str) -> dict[str, Any]:
    return named(name, encodingType="application/geo+json", feature=PLACE)


def counts(room: Room) -> dict[str, int]:
    """How many entities of each set there are."""
    return {name: room.get(name, top="0", count="true").json()["@iot.count"] for name in SETS}


def test_who_may_not_write_is_told_so(room: Room) -> None:
    """req/create-update-delete: writing is there, and not for everybody; nothing comes of what is refused."""
    before = counts(room)
    anonymous = room.client.post(f"{room.root}/Things", json=named("nobody's"))
    assert (anonymous.status_code, anonymous.headers["content-type"]) == (401, "application/problem+json")
    for method in ("PATCH", "PUT", "DELETE"):
        body = None if method == "DELETE" else named("nobody's")
        assert room.client.request(method, f"{room.root}/Things({room.gauge})", json=body).status_code == 401
    assert room.client.post(f"{room.root}/CreateObservations", json=[]).status_code == 401
    assert counts(room) == before


def test_each_entity_is_created(room: Room) -> None:
    """req/create-update-delete/create-entity: 201, the address in Location, and the entity at it."""
    link = {"@iot.id": room.gauge}
    moved = {"time": "2019-01-01T00:00:00Z", "Thing": link, "Locations": [location("before", 1, 1)]}
    bodies: dict[str, dict[str, Any]] = {
        "Things": named("created", properties={"owner": "water office"}),
        "Locations": location("created", 1, 1),
        "HistoricalLocations": moved,
        "Datastreams": stream("created", Thing=link),
        "Sensors": sensor("created"),
        "ObservedProperties": observed("created"),
        "Observations": reading(12, 12.0, Datastream={"@iot.id": room.level}, FeatureOfInterest=feature("created")),
        "FeaturesOfInterest": feature("created"),
    }
    for name, body in bodies.items():
        answer = room.send("POST", name, body)
        assert answer.status_code == 201, answer.text
        assert answer.headers["location"] == answer.json()["@iot.selfLink"]
        found = room.get(answer.headers["location"]).json()
        assert found == answer.json()
        plain = {key: value for key, value in body.items() if key[0].islower()}
        assert plain.items() <= found.items(), name
        assert room.send("DELETE", f"{name}({found['@iot.id']})").status_code == 200


def test_new_entities_are_linked_to_those_that_are_there(room: Room) -> None:
    """req/create-update-delete/link-to-existing-entities: by @iot.id in the body, and by the address of the set."""
    tool, seen = room.make("Sensors", sensor("linked")), room.make("ObservedProperties", observed("linked"))
    here = room.make("Locations", location("linked", 2, 2))
    thing = room.make("Things", named("linked", Locations=[{"@iot.id": here}]))
    links = {"Sensor": {"@iot.id": tool}, "ObservedProperty": {"@iot.id": seen}, "Thing": {"@iot.id": thing}}
    flow = room.make("Datastreams", stream("linked", **links))
    about = room.make("FeaturesOfInterest", feature("linked"))
    value = room.make(f"Datastreams({flow})/Observations", reading(1, 1, FeatureOfInterest={"@iot.id": about}))
    found = room.get(f"Observations({value})", expand="FeatureOfInterest,Datastream/Sensor,Datastream/Thing").json()
    assert found["FeatureOfInterest"]["@iot.id"] == about
    assert (found["Datastream"]["Sensor"]["@iot.id"], found["Datastream"]["Thing"]["@iot.id"]) == (tool, thing)
    assert [one["@iot.id"] for one in room.values(f"Things({thing})/Locations")] == [here]
    for body in (stream("x", **{**links, "Sensor": {"@iot.id": 10**7}}), stream("x", Sensor=links["Sensor"])):
        assert room.send("POST", "Datastreams", body).status_code == 400


def test_deep_insertion(room: Room) -> None:
    """req/create-update-delete/deep-insert: what is sent inside is made and linked; 201 for the outer."""
    before = counts(room)
    answer = room.send("POST", "Things", oven())
    assert answer.status_code == 201
    thing = answer.json()["@iot.id"]
    after = counts(room)
    grown = {name: after[name] - before[name] for name in SETS}
    # The readings are about the place of the thing, of which a feature of interest is made (8.2.8).
    assert grown == {**dict.fromkeys(SETS, 1), "Observations": 3}
    (flow,) = room.values(f"Things({thing})/Datastreams", expand="Sensor,ObservedProperty,Observations")
    assert flow["Sensor"]["name"] == "DHT22"
    assert [one["result"] for one in flow["Observations"]] == [20.5, 21, 22.25]
    about = room.get(f"Observations({flow['Observations'][0]['@iot.id']})/FeatureOfInterest").json()
    assert about["feature"] == {"type": "Point", "coordinates": [-114.133, 51.08]}


@pytest.mark.parametrize(
    "broken",
    [
        {"Datastreams": [{**stream("x"), "ObservedProperty": {"name": "no definition"}}]},
        {"Datastreams": [stream("x", Observations=[reading(1, 1.0), reading(2, "warm")])]},
        {"Datastreams": [stream("x", Thing={"@iot.id": 1})]},
        {"Locations": [{**location("x", 1, 2), "location": {"type": "Point", "coordinates": [1, 95]}}]},
        {"Locations": [{"@iot.id": 10**7}]},
    ],
)
def test_a_deep_insertion_that_fails_leaves_nothing(room: Room, broken: dict[str, Any]) -> None:
    """req/create-update-delete/deep-insert-status-code: 4xx when one cannot be made, and none of the others is."""
    before = counts(room)
    answer = room.send("POST", "Things", named("half", **broken))
    assert answer.status_code in (400, 422)
    assert answer.headers["content-type"] == "application/problem+json"
    assert counts(room) == before


def test_patch_changes_what_it_mentions(room: Room) -> None:
    """req/create-update-delete/update-entity: members that are not sent stay, numbers that are sent are ignored."""
    thing = room.make("Things", named("patched", properties={"a": 1}))
    before = room.get(f"Things({thing})").json()
    answer = room.send("PATCH", f"Things({thing})", {"@iot.id": 7, "description": "new"})
    assert answer.status_code == 200
    assert room.get(f"Things({thing})").json() == {**before, "description": "new"} == answer.json()
    other = room.make("Sensors", sensor("other"))
    flow = room.make(f"Things({thing})/Datastreams", stream("patched"))
    assert room.send("PATCH", f"Datastreams({flow})", {"Sensor": {"@iot.id": other}}).status_code == 200
    assert room.get(f"Datastreams({flow})/Sensor").json()["@iot.id"] == other
    inline = room.send("PATCH", f"Datastreams({flow})", {"Sensor": sensor("inline")})
    assert inline.status_code == 400, "a change has no entities inside"
    assert room.send("PATCH", "Things(10000000)", {"name": "x"}).status_code == 404
    assert room.send("PATCH", "Things", {"name": "x"}).status_code == 405


def test_put_empties_what_it_does_not_mention(room: Room) -> None:
    """req/create-update-delete/update-entity-put: what is not sent is emptied, links stay."""
    thing = room.make("Things", {**oven(), "properties": {"a": 1}})
    before = room.get(f"Things({thing})", expand="Datastreams,Locations").json()
    answer = room.send("PUT", f"Things({thing})", named("put"))
    assert answer.status_code == 200, answer.text
    after = room.get(f"Things({thing})", expand="Datastreams,Locations").json()
    assert "properties" not in after
    assert after == {**{key: value for key, value in before.items() if key != "properties"}, **named("put")}
    assert room.send("PUT", f"Things({thing})", {"name": "no description"}).status_code == 400
    assert room.get(f"Things({thing})", expand="Datastreams,Locations").json() == after
    flow = after["Datastreams"][0]
    kept = {key: flow[key] for key in ("name", "description", "observationType")}
    unit = {"name": "Kelvin", "symbol": "K", "definition": "http://example.org/K"}
    changed = room.send("PUT", f"Datastreams({flow['@iot.id']})", {**kept, "unitOfMeasurement": unit}).json()
    assert changed["unitOfMeasurement"] == unit
    assert changed["phenomenonTime"] == flow["phenomenonTime"], "what the service keeps is not emptied"
    value = room.make(f"Datastreams({room.level})/Observations", reading(20, 5.0, resultQuality="good"))
    told = room.send("PUT", f"Observations({value})", {"result": 6.0}).json()
    assert (told["result"], told["phenomenonTime"]) == (6, "2026-07-01T20:00:00Z")
    assert "resultQuality" not in told
    assert room.send("DELETE", f"Observations({value})").status_code == 200


CASCADES = {
    "Things": {"Datastreams", "HistoricalLocations", "Observations"},
    "Locations": {"HistoricalLocations"},
    "Datastreams": {"Observations"},
    "Sensors": {"Datastreams", "Observations"},
    "ObservedProperties": {"Datastreams", "Observations"},
    "FeaturesOfInterest": {"Observations"},
    "HistoricalLocations": set(),
    "Observations": set(),
}
"""Table 25, and what follows from the rows of what goes along."""


@pytest.mark.parametrize("name", CASCADES)
def test_deletions_cascade_as_table_25_says(room: Room, name: str) -> None:
    """req/create-update-delete/delete-entity: 200, then 404; what cannot be without it goes with it."""
    before = counts(room)
    thing = room.make("Things", {**oven(), "Locations": [location(f"for {name}", 3, 3)]})
    flow = room.values(f"Things({thing})/Datastreams", expand="Sensor,ObservedProperty,Observations")[0]
    about = room.get(f"Observations({flow['Observations'][0]['@iot.id']})/FeatureOfInterest").json()
    numbers = {
        "Things": thing,
        "Locations": room.values(f"Things({thing})/Locations")[0]["@iot.id"],
        "Datastreams": flow["@iot.id"],
        "Sensors": flow["Sensor"]["@iot.id"],
        "ObservedProperties": flow["ObservedProperty"]["@iot.id"],
        "FeaturesOfInterest": about["@iot.id"],
        "HistoricalLocations": room.values(f"Things({thing})/HistoricalLocations")[0]["@iot.id"],
        "Observations": flow["Observations"][0]["@iot.id"],
    }
    assert room.send("DELETE", f"{name}({numbers[name]})").status_code == 200
    assert room.get(f"{name}({numbers[name]})").status_code == 404
    assert room.send("DELETE", f"{name}({numbers[name]})").status_code == 404
    gone = CASCADES[name] | {name}
    for other, number in numbers.items():
        assert room.get(f"{other}({number})").status_code == (404 if other in gone else 200), other
    left = {one: count - before[one] for one, count in counts(room).items()}
    readings = 2 if name == "Observations" else (0 if "Observations" in gone else 3)
    assert left == {one: 0 if one in gone else 1 for one in SETS} | {"Observations": readings}


def test_a_move_is_remembered(room: Room) -> None:
    """req/create-update-delete/historical-location-auto-creation: one for each place a thing comes to."""
    thing = room.make("Things", named("van", Locations=[location("depot", 1, 1)]))
    assert len(room.values(f"Things({thing})/HistoricalLocations")) == 1
    room.make(f"Things({thing})/Locations", location("site", 2, 2))
    past = room.values(f"Things({thing})/HistoricalLocations", expand="Locations", orderby="time")
    assert [one["Locations"][0]["name"] for one in past] == ["depot", "site"]
    assert [one["name"] for one in room.values(f"Things({thing})/Locations")] == ["site"]


# ---------------------------------------------------------------- req/data-array


def test_data_arrays_create_observations(room: Room) -> None:
    """req/data-array/data-array (creating): 201, the addresses in order, `error` for rows that are none (12.2)."""
    thing = room.make("Things", named("arrays"))
    one, two = (room.make(f"Things({thing})/Datastreams", stream(name)) for name in ("first", "second"))
    about = room.make("FeaturesOfInterest", feature("arrays"))
    body = [
        {
            "Datastream": {"@iot.id": one},
            "components": ["phenomenonTime", "result", "FeatureOfInterest/id"],
            "dataArray@iot.count": 2,
            "dataArray": [["2026-07-01T10:22:12Z", 20, about], ["2026-07-01T10:22:13Z", 30, about]],
        },
        {
            "Datastream": {"@iot.id": two},
            "components": ["phenomenonTime", "result"],
            "dataArray": [["2026-07-01T10:22:12Z", 65], ["2026-07-01T10:22:13Z", "wet"]],
        },
    ]
    answer = room.send("POST", "CreateObservations", body)
    assert answer.status_code == 201, answer.text
    *addresses, failed = answer.json()
    assert failed == "error"
    assert [room.get(address).json()["result"] for address in addresses] == [20, 30, 65]
    assert room.get(f"{addresses[0]}/FeatureOfInterest").json()["@iot.id"] == about
    assert len(room.values(f"Datastreams({two})/Observations")) == 1
    wrong = {**body[0], "dataArray@iot.count": 3}
    assert room.send("POST", "CreateObservations", [wrong]).status_code == 400


# ---------------------------------------------------------------- req/batch-request


def application_http(text: str, name: str | None = None) -> str:
    content_id = "" if name is None else f"Content-ID: {name}\r\n"
    return f"Content-Type: application/http\r\nContent-Transfer-Encoding: binary\r\n{content_id}\r\n{text}\r\n"


def changing(method: str, url: str, body: Any, name: str | None = None) -> str:
    text = json.dumps(body)
    head = f"Content-Type: application/json\r\nContent-Length: {len(text)}\r\n"
    return application_http(f"{method} {url} HTTP/1.1\r\nHost: example.org\r\n{head}\r\n{text}", name)


def change_set(*parts: str) -> str:
    inner = "".join(f"--changeset_77162fcd\r\n{part}" for part in parts)
    return f"Content-Type: multipart/mixed; boundary=changeset_77162fcd\r\n\r\n{inner}--changeset_77162fcd--\r\n"


def send_batch(room: Room, *parts: str) -> Any:
    body = "".join(f"--batch_36522ad7\r\n{part}" for part in parts) + "--batch_36522ad7--\r\n"
    headers = {"X-API-Key": room.key, "Content-Type": "multipart/mixed; boundary=batch_36522ad7"}
    return room.client.post(f"{room.root}/$batch", content=body.encode(), headers=headers)


def parts_of(answer: Any) -> list[Any]:
    assert answer.status_code == 200, answer.text
    head = f"Content-Type: {answer.headers['content-type']}\r\n\r\n".encode()
    return list(BytesParser(policy=HTTP).parsebytes(head + answer.content).iter_parts())


def told(part: Any) -> tuple[int, Any]:
    """Status and body of a part."""
    head, _, body = part.get_payload(decode=True).partition(b"\r\n\r\n")
    return int(head.split()[1]), json.loads(body) if body.strip() else None


def test_a_batch_as_the_standard_has_it(room: Room) -> None:
    """req/batch-request: a query, a change set of an insertion and an update, and one more query (11.2.1)."""
    thing = room.make("Things", named("batched"))
    answer = send_batch(
        room,
        application_http(f"GET /v1.1/Things({thing}) HTTP/1.1\r\nHost: example.org\r\n\r\n"),
        change_set(
            changing("POST", "/v1.1/Sensors", sensor("batched"), "1"),
            changing("PATCH", f"/v1.1/Things({thing})", {"description": "patched"}, "2"),
            changing("PUT", f"/v1.1/Things({thing})", named("put"), "3"),
        ),
        application_http("GET /v1.1/Things(10000000) HTTP/1.1\r\nHost: example.org\r\n\r\n"),
    )
    first, changes, last = parts_of(answer)
    assert told(first) == (200, {**told(first)[1], **named("batched")})
    assert [told(one)[0] for one in changes.iter_parts()] == [201, 200, 200]
    assert [one["Content-ID"] for one in changes.iter_parts()] == ["1", "2", "3"]
    assert told(last)[0] == 404
    assert room.get(f"Things({thing})").json()["name"] == "put"


def test_a_change_set_refers_to_what_it_made(room: Room) -> None:
    """req/batch-request: $ and a Content-ID stand for an entity that an earlier request of the set made (11.2.2)."""
    answer = send_batch(
        room,
        change_set(
            changing("POST", "/v1.1/Things", named("referred"), "any1"),
            changing("POST", "$any1/Datastreams", stream("referred"), "any2"),
            changing("POST", "/v1.1/Observations", reading(3, 7.5, Datastream={"@iot.id": "$any2"})),
        ),
    )
    (changes,) = parts_of(answer)
    assert [told(one)[0] for one in changes.iter_parts()] == [201, 201, 201]
    (thing,) = room.values("Things", filter="name eq 'referred'", expand="Datastreams/Observations")
    assert [one["result"] for one in thing["Datastreams"][0]["Observations"]] == [7.5]


@pytest.mark.parametrize(
    "last",
    [
        changing("POST", "/v1.1/Sensors", {"name": "no description"}),
        changing("DELETE", "/v1.1/Things(10000000)", None),
        changing("POST", "$nobody/Datastreams", stream("x")),
        changing("PATCH", "/v1.1/Things", {"name": "x"}),
        changing("POST", "/v1.1/Nothings", {}),
    ],
)
def test_a_change_set_is_done_whole_or_not_at_all(room: Room, last: str) -> None:
    """req/batch-request: one answer for the set with the status of what failed; what came before it is undone."""
    before = counts(room)
    fine = changing("POST", "/v1.1/Things", oven(), "fine")
    beside = application_http("GET /v1.1/Things?$top=1 HTTP/1.1\r\n\r\n")
    failed, after = parts_of(send_batch(room, change_set(fine, last), beside))
    status, body = told(failed)
    assert 400 <= status < 500
    assert body["detail"].endswith(".")
    assert told(after)[0] == 200
    assert counts(room) == before


@pytest.mark.parametrize(
    "parts",
    [
        (),
        ("Content-Type: text/plain\r\n\r\nGET Things\r\n",),
        (application_http("Things"),),
        (application_http("TRACE /v1.1/Things HTTP/1.1\r\n\r\n"),),
        (change_set(application_http("GET /v1.1/Things HTTP/1.1\r\n\r\n")),),
        (application_http("POST /v1.1/Things HTTP/1.1\r\nContent-Type: application/json\r\n\r\n{"),),
        (application_http('POST /v1.1/Things HTTP/1.1\r\n\r\n{"name": NaN}'),),
        (change_set(change_set(changing("POST", "/v1.1/Things", named("x")))),),
        (application_http("GET /v1.1/Things HTTP/1.1\r\n\r\n", "a b"),),
        (application_http("GET /v1.1/Things HTTP/1.1\r\n\r\n"),) * 501,
    ],
)
def test_bad_parts_are_told(room: Room, parts: tuple[str, ...]) -> None:
    """req/batch-request: a batch that cannot be read is refused as a whole."""
    before = counts(room)
    fine = changing("POST", "/v1.1/Things", named("before the bad one"))
    answer = send_batch(room, *((fine, *parts) if parts else ()))
    assert (answer.status_code, answer.headers["content-type"]) == (400, "application/problem+json"), answer.text
    assert counts(room) == before


def test_names_of_a_change_set_end_with_it(room: Room) -> None:
    """req/batch-request: a Content-ID means nothing outside its change set."""
    answer = send_batch(
        room,
        change_set(changing("POST", "/v1.1/Things", named("inside"), "inside")),
        changing("POST", "$inside/Datastreams", stream("outside")),
    )
    made, lost = parts_of(answer)
    assert [told(one)[0] for one in made.iter_parts()] == [201]
    assert told(lost)[0] == 400
