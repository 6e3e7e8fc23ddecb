"""What a layer of readings tells: which stations they belong to, and where property, value, unit and quality stand.

A layer file declares it as `belongs_to:` and `observes:`; the observations of the service follow from it.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

from pydantic import BaseModel, ConfigDict, Field, model_validator


class Series(BaseModel):
    """Readings of a station layer: which layer they belong to and by which attribute."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    layer: str
    by: str


class Observes(BaseModel):
    """How the rows of a series are readings.

    Attributes:
        value: Attribute of the result.
        property: Attribute of the code of the observed property; or, the same for all rows, `code`.
        unit: Attribute of the unit; or, the same for all rows, `unit_code`.
        quality: Attribute of the quality, a code of observation-quality@1.
        result_time: Attribute of the time at which the result came to be.
        cadence: How often a reading is due (ISO 8601 duration); completeness is counted against it.
        zone: Time zone of the days and months of roll-ups.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    value: str
    property: str | None = None
    code: str | None = None
    unit: str | None = None
    unit_code: str | None = None
    quality: str | None = None
    result_time: str | None = None
    cadence: dt.timedelta | None = Field(default=None, gt=dt.timedelta(0))
    zone: str = "UTC"

    @model_validator(mode="after")
    def _one_each(self) -> Observes:
        if (self.property is None) == (self.code is None):
            raise ValueError("readings take the property from an attribute, or all the same `code`")
        if self.unit is not None and self.unit_code is not None:
            raise ValueError("readings take the unit from an attribute, or all the same `unit_code`")
        return self

    def attributes(self) -> Iterator[str]:
        """Attributes that it names."""
        named = (self.value, self.property, self.unit, self.quality, self.result_time)
        yield from (name for name in named if name is not None)
