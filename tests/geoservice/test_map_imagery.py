"""Rasters on maps: cells of the renderer's plane, each pixel computed a second time by pyproj and formula."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyproj
import pytest

from geoservice.maps.imagery import cells
from tests.support.rasters import COVER, decoded, grid, raster_layer
from tests.tiles.test_raster_tiles import cog
from tiles.plane import Plane, map_crs

WEST, NORTH, STEP, SIDE = 113.0, 31.0, 0.01, 100
SLOPE = raster_layer(style={"ramp": "grey", "stretch": [0, 255]})
pytestmark = pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
PLANES = {
    "CRS:84": (112.9, 29.9, 114.1, 31.1),
    "EPSG:4490": (112.9, 29.9, 114.1, 31.1),
    "EPSG:3857": (12_568_000, 3_490_000, 12_702_000, 3_645_000),
    "EPSG:4526": (38_395_000, 3_315_000, 38_515_000, 3_440_000),
    "EPSG:4508": (150_000, 3_250_000, 900_000, 3_500_000),
}


def height(lon: np.ndarray, lat: np.ndarray) -> np.ndarray:
    """A slope that rises by 1 per cell to the east and to the north."""
    return (lon - WEST) / STEP + (NORTH - SIDE * STEP - lat) / -STEP


def asset(folder: Path) -> object:
    column, row = np.meshgrid(np.arange(SIDE) + 0.5, np.arange(SIDE) + 0.5)
    values = height(WEST + column * STEP, NORTH - row * STEP).astype("float32")
    return cog(folder, SLOPE, values, grid(WEST, NORTH, STEP))


def whole(plane: Plane, found: dict[str, bytes], ratio: int) -> np.ndarray:
    """The cells side by side: grey and opacity."""
    side = 512 * ratio
    size = (2, -(-plane.height // 512) * side, -(-plane.width // 512) * side)
    board = np.zeros(size, dtype=np.uint8)
    for cell in plane.cells():
        column, row = plane.address(cell)
        body = found.get(f"relief/{column}/{row}")
        if body is not None:
            image = decoded(body)
            y, x = cell.row * side, cell.column * side
            board[:, y : y + side, x : x + side] = image[0], image[3] if image.shape[0] == 4 else 255
    return board[:, : plane.height * ratio, : plane.width * ratio]


@pytest.mark.parametrize("ratio", [1, 2])
@pytest.mark.parametrize("name", PLANES)
def test_each_pixel_shows_the_ground_below_it(tmp_path: Path, name: str, ratio: int) -> None:
    plane = Plane(map_crs(name), PLANES[name], 700, 640)
    board = whole(plane, cells(plane, SLOPE, [asset(tmp_path)], {COVER.id: COVER}, ratio), ratio)
    left, bottom, right, top = plane.box
    x = left + (np.arange(700 * ratio) + 0.5) * (right - left) / 700 / ratio
    y = top - (np.arange(640 * ratio) + 0.5) * (top - bottom) / 640 / ratio
    target = "OGC:CRS84" if name == "CRS:84" else name
    lon, lat = pyproj.Transformer.from_crs(target, "EPSG:4490", always_xy=True).transform(*np.meshgrid(x, y))
    edge = 0.015
    east, south = WEST + SIDE * STEP, NORTH - SIDE * STEP
    inside = (lon > WEST + edge) & (lon < east - edge) & (lat > south + edge) & (lat < NORTH - edge)
    outside = (lon < WEST - edge) | (lon > east + edge) | (lat < south - edge) | (lat > NORTH + edge)
    assert inside.sum() > 10_000
    assert (board[1][inside] == 255).all()
    assert (board[1][outside] == 0).all()
    assert np.abs(board[0][inside].astype(float) - height(lon, lat)[inside]).max() <= 3


@pytest.mark.parametrize(
    ("name", "box"),
    [
        ("CRS:84", (-500.0, -400.0, 500.0, 400.0)),
        ("EPSG:3857", (-5e7, -5e7, 5e7, 5e7)),
        ("EPSG:4526", (0.0, -6e7, 1e8, 6e7)),
    ],
)
def test_boxes_beyond_the_world_hold_the_raster_where_it_is(
    tmp_path: Path, name: str, box: tuple[float, float, float, float]
) -> None:
    plane = Plane(map_crs(name), box, 1800, 1400)
    board = whole(plane, cells(plane, SLOPE, [asset(tmp_path)], {COVER.id: COVER}, 1), 1)
    column, row = plane.point(113.5, 30.5)
    drawn = np.argwhere(board[1])
    assert len(drawn) > 0
    assert np.abs(drawn - np.array([row, column])).max() <= 3


def test_what_lies_elsewhere_has_no_cells(tmp_path: Path) -> None:
    plane = Plane(map_crs("CRS:84"), (0.0, 0.0, 1.0, 1.0), 300, 300)
    assert cells(plane, SLOPE, [asset(tmp_path)], {COVER.id: COVER}, 1) == {}
