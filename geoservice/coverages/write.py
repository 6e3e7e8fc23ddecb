"""A coverage as one Cloud-Optimised GeoTIFF, whose tags say what it is, of which edition, and on which terms."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import rasterio

from geoservice.coverages.errors import CoverageTooLarge, NoCoverage
from geoservice.coverages.gather import Gathered
from geoservice.coverages.grid import Grid, grid_of
from geoservice.coverages.read import Reader, nature_of, source_cells
from geoservice.coverages.request import BOX, CoverageRequest
from geoservice.coverages.source import Source, source_of
from geoservice.formats.subject import About
from ingest.cog import Chunk, Storage, publish, write_plain
from layers.model import CogProfile, RasterLayer

COG = "image/tiff; application=geotiff; profile=cloud-optimized"
SUFFIX = ".tif"
"""Ending of the files."""
_COPYRIGHT, _DESCRIPTION = "TIFFTAG_COPYRIGHT", "TIFFTAG_IMAGEDESCRIPTION"
Tell = Callable[[int, int], None]


@dataclass(frozen=True)
class Coverage:
    """A coverage that is laid out and not yet read.

    Attributes:
        layer: The layer.
        about: What the file says of itself.
        reader: Reads the cells.
        cost: Cells that are made, or that must be read to add them up, whichever is more.
    """

    layer: RasterLayer
    about: About
    reader: Reader
    cost: int

    @property
    def grid(self) -> Grid:
        """The grid of the answer."""
        return self.reader.grid

    @property
    def size(self) -> int:
        """Bytes of its cells, unpacked."""
        return self.grid.width * self.grid.height * self.reader.bands * self.reader.dtype.itemsize


def laid_out(gathered: Gathered, asked: CoverageRequest) -> Coverage:
    """Decide on the grid and the cells of a coverage. It opens each raster once; call it in a thread.

    Raises:
        NoCoverage: When there is no raster.
        AssetUnavailable: When a file is missing or damaged.
        TooLarge: When the zone has too many vertices.
    """
    sources = [source_of(asset) for asset in gathered.assets]
    place = gathered.place
    grid, shape = grid_of(sources, None if place is None else place.geometry, asked)
    layer, nature = gathered.layer, nature_of(gathered.layer)
    bands = len(layer.bands)
    dtype = np.result_type(*(source.dtype for source in sources))
    cost = grid.width * grid.height * bands
    if nature == "counts" and not all(source.lies_on(grid.crs, grid.transform) for source in sources):
        # Shares of counts are no whole numbers.
        dtype = np.promote_types(dtype, np.float32)
        cost = max(cost, bands * sum(source_cells(source, grid) for source in sources))
    shape = None if place is None or place.origin == BOX else shape
    reader = Reader(sources, grid, shape, nature, bands, dtype, _nodata(sources, dtype))
    return Coverage(layer, gathered.about, reader, cost)


def require_few(coverage: Coverage, most: int) -> None:
    """Make sure that a coverage can be made while somebody waits.

    Raises:
        CoverageTooLarge: When it has more cells, naming what takes them.
    """
    if coverage.cost > most:
        raise CoverageTooLarge(
            f"This coverage takes {coverage.cost:,} cells (pixels times bands) and at most {most:,} are made while you "
            "wait; ask for a smaller zone or fewer pixels by width, or have the process `coverage` make it as a job.",
            maximum=most,
        )


def write(coverage: Coverage, folder: Path, tell: Tell | None = None) -> Path:
    """Write a coverage.

    Args:
        coverage: What is written.
        folder: Where to; a working file as large as the cells lies there meanwhile.
        tell: Told of rows that are done, and of how many there are.

    Returns:
        The file.

    Raises:
        NoCoverage: When no cell has data.
        AssetUnavailable: When a file is missing or damaged.
        BadParameter: When cells must be resampled and the CRS has no code.
    """
    plain, target = folder / "working.tif", folder / f"coverage{SUFFIX}"
    storage, seen = _storage(coverage), [False]
    profile = coverage.layer.cog.model_copy(update={"compress": "deflate"})
    write_plain(plain, storage, _watched(coverage, profile, seen, tell))
    if not seen[0]:
        raise NoCoverage("No cell there has data that you may see; the extent of the collection says where some are.")
    _describe(plain, coverage)
    publish(plain, target, storage, profile)
    for working in folder.glob(f"{plain.name}*"):
        working.unlink()
    return target


def _watched(coverage: Coverage, profile: CogProfile, seen: list[bool], tell: Tell | None) -> Iterator[Chunk]:
    for chunk in coverage.reader.chunks(profile.blocksize):
        seen[0] = seen[0] or bool(chunk.valid.any())
        yield chunk
        if tell is not None:
            tell(chunk.row + chunk.values.shape[1], coverage.grid.height)


def _storage(coverage: Coverage) -> Storage:
    top, reader = coverage.reader.sources[0], coverage.reader
    return Storage(
        crs=coverage.grid.crs,
        transform=coverage.grid.transform,
        width=coverage.grid.width,
        height=coverage.grid.height,
        count=reader.bands,
        dtype=reader.dtype.name,
        nodata=reader.nodata,
        masked=reader.nodata is None,
        classed=reader.nature == "codes",
        palette=top.palette if reader.nature == "codes" else {},
        names=tuple(band.name for band in coverage.layer.bands),
        units=top.units,
    )


def _nodata(sources: list[Source], dtype: np.dtype[np.generic]) -> float | None:
    """The value for "no data" that all rasters share; where they do not, a mask takes its place."""
    values = [source.facts.nodata for source in sources]
    first = values[0]
    if first is None or not all(value is not None and np.array_equal(value, first, equal_nan=True) for value in values):
        return None
    if dtype.kind == "f":
        return first
    limits = np.iinfo(dtype.name)
    return first if first == np.trunc(first) and limits.min <= first <= limits.max else None


def _describe(plain: Path, coverage: Coverage) -> None:
    top, facts = coverage.reader.sources[0], coverage.about.facts()
    tags = {name.upper(): str(value) for name, value in facts.items()}
    tags |= {_DESCRIPTION: coverage.about.title.en, _COPYRIGHT: coverage.about.licence}
    with rasterio.open(plain, "r+", driver="GTiff") as target:
        target.update_tags(**tags)
        if any(scale != 1 for scale in top.scales) or any(top.offsets):
            target.scales, target.offsets = top.scales, top.offsets
