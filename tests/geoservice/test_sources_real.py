"""Every real source of the registry, read through its layer's mapping by the confined reader.

Expected counts are those of the data pack's own inventory, or were counted with other tools (csv, GDAL, osmium).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import rasterio

from geoservice.sources.registry import read_registry
from ingest.job import ReadSummary, plan
from ingest.raster_facts import cog_name
from ingest.sandbox import open_raster, open_rows
from layers.catalog import read_catalog
from layers.model import RasterLayer

pytestmark = pytest.mark.realdata
CATALOG = read_catalog()
REGISTRY = read_registry()


@dataclass(frozen=True)
class Expected:
    """Rows read and bad rows; `good` only where it differs from read - bad."""

    read: int
    bad: int = 0
    good: int | None = None


VECTOR = {
    ("world-atlas-countries", "country"): Expected(241, good=240),  # Ashmore and Cartier joins Australia
    ("ne-110m-countries", "country"): Expected(177),
    ("qgis-world-map", "country"): Expected(240, bad=1),  # one unnamed area has the code -1
    ("qgis-world-map", "province"): Expected(4556),
    ("ne-50m-provinces", "province"): Expected(100),
    ("ne-10m-populated-places", "populated_place"): Expected(7343),
    ("ne-50m-rivers", "river"): Expected(462, bad=1),  # null geometry
    ("ne-10m-rivers", "river"): Expected(1455, bad=1),
    ("ne-10m-lakes", "lake"): Expected(1354),
    ("ne-10m-playas", "lake"): Expected(72),
    ("alaska-lakes", "lake"): Expected(15),
    ("ne-10m-railroads", "railway"): Expected(1127, good=1083),  # 1,083 different ids
    ("alaska-railroads", "railway"): Expected(84),
    ("ne-10m-airports", "airport"): Expected(891),
    ("alaska-airports", "airport"): Expected(76),
    ("openflights-airports", "airport"): Expected(7698),
    ("ne-10m-ports", "port"): Expected(1081),
    ("osm-zofingen-buildings", "building"): Expected(5418),
    ("hamersley-geology", "geological_unit"): Expected(61, good=53),  # 53 different ids
    ("hamersley-faults", "active_fault"): Expected(35),
    ("himatibet-faults", "active_fault"): Expected(940, good=623),  # 317 are folds
    ("himatibet-thrusts", "active_fault"): Expected(208),
    ("himatibet-sutures", "active_fault"): Expected(18),
    ("pb2002-plates", "plate"): Expected(54, good=52),  # two plates are split at 180 degrees
    ("usgs-earthquakes-week-2018", "earthquake"): Expected(1707),
    ("usgs-earthquakes-significant", "earthquake"): Expected(23412),
    ("wri-power-plants-china", "power_plant"): Expected(3137, bad=11),  # 11 without coordinates
    ("wri-power-plants-japan", "power_plant"): Expected(412, bad=81),
    ("jrc-hydro-plants", "dam"): Expected(4178, good=2062),  # 2,116 run-of-river plants have no dam
    ("ne-10m-us-parks", "protected_area"): Expected(61),
    ("openaq-7570", "air_station"): Expected(3744, good=1),
    ("openaq-7570", "air_observation"): Expected(3744),
    ("emsr332-flood", "flood_extent"): Expected(5358),
    ("emsr332-venezia", "flood_extent"): Expected(1),
    ("firms-portugal-modis", "active_fire"): Expected(12570),
    ("firms-soberanes-viirs", "active_fire"): Expected(9708),
}
CASES = [pytest.param(key, expected, id="-to-".join(key)) for key, expected in VECTOR.items()]


def _read(
    source_id: str, layer_name: str, real_data: Path, look: Callable[[dict[str, object]], None] = lambda _: None
) -> ReadSummary:
    source, layer = REGISTRY.source(source_id), CATALOG.layer(layer_name)
    job = plan(layer, real_data / str(source.file), dict(CATALOG.codelists))
    with open_rows(job) as stream:
        for batch in stream:
            for row in batch.to_pylist():
                if row["_reason"] is None:
                    look(row)
        return stream.summary


@pytest.mark.parametrize(("key", "expected"), CASES)
def test_source_reads_into_its_layer(key: tuple[str, str], expected: Expected, real_data: Path) -> None:
    keys: list[tuple[object, ...]] = []
    names = CATALOG.layer(key[1]).key  # type: ignore[union-attr]
    found = _read(*key, real_data, lambda row: keys.append(tuple(row[n] for n in names)))
    good = expected.read - expected.bad if expected.good is None else expected.good
    assert (found.read, found.bad, found.good) == (expected.read, expected.bad, good)
    assert found.read == found.good + found.bad + found.not_selected
    if names and key[0] != "usgs-earthquakes-significant":
        assert len(set(keys)) == good


def test_tracks_are_joined_from_fixes(real_data: Path) -> None:
    tracks: dict[str, dict[str, object]] = {}
    found = _read("jtwc-best-tracks", "typhoon_track", real_data, lambda r: tracks.update({str(r["storm_id"]): r}))
    assert found.good == len(tracks) == 2205
    tip = tracks["jtwc-197923"]
    # Typhoon Tip, 1979: 165 kn, 870 hPa observed; the file keeps the wind.
    assert (tip["season"], tip["max_wind"]) == (1979, 165.0)


def test_hurricanes_of_one_name_are_kept_apart_by_season(real_data: Path) -> None:
    tracks: dict[str, dict[str, object]] = {}
    _read("noaa-hurdat2", "typhoon_track", real_data, lambda r: tracks.update({str(r["storm_id"]): r}))
    katrina = tracks["hurdat2-2005-Katrina"]
    assert (katrina["max_wind"], katrina["min_pressure"]) == (150.0, 902.0)
    assert {"hurdat2-1981-Katrina", "hurdat2-1999-Katrina"} <= set(tracks)


def test_openstreetmap_feeds_roads_buildings_and_schools(real_data: Path) -> None:
    classes: list[str] = []
    found = _read("osm-liechtenstein", "road", real_data, lambda row: classes.append(str(row["class"])))
    assert found.good == len(classes) > 2700
    assert classes.count("residential") >= 842
    assert _read("osm-liechtenstein", "building", real_data).good > 3700
    schools: list[str] = []
    _read("osm-liechtenstein", "school", real_data, lambda row: schools.append(str(row["kind"])))
    assert set(schools) <= {"school", "kindergarten", "university", "college"}
    assert schools.count("school") >= 16


def test_alerts_of_all_kinds(real_data: Path) -> None:
    areas = 0
    for source in REGISTRY:
        if source.feeds[0].layer == "hazard/cap_alert":
            found = _read(source.id, "cap_alert", real_data)
            assert (found.bad, found.not_selected) == (0, 0), source.id
            areas += found.good
    assert areas >= 15


def test_chinese_names_come_along(real_data: Path) -> None:
    places: dict[str, object] = {}
    _read("ne-10m-populated-places", "populated_place", real_data, lambda r: places.update({str(r["name_en"]): r}))
    assert places["Helsinki"]["name_zh"] == "赫尔辛基"  # type: ignore[index]
    assert places["Beijing"]["country"] == "CHN"  # type: ignore[index]
    countries: dict[str, object] = {}
    _read("world-atlas-countries", "country", real_data, lambda r: countries.update({str(r["code"]): r["name_zh"]}))
    assert (countries["FIN"], countries["CHN"]) == ("芬兰", "中国")


RASTERS = [s.id for s in REGISTRY if isinstance(CATALOG.layer(s.feeds[0].layer), RasterLayer)]


@pytest.mark.parametrize("source_id", RASTERS)
def test_rasters_become_cogs(source_id: str, real_data: Path) -> None:
    source = REGISTRY.source(source_id)
    layer = CATALOG.layer(source.feeds[0].layer)
    assert isinstance(layer, RasterLayer)
    original = real_data / str(source.file)
    job = plan(layer, original, dict(CATALOG.codelists))
    with (
        open_raster(job) as reader,
        rasterio.open(reader.finish() / cog_name(0)) as cog,
        rasterio.open(original) as before,
    ):
        assert (cog.width, cog.height) == (before.width, before.height)
        assert cog.count == len(layer.bands)
        assert cog.crs.to_epsg() or cog.crs.is_projected
        assert cog.nodata is not None


def test_landsat_bands_are_put_in_the_order_of_the_layer(real_data: Path) -> None:
    original = real_data / "imagery/L7_ETMs.tif"
    job = plan(CATALOG.layer("imagery"), original, dict(CATALOG.codelists))
    with (
        open_raster(job) as reader,
        rasterio.open(reader.finish() / cog_name(0)) as cog,
        rasterio.open(original) as before,
    ):
        assert (cog.read(1) == before.read(3)).all()
        assert (cog.read(3) == before.read(1)).all()
