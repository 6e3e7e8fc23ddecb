"""Working ahead changes nothing but the thread."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from ingest.ahead import ahead


def counting(last: int, log: list[int]) -> Iterator[int]:
    for number in range(1, last + 1):
        log.append(threading.get_ident())
        yield number


def test_items_come_in_their_order_from_one_other_thread() -> None:
    threads: list[int] = []
    assert list(ahead(counting(20, threads))) == list(range(1, 21))
    assert len(set(threads)) == 1
    assert threading.get_ident() not in threads


def test_the_next_item_is_made_while_the_present_one_is_at_hand() -> None:
    made = threading.Event()

    def items() -> Iterator[int]:
        yield 1
        made.set()
        yield 2

    stream = ahead(items())
    assert next(stream) == 1
    assert made.wait(5)
    assert next(stream) == 2


def test_an_error_comes_in_its_turn() -> None:
    def items() -> Iterator[int]:
        yield 1
        raise ValueError("the second")

    stream = ahead(items())
    assert next(stream) == 1
    with pytest.raises(ValueError, match="the second"):
        next(stream)


def test_giving_up_ends_the_thread() -> None:
    log: list[int] = []
    stream = ahead(counting(1000, log))
    assert next(stream) == 1
    stream.close()  # type: ignore[attr-defined]
    assert len(log) <= 3
    assert not [t for t in threading.enumerate() if t.name.startswith("ahead")]
