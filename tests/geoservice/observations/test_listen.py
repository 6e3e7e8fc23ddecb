"""Readings by MQTT, with a real broker: in by topic, out when they are written, none lost while nobody listens."""

from __future__ import annotations

import json
import queue
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import paho.mqtt.client as mqtt
import pytest
from pydantic import SecretStr

from geoservice.db.credentials import Role
from geoservice.db.engine import Database
from geoservice.observations.basket import Basket
from geoservice.observations.inbox import Message, Named
from geoservice.observations.listen import Broker, Flow, Listener
from geoservice.observations.reading import Reading
from geoservice.observations.topics import Pattern
from geoservice.observations.write import write
from layers.access import Clearance
from layers.errors import BadParameter, QueryTimeout
from tests.support.broker import broker
from tests.support.observing import HOUR, NOON, level, station, stored, written

IN = Pattern.parse("stations/{station}/{property}")
OUT = Pattern.parse("v1.1/Datastreams({stream})/Observations")


def until(true: Callable[[], bool], what: str, seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, what
        time.sleep(0.02)


@contextmanager
def listening(database: Database, port: int, flow: Flow) -> Iterator[Listener]:
    stop = threading.Event()
    listener = Listener(database, Broker("127.0.0.1", port, client="test-listener"), flow)
    thread = threading.Thread(target=listener.listen, args=(stop,))
    thread.start()
    try:
        assert listener.ready.wait(20)
        yield listener
    finally:
        stop.set()
        thread.join(20)
        assert not thread.is_alive()


@contextmanager
def client(port: int, topic: str | None = None) -> Iterator[tuple[mqtt.Client, queue.Queue[mqtt.MQTTMessage]]]:
    heard: queue.Queue[mqtt.MQTTMessage] = queue.Queue()
    ready = threading.Event()
    made = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv5)
    made.on_message = lambda _client, _data, message: heard.put(message)
    made.on_subscribe = lambda *_: ready.set()
    made.on_connect = lambda c, *_: c.subscribe(topic, qos=1) if topic else ready.set()
    made.connect("127.0.0.1", port)
    made.loop_start()
    try:
        assert ready.wait(20)
        yield made, heard
    finally:
        made.disconnect()
        made.loop_stop()


def test_readings_come_in_by_topic_and_go_out_when_they_are_written(obs: Database, tmp_path: Path) -> None:
    station(obs, "g", level("g:level", "g"))
    station(obs, "s", level("s:level", "s"), clearance=Clearance.INTERNAL)
    flow = Flow(IN, OUT)
    told = json.dumps({"time": NOON.isoformat(), "result": 120, "unit": "cm"})
    several = json.dumps([{"phenomenonTime": (NOON + i * HOUR).isoformat(), "result": i} for i in (1, 2)])
    with broker(tmp_path) as port, client(port, "v1.1/#") as (other, heard), listening(obs, port, flow) as listener:
        until(listener.announcing.is_set, "the publisher waits for batches")
        for topic, payload in (
            ("stations/g/water_level", told),
            ("stations/s/water_level", told),
            ("stations/g/water_level", several),
            ("stations/g/water_level", "not json"),
            ("stations/nobody/water_level", "1"),
            ("elsewhere/g/water_level", "5"),
        ):
            other.publish(topic, payload, qos=1).wait_for_publish(10)
        messages = [heard.get(timeout=20) for _ in range(3)]
        until(lambda: len(stored(obs, "id")) == 4, "all readings are written")
        with pytest.raises(queue.Empty):
            heard.get(timeout=0.5)
    assert {m.topic for m in messages} == {"v1.1/Datastreams(1)/Observations"}
    results = sorted((json.loads(m.payload)["phenomenonTime"], json.loads(m.payload)["result"]) for m in messages)
    assert results == [("2026-03-01T12:00:00Z", 1.2), ("2026-03-01T13:00:00Z", 1.0), ("2026-03-01T14:00:00Z", 2.0)]


def test_what_comes_while_nobody_listens_is_written_later(obs: Database, tmp_path: Path) -> None:
    station(obs, "g", level("g:level", "g"))
    with broker(tmp_path) as port, client(port) as (other, _):
        with listening(obs, port, Flow(IN, None)):
            pass
        for i in range(200):
            payload = json.dumps({"time": (NOON + i * HOUR / 60).isoformat(), "result": i})
            other.publish("stations/g/water_level", payload, qos=1).wait_for_publish(10)
        with listening(obs, port, Flow(IN, None)):
            until(lambda: len(stored(obs, "id")) == 200, "the broker kept the messages")
    assert [row[0] for row in stored(obs, "number")] == [float(i) for i in range(200)]


def quarantined(database: Database) -> list[tuple[str, str]]:
    with database.psycopg(Role.WRITER) as connection:
        rows = connection.execute("SELECT reason, raw ->> 'line' FROM obs.quarantine ORDER BY id").fetchall()
    return [(str(reason), str(line)) for reason, line in rows]


def test_a_message_that_cannot_be_written_is_set_aside_and_the_listener_lives(
    obs: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that is too large for any batch, and one that a library stumbles over, among good ones in one batch."""
    monkeypatch.setattr("geoservice.observations.wire.MOST_ROWS", 20)
    understood = Named._rows

    def stumble(self: Named, message: Message) -> Iterator[Mapping[str, Any] | str]:
        if b"666" in message.payload:
            raise OverflowError("no such number")
        return understood(self, message)

    monkeypatch.setattr(Named, "_rows", stumble)
    station(obs, "g", level("g:level", "g"))
    with broker(tmp_path) as port, client(port) as (other, _):
        with listening(obs, port, Flow(IN, None)):
            pass
        good = [json.dumps({"time": (NOON + i * HOUR).isoformat(), "result": i}) for i in range(9)]
        for payload in (*good[:4], json.dumps([1] * 21), *good[4:8], "666"):
            other.publish("stations/g/water_level", payload, qos=1).wait_for_publish(10)
        with listening(obs, port, Flow(IN, None)):
            until(lambda: len(stored(obs, "id")) == 8 and len(quarantined(obs)) == 2, "the others are written")
            other.publish("stations/g/water_level", good[8], qos=1).wait_for_publish(10)
            until(lambda: len(stored(obs, "id")) == 9, "the listener lives")
        (large, line), (strange, text) = sorted(quarantined(obs))
        assert ("at most 20 readings" in large, "OverflowError" in strange) == (True, True)
        assert line.startswith("stations/g/water_level: b'[1, 1")
        assert "666" in text
        # All were acknowledged: the broker has none of them for the next one.
        with listening(obs, port, Flow(IN, None)) as again, pytest.raises(AssertionError):
            until(lambda: again.written > 0, "nothing comes again", seconds=1)


def test_what_takes_too_long_is_written_in_parts(
    obs: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A batch that the database does not finish in time is halved; one message that alone takes too long set aside."""
    monkeypatch.setattr("geoservice.observations.listen.AWAY_SECONDS", 0.01)

    def hasty(connection: Any, table: Any, source: Any) -> Any:
        if table.num_rows > 2:
            raise QueryTimeout("The change took longer than this service allows.")
        return write(connection, table, source)

    monkeypatch.setattr("geoservice.observations.listen.write", hasty)
    station(obs, "g", level("g:level", "g"))
    with broker(tmp_path) as port, client(port) as (other, _):
        with listening(obs, port, Flow(IN, None)):
            pass
        for i in range(7):
            told = {"time": (NOON + i * HOUR).isoformat(), "result": i}
            payload = json.dumps([told] * 3 if i == 3 else told)
            other.publish("stations/g/water_level", payload, qos=1).wait_for_publish(10)
        with listening(obs, port, Flow(IN, None)):
            until(lambda: len(stored(obs, "id")) == 6 and len(quarantined(obs)) == 1, "all is written or set aside")
    assert [row[0] for row in stored(obs, "number")] == [0, 1, 2, 4, 5, 6]
    assert "longer than this service allows" in quarantined(obs)[0][0]


def test_what_keeps_all_messages_from_being_written_is_no_fault_of_theirs(
    obs: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When not even setting aside is possible, the listener ends with the error, and the broker keeps the messages."""
    station(obs, "g", level("g:level", "g"))
    stop, ended = threading.Event(), list[type[Exception]]()
    with broker(tmp_path) as port, client(port) as (other, _):
        with monkeypatch.context() as broken:
            broken.setattr("geoservice.observations.listen.write", lambda *_: 1 / 0)
            faulty = Listener(obs, Broker("127.0.0.1", port, client="test-listener"), Flow(IN, None))

            def listen() -> None:
                try:
                    faulty.listen(stop)
                except ZeroDivisionError as error:
                    ended.append(type(error))

            thread = threading.Thread(target=listen)
            thread.start()
            assert faulty.ready.wait(20)
            told = json.dumps({"time": NOON.isoformat(), "result": 1})
            other.publish("stations/g/water_level", told, qos=1).wait_for_publish(10)
            thread.join(20)
        assert (ended, stored(obs, "id")) == ([ZeroDivisionError], [])
        with listening(obs, port, Flow(IN, None)):
            until(lambda: len(stored(obs, "id")) == 1, "the broker kept it")


def test_a_full_basket_waits_for_room() -> None:
    basket = Basket[str](2, 10)
    basket.put("a" * 30, 30)
    late = threading.Thread(target=basket.put, args=("b", 1))
    late.start()
    late.join(0.2)
    assert late.is_alive(), "what is larger than the basket fills it alone"
    assert basket.take(1.0) == ["a" * 30]
    late.join(5)
    assert basket.take(1.0) == ["b"]
    assert basket.take(0.01) == []
    for one in ("c", "d"):
        basket.put(one, 1)
    last = threading.Thread(target=basket.put, args=("e", 1))
    last.start()
    last.join(0.2)
    assert last.is_alive(), "two are as many as it takes"
    basket.close()
    last.join(5)
    assert basket.take(1.0) == ["c", "d", "e"]


def test_readings_written_elsewhere_are_published(obs: Database, tmp_path: Path) -> None:
    station(obs, "g", level("g:level", "g"))
    flow = Flow(None, Pattern.parse("out/{station}/{property}"))
    with broker(tmp_path) as port, client(port, "out/#") as (_, heard), listening(obs, port, flow) as listener:
        until(listener.announcing.is_set, "the publisher waits for batches")
        written(obs, [Reading(NOON, 1.0, datastream="g:level", quality="good")])
        message = heard.get(timeout=20)
        with obs.psycopg(Role.WRITER) as connection:
            connection.execute("UPDATE obs.thing SET properties = '{\"exercise\": true}' WHERE key = 'g'")
            connection.execute(
                "UPDATE obs.datastream SET properties = "
                '\'{"calibrations": [{"from": "2026-03-01T12:30:00Z", "factor": 3}]}\''
            )
        written(obs, [Reading(NOON + HOUR, 3.0, datastream="g:level")])
        played = json.loads(heard.get(timeout=20).payload)
    assert (played["result"], played["exercise"]) == (9.0, True)
    assert (played["quality"], played["calibration"]["raw"]) == ("calibrated", 3.0)
    assert message.topic == "out/g/water_level"
    said = json.loads(message.payload)
    assert (said["result"], said["unit"], said["quality"]) == (1.0, "m", "good")
    assert "exercise" not in said
    assert "calibration" not in said


@pytest.mark.parametrize("text", ["stations/+/{stream}", "#", "x/{station}", "{colour}/{stream}", "{stream}/{stream}"])
def test_patterns_without_sense_are_refused(text: str) -> None:
    with pytest.raises(BadParameter):
        Pattern.parse(text)


def test_a_topic_is_made_and_understood() -> None:
    assert OUT.match("v1.1/Datastreams(7)/Observations") == {"stream": "7"}
    assert OUT.match("v1.1/Datastreams(7)/Observations/x") is None
    assert OUT.subscription == "v1.1/+/Observations"
    assert IN.topic({"station": "a/b+#", "property": "p"}) == "stations/a_b__/p"


def test_the_address_of_a_broker() -> None:
    password = SecretStr("x")
    assert Broker.parse("mqtts://me@h", password, "c") == Broker("h", 8883, "me", password, "", "c")
    for text in ("h:1883", "mqtt://u:p@h", "http://h", "mqtt://h:nine"):
        with pytest.raises(BadParameter):
            Broker.parse(text, None, "c")
