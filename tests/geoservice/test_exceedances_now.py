"""What is beyond a limit now, against values written on purpose and their limits by hand."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa

from geoservice.db.credentials import Role
from geoservice.db.engine import Database
from geoservice.db.pools import Pools
from geoservice.exceedances.now import Current, Standing, beyond_now
from geoservice.observations.reading import Reading
from geoservice.observations.tables import datastream
from layers.access import Clearance
from tests.support.loading import prepared, trial_catalog, trial_layer
from tests.support.service import Service, running
from tests.support.stations import HOUR, Place, furnish, hourly, record, stream_of

NOW = dt.datetime(2026, 5, 3, 10, 30, tzinfo=dt.UTC)
HOUR_10 = dt.datetime(2026, 5, 3, 10, tzinfo=dt.UTC)
MIDNIGHT = dt.datetime(2026, 5, 3, tzinfo=dt.UTC)
TOWN = Place("town", 105.0, 38.0, {"pm25": "ug/m3", "no2": "mg/m3", "water_level": "m", "dissolved_oxygen": "mg/L"})
HILL = Place("hill", 106.0, 38.0, {"so2": "ug/m3", "o3_8h": "ug/m3", "water_level": "m", "co": "mg/m3"})
OLD = Place("old", 107.0, 38.0, {"no2": "ug/m3", "water_level": "m"})
HIDDEN = Place("CNRY-2-hidden", 105.0, 38.0, {"no2": "ug/m3"}, Clearance.RESTRICTED)
CATALOG = trial_catalog(trial_layer("unit", geometry="polygon", style={"fill": "#aabbcc"}))
THRESHOLDS: dict[str, Any] = {
    stream_of(TOWN, "water_level"): [
        {"name": "warning", "above": 3.5},
        {"name": "guarantee", "above": 4.0},
        {"name": "drought", "below": -1},
        {"name": "endless", "above": 10**400},
        {"name": "words", "above": "3"},
        7,
    ],
    stream_of(HILL, "water_level"): [{"name": "mean", "above": 1.0, "basis": "hour"}, {"name": "low", "below": 1.7}],
    stream_of(OLD, "water_level"): {"above": 1.0},
}


@pytest.fixture(scope="module")
def filled(module_database: Database) -> Database:
    prepared(module_database, CATALOG)
    furnish(module_database, [TOWN, HILL, OLD, HIDDEN])
    no2 = hourly(TOWN, "no2", [0.1] * 9 + [0.3, 0.25], HOUR_10 - 10 * HOUR)
    record(
        module_database,
        [
            # Yesterday 80 (above 60, the limit of 2026), today 500, which is no mean of a day yet.
            *hourly(TOWN, "pm25", [80.0] * 24 + [500.0] * 10, MIDNIGHT - 24 * HOUR),
            *no2,
            *hourly(TOWN, "water_level", [3.0, 4.2], HOUR_10 - HOUR),
            *hourly(TOWN, "dissolved_oxygen", [4.0], HOUR_10),
            # One hour above 500 long ago; the last one keeps the limit.
            *hourly(HILL, "so2", [900.0, 100.0], HOUR_10 - HOUR),
            # 160 is the limit of the running mean itself.
            *hourly(HILL, "o3_8h", [160.0], HOUR_10),
            *hourly(HILL, "water_level", [1.5], HOUR_10),
            Reading(HOUR_10, 99.0, datastream=stream_of(HILL, "co"), quality="bad"),
            *hourly(OLD, "no2", [900.0], HOUR_10 - 26 * HOUR),
            *hourly(OLD, "water_level", [9.0], HOUR_10),
            *hourly(HIDDEN, "no2", [999.0], HOUR_10),
        ],
    )
    with module_database.transaction(Role.WRITER) as connection:
        for key, told in THRESHOLDS.items():
            change = sa.update(datastream).where(datastream.c.key == key)
            connection.execute(change.values(properties={"thresholds": told}))
    return module_database


@pytest.fixture(scope="module")
def service(filled: Database) -> Iterator[Service]:
    with running(filled, CATALOG) as started:
        yield started


def standing(database: Database, clearance: Clearance = Clearance.PUBLIC, **wish: Any) -> tuple[list[Standing], bool]:
    async def ask() -> tuple[list[Standing], bool]:
        async with Pools(database) as pools, pools.connection(clearance) as connection:
            return await beyond_now(connection, clearance, Current(**{"at": NOW, **wish}))

    return asyncio.run(ask())


def told(found: list[Standing]) -> list[tuple[str, str, str, float, float]]:
    return [
        (one.stream.station, one.stream.property, one.limit.basis, one.value, pytest.approx(one.excess))
        for one in found
    ]


WORST_FIRST = [
    ("hill", "water_level", "hour", 1.5, 0.5),
    ("town", "pm25", "day", 80.0, 20 / 60),
    ("town", "no2", "hour", 0.25, 0.25),
    ("town", "dissolved_oxygen", "reading", 4.0, 0.2),
    ("town", "water_level", "reading", 4.2, 0.2),
    ("hill", "water_level", "reading", 1.5, 0.2 / 1.7),
    ("town", "water_level", "reading", 4.2, 0.05),
]


def test_what_is_beyond_now_comes_worst_first(filled: Database) -> None:
    found, more = standing(filled)
    by_excess = [(one.excess, one.stream.key) for one in found]
    assert by_excess == sorted(by_excess, key=lambda pair: (-pair[0], pair[1]))
    assert sorted(told(found)[:-1], key=str) == sorted(WORST_FIRST[:-1], key=str)
    assert told(found)[-1] == WORST_FIRST[-1]
    assert not more


def test_the_rest_is_told_of(filled: Database) -> None:
    found, more = standing(filled, limit=2)
    assert told(found) == WORST_FIRST[:2]
    assert more


def test_a_mean_of_too_few_readings_does_not_count(filled: Database) -> None:
    # At noon of the day before, 13 of 24 readings had come: the day counts at 20, and the hour at once.
    found, _ = standing(filled, properties=("pm25",), grade="1", at=MIDNIGHT + 20 * HOUR)
    assert {one.time for one in found} == {MIDNIGHT - 24 * HOUR}
    assert told(found) == [("town", "pm25", "day", 80.0, 45 / 35)]


def test_what_is_old_or_in_the_future_is_not_now(filled: Database) -> None:
    older, _ = standing(filled, properties=("no2",), fresh=dt.timedelta(hours=27))
    assert [one.stream.station for one in older] == ["old", "town"]
    assert standing(filled, at=NOW + dt.timedelta(days=5)) == ([], False)
    assert standing(filled, at=HOUR_10 - HOUR / 2, properties=("dissolved_oxygen",)) == ([], False)


def test_questions_are_narrowed(filled: Database) -> None:
    assert {one.stream.property for one in standing(filled, properties=("no2",))[0]} == {"no2"}
    assert {one.limit.standard for one in standing(filled, standard="declared")[0]} == {"declared"}
    assert {one.limit.standard for one in standing(filled, standard="GB 3095")[0]} == {"GB 3095"}
    assert {one.stream.station for one in standing(filled, boxes=((105.5, 37.0, 106.5, 39.0),))[0]} == {"hill"}


def test_nobody_sees_what_is_above(filled: Database) -> None:
    for clearance in (Clearance.PUBLIC, Clearance.INTERNAL):
        assert HIDDEN.key not in {one.stream.station for one in standing(filled, clearance)[0]}
    worst = standing(filled, Clearance.RESTRICTED)[0][0]
    assert (worst.stream.station, worst.value) == (HIDDEN.key, 999.0)


def test_the_service_tells_it(service: Service) -> None:
    record(service.database, hourly(HILL, "water_level", [1.2], dt.datetime.now(dt.UTC) - HOUR / 60))
    answer = service.get("/exceedances/now?property=water_level&hours=1")
    assert answer.status_code == 200, answer.text
    (one,) = (one for one in answer.json()["exceedances"] if one["basis"] == "reading")
    assert (one["station"], one["value"], one["unit"], one["limit"]["name"]) == ("hill", 1.2, "m", "low")
    assert one["excess"] == pytest.approx(0.5 / 1.7)
    assert service.get("/exceedances/now?f=html").status_code == 200


@pytest.mark.parametrize("query", ["hours=0", "hours=1000", "standard=iso", "property=", "bbox=1,2", "limit=0", "x=1"])
def test_bad_questions_are_refused(service: Service, query: str) -> None:
    answer = service.get(f"/exceedances/now?{query}")
    assert answer.status_code == 400, answer.text
