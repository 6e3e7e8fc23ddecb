"""Clients that break the rules below the application: endless heads, lies about lengths, parts that stop half-way."""

from __future__ import annotations

import base64
import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from geoservice.app import create_app
from geoservice.db.engine import Database
from geoservice.http import protocol
from geoservice.http.protocol import MOST_HEAD_BYTES
from geoservice.settings import Settings
from tests.contract.test_uploads import LIMITS, PART, TUS, begin_headers, make_loader
from tests.support.jobs import until
from tests.support.loading import prepared, trial_catalog, trial_layer
from tests.support.serving import serving

FLOOD = 64 << 20
GROWTH = 24 << 20
"""Memory by which the process may grow under a flood; without a bound it grows by the flood."""
MEBIBYTE = 1 << 20


@dataclass
class Port:
    """The service behind a socket."""

    address: str
    settings: Settings
    key: str

    @property
    def place(self) -> tuple[str, int]:
        return "127.0.0.1", int(self.address.rpartition(":")[2])

    @contextlib.contextmanager
    def wire(self) -> Iterator[socket.socket]:
        with socket.create_connection(self.place, timeout=20) as connection:
            yield connection

    def head(self, method: str, path: str, **headers: Any) -> bytes:
        named = {"Host": "x", "X-API-Key": self.key, **TUS, **{k.replace("_", "-"): v for k, v in headers.items()}}
        lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in named.items()), "", ""]
        return "\r\n".join(lines).encode("latin-1")

    def say(self, content: bytes, patience: float = 2.0) -> bytes:
        """Send bytes, read what comes back for a while, and go away."""
        with self.wire() as connection:
            with contextlib.suppress(ConnectionError):
                connection.sendall(content)
            connection.settimeout(patience)
            return read_all(connection)

    def begin(self, length: int = 100, name: str = "a.gpkg") -> str:
        headers = {**TUS, "X-API-Key": self.key, **begin_headers(length, name)}
        made = httpx.post(f"{self.address}/uploads", headers=headers, timeout=60)
        assert made.status_code == 201, made.text
        return str(made.headers["location"]).removeprefix(self.address)

    def offset(self, path: str) -> int:
        answer = httpx.head(f"{self.address}{path}", headers={**TUS, "X-API-Key": self.key}, timeout=60)
        assert answer.status_code == 200
        return int(answer.headers["upload-offset"])

    def part(self, path: str, offset: int, content: bytes) -> httpx.Response:
        headers = {**PART, "X-API-Key": self.key, "Upload-Offset": str(offset)}
        return httpx.patch(f"{self.address}{path}", headers=headers, content=content, timeout=60)

    def stored(self, path: str) -> bytes:
        return (self.settings.home / "uploads" / path.rpartition("/")[2] / "data").read_bytes()

    def held(self) -> list[str]:
        """Connections of clients and files of uploads that the service has open."""
        own, uploads = psutil.Process(), str(self.settings.home / "uploads")
        wires = [c for c in own.net_connections("tcp") if c.laddr == self.place and c.status != psutil.CONN_LISTEN]
        return [*map(str, wires), *(file.path for file in own.open_files() if file.path.startswith(uploads))]

    def lives(self) -> None:
        assert httpx.get(f"{self.address}/health/live", timeout=10).status_code == 200


@pytest.fixture(scope="module")
def port(module_database: Database) -> Iterator[Port]:
    catalog = trial_catalog(trial_layer())
    prepared(module_database, catalog)
    settings = module_database.settings.model_copy(update=LIMITS)
    with serving(create_app(settings, catalog)) as address:
        yield Port(address, settings, make_loader(module_database, "load"))


def read_all(connection: socket.socket) -> bytes:
    found = b""
    with contextlib.suppress(ConnectionError, TimeoutError):
        while block := connection.recv(65536):
            found += block
    return found


def status(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1]) if answer.startswith(b"HTTP/1.1 ") else 0


PART_HEAD = {"Content_Type": PART["Content-Type"], "Upload_Offset": "0"}
FLOODS = {
    "one long header": (b"POST /uploads HTTP/1.1\r\nHost: x\r\nUpload-Metadata: filename ", b"a"),
    "many headers": (b"POST /uploads HTTP/1.1\r\nHost: x\r\n", b"x: y\r\n"),
    "a long address": (b"GET /", b"a"),
    "a long method": (b"", b"G"),
    "trailers": (b"POST /jobs HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{\r\n0\r\n", b"x: y\r\n"),
    "a chunk extension": (b"POST /jobs HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1;", b"a"),
}


@pytest.mark.parametrize("kind", FLOODS)
def test_a_flood_before_the_body_is_cut_off(port: Port, kind: str) -> None:
    opening, drop = FLOODS[kind]
    block = drop * (MEBIBYTE // len(drop))
    own, sent = psutil.Process(), 0
    before = own.memory_info().rss
    with port.wire() as connection, contextlib.suppress(ConnectionError):
        connection.sendall(opening)
        while sent < FLOOD:
            connection.sendall(block)
            sent += len(block)
    assert sent < FLOOD, "the connection was closed"
    assert own.memory_info().rss - before < GROWTH
    port.lives()


def test_a_head_that_is_a_little_too_long_is_told_so(port: Port) -> None:
    answer = port.say(port.head("POST", "/uploads", Filler="a" * (MOST_HEAD_BYTES + 300_000)))
    assert (status(answer), b"application/problem+json" in answer) in ((431, True), (0, False))
    slowly = port.head("POST", "/uploads", Filler="a" * (MOST_HEAD_BYTES * 2))
    with port.wire() as connection:
        with contextlib.suppress(ConnectionError):
            for begin in range(0, len(slowly) - 100, 8192):
                connection.sendall(slowly[begin : begin + 8192])
                time.sleep(0.002)
        answer = read_all(connection)
    assert status(answer) in (431, 0)


def test_ordinary_heads_and_long_bodies_pass(port: Port) -> None:
    """Negative control: what is legal is not cut off, also over one connection and in small chunks."""
    content = b"x" * 3_000_000
    with httpx.Client(base_url=port.address, headers={"X-API-Key": port.key, **TUS}, timeout=60) as client:
        for _ in range(3):
            assert client.get("/uploads/none", headers={"Filler": "a" * 60_000}).status_code == 404
        path = port.begin(len(content))
        small = (content[n : n + 1000] for n in range(0, len(content), 1000))
        assert client.patch(path, content=small, headers={**PART, "Upload-Offset": "0"}).status_code == 204
    assert port.stored(path) == content


def test_a_connection_that_asks_for_nothing_is_closed(port: Port, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "HEAD_SECONDS", 0.5)
    for opening in (b"", b"GET /health/live HTTP/1.1\r\nHos"):
        with port.wire() as connection:
            connection.sendall(opening)
            began = time.monotonic()
            assert read_all(connection) == b""
            assert time.monotonic() - began < 10
    with port.wire() as connection:
        connection.sendall(b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n")
        assert status(connection.recv(1000)) == 200
        time.sleep(1)
        connection.sendall(b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n")
        assert status(connection.recv(1000)) == 200, "one that has asked may ask again"


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"GET /\xff\xfe HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /jobs/%ff HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /uploads/%00 HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /uploads/..%2f..%2fetc%2fpasswd HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /jobs?cursor=%ff HTTP/1.1\r\nHost: x\r\n\r\n",
        b"POST /jobs HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST /jobs HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!",
        b"POST /jobs HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n",
        b"POST /jobs HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"POST /jobs HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n{}",
        b"GET /jobs HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET http://169.254.169.254/ HTTP/1.1\r\nHost: x\r\n\r\n",
    ],
)
def test_requests_that_are_none(port: Port, request_bytes: bytes) -> None:
    answer = port.say(request_bytes)
    assert status(answer) < 500, answer
    assert b"Traceback" not in answer
    port.lives()


def test_a_part_that_is_shorter_than_it_says_counts_as_far_as_it_came(port: Port) -> None:
    path = port.begin(100)
    port.say(port.head("PATCH", path, **PART_HEAD, Content_Length="80") + b"x" * 30, patience=0.3)
    until(lambda: port.offset(path) == 30, patience=20)
    assert port.part(path, 30, b"y" * 70).status_code == 204
    assert port.stored(path) == b"x" * 30 + b"y" * 70


def test_a_part_that_is_longer_than_it_says_is_cut_at_its_length(port: Port) -> None:
    """What comes after the announced length is another request to the server, and none that it knows."""
    path = port.begin(100)
    answer = port.say(port.head("PATCH", path, **PART_HEAD, Content_Length="10") + b"x" * 60)
    assert status(answer) in (204, 400)
    until(lambda: port.part(path, port.offset(path), b"").status_code == 204, patience=20)
    reached = port.offset(path)
    assert reached in (0, 10)
    assert port.part(path, reached, b"y" * (100 - reached)).status_code == 204
    assert port.stored(path) == b"x" * reached + b"y" * (100 - reached)


def test_a_part_with_a_checksum_that_breaks_off_counts_for_nothing(port: Port) -> None:
    path = port.begin(100)
    digest = base64.b64encode(b"\0" * 32).decode()
    headers = {**PART_HEAD, "Upload_Checksum": f"sha256 {digest}", "Content_Length": "80"}
    port.say(port.head("PATCH", path, **headers) + b"x" * 30, patience=0.3)
    time.sleep(0.5)
    assert port.offset(path) == 0
    assert port.part(path, 0, b"y" * 100).status_code == 204
    assert port.stored(path) == b"y" * 100


def test_an_endless_part_stops_at_the_length_of_the_upload(port: Port) -> None:
    """Chunks without end and without a length: the disk takes no more than was announced."""
    path = port.begin(1000)
    head = port.head("PATCH", path, **PART_HEAD, Transfer_Encoding="chunked")
    with port.wire() as connection, contextlib.suppress(ConnectionError):
        connection.sendall(head)
        for _ in range(200):
            connection.sendall(b"2000\r\n" + b"x" * 0x2000 + b"\r\n")
    assert len(port.stored(path)) <= 1000
    until(lambda: port.part(path, port.offset(path), b"").status_code == 204, patience=20)


def test_a_part_that_stands_still_is_ended_and_the_upload_is_free_again(port: Port) -> None:
    path = port.begin(100)
    with port.wire() as connection:
        connection.sendall(port.head("PATCH", path, **PART_HEAD, Content_Length="100") + b"x" * 10)
        assert status(connection.recv(2000)) == 408
    assert port.offset(path) == 10
    assert port.part(path, 10, b"y" * 90).status_code == 204


def test_many_parts_at_one_offset_at_once(port: Port) -> None:
    """Exactly one of them counts, whole; the others are told to wait or to look where the upload is."""
    contents = [bytes([65 + n]) * 200_000 for n in range(12)]
    path = port.begin(200_000)
    with ThreadPoolExecutor(12) as crowd:
        answers = list(crowd.map(lambda content: port.part(path, 0, content), contents))
    codes = sorted(answer.status_code for answer in answers)
    assert codes.count(204) == 1, codes
    assert set(codes) <= {204, 409, 413, 423}
    won = next(n for n, answer in enumerate(answers) if answer.status_code == 204)
    assert port.stored(path) == contents[won]


def test_forgetting_while_a_part_comes(port: Port) -> None:
    path = port.begin(100)
    headers = {**TUS, "X-API-Key": port.key}
    with port.wire() as connection:
        connection.sendall(port.head("PATCH", path, **PART_HEAD, Content_Length="100") + b"x" * 10)
        until(lambda: httpx.delete(f"{port.address}{path}", headers=headers).status_code == 423, patience=20)
        connection.sendall(b"y" * 90)
        assert status(connection.recv(2000)) == 204
    assert httpx.delete(f"{port.address}{path}", headers=headers).status_code == 204
    assert not (port.settings.home / "uploads" / path.rpartition("/")[2]).exists()


def test_an_upload_that_expires_while_a_part_comes(port: Port) -> None:
    """The sweep leaves what somebody writes; afterwards the upload is gone for everybody."""
    path = port.begin(100)
    folder = port.settings.home / "uploads" / path.rpartition("/")[2]
    info = (folder / "info.json").read_text()
    with port.wire() as connection:
        connection.sendall(port.head("PATCH", path, **PART_HEAD, Content_Length="100") + b"x" * 10)
        until(lambda: httpx.patch(f"{port.address}{path}", headers={**PART, "X-API-Key": port.key,
              "Upload-Offset": "0"}).status_code == 423, patience=20)  # fmt: skip
        (folder / "info.json").write_text(info.replace('"expires": ', '"expires": -'))
        port.begin(1)
        assert folder.exists(), "a new upload sweeps, and steps over this one"
        connection.sendall(b"y" * 90)
        assert status(connection.recv(2000)) in (204, 404)
    answer = httpx.head(f"{port.address}{path}", headers={**TUS, "X-API-Key": port.key})
    assert answer.status_code == 404
    port.begin(1)
    assert not folder.exists()


def test_clients_that_break_off_leave_no_lock_no_open_file_and_no_word(
    port: Port, caplog: pytest.LogCaptureFixture
) -> None:
    path = port.begin(10_000)

    def rude(number: int) -> None:
        with port.wire() as connection:
            connection.sendall(port.head("PATCH", path, **PART_HEAD, Content_Length="10000") + b"x" * number)

    threads = [threading.Thread(target=rude, args=(n,)) for n in range(60)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    until(lambda: not port.held(), patience=30)
    done = port.offset(path)
    until(lambda: port.part(path, port.offset(path), b"").status_code == 204, patience=20)
    assert port.part(path, done, b"z" * (10_000 - done)).status_code == 204
    assert caplog.records == [], "the log is not a stranger's to fill"
    port.lives()


@pytest.mark.parametrize(
    "name", ["../../etc/cron.d/x", "/etc/passwd", "..", ".", "a/b", "a\\b", "CON\0", "a\r\nb", "\u202e", "a" * 201]
)
def test_names_that_lead_elsewhere(port: Port, name: str) -> None:
    before = {file for file in Path(port.settings.home).rglob("*") if "postgres" not in file.parts}
    headers = {**TUS, "X-API-Key": port.key, **begin_headers(1, name)}
    answer = httpx.post(f"{port.address}/uploads", headers=headers, timeout=60)
    assert answer.status_code == (201 if name == "\u202e" else 400), answer.text
    if answer.status_code == 400:
        after = {file for file in Path(port.settings.home).rglob("*") if "postgres" not in file.parts}
        assert after == before


@pytest.mark.parametrize(
    "pairs",
    [
        ",".join(f"k{n} {'QQ' * 20}" for n in range(1000)),
        "filename " + "QQ==" * 15_000,
        "filename YS5ncGtn,filename Yi5ncGtn",
        ", ,,filename YS5ncGtn,,",
        "filename",
        "\xff\xfe\xfd",
    ],
)
def test_metadata_beyond_measure(port: Port, pairs: str) -> None:
    answer = port.say(port.head("POST", "/uploads", Upload_Length="1", Upload_Metadata=pairs, Content_Length="0"))
    assert status(answer) in (201, 400, 431), answer[:200]
