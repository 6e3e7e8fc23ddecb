"""Observations that come by MQTT (18-088, 14.1): published to the path of a set of Observations, each as an entity."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import sqlalchemy as sa

from geoservice.observations import tables
from geoservice.observations.inbox import MOST_BYTES, Message
from geoservice.observations.reading import SCHEMA, Reading, table_of
from geoservice.observations.wire import unreadable
from geoservice.sensorthings.address import Address, read_address
from geoservice.sensorthings.desk import find
from geoservice.sensorthings.draft import Draft, DraftReader
from geoservice.sensorthings.make import Maker
from geoservice.sensorthings.model import ENTITIES
from geoservice.sensorthings.readings import reading_of, write_all
from geoservice.sensorthings.rows import columns_of
from layers.access import OBSERVE, Clearance, Principal
from layers.errors import BadBody, GeoError

VERSION = "v1.1"
_OBSERVATIONS = ENTITIES["Observations"]
_LINKS = {"Datastreams": "Datastream", "FeaturesOfInterest": "FeatureOfInterest"}
_DEEPEST = 4
"""Levels of a topic between the version and the set of Observations, and one more."""


@dataclass(frozen=True)
class Posts:
    """Observations as the standard has them published.

    Attributes:
        client: Who writes them, for the books.
        clearance: Datastreams above it are unknown to them.
    """

    client: str
    clearance: Clearance = Clearance.RESTRICTED

    @property
    def subscriptions(self) -> tuple[str, ...]:
        """Every path of a set of Observations: by itself, of a datastream, of a feature, by way of their things."""
        return tuple("/".join((VERSION, *["+"] * depth, "Observations")) for depth in range(_DEEPEST))

    def read(self, connection: sa.Connection, messages: Sequence[Message]) -> pa.Table:
        """The readings of messages; one that is no observation is set aside with what is wrong with it."""
        principal = Principal(self.client, self.clearance, frozenset({OBSERVE}))
        tray = _Tray(connection, principal)
        readings: list[Reading] = []
        others: list[dict[str, Any]] = []
        for message in messages:
            try:
                readings.append(tray.reading(message))
            except GeoError as error:
                others.append(unreadable(error.detail, str(message)))
        flawed = [{"position": place, **row} for place, row in enumerate(others, len(readings))]
        return pa.concat_tables([table_of(readings), pa.Table.from_pylist(flawed, schema=SCHEMA)])


class _Tray:
    """Reads the messages of one transaction; what topics lead to is looked up once."""

    def __init__(self, connection: sa.Connection, principal: Principal) -> None:
        self._connection, self._principal = connection, principal
        self._maker = Maker(connection, principal)
        self._owners: dict[str, Mapping[str, int]] = {}

    def reading(self, message: Message) -> Reading:
        """The observation of a message.

        Raises:
            GeoError: When it is none.
        """
        try:
            body = json.loads(message.payload[:MOST_BYTES])
        except (ValueError, RecursionError):
            raise BadBody("An observation is published as a JSON object in UTF-8.") from None
        draft = DraftReader().read(_OBSERVATIONS, body)
        if draft.clearance is not None:
            raise BadBody("Observations are as closed as their datastream; they have no clearance of their own.")
        for link, number in self._owner(message.topic).items():
            if draft.links.setdefault(link, [number]) != [number]:
                raise BadBody(f"{link} is given by the topic; the body says another one.")
        stream = _number(draft)
        if any(isinstance(one, Draft) for one in draft.links.get("FeatureOfInterest", [])):
            return self._with_feature(draft, stream)
        return reading_of(draft, stream, self._feature(draft, stream))

    def _owner(self, topic: str) -> Mapping[str, int]:
        """The link that a topic gives all observations that are published to it."""
        if topic not in self._owners:
            self._owners[topic] = self._looked_up(read_address(topic.removeprefix(f"{VERSION}/")))
        return self._owners[topic]

    def _looked_up(self, address: Address) -> Mapping[str, int]:
        if address.entity is not _OBSERVATIONS or not address.many or address.form != "entities":
            raise BadBody("Observations are published to the path of a set of Observations.")
        if len(address.steps) == 1 and address.id is not None:
            # Not looked up: the writer knows what to do with readings of unknown datastreams.
            return {_LINKS[address.first.plural]: address.id}
        parent, _ = find(self._connection, self._principal, address)
        return {} if parent is None else {_LINKS[parent.entity.plural]: parent.id}

    def _feature(self, draft: Draft, stream: int) -> int | None:
        """What the observation is about."""
        if not draft.links.get("FeatureOfInterest"):
            return self._maker.usual_feature(stream)
        (found,) = self._maker.linked(draft, "FeatureOfInterest")
        return found.id

    def _with_feature(self, draft: Draft, stream: int) -> Reading:
        """An observation that brings its feature along: both are written, or neither.

        The reading is written at once, so that the feature goes with it when it is refused; written again with the
        others it is unchanged. When the message was written already and comes again, its feature is there.
        """
        with self._connection.begin_nested():
            known = self._known(draft, stream)
            reading = reading_of(draft, stream, self._feature(draft, stream) if known is None else known)
            write_all(self._connection, [reading], self._principal)
        return reading

    def _known(self, draft: Draft, stream: int) -> int | None:
        """The feature of a reading of the same time that says the same of itself as the one that comes along."""
        (new,) = draft.links["FeatureOfInterest"]
        if not isinstance(new, Draft) or "phenomenonTime" not in draft.values:
            return None
        feature, one = tables.feature_of_interest, tables.observation
        own = {name: value for name, value in columns_of(new.values).items() if name != "geom"}
        same = [feature.c[name].is_not_distinct_from(value) for name, value in own.items()]
        begin, _ = draft.values["phenomenonTime"]
        found = sa.select(feature.c.id).join(one, one.c.foi == feature.c.id).where(*same)
        found = found.where(one.c.datastream == stream, one.c.phenomenon_time == begin).limit(1)
        level = int(self._principal.clearance)
        return self._connection.execute(found.where(feature.c.clearance <= level)).scalar()


def _number(draft: Draft) -> int:
    links: list[Any] = draft.links.get("Datastream", [])
    if len(links) != 1 or not isinstance(links[0], int):
        raise BadBody('An observation names its Datastream: by the topic, or as {"@iot.id": number}.')
    return links[0]
