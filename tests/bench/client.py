"""A small load client: a few keep-alive connections, each with one request under way (a closed loop)."""

from __future__ import annotations

import asyncio
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
    body_bytes: int

    @property
    def rate(self) -> float:
        """Requests per second."""
        return self.requests / self.seconds


def run_pass(port: int, paths: Sequence[str], connections: int, gzip: bool) -> Pass:
    """Ask every path once, as fast as the connections allow."""
    return asyncio.run(_run(port, paths, connections, gzip))


async def _run(port: int, paths: Sequence[str], connections: int, gzip: bool) -> Pass:
    waiting = iter(paths)
    started = time.perf_counter()
    sizes = await asyncio.gather(*(_connection(port, waiting, gzip) for _ in range(connections)))
    return Pass(len(paths), time.perf_counter() - started, sum(sizes))


async def _connection(port: int, waiting: Iterator[str], gzip: bool) -> int:
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=STREAM_LIMIT)
    encoding = "Accept-Encoding: gzip\r\n" if gzip else ""
    size = 0
    for path in waiting:
        writer.write(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n{encoding}\r\n".encode())
        size += await _answer(reader, path)
    writer.close()
    await writer.wait_closed()
    return size


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
