"""The application behind a real socket, in a thread of the test process: for streams, browsers and rude clients."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import parse_qsl

import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send

from geoservice.http.protocol import BoundedProtocol

START_SECONDS, END_SECONDS = 60, 30


class Watched:
    """An application that remembers what it was asked for."""

    def __init__(self, app: ASGIApp) -> None:
        """Stand in front of an application."""
        self._app = app
        self.requests: list[tuple[str, dict[str, str]]] = []
        """Path and query of each request, in the order in which they came."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Remember a request and pass it on."""
        if scope["type"] == "http":
            self.requests.append((scope["path"], dict(parse_qsl(scope["query_string"].decode()))))
        await self._app(scope, receive, send)

    def asked(self, path: str) -> list[dict[str, str]]:
        """The queries with which a path was asked for."""
        return [query for place, query in self.requests if place == path]


@contextmanager
def serving(app: ASGIApp) -> Iterator[str]:
    """Serve an application on loopback; its address."""
    listener = socket.create_server(("127.0.0.1", 0))
    chosen = {"log_level": "warning", "access_log": False, "timeout_graceful_shutdown": 1}
    server = uvicorn.Server(uvicorn.Config(app, http=BoundedProtocol, **chosen))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    try:
        deadline = time.monotonic() + START_SECONDS
        while not server.started:
            assert thread.is_alive(), "the service ended while it was starting"
            assert time.monotonic() < deadline, "the service did not start within a minute"
            time.sleep(0.05)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(timeout=END_SECONDS)
        listener.close()
