"""Zones of rasters: depths of floods and other results of models, by breaks or by the classes of their cells."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field, model_validator

from geoservice.hazards.areas import MOST_CLASSES, ModelClass
from geoservice.hazards.cells import read_cells
from geoservice.hazards.grading import DEPTHS, Breaks, Grid, ascending, band_grade, bands_of_cells
from geoservice.hazards.method import Box, Estimates, Found, HazardMethod, Parameters, RasterWanted, Wanted
from geoservice.hazards.shapes import Grade, Graded, ranked
from layers.errors import BadParameter
from layers.extent import Extent
from layers.hazard import ZoneClass
from layers.model import Text

_ONE_CLASS = (0.5,)


class DepthParameters(Parameters):
    """A raster of depths of water in metres, in a box."""

    collection: str = Field(min_length=1, max_length=200, description="A raster collection.")
    bbox: Box
    breaks: Breaks = DEPTHS
    depth_error: float = Field(default=0.3, ge=0, le=10, description="Metres by which depths may be wrong.")


class RasterParameters(Parameters):
    """A raster of results in a box, by breaks of its values or by classes of its codes."""

    kind: Literal["plume", "landslide", "flood", "fire", "earthquake", "other"] = "other"
    collection: str = Field(min_length=1, max_length=200, description="A raster collection.")
    bbox: Box
    band: int = Field(default=1, ge=1, le=100, description="Which band.")
    breaks: Breaks | None = None
    classes: Annotated[tuple[ModelClass, ...], Field(max_length=MOST_CLASSES)] = Field(
        default=(), description="Classes by values of cells, the worst first."
    )
    value_error: float = Field(default=0, ge=0, allow_inf_nan=False, description="By how much values may be wrong.")

    @model_validator(mode="after")
    def _require_scale(self) -> RasterParameters:
        if bool(self.classes) == (self.breaks is not None):
            raise ValueError("severity is given by classes or by breaks")
        return self


def _wanted(told: Any, found: Found) -> Mapping[str, Wanted]:
    return {"raster": RasterWanted(told.collection, Extent(*told.bbox))}


def _spread(grid: Grid, breaks: tuple[float, ...], unit: str, error: float) -> tuple[tuple[ZoneClass, ...], ...]:
    """Classes at the low end, at best and at the high end."""
    shifts = (-error, 0.0, error) if error else (0.0,)
    made = [ranked(bands_of_cells(grid, breaks, lambda a, b: band_grade(unit, a, b), shift)) for shift in shifts]
    return tuple(made)


def _of_breaks(grid: Grid, breaks: Breaks, unit: str, error: float) -> dict[str, Any]:
    made = _spread(grid, ascending(breaks), unit, error)
    return {"low": made[0], "best": made[1], "high": made[2]} if error else {"best": made[0]}


def _depths(told: DepthParameters, found: Found) -> Estimates:
    raster = found.rasters["raster"]
    unit = raster.layer.bands[0].unit
    if unit not in (None, "m"):
        raise BadParameter(f"Depths are in metres; {told.collection} is in {unit}.", parameter="collection")
    cells = read_cells(raster, Extent(*told.bbox))
    made = _of_breaks(cells.grid, told.breaks, "m", told.depth_error)
    nothing = Text(zh="那里没有被淹的格网单元。", en="No cell there is flooded.")
    return Estimates(nothing=nothing, notes=cells.notes, **made)


def _classes(grid: Grid, classes: tuple[ModelClass, ...]) -> Graded:
    graded = list[Any]()
    for one in classes:
        wanted = [float(value) for value in one.names() if _is_number(value)]
        if not wanted:
            raise BadParameter(f"Cells have numbers; class {one.code!r} has none.", parameter="classes")
        hit = np.where(np.isin(grid.values, wanted), 1.0, 0.0)
        grade = Grade(one.code, one.label)
        graded += bands_of_cells(Grid(hit, grid.transform, grid.way), _ONE_CLASS, lambda a, b, g=grade: g)  # type: ignore[misc]
    return graded


def _is_number(text: str) -> bool:
    try:
        return bool(np.isfinite(float(text)))
    except ValueError:
        return False


def _results(told: RasterParameters, found: Found) -> Estimates:
    raster = found.rasters["raster"]
    cells = read_cells(raster, Extent(*told.bbox), band=told.band - 1)
    unit = raster.layer.bands[told.band - 1].unit or "1"
    if told.breaks is None:
        made: dict[str, Any] = {"best": ranked(_classes(cells.grid, told.classes))}
    else:
        made = _of_breaks(cells.grid, told.breaks, unit, told.value_error)
    nothing = Text(zh="那里没有取值属于任一等级的格网单元。", en="No cell there has a value of one of the classes.")
    return Estimates(nothing=nothing, kind=told.kind, notes=cells.notes, **made)


DEPTH = HazardMethod(
    id="flood-depth",
    version="1",
    kind="flood",
    title=Text(zh="水深栅格", en="Raster of flood depths"),
    abstract=Text(zh="水深栅格按断点分级。", en="Depths of water of a raster, by breaks."),
    source="The raster itself; cells belong whole to the band of their value.",
    uncertainty=Text(
        zh="水深各减、加所声明的误差（默认0.3米，为假定）。",
        en="Depths less and more by depth_error (an assumption: 0.3 m).",
    ),
    parameters=DepthParameters,
    wanted=_wanted,
    estimate=_depths,
)
RESULTS = HazardMethod(
    id="model-raster",
    version="1",
    kind="other",
    title=Text(zh="模型结果（栅格）", en="Result of a model as a raster"),
    abstract=Text(
        zh="导入的专业模型栅格结果，如扩散浓度、滑坡易发性，按断点或类别定级。",
        en="Imported rasters of real models, such as concentrations and susceptibility, by breaks or classes.",
    ),
    source="The raster itself; cells belong whole to the band or class of their value.",
    uncertainty=Text(zh="数值各减、加所声明的误差。", en="Values less and more by value_error; none with classes."),
    parameters=RasterParameters,
    wanted=_wanted,
    estimate=_results,
)
