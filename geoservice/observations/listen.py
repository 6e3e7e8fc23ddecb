"""Readings by MQTT: those that a broker has are written, those that were written are published.

A message is acknowledged when its reading is committed, and the broker keeps a session for this client: what comes
while the database or this process is away is delivered again, and what was written already is unchanged. A message
that cannot be written goes to quarantine with the reason, and those that came with it are written.
"""

from __future__ import annotations

import json
import logging
import ssl
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import paho.mqtt.client as mqtt
import psycopg
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.subscribeoptions import SubscribeOptions
from psycopg import sql
from psycopg.rows import dict_row
from pydantic import SecretStr

from geoservice.db.credentials import Role
from geoservice.db.engine import Database
from geoservice.db.writing import Writer
from geoservice.observations.basket import Basket
from geoservice.observations.inbox import MOST_BYTES, Inbox, Message, Named, Refused, set_aside
from geoservice.observations.landing import statement
from geoservice.observations.played import mark
from geoservice.observations.reading import Source
from geoservice.observations.topics import Pattern
from geoservice.observations.write import CHANNEL, write
from layers.access import Clearance
from layers.errors import BadParameter, DatabaseUnavailable, GeoError, QueryTimeout

MOST = 5_000
"""Messages of one batch, and messages that the broker may send before the first is acknowledged."""
MOST_BATCH_BYTES = 16 << 20
"""Bytes of the messages of one batch, and of those that wait in this process for the next one."""
LARGEST = MOST_BYTES + (1 << 16) + (1 << 10)
"""Bytes of a packet with the largest message, its topic and properties; a broker delivers no larger ones."""
SESSION_SECONDS = 7 * 86_400
"""How long the broker keeps messages for this client while it is away."""
AWAY_SECONDS = 2.0
PATIENCE = 5
"""How often a single message may take longer than the database allows before it is set aside."""
PAUSE_SECONDS = 0.2
PORTS = {"mqtt": 1883, "mqtts": 8883}
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Broker:
    """Where the broker is and who logs in; `ca` makes it TLS, checked against that file (or the system's: empty)."""

    host: str
    port: int = 1883
    user: str | None = None
    password: SecretStr | None = None
    ca: str | None = None
    client: str = "geoservice"

    @classmethod
    def parse(cls, text: str, password: SecretStr | None, client: str) -> Broker:
        """Read an address such as `mqtt://user@host:1883`, or `mqtts://` for TLS with a certificate the system trusts.

        Raises:
            BadParameter: When it is none, or has a password in it, which would show in lists of processes.
        """
        try:
            parts = urlsplit(text)
            port = parts.port
        except ValueError:
            parts, port = urlsplit(""), None
        if parts.scheme not in PORTS or not parts.hostname or parts.password is not None:
            raise BadParameter(
                "The broker is named as mqtt://user@host:1883 or mqtts://user@host:8883; the password comes from "
                "GEOSERVICE_MQTT_PASSWORD."
            )
        ca = "" if parts.scheme == "mqtts" else None
        return cls(parts.hostname, port or PORTS[parts.scheme], parts.username, password, ca, client)


@dataclass(frozen=True)
class Flow:
    """What is listened to, up to which clearance it may write, and what is published for readers of which clearance."""

    incoming: Pattern | Inbox | None
    outgoing: Pattern | None
    writes: Clearance = Clearance.RESTRICTED
    shows: Clearance = Clearance.PUBLIC


class Listener:
    """A client of a broker at work; `listen` ends when `stop` is set.

    Attributes:
        ready: Set when the broker has taken the subscription; `announcing` when batches are heard of.
        written: Readings that were written, those that were there already included.
    """

    def __init__(self, database: Database, broker: Broker, flow: Flow) -> None:
        """Nothing is connected yet."""
        self._database, self._broker, self._flow = database, broker, flow
        self._writer = Writer(database)
        self._inbox = Named(flow.incoming) if isinstance(flow.incoming, Pattern) else flow.incoming
        self._session = self._slow = 0
        self._messages = Basket[tuple[int, mqtt.MQTTMessage]](MOST, MOST_BATCH_BYTES)
        self.ready, self.announcing = threading.Event(), threading.Event()
        self.written = 0
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2, broker.client, protocol=mqtt.MQTTv5, manual_ack=True)
        self._client.on_connect = self._connected
        self._client.on_subscribe = lambda *_: self.ready.set()
        # A full basket holds the network thread, and with it the broker.
        self._client.on_message = lambda _client, _data, one: self._messages.put((self._session, one), len(one.payload))
        if broker.user is not None:
            self._client.username_pw_set(broker.user, broker.password.get_secret_value() if broker.password else None)
        if broker.ca is not None:
            self._client.tls_set_context(ssl.create_default_context(cafile=broker.ca or None))

    def listen(self, stop: threading.Event) -> None:
        """Write and publish until told to stop.

        Raises:
            OSError: When the broker cannot be reached at the start; later it is connected to again and again.
        """
        make: Any = Properties
        kept = make(PacketTypes.CONNECT)
        kept.SessionExpiryInterval = SESSION_SECONDS
        kept.ReceiveMaximum = MOST
        kept.MaximumPacketSize = LARGEST
        self._client.connect(self._broker.host, self._broker.port, clean_start=False, properties=kept)
        self._client.loop_start()
        publisher = threading.Thread(target=self._publish, args=(stop,), name="mqtt-out", daemon=True)
        if self._flow.outgoing is not None:
            publisher.start()
        try:
            while not stop.is_set():
                self._drain(stop)
        finally:
            self._messages.close()
            self._client.disconnect()
            self._client.loop_stop()
            self._writer.close()
            if publisher.is_alive():
                publisher.join()

    def _connected(self, client: mqtt.Client, *_: Any) -> None:
        self._session += 1
        if self._inbox is None:
            self.ready.set()
            return
        # What this client publishes itself is no news to it, should both be the same topic.
        how = SubscribeOptions(qos=1, noLocal=True)
        client.subscribe([(topic, how) for topic in self._inbox.subscriptions])

    def _drain(self, stop: threading.Event) -> None:
        """Write what has come as one batch; while one is written, the next one gathers."""
        taken = self._messages.take(PAUSE_SECONDS)
        # Those of a connection that broke are delivered again, under numbers of their own.
        session = self._session
        messages = [message for since, message in taken if since == session]
        if not messages or not self._written(messages, stop):
            return
        for message in messages:
            if self._session == session:
                self._client.ack(message.mid, message.qos)

    def _written(self, messages: list[mqtt.MQTTMessage], stop: threading.Event) -> bool:
        """Write messages, however long the database is away; what is not written is not acknowledged.

        When a batch cannot be written its halves are, each in a transaction of its own, down to the message at fault.
        """
        if self._inbox is None:
            return True
        waiting = [[Message(one.topic, bytes(one.payload)) for one in messages]]
        while waiting and not stop.is_set():
            some = waiting.pop()
            try:
                self._write(some)
            except (DatabaseUnavailable, QueryTimeout) as error:
                waiting += self._later(some, error, stop)
            except Exception as error:  # noqa: BLE001 - whatever one message does to the libraries, the others are written
                waiting += _halves(some) or [[_refused(some[0], error)]]
        return not waiting

    def _write(self, messages: list[Message]) -> None:
        if self._inbox is None:
            return
        source = Source("mqtt", self._broker.host, self._broker.client, self._flow.writes)
        with self._writer.transaction() as connection:
            refused = [one for one in messages if isinstance(one, Refused)]
            table = set_aside(refused) if refused else self._inbox.read(connection, messages)
            written = write(connection, table, source).readings if table.num_rows else 0
        self.written += written
        self._slow = 0

    def _later(self, messages: list[Message], error: GeoError, stop: threading.Event) -> list[list[Message]]:
        """What to write after a wait, or less of it at once when it took too long; one that alone does is set aside."""
        slow = isinstance(error, QueryTimeout)
        if slow and (halves := _halves(messages)):
            return halves
        self._slow = self._slow + 1 if slow and not isinstance(messages[0], Refused) else 0
        if self._slow == PATIENCE:
            self._slow = 0
            return [[_refused(messages[0], error)]]
        _log.warning("%s messages wait: %s", len(messages), error.detail)
        stop.wait(AWAY_SECONDS)
        return [messages]

    def _publish(self, stop: threading.Event) -> None:
        """Publish readings of committed batches; those of a time without a database connection are not told later."""
        while not stop.is_set():
            try:
                self._announce(stop)
            except DatabaseUnavailable as error:
                _log.warning("nothing is published: %s", error.detail)
                stop.wait(AWAY_SECONDS)

    def _announce(self, stop: threading.Event) -> None:
        pattern = self._flow.outgoing
        if pattern is None:
            return
        with self._database.psycopg(Role.reader(self._flow.shows), autocommit=True) as connection:
            connection.execute(sql.SQL("LISTEN {}").format(sql.Identifier(CHANNEL)))
            self.announcing.set()
            with psycopg.RawCursor(connection, row_factory=dict_row) as cursor:
                while not stop.is_set():
                    # A list: while notices are waited for, the connection answers no question.
                    for notice in list(connection.notifies(timeout=PAUSE_SECONDS, stop_after=1)):
                        batch, first, last = map(int, notice.payload.split())
                        cursor.execute(statement("announced"), (first, last, batch))
                        for row in cursor:
                            self._client.publish(pattern.topic(_names(row)), _payload(row), qos=1)


def _halves(messages: list[Message]) -> list[list[Message]]:
    """The same in two, the first half last, since the last is written next; nothing of a single one."""
    half = len(messages) // 2
    return [messages[half:], messages[:half]] if half else []


def _refused(message: Message, error: Exception) -> Refused:
    """A message at fault as it is set aside; an error when not even that can be done, which is no fault of its own."""
    if isinstance(message, Refused):
        raise error
    reason = error.detail if isinstance(error, GeoError) else f"It cannot be written: {type(error).__name__}."
    _log.warning("a message is set aside: %s", reason)
    return Refused(message.topic, message.payload, reason)


def _names(row: Mapping[str, Any]) -> dict[str, Any]:
    return {"stream": row["id"], "datastream": row["key"], "station": row["station"], "property": row["property"]}


def _payload(row: Mapping[str, Any]) -> str:
    """A reading in the words of OGC SensorThings, with its unit and quality, and marked when it is played."""
    end = row["phenomenon_end"]
    time = _told(row["phenomenon_time"]) + (f"/{_told(end)}" if end is not None else "")
    result = next((row[name] for name in ("number", "text", "json") if row[name] is not None), None)
    told = {
        "@iot.id": row["observation"],
        "phenomenonTime": time,
        "resultTime": _told(row["result_time"]),
        "result": result,
        "unit": row["unit"],
        "quality": row["quality"],
        **({} if row["calibration"] is None else {"calibration": row["calibration"]}),
        **mark(row["exercise"]),
    }
    return json.dumps(told, ensure_ascii=False)


def _told(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
