"""What becomes of a raster on its way in: values, no data, bands, palettes, CRS; and what is refused."""

from __future__ import annotations

import json
import math
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from affine import Affine
from rio_cogeo.cogeo import cog_validate

from ingest.job import Finding, ReadLimits
from ingest.raster_drivers import raster_skip_list
from ingest.raster_facts import RasterFacts, cog_name, read_facts
from ingest.readers.raster import convert
from layers.errors import CrsRefused, GeoError, SourceMismatch, SourceUnreadable
from layers.model import RasterLayer
from tests.support.rasters import (
    CLASSED,
    COLOURED,
    PEOPLE,
    grid,
    mapped,
    ramp_of_numbers,
    raster_layer,
    raster_plan,
    write_tif,
)

Result = tuple[Path, RasterFacts, tuple[Finding, ...]]
NODATA = -1.0


def run(file: Path, layer: RasterLayer | None = None, limits: ReadLimits | None = None) -> Result:
    """Convert a file in its own directory, as the confined child does."""
    chosen = layer or raster_layer()
    summary = convert(raster_plan(chosen, file, limits), file, file.parent)
    return file.parent / cog_name(0), read_facts(summary.facts), summary.findings


def cells_of(cog: Path) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Values and validity of a written COG, read by rasterio alone."""
    with rasterio.open(cog) as dataset:
        read = dataset.read(masked=True)
    return read.data, ~np.ma.getmaskarray(read)


def test_a_small_grid_counted_by_hand(tmp_path: Path) -> None:
    cells = np.array([[1, 2, 3, 4], [5, 6, 7, 8], [9, 10, 11, 12], [NODATA, NODATA, 2000, 14]], dtype="float32")
    cog, facts, findings = run(write_tif(tmp_path / "a.tif", cells, nodata=NODATA))
    band = facts.bands[0]
    # 78 = 1+..+12, with 2000 and 14: 2092 over 14 cells.
    assert (band.cells, band.valid, band.minimum, band.maximum, band.total) == (16, 14, 1.0, 2000.0, 2092.0)
    assert band.mean == pytest.approx(2092 / 14)
    # 650 = 1^2 + .. + 12^2.
    assert band.deviation == pytest.approx(math.sqrt((650 + 2000**2 + 14**2) / 14 - (2092 / 14) ** 2))
    assert sum(band.histogram) == 14
    assert [(f.rule, f.count) for f in findings] == [("value-range", 1)]
    values, valid = cells_of(cog)
    np.testing.assert_array_equal(values[0], cells)
    np.testing.assert_array_equal(valid[0], cells != NODATA)


def test_the_file_is_a_cog_to_two_other_programs(tmp_path: Path) -> None:
    rng = np.random.default_rng(7)
    cells = rng.normal(300, 50, (700, 500)).astype("float32")
    cells[:40] = np.nan
    cog, facts, _ = run(write_tif(tmp_path / "a.tif", cells, grid(100, 40, 0.001)))
    valid, errors, _ = cog_validate(cog, strict=True, quiet=True)
    assert valid, errors
    text = subprocess.run(["gdalinfo", "-json", "-stats", str(cog)], check=True, capture_output=True, text=True).stdout
    told = json.loads(text)
    assert told["metadata"]["IMAGE_STRUCTURE"]["LAYOUT"] == "COG"
    assert told["bands"][0]["block"] == [128, 128]
    assert [o["size"] for o in told["bands"][0]["overviews"]] == [[250, 350], [125, 175], [62, 87]]
    band, statistics = facts.bands[0], told["bands"][0]["metadata"][""]
    assert band.minimum == pytest.approx(float(statistics["STATISTICS_MINIMUM"]))
    assert band.mean == pytest.approx(float(statistics["STATISTICS_MEAN"]))
    assert band.deviation == pytest.approx(float(statistics["STATISTICS_STDDEV"]))
    assert band.valid == 660 * 500


def test_many_chunks_give_the_figures_of_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(3)
    cells = rng.gamma(2, 40, (301, 97)).astype("float32")
    file = write_tif(tmp_path / "a.tif", cells)
    monkeypatch.setattr("ingest.cog.CELLS_PER_CHUNK", 1000)
    band = run(file)[1].bands[0]
    exact = cells.astype("float64")
    assert band.mean == pytest.approx(exact.mean(), rel=1e-12)
    assert band.deviation == pytest.approx(exact.std(), rel=1e-12)
    assert band.total == pytest.approx(math.fsum(exact.ravel().tolist()), rel=1e-14)
    np.testing.assert_array_equal(band.histogram, np.histogram(exact, bins=64)[0])


def test_rows_from_south_to_north_are_turned(tmp_path: Path) -> None:
    cells = ramp_of_numbers(5, 3)
    upward = Affine(0.01, 0.0, 100.0, 0.0, 0.01, 30.0)
    cog, _, _ = run(write_tif(tmp_path / "a.tif", cells, upward))
    np.testing.assert_array_equal(cells_of(cog)[0][0], cells[::-1])
    with rasterio.open(cog) as dataset:
        assert dataset.bounds == pytest.approx((100.0, 30.0, 100.03, 30.05))
        assert dataset.transform.e < 0


class TestNoData:
    """Which cells count as empty, and how the stored file says so."""

    def test_the_files_own_value_comes_first(self, tmp_path: Path) -> None:
        cells = np.array([[7, 8], [-9999, 9]], dtype="float32")
        layer = raster_layer(**mapped(nodata=8))
        assert run(write_tif(tmp_path / "a.tif", cells, nodata=7), layer)[1].bands[0].valid == 3

    def test_then_the_mappings(self, tmp_path: Path) -> None:
        cells = np.array([[7, 8], [-9999, 9]], dtype="float32")
        assert run(write_tif(tmp_path / "a.tif", cells), raster_layer(**mapped(nodata=8)))[1].bands[0].minimum == -9999

    def test_then_the_layers(self, tmp_path: Path) -> None:
        cells = np.array([[7, 8], [-9999, 9]], dtype="float32")
        band = run(write_tif(tmp_path / "a.tif", cells))[1].bands[0]
        assert (band.valid, band.minimum, band.nodata) == (3, 7, -9999)

    def test_not_a_number_is_never_a_value(self, tmp_path: Path) -> None:
        cells = np.array([[7, np.nan], [8, 9]], dtype="float32")
        cog, facts, _ = run(write_tif(tmp_path / "a.tif", cells, nodata=8))
        assert (facts.bands[0].valid, facts.bands[0].total) == (2, 16)
        np.testing.assert_array_equal(cells_of(cog)[1][0], [[True, False], [False, True]])

    def test_a_declared_not_a_number_survives_json(self, tmp_path: Path) -> None:
        cells = np.array([[7, np.nan]], dtype="float32")
        cog, facts, _ = run(write_tif(tmp_path / "a.tif", cells, nodata=math.nan))
        told = json.loads(json.dumps(facts.model_dump(mode="json"), allow_nan=False))
        nodata = RasterFacts.model_validate(told).bands[0].nodata
        assert nodata is not None
        assert math.isnan(nodata)
        with rasterio.open(cog) as dataset:
            assert math.isnan(dataset.nodata)

    def test_a_rounded_tag_still_meets_the_cells(self, tmp_path: Path) -> None:
        lowest = np.finfo("float32").min
        cells = np.array([[lowest, 5]], dtype="float32")
        assert run(write_tif(tmp_path / "a.tif", cells, nodata=-3.4028234663852886e38))[1].bands[0].minimum == 5

    def test_a_mask_is_kept(self, tmp_path: Path) -> None:
        mask = np.array([[True, False], [True, True]])
        layer = raster_layer(**COLOURED)
        cells = np.zeros((3, 2, 2), dtype="uint8")
        cog, facts, _ = run(write_tif(tmp_path / "a.tif", cells, mask=mask), layer)
        assert facts.bands[0].valid == 3
        np.testing.assert_array_equal(cells_of(cog)[1], np.broadcast_to(mask, (3, 2, 2)))

    def test_alpha_becomes_a_mask(self, tmp_path: Path) -> None:
        cells = np.full((4, 2, 2), 9, dtype="uint8")
        cells[3] = [[255, 0], [255, 255]]
        cog, facts, _ = run(write_tif(tmp_path / "a.tif", cells, alpha=True), raster_layer(**COLOURED))
        assert len(facts.bands) == 3
        np.testing.assert_array_equal(cells_of(cog)[1][1], cells[3] > 0)

    def test_bands_whose_empty_values_collide_are_refused(self, tmp_path: Path) -> None:
        cells = np.stack([np.array([[1, 2]]), np.array([[3, 1]])]).astype("uint8")
        bands = [{"name": "a", "nodata": 1}, {"name": "b", "nodata": 3}]
        with pytest.raises(SourceMismatch, match="no data"):
            run(write_tif(tmp_path / "a.tif", cells), raster_layer(bands=bands))


class TestBands:
    """Which bands are taken, and how their values change."""

    def test_a_mapping_chooses_and_repeats(self, tmp_path: Path) -> None:
        cells = np.stack([np.full((2, 2), v, dtype="uint8") for v in (10, 20, 30, 40)])
        cog, _, _ = run(write_tif(tmp_path / "a.tif", cells), raster_layer(**COLOURED, **mapped(bands=[4, 2, 2])))
        assert cells_of(cog)[0][:, 0, 0].tolist() == [40, 20, 20]

    @pytest.mark.parametrize(
        ("count", "mapping"), [(4, {}), (2, {}), (4, {"bands": [1, 2, 9]}), (4, {"bands": [1, 2]})]
    )
    def test_a_number_that_does_not_fit_is_refused(self, tmp_path: Path, count: int, mapping: dict[str, Any]) -> None:
        file = write_tif(tmp_path / "a.tif", np.ones((count, 2, 2), dtype="uint8"), photometric="MINISBLACK")
        with pytest.raises(SourceMismatch, match=r"band\(s\)"):
            run(file, raster_layer(**COLOURED, **mapped(**mapping)))

    def test_scale_offset_and_factor(self, tmp_path: Path) -> None:
        file = write_tif(tmp_path / "a.tif", np.array([[100, 200], [-5, 300]], dtype="int16"), nodata=-5)
        with rasterio.open(file, "r+") as dataset:
            dataset.scales, dataset.offsets = (0.5,), (10.0,)
        cog, facts, _ = run(file, raster_layer(**mapped(factor={"height": 0.3048})))
        values, valid = cells_of(cog)
        expected = [(v * 0.5 + 10) * 0.3048 for v in (100, 200, 300)]
        assert values[0][valid[0]].tolist() == pytest.approx(expected, rel=1e-6)
        assert facts.bands[0].valid == 3

    def test_complex_numbers_are_refused(self, tmp_path: Path) -> None:
        with pytest.raises(SourceMismatch, match="complex"):
            run(write_tif(tmp_path / "a.tif", np.ones((2, 2), dtype="complex64")))

    @pytest.mark.parametrize("dtype", ["uint8", "int8", "uint16", "int16", "uint32", "int32", "int64", "float64"])
    def test_every_real_type_keeps_its_values(self, tmp_path: Path, dtype: str) -> None:
        cells = np.array([[1, 2], [3, 120]], dtype=dtype)
        cog, _, _ = run(write_tif(tmp_path / "a.tif", cells))
        np.testing.assert_array_equal(cells_of(cog)[0][0], cells)


class TestClasses:
    """Cells that are codes of a list."""

    def test_counts_and_strangers(self, tmp_path: Path) -> None:
        cells = np.array([[1, 1, 2], [3, 9, 255]], dtype="uint8")
        _, facts, findings = run(write_tif(tmp_path / "a.tif", cells, nodata=255), raster_layer(**CLASSED))
        assert facts.bands[0].classes == {1: 2, 2: 1, 3: 1, 9: 1}
        assert [(f.rule, f.severity, f.count) for f in findings] == [("class-not-listed", "warning", 1)]
        assert "9" in findings[0].message

    def test_the_palette_is_kept(self, tmp_path: Path) -> None:
        palette = {1: (1, 2, 3, 255), 2: (4, 5, 6, 255)}
        file = write_tif(tmp_path / "a.tif", np.array([[1, 2]], dtype="uint8"), palette=palette)
        cog, _, _ = run(file, raster_layer(**CLASSED))
        with rasterio.open(cog) as dataset:
            assert {k: dataset.colormap(1)[k] for k in palette} == palette

    @pytest.mark.parametrize("wanted", ["mode", "average", "bilinear"])
    def test_overviews_hold_only_classes_of_the_source(self, tmp_path: Path, wanted: str) -> None:
        cells = np.where(np.random.default_rng(1).random((300, 300)) < 0.5, 1, 3).astype("uint8")
        layer = raster_layer(**{**CLASSED, "cog": {"blocksize": 128, "compress": "deflate", "overviews": wanted}})
        cog, _, _ = run(write_tif(tmp_path / "a.tif", cells), layer)
        with rasterio.open(cog, OVERVIEW_LEVEL=0) as overview:
            assert overview.shape == (150, 150)
            assert set(np.unique(overview.read(1)).tolist()) <= {1, 3}

    def test_codes_written_as_decimals_become_whole(self, tmp_path: Path) -> None:
        cells = np.array([[1.0, 2.0], [np.nan, 3.0]], dtype="float32")
        cog, facts, _ = run(write_tif(tmp_path / "a.tif", cells), raster_layer(**CLASSED))
        assert facts.bands[0].dtype == "int32"
        values, valid = cells_of(cog)
        assert values[0][valid[0]].tolist() == [1, 2, 3]

    def test_fractions_are_refused(self, tmp_path: Path) -> None:
        with pytest.raises(SourceMismatch, match="whole numbers"):
            run(write_tif(tmp_path / "a.tif", np.array([[1.5]], dtype="float32")), raster_layer(**CLASSED))

    def test_a_measurement_is_no_classification(self, tmp_path: Path) -> None:
        file = write_tif(tmp_path / "a.tif", ramp_of_numbers(80, 80, "int32"))
        with pytest.raises(SourceMismatch, match="codes of a list"):
            run(file, raster_layer(**CLASSED))

    def test_a_mapping_recodes(self, tmp_path: Path) -> None:
        cells = np.array([[11, 12, 41], [0, 77, 255]], dtype="uint8")
        table = {"class": {"11": "1", "12": "1", "41": "2", "0": None, "*": "3"}}
        _, facts, _ = run(
            write_tif(tmp_path / "a.tif", cells, nodata=255), raster_layer(**CLASSED, **mapped(values=table))
        )
        assert facts.bands[0].classes == {1: 2, 2: 1, 3: 1}
        assert facts.bands[0].valid == 4

    def test_a_palette_becomes_red_green_blue(self, tmp_path: Path) -> None:
        palette = {0: (0, 0, 0, 0), 1: (10, 20, 30, 255), 2: (40, 50, 60, 255)}
        file = write_tif(tmp_path / "a.tif", np.array([[1, 2, 0]], dtype="uint8"), palette=palette)
        cog, facts, _ = run(file, raster_layer(**COLOURED))
        values, valid = cells_of(cog)
        assert values[:, 0, :2].T.tolist() == [[10, 20, 30], [40, 50, 60]]
        assert valid[0, 0].tolist() == [True, True, False]
        assert facts.bands[1].valid == 2

    def test_a_palette_that_nobody_needs_is_mentioned(self, tmp_path: Path) -> None:
        file = write_tif(tmp_path / "a.tif", np.array([[1, 2]], dtype="uint8"), palette={1: (1, 2, 3, 255)})
        assert [f.rule for f in run(file)[2]] == ["palette-ignored"]


@pytest.mark.parametrize("shape", [(512, 384), (301, 517)])
@pytest.mark.parametrize("dtype", ["float32", "uint16"])
def test_overviews_of_sums_add_up_at_every_level(tmp_path: Path, shape: tuple[int, int], dtype: str) -> None:
    rng = np.random.default_rng(5)
    cells = rng.integers(0, 90, shape).astype(dtype)
    empty = rng.random(shape) < 0.2
    cells[empty] = 9999
    cog, facts, _ = run(write_tif(tmp_path / "a.tif", cells, nodata=9999), raster_layer(**PEOPLE))
    people = int(cells[~empty].sum(dtype="int64"))
    assert facts.bands[0].total == people
    with rasterio.open(cog) as dataset:
        levels = len(dataset.overviews(1))
    assert levels >= 2
    assert cog_validate(cog, strict=True, quiet=True)[0]
    for level in range(levels):
        with rasterio.open(cog, OVERVIEW_LEVEL=level) as overview:
            assert float(overview.read(1, masked=True).sum(dtype="float64")) == people
    with rasterio.open(cog, OVERVIEW_LEVEL=0) as overview:
        first = overview.read(1, masked=True)
    block, hole = cells[:2, :2].astype("int64"), empty[:2, :2]
    assert bool(np.ma.getmaskarray(first)[0, 0]) == bool(hole.all())
    if not hole.all():
        assert first[0, 0] == block[~hole].sum()


class TestPlace:
    """CRS, grid and footprint."""

    def test_the_crs_of_the_source_stays(self, tmp_path: Path) -> None:
        cog, facts, _ = run(
            write_tif(tmp_path / "a.tif", ramp_of_numbers(4, 4), grid(500_000, 4_400_000, 30), "EPSG:4549")
        )
        assert facts.crs == "EPSG:4549"
        with rasterio.open(cog) as dataset:
            assert dataset.crs.to_epsg() == 4549
            assert dataset.transform == grid(500_000, 4_400_000, 30)

    def test_4490_is_written_as_such(self, tmp_path: Path) -> None:
        cog, facts, _ = run(write_tif(tmp_path / "a.tif", ramp_of_numbers(4, 4)))
        with rasterio.open(cog) as dataset:
            assert dataset.crs.to_epsg() == 4490
        assert facts.crs == "EPSG:4490"
        assert facts.outline.bounds == pytest.approx((100.0, 39.96, 100.04, 40.0))

    def test_a_missing_crs_needs_the_mapping(self, tmp_path: Path) -> None:
        file = write_tif(tmp_path / "a.tif", ramp_of_numbers(4, 4), crs=None)
        with pytest.raises(CrsRefused, match="states no coordinate reference system"):
            run(file)
        assert run(file, raster_layer(**mapped(crs="EPSG:4490")))[1].crs == "EPSG:4490"

    def test_a_stated_crs_beats_the_assumed_one_but_not_the_correction(self, tmp_path: Path) -> None:
        file = write_tif(tmp_path / "a.tif", ramp_of_numbers(4, 4), crs="EPSG:4326")
        assert run(file, raster_layer(**mapped(crs="EPSG:4490")))[1].crs == "EPSG:4326"
        cog, facts, _ = run(file, raster_layer(**mapped(override_crs="EPSG:4490")))
        assert facts.crs == "EPSG:4490"
        with rasterio.open(cog) as dataset:
            assert dataset.crs.to_epsg() == 4490

    @pytest.mark.parametrize("crs", ["EPSG:4214", "EPSG:4610", "EPSG:2435", "EPSG:2379"])
    def test_controlled_datums_are_refused(self, tmp_path: Path, crs: str) -> None:
        place = grid(100, 40, 0.01) if crs in ("EPSG:4214", "EPSG:4610") else grid(38_500_000, 4_400_000, 30)
        with pytest.raises(CrsRefused, match="no public transformation"):
            run(write_tif(tmp_path / "a.tif", ramp_of_numbers(4, 4), place, crs))

    def test_swapped_axes_are_noticed(self, tmp_path: Path) -> None:
        with pytest.raises(SourceMismatch, match="axis order"):
            run(write_tif(tmp_path / "a.tif", ramp_of_numbers(4, 4), grid(40, 104, 0.01)))

    def test_metres_called_degrees_are_noticed(self, tmp_path: Path) -> None:
        with pytest.raises(SourceMismatch, match="latitudes"):
            run(write_tif(tmp_path / "a.tif", ramp_of_numbers(4, 4), grid(500_000, 4_400_000, 30), "EPSG:4326"))

    @pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
    def test_a_picture_without_a_place_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(SourceMismatch, match="not georeferenced"):
            run(write_tif(tmp_path / "a.tif", ramp_of_numbers(4, 4), Affine.identity()))


def test_further_images_in_the_file_are_mentioned(tmp_path: Path) -> None:
    file = write_tif(tmp_path / "a.tif", ramp_of_numbers(4, 4))
    second = {"driver": "GTiff", "width": 2, "height": 2, "count": 1, "dtype": "uint8", "APPEND_SUBDATASET": "YES"}
    with rasterio.open(file, "w", **second, transform=grid(100, 40, 0.01), crs="EPSG:4490") as dataset:
        dataset.write(np.ones((1, 2, 2), dtype="uint8"))
    _, facts, findings = run(file)
    assert (facts.width, facts.height) == (4, 4)
    assert [(f.rule, f.count) for f in findings] == [("further-images", 1)]


def test_only_needed_drivers_are_left_in_the_child() -> None:
    code = "from ingest.raster_drivers import registered, strangers; print(registered(), strangers())"
    told = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "GDAL_SKIP": raster_skip_list()},
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    assert told.strip() == "('AAIGrid', 'COG', 'GTiff', 'HFA', 'JPEG', 'MEM', 'PNG', 'netCDF') ()"


class TestRefused:
    """Files that are not what they claim."""

    def test_other_formats_under_the_same_name(self, tmp_path: Path) -> None:
        inner = write_tif(tmp_path / "inner.tif", ramp_of_numbers(4, 4))
        wrapped = tmp_path / "wrapped.tif"
        subprocess.run(["gdal_translate", "-q", "-of", "VRT", str(inner), str(wrapped)], check=True)
        text = tmp_path / "text.tif"
        text.write_text("ncols 2\nnrows 2\nxllcorner 0\nyllcorner 0\ncellsize 1\n1 2\n3 4\n")
        for file in (wrapped, text):
            with pytest.raises(SourceUnreadable, match="should be a GeoTIFF by its extension"):
                run(file)

    def test_a_header_that_claims_too_much(self, tmp_path: Path) -> None:
        file = tmp_path / "bomb.tif"
        profile = {"driver": "GTiff", "width": 400_000, "height": 400_000, "count": 1, "dtype": "float32"}
        with rasterio.open(
            file,
            "w",
            **profile,
            crs="EPSG:4490",
            transform=grid(100, 40, 1e-6),
            tiled=True,
            sparse_ok=True,
            bigtiff="yes",
        ):
            pass
        assert file.stat().st_size < 50 << 20
        with pytest.raises(SourceUnreadable, match="claims 400000 x 400000 cells"):
            run(file)

    def test_a_block_that_would_not_fit(self, tmp_path: Path) -> None:
        file = write_tif(tmp_path / "a.tif", ramp_of_numbers(400, 400), tiled=True, blockxsize=400, blockysize=400)
        with pytest.raises(SourceUnreadable, match="one block of cells"):
            run(file, limits=ReadLimits(memory=1 << 20))

    def test_a_file_that_was_cut_off(self, tmp_path: Path) -> None:
        rng = np.random.default_rng(0)
        file = write_tif(tmp_path / "whole.tif", rng.random((400, 400)).astype("float32"), compress="deflate")
        cut = tmp_path / "cut.tif"
        shutil.copyfile(file, cut)
        with cut.open("r+b") as handle:
            handle.truncate(file.stat().st_size // 2)
        with pytest.raises((GeoError, rasterio.errors.RasterioError)):
            run(cut)

    def test_nothing_but_empty_cells(self, tmp_path: Path) -> None:
        with pytest.raises(SourceUnreadable, match="holds no data"):
            run(write_tif(tmp_path / "a.tif", np.full((3, 3), -9999, dtype="float32")))

    def test_lossy_compression_of_measurements(self, tmp_path: Path) -> None:
        layer = raster_layer(cog={"blocksize": 128, "compress": "jpeg"})
        with pytest.raises(SourceMismatch, match="lossy"):
            run(write_tif(tmp_path / "a.tif", ramp_of_numbers(4, 4)), layer)
