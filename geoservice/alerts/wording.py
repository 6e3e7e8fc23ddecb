"""What an author writes of an alert, and the message that becomes of it: areas from zones, its identifier.

Source of the identifier: GB/T 35965.1-2018: 14 characters of the issuing unit, the time in Beijing, a serial digit,
joined by underscores: 31 characters.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Any, Literal

import shapely
from pydantic import ConfigDict, Field, field_validator
from pydantic.alias_generators import to_camel

from geoservice.alerts.errors import AlertRefused
from geoservice.alerts.xml import checked
from geoservice.analysis.geojson import parse_zone
from geoservice.http.texts import storable
from layers.alerting import Name
from layers.cap import SEVERITIES, Alert, Area, Info, Part, Scope, written_moment
from layers.hazard import HazardZone

BEIJING = dt.timezone(dt.timedelta(hours=8))
_SERIALS = 10
_DIGITS = 5
"""Decimals of corners: about a metre."""
_MOST_VERTICES = 20_000
_PLACEHOLDER = "draft"


class Wording(Part):
    """A draft.

    Attributes:
        about: Ids of our own alerts that an Update or Cancel is about.
        zone: Where it warns: a GeoJSON area (CRS84) that goes into each block without areas, or a hazard zone, which
            gives a block per class with the severity that the class stands for.
        area_desc: What that area is called.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=to_camel, populate_by_name=True)

    status: Literal["Actual", "Exercise", "System", "Test"]
    msg_type: Literal["Alert", "Update", "Cancel"] = "Alert"
    scope: Scope = "Public"
    restriction: str | None = None
    addresses: str | None = None
    source: str | None = None
    note: str | None = None
    about: Annotated[tuple[Annotated[str, Field(max_length=64)], ...], Field(max_length=50)] = ()
    info: Annotated[tuple[Info, ...], Field(max_length=50)] = ()
    zone: dict[str, Any] | None = None
    area_desc: Annotated[str, Field(min_length=1, max_length=4_000)] | None = None

    @field_validator("restriction", "addresses", "source", "note", "area_desc")
    @classmethod
    def _kept(cls, text: str | None) -> str | None:
        if text is not None and not storable(text):
            raise ValueError("a text without NUL and half characters was expected")
        return text


def digest(content: Mapping[str, Any]) -> str:
    """What tells whether a draft still says what somebody has read: SHA-256 of its content."""
    text = json.dumps(content, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def identifiers(unit: str, now: dt.datetime) -> Iterator[tuple[str, dt.datetime]]:
    """Identifiers that a message may get, with the time of sending that each states, one after the other."""
    moment = now.astimezone(BEIJING).replace(microsecond=0)
    while True:
        for serial in range(_SERIALS):
            yield f"{unit}_{moment:%Y%m%d%H%M%S}_{serial}", moment
        moment += dt.timedelta(seconds=1)


def message(wording: Wording, about: Iterable[Name], name: Name | None = None) -> Alert:
    """The message that a draft becomes.

    Args:
        wording: The draft.
        about: Names of the messages that it is about.
        name: Its name; None to see whether all else is right.

    Raises:
        AlertRefused: When it would not follow the standard; `faults` says where.
    """
    if wording.msg_type == "Alert" and wording.about:
        raise AlertRefused("A first Alert is about no other message; an Update or a Cancel is.")
    if wording.msg_type != "Alert" and not wording.about:
        raise AlertRefused(
            f"A draft of the type {wording.msg_type} says under `about` which alerts of ours it changes."
        )
    if wording.msg_type != "Cancel" and not wording.info:
        raise AlertRefused("A warning has at least one block under `info` that says what it warns of.")
    sent = (name.sent if name is not None else dt.datetime.now(dt.UTC)).astimezone(BEIJING)
    values = {
        "identifier": name.identifier if name else _PLACEHOLDER,
        "sender": name.sender if name else _PLACEHOLDER,
        "sent": written_moment(sent),
        "status": wording.status,
        "msgType": wording.msg_type,
        "source": wording.source,
        "scope": wording.scope,
        "restriction": wording.restriction,
        "addresses": wording.addresses,
        "note": wording.note,
        "references": " ".join(f"{n.sender},{n.identifier},{written_moment(n.sent)}" for n in sorted(about)) or None,
        "info": [info.model_dump(by_alias=True, exclude_none=True) for info in _blocks(wording)],
    }
    return checked({key: value for key, value in values.items() if value is not None})


def _blocks(wording: Wording) -> Iterator[Info]:
    zone = wording.zone
    if zone is None:
        yield from wording.info
        return
    desc = wording.area_desc
    if "classes" in zone:
        hazard = _hazard(zone)
        if not hazard.classes:
            raise AlertRefused("Nothing lies in danger in this zone, so that there is nothing to warn of.")
        yield from _by_class(wording.info, hazard, desc)
        return
    area = Area(area_desc=desc or "Affected area", polygon=_polygons(zone))
    for info in wording.info:
        yield info if info.area else info.model_copy(update={"area": (area,)})


def _by_class(infos: Iterable[Info], zone: HazardZone, desc: str | None) -> Iterator[Info]:
    """A block per language and class; where classes are no severities the worst of them has that of the draft."""
    for info in infos:
        chinese = info.language.lower().startswith("zh")
        for one in zone.classes:
            name = one.label.zh if chinese else one.label.en
            label = zone.label.zh if chinese else zone.label.en
            area = Area(area_desc=f"{desc or label} ({name})", polygon=_polygons(one.geometry))
            known = next((severity for severity in SEVERITIES if severity == one.code), info.severity)
            yield info.model_copy(update={"severity": known, "area": (*info.area, area)})


def _hazard(zone: dict[str, Any]) -> HazardZone:
    try:
        return HazardZone.model_validate(zone)
    except ValueError as error:
        raise AlertRefused(f"The zone is no hazard zone: {str(error).splitlines()[0][:200]}.") from None


def _polygons(geojson: Mapping[str, Any]) -> tuple[str, ...]:
    """An area as CAP polygons. Holes are filled: CAP has none, and who is warned in vain is better off."""
    area = parse_zone(geojson, _MOST_VERTICES)
    rings = [shapely.get_coordinates(part.exterior).tolist() for part in shapely.get_parts(area)]
    return tuple(" ".join(f"{y:.{_DIGITS}f},{x:.{_DIGITS}f}" for x, y in ring) for ring in rings)
