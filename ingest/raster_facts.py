"""What the confined reader says about a raster it has rewritten. The loader trusts none of it before it is checked."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import shapely
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, field_validator

from layers.asset import BandFigures
from layers.errors import SourceUnreadable

FACTS_KEY = "raster"
"""Facts of the one raster of a source, in the reader's summary."""
REFUSED_KEY = "refused"
"""Rasters of a source that could not be stored: a list of `name` and `reason`."""
MOST_RASTERS = 5000
"""Most rasters that one source may hold."""
_MAX_VERTICES = 2000
_MOST_BYTES = 4 << 20
_WORLD = shapely.box(-180.0, -90.0, 180.0, 90.0)


class RasterFacts(BaseModel):
    """The raster as it will be stored.

    Attributes:
        crs: Short name of its CRS.
        width, height: Size in cells.
        footprint: Outline as WKB in hexadecimal: a multipolygon in EPSG:4490, x=longitude, in degrees.
        bands: Figures per band, in the order of the layer file.
        vertical: Vertical datum that the CRS of the source states; None when it states none.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    crs: str = Field(max_length=200)
    width: int = Field(gt=0)
    height: int = Field(gt=0)
    footprint: str
    bands: tuple[BandFigures, ...] = Field(min_length=1)
    vertical: str | None = Field(default=None, max_length=200)

    @field_validator("footprint")
    @classmethod
    def _outline(cls, value: str) -> str:
        shape = shapely.from_wkb(value, on_invalid="ignore")
        if shape is None or shape.geom_type != "MultiPolygon" or shape.is_empty or not shape.is_valid:
            raise ValueError("the footprint is no valid multipolygon")
        inside = shapely.covers(_WORLD, shape)
        if not inside or shapely.get_num_coordinates(shape) > _MAX_VERTICES:
            raise ValueError("the footprint is no plausible outline")
        return value

    @property
    def outline(self) -> shapely.Geometry:
        """The footprint as a geometry."""
        return shapely.from_wkb(self.footprint)


class Stored(BaseModel):
    """One raster that the reader has rewritten: the name of its asset and what is in the file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(min_length=1, max_length=500)
    facts: RasterFacts


class RefusedRaster(BaseModel):
    """One raster of several that could not be stored: its name, and a sentence that says why."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(min_length=1, max_length=500)
    reason: str = Field(min_length=1, max_length=2000)


_REFUSED: TypeAdapter[tuple[RefusedRaster, ...]] = TypeAdapter(tuple[RefusedRaster, ...])


def read_refused(facts: dict[str, Any]) -> tuple[RefusedRaster, ...]:
    """The rasters that a reader's summary names as refused.

    Raises:
        SourceUnreadable: When the list makes no sense.
    """
    try:
        return _REFUSED.validate_python(facts.get(REFUSED_KEY, ()))
    except ValidationError as error:
        raise SourceUnreadable("The confined reader gave a list of refused rasters that makes no sense.") from error


def cog_name(number: int) -> str:
    """Name of a rewritten file in the private directory of the reader; the first one has number 0."""
    return f"cog-{number}.tif"


def list_name(number: int) -> str:
    """Name of the file that says what `cog_name` of this number holds, as JSON of `Stored`."""
    return f"cog-{number}.json"


def read_stored(directory: Path, number: int) -> Stored:
    """What the reader says about one of its files. Links are not followed, and only so much is read.

    Raises:
        SourceUnreadable: When it says nothing, or nothing that makes sense.
    """
    try:
        handle = os.open(directory / list_name(number), os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        with os.fdopen(handle, "rb") as file:
            return Stored.model_validate_json(file.read(_MOST_BYTES))
    except (OSError, ValidationError) as error:
        raise SourceUnreadable("The confined reader described a raster that makes no sense.") from error


def read_facts(facts: dict[str, Any]) -> RasterFacts:
    """The raster facts of a reader's summary.

    Raises:
        SourceUnreadable: When they are missing or make no sense.
    """
    try:
        return RasterFacts.model_validate(facts.get(FACTS_KEY))
    except ValidationError as error:
        raise SourceUnreadable("The confined reader described a raster that makes no sense.") from error
