"""What a method is: what it is told, what it wants of layers, and how it makes a zone of both.

Methods are pure: they take values and give a value. `gather` looks up what they want, with the access decision.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar, Literal, TypeAlias

import shapely
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, model_validator

from geoservice.hazards.attenuation import Relation
from geoservice.hazards.errors import EmptyZone
from geoservice.http.texts import unfit
from layers.access import Clearance
from layers.asset import Asset
from layers.extent import Extent
from layers.hazard import HazardZone, Kind, Method, ZoneClass, ZoneInput
from layers.interval import Interval
from layers.model import RasterLayer, Text

Json: TypeAlias = dict[str, Any]
Lon = Annotated[float, Field(ge=-180, le=180, description="Degrees of longitude.")]
Lat = Annotated[float, Field(ge=-90, le=90, description="Degrees of latitude.")]
Position = Annotated[tuple[Lon, Lat], Field(description="Longitude, latitude in degrees (CRS84).")]
Box = Annotated[
    tuple[Lon, Lat, Lon, Lat], Field(description="west, south, east, north in degrees; west may exceed east.")
]
COMMON = frozenset({"label", "start", "end", "status"})
"""Parameters that every method takes and that are members of the zone."""


class Parameters(BaseModel):
    """What every method may be told; unknown members are refused.

    Attributes:
        DOCUMENTS: Parameters that are whole documents: the zone names them with their SHA-256 and does not repeat them.
    """

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False, frozen=True)
    DOCUMENTS: ClassVar[tuple[str, ...]] = ()

    label: Text | None = Field(default=None, description="What the zone is called, in both languages.")
    start: AwareDatetime | None = Field(default=None, description="From when the zone holds.")
    end: AwareDatetime | None = Field(default=None, description="Until when, excluded.")
    status: Literal["actual", "exercise", "test"] = Field(default="actual", description="Whether it is in earnest.")

    @model_validator(mode="before")
    @classmethod
    def _require_writable(cls, given: Any) -> Any:
        if expected := unfit(given):
            raise ValueError(expected)
        return given

    @model_validator(mode="after")
    def _require_order(self) -> Parameters:
        if self.start is not None and self.end is not None and self.end <= self.start:
            raise ValueError("end lies after start")
        return self


@dataclass(frozen=True, slots=True)
class FeaturesWanted:
    """Features of a collection.

    Attributes:
        collection: Its id.
        attributes: Those that are read, as far as the asker may see them.
        named: One of them that the asker named, and must therefore be there.
        ids: Public ids; None for all.
        extent: Only what meets this box.
        interval: Only what meets this interval of the time attribute.
        equal: Only features of which this attribute has this text.
        optional: Whether a collection that is not there counts as an empty one.
    """

    collection: str
    attributes: tuple[str, ...] = ()
    named: str | None = None
    ids: tuple[str, ...] | None = None
    extent: Extent | None = None
    interval: Interval | None = None
    equal: tuple[str, str] | None = None
    optional: bool = False


@dataclass(frozen=True, slots=True)
class RasterWanted:
    """The rasters of a collection around a box."""

    collection: str
    extent: Extent


@dataclass(frozen=True, slots=True)
class PlaceWanted:
    """A place as a request names it (`geoservice.queries.where`)."""

    body: Json


Wanted: TypeAlias = FeaturesWanted | RasterWanted | PlaceWanted


@dataclass(frozen=True, slots=True)
class Feature:
    """A feature that was found: public id, geometry in degrees (None without one), visible attributes."""

    key: str
    geometry: shapely.Geometry | None
    attributes: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Raster:
    """A raster layer and its files around the box, the topmost first."""

    layer: RasterLayer
    assets: tuple[Asset, ...]


@dataclass(frozen=True)
class Found:
    """What was found of what a method wants, by its names.

    Attributes:
        features, rasters, places: By the names that the method gave.
        inputs: The layers with their editions.
        clearance: The lowest clearance that may see everything that was found.
        relations: Attenuation relations by name.
        most_vertices: Most vertices of areas that are taken as they were sent.
    """

    features: Mapping[str, tuple[Feature, ...]] = field(default_factory=dict)
    rasters: Mapping[str, Raster] = field(default_factory=dict)
    places: Mapping[str, shapely.Geometry] = field(default_factory=dict)
    inputs: tuple[ZoneInput, ...] = ()
    clearance: Clearance = Clearance.PUBLIC
    relations: Mapping[str, Relation] = field(default_factory=dict)
    most_vertices: int = 1_000_000


@dataclass(frozen=True)
class Estimates:
    """What a method makes.

    Attributes:
        best, low, high: Classes, the worst first; None where the method does not say how uncertain they are.
        resolved: Parameters that the method found out, beside those it was told.
        nothing: The sentence that says why nothing is in danger, in case `best` is empty.
        looked: Box in which was looked for it (west, south, east, north in degrees; west may exceed east), where the
            parameters have no `bbox`; None where `best` cannot be empty unless the input is wrong.
        codes: Code list of the class codes.
        label: What the zone is called when nobody said so.
        start, end: When it holds, when nobody said so.
        status: Whether it is meant in earnest, when the inputs say so.
        notes: What a reader must know.
        kind: Kind of the hazard, where the method serves several.
    """

    best: tuple[ZoneClass, ...]
    nothing: Text
    looked: tuple[float, float, float, float] | None = None
    low: tuple[ZoneClass, ...] | None = None
    high: tuple[ZoneClass, ...] | None = None
    resolved: Mapping[str, Any] = field(default_factory=dict)
    codes: str | None = None
    label: Text | None = None
    start: dt.datetime | None = None
    end: dt.datetime | None = None
    status: Literal["actual", "exercise", "test"] | None = None
    notes: tuple[Text, ...] = ()
    kind: Kind | None = None


@dataclass(frozen=True)
class HazardMethod:
    """A method.

    Attributes:
        id: Its name in addresses.
        version: It grows when the same parameters may give another zone.
        kind: Kind of the hazard.
        title, abstract: For people.
        source: Where its formulas come from.
        uncertainty: What the low and the high estimate are.
        parameters: What it is told.
        wanted: What it wants of layers, by names of its own; asked again with what was found until it wants no more.
        estimate: Makes the classes.
        screening: Whether it is a rough first look.
    """

    id: str
    version: str
    kind: Kind
    title: Text
    abstract: Text
    source: str
    uncertainty: Text
    parameters: type[Parameters]
    wanted: Callable[[Any, Found], Mapping[str, Wanted]]
    estimate: Callable[[Any, Found], Estimates]
    screening: bool = False

    def zone(self, told: Parameters, found: Found) -> HazardZone:
        """The zone of parameters. It blocks; call it in a thread.

        Raises:
            EmptyZone: When there is no zone at all, not even one that says that nothing is in danger: because the
                input has no area, or because nothing is loaded of the layer in which was looked.
            BadBody, BadGeometry, BadParameter, TooLarge: When the parameters do not fit one another or the data.
        """
        made = self.estimate(told, found)
        looked = None if made.best else _looked(told, found, made)
        told_of = told.model_dump(mode="json", exclude={*COMMON, *told.DOCUMENTS})
        documents = [
            ZoneInput(name=name, digest=_digest(value))
            for name in told.DOCUMENTS
            if (value := getattr(told, name)) is not None
        ]
        zone = HazardZone(
            kind=made.kind or self.kind,
            label=told.label or made.label or self.title,
            method=Method(id=self.id, version=self.version, source=self.source, title=self.title),
            parameters={**told_of, **made.resolved},
            classes=made.best,
            looked=looked,
            low=made.low,
            high=made.high,
            codes=made.codes,
            start=_utc(told.start or made.start),
            end=_utc(told.end or made.end),
            status=made.status if told.status == "actual" and made.status is not None else told.status,
            screening=self.screening,
            inputs=(*found.inputs, *documents),
            notes=made.notes if made.best else (made.nothing, *made.notes),
        )
        return zone.identified()


def _looked(told: Parameters, found: Found, made: Estimates) -> tuple[float, float, float, float]:
    """The box in which a method looked and found nothing.

    Raises:
        EmptyZone: When it looked nowhere, or where nothing is loaded: that is not the same as no danger.
    """
    looked = getattr(told, "bbox", None) or made.looked
    if looked is None:
        raise EmptyZone(made.nothing.en, where="zone")
    silent = [one.name for one in found.inputs if one.edition is None and one.digest is None]
    if made.looked is None and silent:
        raise EmptyZone(f"Nothing is loaded of {', '.join(silent)}, so that nobody knows whether there is any danger.")
    west, south, east, north = looked
    return west, south, east, north


def _digest(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _utc(moment: dt.datetime | None) -> dt.datetime | None:
    return None if moment is None else moment.astimezone(dt.UTC)
