"""Sampling along two axes against GDAL's warper and a direct computation; edges, holes and masks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import rasterio
from rasterio.enums import Resampling
from rasterio.vrt import WarpedVRT
from rasterio.warp import transform_bounds

from ingest.raster_facts import cog_name, read_facts
from ingest.readers.raster import convert
from layers.asset import Asset
from layers.model import RasterLayer
from tests.support.rasters import COLOURED, grid, raster_layer, raster_plan, write_tif
from tiles.frame import Frame
from tiles.sample import axis
from tiles.warp import Wanted, opened, read_frame

HEIGHTS = raster_layer()
PICTURE = raster_layer("picture", **COLOURED)
MIXED = Wanted((1,), mixed=True, any_band=False)
NEAREST = Wanted((1,), mixed=False, any_band=False)


def cog(folder: Path, layer: RasterLayer, cells: npt.NDArray[Any], *where: Any, **profile: Any) -> Asset:
    folder.mkdir(exist_ok=True)
    file = write_tif(folder / "source.tif", cells, *where, **profile)
    facts = read_facts(convert(raster_plan(layer, file), file, folder).facts)
    return Asset(folder / cog_name(0), facts.outline.bounds, facts.crs)


def smooth(rows: int, columns: int) -> npt.NDArray[np.float32]:
    y, x = np.mgrid[0:rows, 0:columns].astype(float)
    return (500 + 300 * np.sin(x / 40) * np.cos(y / 30)).astype("float32")


def warped(asset: Asset, frame: Frame, resampling: Resampling) -> tuple[npt.NDArray[Any], npt.NDArray[np.bool_]]:
    """The same pixels by GDAL's warper, from the full raster."""
    with rasterio.open(asset.path) as dataset:
        options = {
            "src_crs": "EPSG:4326" if asset.crs == "EPSG:4490" else dataset.crs,
            "crs": frame.crs,
            "tolerance": 0.01,
        }
        options |= {"transform": frame.transform, "width": frame.width, "height": frame.height}
        with WarpedVRT(dataset, **options, resampling=resampling, src_nodata=-9999, nodata=-9999) as found:
            cells = found.read(1)
    return cells, cells != -9999


def frame_in(epsg: int, box: tuple[float, float, float, float], size: int = 128) -> Frame:
    return Frame(epsg, transform_bounds("EPSG:4326", f"EPSG:{4326 if epsg == 4490 else epsg}", *box), size, size)


@pytest.mark.parametrize("crs", ["EPSG:4490", "EPSG:4326", "EPSG:3857"])
@pytest.mark.parametrize("epsg", [3857, 4490])
@pytest.mark.parametrize(
    "box",
    [
        (105.11, 38.71, 105.19, 38.79),
        (104.95, 38.85, 105.1, 39.05),
        (105.35, 38.55, 105.45, 38.65),
        (104.0, 38.0, 106.0, 40.0),
    ],
)
def test_pixels_are_those_of_the_warper(
    tmp_path: Path, crs: str, epsg: int, box: tuple[float, float, float, float]
) -> None:
    place = grid(105, 39, 0.001)
    if crs == "EPSG:3857":
        west, _, _, north = transform_bounds("EPSG:4326", crs, 105, 38, 106, 39)
        place = grid(west, north, 150)
    asset = cog(tmp_path, HEIGHTS, smooth(400, 400), place, crs, nodata=-9999)
    frame = frame_in(epsg, box)
    assert opened(asset).kind == ("mercator" if crs == "EPSG:3857" else "degrees")
    near, near_valid, _ = read_frame(asset, frame, NEAREST)
    values, valid, share = read_frame(asset, frame, MIXED)
    assert (valid == near_valid).all()
    expected, there = warped(asset, frame, Resampling.nearest)
    # A pixel whose middle lies on the border of two cells to a millionth may go either way.
    assert (valid != there).mean() < 0.01
    both = valid & there
    assert both.any()
    if share == 1:
        assert (near[0] != expected)[both].mean() < 0.02
    expected, _ = warped(asset, frame, Resampling.bilinear)
    inner = both[1:-1, 1:-1] & both[2:, 1:-1] & both[:-2, 1:-1] & both[1:-1, 2:] & both[1:-1, :-2]
    difference = np.abs(values[0] - expected)[1:-1, 1:-1][inner]
    # The surface rises by up to 12 from cell to cell. Both take triangles as wide as a pixel; they round its width
    # differently, and overviews are means of means.
    assert difference.max() <= (1.5 if share == 1 else 15)
    assert difference.mean() <= (0.5 if share == 1 else 5)


def test_zooming_out_means_and_does_not_pick(tmp_path: Path) -> None:
    # Black and white cells: without overviews between, each pixel must come out grey.
    cells = (np.indices((300, 300)).sum(axis=0) % 2 * 100).astype("float32")
    file = write_tif(tmp_path / "a.tif", cells, grid(105, 39, 0.001), nodata=-9999)
    asset = Asset(file, (105, 38.7, 105.3, 39), "EPSG:4490")
    values, valid, _ = read_frame(asset, Frame(4490, (105.005, 38.705, 105.295, 38.995), 116, 116), MIXED)
    assert valid.all()
    assert values.min() > 30
    assert values.max() < 70


def test_a_mean_takes_only_cells_with_data_and_a_hole_keeps_its_shape(tmp_path: Path) -> None:
    cells = np.full((100, 100), 100, dtype="float32")
    cells[40:60, 40:60] = -9999
    cells[10, 10] = np.nan
    asset = cog(tmp_path, HEIGHTS, cells, grid(105, 39, 0.01), nodata=-9999)
    frame = Frame(4490, (105.0, 38.0, 106.0, 39.0), 400, 400)
    values, valid, _ = read_frame(asset, frame, MIXED)
    assert values[0][valid] == pytest.approx(np.full(valid.sum(), 100.0))
    hole = np.zeros((400, 400), dtype=bool)
    hole[160:240, 160:240] = hole[40:44, 40:44] = True
    assert (valid == ~hole).all()


def test_a_picture_has_data_where_one_band_has_and_a_measurement_where_all_have(tmp_path: Path) -> None:
    cells = np.full((3, 20, 20), 50, dtype="uint8")
    cells[0, :, :10] = 0
    cells[:, :5, :] = 0
    asset = cog(tmp_path, PICTURE, cells, grid(105, 39, 0.01))
    frame = Frame(4490, (105.0, 38.8, 105.2, 39.0), 20, 20)
    _, any_band, _ = read_frame(asset, frame, Wanted((1, 2, 3), mixed=False, any_band=True))
    _, all_bands, _ = read_frame(asset, frame, Wanted((1, 2, 3), mixed=False, any_band=False))
    assert (any_band == (cells != 0).any(axis=0)).all()
    assert (all_bands == (cells != 0).all(axis=0)).all()


def test_a_mask_counts_as_no_data(tmp_path: Path) -> None:
    layer = raster_layer(bands=[{"name": "height"}])
    mask = np.zeros((50, 50), dtype="uint8")
    mask[10:40, 5:45] = 255
    cells = np.full((50, 50), 7, dtype="uint8")
    asset = cog(tmp_path, layer, cells, grid(105, 39, 0.01), mask=mask)
    _, valid, _ = read_frame(asset, Frame(4490, (105.0, 38.5, 105.5, 39.0), 50, 50), MIXED)
    assert (valid == (mask > 0)).all()


def test_weights_add_up_and_stay_within_the_grid() -> None:
    for stride in (0.1, 0.5, 1.0, 1.7, 5.0):
        found = axis(np.arange(40) * stride - 3.3, 30, mixed=True)
        assert found is not None
        assert found.weights.sum(axis=1) == pytest.approx(np.ones(len(found.weights)))
        assert found.cells.start >= 0
        assert found.cells.stop <= 30
        assert (found.taps >= 0).all()
        assert (found.taps < found.cells.stop - found.cells.start).all()
    assert axis(np.array([-5.0, -1.0]), 30, mixed=True) is None
    assert axis(np.array([30.0, 31.0]), 30, mixed=False) is None
