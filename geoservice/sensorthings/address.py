"""Addresses of SensorThings (18-088, 9.2): which entities, which of their properties, and how they are shown."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from geoservice.sensorthings.model import ENTITIES, Entity, Navigation
from layers.errors import UnknownResource

MOST_STEPS = 12
"""Parts of an address."""
_PART = re.compile(r"(?P<name>[A-Za-z]+)(?:\((?P<id>\d{1,18})\))?", re.ASCII)
_NOWHERE = "There is no such resource of SensorThings; the service root lists the sets there are."


@dataclass(frozen=True)
class Step:
    """A link that is followed from the entity before, and which of the many behind it is meant."""

    navigation: Navigation
    id: int | None


@dataclass(frozen=True)
class Address:
    """What an address means.

    Attributes:
        entity: Type of what it leads to.
        first: The set that it begins with.
        id: Which of them; None means the set.
        steps: Links that are followed from there.
        form: Whether entities are meant, addresses of them, a property, or its bare value.
        member: The property, and members of it.
    """

    entity: Entity
    first: Entity
    id: int | None
    steps: tuple[Step, ...] = ()
    form: Literal["entities", "ref", "property", "value"] = "entities"
    member: tuple[str, ...] = ()

    @property
    def many(self) -> bool:
        """Whether it leads to a set."""
        if not self.steps:
            return self.id is None
        return self.steps[-1].navigation.many and self.steps[-1].id is None


def read_address(path: str) -> Address:
    """What a path below the service root means.

    Raises:
        UnknownResource: When it means nothing.
    """
    parts = path.strip("/").split("/")
    if len(parts) > MOST_STEPS:
        raise UnknownResource(_NOWHERE)
    name, number = _part(parts[0])
    if name not in ENTITIES:
        raise UnknownResource(_NOWHERE)
    found = Address(ENTITIES[name], ENTITIES[name], number)
    for place, part in enumerate(parts[1:], 1):
        if part in ("$ref", "$value") or (not found.many and _names_property(found.entity, part)):
            return _end(found, tuple(parts[place:]))
        found = _followed(found, part)
    return found


def _part(text: str) -> tuple[str, int | None]:
    found = _PART.fullmatch(text)
    if found is None:
        raise UnknownResource(_NOWHERE)
    return found["name"], None if found["id"] is None else int(found["id"])


def _followed(found: Address, part: str) -> Address:
    name, number = _part(part)
    navigation = found.entity.navigations.get(name)
    if found.many or navigation is None or (number is not None and not navigation.many):
        raise UnknownResource(_NOWHERE)
    steps = (*found.steps, Step(navigation, number))
    return Address(ENTITIES[navigation.target], found.first, found.id, steps)


def _names_property(entity: Entity, part: str) -> bool:
    return part in entity.properties or part in ("id", "@iot.id")


def _end(found: Address, rest: tuple[str, ...]) -> Address:
    """The last parts of an address: `$ref`, or a property with members of it and perhaps `$value`."""
    base = (found.entity, found.first, found.id, found.steps)
    if rest == ("$ref",):
        return Address(*base, form="ref")
    member = rest[:-1] if rest[-1] == "$value" else rest
    if not member or any(not part or part.startswith("$") for part in member):
        raise UnknownResource(_NOWHERE)
    return Address(*base, form="value" if rest[-1] == "$value" else "property", member=member)
