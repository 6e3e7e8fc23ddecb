"""Drawing all parts of an archive: in threads of this process, or by the workers of a Dask cluster."""

from __future__ import annotations

import importlib
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import closing, contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import Any

from layers.errors import ConfigurationError
from tiles.archive.parts import Area, Part, addresses
from tiles.archive.shelf import Shelf
from tiles.archive.subject import Address, Drawer, Subject

Tiles = list[tuple[Address, bytes]]
_PATIENCE = "10s"
"""How long a scheduler may take to answer."""
_AHEAD = 2
"""Parts that wait for each worker; drawn ones are put on the shelf before many more are asked for."""


@dataclass(frozen=True)
class Order:
    """What is drawn: of what, where; plain values, so that they can travel."""

    subject: Subject
    area: Area


def draw_part(drawer: Drawer, order: Order, part: Part) -> Tiles:
    """The tiles of a part that hold something."""
    drawn = ((a, drawer.draw(a)) for a in addresses(drawer, part, order.subject.zooms, order.area))
    return [(address, body) for address, body in drawn if body]


def draw_missing(
    order: Order, parts: Sequence[Part], shelf: Shelf, workers: int, done: Callable[[Part, int], None]
) -> None:
    """Draw the parts that a shelf does not hold yet, several at a time, in threads.

    Args:
        order: What is drawn.
        parts: All parts.
        shelf: Takes them.
        workers: How many are drawn at a time.
        done: Called by one thread with each part and the number of its tiles; also with those that were there.
    """
    missing = list(_missing(parts, shelf, done))
    seats = _Seats(order.subject)
    with ThreadPoolExecutor(workers, "archive") as pool, closing(seats):

        def draw(part: Part) -> tuple[Part, Tiles]:
            return part, draw_part(seats.mine(), order, part)

        _collect(pool, draw, missing, workers * _AHEAD, lambda part, tiles: done(part, shelf.put(part.name, tiles)))


def _collect(
    pool: ThreadPoolExecutor,
    draw: Callable[[Part], tuple[Part, Tiles]],
    missing: Sequence[Part],
    most: int,
    keep: Callable[[Part, Tiles], None],
) -> None:
    """Keep few drawn parts in memory: the next one starts when one is kept."""
    waiting = iter(missing)
    running: set[Future[tuple[Part, Tiles]]] = set()
    try:
        while True:
            running |= {pool.submit(draw, part) for part in islice(waiting, most - len(running))}
            if not running:
                return
            ended, running = wait(running, return_when=FIRST_COMPLETED)
            for one in ended:
                keep(*one.result())
    finally:
        for one in running:
            one.cancel()


class _Seats:
    """One drawer per thread, closed together."""

    def __init__(self, subject: Subject) -> None:
        self._subject = subject
        self._own = threading.local()
        self._all: list[Drawer] = []

    def mine(self) -> Drawer:
        drawer: Drawer | None = getattr(self._own, "drawer", None)
        if drawer is None:
            drawer = self._own.drawer = self._subject.open()
            self._all.append(drawer)
        return drawer

    def close(self) -> None:
        for drawer in self._all:
            drawer.close()


def draw_missing_on_cluster(
    order: Order, parts: Sequence[Part], shelf: Shelf, scheduler: str, done: Callable[[Part, int], None]
) -> None:
    """Draw the parts that a shelf does not hold yet by the workers of a Dask cluster; see `draw_missing`.

    Workers must reach the database (and the files of a raster layer) as this machine does; tiles come back and are kept
    here.

    Raises:
        ConfigurationError: When there is no scheduler at the address.
    """
    missing = list(_missing(parts, shelf, done))
    with _cluster(scheduler) as (distributed, client):
        shared = client.scatter(order, broadcast=True)
        waiting = iter(missing)
        most = max(1, sum(client.ncores().values())) * _AHEAD
        first = [client.submit(_drawn, shared, part, pure=False) for part in islice(waiting, most)]
        running = distributed.as_completed(first, with_results=True)
        for future, (part, tiles) in running:
            done(part, shelf.put(part.name, tiles))
            future.release()
            following = next(waiting, None)
            if following is not None:
                running.add(client.submit(_drawn, shared, following, pure=False))


def _drawn(order: Order, part: Part) -> tuple[Part, Tiles]:
    """One part, on a worker of a cluster."""
    with closing(order.subject.open()) as drawer:
        return part, draw_part(drawer, order, part)


@contextmanager
def _cluster(address: str) -> Iterator[tuple[Any, Any]]:
    distributed = importlib.import_module("distributed")
    try:
        client = distributed.Client(address, timeout=_PATIENCE)
    except (OSError, ValueError) as error:
        raise ConfigurationError(
            f"There is no Dask scheduler at {address[:200]!r}; one was expected, such as tcp://10.0.0.5:8786."
        ) from error
    with client:
        yield distributed, client


def _missing(parts: Sequence[Part], shelf: Shelf, done: Callable[[Part, int], None]) -> Iterator[Part]:
    for part in parts:
        if shelf.has(part.name):
            done(part, len(shelf.index([part.name])))
        else:
            yield part
