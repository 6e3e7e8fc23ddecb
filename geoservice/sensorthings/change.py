"""Changes and deletions of entities (18-088, 10.3 and 10.4). Blocking; in one transaction of the writer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import sqlalchemy as sa

from geoservice.observations import tables
from geoservice.observations.register import remove_streams
from geoservice.observations.removal import remove
from geoservice.sensorthings.draft import Draft
from geoservice.sensorthings.make import Made, Maker
from geoservice.sensorthings.model import Entity
from geoservice.sensorthings.readings import replace
from geoservice.sensorthings.rows import columns_of
from layers.access import Clearance, Principal
from layers.errors import BadBody, NotAllowed, UnknownResource

_MISSING = "There is no such entity, or the link leads nowhere."
_COLUMNS = {"Thing": "thing", "Sensor": "sensor", "ObservedProperty": "property"}
_PLACES = {"Locations": "location", "FeaturesOfInterest": "feature"}
_MOST_STREAMS = 10_000
"""Datastreams that go with one deletion."""


class Changer:
    """Changes and deletes entities in the name of a principal: what they may not see is not there for them."""

    def __init__(self, connection: sa.Connection, principal: Principal) -> None:
        """Work in a transaction of the writer."""
        self._connection, self._principal = connection, principal
        self._maker = Maker(connection, principal)

    def change(self, number: int, draft: Draft) -> None:
        """Change what a draft mentions, and leave the rest.

        Raises:
            UnknownResource: When there is no such entity.
            BadBody: When it cannot be changed so.
            ReadingsRefused: When an observation would be flawed.
        """
        if draft.clearance is not None:
            raise BadBody("The clearance of an entity is given when it is made.")
        row = self._held(draft.entity, number)
        if draft.entity.plural == "Observations":
            self._change_reading(row, draft)
            return
        columns = self._columns(row, draft)
        if not columns:
            return
        table = draft.entity.table
        if draft.entity.plural == "HistoricalLocations":
            self._shift(row, columns["since"])
            return
        self._connection.execute(sa.update(table).where(table.c.id == number).values(**columns))

    def _held(self, entity: Entity, number: int) -> Any:
        """The row of an entity; others who would change it wait."""
        table, level = entity.table, int(self._principal.clearance)
        wanted = sa.select(table).where(table.c.id == number, table.c.clearance <= level).with_for_update()
        row = self._connection.execute(wanted).mappings().first()
        if row is None:
            raise UnknownResource(_MISSING)
        return row

    def _columns(self, row: Any, draft: Draft) -> dict[str, Any]:
        name = draft.entity.plural
        values = dict(draft.values)
        if name in _PLACES and "encodingType" in values:
            values.setdefault(_PLACES[name], row["geojson"])
        columns = columns_of(values, row.get("encoding"))
        for link in draft.links:
            columns |= self._relinked(row, draft, link)
        return columns

    def _relinked(self, row: Any, draft: Draft, link: str) -> dict[str, Any]:
        """What a new link changes in the row itself; things are moved."""
        found = self._maker.linked(draft, link)
        here = Made(row["id"], Clearance(row["clearance"]))
        if link == "Locations" and draft.entity.plural == "Things" and found:
            self._maker.move(here, found)
            return {}
        if link == "Things":
            for thing in found:
                self._maker.move(thing, [here])
            return {}
        if link not in _COLUMNS or draft.entity.plural != "Datastreams":
            raise BadBody(f"{link} of one of {draft.entity.plural} cannot be changed there.")
        if found[0].level > here.level:
            raise BadBody(f"{link} would be more closed than what hangs on it.")
        return {_COLUMNS[link]: found[0].id}

    def _change_reading(self, row: Any, draft: Draft) -> None:
        features = self._maker.linked(draft, "FeatureOfInterest") if "FeatureOfInterest" in draft.links else []
        streams = draft.links.get("Datastream", [row["datastream"]])
        if streams != [row["datastream"]]:
            raise BadBody("An observation stays with its Datastream.")
        replace(self._connection, row, draft, features[0].id if features else None, self._principal)

    def _shift(self, row: Any, since: Any) -> None:
        """Another time for where a thing was, between the times before and after it."""
        stay = tables.thing_location
        others = sa.and_(stay.c.thing == row["thing"], stay.c.since != row["since"])
        span = sa.select(
            sa.func.max(stay.c.since).filter(stay.c.since < row["since"]),
            sa.func.min(stay.c.since).filter(stay.c.since > row["since"]),
        ).where(others)
        before, after = self._connection.execute(span).one()
        if (before is not None and since <= before) or (after is not None and since >= after):
            raise BadBody("time of one of HistoricalLocations stays between the times before and after it.")
        of_thing = stay.c.thing == row["thing"]
        ended = sa.update(stay).where(of_thing, stay.c.until == row["since"])
        self._connection.execute(ended.values(until=since))
        began = sa.update(stay).where(of_thing, stay.c.since == row["since"])
        self._connection.execute(began.values(since=since))

    def delete(self, entity: Entity, number: int) -> None:
        """Delete an entity and what cannot be without it (18-088, table 25).

        Raises:
            UnknownResource: When there is no such entity.
            NotAllowed: When something more closed than the key hangs on it.
        """
        row = self._held(entity, number)
        ways: dict[str, Callable[[Any], None]] = {
            "Things": lambda one: self._delete_with_streams(entity, one, tables.datastream.c.thing),
            "Sensors": lambda one: self._delete_with_streams(entity, one, tables.datastream.c.sensor),
            "ObservedProperties": lambda one: self._delete_with_streams(entity, one, tables.datastream.c.property),
            "Datastreams": lambda one: self._delete_streams(tables.datastream.c.id == one["id"]),
            "HistoricalLocations": self._delete_stay,
            "FeaturesOfInterest": self._delete_feature,
            "Observations": self._delete_reading,
        }
        ways.get(entity.plural, lambda one: self._delete_row(entity, one))(row)

    def _delete_row(self, entity: Entity, row: Any) -> None:
        table = entity.table
        self._connection.execute(sa.delete(table).where(table.c.id == row["id"]))

    def _delete_with_streams(self, entity: Entity, row: Any, column: sa.Column[Any]) -> None:
        self._delete_streams(column == row["id"])
        self._delete_row(entity, row)

    def _delete_streams(self, which: sa.ColumnElement[bool]) -> None:
        remove_streams(self._connection, self._streams(which))

    def _streams(self, which: sa.ColumnElement[bool]) -> list[int]:
        """Datastreams that go.

        Raises:
            NotAllowed: When there are too many, or some that the principal may not see.
        """
        own = tables.datastream
        found = self._connection.execute(sa.select(own.c.id, own.c.clearance).where(which)).all()
        if len(found) > _MOST_STREAMS or any(level > self._principal.clearance for _, level in found):
            raise NotAllowed("This API key may not delete this entity with all that hangs on it.")
        return [number for number, _ in found]

    def _delete_stay(self, row: Any) -> None:
        """The place before it, if there is one, holds on until the next; where a thing is now stays."""
        stay = tables.thing_location
        of_thing = stay.c.thing == row["thing"]
        self._connection.execute(sa.delete(stay).where(of_thing, stay.c.since == row["since"]))
        before = sa.update(stay).where(of_thing, stay.c.until == row["since"])
        self._connection.execute(before.values(until=row["until"]))

    def _delete_feature(self, row: Any) -> None:
        """A feature of interest with the observations that are about it."""
        own, one = tables.datastream, tables.observation
        usual = self._streams(own.c.foi == row["id"])
        named = sa.select(one.c.datastream).where(one.c.foi == row["id"]).distinct()
        naming = self._streams(own.c.id.in_(named))
        about = sa.or_(one.c.foi == row["id"], sa.and_(one.c.foi.is_(None), one.c.datastream.in_(usual)))
        if usual or naming:
            remove(self._connection, sorted({*usual, *naming}), about)
        table = tables.feature_of_interest
        self._connection.execute(sa.delete(table).where(table.c.id == row["id"]))

    def _delete_reading(self, row: Any) -> None:
        """A reading, with those that it replaced; one that was replaced goes alone."""
        one = tables.observation
        which = one.c.id == row["id"]
        if not row["superseded"]:
            which = one.c.phenomenon_time == row["phenomenon_time"]
        remove(self._connection, [row["datastream"]], which)
