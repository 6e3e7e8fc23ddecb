"""Statements of SensorThings: a page of entities, their number, and what belongs to each of several."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY

from geoservice.sensorthings.compile import Scope, condition, key
from geoservice.sensorthings.kinds import Column, Kind, Term
from geoservice.sensorthings.model import ENTITIES, Entity, Navigation, Property
from geoservice.sensorthings.options import Options
from geoservice.sensorthings.tree import Order, Path
from layers.access import Clearance
from layers.errors import BadParameter

_CODE_POINTS = "C"
_TYPES: dict[Kind, Any] = {
    Kind.NUMBER: sa.Numeric(),
    Kind.TEXT: sa.Text(),
    Kind.BOOLEAN: sa.Boolean(),
    Kind.INSTANT: sa.DateTime(timezone=True),
    Kind.DATE: sa.Date(),
    Kind.CLOCK: sa.Time(),
    Kind.DURATION: sa.Interval(),
}
WRONG_PAGE = "$skiptoken is taken from a nextLink as it is, with the options of that link; this one is not."


@dataclass(frozen=True)
class Parent:
    """The entity whose many are meant: its type, its number, and the link that leads to them."""

    entity: Entity
    id: int
    navigation: Navigation


@dataclass(frozen=True)
class Key:
    """A key of an order as SQL; `filled` says that no row lacks it."""

    sql: Column
    kind: Kind
    descending: bool
    filled: bool

    def ordered(self) -> Column:
        """As ORDER BY has it: what is null comes before everything (OData, part 1, 11.2.5.2)."""
        base: Column = sa.desc(self.sql) if self.descending else sa.asc(self.sql)
        if self.filled:
            return base
        placed: Column = sa.nulls_last(base) if self.descending else sa.nulls_first(base)
        return placed

    def value(self, text: str | None) -> Column:
        """A value that an earlier page ended with."""
        exact = isinstance(self.sql.type, sa.BigInteger | sa.Double)
        return sa.cast(sa.literal(text, sa.Text()), self.sql.type if exact else _TYPES[self.kind])

    def same(self, text: str | None) -> Column:
        """Rows that have that value."""
        equal: Column = self.sql.is_(None) if text is None else self.sql == self.value(text)
        return equal

    def beyond(self, text: str | None) -> Column:
        """Rows that come behind those."""
        if text is None:
            return sa.false() if self.descending else self.sql.is_not(None)
        if not self.descending:
            higher: Column = self.sql > self.value(text)
            return higher
        lower: Column = self.sql < self.value(text)
        return lower if self.filled else sa.or_(lower, self.sql.is_(None))


class Query:
    """A question for entities of one type, for one reader."""

    def __init__(self, entity: Entity, options: Options, clearance: Clearance) -> None:
        """Judge the question.

        Raises:
            BadFilter: When an expression names what is not there or cannot be compared.
        """
        self.entity, self.options, self.clearance = entity, options, clearance
        self.alias = entity.table.alias()
        self._scope = Scope(entity, self.alias, clearance)
        self._conditions: list[Column] = []
        if options.filter is not None:
            self._conditions.append(condition(options.filter, self._scope))
        self.keys: tuple[Key, ...] = ()
        self.properties = _shown(entity, options)
        self.links = _followed(entity, options)

    def page(self, limit: int, parent: Parent | None = None, after: Sequence[str | None] = ()) -> sa.Select[Any]:
        """Entities in order, one more than the limit if there are more.

        Args:
            limit: How many are wanted.
            parent: Whose they are.
            after: Keys with which the page before ended.

        Raises:
            BadFilter: When a key of the order is none.
            BadParameter: When `after` does not fit the order.
        """
        self.keys = self._order(parent.navigation if parent else None, parent.entity if parent else None)
        statement = self._rows(parent).order_by(*(one.ordered() for one in self.keys)).limit(limit + 1)
        if after:
            return statement.where(self._after(after))
        return statement.offset(self.options.skip) if self.options.skip else statement

    def number(self, parent: Parent | None = None) -> sa.Select[Any]:
        """How many there are."""
        return self._from(sa.select(sa.func.count()), parent, one=False)

    def by_number(self, numbers: Sequence[int]) -> sa.Select[Any]:
        """The entities of some numbers, as far as the filter lets them pass."""
        statement = self._from(sa.select(*self._columns()), None, one=True)
        return statement.where(self.alias.c.id == sa.any_(sa.literal(list(numbers), ARRAY(sa.BigInteger()))))

    def of_each(self, owners: Entity, numbers: Sequence[int], navigation: Navigation, limit: int) -> sa.Select[Any]:
        """The first entities of each of several owners, one more than the limit if there are more."""
        ours = owners.table.alias()
        self.keys = self._order(navigation, owners)
        belongs = navigation.join(self.clearance, ours, self.alias)
        inner = self._from(sa.select(*self._columns()), None, one=False).where(belongs).correlate(ours)
        inner = inner.order_by(*(one.ordered() for one in self.keys)).limit(limit + 1)
        if self.options.skip:
            inner = inner.offset(self.options.skip)
        each = inner.lateral("each")
        several = ours.c.id == sa.any_(sa.literal(list(numbers), ARRAY(sa.BigInteger())))
        statement = sa.select(ours.c.id.label("owner"), *each.c).select_from(sa.join(ours, each, sa.true()))
        return statement.where(several)

    def numbers_of_each(self, owners: Entity, numbers: Sequence[int], navigation: Navigation) -> sa.Select[Any]:
        """How many entities each of several owners has."""
        ours = owners.table.alias()
        belongs = navigation.join(self.clearance, ours, self.alias)
        inner = self._from(sa.select(sa.func.count().label("found")), None, one=False).where(belongs).correlate(ours)
        each = inner.lateral("each")
        several = ours.c.id == sa.any_(sa.literal(list(numbers), ARRAY(sa.BigInteger())))
        return sa.select(ours.c.id, each.c.found).select_from(sa.join(ours, each, sa.true())).where(several)

    def _rows(self, parent: Parent | None) -> sa.Select[Any]:
        return self._from(sa.select(*self._columns()), parent, one=False)

    def _columns(self) -> list[Column]:
        """Number, values of the properties, numbers of the links to one, keys of the order as text."""
        found: list[Column] = [self.alias.c.id.label("id")]
        for place, one in enumerate(self.properties):
            found += [column.label(f"p{place}_{part}") for part, column in enumerate(one.columns(self.alias))]
        for place, link in enumerate(self.links):
            if link.number is not None:
                found.append(link.number(self.alias).label(f"n{place}"))
        found += [sa.cast(one.sql, sa.Text()).label(f"k{place}") for place, one in enumerate(self.keys)]
        return found

    def _from(self, statement: sa.Select[Any], parent: Parent | None, *, one: bool) -> sa.Select[Any]:
        joined = self._scope.joined()
        conditions = [self.entity.visible(self.clearance, self.alias, one=one), *self._conditions]
        if parent is not None:
            ours = parent.entity.table.alias()
            joined = sa.join(ours, joined, parent.navigation.join(self.clearance, ours, self.alias))
            conditions.append(ours.c.id == sa.literal(parent.id, sa.BigInteger()))
        return statement.select_from(joined).where(*conditions)

    def _order(self, navigation: Navigation | None, owner: Entity | None) -> tuple[Key, ...]:
        """The keys, and the number of the entity as the last one."""
        order = self.options.order
        if not order and navigation is not None and owner is not None:
            # Readings of one datastream lie in the order of time.
            timely = (owner.plural, navigation.name) == ("Datastreams", "Observations")
            order = (Order(Path(("phenomenonTime",))),) if timely else ()
        found: list[Key] = []
        for one in order:
            found += self._keys(one)
        downwards = bool(found) and found[0].descending
        return (*found, Key(self.alias.c.id, Kind.NUMBER, downwards, True))

    def _keys(self, order: Order) -> list[Key]:
        term = key(order.node, self._scope)
        filled = isinstance(order.node, Path) and _filled(self.entity, order.node)
        if term.opened is not None:
            parts = [Term(Kind.NUMBER, term.opened.number), Term(Kind.TEXT, term.opened.text)]
        else:
            parts = [replace(term, kind=Kind.INSTANT) if term.kind is Kind.PERIOD else term]
        return [Key(_collated(one), one.kind, order.descending, filled) for one in parts]

    def _after(self, values: Sequence[str | None]) -> Column:
        if len(values) != len(self.keys):
            raise BadParameter(WRONG_PAGE, parameter="$skiptoken")
        pairs = list(zip(self.keys, values, strict=True))
        found = [
            sa.and_(*(one.same(text) for one, text in pairs[:place]), pairs[place][0].beyond(pairs[place][1]))
            for place in range(len(pairs))
        ]
        first, text = pairs[0]
        # Said once more in the way that an index understands.
        return sa.and_(sa.or_(first.same(text), first.beyond(text)), sa.or_(*found))


def _collated(term: Term) -> Column:
    return sa.collate(term.sql, _CODE_POINTS) if term.kind is Kind.TEXT else term.sql


def _filled(entity: Entity, path: Path) -> bool:
    """Whether a path is a property of the entity itself that no row lacks."""
    if path.steps in (("id",), ("@iot.id",)):
        return True
    found = entity.properties.get(path.steps[0])
    return len(path.steps) == 1 and found is not None and found.filled


def _shown(entity: Entity, options: Options) -> list[Property]:
    wanted = options.select
    return [one for name, one in entity.properties.items() if wanted is None or name in wanted]


def _followed(entity: Entity, options: Options) -> list[Navigation]:
    """Links to one whose number is read: those that are expanded, and the datastream that readings are grouped by."""
    wanted = {one.navigation.name for one in options.expand}
    if options.form == "dataArray":
        wanted.add("Datastream")
    return [one for name, one in entity.navigations.items() if name in wanted and one.number is not None]


def visible_number(entity: Entity, number: int, clearance: Clearance) -> sa.Select[Any]:
    """The number of an entity, if the reader may see it."""
    alias = entity.table.alias()
    seen = entity.visible(clearance, alias, one=True)
    return sa.select(alias.c.id).where(seen, alias.c.id == sa.literal(number, sa.BigInteger()))


def next_number(
    entity: Entity, number: int, navigation: Navigation, wanted: int | None, clearance: Clearance
) -> sa.Select[Any]:
    """The number of what a link leads to from an entity; of many, the one that is wanted."""
    target = ENTITIES[navigation.target]
    ours, theirs = entity.table.alias(), target.table.alias()
    linked = sa.join(ours, theirs, navigation.join(clearance, ours, theirs))
    found = (
        sa.select(theirs.c.id)
        .select_from(linked)
        .where(ours.c.id == sa.literal(number, sa.BigInteger()), target.visible(clearance, theirs, one=True))
    )
    return found if wanted is None else found.where(theirs.c.id == sa.literal(wanted, sa.BigInteger()))
