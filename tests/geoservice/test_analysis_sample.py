"""The sample county, loaded as the demo loads it: answers against geopandas and against what its maker knows."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pyproj
import pytest
import shapely

from geoservice.db.engine import Database
from geoservice.db.pools import Pools
from ingest.job import plan
from ingest.load import load
from ingest.raster import load_raster
from ingest.sample.manifest import SampleManifest
from ingest.sample.write import write_sample
from layers.access import Clearance
from layers.answer import ZoneAnswer
from layers.catalog import Catalog, read_catalog
from layers.model import RasterLayer
from tests.support.loading import prepared
from tests.support.zones import ask, counts, section, values

pytestmark = pytest.mark.slow
ALL = read_catalog()
NAMES = (
    "division",
    "landuse_patch",
    "road",
    "populated_place",
    "building",
    "hospital",
    "school",
    "population",
    "cap_alert",
)
CATALOG = Catalog({name: ALL.layer(name) for name in NAMES}, ALL.codelists)
GEOD = pyproj.Geod(a=6378137.0, rf=298.257222101)


@dataclass(frozen=True)
class County:
    """The loaded county: its files, its truth, and how to ask about zones."""

    folder: Path
    truth: SampleManifest
    ask: Callable[[Any], ZoneAnswer]

    def frame(self, layer: str) -> gpd.GeoDataFrame:
        return gpd.read_file(self.folder / f"sample_{layer}.gpkg", engine="pyogrio")

    def zone(self) -> shapely.Geometry:
        west, south, east, north = self.truth.bounds
        middle = shapely.Point((west + east) / 2, (south + north) / 2)
        return middle.buffer((north - south) / 5, 16)


@pytest.fixture(scope="module")
def county(module_database: Database, tmp_path_factory: pytest.TempPathFactory) -> Iterator[County]:
    folder = tmp_path_factory.mktemp("sample")
    truth = write_sample(folder, parcels=1500)
    target = prepared(module_database, CATALOG)
    for name in NAMES:
        chosen = plan(CATALOG.layer(name), next(folder.glob(f"sample_{name}.*")), dict(CATALOG.codelists), "sample")
        (load_raster if isinstance(chosen.layer, RasterLayer) else load)(chosen, target)
    with asyncio.Runner() as runner:
        pools = runner.run(Pools(module_database).__aenter__())
        yield County(
            folder,
            truth,
            lambda zone: runner.run(ask(pools, CATALOG, zone, Clearance.RESTRICTED, rasters=target.rasters)),
        )
        runner.run(pools.__aexit__(None, None, None))


def areas(geometries: Any) -> Any:
    dense = shapely.segmentize(shapely.orient_polygons(np.asarray(geometries)), 0.001)
    return np.array([GEOD.geometry_area_perimeter(g)[0] for g in dense])


def test_the_classes_of_the_county_add_up_to_the_county(county: County) -> None:
    found = county.ask({"adcode": county.truth.adcode})
    land = section(found, "landuse_patch")
    assert land.total == pytest.approx(found.zone.area_m2, rel=1e-6)
    assert found.zone.area_m2 == pytest.approx(county.truth.area, rel=1e-6)
    assert values(land) == pytest.approx(county.truth.area_by_class, rel=1e-6)
    assert counts(land) == county.truth.patches_by_class


def test_people_of_the_county(county: County) -> None:
    found = county.ask({"adcode": county.truth.adcode})
    assert section(found, "populated_place").total == county.truth.population
    assert section(found, "population").total == pytest.approx(county.truth.population, rel=0.01)


def test_townships_share_the_land_of_the_county_without_rest(county: County) -> None:
    whole = section(county.ask({"adcode": county.truth.adcode}), "landuse_patch")
    parts = [
        section(county.ask({"adcode": code}), "landuse_patch").total or 0.0
        for code in county.truth.population_by_township
    ]
    assert sum(parts) == pytest.approx(whole.total, rel=1e-6)


def test_land_in_a_drawn_zone_follows_geopandas(county: County) -> None:
    zone = county.zone()
    frame = gpd.overlay(county.frame("landuse_patch"), gpd.GeoDataFrame(geometry=[zone], crs="EPSG:4490"))
    frame["m2"] = areas(frame.geometry)
    expected = frame.groupby("class_code")["m2"].sum().to_dict()
    # Straight pieces of up to 1 km on the one side, of 0.1 km on the other: a few square metres on long edges.
    assert values(section(county.ask(zone), "landuse_patch")) == pytest.approx(expected, rel=1e-6, abs=10.0)


def test_roads_in_a_drawn_zone_follow_geopandas(county: County) -> None:
    zone = county.zone()
    frame = gpd.clip(county.frame("road"), zone)
    frame["m"] = [GEOD.geometry_length(g) for g in frame.geometry]
    expected = frame.groupby("class")["m"].sum().to_dict()
    assert values(section(county.ask(zone), "road")) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("layer", ["building", "hospital", "school"])
def test_facilities_in_a_drawn_zone_follow_geopandas(county: County, layer: str) -> None:
    zone = county.zone()
    frame = county.frame(layer)
    inside = frame[frame.intersects(zone)]
    found = section(county.ask(zone), layer)
    assert found.total == len(inside)
    if found.features:
        keys = set(inside[f"{layer}_id"])
        assert {f.id for f in found.features} == keys


def test_an_alert_is_a_zone(county: County) -> None:
    found = county.ask({"alert": county.truth.alert_identifier})
    assert 0 < found.zone.area_m2 < county.truth.area
    assert section(found, "landuse_patch").total == pytest.approx(found.zone.area_m2, rel=0.05)
