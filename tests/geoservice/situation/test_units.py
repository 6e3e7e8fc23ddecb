"""Units: where they are, where they were, who sees them, and reports that come late, twice, or from the future."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Any

import pytest

from geoservice.db.credentials import Role
from geoservice.db.engine import Database
from tests.support.alerts import Watch
from tests.support.situation import at, exercise, on_duty, unit


@pytest.fixture(scope="module")
def watch(module_database: Database) -> Iterator[Watch]:
    with on_duty(module_database, units_each=6, unit_track_hours=2) as running:
        yield running


@pytest.fixture(autouse=True)
def clean(watch: Watch) -> None:
    with watch.database.psycopg(Role.WRITER) as connection:
        connection.execute("DELETE FROM situation.unit")


def put(watch: Watch, number: str, body: Any, who: str = "internal") -> Any:
    return watch.ask("PUT", f"/situation/units/{number}", who, json=body)


def ids(watch: Watch, query: str = "", who: str | None = None) -> list[str]:
    answer = watch.ask("GET", f"/situation/units{query}", who)
    assert answer.status_code == 200, answer.text
    return [one["id"] for one in answer.json()["features"]]


def test_a_report_moves_the_unit_and_its_track_keeps_where_it_was(watch: Watch) -> None:
    for number, (lon, seconds) in enumerate(((80.01, -60), (80.02, -30), (80.03, 0))):
        answer = put(watch, "b-1", unit(lon, seconds=seconds))
        assert answer.status_code == (201 if number == 0 else 200), answer.text
        assert answer.json()["outcome"] == ("new" if number == 0 else "moved")
    found = watch.ask("GET", "/situation/units/b-1", "internal").json()
    assert found["geometry"] == {"type": "Point", "coordinates": [80.03, 40.05]}
    told = found["properties"]
    assert (told["kind"], told["kindTitle"]["zh"], told["heading"], told["speed"]) == ("boat", "冲锋舟", 90.0, 4.5)
    assert not told["stale"]
    assert "exercise" not in told
    line = watch.ask("GET", "/situation/units/b-1/track", "internal").json()
    assert line["geometry"]["coordinates"] == [[80.01, 40.05], [80.02, 40.05], [80.03, 40.05]]
    times = [dt.datetime.fromisoformat(t) for t in line["properties"]["times"]]
    assert times == sorted(times)
    later = watch.client.get(
        "/situation/units/b-1/track", params={"since": at(-40)}, headers={"X-API-Key": watch.keys["internal"]}
    )
    assert later.json()["geometry"]["coordinates"] == [[80.02, 40.05], [80.03, 40.05]]


def test_a_late_report_fills_the_track_and_moves_nothing(watch: Watch) -> None:
    put(watch, "b-2", unit(80.03))
    answer = put(watch, "b-2", unit(80.01, seconds=-100))
    assert (answer.status_code, answer.json()["outcome"]) == (200, "late")
    assert watch.ask("GET", "/situation/units/b-2", "internal").json()["geometry"]["coordinates"] == [80.03, 40.05]
    line = watch.ask("GET", "/situation/units/b-2/track", "internal").json()
    assert line["geometry"]["coordinates"] == [[80.01, 40.05], [80.03, 40.05]]


def test_the_same_report_twice_changes_nothing_and_another_of_its_time_is_refused(watch: Watch) -> None:
    body = unit()
    put(watch, "b-3", body)
    assert put(watch, "b-3", body).json()["outcome"] == "unchanged"
    for other in ({"position": [80.06, 40.05]}, {"status": "distress"}, {"speed": 9.0}):
        answer = put(watch, "b-3", {**body, **other})
        assert answer.status_code == 409, answer.text
    assert watch.ask("GET", "/situation/units/b-3", "internal").json()["properties"]["status"] == "under_way"


@pytest.mark.parametrize(
    ("wrong", "status"),
    [
        ({"time": at(3600)}, 422),
        ({"time": at(-3 * 3600)}, 422),
        ({"time": "0001-01-01T00:00:00+08:00"}, 422),
        ({"time": "2026-01-01T00:00:00"}, 422),
        ({"position": [181, 40]}, 422),
        ({"position": [80]}, 422),
        ({"position": ["80", "40"]}, 422),
        ({"heading": 360}, 422),
        ({"speed": -1}, 422),
        ({"kind": "spaceship"}, 400),
        ({"status": "asleep"}, 400),
        ({"name": "a\x00b"}, 422),
        ({"name": "\u202eevil"}, 422),
        ({"exercise": "nowhere"}, 404),
        ({"clearance": "restricted"}, 400),
        ({"clearance": "top"}, 400),
        ({"whatever": 1}, 422),
    ],
)
def test_what_cannot_be_is_refused_and_leaves_nothing(watch: Watch, wrong: dict[str, Any], status: int) -> None:
    answer = put(watch, "b-4", {**unit(), **wrong})
    # A body that does not fit its form is a bad request too; either way it is no fault of ours.
    assert answer.status_code in (400, status), answer.text
    assert answer.json()["detail"]
    assert ids(watch, who="restricted") == []


def test_nobody_sees_or_moves_a_unit_above_their_clearance(watch: Watch) -> None:
    put(watch, "hidden", unit(80.01), "restricted")
    put(watch, "inner", unit(80.02), "internal")
    put(watch, "open", unit(80.03, clearance="public"), "internal")
    assert ids(watch) == ["open"]
    assert sorted(ids(watch, who="insider")) == ["inner", "open"]
    assert sorted(ids(watch, who="reader")) == ["hidden", "inner", "open"]
    for path in ("/situation/units/hidden", "/situation/units/hidden/track"):
        assert watch.ask("GET", path, "insider").status_code == 404
    assert watch.ask("DELETE", "/situation/units/hidden", "internal").status_code == 404
    # The same id below is another unit, and tells nothing of the one above.
    assert put(watch, "hidden", unit(80.09), "internal").status_code == 201
    assert watch.ask("GET", "/situation/units/hidden", "reader").json()["geometry"]["coordinates"] == [80.01, 40.05]


def test_writing_takes_the_right(watch: Watch) -> None:
    assert watch.ask("PUT", "/situation/units/x", None, json=unit()).status_code == 401
    assert put(watch, "x", unit(), "bystander").status_code == 403
    assert watch.ask("DELETE", "/situation/units/x", "bystander").status_code == 403
    assert put(watch, "x y", unit()).status_code in (400, 422)


def test_a_withdrawn_unit_is_gone_with_its_track_and_comes_back_with_its_next_report(watch: Watch) -> None:
    put(watch, "b-5", unit(80.01, seconds=-50))
    assert watch.ask("DELETE", "/situation/units/b-5", "internal").status_code == 204
    assert watch.ask("DELETE", "/situation/units/b-5", "internal").status_code == 404
    assert ids(watch, who="internal") == []
    assert put(watch, "b-5", unit(80.02)).json()["outcome"] == "new"
    line = watch.ask("GET", "/situation/units/b-5/track", "internal").json()
    assert line["geometry"] == {"type": "Point", "coordinates": [80.02, 40.05]}


def test_lists_are_cut_by_a_box_and_paged(watch: Watch) -> None:
    for number in range(4):
        put(watch, f"p-{number}", unit(80.01 + number / 100))
    assert ids(watch, "?bbox=80.015,40,80.035,41", "internal") == ["p-1", "p-2"]
    found, address = list[str](), "/situation/units?limit=3"
    while address:
        page = watch.ask("GET", address, "internal").json()
        found += [one["id"] for one in page["features"]]
        address = next(
            (one["href"].removeprefix("http://testserver") for one in page["links"] if one["rel"] == "next"), ""
        )
    assert found == ["p-0", "p-1", "p-2", "p-3"]


def test_a_key_reports_so_many_units_and_no_more(watch: Watch) -> None:
    for number in range(6):
        assert put(watch, f"m-{number}", unit()).status_code == 201
    assert put(watch, "m-6", unit()).status_code == 429
    assert put(watch, "m-0", unit(seconds=1)).status_code == 200, "those that it has go on"


def test_old_positions_are_forgotten(watch: Watch) -> None:
    put(watch, "old", unit(80.01, seconds=-60))
    with watch.database.psycopg(Role.WRITER) as connection:
        connection.execute("UPDATE situation.track SET time = time - interval '3 hours'")
    put(watch, "old", unit(80.02))
    line = watch.ask("GET", "/situation/units/old/track", "internal").json()
    assert line["geometry"] == {"type": "Point", "coordinates": [80.02, 40.05]}


def test_what_is_played_moves_no_real_unit_and_is_seen_only_when_asked_for(watch: Watch) -> None:
    drill = exercise(watch)
    put(watch, "b-6", unit(80.01))
    answer = put(watch, "b-6", unit(80.09, exercise=drill))
    assert answer.status_code == 201, answer.text
    (real,) = watch.ask("GET", "/situation/units", "internal").json()["features"]
    assert real["geometry"]["coordinates"] == [80.01, 40.05]
    assert "exercise" not in real["properties"]
    played = watch.ask("GET", f"/situation/units?exercise={drill}", "internal").json()
    assert [one["geometry"]["coordinates"] for one in played["features"]] == [[80.09, 40.05]]
    title = {"id": drill, "title": {"zh": "春汛演练", "en": "Flood drill"}}
    assert played["exercise"] == played["features"][0]["properties"]["exercise"] == title
    line = watch.ask("GET", "/situation/units/b-6/track", "internal").json()
    assert line["geometry"] == {"type": "Point", "coordinates": [80.01, 40.05]}
