"""Each file fits its layer: fields, codes, keys, ranges, CRS; counts as the manifest says."""

from __future__ import annotations

import csv
import datetime as dt
import re
from pathlib import Path

import pyogrio
import pytest
import shapely

from layers.catalog import read_catalog
from layers.model import Attribute, VectorLayer
from tests.ingest.sample.conftest import PARCELS, Written

CATALOG = read_catalog()
VECTOR = (
    "active_fault", "address", "air_station", "airport", "bridge", "building", "control_line", "dam", "division",
    "flood_extent", "gauge_station", "geological_unit", "hazard_source", "hospital", "lake", "land_approval",
    "landuse_patch", "monument", "pipeline", "planning_zone", "populated_place", "postcode", "power_line",
    "power_plant", "protected_area", "railway", "river", "road", "school", "shelter",
)  # fmt: skip
RASTERS = ("elevation", "imagery", "land_cover", "population")
GEOMETRIES = {"point": {"Point"}, "line": {"LineString"}, "polygon": {"Polygon", "MultiPolygon"}}
TYPES: dict[str, tuple[type, ...]] = {
    "text": (str,),
    "code": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "date": (dt.date,),
    "datetime": (dt.datetime,),
}


def test_there_is_one_file_per_layer_and_nothing_else(sample: Written) -> None:
    expected = {f"sample_{n}.gpkg" for n in VECTOR} | {f"sample_{n}.tif" for n in RASTERS}
    expected |= {"sample_air_observation.csv", "sample_cap_alert.xml", "sample_division_change.csv"}
    expected |= {"sample_water_observation.csv"}
    assert {p.name for p in sample.folder.iterdir()} == expected


@pytest.mark.parametrize("name", VECTOR)
def test_rows_fit_the_layer(sample: Written, name: str) -> None:
    layer = CATALOG.layer(name)
    assert isinstance(layer, VectorLayer)
    info = pyogrio.read_info(sample.folder / f"sample_{name}.gpkg")
    table = sample.table(name)
    assert info["crs"] == "EPSG:4490"
    assert info["features"] == sample.manifest.counts[name] == table.num_rows
    assert set(info["fields"]) <= set(layer.attributes)
    assert set(info["fields"]) >= {n for n, a in layer.attributes.items() if a.required} | set(layer.key)
    for attribute, meaning in ((n, layer.attributes[n]) for n in info["fields"]):
        check_values(table[attribute].to_pylist(), meaning)
    keys = list(zip(*(table[k].to_pylist() for k in layer.key), strict=True))
    assert len(set(keys)) == len(keys)


def check_values(values: list[object], meaning: Attribute) -> None:
    known = [v for v in values if v is not None]
    assert not meaning.required or len(known) == len(values)
    assert all(type(v) in TYPES[meaning.type] for v in known)
    if meaning.list is not None:
        assert set(known) <= set(CATALOG.codelist(meaning.list).codes)
    if meaning.pattern is not None:
        assert all(re.fullmatch(meaning.pattern, str(v)) for v in known)
    if meaning.range is not None:
        low, high = meaning.range
        assert all((low is None or v >= low) and (high is None or v <= high) for v in known)  # type: ignore[operator]


@pytest.mark.parametrize("name", VECTOR)
def test_geometries_are_valid_flat_and_of_the_layers_kind(sample: Written, name: str) -> None:
    layer = CATALOG.layer(name)
    assert isinstance(layer, VectorLayer)
    shapes = sample.shapes(name)
    assert shapely.is_valid(shapes).all()
    assert not shapely.is_empty(shapes).any()
    assert not shapely.has_z(shapes).any()
    if layer.geometry != "any":
        assert {s.geom_type for s in shapes} <= GEOMETRIES[layer.geometry]
    west, south, east, north = shapely.total_bounds(shapes)
    assert 104.6 < west <= east < 105.4
    assert 38.2 < south <= north < 38.95


@pytest.mark.parametrize("name", [*VECTOR, *RASTERS, "air_observation", "cap_alert", "division_change"])
def test_the_layers_sample_mapping_takes_the_file(sample: Written, name: str) -> None:
    (path,) = sample.folder.glob(f"sample_{name}.*")
    mapping = CATALOG.layer(name).sources["sample"]
    assert any(Path(path.name).match(pattern) for pattern in mapping.match)


def test_names_exist_in_both_languages_and_no_place_bears_anothers(sample: Written) -> None:
    for column in ("name_zh", "name_en"):
        names = sample.column("populated_place", column)
        assert all(names)
        assert len(set(names)) == len(names)
    assert all(re.search(r"[\u4e00-\u9fff]", str(n)) for n in sample.column("populated_place", "name_zh"))
    assert all(re.fullmatch(r"[A-Za-z ]+", str(n)) for n in sample.column("populated_place", "name_en"))


def test_the_county_says_that_it_is_fictional(sample: Written) -> None:
    assert "虚构" in sample.manifest.name_zh
    assert "fictional" in sample.manifest.name_en
    with (sample.folder / "sample_division.gpkg").open("rb") as file:
        assert b"Fictional sample region" in file.read()


def test_counts_of_patches_by_class(sample: Written) -> None:
    classes = sample.column("landuse_patch", "class_code")
    assert len(classes) == PARCELS
    assert {c: classes.count(c) for c in set(classes)} == sample.manifest.patches_by_class


def test_readings_are_a_month_of_hours_with_gaps_and_marks(sample: Written) -> None:
    with (sample.folder / "sample_air_observation.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    layer = CATALOG.layer("air_observation")
    assert list(rows[0]) == list(layer.attributes)
    assert len(rows) == sample.manifest.counts["air_observation"]
    assert {r["station_id"] for r in rows} == set(sample.column("air_station", "station_id"))
    assert {r["property"] for r in rows} == {"pm25", "pm10", "so2", "no2", "co", "o3"}
    keys = {(r["station_id"], r["property"], r["phenomenon_time"]) for r in rows}
    assert len(keys) == len(rows) < 5 * 6 * 720
    times = [dt.datetime.fromisoformat(r["phenomenon_time"]) for r in rows]
    assert {t.utcoffset() for t in times} == {dt.timedelta(hours=8)}
    assert {(t.year, t.month, t.minute) for t in times} == {(2026, 6, 0)}
    qualities = [r["quality"] for r in rows]
    assert set(qualities) == {"good", "suspect"}
    assert qualities.count("good") > 0.98 * len(rows)
    assert all(float(r["value"]) > 0 for r in rows)


def test_changes_lead_from_former_codes_to_divisions_of_today(sample: Written) -> None:
    with (sample.folder / "sample_division_change.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    layer, today = CATALOG.layer("division_change"), set(sample.column("division", "adcode"))
    assert set(rows[0]) == set(layer.attributes)
    assert len({r["change_id"] for r in rows}) == len(rows) == sample.manifest.counts["division_change"]
    assert {r["to_code"] for r in rows} <= today | {""}
    assert {r["kind"] for r in rows} <= set(CATALOG.codelist("division-change@1").codes)
    assert {r["from_code"] for r in rows} - today, "some codes are none any more"
    assert all(r["note_en"].startswith("Fictional") for r in rows)


def test_readings_show_the_day_and_the_episode(sample: Written) -> None:
    with (sample.folder / "sample_air_observation.csv").open(encoding="utf-8", newline="") as file:
        rows = [r for r in csv.DictReader(file) if r["quality"] == "good"]

    def mean(pollutant: str, hours: set[int], days: set[int]) -> float:
        wanted = [
            float(r["value"])
            for r in rows
            if r["property"] == pollutant
            and int(r["phenomenon_time"][11:13]) in hours
            and int(r["phenomenon_time"][8:10]) in days
        ]
        return sum(wanted) / len(wanted)

    usual, episode, always = set(range(1, 14)) | set(range(17, 31)), {15, 16}, set(range(24))
    assert mean("pm25", always, episode) > 2 * mean("pm25", always, usual)
    assert mean("o3", {14, 15, 16}, usual) > 1.5 * mean("o3", {3, 4, 5}, usual)
