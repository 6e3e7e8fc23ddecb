"""The rasters of the real data pack: each is loaded as its layer file says, and read back by other means."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path

import morecantile
import numpy as np
import pytest
import rasterio
from rio_cogeo.cogeo import cog_validate

from geoservice.analysis.zonal import zonal
from geoservice.db.engine import Database
from ingest.job import plan
from ingest.raster import load_raster
from ingest.raster_facts import RasterFacts, cog_name, read_facts
from ingest.readers.raster import convert
from layers.asset import Asset
from layers.catalog import read_catalog
from layers.errors import CrsRefused, SourceMismatch
from layers.model import RasterLayer
from tests.support.loading import prepared
from tests.support.rasters import decoded
from tiles.raster import point_value, render

pytestmark = pytest.mark.realdata
CATALOG = read_catalog()

# Layer, file, CRS, band of the source behind the first band, cells without data.
FILES = [
    ("elevation", "elevation/hamersley_dtm.tif", 28350, 1, 109),
    ("elevation", "elevation/nz_elev.tif", 2193, 1, 1_348_639),
    ("elevation", "elevation/olinda_dem_utm25s.tif", 31985, 1, 0),
    ("land_cover", "landcover/nlcd2011.tif", None, 1, 0),
    ("land_cover_simple", "landcover/nlcd.tif", 26912, 1, 0),
    ("land_cover", "landcover/puerto_rico_lc.tif", None, 1, 2615),
    ("imagery", "imagery/L7_ETMs.tif", 31985, 3, 0),
    ("imagery", "imagery/landsat7_dresden_2002.tif", 4326, 1, 0),
    ("imagery", "imagery/alaska_shaded_relief.tif", 2964, 1, 753_686),
    ("population_density", "population/gpwv4_switzerland_density.tif", 4326, 1, 0),
]


def stored(layer: str, source: Path, directory: Path) -> tuple[Asset, RasterFacts]:
    """Convert a file by the mapping that its name chooses."""
    summary = convert(plan(CATALOG.layer(layer), source, dict(CATALOG.codelists)), source, directory)
    facts = read_facts(summary.facts)
    return Asset(directory / cog_name(0), facts.outline.bounds, facts.crs), facts


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
@pytest.mark.parametrize(("layer", "name", "epsg", "band", "empty"), FILES, ids=[f[1] for f in FILES])
def test_every_raster_comes_in_whole(
    real_data: Path, tmp_path: Path, layer: str, name: str, epsg: int | None, band: int, empty: int
) -> None:
    asset, facts = stored(layer, real_data / name, tmp_path)
    definition = CATALOG.layer(layer)
    assert isinstance(definition, RasterLayer)
    assert cog_validate(asset.path, strict=True, quiet=True)[0]
    with rasterio.open(real_data / name) as source, rasterio.open(asset.path) as cog:
        original, read = source.read(band), cog.read(1, masked=True)
        assert cog.transform == source.transform
        assert epsg is None or cog.crs.to_epsg() == epsg
        valid = ~np.ma.getmaskarray(read)
        np.testing.assert_array_equal(read.data[valid], original[valid])
        lon, lat = rasterio.warp.transform(
            cog.crs, "EPSG:4326", *([v] for v in cog.xy(*np.argwhere(valid)[len(valid)]))
        )
    figures = facts.bands[0]
    assert (figures.cells, figures.cells - figures.valid) == (original.size, empty)
    assert figures.total == pytest.approx(original[valid].sum(dtype="float64"))
    assert figures.minimum == original[valid].min()
    found = point_value([asset], lon[0], lat[0])
    assert found is not None
    tile = morecantile.tms.get("WebMercatorQuad").tile(lon[0], lat[0], 7)
    image = render([asset], definition, CATALOG.codelists, 7, tile.y, tile.x)
    assert decoded(image)[3].any()


def test_classes_are_those_of_the_lists(real_data: Path, tmp_path: Path) -> None:
    source = real_data / "landcover/nlcd2011.tif"
    summary = convert(plan(CATALOG.layer("land_cover"), source, dict(CATALOG.codelists)), source, tmp_path)
    assert summary.findings == ()
    with rasterio.open(source) as dataset:
        values, counts = np.unique(dataset.read(1), return_counts=True)
    assert read_facts(summary.facts).bands[0].classes == dict(zip(values.tolist(), counts.tolist(), strict=True))


def test_codes_of_another_list_are_reported(real_data: Path, tmp_path: Path) -> None:
    source = real_data / "landcover/nlcd2011.tif"
    job = plan(CATALOG.layer("land_cover_simple"), source, dict(CATALOG.codelists), mapping="nlcd")
    job = dataclasses.replace(job, mapping=job.mapping.model_copy(update={"override_crs": "EPSG:26912"}))
    findings = convert(job, source, tmp_path).findings
    assert [(f.rule, f.count) for f in findings] == [("class-not-listed", 1073 * 1359)]


def test_the_mislabelled_crs_would_be_trusted_without_its_mapping(real_data: Path, tmp_path: Path) -> None:
    source = real_data / "elevation/olinda_dem_utm25s.tif"
    job = plan(CATALOG.layer("elevation"), source, dict(CATALOG.codelists), mapping="olinda")
    facts = read_facts(convert(job, source, tmp_path).facts)
    west, south, east, north = facts.outline.bounds
    # Olinda lies at 8 degrees south, 34.9 degrees west.
    assert (west, south, east, north) == pytest.approx((-34.917, -8.041, -34.825, -7.950), abs=0.002)


def test_six_bands_need_a_choice(real_data: Path, tmp_path: Path) -> None:
    source = real_data / "imagery/L7_ETMs.tif"
    job = plan(CATALOG.layer("imagery"), source, dict(CATALOG.codelists), mapping="sample")
    with pytest.raises(SourceMismatch, match=r"has 6 band\(s\)"):
        convert(job, source, tmp_path)


def test_a_raster_without_crs_is_refused(real_data: Path, tmp_path: Path) -> None:
    source = tmp_path / "dem_nowhere.tif"
    with rasterio.open(real_data / "elevation/hamersley_dtm.tif") as original:
        profile, cells = {**original.profile, "crs": None}, original.read()
    with rasterio.open(source, "w", **profile) as copy:
        copy.write(cells)
    with pytest.raises(CrsRefused):
        convert(plan(CATALOG.layer("elevation"), source, dict(CATALOG.codelists)), source, tmp_path)


def test_alaska_reaches_over_180_degrees(real_data: Path, tmp_path: Path) -> None:
    asset, facts = stored("imagery", real_data / "imagery/alaska_shaded_relief.tif", tmp_path)
    # The Aleutians lie on both sides, and no part of the outline spans the Earth.
    reach = [part.bounds for part in facts.outline.geoms]
    assert max(east - west for west, _, east, _ in reach) < 60
    assert asset.bounds[0] == -180
    assert asset.bounds[2] == 180
    denali = point_value([asset], -151.0, 63.07)
    assert denali is not None
    assert point_value([asset], 0.0, 50.0) is None


def test_the_whole_raster_as_zone_gives_its_total(real_data: Path, tmp_path: Path) -> None:
    asset, facts = stored("elevation", real_data / "elevation/nz_elev.tif", tmp_path)
    found = zonal([asset], facts.outline)
    assert found.count == pytest.approx(facts.bands[0].valid, rel=1e-6)
    assert found.sum == pytest.approx(facts.bands[0].total, rel=1e-6)
    # Land of New Zealand: 268,000 km2; the grid has cells of one square kilometre.
    assert found.valid_area / 1e6 == pytest.approx(268_111, rel=2e-3)


def test_through_the_confined_child_into_the_database(database: Database, real_data: Path, tmp_path: Path) -> None:
    target = dataclasses.replace(prepared(database, CATALOG), rasters=tmp_path / "rasters")
    for layer, name in (("elevation", "elevation/nz_elev.tif"), ("imagery", "imagery/alaska_shaded_relief.tif")):
        job = plan(CATALOG.layer(layer), real_data / name, dict(CATALOG.codelists))
        report = load_raster(job, target)
        assert (report.inserted, report.balanced) == (1, True)
        assert load_raster(job, target).unchanged == 1
        band = read_facts(report.summary.facts).bands[0]
        assert band.nodata is not None
        assert math.isnan(band.nodata) == (layer == "elevation")
    assert len(list(target.rasters.iterdir())) == 2
