"""Every source of the real data pack that a layer has a mapping for, through that mapping, against other readers.

Oracles: GDAL through pyogrio in this process (vector, TopoJSON, OpenStreetMap), pandas (tables), and the figures in
the inventory that comes with the pack.
"""

from __future__ import annotations

import fnmatch
import json
import warnings
from pathlib import Path

import pandas as pd
import pyogrio
import pytest
import shapely

from ingest.job import ReadSummary, plan
from ingest.sandbox import open_rows
from layers.catalog import read_catalog
from layers.model import RasterLayer, VectorLayer
from tests.realdata.pack import stated

pytestmark = pytest.mark.realdata
CATALOG = read_catalog()
CASES = [
    (layer.name, name)
    for layer in CATALOG
    if not isinstance(layer, RasterLayer)
    for name, mapping in layer.sources.items()
    if name not in ("sample", "dltb")
]
AREAS_OF_ALERTS = {
    "cap_australia.cap": 2,
    "cap_bushfire_valid.edxlde": 7,
    "cap_canada.cap": 4,
    "cap_canada_signed.cap": 4,
}
NULL_GEOMETRIES = {"ne_10m_rivers_lake_centerlines.json.zip": 1, "ne_50m_rivers_lake_centerlines.json": 1}
REPAIRED = {"emsr332_flood_extent.zip": 98, "ne_10m_lakes.json.zip": 2, "ne_110m_admin_0_countries.json": 1}
TRACKS = {"jtwc_wp_best_track.csv": 2205, "noaa_hurdat2_storms.csv": 693}


def files_for(real_data: Path, layer: str, mapping: str) -> list[Path]:
    patterns = CATALOG.layer(layer).sources[mapping].match
    every = sorted(p for p in real_data.glob("*/*") if p.is_file())
    return [p for p in every if any(fnmatch.fnmatchcase(p.name.lower(), g.lower()) for g in patterns)]


def load(file: Path, layer_name: str, mapping: str) -> tuple[ReadSummary, list[str]]:
    """Read a file; every geometry that comes out must be valid and in the world."""
    layer = CATALOG.layer(layer_name)
    reasons: list[str] = []
    with open_rows(plan(layer, file, dict(CATALOG.codelists), mapping)) as stream:
        for batch in stream:
            reasons += [r for r in batch.column("_reason").to_pylist() if r is not None]
            if isinstance(layer, VectorLayer):
                shapes = shapely.from_wkb(batch.column("geom").to_numpy(zero_copy_only=False))
                present = shapes[~shapely.is_missing(shapes)]
                assert shapely.is_valid(present).all()
                bounds = shapely.bounds(present)
                assert (abs(bounds) <= [180, 90, 180, 90]).all()
    return stream.summary, reasons


def expected(file: Path, mapping_name: str, layer: str) -> int:
    """Rows of a file by another reader."""
    mapping = CATALOG.layer(layer).sources[mapping_name]
    if file.suffix in (".csv", ".dat"):
        return len(pd.read_csv(file, header=0 if mapping.header else None, low_memory=False))
    if file.suffix in (".cap", ".atom", ".edxlde"):
        return AREAS_OF_ALERTS.get(file.name, 1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return int(pyogrio.read_info(file, layer=mapping.sublayer, force_feature_count=True)["features"])


@pytest.mark.parametrize(("layer", "mapping"), [c for c in CASES if c[1] != "osm"])
def test_source_loads_through_its_mapping(real_data: Path, layer: str, mapping: str) -> None:
    files = files_for(real_data, layer, mapping)
    if not files:
        assert mapping in ("geotiff", "register"), f"no file of the pack fits {layer}/{mapping}"
    for file in files:
        summary, reasons = load(file, layer, mapping)
        count = summary.facts["source_rows"]
        assert count == expected(file, mapping, layer), file.name
        assert stated(real_data, file) in (None, count)
        assert summary.read == summary.good + summary.bad + summary.not_selected
        assert summary.bad == len(reasons)
        if file.name in TRACKS:
            assert summary.good == TRACKS[file.name]
        elif file.name.startswith("wri_"):
            places = pd.read_csv(file, low_memory=False)[["Longitude", "Latitude"]]
            assert summary.bad == int(places.isna().any(axis=1).sum())
        elif file.name in NULL_GEOMETRIES:
            assert summary.bad == NULL_GEOMETRIES[file.name]
        else:
            assert summary.bad <= 1, reasons[:3]
        assert summary.repaired == REPAIRED.get(file.name, summary.repaired)


def ids(file: Path, layer: str, key: str) -> tuple[set[str], set[str]]:
    """Numbers of the objects that came out good, and of those that came out bad."""
    good: set[str] = set()
    bad: set[str] = set()
    with open_rows(plan(CATALOG.layer(layer), file, dict(CATALOG.codelists), "osm")) as stream:
        for batch in stream:
            for row in batch.select([key, "_reason", "_raw"]).to_pylist():
                if row["_reason"] is None:
                    good.add(row[key].removeprefix("osm-"))
                else:
                    bad.add(json.loads(row["_raw"])["$fid"])
    return good, bad


def gdal_rows(file: Path, layer: str, columns: list[str]) -> pd.DataFrame:
    """Attributes by GDAL, which complains about the incomplete areas of an extract."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pyogrio.read_dataframe(file, layer=layer, columns=columns, read_geometry=False)


@pytest.mark.parametrize("name", ["liechtenstein-2013-08-03.osm.pbf", "helsinki.osm.pbf", "kotka.osm.pbf"])
def test_openstreetmap_against_gdal(real_data: Path, name: str) -> None:
    """Each way and area that GDAL finds is found, or is a row that says what it lacks.

    GDAL and libosmium differ on one multipolygon of the old style (tags on its way) and on a few closed ways.
    """
    file = real_data / "local_region" / name
    lines = gdal_rows(file, "lines", ["osm_id", "highway"])
    select = CATALOG.layer("road").sources["osm"].select["highway"]
    oracle = {f"w{i}" for i in lines[lines["highway"].isin(list(select))]["osm_id"]}
    good, bad = ids(file, "road", "road_id")
    assert oracle <= good | bad
    assert len(good - oracle) <= 1
    areas = gdal_rows(file, "multipolygons", ["osm_id", "osm_way_id", "building"])
    areas = areas[areas["building"].notna()]
    numbers = zip(areas["osm_id"], areas["osm_way_id"], strict=True)
    oracle = {f"w{way}" if isinstance(way, str) else f"r{relation}" for relation, way in numbers}
    good, bad = ids(file, "building", "building_id")
    assert len(oracle - good - bad) <= 1
    assert len(good - oracle) <= 2


def test_coordinates_agree_with_gdal(real_data: Path) -> None:
    """Feet of Alaska, metres of Western Australia, and plain degrees, against GDAL's own transformation."""
    for layer, mapping, path, crs in (
        ("geological_unit", "gswa", "geology/hamersley_geology.geojson", None),
        ("airport", "alaska", "transport/alaska_airports.zip", "EPSG:2964"),
        ("plate", "pb2002", "geology/PB2002_plates.json", None),
    ):
        frame = pyogrio.read_dataframe(real_data / path)
        frame = (frame if crs is None else frame.set_crs(crs, allow_override=True)).to_crs("EPSG:4326")
        with open_rows(plan(CATALOG.layer(layer), real_data / path, dict(CATALOG.codelists), mapping)) as stream:
            bounds = [shapely.total_bounds(shapely.from_wkb(b.column("geom").to_pylist())) for b in stream]
        assert bounds[0] == pytest.approx(frame.total_bounds, abs=1e-4)
