"""A small load client: a few keep-alive connections, each with one request under way (a closed loop)."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

STREAM_LIMIT = 1 << 26


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


def run_pass(port: int, paths: Sequence[str], connections: int, gzip: bool) -> Pass:
    """Ask every path once, as fast as the connections allow."""
    return asyncio.run(_run(port, paths, connections, gzip))


async def _run(port: int, paths: Sequence[str], connections: int, gzip: bool) -> Pass:
    waiting = iter(paths)
    started = time.perf_counter()
    parts = await asyncio.gather(*(_connection(port, waiting, gzip) for _ in range(connections)))
    seconds = time.perf_counter() - started
    answers = [answer for part in parts for answer in part]
    return Pass(len(paths), seconds, tuple(size for size, _ in answers), tuple(wait for _, wait in answers))


async def _connection(port: int, waiting: Iterator[str], gzip: bool) -> list[tuple[int, float]]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=STREAM_LIMIT)
    encoding = "Accept-Encoding: gzip\r\n" if gzip else ""
    found = []
    for path in waiting:
        began = time.perf_counter()
        writer.write(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n{encoding}\r\n".encode())
        size = await _answer(reader, path)
        found.append((size, time.perf_counter() - began))
    writer.close()
    await writer.wait_closed()
    return found


async def _answer(reader: asyncio.StreamReader, path: str) -> int:
    """Read one answer and give the length of its body; every answer must be a success."""
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    status = int(head.split(b" ", 2)[1])
    fields = dict(line.split(b":", 1) for line in head.split(b"\r\n")[1:] if b":" in line)
    if status == 204:
        return 0
    if status != 200:
        raise BenchError(f"{path} was answered with {status}.")
    if b"content-length" in fields:
        return len(await reader.readexactly(int(fields[b"content-length"])))
    return await _chunked(reader)


async def _chunked(reader: asyncio.StreamReader) -> int:
    size = 0
    while length := int((await reader.readline()).split(b";")[0], 16):
        size += len(await reader.readexactly(length + 2)) - 2
    await reader.readexactly(2)
    return size
