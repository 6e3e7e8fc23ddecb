"""Query options of SensorThings (18-088, 9.3): what is asked beside the address, judged before anything is read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal as OneOf

from geoservice.sensorthings.model import ENTITIES, Entity, Navigation
from geoservice.sensorthings.parse import read_filter, read_order
from geoservice.sensorthings.tree import Node, Order
from layers.errors import BadParameter, UnknownParameter

MOST_TOP = 1_000
"""Entities of one page; more are reached by its nextLink."""
USUAL_TOP = 100
MOST_SKIP = 100_000
"""Entities that may be passed over by `$skip`; nextLinks go as far as there is anything."""
MOST_EXPANDED = 20
"""Expanded links of one question."""
MOST_DEEP = 6
"""Expanded links inside one another."""
NAMES = ("$filter", "$expand", "$select", "$orderby", "$top", "$skip", "$count", "$resultFormat", "$skiptoken")
_INNER = frozenset(NAMES) - {"$resultFormat", "$skiptoken"}
_SHOWN = 60
Format = OneOf["json", "dataArray"]


@dataclass(frozen=True)
class Expand:
    """An expanded link, and what is asked of the entities behind it."""

    navigation: Navigation
    options: Options

    def spelt(self) -> str:
        """As `$expand` has it."""
        inner = ";".join(f"{name}={value}" for name, value in self.options.spelt())
        return f"{self.navigation.name}({inner})" if inner else self.navigation.name


@dataclass(frozen=True)
class Options:
    """What is asked of a set of entities.

    Attributes:
        filter: Which of them.
        order: In which order; without keys by number.
        top: How many at most; None leaves it to the service.
        skip: How many are passed over.
        count: Whether their number is told.
        select: Names of properties and links to be shown; None shows all.
        expand: Links whose entities are shown in place.
        token: Where a page before ended.
        form: Of the answer.
        given: The options as they were given.
    """

    filter: Node | None = None
    order: tuple[Order, ...] = ()
    top: int | None = None
    skip: int = 0
    count: bool = False
    select: frozenset[str] | None = None
    expand: tuple[Expand, ...] = ()
    token: str | None = None
    form: Format = "json"
    given: tuple[tuple[str, str], ...] = field(default=(), compare=False, repr=False)

    @property
    def limit(self) -> int:
        """Entities on one page."""
        return USUAL_TOP if self.top is None else min(self.top, MOST_TOP)

    def spelt(self) -> list[tuple[str, str]]:
        """The options that the next page has too."""
        found = [(name, value) for name, value in self.given if name not in ("$skip", "$skiptoken", "$expand")]
        if self.expand:
            found.append(("$expand", ",".join(one.spelt() for one in self.expand)))
        return found


def read_options(entity: Entity, given: Iterable[tuple[str, str]]) -> Options:
    """The options of a request for entities of a type.

    Args:
        entity: The type.
        given: Names and values of the query, decoded.

    Raises:
        UnknownParameter: When an option is not known.
        BadParameter: When one is given twice or its value is none, or a budget is exceeded.
        BadFilter: When an expression cannot be read.
    """
    values: dict[str, str] = {}
    for name, value in given:
        if name not in NAMES:
            raise UnknownParameter(
                f"SensorThings knows no option {name[:_SHOWN]!r}; it knows {', '.join(NAMES[:-1])}.",
                parameter=name[:_SHOWN],
            )
        if name in values:
            raise BadParameter(f"The option {name} may be given once.", parameter=name)
        values[name] = _sound(name, value)
    return _Reader().options(entity, values, 0)


def _sound(name: str, value: str) -> str:
    if not is_sound(value):
        raise BadParameter(f"The value of {name} has characters that are none.", parameter=name)
    return value


def is_sound(text: str) -> bool:
    """Whether a text can be kept: halves of surrogate pairs cannot be spelt in UTF-8, and no text has a zero in it."""
    return "\x00" not in text and not any("\ud800" <= character <= "\udfff" for character in text)


class _Reader:
    """Reads the options of one request, within its budget of links."""

    def __init__(self) -> None:
        self._left = MOST_EXPANDED

    def options(self, entity: Entity, values: Mapping[str, str], depth: int) -> Options:
        """Options of a set of entities, which stand so many links deep."""
        return Options(
            filter=read_filter(values["$filter"]) if "$filter" in values else None,
            order=read_order(values["$orderby"]) if "$orderby" in values else (),
            top=_whole("$top", values["$top"], None) if "$top" in values else None,
            skip=_whole("$skip", values["$skip"], MOST_SKIP) if "$skip" in values else 0,
            count=_flag(values.get("$count", "false")),
            select=_select(entity, values["$select"]) if "$select" in values else None,
            expand=self._expand(entity, values["$expand"], depth + 1) if "$expand" in values else (),
            token=values.get("$skiptoken"),
            form=_form(entity, values),
            given=tuple(values.items()),
        )

    def _expand(self, entity: Entity, text: str, depth: int) -> tuple[Expand, ...]:
        if depth > MOST_DEEP:
            raise BadParameter(f"Links are expanded at most {MOST_DEEP} deep in one another.", parameter="$expand")
        found: dict[str, Expand] = {}
        for item in _split(text, ","):
            path, values = _item(item)
            one = self._link(entity, path, values, depth)
            if one.navigation.name in found:
                one = _merged(found[one.navigation.name], one)
            found[one.navigation.name] = one
        return tuple(found.values())

    def _link(self, entity: Entity, path: list[str], values: Mapping[str, str], depth: int) -> Expand:
        """A link, or a chain of them: `Datastreams/Sensor` is Datastreams with Sensor expanded in it."""
        self._left -= 1
        if self._left < 0 or depth + len(path) - 1 > MOST_DEEP:
            raise BadParameter(
                f"At most {MOST_EXPANDED} links are expanded, {MOST_DEEP} deep in one another.", parameter="$expand"
            )
        navigation = entity.navigations.get(path[0])
        if navigation is None:
            known = ", ".join(entity.navigations)
            raise BadParameter(
                f"{entity.plural} have no link {path[0][:_SHOWN]!r} to be expanded; they have {known}.",
                parameter="$expand",
            )
        target = ENTITIES[navigation.target]
        if len(path) > 1:
            return Expand(navigation, Options(expand=(self._link(target, path[1:], values, depth + 1),)))
        return Expand(navigation, self.options(target, values, depth))


def _merged(first: Expand, second: Expand) -> Expand:
    """One link that is expanded by two chains: `Datastreams/Sensor,Datastreams/Thing`.

    Raises:
        BadParameter: When both say more than what is expanded behind it.
    """
    plain, full = sorted((first, second), key=lambda one: one.options != Options(expand=one.options.expand))
    if plain.options != Options(expand=plain.options.expand):
        raise BadParameter(f"{first.navigation.name} is expanded twice, with options each time.", parameter="$expand")
    found = {one.navigation.name: one for one in first.options.expand}
    for one in second.options.expand:
        known = found.get(one.navigation.name)
        found[one.navigation.name] = one if known is None else _merged(known, one)
    return Expand(first.navigation, replace(full.options, expand=tuple(found.values())))


def _item(text: str) -> tuple[list[str], dict[str, str]]:
    """A link and the options in its parentheses."""
    head, opened, tail = text.partition("(")
    path = [step.strip() for step in head.split("/")]
    if not opened:
        return path, {}
    if not tail.endswith(")"):
        raise BadParameter("The options of an expanded link end with a parenthesis.", parameter="$expand")
    values: dict[str, str] = {}
    for one in _split(tail[:-1], ";"):
        name, equals, value = one.partition("=")
        if not equals or name not in _INNER or name in values:
            known = ", ".join(sorted(_INNER))
            raise BadParameter(
                f"{one[:_SHOWN]!r} is no option of an expanded link; each of {known} may be given once.",
                parameter="$expand",
            )
        values[name] = value
    return path, values


def _split(text: str, sign: str) -> Iterator[str]:
    """Parts between signs that stand outside parentheses and quotes."""
    depth, start, quoted = 0, 0, False
    for place, character in enumerate(text):
        if character == "'":
            quoted = not quoted
        elif quoted:
            continue
        elif character in "()":
            depth += 1 if character == "(" else -1
        elif character == sign and depth == 0:
            yield text[start:place].strip()
            start = place + 1
        if depth < 0:
            break
    if depth != 0 or quoted:
        raise BadParameter("Parentheses or quotes of $expand are not closed, or closed too often.", parameter="$expand")
    yield text[start:].strip()


def _select(entity: Entity, text: str) -> frozenset[str]:
    names = frozenset(name.strip() for name in text.split(","))
    known = entity.names
    for name in names:
        if name not in known:
            raise BadParameter(
                f"{entity.plural} have no {name[:_SHOWN]!r} to be selected; they have {', '.join(sorted(known))}.",
                parameter="$select",
            )
    return frozenset("id" if name == "@iot.id" else name for name in names)


def _whole(name: str, text: str, most: int | None) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 18) or (most is not None and int(text) > most):  # noqa: PLR2004
        limit = "of at least 0" if most is None else f"from 0 to {most}"
        raise BadParameter(f"{name} is a whole number {limit}; {text[:_SHOWN]!r} is not.", parameter=name)
    return int(text)


def _flag(text: str) -> bool:
    if text not in ("true", "false"):
        raise BadParameter(f"$count is true or false, not {text[:_SHOWN]!r}.", parameter="$count")
    return text == "true"


def _form(entity: Entity, values: Mapping[str, str]) -> Format:
    text = values.get("$resultFormat")
    if text is None:
        return "json"
    if text != "dataArray" or entity.plural != "Observations" or "$expand" in values:
        raise BadParameter(
            "$resultFormat is dataArray, and asked of Observations in which nothing is expanded.",
            parameter="$resultFormat",
        )
    return "dataArray"
