"""Stations through the running service, against readings whose classes are known."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa

from geoservice.db.credentials import Role
from geoservice.db.engine import Database
from geoservice.observations.reading import Reading
from geoservice.observations.tables import datastream
from layers.access import Clearance
from tests.support.loading import prepared, trial_catalog, trial_layer
from tests.support.service import Service, running
from tests.support.stations import BEGIN, Place, furnish, hourly, record, stream_of

TOWN = Place("town", 105.0, 38.0, {"pm25": "ug/m3", "no2": "mg/m3"})
HILL = Place("hill", 106.0, 38.5, {"pm25": "ug/m3", "o3": "ug/m3"})
BROOK = Place("brook", 105.2, 38.1, {"dissolved_oxygen": "mg/L", "ph": "[pH]"})
GAUGE = Place("gauge", 105.3, 38.2, {"water_level": "m", "rain": "mm"})
FORMER = Place("former", 105.4, 38.2, {"pm10": "ug/m3", "o3": "ug/m3"})
HIDDEN = Place("CNRY-2-hidden", 105.1, 38.0, {"pm25": "ug/m3"}, Clearance.RESTRICTED)
MUTE = Place("<b>mute</b>", 105.0, 38.9, {"wind_speed": "m/s"})
PLACES = [TOWN, HILL, BROOK, GAUGE, FORMER, HIDDEN, MUTE]
CATALOG = trial_catalog(trial_layer("unit", geometry="polygon", style={"fill": "#aabbcc"}))
OLD = dt.datetime(2026, 1, 10, tzinfo=dt.UTC)
AT = "2026-05-01T05:30:00Z"


@pytest.fixture(scope="module")
def service(module_database: Database) -> Iterator[Service]:
    prepared(module_database, CATALOG)
    furnish(module_database, PLACES)
    suspect = Reading(BEGIN, 5.0, datastream=stream_of(MUTE, "wind_speed"), quality="suspect")
    readings = [
        *hourly(TOWN, "pm25", [30.0, 61.0, 116.0, 151.0, 30.0, 61.0]),
        *hourly(TOWN, "no2", [0.02] * 6),
        *hourly(HILL, "pm25", [-2.0] * 6),
        *hourly(HILL, "o3", [100.0] * 6),
        *hourly(BROOK, "dissolved_oxygen", [8.0, 4.0]),
        *hourly(BROOK, "ph", [7.0, 7.0]),
        *hourly(GAUGE, "water_level", [3.0, 3.6, 4.4, 4.4, 4.4, 4.4]),
        *hourly(GAUGE, "rain", [0.0] * 6),
        # A mean of 24 hours of 151 in the edition of 2012, though the last hour is clean; 19 hours would give none.
        *hourly(FORMER, "pm10", [157.0] * 23 + [13.0], OLD),
        *hourly(FORMER, "o3", [20.0] * 24, OLD),
        *hourly(HIDDEN, "pm25", [499.0] * 6),
        suspect,
    ]
    record(module_database, readings)
    told = {"thresholds": [{"name": "warning", "above": 3.5}, {"name": "danger", "above": 4.0}, 7, {"above": "x"}]}
    with module_database.transaction(Role.WRITER) as connection:
        change = sa.update(datastream).where(datastream.c.key == stream_of(GAUGE, "water_level"))
        connection.execute(change.values(properties=told))
    with running(module_database, CATALOG) as started:
        yield started


def asked(service: Service, query: str = "", asker: Clearance | None = None) -> dict[str, Any]:
    answer = service.get(f"/stations?datetime={AT}{query}", asker)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def classes(found: dict[str, Any]) -> list[tuple[str, str | None, int | None, bool]]:
    return [
        (f["id"], f["properties"]["index"], f["properties"]["class"], f["properties"]["stale"])
        for f in found["features"]
    ]


def test_the_worst_come_first_and_what_is_overdue_last(service: Service) -> None:
    found = asked(service)
    assert classes(found) == [
        ("gauge", "thresholds", 3, False),
        ("town", "aqi", 3, False),
        ("hill", "aqi", 1, False),
        ("brook", "surface-water", 4, True),
        ("former", "aqi", 3, True),
        ("<b>mute</b>", None, None, True),
    ]
    assert (found["numberMatched"], found["stale"]) == (6, 3)
    assert {"index": "aqi", "class": 3, "stations": 2} in found["counts"]
    assert found["newest"] == "2026-05-01T05:00:00Z"
    assert [one["colour"] for one in found["indices"]["aqi"]["classes"]][:2] == ["#00e400", "#ffff00"]


def test_values_are_those_of_the_formula(service: Service) -> None:
    town = next(f for f in asked(service)["features"] if f["id"] == "town")
    # (150 - 100) / (115 - 60) x (61 - 60) + 100 = 100.9, rounded up.
    assert (town["properties"]["value"], town["properties"]["worst"]) == (101, ["pm25"])
    former = next(f for f in asked(service)["features"] if f["id"] == "former")
    # (100 - 50) / (150 - 50) x (151 - 50) + 50 = 100.5, rounded up: 2012, the mean of 24 hours.
    assert (former["properties"]["value"], former["properties"]["worst"]) == (101, ["pm10"])


def test_an_earlier_time_shows_what_was_then(service: Service) -> None:
    early = service.get("/stations?datetime=2026-05-01T01:10:00Z").json()
    kinds = {f["id"]: (f["properties"]["class"], f["properties"]["stale"]) for f in early["features"]}
    assert kinds["gauge"] == (2, False)
    assert kinds["brook"] == (4, False)
    assert service.get("/stations?datetime=2025-01-01T00:00:00Z").json()["newest"] is None


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("&theme=air", {"town", "hill", "former"}),
        ("&theme=hydrology", {"gauge"}),
        ("&property=o3", {"hill", "former"}),
        ("&q=TOW", {"town"}),
        ("&q=%3Cb%3E", {"<b>mute</b>"}),
        ("&bbox=105.15,38,105.35,38.3", {"brook", "gauge"}),
        ("&limit=1", {"gauge"}),
    ],
)
def test_filters(service: Service, query: str, expected: set[str]) -> None:
    assert {f["id"] for f in asked(service, query)["features"]} == expected


def test_readings_of_a_property_come_along(service: Service) -> None:
    found = {f["id"]: f["properties"]["reading"] for f in asked(service, "&property=no2")["features"]}
    assert found["town"]["mean"] == pytest.approx(0.02)
    assert found["town"]["unit"] == "mg/m³"


def test_nothing_above_the_clearance(service: Service) -> None:
    own = asked(service, "", Clearance.RESTRICTED)
    assert "CNRY-2-hidden" in {f["id"] for f in own["features"]}
    for asker in (None, Clearance.PUBLIC, Clearance.INTERNAL):
        told = service.get(f"/stations?datetime={AT}", asker)
        assert "CNRY" not in told.text
        assert told.json()["numberMatched"] == 6
        assert service.get("/stations/CNRY-2-hidden", asker).status_code == 404
        frames = service.get("/station-frames?datetime=2026-05-01T00:00:00Z/2026-05-01T06:00:00Z", asker)
        assert "CNRY" not in frames.text
    assert service.get("/stations/CNRY-2-hidden", Clearance.RESTRICTED).status_code == 200


def test_one_station_tells_how_its_index_came_to_be(service: Service) -> None:
    town = service.get(f"/stations/town?datetime={AT}").json()
    assert (town["answer"]["value"], town["answer"]["edition"]["edition"]) == (101, "2026")
    assert "(150 - 100) / (115 - 60) x (61 - 60) + 100" in str(town["answer"]["items"])
    by_code = {one["property"]: one for one in town["measured"]}
    assert by_code["pm25"]["latest"] == {"datetime": "2026-05-01T05:00:00Z", "value": 61.0, "quality": None}
    hour = next(one for one in by_code["no2"]["limits"] if one["basis"] == "hour")
    assert (hour["value"], hour["unit"], hour["ownValue"]) == (200.0, "ug/m3", pytest.approx(0.2))
    gauge = service.get(f"/stations/gauge?datetime={AT}").json()
    assert (gauge["class"], gauge["thresholds"], gauge["answer"]) == (3, ["warning", "danger"], None)
    mute = service.get(f"/stations/%3Cb%3Emute%3C%2Fb%3E?datetime={AT}")
    assert mute.json()["measured"][0]["latest"] == {
        "datetime": "2026-05-01T00:00:00Z",
        "value": 5.0,
        "quality": "suspect",
    }


def test_frames_show_each_hour(service: Service) -> None:
    span = "datetime=2026-05-01T00:00:00Z/2026-05-01T07:00:00Z"
    film = service.get(f"/station-frames?{span}").json()
    place = film["stations"].index("town")
    assert [frame[place] for frame in film["frames"]] == ["1", "3", "4", "5", "1", "3", "-", "-"]
    every = service.get(f"/station-frames?{span}&every=3").json()
    assert [frame[place] for frame in every["frames"]] == ["1", "5", "-"]
    level = service.get(f"/station-frames?index=thresholds&{span}").json()
    assert level["stations"] == ["gauge"]
    assert "".join(level["frames"]) == "123333--"


def test_frames_of_the_former_edition_take_a_day(service: Service) -> None:
    film = service.get("/station-frames?datetime=2026-01-10T18:00:00Z/2026-01-11T01:00:00Z").json()
    place = film["stations"].index("former")
    # 19 hours are too few for a mean, so ozone alone is judged; 20 and more are enough.
    assert [frame[place] for frame in film["frames"]] == ["1", "3", "3", "3", "3", "3", "-", "-"]


@pytest.mark.parametrize(
    "query",
    [
        "/stations?theme=nonsense",
        "/stations?datetime=yesterday",
        "/stations?bbox=1,2,3",
        "/stations?limit=0",
        "/stations?q=%00",
        "/stations?stranger=1",
        "/stations?property=",
        "/station-frames?every=0",
        "/station-frames?index=soil",
        "/station-frames?datetime=2026-05-02/2026-05-01",
        "/station-frames?datetime=2020-01-01/2026-05-01",
    ],
)
def test_bad_questions_are_refused_with_a_reason(service: Service, query: str) -> None:
    answer = service.get(query)
    assert answer.status_code == 400
    assert answer.json()["detail"]


def test_unknown_division_and_station(service: Service) -> None:
    assert service.get("/stations?adcode=990101").status_code == 404
    assert service.get("/stations/none").status_code == 404
