"""Rain, river and reservoir gauges of the sample region: what their files say, and what a service makes of them."""

from __future__ import annotations

import csv
import datetime as dt
from collections import defaultdict
from decimal import Decimal
from typing import Any

import pytest
import shapely

from geoservice.db.engine import Database
from geoservice.observations import rollup
from geoservice.observations.follow import courses, follow
from ingest.job import plan
from ingest.load import load
from layers.catalog import Catalog, read_catalog
from tests.ingest.sample.conftest import Written
from tests.support.loading import prepared
from tests.support.service import running

HOURS = 30 * 24
LAYERS = ("gauge_station", "water_observation")
WHOLE = read_catalog()
Series = dict[tuple[str, str], dict[dt.datetime, Decimal]]


@pytest.fixture(scope="module")
def series(sample: Written) -> Series:
    found: Series = defaultdict(dict)
    with (sample.folder / "sample_water_observation.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            assert (row["unit"], row["quality"]) == ({"rain": "mm", "water_level": "m"}[row["property"]], "good")
            moment = dt.datetime.fromisoformat(row["phenomenon_time"])
            found[row["station_id"], row["property"]][moment] = Decimal(row["value"])
    return found


def of(series: Series, observed: str) -> dict[str, dict[dt.datetime, Decimal]]:
    return {station: values for (station, one), values in series.items() if one == observed}


def test_the_files_are_a_month_of_hours_and_say_what_the_makers_know(sample: Written, series: Series) -> None:
    assert {len(values) for values in series.values()} == {HOURS}
    assert sample.manifest.counts["water_observation"] == len(series) * HOURS
    assert {station for station, _ in series} == set(sample.column("gauge_station", "station_id"))
    totals = {station: float(sum(values.values())) for station, values in of(series, "rain").items()}
    assert totals == sample.manifest.rain_by_gauge
    highest = {station: float(max(values.values())) for station, values in of(series, "water_level").items()}
    assert highest == sample.manifest.highest_by_gauge
    assert all(value >= 0 for values in of(series, "rain").values() for value in values.values())


def test_the_river_rises_from_gauge_to_gauge_and_the_reservoir_never_runs_over(sample: Written, series: Series) -> None:
    *rivers, reservoir = sorted(of(series, "water_level").items())
    peaks = [max(values, key=lambda moment: values[moment]) for _, values in rivers]
    assert peaks == sorted(set(peaks)), "later further down"
    heaviest = max(
        (moment for values in of(series, "rain").values() for moment in values),
        key=lambda moment: sum(values[moment] for values in of(series, "rain").values()),
    )
    assert heaviest < peaks[0] < heaviest + dt.timedelta(days=2)
    levels = [value for _, value in sorted(reservoir[1].items())]
    assert levels == sorted(levels)
    assert float(levels[-1]) < sample.manifest.reservoir_level


def test_gauges_stand_where_they_measure(sample: Written) -> None:
    county = shapely.union_all(sample.shapes("division"))
    names = sample.column("gauge_station", "name_en")
    places = dict(zip(names, sample.shapes("gauge_station"), strict=True))
    assert all(shapely.intersects(county, place) for place in places.values())
    river = shapely.union_all(sample.shapes("river"))
    for name, place in places.items():
        if "Reservoir" in str(name):
            assert (place.x, place.y) == pytest.approx(sample.manifest.dam)
        elif "Rain" not in str(name):
            assert shapely.distance(river, place) < 1e-4, name


def test_a_service_shows_levels_and_rain(sample: Written, module_database: Database) -> None:
    catalog = Catalog({name: WHOLE.layer(name) for name in LAYERS}, WHOLE.codelists)
    target = prepared(module_database, catalog)
    for name in LAYERS:
        load(plan(catalog.layer(name), next(sample.folder.glob(f"sample_{name}.*")), dict(catalog.codelists)), target)
    for course in courses(catalog):
        follow(module_database, course)
    rollup.refresh_all(module_database)
    with running(module_database, catalog) as service:
        body: Any = service.get("/stations?theme=hydrology&datetime=2026-06-18T00:30:00Z").json()
        level = service.get("/stations?property=water_level&datetime=2026-06-18T00:30:00Z").json()
    assert body["numberMatched"] == sample.manifest.counts["gauge_station"]
    assert (body["stale"], body["properties"]) == (0, ["rain", "water_level"])
    assert body["newest"].startswith("2026-06-18T00:00")
    assert {one["id"].rpartition(":")[2] for one in level["features"]} == set(sample.manifest.highest_by_gauge)
