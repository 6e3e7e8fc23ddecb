"""Contour lines against gdal_contour and geometry, and the tiles against another decoder."""

from __future__ import annotations

import shutil
import subprocess
from collections import Counter
from pathlib import Path
from typing import Any

import mapbox_vector_tile
import numpy as np
import numpy.typing as npt
import pyogrio
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from ingest.raster_facts import cog_name, read_facts
from ingest.readers.raster import convert
from layers.asset import Asset
from layers.errors import BadParameter
from tests.support.rasters import grid, raster_layer, raster_plan, write_tif
from tiles.contour import contour
from tiles.contours import MOST_LEVELS, ContourView, contour_tile, contour_view, usual_intervals
from tiles.grid import web_mercator
from tiles.mvt import LineFeature, line_tile

HEIGHTS = raster_layer(bands=[{"name": "height", "unit": "m", "nodata": -9999, "vertical_datum": "EPSG:5737"}])
needs_gdal = pytest.mark.skipif(shutil.which("gdal_contour") is None, reason="gdal_contour is not installed")


def hills(rows: int, columns: int) -> npt.NDArray[np.float64]:
    y, x = np.mgrid[0:rows, 0:columns].astype(float)
    return 1500 + 900 * np.sin(x / 31) * np.cos(y / 23) + 200 * np.sin(x / 7 + y / 11)


def lines(heights: npt.NDArray[Any], level: float, valid: npt.NDArray[np.bool_] | None = None) -> Any:
    there = np.ones(heights.shape, dtype=bool) if valid is None else valid
    return shapely.multilinestrings(list(contour(heights.astype(float), there, level)))


@needs_gdal
def test_lines_are_those_of_gdal(tmp_path: Path) -> None:
    heights = np.round(hills(120, 150), 3)
    file = write_tif(tmp_path / "h.tif", heights, grid(500_000, 4_000_000, 1), "EPSG:32649")
    command = ["gdal_contour", "-q", "-i", "100", "-a", "height", "h.tif", "lines.gpkg"]
    subprocess.run(command, cwd=file.parent, check=True, capture_output=True)
    found = pyogrio.read_dataframe(tmp_path / "lines.gpkg")
    levels = sorted(set(found["height"]))
    assert len(levels) > 15
    for level in levels:
        theirs = shapely.union_all(found.geometry[found["height"] == level].to_numpy())
        # Places of the grid are the middles of the cells.
        ours = shapely.transform(lines(heights, level), lambda places: (places + 0.5) * (1, -1) + (500_000, 4_000_000))
        # GDAL takes half a cell more on every rim, where it goes on with the outermost heights.
        inside = shapely.box(500_000.5, 4_000_000 - 119.5, 500_149.5, 4_000_000 - 0.5)
        theirs = shapely.intersection(theirs, inside)
        assert shapely.length(ours) == pytest.approx(shapely.length(theirs), rel=0.01)
        assert shapely.hausdorff_distance(ours, theirs) < 0.75, level
        assert shapely.length(shapely.difference(theirs, shapely.buffer(ours, 0.02))) < 0.01 * shapely.length(theirs)


def test_a_cone_has_rings() -> None:
    y, x = np.mgrid[0:101, 0:101].astype(float)
    cone = 100 - np.hypot(x - 50, y - 50)
    for level in (60.0, 75.5, 90.0):
        ring = contour(cone, np.ones_like(cone, dtype=bool), level)
        assert len(ring) == 1
        assert shapely.is_closed(ring[0])
        radius = np.hypot(*(shapely.get_coordinates(ring) - 50).T)
        assert radius == pytest.approx(np.full(len(radius), 100 - level), abs=0.05)


@given(st.integers(0, 2**32 - 1), st.integers(-1, 11))
def test_lines_part_the_high_from_the_low_and_end_only_at_the_rim(seed: int, level: int) -> None:
    random = np.random.default_rng(seed)
    heights = random.integers(0, 10, (7, 9)).astype(float)
    found = contour(heights, np.ones_like(heights, dtype=bool), float(level))
    assert bool(len(found)) == bool((heights >= level).any() and (heights < level).any()) or not len(found)
    ends = Counter(map(tuple, shapely.get_coordinates([shapely.boundary(line) for line in found]).tolist()))
    # Within the grid lines may touch where a place has exactly the height: as many come as go.
    assert all(x in (0, 8) or y in (0, 6) or count % 2 == 0 for (x, y), count in ends.items())
    points = shapely.get_coordinates(found)
    # Every vertex lies on a side of a square, where heights change evenly.
    column, row = np.minimum(points.T.astype(int), [[7], [5]])
    right, down = points[:, 0] - column, points[:, 1] - row
    corner = heights[row, column] * (1 - right) * (1 - down) + heights[row, column + 1] * right * (1 - down)
    corner += heights[row + 1, column] * (1 - right) * down + heights[row + 1, column + 1] * right * down
    assert corner == pytest.approx(np.full(len(points), float(level)), abs=1e-9)


def test_no_line_where_a_height_is_unknown() -> None:
    heights = np.tile(np.arange(10.0), (10, 1))
    valid = np.ones((10, 10), dtype=bool)
    valid[4, 4] = False
    found = lines(heights, 4.5, valid)
    assert shapely.length(found) == pytest.approx(7.0)
    assert not shapely.intersects(found, shapely.box(3.01, 3.01, 4.99, 4.99))


def asset_of(folder: Path, cells: npt.NDArray[Any], cell: float = 0.001) -> Asset:
    file = write_tif(folder / "source.tif", cells.astype("float32"), grid(105, 39, cell))
    facts = read_facts(convert(raster_plan(HEIGHTS, file), file, folder).facts)
    return Asset(folder / cog_name(0), facts.outline.bounds, facts.crs)


def decode(tile: bytes) -> list[dict[str, Any]]:
    layer = mapbox_vector_tile.decode(tile, default_options={"y_coord_down": True})["contour"]
    assert layer["extent"] == 4096
    assert layer["version"] == 2
    return list(layer["features"])


def test_a_plane_has_straight_lines_at_their_places(tmp_path: Path) -> None:
    # 1 m per 0.001 degrees to the east.
    asset = asset_of(tmp_path, np.tile(np.arange(400.0) + 0.5, (300, 1)))
    z, row, col = 12, 1569, 3243
    features = decode(contour_tile([asset], HEIGHTS, web_mercator().place(z, row, col), ContourView(1, 10.0)))
    west, width = col / 2**z * 360 - 180, 360 / 2**z
    assert [f["properties"]["height"] for f in features] == sorted(f["properties"]["height"] for f in features)
    assert len(features) in (8, 9, 10)
    for feature in features:
        height = feature["properties"]["height"]
        assert feature["properties"]["index"] == (height % 50 == 0)
        across = np.array(feature["geometry"]["coordinates"]).reshape(-1, 2)[:, 0]
        expected = (105 + height * 0.001 - west) / width * 4096
        assert across == pytest.approx(np.full(len(across), expected), abs=1.5)


def test_lines_go_on_in_the_neighbouring_tile(tmp_path: Path) -> None:
    asset = asset_of(tmp_path, hills(500, 500))
    places = (web_mercator().place(12, 1570, col) for col in (3243, 3244))
    left, right = (decode(contour_tile([asset], HEIGHTS, place, ContourView(1, 50.0))) for place in places)

    def crossings(features: list[dict[str, Any]], x: float) -> list[tuple[float, float]]:
        border = shapely.linestrings([(x, 0), (x, 4096)])
        return sorted(
            (feature["properties"]["height"], float(y))
            for feature in features
            for y in shapely.get_coordinates(
                shapely.intersection(shapely.from_geojson(_geojson(feature["geometry"])), border)
            )[:, 1]
        )

    ours, theirs = crossings(left, 4096), crossings(right, 0)
    assert len(ours) > 10
    assert [height for height, _ in ours] == [height for height, _ in theirs]
    assert np.abs(np.array(ours)[:, 1] - np.array(theirs)[:, 1]).max() < 6


def _geojson(geometry: dict[str, Any]) -> str:
    return f'{{"type": "{geometry["type"]}", "coordinates": {geometry["coordinates"]}}}'


def test_nothing_there_is_an_empty_tile(tmp_path: Path) -> None:
    asset = asset_of(tmp_path, np.full((100, 100), 5.0))
    assert contour_tile([asset], HEIGHTS, web_mercator().place(12, 1569, 3243), ContourView(1, 10.0)) == b""
    assert contour_tile([asset], HEIGHTS, web_mercator().place(3, 0, 0), ContourView(1, 10.0)) == b""
    assert contour_tile([], HEIGHTS, web_mercator().place(12, 1569, 3243), ContourView(1, 10.0)) == b""


def test_too_many_lines_are_refused(tmp_path: Path) -> None:
    asset = asset_of(tmp_path, hills(300, 300))
    with pytest.raises(BadParameter, match="larger"):
        contour_tile([asset], HEIGHTS, web_mercator().place(11, 784, 1621), ContourView(1, 0.1))
    # Unless nobody asked for them: then each fifth line is drawn, or each fifth of those.
    steep = contour_tile([asset], HEIGHTS, web_mercator().place(11, 784, 1621), ContourView(1, 0.8, usual=True))
    heights = [feature["properties"]["height"] for feature in decode(steep)]
    assert 10 < len(heights) <= MOST_LEVELS
    assert set(np.diff(heights).tolist()) == {20}


@pytest.mark.parametrize("interval", ["0", "-5", "nan", "inf", "1e9", "0.0001", "ten", "", "1,2"])
def test_intervals_that_are_none(interval: str) -> None:
    with pytest.raises(BadParameter, match="interval"):
        contour_view(HEIGHTS, 12, None, interval)


def test_the_usual_interval_narrows_with_the_zoom() -> None:
    found = [contour_view(HEIGHTS, z, None, None).interval for z in range(23)]
    assert found == sorted(found, reverse=True)
    assert found[0] == 500
    assert found[22] == 10
    assert all(found[z] == metres for z, metres in usual_intervals())


POINT = st.tuples(st.integers(-5000, 9000), st.integers(-5000, 9000))
PROPERTIES = st.dictionaries(
    st.sampled_from(["height", "index", "name"]),
    st.one_of(st.booleans(), st.integers(-(2**31), 2**31), st.floats(allow_nan=False, allow_infinity=False)),
)


@given(st.lists(st.tuples(st.lists(st.lists(POINT, min_size=2, max_size=6), min_size=1, max_size=3), PROPERTIES)))
def test_any_lines_come_back_from_another_decoder(given_features: list[tuple[list[Any], dict[str, Any]]]) -> None:
    tile = line_tile(
        "contour", [LineFeature([shapely.linestrings(line) for line in parts], p) for parts, p in given_features]
    )
    expected = []
    for parts, properties in given_features:
        kept = [[p for n, p in enumerate(line) if n == 0 or p != line[n - 1]] for line in parts]
        kept = [line for line in kept if len(line) > 1]
        if kept:
            expected.append((kept, properties))
    if not expected:
        assert tile == b""
        return
    found = []
    for feature in decode(tile):
        coordinates = feature["geometry"]["coordinates"]
        several = coordinates if feature["geometry"]["type"] == "MultiLineString" else [coordinates]
        found.append(([[tuple(p) for p in line] for line in several], feature["properties"]))
    assert found == expected
