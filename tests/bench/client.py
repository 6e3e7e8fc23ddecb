"""A small load client: a few keep-alive connections, each with one request under way (a closed loop)."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import cast

import uvloop
from httptools import HttpResponseParser


class BenchError(Exception):
    """A measurement that would not be true: a wrong answer, a missing program."""


@dataclass(frozen=True)
class Pass:
    """One pass over a list of requests."""

    requests: int
    seconds: float
    sizes: tuple[int, ...]
    waits: tuple[float, ...]

    @property
    def rate(self) -> float:
        """Requests per second."""
        return self.requests / self.seconds

    @property
    def patience(self) -> float:
        """Milliseconds within which 99 of 100 answers came."""
        return 1000 * sorted(self.waits)[max(0, math.ceil(0.99 * len(self.waits)) - 1)]

    @property
    def size(self) -> int:
        """Median length of the bodies, in bytes."""
        return sorted(self.sizes)[len(self.sizes) // 2]


class Wire(asyncio.Protocol):
    """One connection with one request under way, for as long as there are paths.

    It is as light as can be, because the client shares the processors with what it measures.
    """

    def __init__(self, port: int, waiting: Iterator[str], gzip: bool) -> None:
        encoding = "Accept-Encoding: gzip\r\n" if gzip else ""
        self.tail = f" HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n{encoding}\r\n"
        self.waiting, self.parser = waiting, HttpResponseParser(self)
        self.path, self.size, self.began = "", 0, 0.0
        self.answers: list[tuple[int, float]] = []
        self.ended = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are no children of asyncio's.
        self.transport = cast(asyncio.Transport, transport)
        self.ask()

    def ask(self) -> None:
        path = next(self.waiting, None)
        if path is None:
            self.end(None)
            return
        self.path, self.size, self.began = path, 0, time.perf_counter()
        self.transport.write(f"GET {path}{self.tail}".encode())

    def data_received(self, data: bytes) -> None:
        self.parser.feed_data(data)

    def on_body(self, body: bytes) -> None:
        self.size += len(body)

    def on_message_complete(self) -> None:
        """Note the answer, which must be a success, and ask for the next."""
        status = self.parser.get_status_code()
        if status not in (200, 204):
            self.end(BenchError(f"{self.path} was answered with {status}."))
            return
        self.answers.append((self.size, time.perf_counter() - self.began))
        self.ask()

    def end(self, fault: BenchError | None) -> None:
        if not self.ended.done():
            self.ended.set_exception(fault) if fault else self.ended.set_result(None)
        self.transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        self.end(BenchError(f"The connection was lost at {self.path}."))


def run_pass(port: int, paths: Sequence[str], connections: int, gzip: bool) -> Pass:
    """Ask every path once, as fast as the connections allow.

    Raises:
        BenchError: When an answer is none, or not a success.
    """
    return uvloop.run(_run(port, paths, connections, gzip))


async def _run(port: int, paths: Sequence[str], connections: int, gzip: bool) -> Pass:
    loop, waiting = asyncio.get_running_loop(), iter(paths)
    started = time.perf_counter()
    wires = [
        (await loop.create_connection(lambda: Wire(port, waiting, gzip), "127.0.0.1", port))[1]
        for _ in range(connections)
    ]
    await asyncio.gather(*(wire.ended for wire in wires))
    seconds = time.perf_counter() - started
    answers = [answer for wire in wires for answer in wire.answers]
    return Pass(len(paths), seconds, tuple(size for size, _ in answers), tuple(wait for _, wait in answers))
