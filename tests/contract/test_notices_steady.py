"""The courier goes on whatever happens: slow questions, poison, subscribers far behind; and it tells nothing twice."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import shapely

from geoservice.db.engine import Database
from geoservice.events import alert_watch
from geoservice.events import courier as courier_module
from geoservice.events.courier import Courier
from geoservice.events.dispatch import Dispatch
from geoservice.events.excess_watch import ExcessWatch
from geoservice.events.layer_watch import LayerWatch
from geoservice.events.postman import Postman
from layers.errors import QueryTimeout
from tests.support.alerts import CATALOG, cap
from tests.support.notices import Desk, open_desk

SLOW = QueryTimeout("The query took longer than this service allows; ask for a smaller area or fewer items.")
ODD = RuntimeError("odd")


@pytest.fixture(scope="module")
def module_desk(module_database: Database, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    with open_desk(module_database, tmp_path_factory.mktemp("post")) as desk:
        yield desk


@pytest.fixture
def desk(module_desk: Desk) -> Iterator[Desk]:
    yield module_desk
    module_desk.clear()


def told(desk: Desk, looks: int = 3) -> list[str]:
    """Identifiers of the alerts that were posted after some looks."""
    for _ in range(looks):
        desk.look()
    return [one["data"]["identifier"] for one in desk.told()]


def wait_for(what: Callable[[], bool], seconds: float = 20.0) -> bool:
    """Whether something comes true in time."""
    until = time.monotonic() + seconds
    while not what() and time.monotonic() < until:
        time.sleep(0.02)
    return what()


@contextmanager
def at_work(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Thread]:
    """A courier in a thread, as a worker keeps one, in a hurry."""
    for name in ("LOOK_SECONDS", "AWAY_SECONDS", "EXCESS_SECONDS"):
        monkeypatch.setattr(courier_module, name, 0.05)
    stop = threading.Event()
    thread = threading.Thread(target=Courier(desk.courier._database, stop, CATALOG).keep)
    thread.start()
    try:
        yield thread
    finally:
        stop.set()
        thread.join(30)
        assert not thread.is_alive()


@pytest.mark.parametrize(
    ("owner", "name", "error"),
    [
        (LayerWatch, "_behind", ODD),
        (alert_watch, "_fresh", SLOW),
        (alert_watch.AlertWatch, "_behind", ODD),
        (ExcessWatch, "_asked", SLOW),
        (Dispatch, "start", SLOW),
        (Postman, "post", ODD),
    ],
)
def test_whatever_a_look_comes_upon_the_next_one_tells(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, owner: Any, name: str, error: Exception
) -> None:
    calls: list[int] = []
    real = getattr(owner, name)

    def stumbling(*args: Any, **more: Any) -> Any:
        calls.append(1)
        if len(calls) == 1:
            raise error
        return real(*args, **more)

    desk.hook(kind="alert")
    monkeypatch.setattr(owner, name, stumbling)
    monkeypatch.setattr("geoservice.events.dispatch.FIRST_PAUSE", 0.01)
    with at_work(desk, monkeypatch) as thread:
        desk.watch.taken(cap(f"on-{owner.__name__}-{name}"))
        assert wait_for(lambda: bool(desk.box.letters) and len(calls) > 1)
        assert thread.is_alive()


def test_questions_about_exceedances_hold_up_no_message(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    asked, answered = threading.Event(), threading.Event()

    def slow(_: ExcessWatch) -> None:
        asked.set()
        answered.wait(30)

    monkeypatch.setattr(ExcessWatch, "look", slow)
    desk.hook(kind="alert")
    with at_work(desk, monkeypatch):
        try:
            assert asked.wait(20)
            for name in ("meanwhile-1", "meanwhile-2"):
                desk.watch.taken(cap(name))
            assert wait_for(lambda: len(desk.box.letters) == 2)
        finally:
            answered.set()


def test_one_message_that_cannot_be_told_keeps_nobody_from_the_next(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = alert_watch.told

    def poisoned(kept: Any, *more: Any) -> Any:
        if kept.alert.identifier == "poison":
            raise shapely.errors.GEOSException("TopologyException: side location conflict")
        return real(kept, *more)

    monkeypatch.setattr(alert_watch, "told", poisoned)
    desk.hook(kind="alert")
    for name in ("before-poison", "poison", "behind-poison"):
        desk.watch.taken(cap(name))
    assert told(desk) == ["before-poison", "behind-poison"]


def test_a_message_that_cannot_be_read_any_more_keeps_nobody_from_the_next(desk: Desk) -> None:
    desk.hook(kind="alert")
    for name in ("unreadable", "readable"):
        desk.watch.taken(cap(name))
    desk.run("UPDATE alert.message SET content = content - 'sender' WHERE identifier = 'unreadable'")
    assert told(desk) == ["readable"]


def test_an_area_that_cannot_be_read_keeps_nobody_else_waiting(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor in the end: its mark moves, so that the others are not looked at from there for ever."""
    monkeypatch.setattr(alert_watch, "MOST", 2)
    spoiled = desk.hook(kind="alert", area={"adcode": "990101"})
    desk.hook(kind="alert")
    desk.run(f"UPDATE meta.subscription SET area = '\\x01' WHERE id = '{spoiled}'")  # noqa: S608 - a test
    names = [f"area-{n}" for n in range(3)]
    for name in names:
        desk.watch.taken(cap(name))
    assert told(desk, 5) == names
    assert desk.log(spoiled) == []


def test_who_subscribes_while_others_are_behind_hears_nothing_of_before(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Marks never move backwards, however little is looked at in one go."""
    early = desk.hook(kind="alert")
    for n in range(3):
        desk.watch.taken(cap(f"bulk-{n}"))
    late = desk.hook(kind="alert")
    desk.watch.taken(cap("bulk-after"))
    monkeypatch.setattr(alert_watch, "MOST", 2)
    assert sorted(told(desk, 6)) == ["bulk-0", "bulk-1", "bulk-2", "bulk-after", "bulk-after"]
    assert (len(desk.log(early)), len(desk.log(late))) == (4, 1)


def test_what_takes_too_long_is_looked_at_in_smaller_pieces(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    real = alert_watch._fresh

    async def slow(*args: Any) -> Any:
        if args[-1] > 2:
            raise SLOW
        return await real(*args)

    monkeypatch.setattr(alert_watch, "MOST", 8)
    monkeypatch.setattr(alert_watch, "_fresh", slow)
    desk.hook(kind="alert")
    names = [f"piece-{n}" for n in range(3)]
    for name in names:
        desk.watch.taken(cap(name))
    assert told(desk, 12) == names
