"""A client that costs little beside the server: it knows how long each answer is, and reads nothing but its status."""

from __future__ import annotations

import asyncio
import math
import socket
import time
from collections.abc import Sequence
from typing import cast

import uvloop

from tests.bench.client import BenchError

_OK = b"HTTP/1.1 200"


class Connection(asyncio.Protocol):
    """One connection with one request under way, for as long as there are requests."""

    def __init__(self, requests: Sequence[tuple[bytes, int]], turns: Sequence[int], waits: list[float]) -> None:
        self.requests, self.turns, self.waits = requests, iter(turns), waits
        self.left, self.began = 0, 0.0
        self.ended = asyncio.get_running_loop().create_future()
        self.fresh = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are no children of asyncio's.
        self.transport = cast(asyncio.Transport, transport)
        self.ask()

    def ask(self) -> None:
        turn = next(self.turns, None)
        if turn is None:
            self.transport.close()
            return
        question, self.left = self.requests[turn]
        self.fresh, self.began = True, time.perf_counter()
        self.transport.write(question)

    def data_received(self, data: bytes) -> None:
        if self.fresh and not data.startswith(_OK):
            self.ended.set_exception(BenchError(f"An answer began with {data[:40]!r}."))
            self.transport.close()
            return
        self.fresh = False
        self.left -= len(data)
        if self.left == 0:
            self.waits.append(time.perf_counter() - self.began)
            self.ask()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.ended.done():
            self.ended.set_result(None)


def question(port: int, path: str, encoding: str) -> bytes:
    """The request for a path."""
    return f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAccept-Encoding: {encoding}\r\n\r\n".encode()


def whole_answer(port: int, asked: bytes) -> bytes:
    """One answer as it comes over the wire."""
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        connection.sendall(asked)
        got = b""
        while b"\r\n\r\n" not in got:
            got += connection.recv(1 << 16)
        head, _, body = got.partition(b"\r\n\r\n")
        fields = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:])
        while len(body) < int(fields[b"content-length"]):
            body += connection.recv(1 << 16)
    return head + b"\r\n\r\n" + body


def hammer(port: int, paths: Sequence[str], connections: int, rounds: int, encoding: str) -> tuple[float, float]:
    """Ask for all paths again and again.

    Returns:
        Answers per second, and the milliseconds within which 99 of 100 came.
    """
    asked = [question(port, path, encoding) for path in paths]
    requests = [(one, len(whole_answer(port, one))) for one in asked]
    waits: list[float] = []

    async def run() -> None:
        loop = asyncio.get_running_loop()
        made = []
        for number in range(connections):
            turns = [(number * 7 + turn) % len(requests) for turn in range(rounds)]
            _, one = await loop.create_connection(
                lambda turns=turns: Connection(requests, turns, waits), "127.0.0.1", port
            )
            made.append(one)
        await asyncio.gather(*(one.ended for one in made))

    began = time.perf_counter()
    uvloop.run(run())
    seconds = time.perf_counter() - began
    return len(waits) / seconds, 1000 * sorted(waits)[max(0, math.ceil(0.99 * len(waits)) - 1)]
