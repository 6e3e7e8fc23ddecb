"""The board: what goes on where, the worst first, for whom; and what an exercise looks like apart from it."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator
from typing import Any

import pytest
import shapely
from starlette.testclient import TestClient

from geoservice.app import create_app
from geoservice.db.credentials import Role
from geoservice.db.engine import Database
from layers.access import Clearance
from layers.catalog import Catalog
from tests.support.alerts import ALL, COUNTIES, WHO, Json, Watch, area, cap, info, moment
from tests.support.editing import give_key
from tests.support.situation import OFFICERS, exercise, unit
from tests.support.stations import Place, furnish, hourly, record
from tests.support.zones import plant, prepare

CATALOG = Catalog(
    {n: ALL.layer(n) for n in ("cap_alert", "division", "earthquake", "active_fire", "active_fault")}, ALL.codelists
)
NOW = dt.datetime.now(dt.UTC)
EAST = "40.02,80.12 40.02,80.18 40.08,80.18 40.08,80.12 40.02,80.12"
RING = [[80.11, 40.02], [80.14, 40.02], [80.14, 40.05], [80.11, 40.05], [80.11, 40.02]]
SQUARE = {"type": "Polygon", "coordinates": [RING]}
FIRES = [(80.05, 40.05, 1), (80.055, 40.05, 2), (80.06, 40.055, 3), (80.19, 40.09, 1), (80.05, 40.05, 30)]
"""Longitude, latitude, hours ago: three that burn together, one alone, one of the day before."""
QUAKES = [
    ("q-big", 6.4, 80.15, 2, 0), ("q-hidden", 7.5, 80.05, 1, 2), ("q-old", 7.0, 80.05, 80, 0),
    ("q-small", 3.9, 80.05, 1, 0),
]  # fmt: skip
"""Name, magnitude, longitude, hours ago, clearance."""


@pytest.fixture(scope="module")
def watch(module_database: Database) -> Iterator[Watch]:
    database = module_database
    prepare(database, CATALOG)
    rows = [{"adcode": c, "level": "county", "name_zh": c, "geom": s} for c, s in COUNTIES.items()]
    rows += [{"adcode": "9901", "level": "city", "name_en": "Both", "geom": shapely.union_all(list(COUNTIES.values()))}]
    plant(database, CATALOG.layer("division"), rows)  # type: ignore[arg-type]
    hours = dt.timedelta(hours=1)
    quakes = [
        {
            "event_id": name, "time": NOW - ago * hours, "magnitude": magnitude, "geom": shapely.Point(lon, 40.05),
            "clearance": Clearance(level),
        }
        for name, magnitude, lon, ago, level in QUAKES
    ]  # fmt: skip
    plant(database, CATALOG.layer("earthquake"), quakes)  # type: ignore[arg-type]
    fires = [{"acquired": NOW - ago * hours, "frp": 5.0, "geom": shapely.Point(x, y)} for x, y, ago in FIRES]
    plant(database, CATALOG.layer("active_fire"), fires)  # type: ignore[arg-type]
    keys = {who: give_key(database, *held) for who, held in {**WHO, **OFFICERS}.items()}
    with TestClient(create_app(database.settings, CATALOG), raise_server_exceptions=False) as client:
        yield Watch(client, database, keys)


@pytest.fixture(autouse=True)
def clean(watch: Watch) -> None:
    with watch.database.psycopg(Role.WRITER) as connection:
        connection.execute("DELETE FROM alert.message")
        connection.execute("DELETE FROM meta.hazard_zone")
        connection.execute("DELETE FROM situation.member")


def board(watch: Watch, query: str = "", who: str | None = None) -> Json:
    answer = watch.ask("GET", f"/situation{query}", who)
    assert answer.status_code == 200, answer.text
    found: Json = answer.json()
    return found


def ids(watch: Watch, query: str = "", who: str | None = None) -> list[str]:
    return [one["id"] for one in board(watch, query, who)["events"]]


def keep(watch: Watch, who: str = "author", clearance: str = "public", **more: Any) -> str:
    body = {"classes": [{"code": "a", "label": {"zh": "甲", "en": "A"}, "area": SQUARE}], **more}
    made = watch.ask("POST", f"/hazards/zones/drawn?keep=true&clearance={clearance}", who, json=body)
    assert made.status_code == 201, made.text
    found: str = made.json()["id"]
    return found


def test_an_alert_of_the_board_is_the_zone_of_an_analysis_and_no_other_of_its_identifier(watch: Watch) -> None:
    """Identifiers are unique per sender only; the id under which an alert is listed names one message."""
    here = watch.taken(cap("same"))["id"]
    there = watch.taken(cap("same", info(area(EAST)), sender="other@test.example"))["id"]
    hidden = watch.taken(cap("hidden", scope="Restricted", restriction="staff"))["id"]
    events = {one["id"]: one for one in board(watch)["events"]}
    for number, west in ((here, 80.02), (there, 80.12)):
        answer = watch.ask("POST", "/analysis/zone", json=events[f"alert:{number}"]["impact"]["body"])
        assert answer.status_code == 200, answer.text
        assert answer.json()["zone"]["bbox"] == pytest.approx([west, 40.02, west + 0.06, 40.08])
    assert watch.ask("POST", "/analysis/zone", json={"alert": hidden}).status_code == 404
    assert watch.ask("POST", "/analysis/zone", "reader", json={"alert": hidden}).status_code == 200


def test_a_mark_of_an_exercise_is_said_once(watch: Watch) -> None:
    watch.taken(cap("e-1", info(headline="【演练】洪水"), status="Exercise"))
    watch.taken(cap("e-2", info(headline="洪水"), status="Exercise"))
    told = watch.ask("GET", "/alerts?status=Exercise").json()["alerts"]
    assert {one["headline"]["zh"] for one in told} == {"【演练】洪水"}


def test_events_are_told_by_division_the_worst_first(watch: Watch) -> None:
    flood = watch.taken(cap("flood"))["id"]
    storm = watch.taken(cap("storm", info(area(EAST), severity="Extreme", headline="暴雨")))["id"]
    zone = keep(watch)
    found = board(watch)
    fire = next(one["id"] for one in found["events"] if one["kind"] == "fire")
    order = [one["id"] for one in found["events"]]
    assert order[0] == f"alert:{storm}"
    assert set(order[1:3]) == {f"alert:{flood}", "earthquake:q-big"}
    assert set(order[3:]) == {f"zone:{zone}", fire}
    assert [one["severity"] for one in found["events"]] == ["Extreme", "Severe", "Severe", "Unknown", "Unknown"]
    regions = {one["code"]: one for one in found["regions"]}
    assert [one["code"] for one in found["regions"]] == ["990102", "990101"]
    assert set(regions["990102"]["events"]) == {f"alert:{storm}", "earthquake:q-big", f"zone:{zone}"}
    assert set(regions["990101"]["events"]) == {f"alert:{flood}", fire}
    assert (regions["990102"]["worst"], regions["990101"]["worst"]) == ("Extreme", "Severe")
    events = {one["id"]: one for one in found["events"]}
    assert events[fire]["points"] == 3
    assert events[f"alert:{storm}"]["impact"]["body"] == {"alert": storm}
    assert events[f"zone:{zone}"]["impact"]["body"] == {"zone": zone}
    assert "exercise" not in json.dumps(found).lower().replace("/situation/exercises", "")
    for one in found["events"]:
        for link in one["links"]:
            assert watch.ask("GET", link["href"].removeprefix("http://testserver")).status_code == 200, link
        if "makeZone" in one:
            path = one["makeZone"]["href"].removeprefix("http://testserver")
            assert watch.ask("POST", path, json=one["makeZone"]["body"]).status_code == 200


def test_limits_that_are_exceeded_in_an_exercise_are_on_its_board_alone(watch: Watch) -> None:
    drill = exercise(watch)
    real, played = (
        Place("real", 80.05, 40.05, {"water_level": "m"}),
        Place("played", 80.15, 40.05, {"water_level": "m"}),
    )
    furnish(watch.database, [real, played])
    moment = dt.datetime.now(dt.UTC) - dt.timedelta(minutes=3)
    record(watch.database, [one for place in (real, played) for one in hourly(place, "water_level", [9.0], moment)])
    with watch.database.psycopg(Role.WRITER) as connection:
        limits = '{"thresholds": [{"name": "warning", "above": 3.5}]}'
        connection.execute("UPDATE obs.datastream SET properties = %s::jsonb", (limits,))
        mark = json.dumps({"exercise": drill})
        connection.execute("UPDATE obs.thing SET properties = %s::jsonb WHERE key = 'played'", (mark,))
    (earnest,) = board(watch, "?kinds=exceedance")["events"]
    assert earnest["station"] == "real"
    assert "exercise" not in earnest
    (one,) = board(watch, f"?kinds=exceedance&exercise={drill}")["events"]
    assert (one["station"], one["exercise"]["id"]) == ("played", drill)
    assert one["title"]["en"].startswith("[Exercise]")
    (related,) = (link["href"] for link in one["links"] if "/exceedances" in link["href"])
    told = watch.ask("GET", related.removeprefix("http://testserver")).json()["exceedances"]
    assert [(found["station"], found["exercise"]) for found in told] == [("played", drill)]
    assert ids(watch, f"?kinds=exceedance&exercise={exercise(watch)}") == []
    with watch.database.psycopg(Role.WRITER) as connection:
        connection.execute("DELETE FROM obs.latest")


def test_a_board_can_be_cut_by_division_box_kind_and_severity(watch: Watch) -> None:
    flood = watch.taken(cap("flood"))["id"]
    assert ids(watch, "?division=990101&kinds=alert,zone") == [f"alert:{flood}"]
    assert ids(watch, "?division=990102") == ["earthquake:q-big"]
    assert len(ids(watch, "?division=9901")) == 3
    assert ids(watch, "?division=99") == ids(watch)
    assert ids(watch, "?bbox=80.14,40.0,80.16,40.1") == ["earthquake:q-big"]
    assert ids(watch, "?severity=Severe&kinds=alert") == [f"alert:{flood}"]
    assert ids(watch, "?severity=Extreme") == []
    assert [one["code"] for one in board(watch, "?level=city")["regions"]] == ["9901"]
    for wrong in ("kinds=war", "severity=Bad", "level=planet", "division=x", "bbox=1", "exercise=none"):
        assert watch.ask("GET", f"/situation?{wrong}").status_code in (400, 404), wrong


def test_what_is_over_or_ahead_is_not_on_the_board(watch: Watch) -> None:
    watch.taken(cap("over", info(expires=moment(-0.5)), sent=moment(-2)))
    keep(watch, end=moment(-1), start=moment(-2))
    keep(watch, start=moment(1), end=moment(2))
    now = keep(watch, start=moment(-1), end=moment(1))
    assert ids(watch, "?kinds=alert,zone") == [f"zone:{now}"]
    with watch.database.psycopg(Role.WRITER) as connection:
        connection.execute("UPDATE meta.hazard_zone SET kept = now() - interval '80 hours'")
    openly = keep(watch)
    with watch.database.psycopg(Role.WRITER) as connection:
        connection.execute("UPDATE meta.hazard_zone SET kept = now() - interval '80 hours' WHERE id = %s", (openly,))
    assert ids(watch, "?kinds=zone") == [f"zone:{now}"], "a zone without an end is active for three days"


def test_nothing_above_the_clearance_is_told(watch: Watch) -> None:
    hidden = keep(watch, "bearer", "restricted")
    closed = watch.taken(cap("closed", scope="Restricted", restriction="officers"))["id"]
    private = {f"zone:{hidden}", f"alert:{closed}", "earthquake:q-hidden"}
    assert private <= set(ids(watch, who="reader"))
    for who in (None, "insider"):
        found = set(ids(watch, who=who))
        assert f"zone:{hidden}" not in found
        assert "earthquake:q-hidden" not in found
    assert f"alert:{closed}" not in ids(watch)


def test_the_board_has_an_entity_tag_and_a_page(watch: Watch) -> None:
    watch.taken(cap("flood"))
    first = watch.ask("GET", "/situation")
    again = watch.ask("GET", "/situation", headers={"If-None-Match": first.headers["etag"]})
    assert again.status_code == 304
    watch.taken(cap("second"))
    assert watch.ask("GET", "/situation", headers={"If-None-Match": first.headers["etag"]}).status_code == 200
    for lang, words in (("zh", ("态势", "严重", "洪水橙色预警")), ("en", ("Situation", "Severe"))):
        page = watch.ask("GET", f"/situation?f=html&lang={lang}")
        assert page.status_code == 200
        assert all(word in page.text for word in words)
        assert "played" not in page.text


def test_an_exercise_has_a_board_of_its_own_and_says_so_everywhere(watch: Watch) -> None:
    drill = exercise(watch)
    real = watch.taken(cap("real"))["id"]
    played = watch.taken(cap("played", status="Exercise"))["id"]
    other = watch.taken(cap("other", status="Exercise"))["id"]
    zone, earnest = keep(watch, status="exercise", start=moment(-1)), keep(watch)
    join = f"/situation/exercises/{drill}"
    for path, status in (
        (f"alerts/{played}", 204), (f"zones/{zone}", 204), (f"alerts/{real}", 422), (f"zones/{earnest}", 422),
        ("alerts/none", 404), ("roads/x", 400),
    ):  # fmt: skip
        answer = watch.ask("PUT", f"{join}/{path}", "public")
        assert answer.status_code == status, (path, answer.text)
    assert watch.ask("PUT", f"{join}/alerts/{played}", "bystander").status_code == 403
    second = exercise(watch)
    assert watch.ask("PUT", f"/situation/exercises/{second}/alerts/{played}", "public").status_code == 422
    found = board(watch, f"?exercise={drill}")
    assert {one["id"] for one in found["events"]} == {f"alert:{played}", f"zone:{zone}"}
    assert found["exercise"]["id"] == drill
    for one in found["events"]:
        assert one["exercise"]["id"] == drill
        assert one["title"]["zh"].startswith("【演练】")
    assert found["title"].startswith("[Exercise]")
    page = watch.ask("GET", f"/situation?exercise={drill}&f=html&lang=zh").text
    assert 'class="played"' in page
    assert "演练 — 非真实情况" in page
    assert "春汛演练" in page
    told = watch.ask("GET", join, "public").json()
    assert {(one["kind"], one["id"]) for one in told["members"]} == {("alert", played), ("zone", zone)}
    assert f"alert:{other}" not in json.dumps(found)
    # Nothing of it is in what did not ask: the control is that the real ones are there.
    assert {f"alert:{real}", f"zone:{earnest}"} <= set(ids(watch))
    assert zone not in json.dumps(board(watch))
    assert watch.listed() == ["real"]
    zones = [one["id"] for one in watch.ask("GET", "/hazards/zones").json()["zones"]]
    assert zones == [earnest]
    assert [one["id"] for one in watch.ask("GET", "/hazards/zones?status=exercise").json()["zones"]] == [zone]
    assert 'class="played"' in watch.ask("GET", f"/alerts/{played}?f=html").text
    assert 'class="played"' not in watch.ask("GET", f"/alerts/{real}?f=html").text


def test_an_alert_names_its_exercise_by_incidents(watch: Watch) -> None:
    drill = exercise(watch)
    message = cap("named", status="Exercise").replace(b"<info>", f"<incidents>x {drill}</incidents><info>".encode(), 1)
    found = watch.taken(message)["id"]
    assert ids(watch, f"?exercise={drill}") == [f"alert:{found}"]


def test_exercises_begin_and_end_and_are_seen_by_whom_they_are_for(watch: Watch) -> None:
    hidden = exercise(watch, "internal")
    listed = watch.ask("GET", "/situation/exercises", "insider").json()["exercises"]
    assert hidden in [one["id"] for one in listed]
    assert hidden not in watch.ask("GET", "/situation/exercises").text
    for path in (
        f"/situation/exercises/{hidden}",
        f"/situation?exercise={hidden}",
        f"/situation/units?exercise={hidden}",
    ):
        assert watch.ask("GET", path).status_code == 404
        assert watch.ask("GET", path, "insider").status_code == 200
    assert watch.ask("POST", f"/situation/exercises/{hidden}/stop", "public").status_code == 404
    assert watch.ask("POST", f"/situation/exercises/{hidden}/stop", "internal").status_code == 200
    assert watch.ask("POST", f"/situation/exercises/{hidden}/stop", "internal").status_code == 409
    answer = watch.ask("PUT", "/situation/units/x", "internal", json=unit(exercise=hidden))
    assert answer.status_code == 409
    assert watch.ask("POST", "/situation/exercises", "bystander", json={}).status_code in (400, 403)
    page = watch.ask("GET", f"/situation/exercises/{hidden}?f=html&lang=en", "insider").text
    assert "EXERCISE – nothing here is real" in page
