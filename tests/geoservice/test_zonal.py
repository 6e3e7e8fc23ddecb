"""Zonal statistics against hand counts, dense point sampling, geodesic areas and a second reading of the cells."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyproj
import pytest
import rasterio
import shapely
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely.affinity import translate
from shapely.ops import split

from geoservice.analysis.zonal import zonal
from ingest.raster_facts import cog_name, read_facts
from ingest.readers.raster import convert
from layers.asset import Asset
from layers.errors import AssetUnavailable, BadGeometry
from tests.support.rasters import grid, ramp_of_numbers, raster_layer, raster_plan, write_tif

GEOD = pyproj.Geod(ellps="GRS80")


def stored(directory: Path, cells: npt.NDArray[Any], *where: Any, **profile: Any) -> Asset:
    """An asset made as a load makes it."""
    directory.mkdir(exist_ok=True)
    file = write_tif(directory / "source.tif", cells, *where, **profile)
    facts = read_facts(convert(raster_plan(raster_layer(), file), file, directory).facts)
    return Asset(directory / cog_name(0), facts.outline.bounds, facts.crs)


def geodesic_area(shape: shapely.Geometry) -> float:
    """Ellipsoidal area by geodesic edges (pyproj), an algorithm other than ours."""
    return abs(GEOD.geometry_area_perimeter(shapely.segmentize(shape, 0.001))[0])


def test_four_by_four_by_hand(tmp_path: Path) -> None:
    # 1..16, one degree-tenth per cell, upper left corner at (100, 40); the last cell is empty.
    cells = ramp_of_numbers(4, 4) + 1
    cells[3, 3] = -9999
    asset = stored(tmp_path, cells, grid(100, 40, 0.1))
    whole = zonal([asset], shapely.box(100, 39.6, 100.4, 40))
    assert (whole.sum, whole.count, whole.minimum, whole.maximum) == (120.0, 15.0, 1.0, 15.0)
    assert whole.mean == 8.0
    # A quarter of each of the cells 1, 2, 5, 6.
    corner = zonal([asset], shapely.box(100.05, 39.85, 100.15, 39.95))
    assert corner.sum == pytest.approx((1 + 2 + 5 + 6) / 4)
    assert (corner.count, corner.mean) == pytest.approx((1.0, 3.5))
    # A triangle over the diagonal of one cell takes half of it.
    half = zonal([asset], shapely.Polygon([(100.1, 40), (100.2, 40), (100.1, 39.9)]))
    assert half.sum == pytest.approx(2 / 2, rel=1e-6)


def test_no_data_is_not_zero(tmp_path: Path) -> None:
    cells = np.zeros((10, 10), dtype="float32")
    cells[:, 5:] = -9999
    asset = stored(tmp_path, cells)
    zero = zonal([asset], shapely.box(100.01, 39.92, 100.04, 39.98))
    assert (zero.sum, zero.mean, zero.covered) == (0.0, 0.0, pytest.approx(1.0))
    nothing = zonal([asset], shapely.box(100.06, 39.92, 100.09, 39.98))
    assert (nothing.sum, nothing.mean, nothing.minimum, nothing.covered) == (None, None, None, 0.0)
    assert nothing.count == 0
    elsewhere = zonal([asset], shapely.box(20, 10, 21, 11))
    assert (elsewhere.sum, elsewhere.covered) == (None, 0.0)
    assert elsewhere.zone_area == pytest.approx(geodesic_area(shapely.box(20, 10, 21, 11)), rel=1e-6)
    across = zonal([asset], shapely.box(100.04, 39.92, 100.08, 39.98))
    assert across.covered == pytest.approx(0.25, abs=1e-6)
    assert zonal([], shapely.box(20, 10, 21, 11)).sum is None


@pytest.mark.parametrize(
    ("crs", "centre"), [("EPSG:4490", None), ("EPSG:4326", None), ("EPSG:4549", 120.0), ("EPSG:32650", 117.0)]
)
def test_areas_by_class_are_those_of_the_ellipsoid(tmp_path: Path, crs: str, centre: float | None) -> None:
    rng = np.random.default_rng(6)
    cells = rng.integers(1, 5, (80, 90)).astype("int16")
    if centre is None:
        place, lon, lat = grid(100, 40, 0.002), 100.09, 39.92
    else:
        # 250 km beside the central meridian, where the scale of the projection is visibly not 1.
        lon, lat = centre + 2.9, 39.92
        x, y = pyproj.Transformer.from_crs("EPSG:4326", crs, always_xy=True).transform(lon - 0.09, lat + 0.08)
        place = grid(x, y, 200)
    asset = stored(tmp_path, cells, place, crs)
    zone = shapely.buffer(shapely.Point(lon, lat), 0.05)
    found = zonal([asset], zone, classed=True)
    assert set(found.class_areas) == {1, 2, 3, 4}
    assert sum(found.class_areas.values()) == pytest.approx(geodesic_area(zone), rel=2e-6)
    assert found.valid_area == pytest.approx(found.zone_area, rel=2e-6)
    assert found.covered == pytest.approx(1, rel=2e-6)
    sampled = shares_by_sampling(asset, zone)
    for value, share in sampled.items():
        assert found.class_areas[value] / found.valid_area == pytest.approx(share, abs=0.003)


def shares_by_sampling(asset: Asset, zone: shapely.Geometry, points: int = 700) -> dict[int, float]:
    """Share of each value in a zone by a dense lattice of points, with no notion of partial cells."""
    west, south, east, north = zone.bounds
    x, y = (a.ravel() for a in np.meshgrid(np.linspace(west, east, points), np.linspace(south, north, points)))
    inside = shapely.contains_xy(zone, x, y)
    x, y = x[inside], y[inside]
    # A lattice in degrees gives every row the same weight; on the ellipsoid rows shrink with the cosine of latitude.
    weight = np.cos(np.radians(y))
    with rasterio.open(asset.path) as dataset:
        way = pyproj.Transformer.from_crs("EPSG:4326", dataset.crs.to_wkt(), always_xy=True)
        px, py = way.transform(x, y)
        columns = ((np.asarray(px) - dataset.transform.c) / dataset.transform.a).astype(int)
        rows = ((np.asarray(py) - dataset.transform.f) / dataset.transform.e).astype(int)
        values = dataset.read(1)[rows, columns]
    return {int(v): float(weight[values == v].sum() / weight.sum()) for v in np.unique(values)}


def test_the_weighted_sum_against_supersampling(tmp_path: Path) -> None:
    cells = np.random.default_rng(8).gamma(1.5, 30, (30, 30)).astype("float32")
    asset = stored(tmp_path, cells)
    zone = shapely.Polygon([(100.02, 39.98), (100.27, 39.95), (100.22, 39.74), (100.11, 39.84), (100.03, 39.75)])
    # Each cell is cut into 60 x 60 points.
    fine = 60
    centres = (np.arange(30 * fine) + 0.5) / fine * 0.01
    x, y = np.meshgrid(100 + centres, 40 - centres)
    inside = shapely.contains_xy(zone, x, y).reshape(30, fine, 30, fine).mean(axis=(1, 3))
    found = zonal([asset], zone)
    assert found.sum == pytest.approx(float((inside * cells).sum()), rel=2e-4)
    assert found.count == pytest.approx(float(inside.sum()), rel=2e-4)


@settings(max_examples=25, deadline=None)
@given(cut=st.floats(0.011, 0.089), tilt=st.floats(-0.01, 0.01))
def test_parts_add_up_to_the_whole(tmp_path_factory: pytest.TempPathFactory, cut: float, tilt: float) -> None:
    cells = np.random.default_rng(9).integers(1, 100, (10, 10)).astype("float32")
    asset = stored(tmp_path_factory.mktemp("z"), cells)
    whole = shapely.box(100.005, 39.905, 100.095, 39.995)
    knife = shapely.LineString([(100 + cut - tilt, 39), (100 + cut + tilt, 41)])
    parts = [zonal([asset], part, classed=True) for part in split(whole, knife).geoms]
    found = zonal([asset], whole, classed=True)
    assert sum(p.sum or 0 for p in parts) == pytest.approx(found.sum, rel=1e-5)
    assert sum(p.zone_area for p in parts) == pytest.approx(found.zone_area, rel=1e-9)
    for value, area in found.class_areas.items():
        assert sum(p.class_areas.get(value, 0) for p in parts) == pytest.approx(area, rel=1e-4)


class TestSeveralAssets:
    """Overlapping rasters are counted once, the newest first."""

    def test_the_newest_counts_where_it_has_data(self, tmp_path: Path) -> None:
        old = stored(tmp_path / "old", np.full((10, 10), 3, dtype="float32"))
        cells = np.full((10, 10), 5, dtype="float32")
        cells[:, :4] = -9999
        new = stored(tmp_path / "new", cells)
        zone = shapely.box(100.0, 39.9, 100.1, 40.0)
        found = zonal([new, old], zone)
        assert found.count == pytest.approx(100, rel=1e-6)
        assert found.sum == pytest.approx(60 * 5 + 40 * 3, rel=1e-6)
        assert zonal([old, new], zone).sum == pytest.approx(300, rel=1e-6)

    def test_neighbours_of_other_crs_add_up(self, tmp_path: Path) -> None:
        west = stored(tmp_path / "w", np.full((20, 20), 1, dtype="float32"), grid(116.8, 40, 0.01))
        x, y = pyproj.Transformer.from_crs("EPSG:4326", "EPSG:32650", always_xy=True).transform(116.95, 40.05)
        east = stored(tmp_path / "e", np.full((300, 300), 2, dtype="float32"), grid(x, y, 100), "EPSG:32650")
        zone = shapely.box(116.85, 39.85, 117.15, 39.95)
        found = zonal([west, east], zone, classed=True)
        assert found.covered == pytest.approx(1, rel=1e-5)
        # West covers 0.15 of the 0.30 degrees.
        assert found.class_areas[1] / found.valid_area == pytest.approx(0.5, rel=1e-5)

    def test_a_missing_file_is_no_zero(self, tmp_path: Path) -> None:
        gone = Asset(tmp_path / "gone.tif", (100, 39, 101, 40), "EPSG:4490")
        with pytest.raises(AssetUnavailable):
            zonal([gone], shapely.box(100.1, 39.1, 100.2, 39.2))


def test_strips_give_the_same_as_one_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cells = np.random.default_rng(10).random((70, 60)).astype("float32")
    asset = stored(tmp_path, cells)
    zone = shapely.buffer(shapely.Point(100.3, 39.65), 0.22)
    at_once = zonal([asset], zone)
    monkeypatch.setattr("geoservice.analysis.sheet.TILE", 16)
    in_strips = zonal([asset], zone)
    assert in_strips.sum == pytest.approx(at_once.sum, rel=1e-6)
    assert in_strips.count == pytest.approx(at_once.count, rel=1e-6)
    assert in_strips.valid_area == pytest.approx(at_once.valid_area, rel=1e-6)


def test_across_180_degrees(tmp_path: Path) -> None:
    place = Affine(10_000, 0, 2_500_000, 0, -10_000, 5_500_000)
    asset = stored(tmp_path, np.full((100, 200), 1, dtype="float32"), place, "EPSG:3832")
    east, west = shapely.box(178, 40, 180, 42), shapely.box(-180, 40, -178, 42)
    both = zonal([asset], shapely.union_all([east, west]))
    assert both.covered == pytest.approx(1, rel=1e-5)
    parts = [zonal([asset], part) for part in (east, west)]
    assert [p.covered for p in parts] == pytest.approx([1, 1], rel=1e-5)
    assert sum(p.sum or 0 for p in parts) == pytest.approx(both.sum, rel=1e-6)


def test_longitudes_beyond_180_degrees(tmp_path: Path) -> None:
    cells = np.where(np.arange(40)[None, :] < 20, 1.0, 2.0).repeat(10, axis=0).astype("float32").reshape(10, 40)
    asset = stored(tmp_path, cells, grid(178, 40, 0.1))
    west = zonal([asset], shapely.box(-179.5, 39.2, -178.5, 39.8))
    assert (west.mean, west.covered) == (2.0, pytest.approx(1, rel=1e-6))
    assert zonal([asset], shapely.box(178.5, 39.2, 179.5, 39.8)).mean == 1.0


@pytest.mark.parametrize(
    "zone",
    [shapely.Point(100, 40), shapely.LineString([(100, 40), (101, 41)]), shapely.Polygon(), shapely.MultiPolygon()],
)
def test_a_zone_has_an_area(zone: shapely.Geometry) -> None:
    with pytest.raises(BadGeometry):
        zonal([], zone)


def test_holes_and_parts(tmp_path: Path) -> None:
    asset = stored(tmp_path, np.full((100, 100), 2, dtype="float32"))
    ring = shapely.difference(shapely.box(100.1, 39.1, 100.5, 39.5), shapely.box(100.2, 39.2, 100.4, 39.4))
    zone = shapely.union_all([ring, translate(shapely.box(100.1, 39.1, 100.2, 39.2), 0.6, 0.6)])
    found = zonal([asset], zone)
    assert found.count == pytest.approx(1600 - 400 + 100, rel=1e-6)
    assert found.sum == pytest.approx(2 * 1300, rel=1e-6)
