"""Rasters of every format, through the confined child; what lies beside them; pictures, grids and their families."""

from __future__ import annotations

import subprocess
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import rasterio
from affine import Affine
from rasterio.errors import NotGeoreferencedWarning

from ingest.job import ReadSummary
from ingest.raster_facts import REFUSED_KEY, Stored, cog_name, read_stored
from ingest.raster_family import raster_siblings
from ingest.readers.raster import convert
from ingest.record import identify
from ingest.sandbox import open_raster
from layers.errors import CrsRefused, SourceMismatch, SourceUnreadable
from layers.model import RasterLayer
from tests.support.netcdf import grid_variables, write_netcdf
from tests.support.rasters import COLOURED, grid, ramp_of_numbers, raster_layer, raster_plan, write_tif

Cells = npt.NDArray[Any]
HEIGHTS = np.array([[1.5, 2.0, 3.0], [4.0, -9999.0, 6.0]], dtype="float32")
ASCII = "ncols 3\nnrows 2\nxllcorner 100\nyllcorner 30\ncellsize 0.5\nNODATA_value -9999\n1.5 2 3\n4 -9999 6\n"
WORLD = "0.5\n0\n0\n-0.5\n100.25\n30.75\n"


def layer_of(suffix: str, base: dict[str, Any] | None = None, **mapping: Any) -> RasterLayer:
    """A layer that takes files of one extension."""
    return raster_layer(**{**(base or {}), "sources": {"any": {"match": [f"*{suffix}"], **mapping}}})


def confined(file: Path, layer: RasterLayer) -> tuple[ReadSummary, list[Stored], list[Cells]]:
    """Rewrite a source in the confined child; its summary, what it stored, and the stored cells."""
    with open_raster(raster_plan(layer, file)) as reader:
        folder = reader.finish()
        stored = [read_stored(folder, n) for n in range(reader.summary.good)]
        cells: list[Cells] = []
        for n in range(len(stored)):
            with rasterio.open(folder / cog_name(n), driver="GTiff") as dataset:
                cells.append(dataset.read(masked=True))
        return reader.summary, stored, cells


def translate(source: Path, target: Path, driver: str, *options: str) -> Path:
    """Write another format with the command of another build of GDAL."""
    subprocess.run(["gdal_translate", "-q", "-of", driver, *options, str(source), str(target)], check=True)
    return target


def ascii_grid(folder: Path) -> Path:
    file = folder / "a.asc"
    file.write_text(ASCII)
    (folder / "a.prj").write_text(
        'GEOGCS["GCS_China_Geodetic_Coordinate_System_2000",DATUM["D_China_2000",SPHEROID["CGCS2000",6378137.0,'
        '298.257222101]],PRIMEM["Greenwich",0.0],UNIT["Degree",0.0174532925199433]]'
    )
    return file


def erdas(folder: Path) -> Path:
    source = write_tif(folder / "in.tif", HEIGHTS, grid(100, 31, 0.5), nodata=-9999)
    return translate(source, folder / "a.img", "HFA")


def erdas_in_two_files(folder: Path) -> Path:
    source = write_tif(folder / "in.tif", HEIGHTS, grid(100, 31, 0.5), nodata=-9999)
    return translate(source, folder / "a.img", "HFA", "-co", "USE_SPILL=YES")


def classic_netcdf(folder: Path) -> Path:
    lon, lat = np.array([100.25, 100.75, 101.25]), np.array([30.75, 30.25])
    variables = grid_variables(HEIGHTS, lon, lat, _FillValue=np.array([-9999], dtype="f4"))
    return write_netcdf(folder / "a.nc", variables)


def modern_netcdf(folder: Path) -> Path:
    source = write_tif(folder / "in.tif", HEIGHTS, grid(100, 31, 0.5), nodata=-9999)
    return translate(source, folder / "a.nc4", "netCDF", "-co", "FORMAT=NC4")


@pytest.mark.parametrize(
    ("make", "driver"),
    [
        (ascii_grid, "AAIGrid"),
        (erdas, "HFA"),
        (erdas_in_two_files, "HFA"),
        (classic_netcdf, "netCDF"),
        (modern_netcdf, "netCDF"),
    ],
)
def test_the_same_heights_in_every_format(tmp_path: Path, make: Callable[[Path], Path], driver: str) -> None:
    file = make(tmp_path)
    summary, (stored,), (cells,) = confined(file, layer_of(file.suffix, crs="EPSG:4490"))
    assert summary.driver == driver
    assert (stored.name, stored.facts.crs) == (file.name, "EPSG:4490")
    assert stored.facts.outline.bounds == pytest.approx((100.0, 30.0, 101.5, 31.0))
    np.testing.assert_array_equal(cells[0].filled(-9999), HEIGHTS)
    assert (stored.facts.bands[0].valid, stored.facts.bands[0].total) == (5, 16.5)


def picture(folder: Path, name: str, driver: str, world: str, crs: str = ".prj") -> Path:
    """A picture of two colours, its world file, and its CRS in one of two places."""
    cells = np.zeros((3, 16, 16), dtype="uint8")
    cells[0, :, :8], cells[2, :, 8:] = 200, 100
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        source = write_tif(folder / "in.tif", cells, Affine.identity(), crs=None, photometric="RGB")
    file = translate(source, folder / name, driver, *(["-co", "QUALITY=100"] if driver == "JPEG" else []))
    for left in folder.glob("*.aux.xml"):
        left.unlink()
    (folder / world).write_text(WORLD)
    wkt = rasterio.crs.CRS.from_epsg(4490).to_wkt(version="WKT1_ESRI")
    if crs == ".prj":
        (folder / f"{file.stem}.prj").write_text(wkt)
    else:
        text = wkt.replace('"', "&quot;")
        (folder / f"{name}.aux.xml").write_text(f"<PAMDataset><SRS>{text}</SRS></PAMDataset>")
    return file


@pytest.mark.parametrize(
    ("name", "driver", "world", "crs"),
    [
        ("a.png", "PNG", "a.pgw", ".prj"),
        ("a.png", "PNG", "a.png.wld", ".aux.xml"),
        ("a.PNG", "PNG", "A.PNGW", ".prj"),
        ("a.jpg", "JPEG", "a.jgw", ".aux.xml"),
        ("a.jpeg", "JPEG", "a.wld", ".prj"),
        ("a.tif", "GTiff", "a.tfw", ".prj"),
    ],
)
def test_pictures_with_a_world_file(tmp_path: Path, name: str, driver: str, world: str, crs: str) -> None:
    if name == "a.tif":
        (tmp_path / "source").mkdir()
        made = picture(tmp_path / "source", "b.tif", driver, "a.tfw")
        file = made.rename(tmp_path / name)
        for beside in ("a.tfw", "b.prj"):
            (tmp_path / "source" / beside).rename(tmp_path / f"a{Path(beside).suffix}")
    else:
        file = picture(tmp_path, name, driver, world, crs)
    base = {**COLOURED, "bands": [{"name": n} for n in ("red", "green", "blue")]}
    _, (stored,), (cells,) = confined(file, layer_of(file.suffix, base))
    assert stored.facts.crs == "EPSG:4490"
    # The world file gives the centre of the upper left cell: the corner is half a cell off.
    assert stored.facts.outline.bounds == pytest.approx((100.0, 23.0, 108.0, 31.0))
    assert cells[:, 8, 2].tolist() == pytest.approx([200, 0, 0], abs=12)
    assert cells[:, 8, 13].tolist() == pytest.approx([0, 0, 100], abs=12)


class TestBeside:
    """The files beside a raster."""

    def place(self, folder: Path, **files: str) -> Path:
        file = picture(folder, "a.png", "PNG", "a.pgw")
        for name, text in files.items():
            (folder / f"a.{name}").write_text(text)
        return file

    @pytest.fixture
    def layer(self) -> RasterLayer:
        return layer_of(".png", {**COLOURED, "bands": [{"name": n} for n in ("red", "green", "blue")]})

    def test_without_a_world_file_a_picture_has_no_place(self, tmp_path: Path, layer: RasterLayer) -> None:
        file = self.place(tmp_path)
        (tmp_path / "a.pgw").unlink()
        with pytest.raises(SourceMismatch, match="no world file"):
            confined(file, layer)

    @pytest.mark.parametrize("world", ["", "1\n2\n", "0.5\n0\n0\nnan\n1\n2\n", "0.5\n0\n0\n-0.5\nx\n2\n"])
    def test_a_broken_world_file_is_told(self, tmp_path: Path, layer: RasterLayer, world: str) -> None:
        with pytest.raises(SourceUnreadable, match="world file"):
            confined(self.place(tmp_path, pgw=world), layer)

    def test_a_broken_projection_is_told(self, tmp_path: Path, layer: RasterLayer) -> None:
        with pytest.raises(CrsRefused, match="cannot be understood"):
            confined(self.place(tmp_path, prj="no projection"), layer)

    def test_an_auxiliary_file_with_a_document_type_is_refused(self, tmp_path: Path, layer: RasterLayer) -> None:
        file = self.place(tmp_path)
        (tmp_path / "a.aux.xml").write_text('<!DOCTYPE a [<!ENTITY b "c">]><PAMDataset/>')
        with pytest.raises(SourceUnreadable, match="document type"):
            confined(file, layer)

    def test_the_family_counts_in_the_digest(self, tmp_path: Path) -> None:
        file = self.place(tmp_path)
        (tmp_path / "b.pgw").write_text("another picture's")
        assert {p.name for p in raster_siblings(file)} == {"a.pgw", "a.prj"}
        before = identify(file)
        (tmp_path / "a.pgw").write_text(WORLD.replace("100.25", "101.25"))
        after = identify(file)
        assert before.sha256 != after.sha256
        assert identify(tmp_path / "in.tif").size == (tmp_path / "in.tif").stat().st_size

    def test_a_link_to_another_folder_brings_nothing_in(self, tmp_path: Path, layer: RasterLayer) -> None:
        (tmp_path / "here").mkdir()
        file = self.place(tmp_path / "here")
        (tmp_path / "here" / "a.prj").rename(tmp_path / "secret.prj")
        (tmp_path / "here" / "a.prj").symlink_to(tmp_path / "secret.prj")
        with pytest.raises(SourceUnreadable, match="link to another folder"):
            confined(file, layer)

    def test_a_mask_beside_the_file_counts(self, tmp_path: Path) -> None:
        file = tmp_path / "a.tif"
        with rasterio.Env(GDAL_TIFF_INTERNAL_MASK="NO"):
            profile = {"driver": "GTiff", "width": 2, "height": 2, "count": 1, "dtype": "uint8", "crs": "EPSG:4490"}
            with rasterio.open(file, "w", **profile, transform=grid(100, 40, 0.1)) as target:
                target.write(np.full((1, 2, 2), 7, dtype="uint8"))
                target.write_mask(np.array([[True, False], [True, True]]))
        assert (tmp_path / "a.tif.msk").is_file()
        _, (stored,), _ = confined(file, layer_of(".tif"))
        assert stored.facts.bands[0].valid == 3


class TestArchives:
    """Many tiles in one delivery."""

    def pack(self, folder: Path, *files: Path) -> Path:
        with zipfile.ZipFile(folder / "tiles.zip", "w") as archive:
            for file in files:
                archive.write(file, f"tiles/{file.name}")
        return folder / "tiles.zip"

    def tiles(self, folder: Path, count: int) -> list[Path]:
        return [
            write_tif(folder / f"t{i}.tif", ramp_of_numbers(4, 4) + i, grid(100 + i, 40, 0.1)) for i in range(count)
        ]

    def test_each_tile_becomes_an_asset(self, tmp_path: Path) -> None:
        summary, stored, cells = confined(self.pack(tmp_path, *self.tiles(tmp_path, 3)), layer_of(".zip"))
        assert (summary.read, summary.good, summary.bad) == (3, 3, 0)
        assert [s.name for s in stored] == ["t0.tif", "t1.tif", "t2.tif"]
        assert [int(c[0, 0, 0]) for c in cells] == [0, 1, 2]
        assert [s.facts.outline.bounds[0] for s in stored] == pytest.approx([100, 101, 102])

    def test_a_bad_tile_does_not_hold_up_the_others(self, tmp_path: Path) -> None:
        good, cut, fake = self.tiles(tmp_path, 3)
        cut.write_bytes(cut.read_bytes()[:60])
        fake.write_text("no raster")
        summary, stored, _ = confined(self.pack(tmp_path, good, cut, fake), layer_of(".zip"))
        assert (summary.read, summary.good, summary.bad) == (3, 1, 2)
        assert [s.name for s in stored] == ["t0.tif"]
        told = {r["name"]: r["reason"] for r in summary.facts[REFUSED_KEY]}
        assert set(told) == {"t1.tif", "t2.tif"}
        assert "should be a GeoTIFF by its extension" in told["t2.tif"]
        assert [(f.rule, f.severity, f.count) for f in summary.findings] == [("raster-refused", "error", 2)]

    def test_with_no_good_tile_the_source_is_refused(self, tmp_path: Path) -> None:
        (fake,) = self.tiles(tmp_path, 1)
        fake.write_text("no raster")
        with pytest.raises(SourceUnreadable, match="should be a GeoTIFF"):
            confined(self.pack(tmp_path, fake), layer_of(".zip"))

    def test_a_preview_is_no_tile_and_is_mentioned(self, tmp_path: Path) -> None:
        (tile,) = self.tiles(tmp_path, 1)
        preview = translate(tile, tmp_path / "preview.png", "PNG", "-ot", "Byte")
        summary, stored, _ = confined(self.pack(tmp_path, tile, preview), layer_of(".zip"))
        assert [s.name for s in stored] == ["t0.tif"]
        assert [(f.rule, f.count) for f in summary.findings] == [("previews", 1)]

    def test_an_archive_without_a_raster_is_told(self, tmp_path: Path) -> None:
        (tmp_path / "a.txt").write_text("x")
        with pytest.raises(SourceUnreadable, match="contains no raster"):
            confined(self.pack(tmp_path, tmp_path / "a.txt"), layer_of(".zip"))


class TestPlace:
    """Grids that do not lie straight."""

    def run(self, file: Path, layer: RasterLayer) -> tuple[Stored, Cells, tuple[str, ...]]:
        summary = convert(raster_plan(layer, file), file, file.parent)
        with rasterio.open(file.parent / cog_name(0)) as dataset:
            return read_stored(file.parent, 0), dataset.read(masked=True), tuple(f.rule for f in summary.findings)

    def test_a_rotated_grid_of_classes_is_sampled_at_the_nearest_cell(self, tmp_path: Path) -> None:
        rng = np.random.default_rng(4)
        cells = rng.integers(1, 4, (40, 60)).astype("uint8")
        turned = Affine.translation(100, 40) @ Affine.rotation(17) @ Affine.scale(0.01, -0.01)
        layer = layer_of(
            ".tif", {"bands": [{"name": "class", "nodata": 255}], "list": "cover@1", "style": {"classes": "cover@1"}}
        )
        stored, found, rules = self.run(write_tif(tmp_path / "a.tif", cells, turned, nodata=255), layer)
        assert rules == ("resampled",)
        with rasterio.open(tmp_path / cog_name(0)) as dataset:
            place = dataset.transform
        assert (place.b, place.d) == (0, 0)
        inverse = ~turned
        for row, column in zip(*np.nonzero(~np.ma.getmaskarray(found[0])), strict=True):
            x, y = inverse * (place * (column + 0.5, row + 0.5))
            near = [(int(np.floor(y + dy)), int(np.floor(x + dx))) for dy in (-0.02, 0.02) for dx in (-0.02, 0.02)]
            assert found[0, row, column] in {cells[r, c] for r, c in near if 0 <= r < 40 and 0 <= c < 60}
        assert stored.facts.bands[0].valid == pytest.approx(40 * 60, rel=0.05)

    def test_a_mirrored_grid_is_turned_round_exactly(self, tmp_path: Path) -> None:
        cells = ramp_of_numbers(5, 4) + 1
        mirrored = Affine(-0.01, 0, 100.04, 0, -0.01, 40)
        layer = layer_of(".tif", {"cog": {"overviews": "nearest"}})
        _, found, rules = self.run(write_tif(tmp_path / "a.tif", cells, mirrored), layer)
        assert rules == ("resampled",)
        np.testing.assert_array_equal(found[0], cells[:, ::-1])

    def test_what_a_rotated_picture_does_not_cover_is_masked(self, tmp_path: Path) -> None:
        turned = Affine.translation(100, 40) @ Affine.rotation(45) @ Affine.scale(0.01, -0.01)
        base = {**COLOURED, "bands": [{"name": n} for n in ("red", "green", "blue")]}
        file = write_tif(tmp_path / "a.tif", np.full((3, 50, 50), 90, dtype="uint8"), turned, photometric="RGB")
        stored, found, _ = self.run(file, layer_of(".tif", base))
        assert found[0, 0, 0] is np.ma.masked
        assert np.unique(found.compressed()).tolist() == [90]
        assert stored.facts.bands[0].valid == pytest.approx(2500, rel=0.05)
        # The outline follows the covered diamond, which is half of the box around it.
        box = np.prod(
            [b - a for a, b in zip(stored.facts.outline.bounds[:2], stored.facts.outline.bounds[2:], strict=True)]
        )
        assert stored.facts.outline.area == pytest.approx(box / 2, rel=0.1)

    def test_ground_control_points_alone_are_refused(self, tmp_path: Path) -> None:
        corners = [rasterio.control.GroundControlPoint(r, c, 100 + c, 40 - r) for r in (0, 4) for c in (0, 4)]
        file = tmp_path / "a.tif"
        profile = {"driver": "GTiff", "width": 4, "height": 4, "count": 1, "dtype": "float32"}
        with rasterio.open(file, "w", **profile, gcps=corners, crs="EPSG:4490") as target:
            target.write(ramp_of_numbers(4, 4)[None])
        with pytest.raises(SourceMismatch, match="only by ground control points"):
            self.run(file, layer_of(".tif"))

    def test_the_outline_holds_every_cell_with_data_and_little_else(self, tmp_path: Path) -> None:
        cells = np.full((600, 400), -9999.0, dtype="float32")
        cells[100:200, 50:90] = 5
        cells[400:, 300:] = 6
        stored, _, _ = self.run(write_tif(tmp_path / "a.tif", cells, grid(100, 40, 0.01)), layer_of(".tif"))
        outline = stored.facts.outline
        assert len(outline.geoms) == 2
        exact = (100 * 40 + 200 * 100) * 1e-4
        assert exact - 1e-9 <= outline.area <= exact * 1.1
        assert outline.bounds == pytest.approx((100.48, 34.0, 104.0, 39.02), abs=0.03)

    def test_a_vertical_datum_is_recorded_and_compared(self, tmp_path: Path) -> None:
        file = write_tif(tmp_path / "a.tif", ramp_of_numbers(4, 4), crs="EPSG:4490+5737")
        bands = [{"name": "height", "vertical_datum": "EPSG:5703"}]
        stored, _, rules = self.run(file, layer_of(".tif", {"bands": bands}))
        assert stored.facts.vertical == "EPSG:5737"
        assert rules == ("vertical-datum",)
        with pytest.raises(CrsRefused, match="are on EPSG:5737, but the layer has EPSG:5703"):
            self.run(file, layer_of(".tif", {"bands": bands}, vertical="refuse"))

    def test_another_unit_is_noticed_and_ours_is_written(self, tmp_path: Path) -> None:
        file = write_tif(tmp_path / "a.tif", ramp_of_numbers(4, 4))
        with rasterio.open(file, "r+") as dataset:
            dataset.set_band_unit(1, "feet")
        assert self.run(file, layer_of(".tif"))[2] == ("unit",)
        with rasterio.open(tmp_path / cog_name(0)) as dataset:
            assert (dataset.units, dataset.descriptions) == (("m",), ("height",))
        assert self.run(file, layer_of(".tif", factor={"height": 0.3048}))[2] == ()
        with rasterio.open(file, "r+") as dataset:
            dataset.set_band_unit(1, "Metre")
        assert self.run(file, layer_of(".tif"))[2] == ()


class TestTypes:
    """Cell types that few files have."""

    def test_one_bit(self, tmp_path: Path) -> None:
        cells = np.random.default_rng(2).integers(0, 2, (9, 17)).astype("uint8")
        file = write_tif(tmp_path / "a.tif", cells, nbits=1)
        _, _, (found,) = confined(file, layer_of(".tif"))
        np.testing.assert_array_equal(found[0], cells)

    def test_whole_numbers_that_would_be_rounded_are_refused(self, tmp_path: Path) -> None:
        cells = np.array([[1, (1 << 53) + 1]], dtype="int64")
        with pytest.raises(SourceMismatch, match="beyond 2"):
            confined(write_tif(tmp_path / "a.tif", cells), layer_of(".tif"))

    def test_complex_whole_numbers_are_refused(self, tmp_path: Path) -> None:
        source = write_tif(tmp_path / "in.tif", ramp_of_numbers(4, 4, "int16"))
        with pytest.raises(SourceMismatch, match="complex"):
            confined(translate(source, tmp_path / "a.tif", "GTiff", "-ot", "CInt16"), layer_of(".tif"))

    def test_an_extension_that_is_no_rasters(self, tmp_path: Path) -> None:
        file = write_tif(tmp_path / "a.tif", ramp_of_numbers(4, 4)).rename(tmp_path / "a.dat")
        with pytest.raises(SourceUnreadable, match="extension of a raster"):
            confined(file, layer_of(".dat"))
