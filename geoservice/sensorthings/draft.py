"""What clients send to be created or changed: entities with their links, judged before anything is written."""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import shapely

from geoservice.observations.calibration import calibrations_of
from geoservice.observations.units import find
from geoservice.sensorthings.model import ENTITIES, Entity, Navigation
from geoservice.sensorthings.options import is_sound
from geoservice.sensorthings.tokens import instant
from layers.access import Clearance
from layers.errors import BadBody, BadGeometry

MOST_DRAFTS = 1_000
"""Entities of one request."""
MOST_DEEP = 8
"""Entities inside one another."""
CLEARANCE = "@geoservice.clearance"
"""Annotation that closes a new entity: `public`, `internal` or `restricted`."""
GEOJSON = frozenset({"application/geo+json", "application/vnd.geo+json", "application/vnd.geo+json; version=1.0"})
_MOST_VERTICES = 10_000
_MOST_NESTING = 64
_REFERENCE = re.compile(r"\$[\w.:;,-]{1,100}")
_SHOWN = 60


@dataclass
class Draft:
    """An entity that is to be made, or what is to be changed of one.

    Attributes:
        entity: Its type.
        values: By property, as JSON has them; judged.
        links: By link, the entities it leads to: numbers of those that are there, drafts of new ones.
        clearance: What it is to be closed to, if that was said.
    """

    entity: Entity
    values: dict[str, Any] = field(default_factory=dict)
    links: dict[str, list[int | Draft]] = field(default_factory=dict)
    clearance: Clearance | None = None


class DraftReader:
    """Reads the drafts of one request.

    Args:
        made: Numbers of entities that earlier requests of a change set made, by their `$` names.
    """

    def __init__(self, made: Mapping[str, int] | None = None) -> None:
        """Begin with the whole budget."""
        self._made = made or {}
        self._left = MOST_DRAFTS

    def replacement(self, entity: Entity, body: Any) -> Draft:
        """What an entity is to be instead of what it is (18-088, 10.3, PUT): properties that are not sent are emptied.

        Links that are not sent stay, and so do the times of an observation: they say which one it is.

        Raises:
            BadBody: When a property without which there is no entity is missing, or as `read` says.
        """
        found = self.read(entity, body, change=True)
        self._complete(found)
        for name in entity.properties:
            if name not in _STAYING:
                found.values.setdefault(name, None)
        kept = _KEPT[entity.plural]
        found.values = {name: value for name, value in found.values.items() if name not in kept}
        return found

    def _complete(self, draft: Draft) -> None:
        plural = draft.entity.plural
        missing = [name for name in REQUIRED[plural] if draft.values.get(name) is None]
        if missing:
            raise BadBody(f"One of {plural} has {', '.join(missing)}; this one has not.")

    def read(self, entity: Entity, body: Any, *, change: bool = False, depth: int = 1) -> Draft:
        """An entity of a type.

        Args:
            entity: The type.
            body: The parsed JSON.
            change: Whether it says what is to be changed, so that nothing is required, and nothing new is made.
            depth: How many entities it stands in.

        Raises:
            BadBody: When something is missing, unknown, or not what it should be.
            BadGeometry: When a place is no geometry.
        """
        self._left -= 1
        if self._left < 0 or depth > MOST_DEEP:
            raise BadBody(f"A request has at most {MOST_DRAFTS} entities, {MOST_DEEP} deep in one another.")
        if not isinstance(body, dict):
            raise BadBody(f"One of {entity.plural} is a JSON object.")
        require_sound(body)
        found = Draft(entity)
        for name, value in body.items():
            self._take(found, name, value, change=change, depth=depth)
        if not change:
            self._complete(found)
        return found

    def _take(self, draft: Draft, name: str, value: Any, *, change: bool, depth: int) -> None:
        entity = draft.entity
        if name == CLEARANCE:
            draft.clearance = _clearance(value)
        elif "@" in name or name in _KEPT[entity.plural]:
            # What the service says of an entity comes back with it, and is not asked for.
            return
        elif name in entity.properties:
            draft.values[name] = property_value(entity, name, value)
        elif name in entity.navigations:
            draft.links[name] = self._links(entity.navigations[name], value, change=change, depth=depth)
        else:
            known = ", ".join((*entity.properties, *entity.navigations))
            raise BadBody(f"{entity.plural} have no {name[:_SHOWN]!r}; they have {known}.")

    def _links(self, navigation: Navigation, value: Any, *, change: bool, depth: int) -> list[int | Draft]:
        several = value if navigation.many else [value]
        if not isinstance(several, list):
            raise BadBody(f"{navigation.name} is an array of entities.")
        return [self._link(navigation, one, change=change, depth=depth) for one in several]

    def _link(self, navigation: Navigation, value: Any, *, change: bool, depth: int) -> int | Draft:
        if isinstance(value, dict) and set(value) == {"@iot.id"}:
            return self.number(navigation.target, value["@iot.id"])
        if change:
            raise BadBody(f'A change links {navigation.name} to what is there already: {{"@iot.id": number}}.')
        return self.read(ENTITIES[navigation.target], value, depth=depth + 1)

    def number(self, plural: str, value: Any) -> int:
        """The number of an entity that is there, or that an earlier request of the change set made.

        Raises:
            BadBody: When it is neither.
        """
        if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**63:
            return value
        if isinstance(value, str) and _REFERENCE.fullmatch(value) and value[1:] in self._made:
            return self._made[value[1:]]
        raise BadBody(f"@iot.id of one of {plural} is a whole number; {str(value)[:_SHOWN]!r} is none.")


REQUIRED: dict[str, tuple[str, ...]] = {
    "Things": ("name", "description"),
    "Locations": ("name", "description", "encodingType", "location"),
    "HistoricalLocations": ("time",),
    "Datastreams": ("name", "description", "observationType", "unitOfMeasurement"),
    "Sensors": ("name", "description", "encodingType", "metadata"),
    "ObservedProperties": ("name", "description", "definition"),
    "Observations": ("result",),
    "FeaturesOfInterest": ("name", "description", "encodingType", "feature"),
}
"""Properties without which there is no entity (18-088, 8.2)."""
_KEPT: dict[str, frozenset[str]] = {name: frozenset({"id"}) for name in ENTITIES}
_KEPT["Datastreams"] = frozenset({"id", "observedArea", "phenomenonTime", "resultTime"})
"""What the service keeps itself."""
_CALIBRATING = ("Datastreams", "Sensors")
"""Entities whose properties may say how readings are calibrated."""
_STAYING = frozenset({"phenomenonTime", "resultTime"})


def require_sound(value: Any) -> None:
    """Make sure that a JSON value can be kept.

    Raises:
        BadBody: When a text in it has halves of characters or zeros, or it is nested too deep.
    """
    waiting = [(value, 0)]
    while waiting:
        found, depth = waiting.pop()
        if depth > _MOST_NESTING:
            raise BadBody(f"Values of the body are nested at most {_MOST_NESTING} deep.")
        if isinstance(found, str) and not is_sound(found):
            raise BadBody("A text of the body has characters that are none.")
        if isinstance(found, dict):
            waiting += [(one, depth + 1) for pair in found.items() for one in pair]
        elif isinstance(found, list):
            waiting += [(one, depth + 1) for one in found]


def property_value(entity: Entity, name: str, value: Any) -> Any:
    """A property, as far as it can be judged by itself.

    Raises:
        BadBody: When it is not what it should be.
    """
    if value is None and name not in REQUIRED[entity.plural]:
        return None
    reader: Callable[[Any], Any] = _READERS.get(name, _text)
    if name == "properties" and entity.plural in _CALIBRATING:
        reader = _calibrating
    try:
        return reader(value)
    except (TypeError, ValueError) as error:
        raise BadBody(f"{name} of one of {entity.plural} is {error}; {str(value)[:_SHOWN]!r} is not.") from None


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError("a text")
    return value


def _object(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise TypeError("a JSON object")
    return value


def _calibrating(value: Any) -> dict[str, Any]:
    """Free properties; calibrations among them are refused when they could not be applied."""
    found = _object(value)
    try:
        calibrations_of(found)
    except ValueError as error:
        raise ValueError(f"a JSON object in which {error}") from None
    return found


def _anything(value: Any) -> Any:
    if value is None:
        raise ValueError("a value")
    return value


def _unit(value: Any) -> dict[str, str | None]:
    members = ("name", "symbol", "definition")
    sound = isinstance(value, dict) and set(value) == set(members)
    if not sound or not all(one is None or isinstance(one, str) for one in value.values()):
        raise ValueError("an object with name, symbol and definition, each a text or null")
    return {name: value[name] for name in members}


def _moment(value: Any) -> dt.datetime:
    text = _text(value)
    try:
        return instant(text)
    except (ValueError, OverflowError):
        raise ValueError("a time as ISO 8601 writes it, such as 2026-07-01T08:00:00+08:00") from None


def _span(value: Any) -> tuple[dt.datetime, dt.datetime | None]:
    """An instant, or the two ends of a period."""
    start, slash, end = _text(value).partition("/")
    first = _moment(start)
    last = _moment(end) if slash else None
    if last is not None and last < first:
        raise ValueError("a time, or a period that ends after it begins")
    return first, last


_READERS: dict[str, Callable[[Any], Any]] = {
    "properties": _object,
    "parameters": _object,
    "location": _anything,
    "feature": _anything,
    "metadata": _anything,
    "result": _anything,
    "unitOfMeasurement": _unit,
    "time": _moment,
    "resultTime": _moment,
    "phenomenonTime": _span,
    "validTime": _span,
}


def _clearance(value: Any) -> Clearance:
    try:
        return Clearance.parse(_text(value))
    except (TypeError, ValueError):
        raise BadBody(f"{CLEARANCE} is public, internal or restricted; {str(value)[:_SHOWN]!r} is not.") from None


def unit_code(unit: Mapping[str, str | None]) -> str | None:
    """Code of a unit that can be converted, by its symbol, name, or the end of its definition; None for others."""
    ucum = (unit["definition"] or "").rpartition("#")[2]
    found = next((one for text in (unit["symbol"], unit["name"], ucum) if text and (one := find(text))), None)
    return None if found is None else found.code


def wkb_of(encoding: str, place: Any) -> bytes | None:
    """The geometry of a place (longitude, latitude in degrees) as WKB, None when it is in another encoding.

    Args:
        encoding: Its encoding type.
        place: A GeoJSON geometry, or a feature with one.

    Raises:
        BadGeometry: When it is said to be GeoJSON and is none, or is not valid, empty, too large or outside the world.
    """
    if encoding not in GEOJSON:
        return None
    geometry = place.get("geometry") if isinstance(place, dict) and place.get("type") == "Feature" else place
    if not isinstance(geometry, dict):
        raise BadGeometry("A place that is encoded as GeoJSON is a geometry, or a feature with one.")
    try:
        drawn = shapely.from_geojson(json.dumps(geometry))
    except shapely.errors.ShapelyError:
        raise BadGeometry("A place that is encoded as GeoJSON is a geometry, or a feature with one.") from None
    if drawn.is_empty or shapely.get_num_coordinates(drawn) > _MOST_VERTICES:
        raise BadGeometry(f"A place has from one to {_MOST_VERTICES} positions.")
    west, south, east, north = drawn.bounds
    if not (-180 <= west <= east <= 180 and -90 <= south <= north <= 90):  # noqa: PLR2004
        raise BadGeometry("A place lies between -180 and 180 degrees of longitude, and -90 and 90 of latitude.")
    if not drawn.is_valid:
        raise BadGeometry(f"A place is a valid geometry: {shapely.is_valid_reason(drawn)}.")
    return bytes(shapely.to_wkb(shapely.force_2d(drawn)))
