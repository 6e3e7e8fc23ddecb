"""Inputs of the questions. Limits are those of the resources, which check them; here are names, types and meanings."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from geoservice.processes.questions import Inputs

Geometry = Annotated[dict[str, Any], Field(description="GeoJSON geometry, longitude and latitude in degrees (CRS84).")]
Box = Annotated[list[float], Field(min_length=4, max_length=4, description="west, south, east, north in degrees.")]
Position = Annotated[list[float], Field(min_length=2, max_length=2, description="Longitude, latitude in degrees.")]
Lon = Annotated[float, Field(description="Longitude in degrees, or x in `crs`.")]
Lat = Annotated[float, Field(description="Latitude in degrees, or y in `crs`.")]
Degrees = Annotated[float, Field(description="Degrees.")]
Collection = Annotated[str, Field(description="Id of a collection.")]
Instant = Annotated[str, Field(description="RFC 3339 instant: as it was then.")]
Limit = Annotated[int, Field(ge=1, description="Most results.")]
Where = Annotated[Any, Field(description="Positions in an array, or a GeoJSON MultiPoint.")]


class Named(Inputs):
    """The ways to name an area."""

    bbox: Box | None = None
    adcode: str | None = Field(default=None, description="Code of a division.")
    division: str | None = Field(default=None, description="Code of a division, as `adcode`.")
    alert: str | None = Field(default=None, description="Public id of an alert.")
    feature: dict[str, str] | str | None = Field(
        default=None, description="Any feature with an area: collection and id, or `collection/id`."
    )
    sheet: str | None = Field(default=None, description="Number of a map sheet (GB/T 13989).")
    postcode: str | None = Field(default=None, description="A postcode: the divisions that its offices serve.")


class Place(Named):
    """A place, given in exactly one way."""

    geometry: Geometry | None = None
    zone: str | None = Field(default=None, description="Id of a kept hazard zone.")


class Related(Place):
    """A place, and how much of which collections."""

    collections: list[str] | None = Field(default=None, description="Ids of collections; all you may see when absent.")
    limit: Annotated[int, Field(ge=1, description="Most features of each collection.")] | None = None
    with_geometry: bool | None = Field(default=None, description="Whether geometries are wanted.")
    as_of: Instant | None = None


class Identify(Related):
    """A place, how much of which collections, and how near is near enough."""

    tolerance: float | None = Field(default=None, ge=0, description="Metres around the place.")
    zoom: float | None = Field(default=None, description="Zoom level of a map, with `pixels`.")
    pixels: float | None = Field(default=None, description="Pixels around the place at that level.")


class Buffer(Place):
    """A place and a distance."""

    distance: float = Field(gt=0, description="Metres on the ellipsoid.")


class Zone(Named):
    """A zone, given in exactly one way."""

    zone: Geometry | str | None = Field(
        default=None, description="GeoJSON geometry in longitude and latitude, or the id of a kept hazard zone."
    )


class ZoneThen(Zone):
    """A zone, and as of when it is asked about."""

    as_of: Instant | None = None


class Impact(Zone):
    """A zone or a hazard, and what is to be told of its impact."""

    hazard: dict[str, Any] | None = Field(default=None, description="A hazard zone with its severity classes.")
    layers: list[str] | None = Field(default=None, description="Ids of exposure layers; all you may see when absent.")
    as_of: Instant | None = None
    at: str | None = Field(default=None, description="RFC 3339 instant that the answer repeats.")
    explain: bool | None = Field(default=None, description="Whether sections say how they were found.")
    divisions: bool | None = Field(default=None, description="False: no figures by division.")
    ways: bool | None = Field(default=None, description="False: the road network is not looked at.")
    needs: bool | None = Field(default=None, description="False: needs are not estimated.")
    facilities: list[str] | None = Field(default=None, description="Ids of layers that people must reach.")
    secondary: bool | None = Field(default=None, description="False: the reach of dangerous sites is not looked at.")
    people: Literal["raster", "areal", "points"] | None = Field(default=None, description="How people are counted.")
    minutes: list[float] | None = Field(default=None, description="Times within which one gets out of the zone.")
    lines: bool | None = Field(default=None, description="Whether ways to facilities are told as lines.")


class ImpactPair(Inputs):
    """Two impact questions."""

    first: dict[str, Any] = Field(description="An impact question.")
    second: dict[str, Any] = Field(description="Another one: of another zone, or as of another time.")


class Compliance(Zone):
    """A red line, given in exactly one way."""

    as_of: Instant | None = None


class Report(Inputs):
    """A question, and how its report is to look."""

    impact: dict[str, Any] | None = Field(default=None, description="The body of a question about impact.")
    compliance: dict[str, Any] | None = Field(default=None, description="Or of one about compliance.")
    title: str | None = Field(default=None, description="Heading.")
    note: str | None = Field(default=None, description="What is added to it.")
    lang: Literal["zh", "en"] | None = Field(default=None, description="Language.")


class Point(Inputs):
    """A point in a CRS."""

    lon: Lon
    lat: Lat
    crs: str | None = Field(default=None, description="CRS of the coordinates, x before y; CRS84 when absent.")


class Narrowed(Point):
    """A point, a collection and what of it is asked."""

    collection: Collection
    properties: list[str] | None = Field(default=None, description="Attributes of the answer; all when absent.")
    filter: str | dict[str, Any] | None = Field(default=None, description="CQL2 filter on the collection.")
    filter_lang: Literal["cql2-text", "cql2-json"] | None = Field(default=None, description="Its language.")
    as_of: Instant | None = None


class Nearest(Narrowed):
    """A point, a collection, how many neighbours."""

    k: int | None = Field(default=None, ge=1, description="How many features.")
    within: float | None = Field(default=None, gt=0, description="Metres beyond which nothing counts.")


class Values(Point):
    """A point and a raster."""

    collection: Collection
    method: Literal["nearest", "bilinear"] | None = Field(default=None, description="Cell, or mean of four.")
    as_of: Instant | None = None


class Profile(Inputs):
    """A line, or points, and a raster."""

    geometry: Geometry
    collection: Collection
    spacing: float | None = Field(default=None, gt=0, description="Metres between places.")
    method: Literal["nearest", "bilinear"] | None = Field(default=None, description="Cell, or mean of four.")
    as_of: Instant | None = None


class Travel(Inputs):
    """What all questions about a network take."""

    network: str | None = Field(default=None, description="Collection of the network; the first one when absent.")
    mode: str | None = Field(default=None, description="Who travels, such as car or foot.")
    preference: Literal["fastest", "shortest"] | None = None
    closures: list[dict[str, Any]] | None = Field(
        default=None, description="Zones (named as zones are) that are closed, or slow by `factor`."
    )
    obstacles: dict[str, Any] | None = Field(default=None, description="GeoJSON MultiPolygon that is closed.")
    as_of: Instant | None = None


class Route(Travel):
    """A way by some places."""

    waypoints: Where
    compare: bool | None = Field(default=None, description="False: leave out the way without the closures.")
    alternatives: int | None = Field(default=None, ge=0, le=3, description="Further ways beside the best one.")


class Facilities(Travel):
    """A place, and what is looked for near it."""

    place: Position
    facilities: Any = Field(description="A collection of points, or positions.")
    count: int | None = Field(default=None, ge=1, description="How many.")
    direction: Literal["to", "from"] | None = Field(default=None, description="To the facility, or from it.")
    limit: float | None = Field(default=None, gt=0, description="Seconds or metres beyond which none counts.")


class Isochrones(Travel):
    """Places, and limits of time or distance."""

    places: Any = Field(description="Positions, or a collection of points.")
    breaks: list[float] = Field(description="Limits in seconds (fastest) or metres (shortest).")
    direction: Literal["from", "to"] | None = Field(default=None, description="From the places, or to them.")
    shape: Literal["areas", "lines"] | None = None
    width: float | None = Field(default=None, gt=0, description="How far areas reach from roads, in metres.")
    merge: bool | None = Field(default=None, description="Whether all places have one area together.")


class Matrix(Travel):
    """Where ways begin, and where they end."""

    sources: Where
    targets: Where | None = None


class AtPoint(Inputs):
    """A point in degrees."""

    lon: Degrees
    lat: Degrees


class DivisionsAt(AtPoint):
    """A point in degrees, and an instant."""

    as_of: Instant | None = None


class Names(Inputs):
    """A search for names."""

    q: str = Field(description="Chinese, pinyin, initials or English; the beginning is enough.")
    limit: Limit | None = None
    offset: int | None = Field(default=None, ge=0, description="Results to pass over.")
    classes: list[str] | None = Field(default=None, description="Classes of features.")
    within: str | None = Field(default=None, description="Code of a division in which to search.")
    near: Position | None = Field(default=None, description="What is near this position comes first.")
    explain: bool | None = Field(default=None, description="Tell what each score is made of.")
    as_of: Instant | None = None


class Address(Inputs):
    """An address as it is written."""

    q: str = Field(description="An address, as fine as it is known.")
    limit: Limit | None = None
    within: str | None = Field(default=None, description="Code of a division in which to look.")


class Postcodes(Inputs):
    """A division, or a position."""

    adcode: str | None = Field(default=None, description="Code of a division.")
    near: Position | None = None


class Conversion(Inputs):
    """A code of one date in terms of another."""

    code: str = Field(description="Division code of 2, 4, 6, 9 or 12 digits.")
    start: str = Field(description="Year or date that the code is of.")
    end: str = Field(description="Year or date that is asked for.")


class Sheets(Inputs):
    """A point, or a box and a scale."""

    lon: Degrees | None = None
    lat: Degrees | None = None
    bbox: Box | None = None
    scale: int | None = Field(default=None, description="Denominator, 1000000 to 500.")
    limit: Limit | None = None


class SheetNumber(Inputs):
    """The number of a map sheet."""

    sheet_number: str = Field(min_length=1, max_length=100, description="Number of today or of before 1992.")


class Notation(Inputs):
    """Coordinates as people write them."""

    q: str = Field(description="Coordinates in any common notation.")
    zone: int | None = Field(default=None, description="Gauss-Krueger zone of six-digit eastings.")
