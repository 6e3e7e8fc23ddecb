"""Shade, slope and packed heights against gdaldem, the formulas of the two encodings, and planes of known slope."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyproj
import pytest
import rasterio

from ingest.raster_facts import cog_name, read_facts
from ingest.readers.raster import convert
from layers.asset import Asset
from tests.support.rasters import decoded, grid, raster_layer, raster_plan, write_tif
from tiles.frame import FLATTENING, RADIUS, Frame, latitude, longitude
from tiles.grid import bounds_mercator, web_mercator
from tiles.image import encode
from tiles.raster import RasterTiles, picture
from tiles.relief import Light, gradient, hillshade, slope
from tiles.view import Wish, view_of

HEIGHTS = raster_layer(
    bands=[{"name": "height", "unit": "m", "nodata": -9999, "vertical_datum": "EPSG:5737"}],
    style={"ramp": "terrain", "stretch": [0, 3000]},
)
TILE = (12, 1562, 3245)
needs_gdal = pytest.mark.skipif(shutil.which("gdaldem") is None, reason="gdaldem is not installed")
pytestmark = pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")


def hills(rows: int, columns: int) -> npt.NDArray[np.float32]:
    y, x = np.mgrid[0:rows, 0:columns].astype(float)
    waves = 900 * np.sin(x / 31) * np.cos(y / 23) + 200 * np.sin(x / 7 + y / 11) + 40 * np.cos(y / 3)
    return (1500 + waves).astype("float32")


def on_the_tile(folder: Path, cells: npt.NDArray[Any], margin: int = 4, **profile: Any) -> Asset:
    """A raster in Web Mercator whose cells are the pixels of TILE, with a margin around."""
    west, _, east, north = bounds_mercator(*TILE)
    step = (east - west) / 256
    place = grid(west - margin * step, north + margin * step, step)
    file = write_tif(folder / "heights.tif", cells, place, "EPSG:3857", nodata=-9999, **profile)
    with rasterio.open(file) as dataset:
        box = dataset.bounds
    lon, lat = longitude(np.array([box.left, box.right])), latitude(np.array([box.bottom, box.top]))
    return Asset(file, (float(lon[0]), float(lat[0]), float(lon[1]), float(lat[1])), "EPSG:3857")


def gdaldem(mode: str, file: Path, *options: str) -> npt.NDArray[Any]:
    target = file.with_name(f"{mode}.tif")
    command = ["gdaldem", mode, str(file), str(target), "-q", "-compute_edges", *options]
    subprocess.run(command, check=True, capture_output=True)
    with rasterio.open(target) as dataset:
        return np.asarray(dataset.read(1))[4:-4, 4:-4]


def shown(asset: Asset, **wish: str) -> npt.NDArray[np.uint8]:
    view = view_of(HEIGHTS, Wish(**wish))
    return decoded(RasterTiles([asset], HEIGHTS, {}, "png", view=view).tile(*TILE))


def ground_scale() -> float:
    """Metres on the ground per metre of Web Mercator in the middle of TILE, by PROJ's own scale factors."""
    _, south, _, north = bounds_mercator(*TILE)
    lat = float(latitude(np.array([(south + north) / 2]))[0])
    factors = pyproj.Proj("EPSG:3857").get_factors(0.0, lat)
    return float(1 / np.sqrt(factors.meridional_scale * factors.parallel_scale))


@needs_gdal
@pytest.mark.parametrize("light", [{}, {"azimuth": "90", "altitude": "20"}, {"azimuth": "200", "exaggeration": "3"}])
def test_shade_is_that_of_gdaldem(tmp_path: Path, light: dict[str, str]) -> None:
    asset = on_the_tile(tmp_path, hills(264, 264))
    options = ["-s", str(ground_scale()), "-az", light.get("azimuth", "315"), "-alt", light.get("altitude", "45")]
    expected = gdaldem("hillshade", asset.path, *options, "-z", light.get("exaggeration", "1")).astype(int)
    found = shown(asset, algorithm="hillshade", **light)
    assert (found[3] == 255).all()
    assert np.ptp(expected) > 100
    # The scale differs by a thousandth from the upper to the lower rim of the tile, and between x and y by a third of
    # a hundredth, because Web Mercator puts an ellipsoid on a sphere.
    assert np.abs(found[0].astype(int) - expected).max() <= 2
    assert np.abs(found[0].astype(int) - expected).mean() < 0.5


@needs_gdal
def test_slope_is_that_of_gdaldem(tmp_path: Path) -> None:
    asset = on_the_tile(tmp_path, hills(264, 264))
    expected = gdaldem("slope", asset.path, "-s", str(ground_scale()))
    found = shown(asset, algorithm="slope", rescale="0,85", colormap="grey")[0] * (85 / 255)
    assert expected.max() > 40
    # Half a step of the 256 colours, and what the scale differs.
    assert np.abs(found - expected).max() <= 0.5 * 85 / 255 + 0.15


@pytest.mark.parametrize("azimuth", [0.0, 90.0, 180.0, 270.0])
def test_a_plane_that_faces_the_light_is_bright(azimuth: float) -> None:
    frame = Frame(32649, (0, 0, 640, 640), 64, 64)
    towards = np.radians(azimuth)
    x, y = np.meshgrid(*frame.grown(1).centres())
    # Falls by one in one towards the light, so that at 45 degrees it stands square to it.
    heights = -(x * np.sin(towards) + y * np.cos(towards))
    rise = gradient(heights, np.ones_like(heights, dtype=bool), frame)
    assert slope(rise) == pytest.approx(np.full((64, 64), 45.0))
    assert (hillshade(rise, Light(azimuth)) == 255).all()
    assert (hillshade(rise, Light((azimuth + 180) % 360)) == 1).all()


@pytest.mark.parametrize("epsg", [3857, 4490])
@pytest.mark.parametrize("lat", [0.5, 38.0, -70.0])
def test_pixels_on_the_ground_are_those_of_the_ellipsoid(epsg: int, lat: float) -> None:
    to = pyproj.Transformer.from_crs("EPSG:4326", f"EPSG:{epsg}", always_xy=True)
    x, y = to.transform(100.0, lat)
    step = 10.0 if epsg == 3857 else 1e-4
    wide, tall = Frame(epsg, (x, y - step / 2, x + step, y + step / 2), 1, 1).ground()
    back = pyproj.Transformer.from_crs(f"EPSG:{epsg}", "EPSG:4326", always_xy=True)
    geod = pyproj.Geod(a=RADIUS, f=FLATTENING)

    def metres(x1: float, y1: float) -> float:
        return float(geod.inv(*back.transform(x, y), *back.transform(x1, y1))[2])

    assert wide[0] == pytest.approx(metres(x + step, y), rel=1e-4)
    assert tall[0] == pytest.approx((metres(x, y + step) + metres(x, y - step)) / 2, rel=1e-4)


def test_heights_in_colours_come_back_to_a_tenth_and_to_less(tmp_path: Path) -> None:
    cells = hills(264, 264)
    cells[40:60, 50:90] = -9999
    cells[100, 100], cells[101, 101], cells[102, 102] = -430.5, 8848.86, -12_000
    asset = on_the_tile(tmp_path, cells)
    there = cells[4:-4, 4:-4] != -9999
    heights = cells[4:-4, 4:-4].astype(float)
    for kind in ("png", "webp"):
        packed = {
            name: decoded(
                RasterTiles([asset], HEIGHTS, {}, kind, view=view_of(HEIGHTS, Wish(algorithm=name))).tile(*TILE)  # type: ignore[arg-type]
            ).astype(float)
            for name in ("terrainrgb", "terrarium")
        }
        red, green, blue, alpha = packed["terrainrgb"]
        mapbox = -10_000 + (red * 65536 + green * 256 + blue) * 0.1
        assert ((alpha == 255) == there).all()
        low = heights < -10_000
        assert np.abs(mapbox - heights)[there & ~low].max() <= 0.05 + 1e-3
        assert (mapbox[there & low] == -10_000).all()
        red, green, blue, alpha = packed["terrarium"]
        terrarium = red * 256 + green + blue / 256 - 32_768
        assert np.abs(terrarium - heights)[there].max() <= 1 / 512 + 1e-3
        # Readers that do not look at alpha find sea level where nothing is known.
        assert (mapbox[~there] == 0).all()
        assert (terrarium[~there] == 0).all()


@pytest.mark.parametrize("algorithm", ["terrainrgb", "terrarium"])
def test_opaque_heights_survive_a_decoder_that_drops_colours_under_transparency(tmp_path: Path, algorithm: str) -> None:
    cells = hills(264, 264)
    cells[40:60, 50:90] = -9999
    asset = on_the_tile(tmp_path, cells)
    there = cells[4:-4, 4:-4] != -9999

    def read(assets: list[Asset], opaque: str | None) -> npt.NDArray[np.float64]:
        """Heights as a browser reads them: colours are multiplied by alpha before they are looked at."""
        view = view_of(HEIGHTS, Wish(algorithm=algorithm, opaque=opaque))
        bands = decoded(RasterTiles(assets, HEIGHTS, {}, "png", view=view).tile(*TILE)).astype(float)
        alpha = bands[3] / 255 if len(bands) == 4 else np.ones(bands.shape[1:])
        red, green, blue = (band * alpha for band in bands[:3])
        if algorithm == "terrainrgb":
            return np.asarray(-10_000 + (red * 65536 + green * 256 + blue) * 0.1)
        return np.asarray(red * 256 + green + blue / 256 - 32_768)

    found = read([asset], "true")
    assert np.abs(found - cells[4:-4, 4:-4])[there].max() <= 0.06
    assert (found[~there] == 0).all()
    assert (read([], "true") == 0).all()
    # Without it such a decoder falls into a hole.
    assert read([asset], None)[~there].max() <= -10_000
    assert read([], "false").max() <= -10_000


def test_a_hole_is_transparent_and_its_rim_is_not(tmp_path: Path) -> None:
    cells = np.full((264, 264), 100, dtype="float32")
    cells[104:154, 104:154] = -9999
    pixels = shown(on_the_tile(tmp_path, cells), algorithm="hillshade")
    hole = np.zeros((256, 256), dtype=bool)
    hole[100:150, 100:150] = True
    assert ((pixels[3] == 0) == hole).all()
    # Level ground under a light of 45 degrees, also beside the hole: 1 + 254 sin 45.
    assert set(pixels[0][~hole].tolist()) == {181}


def test_shade_goes_on_over_the_border_of_tiles(tmp_path: Path) -> None:
    file = write_tif(tmp_path / "source.tif", hills(900, 900), grid(105, 39, 0.001))
    facts = read_facts(convert(raster_plan(HEIGHTS, file), file, tmp_path).facts)
    asset = Asset(tmp_path / cog_name(0), facts.outline.bounds, facts.crs)
    view = view_of(HEIGHTS, Wish(algorithm="hillshade"))
    west, _, _, north = bounds_mercator(11, 783, 1622)
    _, south, east, _ = bounds_mercator(11, 784, 1623)
    whole = picture([asset], HEIGHTS, {}, Frame(3857, (west, south, east, north), 512, 512), view)
    assert whole is not None
    for row in (0, 1):
        for col in (0, 1):
            frame = Frame.of_place(web_mercator().place(11, 783 + row, 1622 + col), 256)
            part = picture([asset], HEIGHTS, {}, frame, view)
            assert part is not None
            where = slice(256 * row, 256 * row + 256), slice(256 * col, 256 * col + 256)
            assert (part.valid == whole.valid[where]).all()
            assert (part.cells == whole.cells[where])[part.valid].mean() > 0.999
    assert encode(whole, "png").startswith(b"\x89PNG")
