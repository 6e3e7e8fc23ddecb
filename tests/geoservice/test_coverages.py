"""Coverages by the cells that they hold: rasterio and hand-made sums are the oracle of grids, masks and resampling."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyproj
import pytest
import rasterio
import rasterio.mask
import shapely
from rasterio.crs import CRS
from rasterio.windows import from_bounds

from geoservice.analysis.place import Place
from geoservice.analysis.request import ZoneRequest, zone_request
from geoservice.coverages.errors import CoverageTooLarge, NoCoverage
from geoservice.coverages.gather import Gathered
from geoservice.coverages.request import CoverageRequest, box_asked, side_asked
from geoservice.coverages.write import Coverage, laid_out, require_few, write
from geoservice.formats.subject import about_layer
from layers.access import Clearance
from layers.asset import Asset
from layers.errors import BadBody, BadParameter
from layers.model import RasterLayer
from layers.offered import find_crs
from tests.support.rasters import CLASSED, COLOURED, PEOPLE, grid, ramp_of_numbers, raster_layer, write_tif

RELIEF = raster_layer("relief")
COVER = raster_layer("cover", **CLASSED)
PICTURE = raster_layer("picture", **COLOURED)
PEOPLE_LAYER = raster_layer("people", **PEOPLE)
PALETTE = {1: (0, 0, 255, 255), 2: (0, 128, 0, 255), 3: (255, 215, 0, 255)}
TRIANGLE = shapely.Polygon([(100.031, 39.98), (100.33, 39.87), (100.105, 39.611)])
GAUSS = "EPSG:4544"
"""CGCS2000 / 3-degree Gauss-Krueger CM 105E."""


@dataclass
class Yard:
    """Makes coverages of files without a service."""

    folder: Path

    def asset(self, file: Path) -> Asset:
        with rasterio.open(file) as found:
            west, south, east, north = rasterio.warp.transform_bounds(found.crs, "EPSG:4326", *found.bounds)
        return Asset(file, (west, south, east, north), "x")

    def lay_out(self, layer: RasterLayer, files: list[Path], place: Place | None = None, **more: Any) -> Coverage:
        zone = None if place is None else ZoneRequest(place)
        asked = CoverageRequest(layer.name, zone, **more)
        about = about_layer(layer, Clearance.PUBLIC, edition=7, source="a.tif")
        return laid_out(Gathered(layer, place, [self.asset(file) for file in files], about), asked)

    def file(self, layer: RasterLayer, files: list[Path], place: Place | None = None, **more: Any) -> Path:
        out = self.folder / f"out{len(list(self.folder.iterdir()))}"
        out.mkdir()
        made = write(self.lay_out(layer, files, place, **more), out)
        assert [path.name for path in out.iterdir()] == [made.name]
        return made


@pytest.fixture
def yard(tmp_path: Path) -> Yard:
    return Yard(tmp_path)


@pytest.fixture
def relief(tmp_path: Path) -> Path:
    return write_tif(tmp_path / "relief.tif", ramp_of_numbers(300, 400) / 7, grid(100, 40, 0.001), nodata=-9999)


def drawn(shape: shapely.Geometry) -> Place:
    return Place(shape, "geometry")


def cells(file: Path) -> np.ma.MaskedArray[Any, Any]:
    with rasterio.open(file) as found:
        return found.read(masked=True)


@pytest.mark.parametrize("nodata", [-9999.0, float("nan"), None])
def test_a_zone_gives_the_very_cells_that_rasterio_masks(yard: Yard, tmp_path: Path, nodata: float | None) -> None:
    values = ramp_of_numbers(300, 400) / 7
    if nodata is not None:
        values[40:60, 50:80] = nodata
    source = write_tif(tmp_path / "in.tif", values, grid(100, 40, 0.001), nodata=nodata)
    made = yard.file(RELIEF, [source], drawn(TRIANGLE))
    with rasterio.open(source) as oracle, rasterio.open(made) as found:
        expected, transform = rasterio.mask.mask(oracle, [TRIANGLE], crop=True, filled=False)
        got = found.read(masked=True)
        assert found.transform.almost_equals(transform, 1e-9)
        assert found.crs == oracle.crs
        assert np.array_equal(np.ma.getmaskarray(got), np.ma.getmaskarray(expected))
        assert np.array_equal(got.compressed(), expected.compressed())
        assert 0 < got.count() < got.size
        assert found.nodata == nodata or (nodata is not None and np.isnan(nodata) and np.isnan(found.nodata))


def test_a_box_gives_the_window_and_empties_no_cell(yard: Yard, relief: Path) -> None:
    box = (100.05, 39.8, 100.15, 39.9)
    with rasterio.open(relief) as oracle:
        expected = oracle.read(window=from_bounds(*box, oracle.transform).round_offsets().round_lengths())
    made = yard.file(RELIEF, [relief], box_asked("100.05,39.8,100.15,39.9", None))
    assert np.array_equal(cells(made).data, expected)
    wider = yard.file(RELIEF, [relief], box_asked("39.7995,100.0495,39.9005,100.1505", "EPSG:4490"))
    assert cells(wider).shape == (1, 102, 102)
    assert not np.ma.getmaskarray(cells(wider)).any()
    assert np.array_equal(cells(wider).data[:, 1:-1, 1:-1], expected)


def test_degrees_of_both_systems_are_the_same_cells(yard: Yard, relief: Path) -> None:
    for name in ("EPSG:4490", "EPSG:4326"):
        made = yard.file(RELIEF, [relief], drawn(TRIANGLE), crs=find_crs(name, "crs"))
        with rasterio.open(made) as found:
            assert found.crs == CRS.from_string(name)
        as_it_is = yard.file(RELIEF, [relief], drawn(TRIANGLE))
        assert np.array_equal(cells(made).compressed(), cells(as_it_is).compressed())


def test_a_projected_raster_is_cut_on_its_own_grid(yard: Yard, tmp_path: Path) -> None:
    way = pyproj.Transformer.from_crs("EPSG:4490", GAUSS, always_xy=True)
    x, y = way.transform(105.2, 38.5)
    place = rasterio.transform.from_origin(round(x), round(y), 30, 30)
    source = write_tif(tmp_path / "g.tif", ramp_of_numbers(200, 200), place, crs=GAUSS, nodata=-9999)
    zone = shapely.Polygon([(105.21, 38.49), (105.26, 38.48), (105.22, 38.46)])
    made = yard.file(RELIEF, [source], drawn(zone))
    there = shapely.transform(shapely.segmentize(zone, 0.001), lambda p: np.column_stack(way.transform(*p.T)))
    with rasterio.open(source) as oracle:
        expected, transform = rasterio.mask.mask(oracle, [there], crop=True, filled=False)
    with rasterio.open(made) as found:
        assert found.transform == transform
        assert found.crs.to_epsg() == 4544
    assert np.array_equal(cells(made).filled(-1), expected.filled(-1))


def test_measures_are_interpolated_and_codes_are_not(yard: Yard, tmp_path: Path) -> None:
    """A plane stays a plane in any CRS; of codes only those that were there come out."""
    columns, rows = np.meshgrid(np.arange(300), np.arange(300))
    plane = (100 + 2.0 * columns + 3.0 * rows).astype("float32")
    relief = write_tif(tmp_path / "p.tif", plane, grid(104.9, 38.6, 0.001), nodata=-9999)
    zone = drawn(shapely.box(104.95, 38.4, 105.1, 38.5))
    made = yard.file(RELIEF, [relief], zone, crs=find_crs(GAUSS, "crs"))
    with rasterio.open(made) as found:
        assert found.crs.to_epsg() == 4544
        got = found.read(1, masked=True)
        down, across = np.nonzero(~np.ma.getmaskarray(got))
        x, y = found.transform * (across + 0.5, down + 0.5)
    lon, lat = pyproj.Transformer.from_crs(GAUSS, "EPSG:4490", always_xy=True).transform(x, y)
    expected = 100 + 2 * ((lon - 104.9) / 0.001 - 0.5) + 3 * ((38.6 - lat) / 0.001 - 0.5)
    # The warper may be an eighth of a cell off its place.
    assert np.abs(got.compressed() - expected).max() < 0.125 * 5
    assert ((lon > 104.95) & (lon < 105.1) & (lat > 38.4) & (lat < 38.5)).all()
    codes = np.where((columns + rows) % 2, 1, 3).astype("uint8")
    cover = write_tif(tmp_path / "c.tif", codes, grid(104.9, 38.6, 0.001), nodata=255, palette=PALETTE)
    for more in ({"crs": find_crs(GAUSS, "crs")}, {"width": 70}):
        kept = yard.file(COVER, [cover], zone, **more)
        assert set(np.unique(cells(kept).compressed()).tolist()) == {1, 3}
        with rasterio.open(kept) as found:
            assert {code: found.colormap(1)[code] for code in PALETTE} == PALETTE


@pytest.mark.parametrize("more", [{"crs": "EPSG:3857"}, {"width": 37}, {"width": 300, "height": 50}])
def test_counts_keep_their_total(yard: Yard, tmp_path: Path, more: dict[str, Any]) -> None:
    people = np.random.default_rng(1).integers(0, 50, (120, 120)).astype("float32")
    source = write_tif(tmp_path / "n.tif", people, grid(100, 30, 0.01), nodata=-1)
    wish = {**more, **({"crs": find_crs(more["crs"], "crs")} if "crs" in more else {})}
    made = yard.file(PEOPLE_LAYER, [source], **wish)
    assert cells(made).sum() == pytest.approx(people.sum(), rel=2e-3)


def test_rasters_of_a_mosaic_are_put_together(yard: Yard, tmp_path: Path) -> None:
    """The topmost with data shows; neighbours on one grid are taken as they are."""
    left = np.full((100, 100), 1, dtype="float32")
    left[:, 90:] = -9999
    first = write_tif(tmp_path / "l.tif", left, grid(100, 40, 0.01), nodata=-9999)
    second = write_tif(tmp_path / "r.tif", np.full((100, 100), 2, dtype="float32"), grid(100.8, 40, 0.01), nodata=-9999)
    both = cells(yard.file(RELIEF, [first, second]))[0]
    assert both.shape == (100, 180)
    assert not np.ma.getmaskarray(both).any()
    assert np.array_equal(both.data, np.where(np.arange(180) < 90, 1, 2)[None].repeat(100, 0))
    turned = cells(yard.file(RELIEF, [second, first]))[0]
    assert np.array_equal(turned.data, np.where(np.arange(180) < 80, 1, 2)[None].repeat(100, 0))
    # A raster beside the grid is resampled onto it, one with another value for "no data" is told apart by a mask.
    third = write_tif(tmp_path / "o.tif", np.full((30, 30), 5, dtype="float32"), grid(101.905, 40, 0.03), nodata=-1)
    mixed = yard.file(RELIEF, [first, third])
    with rasterio.open(mixed) as found:
        assert found.nodata is None
        got = found.read(1, masked=True)
    assert set(np.unique(got.compressed()).tolist()) == {1, 5}
    assert np.ma.getmaskarray(got)[:, 95:185].all()


def test_large_coverages_pass_in_strips(yard: Yard, relief: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = cells(yard.file(RELIEF, [relief], drawn(TRIANGLE)))
    scaled = cells(yard.file(RELIEF, [relief], drawn(TRIANGLE), width=55))
    monkeypatch.setattr("ingest.cog.CELLS_PER_CHUNK", 2_000)
    assert np.array_equal(whole.filled(-1), cells(yard.file(RELIEF, [relief], drawn(TRIANGLE))).filled(-1))
    again = cells(yard.file(RELIEF, [relief], drawn(TRIANGLE), width=55))
    assert again.shape == scaled.shape
    assert np.allclose(scaled.filled(-1), again.filled(-1))


def test_the_file_says_what_it_is(yard: Yard, tmp_path: Path) -> None:
    source = write_tif(tmp_path / "s.tif", ramp_of_numbers(300, 300, "int16"), grid(100, 40, 0.001), nodata=-9999)
    with rasterio.open(source, "r+") as prepared:
        prepared.scales, prepared.offsets, prepared.units = (0.5,), (-10.0,), ("m",)
    with rasterio.open(yard.file(RELIEF, [source], drawn(TRIANGLE.buffer(0.05)))) as found:
        tags = found.tags()
        assert found.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
        assert (found.descriptions, found.units) == (("height",), ("m",))
        assert (found.scales, found.offsets, found.dtypes) == ((0.5,), (-10.0,), ("int16",))
    assert (tags["EDITION"], tags["SOURCE"], tags["CLEARANCE"]) == ("7", "a.tif", "public")
    assert tags["LICENCE"].startswith("unconditional")
    assert tags["AUTHORITY"] == "surveying"
    assert tags["TITLE_ZH"] == "栅格"


def test_pictures_keep_their_bands(yard: Yard, tmp_path: Path) -> None:
    bands = np.random.default_rng(2).integers(0, 255, (3, 90, 90)).astype("uint8")
    source = write_tif(tmp_path / "rgb.tif", bands, grid(100, 40, 0.01), nodata=0)
    with rasterio.open(yard.file(PICTURE, [source])) as found:
        assert np.array_equal(found.read(), bands)
        assert found.descriptions == ("red", "green", "blue")


def test_where_nothing_is_there_is_no_file(yard: Yard, relief: Path, tmp_path: Path) -> None:
    for zone in (shapely.box(120, 30, 121, 31), shapely.box(100.00011, 39.99989, 100.00012, 39.99990)):
        with pytest.raises(NoCoverage, match="extent"):
            yard.file(RELIEF, [relief], drawn(zone))
    empty = write_tif(tmp_path / "e.tif", np.full((50, 50), -9999, "float32"), grid(100, 40, 0.01), nodata=-9999)
    with pytest.raises(NoCoverage, match="No cell"):
        yard.file(RELIEF, [empty])


def test_a_crs_that_does_not_reach_there_is_refused(yard: Yard, tmp_path: Path) -> None:
    world = write_tif(tmp_path / "w.tif", np.ones((180, 360), "float32"), grid(-180, 90, 1), nodata=-1)
    with pytest.raises(BadParameter, match="does not reach"):
        yard.lay_out(RELIEF, [world], drawn(shapely.box(-160, -80, 170, 80)), crs=find_crs(GAUSS, "crs"))


def test_the_budget_counts_cells_and_what_is_read_to_add_them_up(yard: Yard, relief: Path, tmp_path: Path) -> None:
    assert yard.lay_out(RELIEF, [relief]).cost == 300 * 400
    require_few(yard.lay_out(RELIEF, [relief]), 300 * 400)
    with pytest.raises(CoverageTooLarge, match=r"120,000 cells .* at most 119,999 .* process `coverage`"):
        require_few(yard.lay_out(RELIEF, [relief]), 300 * 400 - 1)
    assert yard.lay_out(RELIEF, [relief], width=40).cost == 40 * 30
    people = write_tif(tmp_path / "n.tif", np.ones((200, 200), dtype="float32"), grid(100, 40, 0.01), nodata=-1)
    assert yard.lay_out(PEOPLE_LAYER, [people], width=2).cost == 200 * 200


def test_zones_may_be_map_sheets() -> None:
    found = zone_request({"sheet": "j48e005010"}, 100).where
    assert isinstance(found, Place)
    assert found.origin == "sheet:J48E005010"
    # Row 5, column 10 of the 24 in each direction of J48 (36 to 40 north, 102 to 108 east), each 10' by 15'.
    assert shapely.bounds(found.geometry).tolist() == pytest.approx([104.25, 39 + 1 / 6, 104.5, 39 + 2 / 6])
    with pytest.raises(BadParameter, match="sheet"):
        zone_request({"sheet": "Z99"}, 100)
    with pytest.raises(BadBody, match="exactly one"):
        zone_request({"sheet": "J48", "bbox": [1, 2, 3, 4]}, 100)


@pytest.mark.parametrize("text", ["0", "-3", "1.5", "x", "1000001", "99999999999", "１２"])
def test_sides_are_whole_numbers(text: str) -> None:
    with pytest.raises(BadParameter, match="width"):
        side_asked(text, "width")
    assert side_asked("12", "width") == 12
    assert side_asked(None, "width") is None
