"""The situation as it changes: who hears what, coming back, and what is played apart from what is real."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

import httpx
import pytest

from geoservice.api import situation_stream
from geoservice.app import create_app
from geoservice.db.credentials import Role
from geoservice.db.engine import Database
from tests.contract.test_change_events import events
from tests.support.alerts import CATALOG, Json, Watch, cap
from tests.support.serving import serving
from tests.support.situation import exercise, mark, on_duty, unit


@dataclass
class Ears:
    """A service that is written, and the same behind a real socket for those who listen."""

    watch: Watch
    address: str

    def hear(
        self, who: str | None, act: Callable[[], Any], most: int, query: str = "", **headers: str
    ) -> list[tuple[str, Json, str]]:
        """The next events (kind, data, id) that somebody hears after something was done."""
        keys = {} if who is None else {"X-API-Key": self.watch.keys[who]}
        address = f"{self.address}/situation/stream{query}"
        with httpx.stream("GET", address, headers={**keys, **headers}, timeout=60) as response:
            assert response.status_code == 200, response.read()
            told = []
            for one in events(response, most):
                told.append((one["event"], json.loads(one["data"]), one["id"]))
                if len(told) == 1:
                    act()
            return told


@pytest.fixture(scope="module")
def ears(module_database: Database) -> Iterator[Ears]:
    with on_duty(module_database) as watch, serving(create_app(module_database.settings, CATALOG)) as address:
        yield Ears(watch, address)


@pytest.fixture(autouse=True)
def clean(ears: Ears) -> None:
    with ears.watch.database.psycopg(Role.WRITER) as connection:
        connection.execute("DELETE FROM alert.message")
        connection.execute("DELETE FROM situation.unit")


def put(ears: Ears, number: str, who: str = "public", **more: Any) -> None:
    answer = ears.watch.ask("PUT", f"/situation/units/{number}", who, json=unit(**more))
    assert answer.status_code in (200, 201), answer.text


def test_everybody_hears_what_they_may_see_in_its_order(ears: Ears) -> None:
    flood = ears.watch.taken(cap("s-flood"))["id"]

    def act() -> None:
        put(ears, "hidden", "restricted")
        put(ears, "open")
        ears.watch.ask("POST", "/situation/marks", "public", json=mark())
        ears.watch.ask("DELETE", "/situation/units/open", "public")

    # A unit is told as it is when somebody looks: gone at once, or first there and then gone.
    told = ears.hear(None, act, 3)
    kind, board, _ = told[0]
    assert (kind, [one["id"] for one in board["events"]]) == ("board", [f"alert:{flood}"])
    kinds = [one[0] for one in told[1:]]
    assert set(kinds) == {"unit", "mark"}
    assert {one[1]["id"] for one in told if one[0] == "unit"} == {"open"}


def test_alerts_that_come_and_go_are_told_one_by_one(ears: Ears) -> None:
    first = cap("s-first")
    ears.watch.taken(first)
    told = ears.hear(None, lambda: ears.watch.taken(cap("s-second")), 2)
    assert (told[1][0], told[1][1]["identifier"]) == ("event", "s-second")
    parts = first.decode()
    sent = parts.split("<sent>")[1].split("<")[0]
    reference = f"eoc@test.example,s-first,{sent}"
    told = ears.hear(None, lambda: ears.watch.taken(cap("s-end", "", msgType="Cancel", references=reference)), 2)
    assert told[1][0] == "over"
    assert set(told[1][1]) == {"id"}


def test_who_comes_back_hears_what_was_missed_and_not_again_what_is_known(ears: Ears) -> None:
    ears.watch.taken(cap("s-known"))
    ((_, _, mark_),) = ears.hear(None, lambda: None, 1)
    put(ears, "one")
    put(ears, "two")
    told = ears.hear(None, lambda: None, 2, **{"Last-Event-ID": mark_})
    assert [(kind, data["id"]) for kind, data, _ in told] == [("unit", "one"), ("unit", "two")]
    told = ears.hear(None, lambda: None, 1, **{"Last-Event-ID": told[0][2]})
    assert [(kind, data["id"]) for kind, data, _ in told] == [("unit", "two")]
    ears.watch.taken(cap("s-missed"))
    told = ears.hear(None, lambda: None, 1, **{"Last-Event-ID": mark_})
    assert [one["identifier"] for one in told[0][1]["events"]] == ["s-missed", "s-known"] or told[0][0] == "board"
    for wrong in ("x", "1", "1.zz", "9" * 40 + ".0"):
        answer = ears.watch.ask("GET", "/situation/stream", None, headers={"Last-Event-ID": wrong})
        assert answer.status_code == 400


def test_what_is_played_is_heard_by_whom_asks_for_it_alone(ears: Ears) -> None:
    drill = exercise(ears.watch)
    ears.watch.taken(cap("s-real"))

    def act() -> None:
        put(ears, "played", exercise=drill)
        played = ears.watch.taken(cap("s-played", status="Exercise"))["id"]
        ears.watch.ask("PUT", f"/situation/exercises/{drill}/alerts/{played}", "public")
        put(ears, "real")

    told = ears.hear(None, act, 2)
    assert [(kind, data.get("id")) for kind, data, _ in told] == [("board", None), ("unit", "real")]
    assert drill not in json.dumps(told)
    told = ears.hear(None, lambda: put(ears, "again", exercise=drill), 2, f"?exercise={drill}")
    assert told[0][1]["exercise"]["id"] == drill
    assert [one["identifier"] for one in told[0][1]["events"]] == ["s-played"]
    assert told[1][1]["properties"]["exercise"]["id"] == drill
    assert ears.watch.ask("GET", "/situation/stream?exercise=none").status_code == 404


def test_a_quiet_stream_says_that_it_is_alive_and_moves_no_mark(ears: Ears, monkeypatch: pytest.MonkeyPatch) -> None:
    """A page cannot hear comments; without a word it would take a quiet service for one that is gone."""
    monkeypatch.setattr(situation_stream, "PING_SECONDS", 0.2)
    with httpx.stream("GET", f"{ears.address}/situation/stream", timeout=60) as response:
        lines = response.iter_lines()
        told = [line for line in islice((line for line in lines if line), 12) if line]
    place = told.index("event: alive")
    assert told[place + 1] == "data: {}"
    assert told[place + 2] == "event: alive", "neither an id nor anything else"
