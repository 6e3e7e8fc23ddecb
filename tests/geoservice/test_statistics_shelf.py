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
