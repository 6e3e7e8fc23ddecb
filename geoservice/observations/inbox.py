"""What messages of MQTT mean: the readings in them, as tables for the one writer."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

import pyarrow as pa
import sqlalchemy as sa

from geoservice.observations.reading import SCHEMA
from geoservice.observations.topics import Pattern
from geoservice.observations.wire import fields_of, table_of_rows, unreadable

MOST_BYTES = 1 << 20
_SHOWN = 500


@dataclass(frozen=True)
class Message:
    """A message of a broker."""

    topic: str
    payload: bytes

    def __str__(self) -> str:
        """As it is set aside when it holds no reading."""
        return f"{self.topic}: {self.payload[:_SHOWN]!r}"


@dataclass(frozen=True)
class Refused(Message):
    """A message that could not be written, and why, as a sentence."""

    reason: str

    def __str__(self) -> str:
        """As it came."""
        return super().__str__()


def set_aside(messages: Sequence[Refused]) -> pa.Table:
    """Messages that could not be written as readings that go to quarantine, in the columns of `reading.SCHEMA`."""
    rows = [{"position": place, **unreadable(one.reason, str(one))} for place, one in enumerate(messages)]
    return pa.Table.from_pylist(rows, schema=SCHEMA)


class Inbox(Protocol):
    """Understands messages."""

    @property
    def subscriptions(self) -> tuple[str, ...]:
        """Filters of the topics whose messages are wanted."""
        ...

    def read(self, connection: sa.Connection, messages: Sequence[Message]) -> pa.Table:
        """The readings in messages, in the columns of `reading.SCHEMA`; those that cannot be understood say why.

        Args:
            connection: The transaction of the writer in which they will be written.
            messages: In the order in which they came.
        """
        ...


@dataclass(frozen=True)
class Named:
    """Messages whose topics name their datastream by a pattern: a number, an object of fields, or an array of them."""

    pattern: Pattern

    @property
    def subscriptions(self) -> tuple[str, ...]:
        """The one filter of the pattern."""
        return (self.pattern.subscription,)

    def read(self, connection: sa.Connection, messages: Sequence[Message]) -> pa.Table:
        """The readings in messages; those of other topics are left out."""
        return table_of_rows(row for message in messages for row in self._rows(message))

    def _rows(self, message: Message) -> Iterator[Mapping[str, Any] | str]:
        names = self.pattern.match(message.topic)
        if names is None:
            return
        try:
            told = json.loads(message.payload[:MOST_BYTES])
        except (ValueError, RecursionError):
            yield str(message)
            return
        now = datetime.now(UTC).isoformat()
        for one in told if isinstance(told, list) else [told]:
            fields = fields_of(one) if isinstance(one, dict) else {"result": one}
            yield {"time": now, **fields, **names}
