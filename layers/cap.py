"""Alerts as the Common Alerting Protocol 1.2 (OASIS) writes them: their parts and the rules of their values.

The names of the fields are those of the standard in our spelling, and the standard's own in JSON (`msgType`,
`areaDesc`). Polygons and circles stay the texts that the standard makes of them: "latitude,longitude" in WGS 84.
Source: CAP 1.2, 3.2 (data dictionary); the same rules hold for 1.1.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator
from pydantic.alias_generators import to_camel

from layers.alerting import MsgType, Name, Status

NAMESPACES = {"1.2": "urn:oasis:names:tc:emergency:cap:1.2", "1.1": "urn:oasis:names:tc:emergency:cap:1.1"}
MEDIA = "application/cap+xml"
Scope = Literal["Public", "Restricted", "Private"]
Category = Literal[
    "Geo", "Met", "Safety", "Security", "Rescue", "Fire", "Health", "Env", "Transport", "Infra", "CBRNE", "Other"
]
Response = Literal["Shelter", "Evacuate", "Prepare", "Execute", "Avoid", "Monitor", "Assess", "AllClear", "None"]
Urgency = Literal["Immediate", "Expected", "Future", "Past", "Unknown"]
Severity = Literal["Extreme", "Severe", "Moderate", "Minor", "Unknown"]
Certainty = Literal["Observed", "Likely", "Possible", "Unlikely", "Unknown"]
Colour = Literal["red", "orange", "yellow", "blue"]
SEVERITIES: tuple[Severity, ...] = ("Extreme", "Severe", "Moderate", "Minor", "Unknown")
"""From the worst to what is not known."""
DEFAULT_LANGUAGE = "en-US"
LEVELS: dict[str, str] = {"red": "I", "orange": "II", "yellow": "III", "blue": "IV"}
"""Level of each colour in the Chinese practice, I is the worst."""
_BY_COLOUR: dict[str, Severity] = {"red": "Extreme", "orange": "Severe", "yellow": "Moderate", "blue": "Minor"}
_BY_SEVERITY: dict[str, str] = {severity: colour for colour, severity in _BY_COLOUR.items()}
_WORDS = {"红": "red", "橙": "orange", "黄": "yellow", "蓝": "blue"} | {colour: colour for colour in _BY_COLOUR}
_PARAMETERS = ("colour", "color", "awareness_level", "预警级别", "预警颜色", "颜色")

_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d\d:\d\d", re.ASCII)
_IDENTIFIER = re.compile(r"[^\s,<&]+")
_NUMBER = r"[+-]?\d+(?:\.\d+)?"
_PAIR = re.compile(rf"({_NUMBER}),({_NUMBER})", re.ASCII)
_CIRCLE = re.compile(rf"({_NUMBER},{_NUMBER})\s+(\d+(?:\.\d+)?)", re.ASCII)
_CORNERS = 4
_POLE, _TURN = 90.0, 180.0
_SHOWN = 60


def moment(text: str) -> dt.datetime:
    """The instant of a time as CAP writes it, in UTC.

    Raises:
        ValueError: When it is none.
    """
    if not _MOMENT.fullmatch(text):
        raise ValueError(f"{text[:_SHOWN]!r} is no time like 2026-06-18T06:30:00+08:00; UTC is written -00:00")
    return dt.datetime.fromisoformat(text).astimezone(dt.UTC)


def written_moment(instant: dt.datetime) -> str:
    """An instant as CAP writes it: whole seconds; UTC as `-00:00`."""
    text = instant.isoformat(timespec="seconds")
    return text.replace("+00:00", "-00:00")


def _timed(text: str) -> str:
    moment(text)
    return text


def _named(text: str) -> str:
    if not _IDENTIFIER.fullmatch(text):
        raise ValueError("identifiers and senders hold no spaces, commas, < or &")
    return text


def place(text: str) -> tuple[float, float]:
    """Longitude and latitude, in degrees, of a text "latitude,longitude".

    Raises:
        ValueError: When it is none.
    """
    found = _PAIR.fullmatch(text)
    if found is None:
        raise ValueError(f'{text[:_SHOWN]!r} is no "latitude,longitude"')
    latitude, longitude = float(found[1]), float(found[2])
    if abs(latitude) > _POLE:
        hint = "; the two seem to be swapped" if abs(longitude) <= _POLE else ""
        raise ValueError(f"{text[:_SHOWN]!r} has a latitude beyond 90 degrees{hint}")
    if abs(longitude) > _TURN:
        raise ValueError(f"{text[:_SHOWN]!r} has a longitude beyond 180 degrees")
    return longitude, latitude


def _polygon(text: str) -> str:
    corners = [place(part) for part in text.split()]
    if len(corners) < _CORNERS:
        raise ValueError(
            f"a polygon has four corners or more, the last equal to the first; this one has {len(corners)}"
        )
    if corners[0] != corners[-1]:
        raise ValueError("a polygon ends where it begins")
    return " ".join(text.split())


def _circle(text: str) -> str:
    found = _CIRCLE.fullmatch(text)
    if found is None:
        raise ValueError(f'{text[:_SHOWN]!r} is no circle "latitude,longitude radius", the radius in kilometres')
    place(found[1])
    return " ".join(text.split())


def _references(text: str) -> str:
    for part in text.split():
        pieces = part.split(",")
        if len(pieces) != len(("sender", "identifier", "sent")) or not all(pieces):
            raise ValueError(f'{part[:_SHOWN]!r} is no reference "sender,identifier,sent"')
        moment(pieces[2])
    return " ".join(text.split())


Line = Annotated[str, Field(min_length=1, max_length=4_000)]
Prose = Annotated[str, Field(min_length=1, max_length=100_000)]
Moment = Annotated[str, AfterValidator(_timed)]
Identifier = Annotated[str, Field(min_length=1, max_length=500), AfterValidator(_named)]
Polygon = Annotated[str, Field(max_length=5_000_000), AfterValidator(_polygon)]
Circle = Annotated[str, Field(max_length=200), AfterValidator(_circle)]
References = Annotated[str, Field(min_length=1, max_length=100_000), AfterValidator(_references)]


class Part(BaseModel):
    """A part of an alert; its fields bear the standard's names in JSON."""

    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=to_camel, populate_by_name=True)


class Named(Part):
    """A value of a system of names: an event code, a parameter, a code of a place."""

    value_name: Annotated[str, Field(max_length=1_000)]
    value: Annotated[str, Field(max_length=100_000)]


class Resource(Part):
    """A file that belongs to an alert. It is never fetched."""

    resource_desc: Line
    mime_type: Line
    size: Annotated[int, Field(ge=0)] | None = None
    uri: Line | None = None
    deref_uri: Annotated[str, Field(max_length=4_000_000)] | None = None
    digest: Line | None = None


class Area(Part):
    """Where: a description, and polygons, circles (kilometres), codes of places; altitudes in feet above mean sea."""

    area_desc: Prose
    polygon: tuple[Polygon, ...] = ()
    circle: tuple[Circle, ...] = ()
    geocode: tuple[Named, ...] = ()
    altitude: float | None = None
    ceiling: float | None = None

    @model_validator(mode="after")
    def _based(self) -> Self:
        if self.ceiling is not None and self.altitude is None:
            raise ValueError("a ceiling needs an altitude")
        return self


class Info(Part):
    """What is warned of, in one language."""

    language: Annotated[str, Field(max_length=60)] = DEFAULT_LANGUAGE
    category: Annotated[tuple[Category, ...], Field(min_length=1)]
    event: Line
    response_type: tuple[Response, ...] = ()
    urgency: Urgency
    severity: Annotated[Severity, BeforeValidator(lambda word: severity_of(word) if isinstance(word, str) else word)]
    certainty: Certainty
    audience: Prose | None = None
    event_code: tuple[Named, ...] = ()
    effective: Moment | None = None
    onset: Moment | None = None
    expires: Moment | None = None
    sender_name: Line | None = None
    headline: Line | None = None
    description: Prose | None = None
    instruction: Prose | None = None
    web: Line | None = None
    contact: Line | None = None
    parameter: tuple[Named, ...] = ()
    resource: tuple[Resource, ...] = ()
    area: tuple[Area, ...] = ()

    @property
    def colour(self) -> Colour | None:
        """Colour of the warning: the one that a parameter states, else the one of the severity."""
        return warning_colour(self.severity, ((one.value_name, one.value) for one in self.parameter))


class Alert(Part):
    """A message."""

    identifier: Identifier
    sender: Identifier
    sent: Moment
    status: Status
    msg_type: MsgType
    source: Line | None = None
    scope: Scope
    restriction: Prose | None = None
    addresses: Prose | None = None
    code: tuple[Line, ...] = ()
    note: Prose | None = None
    references: References | None = None
    incidents: Prose | None = None
    info: Annotated[tuple[Info, ...], Field(max_length=1_000)] = ()

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.msg_type != "Alert" and self.references is None:
            raise ValueError(f"a message of the type {self.msg_type} says in `references` which messages it is about")
        if self.scope == "Restricted" and self.restriction is None:
            raise ValueError("a message of the scope Restricted states its restriction")
        if self.scope == "Private" and self.addresses is None:
            raise ValueError("a message of the scope Private states its addresses")
        return self

    @property
    def name(self) -> Name:
        """What names the message."""
        return Name(self.sender, self.identifier, moment(self.sent))

    def referred(self) -> frozenset[Name]:
        """Names of the messages that it is about."""
        found = [part.split(",") for part in (self.references or "").split()]
        return frozenset(Name(sender, identifier, moment(sent)) for sender, identifier, sent in found)

    def span(self, lifetime: dt.timedelta) -> tuple[dt.datetime, dt.datetime]:
        """From when and until when (excluded) it holds.

        Args:
            lifetime: How long after its sending an alert holds that does not say when it expires.
        """
        spans = [self.span_of(info, lifetime) for info in self.info]
        sent = self.name.sent
        return min((s for s, _ in spans), default=sent), max((e for _, e in spans), default=sent + lifetime)

    def span_of(self, info: Info, lifetime: dt.timedelta) -> tuple[dt.datetime, dt.datetime]:
        """From when and until when (excluded) one of its parts holds; see `span`."""
        sent = self.name.sent
        begins = max(sent, moment(info.effective)) if info.effective else sent
        return begins, moment(info.expires) if info.expires else begins + lifetime


def colour_in(text: str) -> Colour | None:
    """The warning colour that a text names, in Chinese or English."""
    low = text.lower()
    found = next((colour for word, colour in _WORDS.items() if word in low), None)
    return next((colour for colour in ("red", "orange", "yellow", "blue") if colour == found), None)


def warning_colour(severity: str | None, parameters: Iterable[tuple[str, str]]) -> Colour | None:
    """Colour of a warning: what stands in place of the severity, what a parameter states, or that of the severity."""
    stated = colour_in(severity or "")
    for name, value in parameters if stated is None else ():
        if stated is None and any(word in name.lower() for word in _PARAMETERS):
            stated = colour_in(value)
    return stated or colour_in(_BY_SEVERITY.get(severity or "", ""))


def severity_of(word: str | None) -> str | None:
    """The severity that a word stands for: a colour, as Chinese messages write it, means the severity of its level."""
    return _BY_COLOUR.get(colour_in(word or "") or "", word)
