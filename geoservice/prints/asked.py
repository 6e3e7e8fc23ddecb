"""What is asked for when a map is to be printed."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from geoservice.http.texts import Storable
from web.sheet.layout import Orientation, Size
from web.sheet.letters import plain

LEAST_SCALE, MOST_SCALE, MOST_LAYERS = 100, 250_000_000, 40
MOST_CLASSES, MOST_PLACES = 12, 10_000
DPI, USUAL_DPI = (72, 96, 150, 192, 300), 192
_Line = Annotated[str, Field(max_length=160), AfterValidator(plain)]
_LayerId = Annotated[Storable, Field(max_length=100)]
Degrees = Annotated[float, Field(allow_inf_nan=False)]


class SheetLayer(BaseModel):
    """A layer of a printed map, and which of its rows are drawn."""

    model_config = ConfigDict(extra="forbid")

    id: _LayerId = Field(description="Collection.")
    filter: Annotated[str, Field(max_length=20_000)] | None = Field(
        default=None, description="CQL2 text: only features that meet it."
    )
    datetime: Annotated[str, Field(max_length=100)] | None = Field(
        default=None, description="RFC 3339 instant or interval: features of that time."
    )
    as_of: Annotated[str, Field(max_length=60)] | None = Field(
        default=None, description="RFC 3339 instant: rows as they were then."
    )
    opacity: Annotated[float, Field(ge=0, le=1)] = Field(default=1.0, description="Share of the layer's own opacity.")


class SheetClass(BaseModel):
    """A class of a map of statistics."""

    model_config = ConfigDict(extra="forbid")

    colour: Annotated[str, Field(pattern=r"^#[0-9a-fA-F]{6}$")] = Field(description="#rrggbb.")
    label: _Line = Field(description="What lies in it, with its unit if it needs one.")


class Coloured(BaseModel):
    """Divisions of a level, coloured by classes of a figure; a division without a class is hatched as no data."""

    model_config = ConfigDict(extra="forbid")

    collection: _LayerId = Field(description="Whose figures they are; it is credited.")
    level: Literal["province", "city", "county", "township"] = Field(description="Level of the divisions.")
    within: Annotated[str, Field(max_length=12)] | None = Field(
        default=None, description="Code of the division in which they lie."
    )
    title: Annotated[_Line, Field(min_length=1)] = Field(description="What is told, with its unit: heads the legend.")
    classes: Annotated[tuple[SheetClass, ...], Field(min_length=1, max_length=MOST_CLASSES)] = Field(
        description="Classes, from the lowest."
    )
    places: Annotated[dict[str, Annotated[int, Field(ge=0, lt=MOST_CLASSES)]], Field(max_length=MOST_PLACES)] = Field(
        description="Class of each division, counted from 0, by its code."
    )
    filter: Annotated[str, Field(max_length=20_000)] | None = Field(
        default=None, description="CQL2 text: which features the figures count; it is told on the paper."
    )
    as_of: Annotated[str, Field(max_length=60)] | None = Field(
        default=None, description="RFC 3339 instant of the figures; it is told on the paper."
    )


class SheetBody(BaseModel):
    """A map to be printed: exactly one of `bbox` and `center` with `scale` says where it lies."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {"center": [105.04, 38.62], "scale": 50000, "paper": "A4", "title": "Yangli Town", "lang": "en"}
            ]
        },
    )

    paper: Size = Field(default="A4", description="A5 to A0.")
    orientation: Orientation = Field(default="landscape", description="portrait or landscape.")
    bbox: tuple[Degrees, Degrees, Degrees, Degrees] | None = Field(
        default=None, description="west, south, east, north in degrees: what the map shows at least."
    )
    center: tuple[Degrees, Degrees] | None = Field(default=None, description="lon, lat in degrees of its middle.")
    scale: Annotated[int, Field(ge=LEAST_SCALE, le=MOST_SCALE)] | None = Field(
        default=None, description="Denominator of the scale at the middle; absent: the bbox as large as it fits."
    )
    crs: Annotated[str, Field(max_length=40)] | None = Field(
        default=None,
        description="EPSG:3857, EPSG:4490, CRS:84 or a Gauss-Krueger zone of CGCS2000; absent: that zone in China up "
        "to 1:1,000,000, else EPSG:3857.",
    )
    layers: Annotated[tuple[_LayerId | SheetLayer, ...], Field(max_length=MOST_LAYERS)] | None = Field(
        default=None, description="Collections from bottom to top; absent: those that the portal shows at first."
    )
    title: _Line = Field(default="", description="Title; absent: none.")
    subtitle: _Line = Field(default="", description="A line below the title.")
    remark: Annotated[str, Field(max_length=600), AfterValidator(plain)] = Field(
        default="", description="What else is to be read on the map."
    )
    lang: Literal["zh", "en", "both"] | None = Field(default=None, description="zh, en or both.")
    grid: Literal["none", "degrees", "metres"] | None = Field(
        default=None, description="Grid; absent: metres in a Gauss-Krueger zone, else degrees."
    )
    legend: bool = Field(default=True, description="Whether a legend of what is in view is printed.")
    dpi: Literal[72, 96, 150, 192, 300] | None = Field(
        default=None, description="Pixels per inch; absent: 192, or as many as the size of the paper allows."
    )
    overlays: dict[str, Any] | None = Field(
        default=None,
        description="GeoJSON FeatureCollection (CRS84) that is drawn on top; properties: colour (#rrggbb), label, "
        "dashed.",
    )
    coloured: Coloured | None = Field(
        default=None, description="A map of statistics: divisions coloured by class, below the names, with its legend."
    )
    exercise: bool = Field(default=False, description="Whether it is part of an exercise, which the paper then says.")
