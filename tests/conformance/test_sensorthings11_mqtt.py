"""SensorThings 1.1 by MQTT (18-088, 14.1), with a real broker: created by publishing, told to whoever subscribes."""

from __future__ import annotations

import json
import queue
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import paho.mqtt.client as mqtt
import pytest
import sqlalchemy as sa

from geoservice.db.credentials import Role
from geoservice.observations.listen import Broker, Flow, Listener
from geoservice.observations.tables import quarantine
from geoservice.observations.topics import Pattern
from geoservice.ogc.sensorthings import CREATION_BY_MQTT
from geoservice.sensorthings.post import Posts
from layers.catalog import Catalog
from tests.conformance.sensorthings import Room
from tests.support.broker import Mosquitto
from tests.support.sensorthings import location, named, stream
from tests.support.service import running

OUT = Pattern.parse("told/v1.1/Datastreams({stream})/Observations")


@pytest.fixture
def mosquitto(tmp_path: Path) -> Iterator[Mosquitto]:
    made = Mosquitto(tmp_path)
    made.start()
    yield made
    made.stop()


@contextmanager
def listening(room: Room, port: int, outgoing: Pattern | None = None) -> Iterator[Listener]:
    stop = threading.Event()
    flow = Flow(Posts("river-office"), outgoing)
    listener = Listener(room.database, Broker("127.0.0.1", port, client="river-office"), flow)
    thread = threading.Thread(target=listener.listen, args=(stop,))
    thread.start()
    try:
        assert listener.ready.wait(20)
        if outgoing is not None:
            assert listener.announcing.wait(20)
        yield listener
    finally:
        stop.set()
        thread.join(20)
        assert not thread.is_alive()


class Station:
    """A client of the broker that stays itself while the broker is away."""

    def __init__(self, port: int, name: str, topic: str | None = None) -> None:
        self.heard: queue.Queue[mqtt.MQTTMessage] = queue.Queue()
        self._ready = threading.Event()
        self._client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, name, protocol=mqtt.MQTTv311, clean_session=False)
        self._client.reconnect_delay_set(0.1, 0.2)
        self._client.on_message = lambda _client, _data, message: self.heard.put(message)
        self._client.on_subscribe = lambda *_: self._ready.set()
        self._client.on_connect = lambda c, *_: c.subscribe(topic, qos=1) if topic else self._ready.set()
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()
        assert self._ready.wait(20)

    def post(self, topic: str, body: Any, *, wait: bool = True) -> None:
        payload = body if isinstance(body, str | bytes) else json.dumps(body)
        sent = self._client.publish(f"v1.1/{topic}", payload, qos=1)
        if wait:
            sent.wait_for_publish(20)

    def results(self, count: int) -> list[Any]:
        return [json.loads(self.heard.get(timeout=20).payload)["result"] for _ in range(count)]

    def leave(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


@contextmanager
def stations(port: int, *topics: str | None) -> Iterator[list[Station]]:
    found = [Station(port, f"station-{place}", topic) for place, topic in enumerate(topics)]
    try:
        yield found
    finally:
        for one in found:
            one.leave()


def until(true: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + 30
    while not true():
        assert time.monotonic() < deadline, what
        time.sleep(0.05)


def flow_of(room: Room, name: str) -> tuple[int, int]:
    """A new thing at a place, and its datastream."""
    thing = room.make("Things", named(name, Locations=[location(name, 105.2, 38.4)], Datastreams=[stream(name)]))
    (flow,) = room.values(f"Things({thing})/Datastreams")
    return thing, flow["@iot.id"]


def results_of(room: Room, flow: int) -> list[Any]:
    return [one["result"] for one in room.values(f"Datastreams({flow})/Observations", orderby="phenomenonTime")]


def set_aside(room: Room) -> list[tuple[str, str]]:
    chosen = sa.select(quarantine.c.rule, quarantine.c.reason).order_by(quarantine.c.id)
    with room.database.transaction(Role.WRITER) as connection:
        return [tuple(row) for row in connection.execute(chosen)]


def at(minute: int) -> str:
    return f"2026-07-02T00:{minute:02}:00Z"


def test_observations_are_created_by_every_path(room: Room, mosquitto: Mosquitto) -> None:
    """req/create-observations-via-mqtt/observations-creation: the set, and the set of each entity that leads to it."""
    thing, flow = flow_of(room, "paths")
    place = {"type": "Point", "coordinates": [1.5, 2.5]}
    about = named("weir pool", encodingType="application/geo+json", feature=place)
    feature = room.make("FeaturesOfInterest", about)
    here = {"@iot.id": flow}
    posts: list[tuple[str, dict[str, Any]]] = [
        (f"Datastreams({flow})/Observations", {}),
        ("Observations", {"Datastream": here}),
        (f"FeaturesOfInterest({feature})/Observations", {"Datastream": here}),
        (f"Things({thing})/Datastreams({flow})/Observations", {}),
        ("Observations", {"Datastream": here, "FeatureOfInterest": {"@iot.id": feature}}),
        ("Observations", {"Datastream": here, "FeatureOfInterest": {**about, "name": "sent along"}}),
    ]
    with listening(room, mosquitto.port), stations(mosquitto.port, None) as (station,):
        for minute, (topic, body) in enumerate(posts):
            told = {"phenomenonTime": at(minute), "result": minute + 0.5, "resultQuality": "good", **body}
            station.post(topic, {**told, "parameters": {"n": minute}})
        until(lambda: len(results_of(room, flow)) == len(posts), "all are created")
    found = room.values(f"Datastreams({flow})/Observations", orderby="result", expand="FeatureOfInterest")
    assert [one["result"] for one in found] == [0.5, 1.5, 2.5, 3.5, 4.5, 5.5]
    assert [one["parameters"]["n"] for one in found] == list(range(6))
    named_so = [one["FeatureOfInterest"]["name"] for one in found]
    assert named_so == ["paths", "paths", "weir pool", "paths", "weir pool", "sent along"]


def test_a_feature_that_comes_along_is_made_with_its_observation_or_not_at_all(
    room: Room, mosquitto: Mosquitto
) -> None:
    """An observation that is set aside leaves no feature; one that is delivered again makes no second one."""
    _, flow = flow_of(room, "along")
    before = len(set_aside(room))
    place = {"type": "Point", "coordinates": [1.5, 2.5]}

    def told(name: str, **more: Any) -> dict[str, Any]:
        about = named(name, encodingType="application/geo+json", feature=place)
        return {"phenomenonTime": at(1), "result": 1.5, "FeatureOfInterest": about, **more}

    topic = f"Datastreams({flow})/Observations"
    with listening(room, mosquitto.port), stations(mosquitto.port, None) as (station,):
        for wrong in ({"phenomenonTime": "2099-01-01T00:00:00Z"}, {"result": "high"}):
            station.post(topic, told("never made", **wrong))
        station.post("Datastreams(10000000)/Observations", told("never made"))
        for _ in range(2):
            station.post(topic, told("made once"))
        station.post(topic, told("made too", phenomenonTime=at(2)))
        until(lambda: len(results_of(room, flow)) == 2, "what is right is written")
        until(lambda: len(set_aside(room)) == before + 3, "what is wrong is set aside")
    assert all("refused" in reason for _, reason in set_aside(room)[before:])
    found = [one["name"] for one in room.values("FeaturesOfInterest", filter="startswith(name,'made')")]
    assert sorted(found) == ["made once", "made too"]
    assert room.values("FeaturesOfInterest", filter="name eq 'never made'") == []
    (one, _) = room.values(f"Datastreams({flow})/Observations", orderby="phenomenonTime", expand="FeatureOfInterest")
    assert one["FeatureOfInterest"]["name"] == "made once"


def test_a_night_with_a_broker_that_restarts(room: Room, mosquitto: Mosquitto) -> None:
    """14.1, and what goes wrong on a river: late, twice, garbled, from nobody; the broker away, the listener away."""
    _, flow = flow_of(room, "night")
    before = len(set_aside(room))
    topic = f"Datastreams({flow})/Observations"
    with stations(mosquitto.port, None, f"told/v1.1/Datastreams({flow})/Observations") as (station, duty):
        with listening(room, mosquitto.port, OUT):
            station.post(topic, {"phenomenonTime": at(10), "result": 10})
            station.post(topic, {"phenomenonTime": at(5), "result": 5})  # late
            station.post(topic, {"phenomenonTime": at(10), "result": 10})  # twice
            station.post(topic, b"\xff\x00 garbled")
            station.post(topic, {"phenomenonTime": at(11), "result": "high"})
            station.post(topic, {"phenomenonTime": "2099-01-01T00:00:00Z", "result": 1})
            station.post("Datastreams(10000000)/Observations", {"phenomenonTime": at(12), "result": 12})
            station.post("Things(1)/Observations", {"phenomenonTime": at(12), "result": 12})
            assert sorted(duty.results(2)) == [5, 10]
            until(lambda: len(set_aside(room)) == before + 5, "what is no observation is set aside")
            mosquitto.stop()
            station.post(topic, {"phenomenonTime": at(20), "result": 20}, wait=False)
            mosquitto.start()
            assert duty.results(1) == [20]
        # The listener is away, and so is the broker for a while: it keeps what came.
        for minute in range(30, 40):
            station.post(topic, {"phenomenonTime": at(minute), "result": minute})
        mosquitto.stop()
        mosquitto.start()
        with listening(room, mosquitto.port, OUT):
            assert duty.results(10) == list(range(30, 40))
        assert duty.heard.empty(), "nothing is told twice"
    assert results_of(room, flow) == [5, 10, 20, *range(30, 40)]
    rules = [rule for rule, _ in set_aside(room)[before:]]
    assert sorted(rules) == ["future", "number", "unknown", "unreadable", "unreadable"]


def test_where_a_broker_is_named_the_root_says_so(room: Room) -> None:
    """9.2.1: the requirement and its endpoints, and neither where there is no broker."""
    assert CREATION_BY_MQTT not in room.get("").json()["serverSettings"]
    endpoints = ["mqtt://broker.example.org:1883"]
    with running(room.database, Catalog(), mqtt_endpoints=endpoints) as service:
        told = service.get("/sensorthings/v1.1").json()["serverSettings"]
    assert told["conformance"][-1] == CREATION_BY_MQTT
    assert told[CREATION_BY_MQTT] == {"endpoints": endpoints}
