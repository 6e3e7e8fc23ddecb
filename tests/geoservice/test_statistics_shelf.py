"""Kept statistics: few at a time, the ones not used for longest go, large ones are not kept."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

import pytest

from geoservice.statistics.found import Found, Group
from geoservice.statistics.shelf import MOST_GROUPS, MOST_KEPT, TURNS, FigureShelf
from geoservice.statistics.tally import Tally
from layers.errors import QueryTimeout


def test_who_finds_no_turn_in_time_is_told_and_a_turn_is_given_back() -> None:
    async def asked() -> None:
        shelf = FigureShelf()
        async with AsyncExitStack() as held:
            for _ in range(TURNS):
                await held.enter_async_context(shelf.turn(1))
            with pytest.raises(QueryTimeout, match="ask again"):
                async with shelf.turn(0.01):
                    raise AssertionError("there was a turn")
        async with shelf.turn(0.01):
            pass
        with pytest.raises(ZeroDivisionError):
            async with shelf.turn(0.01):
                raise ZeroDivisionError
        async with AsyncExitStack() as held:
            for _ in range(TURNS):
                await held.enter_async_context(shelf.turn(0.01))

    asyncio.run(asked())


def test_what_was_not_used_for_longest_goes() -> None:
    shelf, found = FigureShelf(), Found(Tally())
    for number in range(MOST_KEPT):
        shelf.keep(number, found)
    assert shelf.get(0) is found
    shelf.keep("new", found)
    assert shelf.get(0) is found
    assert shelf.get(1) is None


def test_large_answers_are_not_kept() -> None:
    shelf = FigureShelf()
    shelf.keep("large", Found(Tally(), groups=[Group((str(n),), Tally()) for n in range(MOST_GROUPS + 1)]))
    assert shelf.get("large") is None


def test_the_same_question_is_worked_out_once_for_all_who_ask_it() -> None:
    async def asked() -> None:
        shelf, found, begun = FigureShelf(), Found(Tally()), 0

        async def work() -> Found:
            nonlocal begun
            begun += 1
            await asyncio.sleep(0.01)
            return found

        assert await asyncio.gather(*(shelf.once("one", work) for _ in range(5))) == [found] * 5
        assert begun == 1
        await asyncio.gather(shelf.once("two", work), shelf.once("three", work))
        assert begun == 3, "other questions are worked out for themselves"

    asyncio.run(asked())


@pytest.mark.parametrize("leaving", [True, False], ids=["goes away", "fails"])
def test_who_waits_for_one_that_fails_or_goes_away_is_served_nevertheless(leaving: bool) -> None:
    async def asked() -> None:
        shelf, found, begun = FigureShelf(), Found(Tally()), 0

        async def work() -> Found:
            nonlocal begun
            begun += 1
            failing = begun == 1 and not leaving
            await asyncio.sleep(0.01)
            if failing:
                raise ZeroDivisionError
            return found

        first = asyncio.create_task(shelf.once("one", work))
        await asyncio.sleep(0)
        second = asyncio.create_task(shelf.once("one", work))
        await asyncio.sleep(0)
        if leaving:
            first.cancel()
        with pytest.raises(asyncio.CancelledError if leaving else ZeroDivisionError):
            await first
        assert (await second, begun) == (found, 2)

    asyncio.run(asked())
