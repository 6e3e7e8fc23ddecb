"""Readers that do not keep up lose their place, and bodies are unpacked beside the event loop."""

from __future__ import annotations

import asyncio
import gzip
import socket
import threading
import time
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
import shapely

from geoservice.app import create_app
from geoservice.db.engine import Database
from geoservice.http import patience
from geoservice.http.patience import PatientStream
from geoservice.queries import spool
from geoservice.queries.spool import Bounds, spooled
from tests.support.jobs import until
from tests.support.loading import load_file, prepared, trial_catalog, trial_layer, write_rows
from tests.support.serving import serving

CATALOG = trial_catalog(trial_layer("unit", geometry="polygon", style={"fill": "#aabbcc"}))
ROW = b"105.5,38.5," + b"x" * 1_000 + b"\n"
BODY = b"lon,lat,told\n" + ROW * 24_000
"""Its answer is larger than what the sockets of both sides keep."""


@pytest.fixture(scope="module")
def database(module_database: Database, tmp_path_factory: pytest.TempPathFactory) -> Database:
    target = prepared(module_database, CATALOG)
    square = {"code": "u0", "name": "u", "level": "public", "geometry": shapely.box(105, 38, 106, 39)}
    load_file(CATALOG, target, "unit", write_rows(tmp_path_factory.mktemp("patience") / "unit.gpkg", [square]))
    return module_database


@contextmanager
def sleeper(address: str) -> Iterator[socket.socket]:
    """A client that posts a batch and reads no more than the head of the answer."""
    head = (
        f"POST /query/join?collection=unit HTTP/1.1\r\nHost: x\r\nContent-Type: text/csv\r\nContent-Length: {len(BODY)}"
    )
    with socket.socket() as wire:
        wire.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)
        wire.settimeout(60)
        wire.connect(("127.0.0.1", int(address.rpartition(":")[2])))
        wire.sendall(f"{head}\r\n\r\n".encode() + BODY)
        assert wire.recv(12) == b"HTTP/1.1 200"
        yield wire


@pytest.mark.parametrize(("seconds", "freed"), [(0.5, True), (600.0, False)])
def test_a_reader_that_sleeps_loses_its_place(
    database: Database, monkeypatch: pytest.MonkeyPatch, seconds: float, freed: bool
) -> None:
    """The same reader keeps its place where patience is long: it is the patience that frees it, and nothing else."""
    # Not by the bytes that sockets keep: they count as taken.
    monkeypatch.setattr(patience, "SLOWEST", 1 << 30)
    settings = database.settings.model_copy(update={"reader_patience": seconds})
    app = create_app(settings, CATALOG)
    with serving(app) as address:
        places = app.state.house.queries
        with sleeper(address) as wire:
            assert places._batches.total() == 1
            if not freed:
                time.sleep(1.5)
                assert places._batches.total() == 1
                return
            until(lambda: places._batches.total() == 0, every=0.1)
            whole = bytearray()
            while block := wire.recv(1 << 20):
                whole += block
        assert not whole.endswith(b"0\r\n\r\n"), "an answer that was broken off does not look like a whole one"


class Reader:
    """Takes messages, each after a while."""

    def __init__(self, seconds: float) -> None:
        self.seconds, self.taken = seconds, list[bytes]()

    async def send(self, message: Any) -> None:
        await asyncio.sleep(self.seconds)
        self.taken.append(message.get("body", b""))


async def parts(ended: list[bool]) -> AsyncGenerator[bytes, None]:
    try:
        for _ in range(20):
            yield b"x" * 1_000
    finally:
        ended.append(True)


@pytest.mark.parametrize(("slowest", "whole"), [(1 << 10, True), (1 << 30, False)])
async def test_who_takes_enough_may_take_long(monkeypatch: pytest.MonkeyPatch, slowest: int, whole: bool) -> None:
    """A second and more for 20 kB is in time at 1 kB/s, though patience alone has run out long before."""
    monkeypatch.setattr(patience, "SLOWEST", slowest)
    ended, reader, held = list[bool](), Reader(0.03), ExitStack()
    held.callback(ended.append, True)
    await PatientStream(parts(ended), patience=0.2, held=held).stream_response(reader.send)
    assert (len(b"".join(reader.taken)) == 20_000) == whole
    assert (reader.taken[-1] == b"") == whole
    assert ended == [True, True]


async def test_an_answer_that_nobody_waits_for_gives_back_what_it_holds() -> None:
    """Also when it ends before its first part is asked for."""
    ended, held = list[bool](), ExitStack()
    held.callback(ended.append, True)

    async def gone(_: Any) -> None:
        raise OSError("gone")

    with pytest.raises(OSError, match="gone"):
        await PatientStream(parts([]), patience=1.0, held=held).stream_response(gone)
    assert ended == [True]


async def test_a_body_is_unpacked_beside_the_event_loop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While a part is unpacked, the loop goes on: it is the loop that lets the unpacking end."""
    going = threading.Event()
    inner = spool._Sink.write
    waited = list[bool]()

    def slow(sink: Any, part: bytes) -> None:
        waited.append(going.wait(3))
        inner(sink, part)

    monkeypatch.setattr(spool._Sink, "write", slow)

    async def body() -> AsyncIterator[bytes]:
        yield gzip.compress(b"lon,lat\n")

    packed = asyncio.create_task(spooled(body(), "gzip", Bounds(1 << 20, 30.0), tmp_path))
    await asyncio.sleep(0.05)
    going.set()
    with await packed as file:
        assert file.read() == b"lon,lat\n"
    assert all(waited), "the loop stood still, so that nobody could let the unpacking go on"
