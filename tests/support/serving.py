"""The application behind a real socket, in a thread of the test process: for streams, browsers and rude clients."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from fastapi import FastAPI

from geoservice.http.protocol import BoundedProtocol

START_SECONDS, END_SECONDS = 60, 30


@contextmanager
def serving(app: FastAPI) -> Iterator[str]:
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
