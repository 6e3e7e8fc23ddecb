"""Work that several ask for is done once, ends when nobody waits, and is never older than what was asked for."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from starlette.requests import ClientDisconnect, Request

from geoservice.http.waiting import while_connected
from geoservice.tiles.cache import TileCache
from geoservice.tiles.drawing import Drawn
from geoservice.tiles.flights import Flights
from geoservice.tiles.journal import Journal, Stamp
from geoservice.tiles.place import KeptPlace
from geoservice.tiles.scribe import Scribe
from geoservice.tiles.shelf import Shelf
from geoservice.tiles.store import Store
from geoservice.tiles.watch import Watch


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0)


async def test_many_wait_for_one() -> None:
    flights, gate, made = Flights[int](), asyncio.Event(), 0

    async def make() -> int:
        nonlocal made
        made += 1
        await gate.wait()
        return 7

    waiting = [asyncio.create_task(flights.share("a", make)) for _ in range(20)]
    other = asyncio.create_task(flights.share("b", make))
    await until(lambda: made == 2)
    gate.set()
    found = await asyncio.gather(*waiting)
    assert {value for value, _ in found} == {7}
    assert [joined for _, joined in found].count(False) == 1
    assert (await other)[1] is False
    assert made == 2
    assert len(flights) == 0


async def test_who_leaves_does_not_end_it_for_the_others_but_the_last_does() -> None:
    flights, ended = Flights[int](), []

    async def make() -> int:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            ended.append(True)
            raise
        return 1

    waiting = [asyncio.create_task(flights.share("a", make)) for _ in range(3)]
    await until(lambda: len(flights) == 1)
    await asyncio.sleep(0)
    for task in waiting[:2]:
        task.cancel()
    await asyncio.gather(*waiting[:2], return_exceptions=True)
    assert not ended
    waiting[2].cancel()
    await asyncio.gather(waiting[2], return_exceptions=True)
    await until(lambda: bool(ended))
    assert len(flights) == 0

    async def again() -> int:
        return 2

    assert await flights.share("a", again) == (2, False)


async def test_an_error_reaches_all_who_wait_and_nobody_later() -> None:
    flights, gate = Flights[int](), asyncio.Event()

    async def fail() -> int:
        await gate.wait()
        raise LookupError("no tile")

    async def work() -> int:
        return 3

    waiting = [asyncio.create_task(flights.share("a", fail)) for _ in range(3)]
    await until(lambda: len(flights) == 1)
    gate.set()
    found = await asyncio.gather(*waiting, return_exceptions=True)
    assert [type(error) for error in found] == [LookupError] * 3
    assert await flights.share("a", work) == (3, False)


def request_of(receive: Callable[[], Awaitable[dict[str, Any]]]) -> Request:
    return Request({"type": "http", "headers": [], "method": "GET", "path": "/"}, receive)


async def test_work_ends_when_the_client_leaves() -> None:
    left, ended = asyncio.Event(), asyncio.Event()

    async def receive() -> dict[str, Any]:
        await left.wait()
        return {"type": "http.disconnect"}

    async def work() -> int:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            ended.set()
            raise
        return 1

    waiting = asyncio.create_task(while_connected(request_of(receive), work()))
    await asyncio.sleep(0)
    left.set()
    with pytest.raises(ClientDisconnect):
        await waiting
    async with asyncio.timeout(10):
        await ended.wait()


async def test_who_stays_gets_the_result() -> None:
    told = [{"type": "http.request", "body": b"", "more_body": False}]

    async def receive() -> dict[str, Any]:
        if told:
            return told.pop()
        await asyncio.sleep(60)
        raise AssertionError

    async def work() -> int:
        await asyncio.sleep(0.01)
        return 5

    assert await while_connected(request_of(receive), work()) == 5


PLACE = KeptPlace("", "spot", "d", 0, "WebMercatorQuad", 10, 395, 810, (104.7, 37.8, 105.2, 38.2))


def cache(stale: float = 0.0) -> TileCache:
    """A cache without a database: the test says what has changed."""
    watch = Watch(None)  # type: ignore[arg-type]
    watch._heard = float("inf")
    watch._journals["spot"] = Journal()
    return TileCache(watch, Shelf(1 << 20), Store(None, 0), Scribe(Store(None, 0)), stale)  # type: ignore[arg-type]


def learn(tiles: TileCache, edition: int, now: float, box: tuple[float, ...] = (-180.0, -90.0, 180.0, 90.0)) -> None:
    journal = tiles.watch._journals["spot"]
    journal.add([(edition, edition, *box)], now)
    journal.edition = journal.charted = journal.change = edition
    journal.learnt = now


def drawn(edition: int) -> Drawn:
    return Drawn(str(edition).encode(), 0, Stamp(edition, 0, laddered=False, stepped=False, ladder=False, live=True))


async def test_a_tile_that_was_begun_before_a_change_is_not_given_to_who_asks_after_it() -> None:
    tiles, gate, editions = cache(), asyncio.Event(), [2, 1]
    learn(tiles, 1, 0.0)

    async def draw() -> Drawn:
        edition = editions.pop()
        if edition == 1:
            await gate.wait()
        return drawn(edition)

    early = asyncio.create_task(tiles.tile(PLACE, draw))
    await until(lambda: editions == [2])
    learn(tiles, 2, 0.0)
    late = asyncio.create_task(tiles.tile(PLACE, draw))
    await asyncio.sleep(0)
    gate.set()
    assert (await late).body("identity") == b"2"
    # Whoever had asked before the change may be answered from before it.
    assert (await early).body("identity") in (b"1", b"2")
    assert (await tiles.tile(PLACE, draw)).body("identity") == b"2"


async def test_a_tile_that_is_kept_too_late_is_not_taken_for_current() -> None:
    """A change becomes known between drawing and keeping: the tile carries the number from before."""
    tiles = cache()
    learn(tiles, 1, 0.0)

    async def slow() -> Drawn:
        learn(tiles, 2, 0.0)
        return drawn(1)

    await tiles.tile(PLACE, slow)
    assert tiles.at_hand((0, PLACE.path)) is None

    async def fresh() -> Drawn:
        return drawn(2)

    assert (await tiles.tile(PLACE, fresh)).body("identity") == b"2"
    assert tiles.at_hand((0, PLACE.path)) is not None


async def test_changes_elsewhere_leave_a_tile_at_hand() -> None:
    tiles = cache()
    learn(tiles, 1, 0.0)

    async def draw() -> Drawn:
        return drawn(1)

    await tiles.tile(PLACE, draw)
    learn(tiles, 2, 0.0, (0.0, 0.0, 1.0, 1.0))
    entry = tiles.at_hand((0, PLACE.path))
    assert entry is not None
    assert entry.stamp.edition == 2


async def test_a_changed_tile_is_handed_out_no_longer_than_is_allowed() -> None:
    loop = asyncio.get_running_loop()
    tiles = cache(stale=0.5)
    learn(tiles, 1, loop.time())

    async def first() -> Drawn:
        return drawn(1)

    async def second() -> Drawn:
        return drawn(2)

    await tiles.tile(PLACE, first)
    learn(tiles, 2, loop.time())
    assert (await tiles.tile(PLACE, second)).body("identity") == b"1"
    await until(lambda: tiles.at_hand((0, PLACE.path)) is not None)
    assert (await tiles.tile(PLACE, second)).body("identity") == b"2"
    learn(tiles, 3, loop.time() - 0.6)

    async def third() -> Drawn:
        return drawn(3)

    assert (await tiles.tile(PLACE, third)).body("identity") == b"3"


async def test_when_nothing_is_heard_any_more_nothing_is_current() -> None:
    tiles = cache()
    learn(tiles, 1, 0.0)

    async def draw() -> Drawn:
        return drawn(1)

    await tiles.tile(PLACE, draw)
    tiles.watch._heard = 0.0
    assert tiles.at_hand((0, PLACE.path)) is None
