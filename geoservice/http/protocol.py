"""The HTTP/1.1 protocol of the server, with an end to what it takes in before a request can be judged.

The parser keeps the head of a request (and the trailers and chunk extensions of its body) until they are whole. Without
a bound any stranger could have it keep gigabytes, or hold connections by thousands that never ask for anything.
"""

from __future__ import annotations

import asyncio
import json

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MOST_HEAD_BYTES = 64 << 10
"""Bytes that the parser may keep without handing anything on: the head of a request, or what stands between chunks."""
HEAD_SECONDS = 30.0
"""Time in which a connection brings the head of a request."""
_DETAIL = f"The head of a request may have at most {MOST_HEAD_BYTES} bytes."
_TITLE = "Request header fields too large"
_BODY = json.dumps({"type": "about:blank", "title": _TITLE, "status": 431, "detail": _DETAIL}).encode()
TOO_LARGE = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-type: application/problem+json\r\nconnection: close\r\n"
    b"cache-control: no-store\r\ncontent-length: " + str(len(_BODY)).encode() + b"\r\n\r\n" + _BODY
)


class BoundedProtocol(HttpToolsProtocol):
    """Closes connections that bring too long a head, or none in time."""

    _kept = 0
    _patience: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A client is there: its request is waited for, but not for ever."""
        super().connection_made(transport)
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        """The client is gone."""
        self._wait_no_more()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Feed the parser, and count what it keeps."""
        self._kept += len(data)
        super().data_received(data)
        if self._kept > MOST_HEAD_BYTES and not self.transport.is_closing():
            self._refuse()

    def _refuse(self) -> None:
        if self.cycle is None or self.cycle.response_complete:
            self.transport.write(TOO_LARGE)
        self.transport.close()

    def on_message_begin(self) -> None:
        """The first bytes of a request are there."""
        super().on_message_begin()
        if self._patience is None:
            self._wait()

    def on_headers_complete(self) -> None:
        """The head is whole."""
        self._kept = 0
        self._wait_no_more()
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """A piece of a body is handed on."""
        self._kept = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """A request is whole."""
        self._kept = 0
        super().on_message_complete()

    def _wait(self) -> None:
        self._patience = self.loop.call_later(HEAD_SECONDS, self._give_up)

    def _wait_no_more(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None

    def _give_up(self) -> None:
        self._patience = None
        self.transport.close()
