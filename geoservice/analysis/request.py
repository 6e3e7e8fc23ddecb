"""Which zone is asked about: drawn, boxed, or named (division, alert, feature, sheet, postcode). And finding it."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import shapely
from sqlalchemy.ext.asyncio import AsyncConnection

from geoservice.alerts import read as alerts
from geoservice.alerts.zone import label_of, meant, standing_of
from geoservice.analysis.context import AnalysisContext
from geoservice.analysis.geojson import checked, parse_zone
from geoservice.analysis.kept import find_kept, whole_area
from geoservice.analysis.place import Place, zone_from_bbox, zone_from_feature
from geoservice.analysis.postcodes import divisions_of, read_postcode
from geoservice.features.lookup import FoundShape, find_shapes, shapes_statement
from geoservice.gazetteer import codes
from geoservice.http.texts import storable
from layers.access import Decision, decide
from layers.errors import BadBody, BadGeometry, BadParameter, UnknownFeature
from layers.extent import parse_bbox
from layers.hazard import ID_PATTERN, Meant
from layers.model import Text, VectorLayer
from layers.sheets import parse_sheet

DIVISIONS = "division"
ALERT_IDENTIFIER = "identifier"
_STATUS = "status"
_MOST_MESSAGES = 20
_Senses: TypeAlias = tuple[tuple[Meant, dict[str, str] | None], ...]
_SENSES: _Senses = (("actual", {_STATUS: "Actual"}), ("exercise", {_STATUS: "Exercise"}), ("test", None))
"""In which senses rows of alerts are meant, and what they say then; what is meant in earnest comes first."""
_ALERT_ID = re.compile(r"[0-9a-f]{24}")
MAX_KEY = 500
WAYS = ("zone", "bbox", "adcode", "division", "alert", "feature", "sheet", "postcode")
_EXPECTED = (
    'The body is a JSON object with exactly one of "zone" (GeoJSON, or the id of a kept zone), "bbox" '
    '([west, south, east, north]), "adcode" or "division" (a code), "alert", "feature" ({"collection", "id"} or '
    '"collection/id"), "sheet" or "postcode"'
)


@dataclass(frozen=True, slots=True)
class NamedFeature:
    """A feature named by collection and public key; `origin` is how the request named it.

    `others` are further spellings of the key, tried in their order while nothing is found.
    """

    collection: str | None
    key: str
    origin: str
    others: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class NamedPostcode:
    """The divisions of a postcode; `origin` is how the request named it."""

    code: str
    origin: str


@dataclass(frozen=True, slots=True)
class NamedZone:
    """A hazard zone that was kept, by its id; `origin` is how the request named it."""

    id: str
    origin: str


Named: TypeAlias = NamedFeature | NamedPostcode | NamedZone


@dataclass(frozen=True, slots=True)
class ZoneRequest:
    """What a zone analysis is asked: a place that is already known, or something with a name to be looked up."""

    where: Place | Named


@dataclass(frozen=True, slots=True)
class _Areas:
    """Shapes that are one zone together, whether they are meant in earnest, and what is to be said of them."""

    shapes: Sequence[FoundShape]
    meant: Meant = "actual"
    notice: Text | None = None


def zone_request(body: object, max_vertices: int) -> ZoneRequest:
    """Read the request of a zone analysis. Geometry work is bounded, but call it in a thread for large bodies.

    Args:
        body: Parsed JSON: `{"zone": GeoJSON}` or `{"zone": "id of a kept zone"}`,
            `{"bbox": [w, s, e, n]}`, `{"adcode": "..."}` (or `division`),
            `{"alert": "id or identifier"}`, `{"feature": {"collection": "...", "id": "..."}}` (or `"collection/id"`),
            `{"sheet": "..."}` (a number of GB/T 13989) or `{"postcode": "..."}`.
        max_vertices: Most vertices of a drawn zone.

    Raises:
        BadBody: When it is none of these, or more than one.
        BadGeometry: When the zone is not a proper area.
        BadParameter: When the box, the number of the sheet or the postcode is not one.
        TooLarge: When the zone has too many vertices.
    """
    if not isinstance(body, Mapping):
        raise BadBody(f"{_EXPECTED}.")
    strangers = sorted(str(name)[:40] for name in body if name not in WAYS)
    given = [name for name in WAYS if body.get(name) is not None]
    if strangers or len(given) != 1:
        found = f"unknown: {', '.join(strangers)}" if strangers else f"given: {', '.join(given) or 'none'}"
        raise BadBody(f"{_EXPECTED}; {found}.")
    readers: dict[str, Callable[[Any], Place | Named]] = {
        "zone": lambda value: _drawn(value, max_vertices),
        "bbox": _boxed,
        "adcode": lambda value: _coded(value, "adcode"),
        "division": lambda value: _coded(value, "division"),
        "alert": lambda value: NamedFeature(None, _text(value, "alert"), f"alert:{value}"),
        "feature": _named,
        "sheet": _sheet,
        "postcode": lambda value: NamedPostcode(read_postcode(_text(value, "postcode")), f"postcode:{value}"),
    }
    return ZoneRequest(readers[given[0]](body[given[0]]))


async def find_place(connection: AsyncConnection, request: ZoneRequest, context: AnalysisContext) -> Place:
    """The place of a request, looked up if need be through the access decision.

    Raises:
        UnknownFeature: When the feature or its collection does not exist or the principal may not see it.
        UnknownResource: When there is no kept zone of the id that the principal may see.
        BadGeometry: When the feature has no geometry or is not an area.
    """
    where = request.where
    if isinstance(where, Place):
        return where
    if isinstance(where, NamedPostcode):
        return await _served(connection, where, context)
    if isinstance(where, NamedZone):
        kept = await find_kept(connection, context.principal.clearance, where.id)
        if not kept.zone.classes:
            raise BadGeometry(
                "By its method nothing lies in danger in this zone, so that it is no area to ask about.", where="zone"
            )
        whole = checked(await asyncio.to_thread(whole_area, kept.zone), where.origin)
        return Place(whole, where.origin, kept.zone.label, kept.zone.status)
    found = await _warned(connection, where, context) or await _shapes(connection, where, context)
    return await asyncio.to_thread(_place, found, where.origin)


async def _warned(connection: AsyncConnection, where: NamedFeature, context: AnalysisContext) -> _Areas | None:
    """The areas of the message that has this id under `/alerts`; none where no alert is meant, or it is no such id.

    An id names one message; an identifier may be that of several senders (CAP 1.2, 3.2.1).
    """
    if where.collection is not None or not _ALERT_ID.fullmatch(where.key):
        return None
    _, decision = _open(where, context)
    kept = await alerts.one(connection, decision.rule, where.key)
    shapes = [] if kept is None else [area.geometry for area in kept.areas if area.geometry is not None]
    if kept is None or not shapes:
        return None
    found = [FoundShape(where.key, label_of(kept), shapely.to_wkb(shape)) for shape in shapes]
    return _Areas(found, meant(kept.alert.status), standing_of(kept))


async def _served(connection: AsyncConnection, where: NamedPostcode, context: AnalysisContext) -> Place:
    """The divisions that a postcode serves, as one area."""
    found = list[FoundShape]()
    for code in await divisions_of(connection, where.code, context):
        try:
            found += (await _shapes(connection, _coded(code, "adcode"), context)).shapes
        except UnknownFeature:
            # The register of postcodes may be older or finer than that of divisions.
            continue
    if not found:
        raise _unknown(where)
    return await asyncio.to_thread(_place, _Areas(found), where.origin)


async def _shapes(connection: AsyncConnection, where: NamedFeature, context: AnalysisContext) -> _Areas:
    layer, decision = _open(where, context)
    attribute = ALERT_IDENTIFIER if where.collection is None else None
    # Identifiers are unique per sender only (CAP 1.2, 3.2.1): an exercise of the same one never widens a real alert.
    for sense, only in _senses(layer, decision):
        statement = shapes_statement(layer, decision, attribute, past=context.as_of is not None, only=only)
        for key in (where.key, *where.others):
            shapes = await find_shapes(connection, statement, key, context.schema, context.as_of)
            if shapes:
                told = None if attribute is None else await _standing(connection, decision, where.key, sense)
                return _Areas(shapes, sense, told)
    raise _unknown(where)


def _senses(layer: VectorLayer, decision: Decision) -> _Senses:
    if layer.hazard is None or layer.hazard.role != "alert" or _STATUS not in layer.attributes:
        return (("actual", None),)
    # Alerts of which the asker may not see whether they are real are not told as real.
    return _SENSES if _STATUS in decision.attributes else _SENSES[-1:]


async def _standing(connection: AsyncConnection, decision: Decision, identifier: str, sense: Meant) -> Text | None:
    """What is to be said of the messages of an identifier that are meant in one sense; None where none is kept."""
    messages = await alerts.of_identifier(connection, decision.rule, identifier, _MOST_MESSAGES)
    told = [standing_of(one) for one in messages if meant(one.alert.status) == sense]
    return Text(zh="".join(one.zh for one in told), en=" ".join(one.en for one in told)) if told else None


def _drawn(value: object, max_vertices: int) -> Place | NamedZone:
    if isinstance(value, str) and re.fullmatch(ID_PATTERN, value):
        return NamedZone(value, f"zone:{value}")
    if not isinstance(value, Mapping):
        raise BadGeometry("zone is no GeoJSON object, nor the id of a kept zone.", where="zone")
    return Place(parse_zone(value, max_vertices), "geometry")


def _boxed(value: object) -> Place:
    if isinstance(value, list) and all(isinstance(v, int | float) and not isinstance(v, bool) for v in value):
        return zone_from_bbox(parse_bbox(",".join(str(v) for v in value)))
    raise BadBody(f"{_EXPECTED}; bbox is not an array of numbers.")


def _sheet(value: object) -> Place:
    """What a map sheet covers."""
    sheet = parse_sheet(_text(value, "sheet"))
    return Place(shapely.box(*sheet.extent.boxes()[0]), f"sheet:{sheet.number}")


def _coded(value: object, way: str) -> NamedFeature:
    """A division by its code, however many zeros it is filled up with."""
    code = _text(value, way)
    try:
        others = codes.spellings(code)
    except BadParameter:
        others = []
    return NamedFeature(DIVISIONS, code, f"{way}:{code}", tuple(c for c in others if c != code))


def _named(value: object) -> NamedFeature:
    if isinstance(value, str):
        collection, _, key = value.partition("/")
        value = {"collection": collection, "id": key}
    if not isinstance(value, Mapping) or set(value) != {"collection", "id"}:
        raise BadBody(f"{_EXPECTED}; feature has exactly the members collection and id, or is both as one text.")
    collection, key = _text(value["collection"], "feature.collection"), _text(value["id"], "feature.id")
    return NamedFeature(collection, key, f"feature:{collection}/{key}")


def _text(value: object, name: str) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= MAX_KEY or not storable(value):
        raise BadBody(f"{_EXPECTED}; {name} is not a text of 1 to {MAX_KEY} characters.")
    return value


def _open(where: NamedFeature, context: AnalysisContext) -> tuple[VectorLayer, Decision]:
    layers = context.catalog.layers
    alerts = (la for la in context.catalog if isinstance(la, VectorLayer) and la.hazard and la.hazard.role == "alert")
    layer = next(alerts, None) if where.collection is None else layers.get(where.collection)
    if isinstance(layer, VectorLayer):
        decision = decide(context.principal, "read", layer)
        if decision.allowed:
            return layer, decision
    raise _unknown(where)


def _unknown(where: NamedFeature | NamedPostcode) -> UnknownFeature:
    kind, _, name = where.origin.partition(":")
    return UnknownFeature(f"There is no {kind} {name[:80]!r} that could be a zone.", origin=where.origin)


def _place(areas: _Areas, origin: str) -> Place:
    found = [shapely.from_wkb(shape.geometry) for shape in areas.shapes if shape.geometry is not None]
    if not found:
        raise BadGeometry(f"{origin} has no geometry (its area is given by codes only); draw the zone.", where=origin)
    whole = found[0] if len(found) == 1 else shapely.union_all(found)
    place = zone_from_feature(shapely.to_wkb(whole), origin, areas.shapes[0].label)
    return replace(place, status=areas.meant, notice=areas.notice)
