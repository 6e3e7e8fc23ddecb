"""What analyses count a layer as: what a zone of danger can hit, and what a red line on a plan is judged by."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

ComplianceRole = Literal["land", "ownership", "control", "planning", "approval"]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Exposure(_Frozen):
    """How an analysis of a zone counts this layer.

    `measure`: `count` of features, `length` (m) of lines, `area` (m2) of polygons, or `sum` of an attribute
    or of raster cells. `by` groups by an attribute, `listed` also lists the features by name, `capacity` names an
    attribute that tells what each holds, such as beds.
    """

    role: Literal["population", "land", "road", "railway", "building", "facility", "dam", "settlement", "protected"]
    measure: Literal["count", "length", "area", "sum"]
    by: str | None = None
    value: str | None = None
    capacity: str | None = None
    listed: bool = False

    def attributes(self) -> tuple[str | None, ...]:
        """The attributes that it names."""
        return (self.by, self.value, self.capacity)


class Compliance(_Frozen):
    """What a layer of polygons says about a red line: its role, and the attribute whose values rules speak of."""

    role: ComplianceRole
    by: str
