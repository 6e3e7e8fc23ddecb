"""What SensorThings answers: pages of entities with what is expanded in them, single entities and their properties."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from geoservice.sensorthings.address import Address
from geoservice.sensorthings.model import ENTITIES, Entity
from geoservice.sensorthings.options import Expand, Options, is_sound
from geoservice.sensorthings.render import data_array, entity_json, self_link, values_of, with_options
from geoservice.sensorthings.select import WRONG_PAGE, Parent, Query, next_number, visible_number
from layers.access import Clearance
from layers.errors import BadFilter, BadParameter, UnknownResource

MOST_ENTITIES = 20_000
"""Entities of one answer, with all that is expanded in it; what is left is reached by nextLinks."""
_MISSING = "There is no such entity, or the link leads nowhere."
_WRONG_DATA = "22"
"""Class of SQLSTATE of values that a calculation cannot take or give."""


@dataclass
class Record:
    """An entity that was read."""

    id: int
    values: dict[str, Any]
    links: dict[str, int | None]
    keys: tuple[str | None, ...]
    json: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Page:
    """Entities of a set: their number if it was asked for, and where the next page begins if there is one."""

    records: list[Record]
    count: int | None
    token: str | None


class Reader:
    """Answers one request in one transaction, so that pages, numbers and what is expanded agree."""

    def __init__(self, connection: AsyncConnection, clearance: Clearance, root: str) -> None:
        """Read over a connection what a clearance lets see; links begin with `root`."""
        self._connection, self._clearance, self._root = connection, clearance, root
        self._left = MOST_ENTITIES

    async def answer(self, address: Address, options: Options) -> Any:
        """The JSON of an address with its options.

        Raises:
            UnknownResource: When there is no such entity, as far as the reader may know.
            BadFilter, BadParameter: When an option cannot be answered.
        """
        try:
            return await self._answer(address, options)
        except DBAPIError as error:
            state = getattr(error.orig, "sqlstate", None) or ""
            if not state.startswith(_WRONG_DATA):
                raise
            if options.token is not None:
                raise BadParameter(WRONG_PAGE, parameter="$skiptoken") from None
            raise BadFilter(
                "A calculation of the request has no answer: numbers, times and positions in texts stay within 64 bits."
            ) from None

    async def _answer(self, address: Address, options: Options) -> Any:
        parent, number = await self._find(address)
        if address.many:
            page = await self.page(address.entity, options, parent)
            return self._set(address, options, page, parent)
        record = await self._one(address.entity, options, number)
        if address.form == "ref":
            return {"@iot.selfLink": self_link(self._root, address.entity, number)}
        if address.form == "entities":
            return record.json
        return _member(record, address)

    async def _find(self, address: Address) -> tuple[Parent | None, int]:
        """Follow an address to the set or entity that it means: whose it is, and its number."""
        if not address.steps and address.id is None:
            return None, 0
        entity, number = address.first, address.id or 0
        number = await self._scalar(visible_number(entity, number, self._clearance))
        for step in address.steps:
            if step.navigation.many and step.id is None:
                return Parent(entity, number, step.navigation), 0
            found = next_number(entity, number, step.navigation, step.id, self._clearance)
            entity, number = ENTITIES[step.navigation.target], await self._scalar(found)
        return None, number

    async def _scalar(self, statement: sa.Select[Any]) -> int:
        found = (await self._connection.execute(statement)).scalar()
        if found is None:
            raise UnknownResource(_MISSING)
        return int(found)

    async def page(self, entity: Entity, options: Options, parent: Parent | None = None) -> Page:
        """A page of a set, with what is expanded in it."""
        query = Query(entity, options, self._clearance)
        number = None
        if options.count:
            number = (await self._connection.execute(query.number(parent))).scalar_one()
        limit = options.limit
        if limit == 0:
            return Page([], number, None)
        statement = query.page(limit, parent, _values(options.token))
        records = self._records(query, (await self._connection.execute(statement)).mappings().all())
        more, records = len(records) > limit, records[:limit]
        await self._expand(entity, options, records)
        return Page(records, number, _token(records[-1].keys) if more else None)

    async def _one(self, entity: Entity, options: Options, number: int) -> Record:
        query = Query(entity, options, self._clearance)
        rows = (await self._connection.execute(query.by_number([number]))).mappings().all()
        records = self._records(query, rows)
        if not records:
            raise UnknownResource(_MISSING)
        await self._expand(entity, options, records)
        return records[0]

    def _records(self, query: Query, rows: Sequence[Mapping[str, Any]]) -> list[Record]:
        self._left -= len(rows)
        found = []
        for row in rows:
            links = {link.name: row[f"n{place}"] for place, link in enumerate(query.links)}
            keys = tuple(row[f"k{place}"] for place in range(len(query.keys)))
            record = Record(row["id"], values_of(query.properties, row), links, keys)
            record.json = entity_json(self._root, query.entity, record.id, record.values, query.options)
            found.append(record)
        return found

    async def _expand(self, entity: Entity, options: Options, records: list[Record]) -> None:
        if not records:
            return
        for one in options.expand:
            if one.navigation.number is not None:
                await self._expand_one(one, records)
            else:
                await self._expand_many(entity, one, records)

    async def _expand_one(self, expand: Expand, records: list[Record]) -> None:
        """Links to one: each entity is read once, however many lead to it."""
        name, target = expand.navigation.name, ENTITIES[expand.navigation.target]
        numbers = sorted({number for one in records if (number := one.links[name]) is not None})
        query = Query(target, expand.options, self._clearance)
        rows = (await self._connection.execute(query.by_number(numbers))).mappings().all() if numbers else []
        found = {one.id: one for one in self._records(query, rows)}
        await self._expand(target, expand.options, list(found.values()))
        for record in records:
            number = record.links[name]
            there = found.get(number) if number is not None else None
            record.json[name] = None if there is None else there.json

    async def _expand_many(self, entity: Entity, expand: Expand, records: list[Record]) -> None:
        """Links to many: the first of each, as many as the answer has room for."""
        name, target, options = expand.navigation.name, ENTITIES[expand.navigation.target], expand.options
        numbers = [one.id for one in records]
        room = max(1, self._left // len(records))
        limit = min(options.limit, room)
        query = Query(target, options, self._clearance)
        counts: dict[int, int] = {}
        if options.count:
            statement = query.numbers_of_each(entity, numbers, expand.navigation)
            counts = {row[0]: row[1] for row in await self._connection.execute(statement)}
        rows: Sequence[Mapping[str, Any]] = []
        if limit > 0:
            statement = query.of_each(entity, numbers, expand.navigation, limit)
            rows = (await self._connection.execute(statement)).mappings().all()
        groups: dict[int, list[Record]] = {number: [] for number in numbers}
        for row, record in zip(rows, self._records(query, rows), strict=True):
            groups[row["owner"]].append(record)
        await self._expand(target, options, [one for group in groups.values() for one in group[:limit]])
        for record in records:
            group = groups[record.id]
            if options.count:
                record.json[f"{name}@iot.count"] = counts.get(record.id, 0)
            record.json[name] = [one.json for one in group[:limit]]
            if limit > 0 and len(group) > limit:
                token = ("$skiptoken", _token(group[limit - 1].keys))
                address = f"{self_link(self._root, entity, record.id)}/{name}"
                record.json[f"{name}@iot.nextLink"] = with_options(address, [*options.spelt(), token])

    def _set(self, address: Address, options: Options, page: Page, parent: Parent | None) -> dict[str, Any]:
        here = f"{self._root}/{address.entity.plural}"
        if parent is not None:
            here = f"{self_link(self._root, parent.entity, parent.id)}/{parent.navigation.name}"
        if address.form == "ref":
            here = f"{here}/$ref"
        found: dict[str, Any] = {} if page.count is None else {"@iot.count": page.count}
        if page.token is not None:
            found["@iot.nextLink"] = with_options(here, [*options.spelt(), ("$skiptoken", page.token)])
        if address.form == "ref":
            found["value"] = [{"@iot.selfLink": self_link(self._root, address.entity, r.id)} for r in page.records]
        elif options.form == "dataArray":
            found["value"] = data_array(self._root, [_line(one, options) for one in page.records])
        else:
            found["value"] = [one.json for one in page.records]
        return found


def _line(record: Record, options: Options) -> tuple[int, dict[str, Any]]:
    """A reading as a line of a data array: its datastream, its number and properties."""
    named = {"id": record.id} if options.select is None or "id" in options.select else {}
    return record.links["Datastream"] or 0, {**named, **record.values}


def _member(record: Record, address: Address) -> Any:
    """A property as an object with its name, or its bare value."""
    name = address.member[0]
    value = record.id if name in ("id", "@iot.id") else record.values.get(name)
    for step in address.member[1:]:
        if isinstance(value, list) and step.isdigit() and int(step) < len(value):
            value = value[int(step)]
        elif isinstance(value, dict) and step in value:
            value = value[step]
        else:
            raise UnknownResource(_MISSING)
        name = step
    return value if address.form == "value" else {name: value}


def _token(keys: Sequence[str | None]) -> str:
    return base64.urlsafe_b64encode(json.dumps(list(keys), ensure_ascii=False).encode()).decode().rstrip("=")


def _values(token: str | None) -> list[str | None]:
    """The keys that a token holds.

    Raises:
        BadParameter: When it is none of ours.
    """
    if token is None:
        return []
    try:
        padded = token + "=" * (-len(token) % 4)
        found = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
    except (ValueError, binascii.Error, RecursionError):
        found = None
    if not isinstance(found, list) or not found or not all(one is None or _is_text(one) for one in found):
        raise BadParameter(WRONG_PAGE, parameter="$skiptoken")
    return found


def _is_text(one: object) -> bool:
    return isinstance(one, str) and is_sound(one)
