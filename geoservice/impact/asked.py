"""What is asked about an impact, read from JSON. Everything is checked here, and nothing is computed."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, get_args

from pydantic import ValidationError

from geoservice.analysis.request import WAYS, ZoneRequest, zone_request
from geoservice.features.past import moment_asked
from geoservice.http.texts import unfit
from geoservice.impact.zoned import Zoned, zoned_hazard
from layers.errors import BadBody
from layers.hazard import HazardZone
from layers.impact import Counted
from layers.interval import parse_instant

MEMBERS = (
    "hazard",
    "layers",
    "as_of",
    "at",
    "explain",
    "divisions",
    "ways",
    "needs",
    "facilities",
    "secondary",
    "people",
    "minutes",
    "lines",
)
"""Members beside the ways to name a zone."""
_MOST_LAYERS = 100
_MOST_NAME = 100
_MOST_TIMES = 6
_MOST_MINUTES = 600
_SWITCHES = {"explain": False, "divisions": True, "ways": True, "needs": True, "secondary": True, "lines": False}


@dataclass(frozen=True)
class ImpactAsked:
    """An impact question.

    Attributes:
        zone: A hazard zone that is ready, or a zone that has to be looked up.
        layers: Ids of exposure layers; None for all that the asker may see.
        as_of: Instant of system time; None for what holds now.
        at: Time that the asker gives the answer; it is repeated and means nothing to the figures.
        explain: Whether each section says how it was found.
        divisions: Whether figures are told by division.
        ways: Whether the road network is looked at.
        needs: Whether needs are estimated.
        facilities: Layers whose features people must reach; None for those of the default.
        secondary: Whether it is told what dangerous sites in the zone may reach beyond it.
        people: How people are counted; None for the first way that has data in the zone.
        minutes: Within which times it is told how far one gets out of the zone.
        lines: Whether ways to what is reached are told as lines.
    """

    zone: ZoneRequest | Zoned
    layers: tuple[str, ...] | None = None
    as_of: dt.datetime | None = None
    at: str | None = None
    explain: bool = False
    divisions: bool = True
    ways: bool = True
    needs: bool = True
    facilities: tuple[str, ...] | None = None
    secondary: bool = True
    people: Counted | None = None
    minutes: tuple[float, ...] = (15.0, 30.0, 60.0)
    lines: bool = False


def impact_asked(body: object, most_vertices: int) -> ImpactAsked:
    """Read an impact question. GEOS works on drawn zones: call it in a thread.

    Raises:
        BadBody: When a member is unknown or not what it should be.
        BadGeometry: When the zone is not a proper area.
        BadParameter: When an instant is none, or has not come yet.
        TooLarge: When the zone has too many vertices.
    """
    if not isinstance(body, Mapping):
        raise BadBody("The body is a JSON object with a zone or a hazard.")
    strangers = sorted(str(name)[:40] for name in body if name not in (*WAYS, *MEMBERS))
    if strangers:
        known = ", ".join((*WAYS, *MEMBERS))
        raise BadBody(f"The body has the unknown members {', '.join(strangers[:10])}; known are {known}.")
    at = _text(body, "at")
    if at is not None:
        parse_instant(at, "at")
    return ImpactAsked(
        zone=_zone(body, most_vertices),
        layers=_names(body, "layers"),
        as_of=moment_asked(_text(body, "as_of")),
        at=at,
        facilities=_names(body, "facilities"),
        minutes=_minutes(body),
        people=_word(body, "people", get_args(Counted)),
        **{name: _switch(body, name) for name in _SWITCHES},
    )


def _zone(body: Mapping[str, Any], most_vertices: int) -> ZoneRequest | Zoned:
    named = {way: body[way] for way in WAYS if body.get(way) is not None}
    given = body.get("hazard")
    if given is None:
        return zone_request(named, most_vertices)
    if named:
        raise BadBody(f"Give either a hazard or a zone; {', '.join(named)} came with the hazard.", where="hazard")
    if expected := unfit(_without_shapes(given)):
        raise BadBody(f"The hazard is not a hazard zone: {expected}.", where="hazard")
    try:
        hazard = HazardZone.model_validate(given)
    except ValidationError as error:
        found = error.errors(include_url=False, include_context=False, include_input=False)
        wrong = [{"where": ".".join(map(str, one["loc"])) or "hazard", "message": one["msg"]} for one in found[:20]]
        named_ = "; ".join(f"{one['where']}: {one['message']}" for one in wrong[:3])
        raise BadBody(f"The hazard is not a hazard zone: {named_}.", where="hazard", errors=wrong) from None
    return zoned_hazard(hazard, most_vertices)


def _without_shapes(given: object) -> object:
    """A hazard without its geometries, which have a reader of their own and may be large."""
    if not isinstance(given, Mapping):
        return given
    return {name: _bare(value) if name in ("classes", "low", "high") else value for name, value in given.items()}


def _bare(classes: object) -> object:
    if not isinstance(classes, list):
        return classes
    return [
        {name: value for name, value in one.items() if name != "geometry"} if isinstance(one, Mapping) else one
        for one in classes
    ]


def _switch(body: Mapping[str, Any], name: str) -> bool:
    value = body.get(name, _SWITCHES[name])
    if not isinstance(value, bool):
        raise BadBody(f"{name} is true or false.", where=name)
    return value


def _text(body: Mapping[str, Any], name: str) -> str | None:
    value = body.get(name)
    if value is None or (isinstance(value, str) and 0 < len(value) <= _MOST_NAME):
        return value
    raise BadBody(f"{name} is a text of 1 to {_MOST_NAME} characters.", where=name)


def _minutes(body: Mapping[str, Any]) -> tuple[float, ...]:
    value = body.get("minutes")
    if value is None:
        return ImpactAsked.minutes
    told = f"minutes is an array of 1 to {_MOST_TIMES} numbers above 0 and up to {_MOST_MINUTES}."
    if not isinstance(value, list) or not 0 < len(value) <= _MOST_TIMES:
        raise BadBody(told, where="minutes")
    for one in value:
        if isinstance(one, bool) or not isinstance(one, int | float) or not 0 < one <= _MOST_MINUTES:
            raise BadBody(told, where="minutes")
    return tuple(sorted({float(one) for one in value}))


def _word(body: Mapping[str, Any], name: str, words: tuple[str, ...]) -> Any:
    value = body.get(name)
    if value is None or value in words:
        return value
    raise BadBody(f"{name} is one of {', '.join(words)}.", where=name)


def _names(body: Mapping[str, Any], name: str) -> tuple[str, ...] | None:
    value = body.get(name)
    if value is None:
        return None
    if not isinstance(value, list) or not all(isinstance(one, str) and 0 < len(one) <= _MOST_NAME for one in value):
        raise BadBody(f"{name} is an array of ids of collections.", where=name)
    if not 0 < len(value) <= _MOST_LAYERS:
        raise BadBody(f"{name} names 1 to {_MOST_LAYERS} collections.", where=name)
    return tuple(dict.fromkeys(value))
