"""The entities of SensorThings over the tables of observations: their properties as SQL and JSON, and their links."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import sqlalchemy as sa

from geoservice.observations import tables
from geoservice.sensorthings import shown
from geoservice.sensorthings.kinds import Column, Kind, Open, Term, of_json, of_period
from layers.access import Clearance

Alias: TypeAlias = sa.FromClause
_DIGITS = 9
"""Decimals of degrees: a tenth of a millimetre."""


@dataclass(frozen=True)
class Property:
    """A property of an entity.

    Attributes:
        name: As clients write it.
        term: What it is in expressions.
        columns: What is read to show it.
        show: Its JSON of these columns' values.
        members: Members of an object that expressions may name.
        required: Whether it is shown where it is null.
        filled: Whether it is null in no row.
    """

    name: str
    term: Callable[[Alias], Term]
    columns: Callable[[Alias], tuple[Column, ...]]
    show: Callable[..., Any] = shown.as_it_is
    members: Mapping[str, Callable[[Alias], Term]] = field(default_factory=dict)
    required: bool = True
    filled: bool = False


@dataclass(frozen=True)
class Navigation:
    """A link from one entity to another, or to many of a type.

    Attributes:
        name: As clients write it.
        target: Name of the set of what it leads to.
        many: Whether it leads to many.
        join: When a row of the target belongs to a row of ours: clearance of the reader, ours, theirs.
        number: Number of the one that it leads to.
    """

    name: str
    target: str
    many: bool
    join: Callable[[Clearance, Alias, Alias], Column]
    number: Callable[[Alias], Column] | None = None


@dataclass(frozen=True)
class Entity:
    """A type of entity.

    Attributes:
        plural: Name of the set.
        table: Where its rows are.
        properties: By name, without `id`.
        navigations: Links by name.
        counts: Which rows are entities of their own (of more rows that make up one, the first).
        listed: Which rows sets show; the others are found by their number only.
    """

    plural: str
    table: sa.Table
    properties: Mapping[str, Property]
    navigations: Mapping[str, Navigation]
    counts: Callable[[Clearance, Alias], Column] | None = None
    listed: Callable[[Alias], Column] | None = None

    @property
    def names(self) -> frozenset[str]:
        """Everything that may be selected."""
        return frozenset({"id", "@iot.id", *self.properties, *self.navigations})

    def visible(self, clearance: Clearance, alias: Alias, *, one: bool = False) -> Column:
        """Which rows a reader may see as entities; `one` that is addressed by its number need not be listed."""
        found = [alias.c.clearance <= int(clearance)]
        if self.counts is not None:
            found.append(self.counts(clearance, alias))
        if self.listed is not None and not one:
            found.append(self.listed(alias))
        return sa.and_(*found)


def _text(name: str, column: str, *, required: bool = True) -> Property:
    return Property(
        name,
        lambda a: Term(Kind.TEXT, a.c[column]),
        lambda a: (a.c[column],),
        required=required,
        filled=required,
    )


def _json(name: str, column: str, *, required: bool = False) -> Property:
    return Property(name, lambda a: of_json(a.c[column]), lambda a: (a.c[column],), required=required)


def _place(name: str) -> Property:
    """A geometry: as it was given where it is shown, in storage's CRS where it is compared."""
    term = lambda a: Term(Kind.SHAPE, a.c.geom)  # noqa: E731
    return Property(name, term, lambda a: (a.c.geojson,), filled=True)


def _span(name: str, begin: str, end: str, *, required: bool = False, filled: bool = False) -> Property:
    return Property(
        name,
        lambda a: of_period(a.c[begin], a.c[end]),
        lambda a: (a.c[begin], a.c[end]),
        shown.span,
        required=required,
        filled=filled,
    )


def _instant(name: str, column: str) -> Property:
    return Property(
        name, lambda a: Term(Kind.INSTANT, a.c[column]), lambda a: (a.c[column],), shown.moment, filled=True
    )


def _area(alias: Alias) -> tuple[Column, ...]:
    return (sa.cast(sa.func.ST_AsGeoJSON(alias.c.observed_area, _DIGITS, 0), sa.JSON()),)


def _unit(part: str) -> Callable[[Alias], Term]:
    return lambda a: Term(Kind.TEXT, a.c[f"unit_{part}"])


def _result(alias: Alias) -> Term:
    json = of_json(alias.c.json)
    flag = json.opened.flag if json.opened is not None else sa.null()
    return Term(Kind.OPEN, alias.c.json, opened=Open(alias.c.number, alias.c.text, flag))


_UNIT = Property(
    "unitOfMeasurement",
    _unit("name"),
    lambda a: (a.c.unit_name, a.c.unit_symbol, a.c.unit_definition),
    shown.unit,
    {part: _unit(part) for part in ("name", "symbol", "definition")},
)
_QUALITY = Property("resultQuality", lambda a: Term(Kind.TEXT, a.c.quality), lambda a: (a.c.quality,), required=False)
_RESULT = Property("result", _result, lambda a: (a.c.number, a.c.text, a.c.json), shown.result)
_AREA = Property("observedArea", lambda a: Term(Kind.SHAPE, a.c.observed_area), _area, required=False)
_NAMED = (_text("name", "name"), _text("description", "description"))
_FREE = _json("properties", "properties")


def _one(name: str, target: str, number: Callable[[Alias], Column]) -> Navigation:
    """A link to one, whose number ours has."""
    return Navigation(name, target, False, lambda _, ours, theirs: theirs.c.id == number(ours), number)


def _own(column: str) -> Callable[[Alias], Column]:
    return lambda ours: ours.c[column]


def _theirs(column: str) -> Callable[[Clearance, Alias, Alias], Column]:
    """They have our number."""
    return lambda _, ours, theirs: theirs.c[column] == ours.c.id


def _stays(clearance: Clearance) -> sa.FromClause:
    """Places of things, as far as a reader may know them."""
    return sa.select(tables.thing_location).where(tables.thing_location.c.clearance <= int(clearance)).subquery()


def _where_things_are(clearance: Clearance, ours: Alias, theirs: Alias) -> Column:
    stay = _stays(clearance)
    return theirs.c.id.in_(
        sa.select(stay.c.location).where(stay.c.thing == ours.c.id, stay.c.until.is_(None)).correlate(ours)
    )


def _what_is_there(clearance: Clearance, ours: Alias, theirs: Alias) -> Column:
    stay = _stays(clearance)
    return theirs.c.id.in_(
        sa.select(stay.c.thing).where(stay.c.location == ours.c.id, stay.c.until.is_(None)).correlate(ours)
    )


def _where_it_was(clearance: Clearance, ours: Alias, theirs: Alias) -> Column:
    stay = _stays(clearance)
    same = (stay.c.thing == ours.c.thing, stay.c.since == ours.c.since)
    return theirs.c.id.in_(sa.select(stay.c.location).where(*same).correlate(ours))


def _what_was_there(clearance: Clearance, ours: Alias, theirs: Alias) -> Column:
    stay = _stays(clearance)
    found = sa.select(stay.c.thing, stay.c.since).where(stay.c.location == ours.c.id).correlate(ours)
    return sa.tuple_(theirs.c.thing, theirs.c.since).in_(found)


def _first_of_its_time(clearance: Clearance, alias: Alias) -> Column:
    """A thing that has several encodings of its place has a row for each, and one HistoricalLocation."""
    other = _stays(clearance)
    earlier = (other.c.thing == alias.c.thing, other.c.since == alias.c.since, other.c.id < alias.c.id)
    return ~sa.exists(sa.select(sa.literal(1)).select_from(other).where(*earlier).correlate(alias))


def _feature_of(ours: Alias) -> Column:
    """What a reading is about: what it names, or what readings of its datastream are about."""
    usual = sa.select(tables.datastream.c.foi).where(tables.datastream.c.id == ours.c.datastream).correlate(ours)
    return sa.func.coalesce(ours.c.foi, usual.scalar_subquery(), type_=sa.BigInteger())


def _readings_of(_: Clearance, ours: Alias, theirs: Alias) -> Column:
    usual = sa.select(tables.datastream.c.id).where(tables.datastream.c.foi == ours.c.id).correlate(ours)
    return sa.or_(theirs.c.foi == ours.c.id, sa.and_(theirs.c.foi.is_(None), theirs.c.datastream.in_(usual)))


def _entity(
    plural: str,
    table: sa.Table,
    properties: tuple[Property, ...],
    navigations: tuple[Navigation, ...],
    **more: Any,
) -> Entity:
    return Entity(plural, table, {p.name: p for p in properties}, {n.name: n for n in navigations}, **more)


_DATASTREAMS = ("Datastreams", "Datastreams", True)
ENTITIES: dict[str, Entity] = {
    one.plural: one
    for one in (
        _entity(
            "Things",
            tables.thing,
            (*_NAMED, _FREE),
            (
                Navigation(*_DATASTREAMS, _theirs("thing")),
                Navigation("Locations", "Locations", True, _where_things_are),
                Navigation("HistoricalLocations", "HistoricalLocations", True, _theirs("thing")),
            ),
        ),
        _entity(
            "Locations",
            tables.location,
            (*_NAMED, _text("encodingType", "encoding"), _place("location"), _FREE),
            (
                Navigation("Things", "Things", True, _what_is_there),
                Navigation("HistoricalLocations", "HistoricalLocations", True, _what_was_there),
            ),
        ),
        _entity(
            "HistoricalLocations",
            tables.thing_location,
            (_instant("time", "since"),),
            (
                _one("Thing", "Things", _own("thing")),
                Navigation("Locations", "Locations", True, _where_it_was),
            ),
            counts=_first_of_its_time,
        ),
        _entity(
            "Datastreams",
            tables.datastream,
            (
                *_NAMED,
                _text("observationType", "observation_type"),
                _UNIT,
                _AREA,
                _span("phenomenonTime", "phenomenon_begin", "phenomenon_end"),
                _span("resultTime", "result_begin", "result_end"),
                _FREE,
            ),
            (
                _one("Thing", "Things", _own("thing")),
                _one("Sensor", "Sensors", _own("sensor")),
                _one("ObservedProperty", "ObservedProperties", _own("property")),
                Navigation("Observations", "Observations", True, _theirs("datastream")),
            ),
        ),
        _entity(
            "Sensors",
            tables.sensor,
            (*_NAMED, _text("encodingType", "encoding"), _json("metadata", "metadata", required=True), _FREE),
            (Navigation(*_DATASTREAMS, _theirs("sensor")),),
        ),
        _entity(
            "ObservedProperties",
            tables.observed_property,
            (*_NAMED, _text("definition", "definition"), _FREE),
            (Navigation(*_DATASTREAMS, _theirs("property")),),
        ),
        _entity(
            "Observations",
            tables.observation,
            (
                _span("phenomenonTime", "phenomenon_time", "phenomenon_end", required=True, filled=True),
                _instant("resultTime", "result_time"),
                _RESULT,
                _QUALITY,
                _span("validTime", "valid_begin", "valid_end"),
                _json("parameters", "parameters"),
            ),
            (
                _one("Datastream", "Datastreams", _own("datastream")),
                _one("FeatureOfInterest", "FeaturesOfInterest", _feature_of),
            ),
            listed=lambda a: a.c.superseded.is_(False),
        ),
        _entity(
            "FeaturesOfInterest",
            tables.feature_of_interest,
            (*_NAMED, _text("encodingType", "encoding"), _place("feature"), _FREE),
            (Navigation("Observations", "Observations", True, _readings_of),),
        ),
    )
}
"""Every type of entity by the name of its set."""
