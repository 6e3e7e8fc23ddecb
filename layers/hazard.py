"""Hazard zones: where something dangerous is or may be, how bad it is there, and how that was found.

A zone is a value that methods make, that analyses take, and that can be kept and sent on. Its geometries are GeoJSON
mappings in CRS84 (longitude, latitude in degrees), polygons or multipolygons.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from layers.answer import EditionRef
from layers.model import Text

Kind = Literal[
    "alert", "earthquake", "typhoon", "flood", "dam-break", "fire", "buffer", "drawn", "plume", "landslide", "other"
]
Bound = Literal["low", "best", "high"]
Meant = Literal["actual", "exercise", "test"]
"""Whether something is meant in earnest."""
Json = dict[str, Any]
ID_PATTERN = r"^[0-9a-f]{32}$"
_ID_DIGITS = 32
Lon = Annotated[float, Field(ge=-180, le=180)]
Lat = Annotated[float, Field(ge=-90, le=90)]


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Band(_Value):
    """Values that a severity class stands for: from `at_least` up to, without, `below`; None leaves a side open."""

    unit: str
    at_least: float | None = None
    below: float | None = None


class ZoneClass(_Value):
    """A part of a zone with one severity.

    Attributes:
        code: Code of the class, of the list `codes` of the zone where it has one.
        label: Its name.
        rank: 1 for the worst class of the zone, 2 for the next, without gaps.
        geometry: Polygon or MultiPolygon in CRS84. Classes do not overlap: a place belongs to its worst class.
        band: The values of the class, where it is one of a quantity.
    """

    code: str = Field(min_length=1, max_length=80)
    label: Text
    rank: Annotated[int, Field(ge=1)]
    geometry: Json
    band: Band | None = None


class Method(_Value):
    """How a zone was found: name and version of the method, and where its formulas come from."""

    id: str
    version: str
    source: str
    title: Text


class ZoneInput(_Value):
    """What went into a zone: a layer with its edition, or a document with its SHA-256."""

    name: str
    edition: EditionRef | None = None
    digest: str | None = None


class HazardZone(_Value):
    """A hazard zone.

    Attributes:
        kind: What kind of hazard.
        label: What it is called.
        method: How it was found.
        parameters: What the method was given, defaults included.
        classes: The best estimate, the worst class first; none where the method found nothing in danger.
        looked: Box in which the method looked (west, south, east, north in degrees; west may exceed east). A zone
            without classes has one, so that it can be told from a zone that was lost on the way.
        low: The same at the lower end of what is uncertain; None where the method does not say.
        high: The same at the upper end.
        codes: Code list of the class codes (`name@edition`), if there is one.
        start: From when it holds (UTC); None for now.
        end: Until when, excluded; None for an open end.
        status: Whether it is meant in earnest.
        screening: Whether it is a rough first look that decides nothing by itself.
        inputs: Layers and documents that it was made from.
        notes: What a reader must know of it: a formula used outside its range, a strike that is not known.
        id: Beginning of the SHA-256 of everything else, in hexadecimal digits; the same content has the same id.
    """

    kind: Kind
    label: Text
    method: Method
    parameters: Json = {}
    classes: tuple[ZoneClass, ...]
    looked: tuple[Lon, Lat, Lon, Lat] | None = None
    low: tuple[ZoneClass, ...] | None = None
    high: tuple[ZoneClass, ...] | None = None
    codes: str | None = None
    start: dt.datetime | None = None
    end: dt.datetime | None = None
    status: Meant = "actual"
    screening: bool = False
    inputs: tuple[ZoneInput, ...] = ()
    notes: tuple[Text, ...] = ()
    id: str | None = Field(default=None, pattern=ID_PATTERN)

    @model_validator(mode="after")
    def _ranked(self) -> HazardZone:
        for classes in (self.classes, self.low, self.high):
            if classes is not None and [one.rank for one in classes] != list(range(1, len(classes) + 1)):
                raise ValueError("Classes stand in the order of their ranks, from 1, without gaps.")
        return self

    @model_validator(mode="after")
    def _looked_at(self) -> HazardZone:
        if not self.classes and self.looked is None:
            raise ValueError("A zone has classes, or says under looked in which box nothing was found.")
        if self.looked is not None and self.looked[1] > self.looked[3]:
            raise ValueError("looked is west, south, east, north; south does not lie above north.")
        return self

    def bound(self, bound: Bound) -> tuple[ZoneClass, ...]:
        """The classes of an estimate; where the method does not say how uncertain it is, those of the best one."""
        found = {"low": self.low, "best": self.classes, "high": self.high}[bound]
        return self.classes if found is None else found

    def canonical(self) -> bytes:
        """The zone as JSON in one spelling, without its id: the same zone has the same bytes."""
        body = self.model_dump(mode="json", exclude={"id"})
        if self.looked is None:
            # Zones that have classes keep the bytes, and so the id, that they had before there was this member.
            del body["looked"]
        return json.dumps(body, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()

    def identified(self) -> HazardZone:
        """The zone with the id of its content."""
        digest = hashlib.sha256(self.canonical()).hexdigest()
        return self.model_copy(update={"id": digest[:_ID_DIGITS]})
