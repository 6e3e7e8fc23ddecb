"""Templates of boundary-point files (界址点 TXT): what the lines of one land office mean.

Land offices exchange parcels as text: a section of attributes, then per parcel one header line and one line per
boundary point. The order of the header, the axes, the unit of the area and the closing of rings differ from office to
office, and the files do not say how. So each variant is a template in a file, `templates/<name>.yaml`, beside the
themes and code lists; a reader follows it and never guesses.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

AreaUnit = Literal["square-metre", "hectare", "mu", "square-kilometre"]
PointPart = Literal["label", "ring", "x", "y", "-"]

SQUARE_METRES: dict[AreaUnit, float] = {
    "square-metre": 1.0,
    "hectare": 10_000.0,
    "mu": 10_000.0 / 15.0,
    "square-kilometre": 1_000_000.0,
}
"""Square metres in a unit; 15 mu are one hectare."""


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class PointCount(_Frozen):
    """The header column that states how many points follow.

    Attributes:
        column: Its name among the header columns.
        of: `lines` counts every point line, `corners` does not count a point that only closes its ring.
    """

    column: str
    of: Literal["lines", "corners"] = "lines"


class DeclaredArea(_Frozen):
    """The header column that states the area.

    Attributes:
        column: Its name among the header columns.
        unit: Unit of the area.
        tolerance: Part of the planar area by which it may differ, besides the rounding of the written number.
        otherwise: What happens to a parcel whose area differs more: a `warning`, or `refuse`.
    """

    column: str
    unit: AreaUnit = "hectare"
    tolerance: float = Field(default=0.005, gt=0, lt=1)
    otherwise: Literal["warning", "refuse"] = "warning"


class TemplateTitle(_Frozen):
    """Title in both languages."""

    zh: str
    en: str


class BoundaryTemplate(_Frozen):
    """One variant of the boundary-point format.

    Attributes:
        format: Version of this description, 1.
        title: What the variant is called.
        header: Names of the header columns in their order; they are the source fields that a mapping names.
        optional: Further columns that may follow, in their order.
        end: Text of the last column, which marks a header line.
        separators: Characters that separate columns; a full-width comma may be one.
        point: Meaning of the columns of a point line: `label`, `ring`, `x` (north), `y` (east), `-` (not used).
        count: Where the header states the number of points.
        area: Where the header states the area; without it areas are not compared.
        shape: The column that says whether a record is a point (点), a line (线) or an area (面).
        closing: Whether rings repeat their first point (`repeated`), never do (`open`), or either.
        prefix: Whether eastings carry the zone number (`required`, `none`), or either.
    """

    format: Literal[1]
    title: TemplateTitle
    header: tuple[str, ...] = Field(min_length=1)
    optional: tuple[str, ...] = ()
    end: str = Field(default="@", min_length=1, max_length=8)
    separators: tuple[str, ...] = Field(default=(",",), min_length=1)
    point: tuple[PointPart, ...] = ("label", "ring", "x", "y")
    count: PointCount
    area: DeclaredArea | None = None
    shape: str | None = None
    closing: Literal["repeated", "open", "either"] = "repeated"
    prefix: Literal["required", "none", "either"] = "either"

    @model_validator(mode="after")
    def _coherent(self) -> BoundaryTemplate:
        names = (*self.header, *self.optional)
        if len(set(names)) != len(names):
            raise ValueError("a header column is named twice")
        for name in (self.count.column, self.area.column if self.area else None, self.shape):
            if name is not None and name not in self.header:
                raise ValueError(f"{name!r} is not among the header columns")
        used = [p for p in self.point if p != "-"]
        if len(set(used)) != len(used) or not {"ring", "x", "y"} <= set(used):
            raise ValueError("a point line has ring, x and y, each once")
        if any(len(s) != 1 or s.isalnum() or s in ".-+" for s in self.separators):
            raise ValueError("a separator is one character that is no letter, digit, point or sign")
        return self
