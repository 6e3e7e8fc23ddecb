"""Grades of quantities: ascending breaks make bands, the worst first; cells of a grid become areas by their band."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated

import numpy as np
import numpy.typing as npt
import pyproj
import shapely
from affine import Affine
from pydantic import Field
from rasterio.features import shapes

from geoservice.analysis.cells import polygons
from geoservice.hazards.shapes import Grade, Graded, merged, within_world
from layers.errors import BadParameter
from layers.hazard import Band
from layers.model import Text

Floats = npt.NDArray[np.float64]
Finite = Annotated[float, Field(allow_inf_nan=False)]
Breaks = Annotated[
    tuple[Finite, ...], Field(min_length=1, max_length=20, description="Values at which classes begin; more is worse.")
]
DEPTHS = (0.05, 0.5, 1.0, 2.0, 3.0)
"""Metres of water at which the usual classes of maps of flood risk begin."""
_EDGE_CELLS = 16
"""Cells after which an edge gets another corner, because it is a curve in degrees."""


@dataclass(frozen=True)
class Grid:
    """Cells north up: values (not a number: no data), from column and row to coordinates, the way into degrees.

    `way` is None where coordinates are longitude and latitude themselves.
    """

    values: Floats
    transform: Affine
    way: pyproj.Transformer | None


def ascending(breaks: Sequence[float]) -> tuple[float, ...]:
    """Breaks in their order.

    Raises:
        BadParameter: When one comes twice.
    """
    found = tuple(sorted(breaks))
    if len(set(found)) < len(found):
        raise BadParameter("breaks has one value twice.", parameter="breaks")
    return found


def band_grade(unit: str, at_least: float, below: float | None) -> Grade:
    """A grade that is called by its limits."""
    plain = f"{at_least:g}-{below:g}" if below is not None else f"{at_least:g}+"
    zh = f"{at_least:g}至{below:g} {unit}" if below is not None else f"{at_least:g} {unit}及以上"
    en = f"{at_least:g} to {below:g} {unit}" if below is not None else f"{at_least:g} {unit} and more"
    return Grade(plain, Text(zh=zh, en=en), Band(unit=unit, at_least=at_least, below=below))


GradeOf = Callable[[float, float | None], Grade]


def bands_of_cells(grid: Grid, breaks: Sequence[float], grade_of: GradeOf, shift: float = 0.0) -> Graded:
    """Areas of the cells in each band, the highest first.

    Args:
        grid: The cells.
        breaks: In ascending order; what lies below the first one is no part of the zone.
        grade_of: Makes a grade of the limits of a band.
        shift: Added to all values before.
    """
    values = grid.values + shift
    with np.errstate(invalid="ignore"):
        number = np.where(np.isfinite(values), np.digitize(values, breaks), 0).astype(np.int16)
    found: dict[int, list[shapely.Geometry]] = {}
    for mapping, value in shapes(number, mask=number > 0, connectivity=4, transform=grid.transform):
        found.setdefault(int(value), []).append(shapely.geometry.shape(mapping))
    ends = [*breaks[1:], None]
    return [
        (grade_of(breaks[n - 1], ends[n - 1]), merged([_degrees(grid, part) for part in found.get(n, [])]))
        for n in range(len(breaks), 0, -1)
    ]


def _degrees(grid: Grid, area: shapely.Geometry) -> shapely.Geometry:
    way = grid.way
    if way is None:
        return within_world(area)
    dense = shapely.segmentize(area, abs(grid.transform.a) * _EDGE_CELLS)
    moved = shapely.transform(dense, lambda at: np.column_stack(way.transform(at[:, 0], at[:, 1])))
    return within_world(polygons(shapely.make_valid(moved)))


def bands_of_areas(
    areas: Sequence[tuple[shapely.Geometry, float]], breaks: Sequence[float], grade_of: GradeOf, shift: float = 0.0
) -> Graded:
    """Areas that have a value each, by the band of it, the highest first; a value that is no number is in none."""
    numbers = np.digitize([value + shift for _, value in areas], breaks) if areas else np.zeros(0, dtype=int)
    known = [bool(np.isfinite(value)) for _, value in areas]
    ends = [*breaks[1:], None]
    return [
        (
            grade_of(breaks[n - 1], ends[n - 1]),
            merged(area for (area, _), own, there in zip(areas, numbers, known, strict=True) if there and own == n),
        )
        for n in range(len(breaks), 0, -1)
    ]
