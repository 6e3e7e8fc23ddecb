"""Exceedances through the running service, against runs that were written on purpose."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa

from geoservice.db.credentials import Role
from geoservice.db.engine import Database
from geoservice.observations.tables import datastream
from layers.access import Clearance
from tests.support.loading import prepared, trial_catalog, trial_layer
from tests.support.service import Service, running
from tests.support.stations import BEGIN, HOUR, Place, furnish, hourly, record, stream_of

TOWN = Place("town", 105.0, 38.0, {"pm25": "ug/m3", "no2": "mg/m3", "water_level": "m", "dissolved_oxygen": "mg/L"})
HILL = Place("hill", 106.0, 38.0, {"so2": "ug/m3"})
HIDDEN = Place("CNRY-2-hidden", 105.0, 38.0, {"no2": "ug/m3"}, Clearance.RESTRICTED)
CATALOG = trial_catalog(trial_layer("unit", geometry="polygon", style={"fill": "#aabbcc"}))
DAY = dt.timedelta(days=1)
OLD = dt.datetime(2026, 2, 27, tzinfo=dt.UTC)


@pytest.fixture(scope="module")
def service(module_database: Database) -> Iterator[Service]:
    prepared(module_database, CATALOG)
    furnish(module_database, [TOWN, HILL, HIDDEN])
    readings = [
        # A mean of 65 on either side of 1 March: below 75 (2012), above 60 (2026). Days are those of UTC here.
        *hourly(TOWN, "pm25", [65.0] * 24 * 4, OLD),
        # Three hours above 200 ug/m3 in milligrams, a gap, one hour again; 200.5 is rounded to 200 and keeps the limit.
        *hourly(TOWN, "no2", [0.19, 0.201, 0.25, 0.22, 0.2005, 0.1, 0.3]),
        *hourly(TOWN, "water_level", [3.0, 3.6, 4.2, 3.9, 3.1, 3.6, 3.0]),
        *hourly(TOWN, "dissolved_oxygen", [6.0, 4.96, 4.94, 4.0, 5.5]),
        *hourly(HILL, "so2", [100.0] * 5),
        *hourly(HIDDEN, "no2", [999.0, 999.0]),
    ]
    record(module_database, readings)
    told = {"thresholds": [{"name": "warning", "above": 3.5}, {"name": "nonsense", "above": "x"}, 7]}
    with module_database.transaction(Role.WRITER) as connection:
        change = sa.update(datastream).where(datastream.c.key == stream_of(TOWN, "water_level"))
        connection.execute(change.values(properties=told))
    with running(module_database, CATALOG) as started:
        yield started


def found(service: Service, query: str, asker: Clearance | None = None) -> list[dict[str, Any]]:
    answer = service.get(f"/exceedances?datetime=2026-02-01/2026-06-01{query}", asker)
    assert answer.status_code == 200, answer.text
    events: list[dict[str, Any]] = answer.json()["exceedances"]
    assert answer.json()["numberReturned"] == len(events)
    return events


def at(hours: int) -> str:
    return (BEGIN + hours * HOUR).isoformat().replace("+00:00", "Z")


def test_hours_above_a_limit_make_runs(service: Service) -> None:
    events = found(service, "&property=no2&standard=gb3095")
    hours = [
        (one["begin"], one["end"], one["values"], one["worst"]["value"]) for one in events if one["basis"] == "hour"
    ]
    assert hours == [(at(6), at(7), 1, 0.3), (at(1), at(4), 3, 0.25)]
    first = next(one for one in events if one["basis"] == "hour" and one["values"] == 3)
    assert first["worst"]["datetime"] == at(2)
    assert (first["limit"]["value"], first["limit"]["unit"], first["limit"]["edition"]) == (
        200.0,
        "ug/m3",
        "2026-transitional",
    )


def test_the_edition_of_the_day_decides(service: Service) -> None:
    (event,) = found(service, "&property=pm25")
    assert event["limit"]["edition"] == "2026-transitional"
    assert (event["begin"], event["end"], event["values"]) == ("2026-03-01T00:00:00Z", "2026-03-03T00:00:00Z", 2)
    stricter = found(service, "&property=pm25&grade=1")
    assert {(one["limit"]["edition"], one["limit"]["value"]) for one in stricter} == {
        ("2012", 35.0),
        ("2026-transitional", 35.0),
    }


def test_thresholds_that_a_datastream_declares(service: Service) -> None:
    events = found(service, "&standard=declared")
    assert [(one["begin"], one["end"], one["worst"]["value"]) for one in events] == [
        (at(5), at(5), 3.6),
        (at(1), at(3), 4.2),
    ]
    assert {one["limit"]["name"] for one in events} == {"warning"}


def test_limits_that_must_be_reached(service: Service) -> None:
    # 4.96 is rounded to 5.0 and keeps the limit of class III.
    (event,) = found(service, "&property=dissolved_oxygen")
    assert (event["begin"], event["end"], event["worst"]["value"]) == (at(2), at(3), 4.0)
    assert (event["limit"]["side"], event["limit"]["standard"]) == ("below", "GB 3838")


def test_questions_are_narrowed(service: Service) -> None:
    assert found(service, "&station=hill") == []
    assert {one["station"] for one in found(service, "&station=hill&grade=1")} == {"hill"}
    assert {one["station"] for one in found(service, "&bbox=104,37,105.5,39&grade=1")} == {"town"}
    assert len(found(service, "&limit=1")) == 1
    assert service.get("/exceedances?datetime=2026-02-01/2026-06-01&limit=1").json()["more"] is True
    assert service.get("/exceedances?datetime=2020-02-01/2020-06-01").json()["exceedances"] == []
    assert service.get("/exceedances?f=html").status_code == 200


def test_nobody_sees_exceedances_above(service: Service) -> None:
    for asker in (None, Clearance.PUBLIC, Clearance.INTERNAL):
        assert not any(one["station"] == HIDDEN.key for one in found(service, "", asker))
        assert found(service, f"&station={HIDDEN.key}", asker) == []
    assert any(one["worst"]["value"] == 999.0 for one in found(service, "", Clearance.RESTRICTED))


@pytest.mark.parametrize(
    "query",
    [
        "datetime=2020-01-01/2026-01-01",
        "datetime=tomorrow",
        "standard=iso",
        "grade=3",
        "limit=0",
        "bbox=1,2",
        "property=",
        "station=a%00b",
        "colour=red",
    ],
)
def test_bad_questions_are_refused(service: Service, query: str) -> None:
    answer = service.get(f"/exceedances?{query}")
    assert answer.status_code == 400, answer.text
