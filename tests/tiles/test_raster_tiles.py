"""Raster tiles: every pixel checked is computed a second time, by formula and not by GDAL's warper."""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import morecantile
import numpy as np
import numpy.typing as npt
import pyproj
import pytest
import rasterio
from affine import Affine

from ingest.raster_facts import cog_name, read_facts
from ingest.readers.raster import convert
from layers.asset import Asset
from layers.errors import AssetUnavailable, DefinitionError
from layers.model import RasterLayer
from layers.style import RAMPS
from tests.support.rasters import (
    CLASSED,
    COLOURED,
    COVER,
    PEOPLE,
    decoded,
    grid,
    ramp_of_numbers,
    raster_layer,
    raster_plan,
    write_tif,
)
from tiles.grid import bounds_mercator
from tiles.raster import RasterTiles, point_value, render
from tiles.source import TileSource

HALF = math.pi * 6378137.0
RELIEF = raster_layer(style={"ramp": "terrain", "stretch": [0, 1000]})
COVERED = raster_layer("cover", **CLASSED)
LISTS = {COVER.id: COVER}
pytestmark = pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")


def cog(directory: Path, layer: RasterLayer, cells: npt.NDArray[Any], *where: Any, **profile: Any) -> Asset:
    """An asset made as a load makes it."""
    directory.mkdir(exist_ok=True)
    file = write_tif(directory / "source.tif", cells, *where, **profile)
    facts = read_facts(convert(raster_plan(layer, file), file, directory).facts)
    return Asset(directory / cog_name(0), facts.outline.bounds, facts.crs)


def pixel_places(z: int, row: int, col: int, size: int = 256) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """Longitude and latitude of the pixel centres of a tile, by the formula of the spherical Mercator."""
    step = 2 * HALF / 2**z / size
    x = -HALF + 2 * HALF / 2**z * col + (np.arange(size) + 0.5) * step
    y = HALF - 2 * HALF / 2**z * row - (np.arange(size) + 0.5) * step
    lon, lat = np.degrees(x / 6378137.0), np.degrees(np.arctan(np.sinh(y / 6378137.0)))
    return np.meshgrid(lon, lat)


def tile_at(lon: float, lat: float, z: int) -> tuple[int, int, int]:
    tile = morecantile.tms.get("WebMercatorQuad").tile(lon, lat, z)
    return z, tile.y, tile.x


def ramp(name: str, share: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Colour of a ramp by linear interpolation, computed apart from the product."""
    anchors = np.array([[int(c[i : i + 2], 16) for i in (1, 3, 5)] for c in RAMPS[name]])
    places = np.linspace(0, 1, len(anchors))
    return np.stack([np.interp(share, places, anchors[:, band]) for band in range(3)])


def hill(lon: npt.NDArray[Any], lat: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """A smooth surface between 0 and 1000."""
    return 500 + 400 * np.sin((lon - 100) * 9) * np.cos((lat - 39) * 7)


def centres(transform: Affine, rows: int, columns: int) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    x = transform.c + (np.arange(columns) + 0.5) * transform.a
    y = transform.f + (np.arange(rows) + 0.5) * transform.e
    return np.meshgrid(x, y)


@pytest.mark.parametrize("z", [8, 10, 12])
def test_a_ramp_in_longitude_and_latitude(tmp_path: Path, z: int) -> None:
    place = grid(100, 40, 0.002)
    asset = cog(tmp_path, RELIEF, hill(*centres(place, 600, 600)).astype("float32"), place)
    address = tile_at(100.62, 39.41, z)
    pixels = decoded(render([asset], RELIEF, LISTS, *address))
    lon, lat = pixel_places(*address)
    inside = (lon > 100.01) & (lon < 101.19) & (lat > 38.81) & (lat < 39.99)
    outside = (lon < 99.99) | (lon > 101.21) | (lat < 38.79) | (lat > 40.01)
    expected = ramp("terrain", hill(lon, lat) / 1000)
    assert inside.sum() > 500
    assert (pixels[3][inside] == 255).all()
    assert (pixels[3][outside] == 0).all()
    # At z 8 a pixel spans three cells, whose mean lies a little off the surface.
    difference = np.abs(pixels[:3].astype(float) - expected)[:, inside]
    assert difference.max() <= (8 if z == 8 else 4)
    assert difference.mean() < 1


@pytest.mark.parametrize("crs", ["EPSG:4549", "EPSG:32649"])
def test_a_ramp_in_a_projection(tmp_path: Path, crs: str) -> None:
    transformer = pyproj.Transformer.from_crs(crs, "EPSG:4326", always_xy=True)
    x0, y0 = transformer.transform(112.0, 39.6, direction="INVERSE")
    place = grid(x0, y0, 100)
    lon, lat = transformer.transform(*centres(place, 500, 500))
    asset = cog(tmp_path, RELIEF, hill(lon, lat).astype("float32"), place, crs)
    address = tile_at(112.3, 39.4, 11)
    pixels = decoded(render([asset], RELIEF, LISTS, *address))
    there = pixels[3] > 0
    expected = ramp("terrain", hill(*pixel_places(*address)) / 1000)
    assert there.mean() > 0.9
    assert np.abs(pixels[:3].astype(float) - expected)[:, there].max() <= 4


def test_classes_keep_their_exact_colours(tmp_path: Path) -> None:
    place = grid(100, 40, 0.05)
    cells = np.random.default_rng(2).choice([1, 2, 3, 255], (20, 20)).astype("uint8")
    asset = cog(tmp_path, COVERED, cells, place, nodata=255)
    address = tile_at(100.5, 39.5, 9)
    pixels = decoded(render([asset], COVERED, LISTS, *address))
    lon, lat = pixel_places(*address)
    column, row = (lon - 100) / 0.05, (40 - lat) / 0.05
    well_inside = (np.abs(column % 1 - 0.5) < 0.4) & (np.abs(row % 1 - 0.5) < 0.4)
    well_inside &= (column > 0) & (column < 20) & (row > 0) & (row < 20)
    found = cells[np.clip(row, 0, 19).astype(int), np.clip(column, 0, 19).astype(int)]
    for value, colour in {1: (0, 0, 255), 2: (0, 128, 0), 3: (255, 215, 0)}.items():
        here = well_inside & (found == value)
        assert here.any()
        assert ((*colour, 255) == pixels[:, here].T).all()
    assert (pixels[3][well_inside & (found == 255)] == 0).all()
    assert {tuple(c) for c in pixels.reshape(4, -1).T.tolist()} <= {
        (0, 0, 255, 255),
        (0, 128, 0, 255),
        (255, 215, 0, 255),
        (0, 0, 0, 0),
    }


def test_a_class_that_the_list_does_not_know_is_grey(tmp_path: Path) -> None:
    asset = cog(tmp_path, COVERED, np.full((50, 50), 77, dtype="uint8"))
    pixels = decoded(render([asset], COVERED, LISTS, *tile_at(100.25, 39.75, 12)))
    assert {tuple(c) for c in pixels.reshape(4, -1).T.tolist()} == {(0x9A, 0x9A, 0x9A, 255)}


def test_a_class_style_without_its_list_is_an_error_of_definition(tmp_path: Path) -> None:
    asset = cog(tmp_path, COVERED, np.full((50, 50), 1, dtype="uint8"))
    with pytest.raises(DefinitionError, match="cover@1"):
        render([asset], COVERED, {}, *tile_at(100.25, 39.75, 12))


def test_true_colour_is_transparent_only_where_all_bands_are_empty(tmp_path: Path) -> None:
    layer = raster_layer(**COLOURED)
    cells = np.zeros((3, 40, 40), dtype="uint8")
    cells[:, :, 20:] = np.array([200, 0, 30], dtype="uint8")[:, None, None]
    asset = cog(tmp_path, layer, cells)
    address = tile_at(100.2, 39.8, 10)
    pixels = decoded(render([asset], layer, LISTS, *address))
    lon, lat = pixel_places(*address)
    level = (lat > 39.62) & (lat < 39.98)
    drawn = pixels[:, level & (lon > 100.22) & (lon < 100.38)].T.astype(int)
    # GDAL moves a valid 0 beside the no-data value 0 to 1.
    assert (np.abs(drawn - (200, 0, 30, 255)) <= (0, 1, 0, 0)).all()
    assert (pixels[3][level & (lon > 100.02) & (lon < 100.18)] == 0).all()


def test_a_stretch_of_sixteen_bits(tmp_path: Path) -> None:
    layer = raster_layer(**{**COLOURED, "style": {"rgb": [1, 2, 3], "stretch": [1000, 3000]}})
    cells = np.stack([np.full((40, 40), v, dtype="uint16") for v in (500, 2000, 9000)])
    asset = cog(tmp_path, layer, cells)
    pixels = decoded(render([asset], layer, LISTS, *tile_at(100.2, 39.8, 14)))
    assert {tuple(c) for c in pixels.reshape(4, -1).T.tolist()} == {(0, 128, 255, 255)}


class TestMosaic:
    """Several assets in one tile."""

    def test_the_newest_lies_on_top_and_holes_show_what_is_below(self, tmp_path: Path) -> None:
        layer = raster_layer(style={"ramp": "grey", "stretch": [0, 255]})
        old = cog(tmp_path / "old", layer, np.full((100, 100), 50, dtype="float32"))
        cells = np.full((100, 50), 200, dtype="float32")
        cells[40:60] = -9999
        new = cog(tmp_path / "new", layer, cells)
        address = tile_at(100.5, 39.5, 9)
        lon, lat = pixel_places(*address)
        pixels = decoded(render([new, old], layer, LISTS, *address))[0]
        left = (lon > 100.02) & (lon < 100.48)
        right = (lon > 100.52) & (lon < 100.98)
        hole = (lat > 39.43) & (lat < 39.57)
        above = (lat > 39.63) & (lat < 39.98)
        assert (pixels[left & above] == 200).all()
        assert (pixels[left & hole] == 50).all()
        assert (pixels[right & (above | hole)] == 50).all()
        assert (decoded(render([old, new], layer, LISTS, *address))[0][left & above] == 50).all()

    def test_types_and_crs_may_differ(self, tmp_path: Path) -> None:
        layer = raster_layer(style={"ramp": "grey", "stretch": [0, 255]})
        west = cog(tmp_path / "w", layer, np.full((100, 100), 60, dtype="int16"))
        transformer = pyproj.Transformer.from_crs("EPSG:4326", "EPSG:32647", always_xy=True)
        x0, y0 = transformer.transform(101.05, 40.0)
        east = cog(tmp_path / "e", layer, np.full((100, 100), 90, dtype="float64"), grid(x0, y0, 1000), "EPSG:32647")
        pixels = decoded(render([west, east], layer, LISTS, *tile_at(101.0, 39.5, 7)))
        assert set(pixels[0][pixels[3] > 0].tolist()) == {60, 90}

    def test_what_does_not_meet_the_tile_is_not_opened(self, tmp_path: Path) -> None:
        layer = raster_layer()
        here = cog(tmp_path / "here", layer, ramp_of_numbers(10, 10))
        gone = Asset(tmp_path / "gone.tif", (10, 10, 11, 11), "EPSG:4490")
        address = tile_at(100.05, 39.95, 12)
        assert render([gone, here], layer, LISTS, *address) == render([here], layer, LISTS, *address)


@pytest.mark.parametrize("z", [6, 8, 10, 12])
def test_a_count_per_cell_has_the_same_colour_at_every_zoom(tmp_path: Path, z: int) -> None:
    layer = raster_layer(**PEOPLE)
    asset = cog(tmp_path, layer, np.full((512, 512), 4, dtype="float32"), grid(100, 40, 0.004))
    pixels = decoded(render([asset], layer, LISTS, *tile_at(101, 39, z)))
    # 4 of 10 on a ramp from black to white.
    assert set(pixels[0][pixels[3] > 0].tolist()) == {102}


def test_a_raster_across_180_degrees_is_drawn_on_both_sides(tmp_path: Path) -> None:
    layer = raster_layer(style={"ramp": "grey", "stretch": [0, 255]})
    asset = cog(
        tmp_path, layer, np.full((100, 200), 70, dtype="float32"), grid(-1_000_000, 5_500_000, 10_000), "EPSG:3832"
    )
    # PDC Mercator is centred on 150 E; move the grid so that it lies around 180.
    assert asset.bounds[2] < 180
    asset = cog(
        tmp_path, layer, np.full((100, 200), 70, dtype="float32"), grid(2_500_000, 5_500_000, 10_000), "EPSG:3832"
    )
    assert (asset.bounds[0], asset.bounds[2]) == (-180.0, 180.0)
    for lon in (179.0, -179.0):
        pixels = decoded(render([asset], layer, LISTS, *tile_at(lon, 41, 6)))
        assert pixels[0].max() == 70
        assert point_value([asset], lon, 41.0) is not None


class TestFormats:
    """Image formats and sizes."""

    @pytest.fixture
    def asset(self, tmp_path: Path) -> Asset:
        return cog(tmp_path, COVERED, np.full((50, 50), 3, dtype="uint8"), grid(100, 40, 0.01))

    def test_magic_numbers_and_sizes(self, asset: Asset) -> None:
        address = tile_at(100.25, 39.75, 8)
        for fmt, magic in (("png", b"\x89PNG"), ("webp", b"RIFF"), ("jpeg", b"\xff\xd8\xff")):
            for size in (256, 512):
                image = RasterTiles([asset], COVERED, LISTS, fmt, size).tile(*address)  # type: ignore[arg-type]
                assert image.startswith(magic)
                assert decoded(image).shape[1:] == (size, size)

    def test_webp_of_classes_is_exact(self, asset: Asset) -> None:
        pixels = decoded(render([asset], COVERED, LISTS, *tile_at(100.25, 39.75, 8), "webp"))
        there = pixels[3] > 0
        assert there.any()
        assert (pixels[:3, there].T == (255, 215, 0)).all()

    def test_jpeg_shows_paper_where_nothing_is(self, asset: Asset) -> None:
        pixels = decoded(render([asset], COVERED, LISTS, *tile_at(100.25, 39.75, 5), "jpeg"))
        assert len(pixels) == 3
        assert (pixels[:, 0, 0] >= 253).all()

    def test_an_empty_tile_is_an_image(self, asset: Asset) -> None:
        pixels = decoded(render([asset], COVERED, LISTS, *tile_at(-60, -30, 6)))
        assert pixels.shape == (4, 256, 256)
        assert not pixels.any()
        assert decoded(render([], COVERED, LISTS, 0, 0, 0)).shape == (4, 256, 256)

    def test_the_source_tells_what_it_has(self, asset: Asset) -> None:
        source: TileSource = RasterTiles([asset], COVERED, LISTS)
        info = source.info()
        assert (info.name, info.media_type, info.min_zoom, info.max_zoom) == ("cover", "image/png", 0, 14)
        assert info.bounds == pytest.approx((100.0, 39.5, 100.5, 40.0))
        assert RasterTiles([], COVERED, LISTS).info().bounds is None


class TestStore:
    """Files that are missing or damaged."""

    def test_a_missing_file(self, tmp_path: Path) -> None:
        gone = Asset(tmp_path / "gone.tif", (100, 39, 101, 40), "EPSG:4490")
        with pytest.raises(AssetUnavailable, match=r"gone\.tif is missing or damaged") as caught:
            render([gone], RELIEF, LISTS, *tile_at(100.5, 39.5, 9))
        assert str(tmp_path) not in caught.value.detail
        with pytest.raises(AssetUnavailable):
            point_value([gone], 100.5, 39.5)

    def test_a_file_that_was_cut_off(self, tmp_path: Path) -> None:
        noise = np.random.default_rng(0).random((600, 600)).astype("float32")
        asset = cog(tmp_path, RELIEF, noise, grid(100, 40, 0.002))
        with asset.path.open("r+b") as handle:
            handle.truncate(asset.path.stat().st_size // 3)
        with pytest.raises(AssetUnavailable):
            render([asset], RELIEF, LISTS, *tile_at(100.6, 39.4, 13))

    def test_another_format_under_the_name(self, tmp_path: Path) -> None:
        fake = Asset(tmp_path / "fake.tif", (100, 39, 101, 40), "EPSG:4490")
        fake.path.write_text("<VRTDataset rasterXSize='1' rasterYSize='1'></VRTDataset>")
        with pytest.raises(AssetUnavailable):
            render([fake], RELIEF, LISTS, *tile_at(100.5, 39.5, 9))


def test_many_threads_draw_the_same(tmp_path: Path) -> None:
    place = grid(100, 40, 0.002)
    asset = cog(tmp_path, RELIEF, hill(*centres(place, 600, 600)).astype("float32"), place)
    addresses = [tile_at(100 + i / 10, 39.9 - j / 10, z) for i in range(4) for j in range(4) for z in (9, 11)]
    alone = [render([asset], RELIEF, LISTS, *a) for a in addresses]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda a: render([asset], RELIEF, LISTS, *a), addresses * 3))
    assert together == alone * 3


def test_4490_is_drawn_like_4326(tmp_path: Path) -> None:
    place = grid(100, 40, 0.002)
    cells = hill(*centres(place, 300, 300)).astype("float32")
    ours = cog(tmp_path / "a", RELIEF, cells, place, "EPSG:4490")
    theirs = cog(tmp_path / "b", RELIEF, cells, place, "EPSG:4326")
    address = tile_at(100.3, 39.7, 11)
    assert render([ours], RELIEF, LISTS, *address) == render([theirs], RELIEF, LISTS, *address)


class TestPointValue:
    """The cell at a place."""

    def test_against_a_direct_read(self, tmp_path: Path) -> None:
        cells = np.random.default_rng(4).random((50, 50)).astype("float32")
        asset = cog(tmp_path, RELIEF, cells)
        with rasterio.open(asset.path) as dataset:
            for lon, lat in np.random.default_rng(5).uniform((100.0, 39.5), (100.5, 40.0), (40, 2)).tolist():
                found = point_value([asset], lon, lat)
                assert found is not None
                assert found.asset is asset
                assert found.values == pytest.approx(next(dataset.sample([(lon, lat)])).tolist())

    def test_empty_cells_fall_through_to_the_asset_below(self, tmp_path: Path) -> None:
        below = cog(tmp_path / "b", RELIEF, np.full((10, 10), 5, dtype="float32"))
        cells = np.full((10, 10), 6, dtype="float32")
        cells[0, 0] = -9999
        above = cog(tmp_path / "a", RELIEF, cells)
        found = [point_value([above, below], lon, 39.995) for lon in (100.005, 100.015)]
        assert [f.values if f else None for f in found] == [(5.0,), (6.0,)]

    def test_nothing_there(self, tmp_path: Path) -> None:
        asset = cog(tmp_path, RELIEF, ramp_of_numbers(10, 10))
        assert point_value([asset], 99.999, 39.95) is None
        assert point_value([asset], -179.0, -80.0) is None
        assert point_value([], 100.05, 39.95) is None


def test_bounds_of_the_tile_meet_its_neighbour() -> None:
    assert bounds_mercator(5, 10, 20)[2] == pytest.approx(bounds_mercator(5, 10, 21)[0])
