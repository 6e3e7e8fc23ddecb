"""Editions of layers of series become observations: what they bring, change and take back."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pandas as pd
import pytest
import sqlalchemy as sa

from geoservice.db.credentials import Role
from geoservice.db.engine import Database
from geoservice.observations import follow as following
from geoservice.observations import tables
from geoservice.observations.follow import courses, follow
from geoservice.observations.keeper import ObservationKeeper
from ingest.editions import withdraw
from layers.access import Clearance
from layers.catalog import Catalog, read_catalog
from tests.support.loading import load_file, prepared
from tests.support.observing import points, seen, stored

AIR = ("air_station", "air_observation")


def catalog_of(*names: str) -> Catalog:
    """Layers that come with the product, and no others."""
    whole = read_catalog(None)
    return Catalog().with_([whole.layer(name) for name in names], whole.codelists.values())


def follow_all(database: Database, catalog: Catalog) -> int:
    return sum(follow(database, course) for course in courses(catalog))


def sample(folder: Path, values: dict[str, str]) -> Path:
    """A file of the source mapping `sample`: readings of PM2.5 of one station by hour of a day."""
    lines = [f"A1,pm25,2026-02-01T{hour}:00:00Z,{value},ug/m3,good" for hour, value in values.items()]
    file = folder / "sample_air_observation.csv"
    header = "station_id,property,phenomenon_time,value,unit,quality"
    file.write_text("\n".join([header, *lines]) + "\n", encoding="utf-8")
    return file


async def test_editions_are_followed_one_after_the_other(database: Database, tmp_path: Path) -> None:
    catalog = catalog_of(*AIR)
    target = prepared(database, catalog)
    load_file(catalog, target, "air_observation", sample(tmp_path, {"01": "10", "02": "20"}))
    assert follow_all(database, catalog) == 2
    assert follow_all(database, catalog) == 0
    second = load_file(catalog, target, "air_observation", sample(tmp_path, {"02": "21.5", "03": ""}))
    assert follow_all(database, catalog) == 2
    found = await points(database, "air_station:A1:pm25")
    assert [(p.result, p.quality) for p in found] == [(10.0, "good"), (21.5, "good"), (None, "missing")]
    assert len(stored(database, "id")) == 4

    withdraw(catalog.layer("air_observation"), target, second.edition or 0, principal="tester", reason="a test")
    follow_all(database, catalog)
    found = await points(database, "air_station:A1:pm25")
    assert [p.result for p in found] == [10.0, 20.0]
    assert [v.result for v in await seen(database)] == [20.0]


async def test_following_that_breaks_off_goes_on_and_nothing_is_double(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    catalog = catalog_of(*AIR)
    load_file(
        catalog, prepared(database, catalog), "air_observation", sample(tmp_path, {f"{h:02}": "1" for h in range(9)})
    )
    whole, calls = following._write, 0

    def breaking(*given: object) -> None:
        nonlocal calls
        calls += 1
        if calls > 2:
            raise KeyboardInterrupt
        whole(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(following, "BATCH", 4)
    monkeypatch.setattr(following, "_write", breaking)
    with pytest.raises(KeyboardInterrupt):
        follow_all(database, catalog)
    monkeypatch.setattr(following, "_write", whole)
    assert len(stored(database, "id")) == 8
    follow_all(database, catalog)
    assert len(stored(database, "id")) == len(await points(database, "air_station:A1:pm25")) == 9


def test_a_keeper_follows_layers_and_renews_rollups(database: Database, tmp_path: Path) -> None:
    catalog = read_catalog(None)
    load_file(catalog, prepared(database, catalog), "air_observation", sample(tmp_path, {"01": "10", "02": "20"}))
    stop = threading.Event()
    keeper = threading.Thread(target=ObservationKeeper(database, stop).keep)
    keeper.start()
    try:
        deadline = time.monotonic() + 60
        while not (kept := rollup_rows(database)) and time.monotonic() < deadline:
            time.sleep(0.1)
    finally:
        stop.set()
        keeper.join(60)
    assert kept == [(2, 10.0, 20.0, 30.0)]


def rollup_rows(database: Database) -> list[tuple[object, ...]]:
    day = tables.rollup_day.c
    with database.transaction(Role.WRITER) as connection:
        rows = connection.execute(sa.select(day.readings, day.lowest, day.highest, day.total))
        return [tuple(row) for row in rows]


@pytest.mark.realdata
async def test_real_air_water_and_tide_become_observations(database: Database, real_data: Path) -> None:
    layers = (*AIR, "gauge_station", "water_observation")
    catalog = catalog_of(*layers)
    target = prepared(database, catalog)
    folder = real_data / "environment"
    files = {
        "air_station": ["openaq_7570.csv"],
        "air_observation": ["openaq_7570.csv"],
        "gauge_station": ["noaa_coops_stations.csv"],
        "water_observation": ["noaa_9454460_water_level.csv", "usgs_15281000_knik_river.csv"],
    }
    for layer, names in files.items():
        for name in names:
            load_file(catalog, target, layer, folder / name)
    follow_all(database, catalog)
    values = {v.datastream: v for v in await seen(database, clearance=Clearance.PUBLIC)}

    air = pd.read_csv(folder / "openaq_7570.csv").sort_values("datetimeUtc")
    for prop, rows in air.groupby("parameter"):
        value = values[f"air_station:openaq-7570:{prop}"]
        assert value.result == rows.iloc[-1]["value"]
        assert (value.lon, value.lat) == (-79.38908, 43.64543)
    tide = pd.read_csv(folder / "noaa_9454460_water_level.csv")
    found = await points(database, "gauge_station:noaa-9454460:tide_level")
    assert [p.result for p in found] == pytest.approx(tide["hourly_height"].tolist())
    assert values["gauge_station:noaa-9454460:tide_level"].name == "Columbia Glacier"
    river = pd.read_csv(folder / "usgs_15281000_knik_river.csv")
    found = await points(database, "gauge_station:usgs-15281000:discharge")
    assert len(found) == len(river)
    assert max(p.result for p in found if p.result is not None) == river["discharge"].max()
    assert sum(p.result is None for p in found) == river["discharge"].isna().sum()
    with database.transaction(Role.WRITER) as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM obs.quarantine").scalar() == 0
