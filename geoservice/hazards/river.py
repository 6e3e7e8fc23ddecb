"""Floods of rivers and of broken dams by level over a DEM: screening, by the height above the nearest drainage (HAND).

No water moves here: a place is under water when it lies lower above its river than the level. That says where to look
first and nothing about when, how fast or how much; a model of hydraulics decides.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
import pyproj
import shapely
from pydantic import Field, model_validator
from rasterio.features import rasterize

from geoservice.hazards.areas import Ids, require_found
from geoservice.hazards.cells import read_cells
from geoservice.hazards.grading import Breaks, Floats, Grid, ascending, band_grade, bands_of_cells
from geoservice.hazards.method import (
    Box,
    Estimates,
    FeaturesWanted,
    Found,
    HazardMethod,
    Json,
    Parameters,
    PlaceWanted,
    Position,
    RasterWanted,
    Wanted,
)
from geoservice.hazards.plane import extent_around
from geoservice.hazards.shapes import Graded, ranked
from geoservice.hazards.terrain import Drainage, Mask, drainage, rim
from geoservice.queries.geodesy import ellipsoid
from layers.errors import BadParameter, UnknownFeature
from layers.extent import MAX_LAT, MAX_LON, Extent
from layers.hazard import ZoneClass
from layers.model import Text

ELEVATION = "elevation"
MOST_CELLS = 500_000
WATER = (0.0, 0.5, 1.0, 2.0, 3.0)
"""Metres of water at which classes begin."""
RITTER = 4.0 / 9.0
"""Depth at a dam just after it vanished over dry ground, per depth behind it (Ritter 1892)."""
_MARGIN = 0.25
_SNAP = 3
"""Cells around a dam of which the one that drains the most is taken as its river, so that all upstream drains to it."""
Share = Annotated[float, Field(gt=0, le=1, allow_inf_nan=False)]


class _OverTerrain(Parameters):
    dem: str = Field(default=ELEVATION, max_length=200, description="Raster collection of heights in metres.")
    breaks: Breaks = Field(default=WATER, description="Metres of water at which classes begin, 0 and more.")

    @model_validator(mode="after")
    def _require_water(self) -> _OverTerrain:
        if min(self.breaks) < 0:
            raise ValueError("breaks are 0 and more metres of water")
        return self


class RiverParameters(_OverTerrain):
    """A river in a box, drawn or of a collection, or found in the DEM; and how far its water rises."""

    bbox: Box
    level: float = Field(gt=0, le=200, description="Metres by which the water stands above the river of the DEM.")
    level_error: float = Field(default=1.0, ge=0, le=50, description="Metres by which level and DEM may be wrong.")
    river: Json | None = Field(default=None, description="GeoJSON line or area of the river (CRS84).")
    collection: str | None = Field(default=None, max_length=200, description="Collection of rivers or lakes.")
    ids: Ids | None = Field(default=None, description="Which of them; all in the box when absent.")
    upstream_km2: float = Field(
        default=5.0, gt=0, le=1e6, description="Where no river is given: cells that drain so much are one."
    )

    @model_validator(mode="after")
    def _require_one(self) -> RiverParameters:
        if self.river is not None and self.collection is not None:
            raise ValueError("a river is drawn as river or named by collection")
        return self


class DamParameters(_OverTerrain):
    """A dam that breaks: where it stands, how deep the water behind it is, how far its wave is looked for."""

    position: Position | None = None
    collection: str = Field(default="dam", max_length=200)
    id: str | None = Field(default=None, max_length=500, description="Public id of a dam of the collection.")
    depth: float | None = Field(
        default=None, gt=0, le=350, description="Metres of water behind the dam; its attribute height when absent."
    )
    reach: float = Field(
        default=20_000, ge=100, le=100_000, description="Metres downstream where the wave has died away."
    )
    shares: tuple[Share, Share, Share] = Field(
        default=(0.3, RITTER, 0.6), description="Depth at the dam per depth behind it: low, best, high."
    )

    @model_validator(mode="after")
    def _require_dam(self) -> DamParameters:
        if (self.position is None) == (self.id is None) or (self.id is None and self.depth is None):
            raise ValueError("a dam is given by id, or by position and depth")
        if tuple(sorted(self.shares)) != self.shares:
            raise ValueError("shares are the low, the best and the high one")
        return self


@dataclass(frozen=True)
class _Dam:
    lon: float
    lat: float
    depth: float


def cell_metres(grid: Grid) -> tuple[float, float]:
    """Width and height in metres of the cell in the middle of a grid, on the ellipsoid."""
    rows, columns = grid.values.shape
    across, down = columns / 2 + np.array([0.0, 1.0, 0.0]), rows / 2 + np.array([0.0, 0.0, 1.0])
    t = grid.transform
    x, y = t.c + across * t.a, t.f + down * t.e
    lon, lat = (x, y) if grid.way is None else grid.way.transform(x, y)
    _, _, metres = ellipsoid().inv([lon[0]] * 2, [lat[0]] * 2, lon[1:], lat[1:])
    return float(metres[0]), float(metres[1])


def water_over(heights: Floats, drained: Drainage, rivers: Mask, level: Floats) -> Floats:
    """Metres of water at each cell: the level at its river less its height above it; not a number away from rivers.

    Args:
        heights: Heights of the cells.
        drained: Where they drain to.
        rivers: Outlets that are rivers; the others lead out of the DEM.
        level: Metres by which water rises, at each cell that is a river.
    """
    flat, outlet = heights.ravel(), drained.outlet()
    there = outlet >= 0
    there[there] = rivers.ravel()[outlet[there]]
    depth = np.full(flat.shape, np.nan)
    end = outlet[there]
    depth[there] = level.ravel()[end] - (flat[there] - flat[end])
    depth[~(depth > 0)] = np.nan
    return depth.reshape(heights.shape)


def _river_wanted(told: RiverParameters, found: Found) -> Mapping[str, Wanted]:
    wanted: dict[str, Wanted] = {"dem": RasterWanted(told.dem, _wider(Extent(*told.bbox)))}
    if told.river is not None:
        wanted["river"] = PlaceWanted({"geometry": told.river})
    elif told.collection is not None:
        wanted["rivers"] = FeaturesWanted(told.collection, ids=told.ids, extent=Extent(*told.bbox))
    return wanted


def _wider(box: Extent) -> Extent:
    """A box with a margin, so that its own rim is none of the DEM."""
    wide, high = (box.east - box.west) * _MARGIN, (box.north - box.south) * _MARGIN
    west, east = max(box.west - wide, -MAX_LON), min(box.east + wide, MAX_LON)
    return Extent(west, max(box.south - high, -MAX_LAT), east, min(box.north + high, MAX_LAT))


def _river_shapes(told: RiverParameters, found: Found) -> list[shapely.Geometry]:
    if "river" in found.places:
        return [found.places["river"]]
    features = found.features.get("rivers", ())
    require_found(told, features, told.collection or "")
    return [one.geometry for one in features if one.geometry is not None]


def _burnt(grid: Grid, geometries: list[shapely.Geometry]) -> Mask:
    """The cells that geometries in degrees touch."""
    if not geometries:
        return np.zeros(grid.values.shape, dtype=np.bool_)
    moved = [shapely.segmentize(one, 0.001) for one in geometries]
    way = grid.way
    if way is not None:
        moved = [shapely.transform(one, lambda at: _inverse(way, at)) for one in moved]
    cells = rasterize(moved, out_shape=grid.values.shape, transform=grid.transform, all_touched=True, dtype="uint8")
    return np.asarray(cells > 0, dtype=np.bool_) & np.isfinite(grid.values)


def _inverse(way: pyproj.Transformer, at: Floats) -> Floats:
    return np.column_stack(way.transform(at[:, 0], at[:, 1], direction="INVERSE"))


def _rivers(told: RiverParameters, found: Found, grid: Grid) -> Mask:
    """Cells that are river: those that are drawn or named, else those that drain enough."""
    if told.river is not None or told.collection is not None:
        cells = _burnt(grid, _river_shapes(told, found))
        if not cells.any():
            raise BadParameter("No river touches the cells of the DEM in this box.", parameter="river")
        return cells
    size = cell_metres(grid)
    count = drainage(grid.values, rim(grid.values.shape, grid.values), size).upstream()
    least = told.upstream_km2 * 1e6 / (size[0] * size[1])
    return (count >= least).reshape(grid.values.shape)


def _classes(grid: Grid, depth: Floats, told: _OverTerrain, clip: shapely.Geometry | None) -> tuple[ZoneClass, ...]:
    # A cell without water has none at all, so that the first class may begin at 0.
    made: Graded = bands_of_cells(
        Grid(depth, grid.transform, grid.way), ascending(told.breaks), lambda a, b: band_grade("m", a, b)
    )
    if clip is not None:
        made = [(grade, shapely.intersection(shape, clip)) for grade, shape in made]
    return ranked(made)


def _river_estimate(told: RiverParameters, found: Found) -> Estimates:
    box = Extent(*told.bbox)
    cells = read_cells(found.rasters["dem"], _wider(box), MOST_CELLS)
    grid = cells.grid
    rivers = _rivers(told, found, grid)
    drained = drainage(grid.values, rivers | rim(grid.values.shape, grid.values), cell_metres(grid))
    clip = shapely.box(*box.boxes()[0])

    def at(level: float) -> tuple[ZoneClass, ...]:
        if level <= 0:
            return ()
        depth = water_over(grid.values, drained, rivers, np.full(grid.values.shape, level))
        return _classes(grid, depth, told, clip)

    return Estimates(
        best=at(told.level),
        low=at(told.level - told.level_error) if told.level_error else None,
        high=at(told.level + told.level_error) if told.level_error else None,
        nothing=Text(
            zh="按此水位，那里没有格网单元被淹。",
            en="By this level no cell there is under water that drains to a river.",
        ),
        resolved={"river_cells": int(rivers.sum())},
        notes=cells.notes,
    )


def _dam_wanted(told: DamParameters, found: Found) -> Mapping[str, Wanted]:
    if told.id is not None and "dam" not in found.features:
        return {"dam": FeaturesWanted(told.collection, ("height",), ids=(told.id,))}
    dam = _dam(told, found)
    return {"dem": RasterWanted(told.dem, extent_around(dam.lon, dam.lat, told.reach * (1 + _MARGIN)))}


def _dam(told: DamParameters, found: Found) -> _Dam:
    if told.position is not None and told.depth is not None:
        return _Dam(*told.position, told.depth)
    feature = next(iter(found.features["dam"]), None)
    if feature is None or feature.geometry is None:
        raise UnknownFeature(f"There is no dam {(told.id or '')[:80]!r}.", collection=told.collection)
    depth = told.depth if told.depth is not None else feature.attributes.get("height")
    if not depth:
        raise BadParameter("The height of this dam is not known; give depth.", parameter="depth")
    at = shapely.get_coordinates(shapely.centroid(feature.geometry))[0].tolist()
    return _Dam(at[0], at[1], float(depth))


def _course(grid: Grid, dam: _Dam, reach: float, size: tuple[float, float]) -> tuple[Any, Floats]:
    """Cells that the wave runs down, the dam's own first, and how many metres downstream each is."""
    rows, columns = grid.values.shape
    x, y = (dam.lon, dam.lat) if grid.way is None else grid.way.transform(dam.lon, dam.lat, direction="INVERSE")
    column, row = (int(np.floor(v)) for v in ~grid.transform @ (x, y))
    if not (0 <= row < rows and 0 <= column < columns) or not np.isfinite(grid.values[row, column]):
        raise BadParameter("The DEM has no height at the dam.", parameter="position")
    top, left = max(row - _SNAP, 0), max(column - _SNAP, 0)
    drained = drainage(grid.values, rim(grid.values.shape, grid.values), size)
    near = drained.upstream().reshape(rows, columns)[top : row + _SNAP + 1, left : column + _SNAP + 1]
    stem = np.unravel_index(int(np.argmax(near)), near.shape)
    path = drained.path(int((top + stem[0]) * columns + left + stem[1]))
    down, right = np.diff(path // columns), np.diff(path % columns)
    metres = np.concatenate([[0.0], np.cumsum(np.hypot(down * size[1], right * size[0]))])
    return path[metres <= reach], metres[metres <= reach]


def _dam_estimate(told: DamParameters, found: Found) -> Estimates:
    dam = _dam(told, found)
    extent = extent_around(dam.lon, dam.lat, told.reach * (1 + _MARGIN))
    cells = read_cells(found.rasters["dem"], extent, MOST_CELLS)
    grid, size = cells.grid, cell_metres(cells.grid)
    path, metres = _course(grid, dam, told.reach, size)
    rivers = np.zeros(grid.values.size, dtype=np.bool_)
    rivers[path] = True
    mask = rivers.reshape(grid.values.shape)
    drained = drainage(grid.values, mask | rim(grid.values.shape, grid.values), size)
    wave = np.zeros(grid.values.size)
    wave[path] = dam.depth * (1 - metres / told.reach)
    # What drains to the dam itself lies upstream: the wave does not run there.
    wave[path[0]] = -np.inf
    low, best, high = (
        _classes(grid, water_over(grid.values, drained, mask, wave.reshape(mask.shape) * share), told, None)
        for share in told.shares
    )
    return Estimates(
        best=best,
        low=low,
        high=high,
        nothing=Text(zh="溃坝洪水未到达坝下任何格网单元。", en="The wave reaches no cell below the dam."),
        looked=(extent.west, extent.south, extent.east, extent.north),
        resolved={"position": [dam.lon, dam.lat], "depth": dam.depth, "course_m": round(float(metres[-1]), 1)},
        notes=cells.notes,
    )


RIVER = HazardMethod(
    id="river-flood",
    version="1",
    kind="flood",
    title=Text(zh="河流洪水（按水位初筛）", en="River flood by level (screening)"),
    abstract=Text(
        zh="由数字高程模型的距河高（HAND）与水位得出可能淹没范围；仅供初筛。",
        en="What lies lower above its river (HAND) than the water rises; a first look that decides nothing.",
    ),
    source="HAND: Nobre et al. (2011), Journal of Hydrology 404; drainage D8 with hollows filled to their lowest rim.",
    uncertainty=Text(
        zh="水位各减、加所声明的误差（默认1米，为假定）。",
        en="The level less and more by level_error (an assumption: 1 m, DEM included).",
    ),
    parameters=RiverParameters,
    wanted=_river_wanted,
    estimate=_river_estimate,
    screening=True,
)
DAM = HazardMethod(
    id="dam-break",
    version="1",
    kind="dam-break",
    title=Text(zh="溃坝洪水（初筛）", en="Dam break (screening)"),
    abstract=Text(
        zh="坝址水深取坝前水深的九分之四，沿下游线性衰减，按距河高得出可能淹没范围；仅供初筛。",
        en="Four ninths of the depth behind the dam, less with distance downstream, over HAND; a first look.",
    ),
    source="Ritter (1892): depth at the dam 4/9 of that behind it; linear decay to reach is an assumption; HAND as in "
    "river-flood.",
    uncertainty=Text(
        zh="坝址水深为坝前水深的0.3、4/9、0.6（上下限为假定）。",
        en="Depth at the dam 0.3, 4/9 and 0.6 of that behind it (the outer two are assumptions).",
    ),
    parameters=DamParameters,
    wanted=_dam_wanted,
    estimate=_dam_estimate,
    screening=True,
)
