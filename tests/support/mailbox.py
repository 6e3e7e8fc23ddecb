"""A receiver of messages on loopback that answers as it is told and keeps what it got."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Letter:
    """A message as it arrived."""

    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Mailbox:
    """What arrived at a receiver, and the statuses with which it answers, the last one for ever.

    Attributes:
        delay: Seconds that it takes for each message.
        trickle: Seconds between the bytes of its answer, which then has no end.
        most: Most messages that it had at a time.
    """

    address: str
    host: str
    letters: list[Letter] = field(default_factory=list)
    statuses: list[int] = field(default_factory=lambda: [204])
    delay: float = 0.0
    trickle: float = 0.0
    most: int = 0
    _now: int = 0
    _turn: threading.Lock = field(default_factory=threading.Lock)

    def come(self, by: int) -> None:
        """One more message at work, or one less."""
        with self._turn:
            self._now += by
            self.most = max(self.most, self._now)

    def drip(self, write: Callable[[bytes], object]) -> None:
        """Send the head of an answer byte by byte until the other side has gone."""
        write(b"HTTP/1.1 204 No Content\r\nX: ")
        with suppress(OSError):
            while True:
                time.sleep(self.trickle)
                write(b"x")


@contextmanager
def open_mailbox() -> Iterator[Mailbox]:
    """A receiver at work."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            box.come(1)
            try:
                self.answer(self.rfile.read(int(self.headers["Content-Length"])))
            finally:
                box.come(-1)

        def answer(self, body: bytes) -> None:
            time.sleep(box.delay)
            if box.trickle:
                return box.drip(self.wfile.write)
            box.letters.append(Letter(self.path, {k.lower(): v for k, v in self.headers.items()}, body))
            status = box.statuses.pop(0) if len(box.statuses) > 1 else box.statuses[0]
            self.send_response(status)
            if status in (301, 307):
                self.send_header("Location", f"{box.address}/elsewhere")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return None

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    host = f"127.0.0.1:{server.server_port}"
    box = Mailbox(f"http://{host}", host)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield box
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
