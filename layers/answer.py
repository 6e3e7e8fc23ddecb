"""Answers: values that analysis, portal, API and reports share."""

from __future__ import annotations

import datetime as dt
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from layers.model import Text


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True)


class EditionRef(_Value):
    """The edition of an input: number, commit time and the name of the source it came from."""

    number: int
    committed: dt.datetime
    source: str


class AnswerRow(_Value):
    """One class of a section: code, label, number of features touched, value in the section's unit."""

    code: str | None
    label: Text
    count: int
    value: float


class AnswerFeature(_Value):
    """A listed feature: public key, label, a point on it (lon, lat in degrees) and some attributes."""

    id: str
    label: Text
    lon: float
    lat: float
    attributes: dict[str, Any] = {}


class AnswerSection(_Value):
    """What one layer contributes. `no-data` says that the layer has nothing loaded here; it is not zero."""

    layer: str
    title: Text
    role: str
    measure: str
    unit: str
    total: float | None
    rows: tuple[AnswerRow, ...] = ()
    features: tuple[AnswerFeature, ...] = ()
    features_total: int = 0
    edition: EditionRef | None = None
    status: Literal["ok", "no-data", "unavailable"] = "ok"
    note: Text | None = None


class Zone(_Value):
    """The zone asked about: its ellipsoidal area (m2), its bbox (degrees), where it came from."""

    area_m2: float
    bbox: tuple[float, float, float, float]
    origin: str
    label: Text | None = None


class ZoneAnswer(_Value):
    """What lies in a zone, section by section, with the method and the editions used.

    `as_of` is the instant of system time that was asked about; None for what held when it was computed.
    """

    zone: Zone
    as_of: dt.datetime | None = None
    sections: tuple[AnswerSection, ...]
    method: dict[str, str]
    computed: dt.datetime
