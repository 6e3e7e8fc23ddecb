"""One style model per layer, from which map styles, legends and raster colour maps are derived."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

Colour = Annotated[str, Field(pattern=r"^#[0-9a-f]{6}$")]
RAMPS: dict[str, tuple[str, ...]] = {
    "terrain": ("#3a7d54", "#8fb573", "#d9d58f", "#c9a46c", "#9c7350", "#b9aaa0", "#f7f5f2"),
    "population": ("#fff5e6", "#fdd9a5", "#fdae6b", "#f16913", "#b33c00", "#5e1f00"),
    "grey": ("#000000", "#ffffff"),
    "blues": ("#f0f6fc", "#bcd8ee", "#6aaed6", "#2979b9", "#08306b"),
}


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


def ascending(stops: Sequence[tuple[float, str]]) -> bool:
    """Whether each lower bound lies above the one before it."""
    return all(low[0] < high[0] for low, high in itertools.pairwise(stops))


class ByValue(_Frozen):
    """A colour per value of an attribute; `colours` is a mapping or the id of a code list that has colours."""

    by: str
    colours: str | Mapping[str, Colour]
    default: Colour = "#9a9a9a"


class ByRange(_Frozen):
    """A colour per class of a number: each stop colours values from its lower bound upwards."""

    by: str
    stops: tuple[tuple[float, Colour], ...] = Field(min_length=2)
    default: Colour = "#9a9a9a"

    @model_validator(mode="after")
    def _ascending(self) -> ByRange:
        if not ascending(self.stops):
            raise ValueError("stops must ascend")
        return self


Paint = Colour | ByValue | ByRange


class SizeBy(_Frozen):
    """A size in pixels by a number, interpolated between stops."""

    by: str
    stops: tuple[tuple[float, float], ...] = Field(min_length=2)


class SizeByZoom(_Frozen):
    """A size in pixels by zoom level, interpolated between stops."""

    zoom: tuple[tuple[float, float], ...] = Field(min_length=2)


class SizeByValue(_Frozen):
    """A size in pixels by value of an attribute, scaled by zoom: size = value's size * factor at this zoom.

    `zoom` holds (zoom, factor) stops, interpolated; without it the factor is 1.
    """

    by: str
    sizes: Mapping[str, float]
    default: float = 1.0
    zoom: tuple[tuple[float, float], ...] = ()


Size = float | SizeBy | SizeByZoom | SizeByValue


class Appear(_Frozen):
    """From which zoom features are drawn, by value of an attribute (roads appear class by class).

    For a number attribute the values are written as text; `default` is for every other value.
    """

    by: str
    zooms: Mapping[str, int] = Field(min_length=1)
    default: int = Field(default=0, ge=0, le=22)


class Outline(_Frozen):
    """Border of polygons, drawn from a zoom level on."""

    colour: Colour = "#5f5f5f"
    width: float = 0.6
    from_: int = Field(default=0, ge=0, le=22, alias="from")


class LineStyle(_Frozen):
    """A line: colour, width, optional darker casing below it and dash pattern in line widths."""

    colour: Paint
    width: Size = 1.2
    casing: Colour | None = None
    dash: tuple[float, ...] | None = None


class CircleStyle(_Frozen):
    """A point: colour, radius, ring."""

    colour: Paint
    radius: Size = 4.0
    stroke: Colour = "#ffffff"


class LabelStyle(_Frozen):
    """Labels from the layer's label attributes: from which zoom, which size, along the line or at the point."""

    from_: int = Field(default=8, ge=0, le=22, alias="from")
    size: float = 12
    colour: Colour = "#333333"
    rank: str | None = None


class VectorStyle(_Frozen):
    """How features are drawn. `hatch` marks hazard zones, so that what lies beneath stays visible."""

    fill: Paint | None = None
    opacity: float = Field(default=0.7, ge=0, le=1)
    hatch: bool = False
    outline: Outline | None = None
    line: LineStyle | None = None
    circle: CircleStyle | None = None
    label: LabelStyle | None = None
    appear: Appear | None = None

    @model_validator(mode="after")
    def _something(self) -> VectorStyle:
        if self.fill is None and self.line is None and self.circle is None:
            raise ValueError("a style has at least one of fill, line, circle")
        return self

    def paints(self) -> tuple[Paint, ...]:
        """All paints that are set: fill, line, circle."""
        found = (self.fill, self.line.colour if self.line else None, self.circle.colour if self.circle else None)
        return tuple(p for p in found if p is not None)

    def attributes(self) -> tuple[str, ...]:
        """Attributes that drawing needs, so that tiles carry them."""
        names = [p.by for p in self.paints() if not isinstance(p, str)]
        sizes = (self.line.width if self.line else None, self.circle.radius if self.circle else None)
        names += [s.by for s in sizes if isinstance(s, SizeBy | SizeByValue)]
        if self.appear is not None:
            names.append(self.appear.by)
        if self.label is not None and self.label.rank is not None:
            names.append(self.label.rank)
        return tuple(dict.fromkeys(names))

    def codelists(self) -> frozenset[str]:
        """Ids of code lists used as palettes."""
        return frozenset(p.colours for p in self.paints() if isinstance(p, ByValue) and isinstance(p.colours, str))


class RasterStyle(_Frozen):
    """How cells are drawn: a ramp over a stretch, colours by range, the classes of a code list, or three bands as RGB.

    Each of the `stops` colours values from its lower bound upwards.
    """

    ramp: str | None = None
    stretch: tuple[float, float] | None = None
    stops: tuple[tuple[float, Colour], ...] | None = Field(default=None, min_length=2, max_length=200)
    classes: str | None = None
    rgb: tuple[int, int, int] | None = None
    opacity: float = Field(default=1.0, ge=0, le=1)
    mode: Literal["linear"] = "linear"

    @model_validator(mode="after")
    def _one_way(self) -> RasterStyle:
        ways = [w for w in (self.ramp, self.stops, self.classes, self.rgb) if w is not None]
        if len(ways) != 1:
            raise ValueError("a raster style has exactly one of ramp, stops, classes, rgb")
        if self.ramp is not None and (self.ramp not in RAMPS or self.stretch is None):
            raise ValueError(f"ramp must be one of {', '.join(RAMPS)} and needs a stretch")
        if self.stops is not None and not ascending(self.stops):
            raise ValueError("stops must ascend")
        return self

    def codelists(self) -> frozenset[str]:
        """Ids of code lists used as palettes."""
        return frozenset({self.classes}) if self.classes else frozenset()
