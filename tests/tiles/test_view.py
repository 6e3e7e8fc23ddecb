"""What a request may ask of a raster: the pixels against numpy, and everything that is refused."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from layers.asset import Asset
from layers.errors import BadParameter
from tests.support.rasters import CLASSED, COVER, decoded, grid, raster_layer, write_tif
from tiles.colours import colour_map, colour_map_names
from tiles.grid import bounds_mercator
from tiles.image import ImageFormat, Picture, encode
from tiles.raster import RasterTiles
from tiles.view import Wish, plain_view, view_of

NAMES = ("red", "green", "blue", "nir")
SENSOR = raster_layer(
    bands=[{"name": n, "nodata": 0, "range": [0, 10_000]} for n in NAMES],
    style={"rgb": [1, 2, 3], "stretch": [0, 4000]},
)
HEIGHTS = raster_layer(bands=[{"name": "height", "vertical_datum": "EPSG:5737"}, {"name": "count"}])
COVERED = raster_layer("cover", **CLASSED)
TILE = (13, 3124, 6490)
pytestmark = pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> tuple[Asset, npt.NDArray[np.uint16]]:
    """Four bands whose cells are the pixels of TILE, with an empty corner."""
    west, _south, east, north = bounds_mercator(*TILE)
    step = (east - west) / 256
    cells = np.random.default_rng(11).integers(1, 9000, (4, 256, 256)).astype("uint16")
    cells[:, :64, :64] = 0
    file = write_tif(tmp_path_factory.mktemp("scene") / "a.tif", cells, grid(west, north, step), "EPSG:3857", nodata=0)
    return Asset(file, (-180, -85, 180, 85), "EPSG:3857"), cells


def drawn(scene: tuple[Asset, npt.NDArray[np.uint16]], **wish: str) -> npt.NDArray[np.uint8]:
    view = view_of(SENSOR, Wish(**wish))
    return decoded(RasterTiles([scene[0]], SENSOR, {}, "png", view=view).tile(*TILE))


def stretched(values: npt.NDArray[Any], low: float, high: float) -> npt.NDArray[np.uint8]:
    return np.rint(np.clip((values - low) / (high - low), 0, 1) * 255).astype(np.uint8)


def test_three_bands_over_a_range_each(scene: tuple[Asset, npt.NDArray[np.uint16]]) -> None:
    pixels = drawn(scene, bands="nir,3,red", rescale="0,8000,500,3000,0,255")
    cells = scene[1].astype(float)
    expected = np.stack([stretched(cells[b], *r) for b, r in ((3, (0, 8000)), (2, (500, 3000)), (0, (0, 255)))])
    there = np.ones((256, 256), dtype=bool)
    there[:64, :64] = False
    assert ((pixels[3] == 255) == there).all()
    assert (pixels[:3, there] == expected[:, there]).all()


def test_an_index_in_a_named_colour_map(scene: tuple[Asset, npt.NDArray[np.uint16]]) -> None:
    pixels = drawn(scene, expression="(nir - red) / (nir + red)", rescale="-1,1", colormap="viridis")
    red, nir = scene[1][0].astype(float), scene[1][3].astype(float)
    with np.errstate(invalid="ignore"):
        index = (nir - red) / (nir + red)
    there = np.isfinite(index)
    assert ((pixels[3] == 255) == there).all()
    step = np.rint((index[there] + 1) / 2 * 255).astype(int)
    assert (colour_map("viridis")[step] == pixels[:3, there].T).all()
    # viridis begins in violet and ends in yellow (van der Walt and Smith, 2015).
    assert colour_map("viridis")[0].tolist() == pytest.approx([68, 1, 84], abs=1)
    assert colour_map("viridis")[255].tolist() == pytest.approx([253, 231, 36], abs=1)


def test_what_cannot_be_computed_is_transparent(scene: tuple[Asset, npt.NDArray[np.uint16]]) -> None:
    pixels = drawn(scene, expression="1 / (red > 4000)", rescale="0,1")
    there = scene[1][0] > 4000
    assert ((pixels[3] == 255) == there).all()


def test_three_formulas_are_red_green_and_blue(scene: tuple[Asset, npt.NDArray[np.uint16]]) -> None:
    pixels = drawn(scene, expression="red / 2; max(green, blue); nir", rescale="0,9000")
    cells = scene[1].astype(float)
    expected = np.stack([stretched(v, 0, 9000) for v in (cells[0] / 2, np.maximum(cells[1], cells[2]), cells[3])])
    assert (pixels[:3, 64:] == expected[:, 64:]).all()


def test_one_band_takes_the_ramp_or_grey(scene: tuple[Asset, npt.NDArray[np.uint16]]) -> None:
    pixels = drawn(scene, bands="4", rescale="0,9000")
    assert (pixels[:3, 64:] == stretched(scene[1][3, 64:].astype(float), 0, 9000)).all()


def test_512_pixels_show_the_same_ground(scene: tuple[Asset, npt.NDArray[np.uint16]]) -> None:
    small, large = drawn(scene, bands="1", rescale="0,9000"), drawn(scene, bands="1", rescale="0,9000", size="512")
    assert large.shape == (4, 512, 512)
    # Where cells are level over two pixels, means stay what they are: compare the means of four with the one.
    means = large[0].astype(float).reshape(256, 2, 256, 2).mean(axis=(1, 3))
    assert np.corrcoef(means[70:250, 70:250].ravel(), small[0][70:250, 70:250].ravel().astype(float))[0, 1] > 0.9


def test_colours_by_range_are_a_classed_legend(tmp_path: Path) -> None:
    layer = raster_layer(style={"stops": [[0, "#102030"], [10, "#405060"], [100, "#708090"]]})
    west, _south, east, north = bounds_mercator(*TILE)
    cells = np.resize(np.array([-5, 0, 9.99, 10, 99, 100, 1e6], dtype="float32"), (256, 256))
    file = write_tif(tmp_path / "a.tif", cells, grid(west, north, (east - west) / 256), "EPSG:3857", nodata=-9999)
    pixels = decoded(RasterTiles([Asset(file, (-180, -85, 180, 85), "EPSG:3857")], layer, {}).tile(*TILE))
    expected = {-5: "9a9a9a", 0: "102030", 9.99: "102030", 10: "405060", 99: "405060", 100: "708090", 1e6: "708090"}
    for value, colour in expected.items():
        here = cells == np.float32(value)
        assert {bytes(c).hex() for c in pixels[:3, here].T} == {colour}


@pytest.mark.parametrize(
    ("wish", "named"),
    [
        ({"bands": "red,green"}, "bands"),
        ({"bands": "5"}, "bands"),
        ({"bands": "0"}, "bands"),
        ({"bands": "-1"}, "bands"),
        ({"bands": "1.0"}, "bands"),
        ({"bands": "purple"}, "bands"),
        ({"bands": ""}, "bands"),
        ({"bands": ",".join(["1"] * 5000)}, "bands"),
        ({"bands": "1", "expression": "red"}, "bands"),
        ({"expression": "red"}, "rescale"),
        ({"expression": "red;nir", "rescale": "0,1"}, "expression"),
        ({"expression": "open('x')", "rescale": "0,1"}, "expression"),
        ({"rescale": "nan,1"}, "rescale"),
        ({"rescale": "0,inf"}, "rescale"),
        ({"rescale": "-1e308,1e308"}, "rescale"),
        ({"rescale": "1e999,2e999"}, "rescale"),
        ({"rescale": "5,5"}, "rescale"),
        ({"rescale": "9,1"}, "rescale"),
        ({"rescale": "1"}, "rescale"),
        ({"rescale": "0,1,2,3"}, "rescale"),
        ({"rescale": "0x1,2"}, "rescale"),
        ({"rescale": "0,1," * 100_000}, "rescale"),
        ({"rescale": "0,1", "bands": "1", "colormap": "no_such_map"}, "colormap"),
        ({"bands": "1", "colormap": "../../etc/passwd"}, "colormap"),
        ({"colormap": "viridis"}, "colormap"),
        ({"size": "1000000"}, "size"),
        ({"size": "0"}, "size"),
        ({"size": "256.0"}, "size"),
        ({"algorithm": "hillshade"}, "algorithm"),
        ({"algorithm": "x" * 5000}, "algorithm"),
        ({"azimuth": "90"}, "azimuth"),
    ],
)
def test_a_wish_that_cannot_be_met_is_refused_at_once(wish: dict[str, str], named: str) -> None:
    started = time.perf_counter()
    with pytest.raises(BadParameter) as caught:
        view_of(SENSOR, Wish(**wish))
    assert time.perf_counter() - started < 0.2
    assert caught.value.facts["parameter"] == named
    assert len(caught.value.detail) < 400


@pytest.mark.parametrize(
    ("wish", "named"),
    [
        ({"algorithm": "aspect"}, "algorithm"),
        ({"algorithm": "hillshade", "azimuth": "361"}, "azimuth"),
        ({"algorithm": "hillshade", "azimuth": "nan"}, "azimuth"),
        ({"algorithm": "hillshade", "altitude": "-1"}, "altitude"),
        ({"algorithm": "hillshade", "exaggeration": "1e9"}, "exaggeration"),
        ({"algorithm": "hillshade", "rescale": "0,1"}, "rescale"),
        ({"algorithm": "hillshade", "colormap": "viridis"}, "colormap"),
        ({"algorithm": "hillshade", "bands": "count"}, "bands"),
        ({"algorithm": "hillshade", "expression": "height"}, "expression"),
        ({"algorithm": "slope", "azimuth": "90"}, "azimuth"),
        ({"algorithm": "terrarium", "exaggeration": "2"}, "exaggeration"),
        ({"algorithm": "hillshade", "opaque": "true"}, "opaque"),
        ({"algorithm": "terrainrgb", "opaque": "1"}, "opaque"),
        ({"bands": "height", "opaque": "true"}, "opaque"),
        ({"bands": "count"}, ""),
    ],
)
def test_wishes_about_heights(wish: dict[str, str], named: str) -> None:
    if not named:
        assert view_of(HEIGHTS, Wish(**wish)).bands == (2,)
        return
    with pytest.raises(BadParameter) as caught:
        view_of(HEIGHTS, Wish(**wish))
    assert caught.value.facts["parameter"] == named


def test_heights_in_colours_do_not_survive_jpeg(scene: tuple[Asset, npt.NDArray[np.uint16]]) -> None:
    view = view_of(HEIGHTS, Wish(algorithm="terrainrgb"))
    with pytest.raises(BadParameter, match="JPEG"):
        RasterTiles([scene[0]], HEIGHTS, {}, "jpeg", view=view).tile(*TILE)


def test_no_wish_is_the_style_of_the_layer() -> None:
    for layer in (SENSOR, HEIGHTS, COVERED):
        assert view_of(layer, Wish()) == plain_view(layer)
    assert view_of(COVERED, Wish(bands="class")) == plain_view(COVERED)
    assert COVER.id in COVERED.style.codelists()


def test_every_colour_map_has_256_colours() -> None:
    assert len(colour_map_names()) > 200
    assert all(colour_map(name).shape == (256, 3) for name in colour_map_names())


class TestPng:
    """The encoder against another program's decoder."""

    @pytest.mark.parametrize("case", ["ramp", "full palette and holes", "colour", "colour and holes"])
    def test_gdal_of_the_system_reads_what_was_written(self, tmp_path: Path, case: str) -> None:
        random = np.random.default_rng(3)
        valid = np.ones((64, 64), dtype=bool)
        if "holes" in case:
            valid[10:20, 5:60] = False
        palette = random.integers(0, 256, (256, 3)).astype(np.uint8)
        index = random.integers(0, 200 if case == "ramp" else 256, (64, 64)).astype(np.uint8)
        if "palette" in case or case == "ramp":
            index.ravel()[:256] = index.ravel()[:256] if case == "ramp" else np.arange(256)
            picture = Picture(valid, index, palette)
        else:
            picture = Picture(valid, random.integers(0, 256, (3, 64, 64)).astype(np.uint8))
        (tmp_path / "a.png").write_bytes(encode(picture, "png"))
        expand = ["-expand", "rgba"] if case == "ramp" else []
        command = ["gdal_translate", "-q", "-of", "ENVI", "-co", "INTERLEAVE=BSQ", *expand, "a.png", "a.img"]
        subprocess.run(command, check=True, cwd=tmp_path, capture_output=True)
        raw = np.frombuffer((tmp_path / "a.img").read_bytes(), dtype=np.uint8).reshape(-1, 64, 64)
        assert (raw[:3][:, valid] == picture.pixels[:, valid]).all()
        if "holes" in case:
            assert ((raw[3] == 255) == valid).all()


@pytest.mark.parametrize(("fmt", "exact", "off"), [("webp", True, 0), ("webp", False, 6), ("jpeg", False, 4)])
def test_other_formats_are_read_by_gdal_of_the_system(tmp_path: Path, fmt: ImageFormat, exact: bool, off: int) -> None:
    y, x = np.mgrid[0:64, 0:64]
    pixels = np.stack([2 * x + 60, 2 * y + 60, x + y + 60]).astype(np.uint8)
    valid = (x < 48) | (y < 48)
    (tmp_path / "a").write_bytes(encode(Picture(valid, pixels, exact=exact), fmt))
    command = ["gdal_translate", "-q", "-of", "ENVI", "-co", "INTERLEAVE=BSQ", "a", "a.img"]
    subprocess.run(command, check=True, cwd=tmp_path, capture_output=True)
    raw = np.frombuffer((tmp_path / "a.img").read_bytes(), dtype=np.uint8).reshape(-1, 64, 64)
    inner = (x < 40) | (y < 40)
    assert np.abs(raw[:3].astype(int) - pixels)[:, inner].mean() <= off
    if fmt == "webp":
        assert ((raw[3] == 255) == valid).all()
    else:
        assert len(raw) == 3
        # White paper, but for the blur of JPEG along the rim.
        assert (raw[:, 56:, 56:] >= 250).all()
