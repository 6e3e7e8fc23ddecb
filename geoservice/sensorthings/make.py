"""New entities, with those that are sent inside them (18-088, 10.2). Blocking; in one transaction of the writer."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from geoservice.observations import tables
from geoservice.sensorthings.draft import Draft
from geoservice.sensorthings.model import ENTITIES, Entity
from geoservice.sensorthings.readings import feature_of_stream, reading_of, write_all
from geoservice.sensorthings.rows import columns_of
from geoservice.sensorthings.select import Parent
from layers.access import Clearance, Principal
from layers.errors import BadBody, MethodNotAllowed, UnknownResource

_TICK = dt.timedelta(microseconds=1)


@dataclass(frozen=True)
class Made:
    """An entity that is there: its number, and to what it is closed."""

    id: int
    level: Clearance


class Maker:
    """Makes entities in the name of a principal: what they may not see is not there for them."""

    def __init__(self, connection: sa.Connection, principal: Principal) -> None:
        """Work in a transaction of the writer."""
        self._connection, self._principal = connection, principal
        self._features: dict[int, int | None] = {}
        self._ways: dict[str, Callable[[Draft], Made]] = {
            "Things": self._thing,
            "Locations": self._location,
            "HistoricalLocations": self._stay,
            "Datastreams": self._stream,
            "Sensors": self._with_streams,
            "ObservedProperties": self._with_streams,
            "Observations": self._reading,
            "FeaturesOfInterest": self._feature,
        }

    def make(self, draft: Draft, parent: Parent | None = None) -> int:
        """Make an entity, as one of its parent's if there is one, and tell its number.

        Raises:
            BadBody: When a link is missing or leads to nothing.
            BadGeometry: When a place is no geometry.
            ReadingsRefused: When an observation cannot be written.
            UnknownResource: When there is no such parent.
        """
        if parent is not None:
            self._adopt(draft, parent)
        return self._ways[draft.entity.plural](draft).id

    def _adopt(self, draft: Draft, parent: Parent) -> None:
        back = next((n for n in draft.entity.navigations.values() if n.target == parent.entity.plural), None)
        if back is None or (parent.entity.plural, draft.entity.plural) == ("HistoricalLocations", "Locations"):
            raise MethodNotAllowed(f"{draft.entity.plural} are not made there; they are made in their own set.")
        if self.find(parent.entity, parent.id) is None:
            raise UnknownResource("There is no such entity, or the link leads nowhere.")
        links = draft.links.setdefault(back.name, [])
        if not back.many and links not in ([], [parent.id]):
            raise BadBody(f"{back.name} is given by the address; the body says another one.")
        if parent.id not in links:
            links.append(parent.id)

    def find(self, entity: Entity, number: int) -> Made | None:
        """An entity that is there, as far as the principal may know."""
        table = entity.table
        level = int(self._principal.clearance)
        found = sa.select(table.c.clearance).where(table.c.id == number, table.c.clearance <= level)
        clearance = self._connection.execute(found).scalar()
        return None if clearance is None else Made(number, Clearance(clearance))

    def linked(self, draft: Draft, name: str) -> list[Made]:
        """What a link leads to; what is new is made.

        Raises:
            BadBody: When something is not there.
        """
        target = ENTITIES[draft.entity.navigations[name].target]
        found = []
        for one in draft.links.get(name, []):
            made = self._ways[target.plural](one) if isinstance(one, Draft) else self.find(target, one)
            if made is None:
                raise BadBody(f"{name} leads to an entity that is not there.")
            found.append(made)
        return found

    def _one(self, draft: Draft, name: str) -> Made:
        found = self.linked(draft, name)
        if len(found) != 1:
            raise BadBody(f'One of {draft.entity.plural} has {name}: {{"@iot.id": number}}, or a new one.')
        return found[0]

    def _insert(self, draft: Draft, parents: Sequence[Made] = (), **more: Any) -> Made:
        """A row; it is as closed as what it hangs on, or more."""
        least = max((one.level for one in parents), default=Clearance.PUBLIC)
        level = least if draft.clearance is None else draft.clearance
        if not least <= level <= self._principal.clearance:
            raise BadBody(
                f"{draft.entity.plural} made by this key are closed to {least.label} at least, "
                f"and to {self._principal.clearance.label} at most."
            )
        values = {**columns_of(draft.values), **more, "clearance": int(level)}
        table = draft.entity.table
        made = sa.insert(table).values(**values).returning(table.c.id)
        return Made(int(self._connection.execute(made).scalar_one()), level)

    def _children(self, draft: Draft, name: str, back: str, parent: Made) -> None:
        """New entities that hang on a new one."""
        for child in draft.links.get(name, []):
            if not isinstance(child, Draft):
                raise BadBody(f"{name} of a new entity are new too; those that are there have their places.")
            if back in child.links:
                raise BadBody(f"{back} of {name} is given by where they stand; they do not say it again.")
            child.links[back] = [parent.id]
        self.linked(draft, name)

    def _thing(self, draft: Draft) -> Made:
        made = self._insert(draft)
        places = self.linked(draft, "Locations")
        if places:
            self.move(made, places)
        self._children(draft, "HistoricalLocations", "Thing", made)
        self._children(draft, "Datastreams", "Thing", made)
        return made

    def _location(self, draft: Draft) -> Made:
        if draft.links.get("HistoricalLocations"):
            raise BadBody("HistoricalLocations follow from the moves of things; they are not made with a Location.")
        things = self.linked(draft, "Things")
        made = self._insert(draft, things)
        for thing in things:
            self.move(thing, [made])
        return made

    def move(self, thing: Made, places: Sequence[Made]) -> None:
        """Say that a thing is somewhere else now; where it was stays in its history (18-088, 8.2.2)."""
        stay, own = tables.thing_location, tables.thing
        self._connection.execute(sa.select(own.c.id).where(own.c.id == thing.id).with_for_update())
        newest = sa.select(sa.func.max(stay.c.since)).where(stay.c.thing == thing.id)
        latest = self._connection.execute(newest).scalar()
        now = dt.datetime.now(dt.UTC)
        since = now if latest is None or latest < now else latest + _TICK
        open_ones = sa.update(stay).where(stay.c.thing == thing.id, stay.c.until.is_(None))
        self._connection.execute(open_ones.values(until=since))
        self._stand(thing, places, since, None)

    def _stand(self, thing: Made, places: Sequence[Made], since: dt.datetime, until: dt.datetime | None) -> Made:
        stay = tables.thing_location
        level = max([thing.level, *(place.level for place in places)])
        rows = [
            {"thing": thing.id, "location": p.id, "since": since, "until": until, "clearance": int(level)}
            for p in {p.id: p for p in places}.values()
        ]
        made = sa.insert(stay).returning(stay.c.id)
        return Made(min(self._connection.execute(made, rows).scalars()), level)

    def _stay(self, draft: Draft) -> Made:
        """Where a thing was at some time; the latest such time says where it is."""
        thing, places = self._one(draft, "Thing"), self.linked(draft, "Locations")
        if not places:
            raise BadBody("One of HistoricalLocations has one or more Locations.")
        stay, since = tables.thing_location, draft.values["time"]
        own = tables.thing
        self._connection.execute(sa.select(own.c.id).where(own.c.id == thing.id).with_for_update())
        of_thing = stay.c.thing == thing.id
        taken = sa.select(sa.exists().where(of_thing, stay.c.since == since))
        if self._connection.execute(taken).scalar_one():
            raise BadBody("The thing has a HistoricalLocation of this time already.")
        later = sa.select(sa.func.min(stay.c.since)).where(of_thing, stay.c.since > since)
        until = self._connection.execute(later).scalar()
        reach = sa.or_(stay.c.until.is_(None), stay.c.until > since)
        earlier = sa.update(stay).where(of_thing, stay.c.since < since, reach)
        self._connection.execute(earlier.values(until=since))
        return self._stand(thing, places, since, until)

    def _stream(self, draft: Draft) -> Made:
        thing, sensor = self._one(draft, "Thing"), self._one(draft, "Sensor")
        observed = self._one(draft, "ObservedProperty")
        numbers = {"thing": thing.id, "sensor": sensor.id, "property": observed.id}
        made = self._insert(draft, (thing, sensor, observed), **numbers)
        self._readings(draft, "Datastream", made)
        return made

    def _with_streams(self, draft: Draft) -> Made:
        made = self._insert(draft)
        back = "Sensor" if draft.entity.plural == "Sensors" else "ObservedProperty"
        self._children(draft, "Datastreams", back, made)
        return made

    def _feature(self, draft: Draft) -> Made:
        made = self._insert(draft)
        self._readings(draft, "FeatureOfInterest", made)
        return made

    def _readings(self, draft: Draft, back: str, parent: Made) -> None:
        """New observations of a new datastream or feature, written together."""
        readings = []
        for child in draft.links.get("Observations", []):
            if not isinstance(child, Draft) or back in child.links:
                raise BadBody(f"Observations of a new entity are new too, and do not say their {back}.")
            child.links[back] = [parent.id]
            readings.append(self.reading(child))
        write_all(self._connection, readings, self._principal)

    def reading(self, draft: Draft) -> Any:
        """An observation as a reading, with its feature of interest.

        Raises:
            BadBody: When its datastream or feature is not there.
        """
        if draft.clearance is not None:
            raise BadBody("Observations are as closed as their datastream; they have no clearance of their own.")
        stream = self._one(draft, "Datastream")
        features = self.linked(draft, "FeatureOfInterest")
        if features:
            return reading_of(draft, stream.id, features[0].id)
        return reading_of(draft, stream.id, self.usual_feature(stream.id))

    def usual_feature(self, stream: int) -> int | None:
        """What readings of a datastream are about that do not say it; None where the datastream says it, or nobody."""
        if stream not in self._features:
            self._features[stream] = feature_of_stream(self._connection, stream, self._principal.clearance)
        return self._features[stream]

    def _reading(self, draft: Draft) -> Made:
        (number,) = write_all(self._connection, [self.reading(draft)], self._principal)
        # As closed as its datastream; nothing hangs on it.
        return Made(number, Clearance.PUBLIC)
