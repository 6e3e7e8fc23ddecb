"""New editions as server-sent events: what is told to whom, coming back, and the ends of streams."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from geoservice.api import change_events
from geoservice.app import create_app
from geoservice.db.credentials import Role
from geoservice.db.engine import Database
from layers.access import Clearance
from tests.support.editing import Office, give_key, open_office, point
from tests.support.serving import serving

EACH = 3


@dataclass
class Studio:
    """An office for edits, and the same service behind a real socket for those who listen."""

    office: Office
    address: str

    def listen(self, who: str | None, query: str = "", **headers: str) -> Any:
        if who is not None:
            headers["X-API-Key"] = self.office.keys[who]
        return httpx.stream("GET", f"{self.address}/events{query}", headers=headers, timeout=30)

    def change(self, key: str, **properties: Any) -> None:
        made = self.office.create("spot", {"code": key, **properties}, point(105, 38))
        assert made.status_code == 201, made.text

    def heard(self, who: str | None, query: str, act: Any, most: int = 1, **headers: str) -> list[dict[str, str]]:
        """Events that somebody hears after something was done, at most so many."""
        with self.listen(who, query, **headers) as response:
            assert response.status_code == 200, response.read()
            act()
            return list(events(response, most))


def events(response: httpx.Response, most: int) -> Iterator[dict[str, str]]:
    """The first events of a stream that tell something, as their fields."""
    fields: dict[str, str] = {}
    for line in response.iter_lines():
        name, _, value = line.partition(": ")
        if line and not line.startswith(":"):
            fields[name] = value
        elif fields:
            told, fields = fields, {}
            if told.get("event") == "alive":
                continue
            yield told
            most -= 1
            if most == 0:
                return


@pytest.fixture(scope="module")
def studio(module_database: Database, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    with open_office(module_database, tmp_path_factory.mktemp("office")) as office:
        settings = module_database.settings.model_copy(update={"event_streams_each": EACH})
        with serving(create_app(settings, office.catalog)) as address:
            yield Studio(office, address)


def test_each_hears_of_what_they_may_see(studio: Studio) -> None:
    gate = threading.Barrier(3)

    def follow(who: str | None) -> dict[str, str]:
        def act() -> None:
            gate.wait(30)

        return studio.heard(who, "?collections=spot", act)[0]

    with ThreadPoolExecutor(2) as pool:
        public, editor = pool.submit(follow, None), pool.submit(follow, "editor")
        gate.wait(30)
        studio.change("hid-1", level="restricted")
        seen = editor.result(30)
        assert not public.done()
        studio.change("open-1")
        told = json.loads(public.result(30)["data"])
    assert json.loads(seen["data"])["counts"] == {"created": 1, "updated": 0, "deleted": 0}
    assert told["counts"] == {"created": 1, "updated": 0, "deleted": 0}
    changes = studio.office.ask("GET", told["href"].removeprefix(studio.address), None).json()["changes"]
    assert [c["id"] for c in changes] == ["open-1"]


def test_who_comes_back_misses_nothing(studio: Studio) -> None:
    first = studio.heard("editor", "?collections=spot", lambda: studio.change("back-1"))[0]
    studio.change("back-2")
    studio.office.create("register", {"code": "other"})
    missed = studio.heard("editor", "?collections=spot", lambda: None, **{"Last-Event-ID": first["id"]})[0]
    data = json.loads(missed["data"])
    assert (data["collection"], data["counts"]["created"]) == ("spot", 1)
    assert data["since"] == json.loads(first["data"])["edition"]
    again = studio.heard(
        "editor", "?collections=spot", lambda: studio.change("back-3"), **{"Last-Event-ID": missed["id"]}
    )[0]
    assert json.loads(again["data"])["since"] == data["edition"]


def test_a_client_from_the_future_is_brought_back(studio: Studio) -> None:
    known = {"Last-Event-ID": "spot=999999999999"}
    told = studio.heard("editor", "?collections=spot", lambda: studio.change("future"), **known)[0]
    assert json.loads(told["data"])["counts"]["created"] == 1


@pytest.mark.parametrize("seen", ["x", "spot", "spot=", "spot=1,", "spot=-1", "SPOT=1", "spot=1;drop", "a=1," * 5000])
def test_ids_that_are_none_are_refused(studio: Studio, seen: str) -> None:
    with studio.listen("editor", "?collections=spot", **{"Last-Event-ID": seen}) as response:
        assert response.status_code == 400


def test_hidden_collections_cannot_be_followed(studio: Studio) -> None:
    for who, query in (("clerk", "?collections=vault"), (None, "?collections=spot,nothing"), (None, "?collections=,")):
        with studio.listen(who, query) as response:
            assert response.status_code == 404
    with studio.listen(None, "?collections=" + ",".join(f"x{i}" for i in range(101))) as response:
        assert response.status_code == 400


def revoke(studio: Studio, who: str) -> None:
    with studio.office.database.psycopg(Role.WRITER) as connection:
        key = studio.office.keys[who].split("_")[1]
        connection.execute("UPDATE meta.api_key SET revoked = now() WHERE id = %s", (key,))


def test_a_stream_ends_with_the_key(studio: Studio) -> None:
    studio.office.keys["leaver"] = give_key(studio.office.database, Clearance.RESTRICTED, [])
    heard = studio.heard("leaver", "?collections=spot", lambda: revoke(studio, "leaver"), most=100)
    assert heard == []


def test_without_the_question_a_revoked_key_would_listen_on(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    """Negative control: the question is what ends the stream."""

    async def always(*_: object) -> bool:
        return True

    monkeypatch.setattr(change_events, "still_the_same", always)
    studio.office.keys["ghost"] = give_key(studio.office.database, Clearance.RESTRICTED, [])

    def act() -> None:
        revoke(studio, "ghost")
        studio.change("ghost")

    assert len(studio.heard("ghost", "?collections=spot", act)) == 1


def test_streams_are_counted_and_given_back(studio: Studio) -> None:
    for _ in range(2):
        with ExitStack() as open_streams:
            for _ in range(EACH):
                assert open_streams.enter_context(studio.listen("themed")).status_code == 200
            with studio.listen("themed") as one_more:
                assert one_more.status_code == 429
            assert open_streams.enter_context(studio.listen("reader")).status_code == 200
