"""Where requests that change something are taken in: by their address, in a transaction. Blocking."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from geoservice.sensorthings.address import Address, read_address
from geoservice.sensorthings.change import Changer
from geoservice.sensorthings.draft import DraftReader
from geoservice.sensorthings.make import Maker
from geoservice.sensorthings.model import ENTITIES, Entity
from geoservice.sensorthings.select import Parent, next_number, visible_number
from layers.access import Principal
from layers.errors import MethodNotAllowed, NotAllowed, NotAuthenticated, UnknownResource


@dataclass(frozen=True)
class Wish:
    """What is to be done: POST, PATCH, PUT or DELETE, the path below the service root, and the parsed body."""

    method: str
    path: str
    body: Any = None


@dataclass(frozen=True)
class Done:
    """What was done to which entity."""

    method: str
    entity: Entity
    id: int


def require_observer(principal: Principal) -> None:
    """Make sure that a principal may write.

    Raises:
        NotAuthenticated: When nobody said who asks.
        NotAllowed: When the key has not the right.
    """
    if principal.anonymous:
        raise NotAuthenticated("Writing observations takes an API key; send it as X-API-Key or bearer token.")
    if not principal.observes:
        raise NotAllowed("This API key may not write observations; `geoservice key create --may-observe` makes one.")


def perform(connection: sa.Connection, principal: Principal, wish: Wish, made: Mapping[str, int] | None = None) -> Done:
    """Do what is wished.

    Args:
        connection: A transaction of the writer.
        principal: Who wishes it.
        wish: What is wished.
        made: Numbers of entities that the same change set made before, by their names.

    Raises:
        UnknownResource: When there is no such address.
        MethodNotAllowed: When this cannot be done there.
        GeoError: As `Maker` and `Changer` say.
    """
    address = read_address(wish.path)
    if address.form != "entities" or address.many is not (wish.method == "POST"):
        raise MethodNotAllowed("Entities are made by POST in their set, and changed and deleted at their own address.")
    parent, number = find(connection, principal, address)
    entity = address.entity
    if wish.method == "POST":
        draft = DraftReader(made).read(entity, wish.body)
        return Done("POST", entity, Maker(connection, principal).make(draft, parent))
    if wish.method in ("PATCH", "PUT"):
        reader = DraftReader(made)
        whole = wish.method == "PUT"
        draft = reader.replacement(entity, wish.body) if whole else reader.read(entity, wish.body, change=True)
        Changer(connection, principal).change(number, draft)
    else:
        Changer(connection, principal).delete(entity, number)
    return Done(wish.method, entity, number)


def find(connection: sa.Connection, principal: Principal, address: Address) -> tuple[Parent | None, int]:
    """Follow an address to the set or entity that it means, as far as the principal may know.

    Returns:
        Whose set it is, if it is one of another entity; the number of the entity, 0 where a set is meant.

    Raises:
        UnknownResource: When it leads nowhere.
    """
    if not address.steps and address.id is None:
        return None, 0
    clearance = principal.clearance
    entity, number = address.first, address.id or 0
    number = _scalar(connection, visible_number(entity, number, clearance))
    for step in address.steps:
        if step.navigation.many and step.id is None:
            return Parent(entity, number, step.navigation), 0
        found = next_number(entity, number, step.navigation, step.id, clearance)
        entity, number = ENTITIES[step.navigation.target], _scalar(connection, found)
    return None, number


def _scalar(connection: sa.Connection, statement: sa.Select[Any]) -> int:
    found = connection.execute(statement).scalar()
    if found is None:
        raise UnknownResource("There is no such entity, or the link leads nowhere.")
    return int(found)
