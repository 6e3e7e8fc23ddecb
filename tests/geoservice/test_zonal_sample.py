"""Zonal answers over the sample region equal what its maker knows to be true."""

from __future__ import annotations

from pathlib import Path

import geopandas as gpd
import pytest
import shapely

from geoservice.analysis.zonal import zonal
from ingest.job import plan
from ingest.raster_facts import RasterFacts, cog_name, read_facts
from ingest.readers.raster import convert
from ingest.sample.manifest import SampleManifest
from layers.asset import Asset
from layers.catalog import read_catalog
from tests.support.county import WrittenCounty
from tiles.raster import point_value

Sample = tuple[Path, SampleManifest]
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def sample(small_county: WrittenCounty) -> Sample:
    return small_county.folder, small_county.truth


def converted(sample: Sample, layer: str, folder: Path) -> tuple[Asset, RasterFacts]:
    """The raster of a layer as its load stores it."""
    catalog = read_catalog()
    source = sample[0] / f"sample_{layer}.tif"
    directory = folder / f"cog_{layer}"
    directory.mkdir()
    summary = convert(plan(catalog.layer(layer), source, dict(catalog.codelists)), source, directory)
    assert summary.findings == ()
    facts = read_facts(summary.facts)
    return Asset(directory / cog_name(0), facts.outline.bounds, facts.crs), facts


def test_people_of_the_county_and_of_its_townships(sample: Sample, tmp_path: Path) -> None:
    folder, truth = sample
    asset, facts = converted(sample, "population", tmp_path)
    assert facts.bands[0].total == pytest.approx(truth.population, rel=1e-7)
    around = shapely.buffer(shapely.box(*truth.bounds), 0.01)
    assert zonal([asset], around).sum == pytest.approx(truth.population, rel=1e-7)
    divisions = gpd.read_file(folder / "sample_division.gpkg").set_index("adcode").geometry
    # Cells on the rim were given to the county by their centre; the answer takes the share that lies inside.
    county = zonal([asset], divisions[truth.adcode])
    assert county.sum == pytest.approx(truth.population, rel=5e-4)
    assert county.zone_area == pytest.approx(truth.area, rel=1e-9)
    assert county.covered == pytest.approx(1, abs=2e-3)
    found = {code: zonal([asset], divisions[code]).sum for code in truth.population_by_township}
    assert sum(v or 0 for v in found.values()) == pytest.approx(county.sum, rel=1e-5)
    for code, people in truth.population_by_township.items():
        assert found[code] == pytest.approx(people, rel=5e-3)


def test_land_cover_adds_up_to_the_county(sample: Sample, tmp_path: Path) -> None:
    folder, truth = sample
    asset, facts = converted(sample, "land_cover", tmp_path)
    county = gpd.read_file(folder / "sample_division.gpkg").set_index("adcode").geometry[truth.adcode]
    found = zonal([asset], county, classed=True)
    assert set(found.class_areas) == set(facts.bands[0].classes)
    assert sum(found.class_areas.values()) == pytest.approx(found.valid_area, rel=1e-9)
    assert found.valid_area == pytest.approx(truth.area, rel=2e-3)


def test_the_dam_stands_in_its_valley(sample: Sample, tmp_path: Path) -> None:
    asset, facts = converted(sample, "elevation", tmp_path)
    there = point_value([asset], *sample[1].dam)
    assert there is not None
    assert there.values[0] is not None
    lowest, highest = facts.bands[0].minimum, facts.bands[0].maximum
    assert lowest is not None
    assert highest is not None
    assert lowest <= there.values[0] <= highest
    assert there.values[0] == pytest.approx(sample[1].reservoir_level, abs=150)
