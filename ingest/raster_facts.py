"""What the confined reader says about a raster it has rewritten. The loader trusts none of it before it is checked."""

from __future__ import annotations

from typing import Any

import shapely
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from layers.asset import BandFigures
from layers.errors import SourceUnreadable

COG_NAME = "cog.tif"
"""Name of the rewritten file in the private directory of the reader."""
FACTS_KEY = "raster"
_MAX_VERTICES = 2000
_WORLD = shapely.box(-180.0, -90.0, 180.0, 90.0)


class RasterFacts(BaseModel):
    """The raster as it will be stored.

    Attributes:
        crs: Short name of its CRS.
        width, height: Size in cells.
        footprint: Outline as WKB in hexadecimal: a multipolygon in EPSG:4490, x=longitude, in degrees.
        bands: Figures per band, in the order of the layer file.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    crs: str = Field(max_length=200)
    width: int = Field(gt=0)
    height: int = Field(gt=0)
    footprint: str
    bands: tuple[BandFigures, ...] = Field(min_length=1)

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


def read_facts(facts: dict[str, Any]) -> RasterFacts:
    """The raster facts of a reader's summary.

    Raises:
        SourceUnreadable: When they are missing or make no sense.
    """
    try:
        return RasterFacts.model_validate(facts.get(FACTS_KEY))
    except ValidationError as error:
        raise SourceUnreadable("The confined reader described a raster that makes no sense.") from error
