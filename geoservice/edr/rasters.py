"""Data of rasters: cells at points and along lines, and grids of cells in areas."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import anyio
import anyio.to_thread
import numpy as np
import shapely

from geoservice.analysis.cells import polygons
from geoservice.analysis.place import Place
from geoservice.analysis.request import ZoneRequest
from geoservice.coverages.gather import Gathered, Surroundings, gather
from geoservice.coverages.grid import Grid
from geoservice.coverages.request import BOX, CoverageRequest
from geoservice.coverages.write import Coverage, laid_out, require_few
from geoservice.edr.errors import NoEnvironmentalData
from geoservice.edr.model import (
    Along,
    Answer,
    Around,
    At,
    Category,
    Domain,
    Floats,
    Parameter,
    Part,
    Wanted,
    Where,
    Within,
    chosen,
)
from geoservice.queries.cells import sampled
from geoservice.queries.ring import buffered
from layers.codelist import CodeList
from layers.errors import BadParameter, TooLarge
from layers.model import RasterLayer, Text
from layers.offered import CRS84

QUERIES = ("position", "radius", "area", "cube", "trajectory", "corridor")
MOST_CELLS = 250_000
"""Cells (of all parameters) of a grid that is written as text."""
_PLACES = anyio.CapacityLimiter(2)
"""Grids that one process of the service reads at a time."""
_BLOCK = 512


@dataclass(frozen=True)
class Rasters:
    """A raster layer that may be asked.

    Attributes:
        layer: The layer; its bands are the parameters.
        around_us: Who asks, and where the files are.
        codelists: Names of codes.
        most_cells: Most cells that are made while somebody waits.
    """

    layer: RasterLayer
    around_us: Surroundings
    codelists: Mapping[str, CodeList]
    most_cells: int

    async def answer(self, where: Where, wanted: Wanted, taken: str | None) -> Answer:
        """The cells of a place.

        Args:
            where: The place.
            wanted: Parameters, times, columns and rows.
            taken: `datetime` as it was written: rasters that were taken then.

        Raises:
            BadParameter: When a parameter is unknown, or the rasters state no time.
            NoCoverage: When no raster is there.
            TooLarge: When the grid has too many cells.
        """
        names = chosen(wanted.names, [band.name for band in self.layer.bands])
        if wanted.average is not None:
            raise BadParameter("Rasters are no readings, so that there are no means of them.", parameter="average")
        if isinstance(where, At | Along):
            return await self._at(where, names, wanted, taken)
        zone = ZoneRequest(_place(where))
        asked = CoverageRequest(self.layer.name, zone, crs=CRS84, width=wanted.width, height=wanted.height, taken=taken)
        gathered = await gather(self.around_us, asked)
        part = await anyio.to_thread.run_sync(self._grid, gathered, asked, names, limiter=_PLACES)
        return Answer([part], single=True, edition=gathered.about.edition)

    async def _at(self, where: At | Along, names: tuple[str, ...], wanted: Wanted, taken: str | None) -> Answer:
        if wanted.width is not None or wanted.height is not None:
            raise BadParameter("Points have no grid, so that no resolution can be asked for.", parameter="resolution-x")
        corners = (float(where.x.min()), float(where.y.min()), float(where.x.max()), float(where.y.max()))
        zone = ZoneRequest(Place(shapely.box(*_widened(corners)), BOX))
        gathered = await gather(self.around_us, CoverageRequest(self.layer.name, zone, taken=taken))
        bands = len(self.layer.bands)
        cells = await anyio.to_thread.run_sync(
            sampled, gathered.assets, where.x, where.y, bands, "nearest", limiter=_PLACES
        )
        if np.isnan(cells).all():
            raise NoEnvironmentalData(f"Collection {self.layer.name} has no data there that you may see.")
        values = {band.name: cells[n] for n, band in enumerate(self.layer.bands) if band.name in names}
        parts = self._along(where, values, names) if isinstance(where, Along) else self._points(where, values, names)
        single = isinstance(where, Along) or not where.many
        return Answer(parts, single=single, edition=gathered.about.edition)

    def _points(self, where: At, values: Mapping[str, Floats], names: Sequence[str]) -> list[Part]:
        parameters = self._chosen(names)
        return [
            Part("Point", where.x[n : n + 1], where.y[n : n + 1], _each(values, n), parameters)
            for n in range(len(where.x))
        ]

    def _along(self, where: Along, values: Mapping[str, Floats], names: Sequence[str]) -> list[Part]:
        domain: Domain = "Trajectory" if where.t else "MultiPoint"
        return [Part(domain, where.x, where.y, values, self._chosen(names), where.t)]

    def _chosen(self, names: Sequence[str]) -> dict[str, Parameter]:
        known = band_parameters(self.layer, self.codelists)
        return {name: known[name] for name in names}

    def _grid(self, gathered: Gathered, asked: CoverageRequest, names: tuple[str, ...]) -> Part:
        coverage = laid_out(gathered, asked)
        require_few(coverage, self.most_cells)
        _require_short(coverage.grid, len(names))
        values = _cells(coverage)
        x, y = _middles(coverage.grid)
        found = {band.name: values[n].ravel() for n, band in enumerate(self.layer.bands) if band.name in names}
        return Part("Grid", x, y, found, self._chosen(names))


def band_parameters(layer: RasterLayer, codelists: Mapping[str, CodeList]) -> dict[str, Parameter]:
    """The bands of a raster as parameters; those of codes have classes instead of a unit."""
    categories = () if layer.list is None else _categories(codelists[layer.list])
    return {
        band.name: Parameter(
            band.name, band.title or layer.title, unit=None if categories else band.unit, categories=categories
        )
        for band in layer.bands
    }


def _categories(codes: CodeList) -> tuple[Category, ...]:
    return tuple(
        Category(int(code.code), code.code, Text(zh=code.zh, en=code.en))
        for code in codes.codes.values()
        if code.code.isascii() and code.code.isdigit()
    )


def _place(where: Around | Within) -> Place:
    """The area that is meant; a box cuts a grid out, and no cell of it is made empty."""
    boxed = isinstance(where, Within) and where.boxed
    found = buffered(shapely.Point(where.x, where.y), where.metres) if isinstance(where, Around) else where.area
    area: Any = polygons(found)
    return Place(area, BOX if boxed else "geometry")


def _require_short(grid: Grid, parameters: int) -> None:
    cells = grid.width * grid.height * parameters
    if cells > MOST_CELLS:
        raise TooLarge(
            f"This grid has {cells:,} cells and at most {MOST_CELLS:,} are written as text; ask for a smaller area, "
            "for fewer columns and rows by resolution-x and resolution-y, or for the coverage as a file.",
            limit=MOST_CELLS,
        )


def _cells(coverage: Coverage) -> Floats:
    """All cells (band, row, column); not a number where there is no data."""
    grid = coverage.grid
    found = np.full((coverage.reader.bands, grid.height, grid.width), np.nan)
    for chunk in coverage.reader.chunks(_BLOCK):
        rows = slice(chunk.row, chunk.row + chunk.values.shape[1])
        found[:, rows] = np.where(chunk.valid, chunk.values, np.nan)
    return found


def _middles(grid: Grid) -> tuple[Floats, Floats]:
    """Longitudes of the columns and latitudes of the rows of a grid, at the middles of cells."""
    columns, rows = np.arange(grid.width) + 0.5, np.arange(grid.height) + 0.5
    x, y = grid.transform.c + columns * grid.transform.a, grid.transform.f + rows * grid.transform.e
    return np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)


def _widened(corners: tuple[float, float, float, float]) -> tuple[float, float, float, float]:
    """A box around points that has an area."""
    west, south, east, north = corners
    return max(west - 1e-6, -180.0), max(south - 1e-6, -90.0), min(east + 1e-6, 180.0), min(north + 1e-6, 90.0)


def _each(values: Mapping[str, Floats], number: int) -> dict[str, Floats]:
    return {name: row[number : number + 1] for name, row in values.items()}
