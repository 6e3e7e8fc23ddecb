"""What analyses count a layer as: what a zone of danger can hit, and what a red line on a plan is judged by."""

from __future__ import annotations

from typing import Literal, get_args

from pydantic import BaseModel, ConfigDict, model_validator

ExposureRole = Literal[
    "population",
    "settlement",
    "land",
    "road",
    "railway",
    "bridge",
    "building",
    "facility",
    "danger",
    "dam",
    "power",
    "pipeline",
    "protected",
    "monument",
]
"""What layers are to an analysis, in the order in which answers tell them; `danger` is what may harm by itself."""
ROLES: tuple[str, ...] = get_args(ExposureRole)
ComplianceRole = Literal["land", "ownership", "control", "planning", "approval"]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Exposure(_Frozen):
    """How an analysis of a zone counts this layer.

    `measure`: `count` of features, `length` (m) of lines, `area` (m2) of polygons, or `sum` of an attribute
    or of raster cells. `by` groups by an attribute, `listed` also lists the features by name, `capacity` names an
    attribute that tells what each holds, such as beds. `cut` lists the features of a layer of lines by how much of each
    lies in the zone; `census` names the attribute with the people of each polygon, and `reach` the one that says how
    far (m) an accident there may reach.
    """

    role: ExposureRole
    measure: Literal["count", "length", "area", "sum"]
    by: str | None = None
    value: str | None = None
    capacity: str | None = None
    listed: bool = False
    cut: bool = False
    census: str | None = None
    reach: str | None = None

    @model_validator(mode="after")
    def _of_lines(self) -> Exposure:
        if self.cut and self.measure != "length":
            raise ValueError("only features that are measured by their length are told as cut")
        return self

    def attributes(self) -> tuple[str | None, ...]:
        """The attributes that it names."""
        return (self.by, self.value, self.capacity, self.census, self.reach)


class Compliance(_Frozen):
    """What a layer of polygons says about a red line: its role, and the attribute whose values rules speak of."""

    role: ComplianceRole
    by: str
