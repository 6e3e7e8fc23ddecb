"""Alerts as zones of impacts: what is played stays marked, and what is over says so, however an alert is named."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from geoservice.db.engine import Database
from tests.geoservice.alerts.test_answers import answer, kept
from tests.geoservice.alerts.test_reply import ask, reply
from tests.support.alerts import Json, Watch, cap, info, moment, named
from tests.support.situation import exercise, on_duty

QUIET: Json = {"ways": False, "needs": False, "secondary": False}


@pytest.fixture(scope="module")
def watch(module_database: Database) -> Iterator[Watch]:
    with on_duty(module_database, impact_max_km2=400.0) as found:
        yield found


def zone_of(watch: Watch, body: Any) -> Json:
    found = watch.ask("POST", "/impact", None, json={**body, **QUIET})
    assert found.status_code == 200, found.text
    told: Json = found.json()["zone"]
    return told


def ways_to_name(watch: Watch, identifier: str, number: str) -> list[Json]:
    (key,) = (one["id"] for one in watch.drawn() if one["properties"]["identifier"] == identifier)
    feature = {"feature": {"collection": "cap_alert", "id": key}}
    return [{"alert": number}, {"alert": identifier}, feature]


@pytest.mark.parametrize(
    ("status", "told"), [("Exercise", "exercise"), ("Test", "test"), ("Actual", "actual"), ("System", "test")]
)
def test_a_zone_is_meant_as_its_alert_is_by_whatever_this_is_named(watch: Watch, status: str, told: str) -> None:
    identifier = f"meant-{status}"
    number = watch.taken(cap(identifier, status=status))["id"]
    for body in ways_to_name(watch, identifier, number):
        assert zone_of(watch, body)["status"] == told, body
        real = ask(watch, {**body, **QUIET}, reply())
        assert real.status_code == (201 if told == "actual" else 422), real.text
        if told != "actual":
            assert "would not say so" in real.json()["detail"]
            assert ask(watch, {**body, **QUIET}, reply(status=told.capitalize())).status_code == 201


def test_a_real_alert_is_not_marked_by_an_exercise_of_its_identifier(watch: Watch) -> None:
    watch.taken(cap("twice", sender="drill@test.example", status="Exercise"))
    watch.taken(cap("twice"))
    assert zone_of(watch, {"alert": "twice"})["status"] == "actual"


def test_what_the_board_of_an_exercise_asks_stays_an_exercise_down_to_the_draft(watch: Watch) -> None:
    drill = exercise(watch)
    played = watch.taken(cap("drill", status="Exercise"))["id"]
    assert watch.ask("PUT", f"/situation/exercises/{drill}/alerts/{played}", "public").status_code == 204
    (event,) = watch.ask("GET", f"/situation?exercise={drill}&kinds=alert").json()["events"]
    body = event["impact"]["body"]
    assert zone_of(watch, body)["status"] == "exercise"
    report = kept(watch, body)
    refused = answer(watch, report)
    assert refused.status_code == 422, refused.text
    assert "Exercise" in refused.json()["detail"]
    made = answer(watch, report, told=reply(status="Exercise"))
    assert made.status_code == 201, made.text
    assert made.json()["content"]["status"] == "Exercise"


def test_an_alert_that_was_cancelled_says_so_and_is_answered(watch: Watch) -> None:
    first = cap("ended")
    number = watch.taken(first)["id"]
    assert "holds until" in zone_of(watch, {"alert": number})["notice"]["en"]
    watch.taken(cap("ending", "", msgType="Cancel", references=named(first), sent=moment(-0.2)))
    found = zone_of(watch, {"alert": number})
    assert found["notice"]["en"].startswith("The alert was cancelled at ")
    assert "取消" in found["notice"]["zh"]
    assert found["area_m2"] > 0


def test_an_alert_whose_time_is_over_says_until_when_it_held(watch: Watch) -> None:
    over = cap("expired", info(expires="2026-01-02T11:04:00+08:00"), sent="2026-01-02T08:00:00+08:00")
    told = zone_of(watch, {"alert": watch.taken(over)["id"]})["notice"]
    assert told["en"] == "The alert holds until 2026-01-02 03:04 UTC; from then on it is over."
