"""Rasters of the sample region: heights, people, land cover, and a picture as from above."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import rasterio
import shapely
from rasterio.transform import Affine

from ingest.sample.chance import FloatArray, Noise
from ingest.sample.grid import METRES_Y, Grid
from ingest.sample.landuse import Fields
from ingest.sample.parcels import Batch, cover_codes
from ingest.sample.roads import SECONDARY, TERTIARY, TRUNK, Road
from ingest.sample.settlements import Settlements
from ingest.sample.terrain import GRID, hillshade

CRS = "EPSG:4490"
ELEVATION_NODATA = -9999.0
PEOPLE_NODATA = -1.0
COVER_NODATA = 255
PICTURE_FACTOR = 2
HABITABLE_SLOPE = 12.0
RURAL_SHARE = 0.06
"""Share of a settlement's people who live outside its built-up area."""
COLOURS = {
    11: (58, 92, 108), 21: (156, 150, 130), 22: (172, 160, 146), 23: (160, 154, 152), 24: (176, 172, 172),
    31: (186, 172, 146), 41: (74, 98, 58), 43: (92, 112, 68), 52: (124, 128, 84), 71: (160, 156, 108),
    82: (142, 148, 88),
}  # fmt: skip
"""Natural colours of land-cover classes, red, green, blue."""
FIELD_CLASS = 82
GREAT_RIVER = 400.0
WATER_COLOUR = (52, 84, 102)
OUTSIDE_COLOUR = (150, 148, 120)


def write_raster(path: Path, bands: npt.NDArray[np.generic], transform: Affine, nodata: float | None) -> None:
    """Write bands (count, rows, columns) as a GeoTIFF in EPSG:4490."""
    count, rows, columns = bands.shape
    with rasterio.open(
        path,
        "w",
        driver="GTiff",
        width=columns,
        height=rows,
        count=count,
        dtype=bands.dtype.name,
        crs=CRS,
        transform=transform,
        nodata=nodata,
        compress="deflate",
    ) as file:
        file.write(bands)


def write_elevation(path: Path, height: FloatArray) -> None:
    """Heights in metres (float32) on the full grid."""
    write_raster(path, height.astype(np.float32)[None], GRID.transform, ELEVATION_NODATA)


def people_per_cell(fields: Fields, settlements: Settlements) -> FloatArray:
    """People in each cell; the cells of a township add up to its people; NaN outside the county.

    A settlement's people live in the cells it covers, denser towards its middle, and a few on the land around.
    """
    people = np.where(fields.township >= 0, 0.0, np.nan)
    lon, lat = GRID.centres()
    for number, place in enumerate(settlements.places):
        mine = (fields.place == number) & (fields.township == place.township)
        rows, columns = np.nonzero(mine)
        flat = np.column_stack([lon[rows, columns], lat[rows, columns]]) - np.array(place.point)
        away = np.hypot(flat[:, 0] * np.cos(np.radians(place.point[1])), flat[:, 1]) * METRES_Y
        dry = (fields.off_river[rows, columns] > 0) & ~fields.pool[rows, columns]
        close = np.exp(-((away / (0.75 * place.radius + 30.0)) ** 2)) * dry * (away < 1.3 * place.radius + 60.0)
        close[np.argmin(away)] += 1e-3
        land = dry * (fields.slope[rows, columns] < HABITABLE_SLOPE) + 1e-6
        share = (1 - RURAL_SHARE) * close / close.sum() + RURAL_SHARE * land / land.sum()
        people[rows, columns] += place.people * share
    return people


def write_population(path: Path, people: FloatArray) -> None:
    """People per cell (float32) on the full grid."""
    values = np.where(np.isnan(people), PEOPLE_NODATA, people).astype(np.float32)
    write_raster(path, values[None], GRID.transform, PEOPLE_NODATA)


class CoverPainter:
    """Collects the land cover of the full grid, batch of patches by batch."""

    def __init__(self) -> None:
        """Begin with no data everywhere."""
        self.cover = np.full(GRID.shape, COVER_NODATA, dtype=np.uint8)
        self._lon, self._lat = GRID.centres()

    def add(self, batch: Batch) -> None:
        """Give the cells whose centre lies in a patch the patch's class."""
        rows, columns = _window(GRID, shapely.total_bounds(batch.polygons))
        points = shapely.points(self._lon[rows, columns].ravel(), self._lat[rows, columns].ravel())
        which, patch = shapely.STRtree(batch.polygons).query(points, predicate="intersects")
        part = self.cover[rows, columns].ravel()
        part[which] = cover_codes(batch.classes)[patch]
        self.cover[rows, columns] = part.reshape(self.cover[rows, columns].shape)


def _window(grid: Grid, bounds: FloatArray) -> tuple[slice, slice]:
    rows, columns = grid.cells(np.array([[bounds[0], bounds[3]], [bounds[2], bounds[1]]]))
    return slice(int(rows[0]), int(rows[1]) + 1), slice(int(columns[0]), int(columns[1]) + 1)


def write_land_cover(path: Path, cover: npt.NDArray[np.uint8]) -> None:
    """Land-cover classes (uint8, NLCD 2011) on the full grid."""
    write_raster(path, cover[None], GRID.transform, COVER_NODATA)


def write_imagery(path: Path, cover: npt.NDArray[np.uint8], fields: Fields, roads: list[Road], seed: int) -> None:
    """A picture in natural colours (3 x uint8), cells half as wide as the full grid's."""
    fine = GRID.finer(PICTURE_FACTOR)
    picture = np.zeros((3, *fine.shape), dtype=np.uint8)
    shade = hillshade(fields.height)
    lanes = fine.mask([])
    for rank, width in ((TRUNK, 16.0), (SECONDARY, 12.0), (TERTIARY, 8.0)):
        lanes |= fine.mask([shapely.buffer(r.line, width / METRES_Y, quad_segs=1) for r in roads if r.rank == rank])
    grain = Noise(seed, "grain", width=0.0024, octaves=3, gain=0.7)
    for top in range(0, fine.rows, 216):
        part = slice(top, min(top + 216, fine.rows))
        picture[:, part] = _paint(fine, part, cover, fields, (shade, lanes, grain))
    write_raster(path, picture, fine.transform, None)


def _paint(
    fine: Grid,
    part: slice,
    cover: npt.NDArray[np.uint8],
    fields: Fields,
    looks: tuple[FloatArray, npt.NDArray[np.bool_], Noise],
) -> npt.NDArray[np.uint8]:
    shade, lanes, grain = looks
    lon = fine.west + (np.arange(fine.columns) + 0.5) * fine.cell
    lat = fine.north - (np.arange(part.start, part.stop) + 0.5) * fine.cell
    x, y = (a.ravel() for a in np.meshgrid(lon, lat))
    points = np.column_stack([x, y])
    noise = grain(x, y)
    wobble = points + np.column_stack([noise, grain(x + 0.5, y)]) * GRID.cell * 0.7
    classes = np.asarray(GRID.nearest(cover, wobble), dtype=np.int64)
    colours = _palette()[classes] * (1.0 + 0.13 * noise)[:, None]
    fields_look = (classes == FIELD_CLASS)[:, None] * (grain(x * 0.35, y * 0.35) * 26.0)[:, None] * [1.0, 0.6, 0.3]
    colours = colours + fields_look
    light = (0.45 + 0.75 * GRID.bilinear(shade, points))[:, None]
    colours = colours * light
    colours[lanes[part].ravel()] = (196, 190, 176)
    wet = (GRID.bilinear(fields.off_river, points) < 0) & (
        np.asarray(GRID.nearest(fields.drained, points), dtype=np.float64) > GREAT_RIVER
    )
    wet |= np.asarray(GRID.nearest(fields.pool, points), dtype=bool)
    colours[wet] = np.array(WATER_COLOUR) * (1.0 + 0.05 * noise[wet])[:, None]
    bands = np.clip(colours, 1, 255).T.reshape(3, part.stop - part.start, fine.columns)
    return np.asarray(bands, dtype=np.uint8)


def _palette() -> FloatArray:
    palette = np.tile(np.array(OUTSIDE_COLOUR, dtype=np.float64), (256, 1))
    for code, colour in COLOURS.items():
        palette[code] = colour
    return palette
