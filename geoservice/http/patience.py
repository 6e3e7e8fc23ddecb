"""Answers that are made while they are sent, for readers who keep up: whoever does not is left behind.

What an answer holds (a place among the batches, a file, parts that are made ahead) is held until its end. A reader that
takes nothing, or next to nothing, would hold it for ever; so its answer is broken off, which HTTP shows as incomplete.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import ExitStack, aclosing

from starlette.responses import StreamingResponse
from starlette.types import Message, Send

SLOWEST = 16 << 10
"""Bytes per second that a reader takes at least, beside the patience that everybody has."""
_log = logging.getLogger(__name__)


class PatientStream(StreamingResponse):
    """An answer in parts. The parts end with it, whether it was sent to its end, broken off or cancelled."""

    def __init__(
        self,
        parts: AsyncGenerator[bytes, None],
        *,
        patience: float,
        held: ExitStack | None = None,
        headers: Mapping[str, str] | None = None,
        media_type: str | None = None,
    ) -> None:
        """Prepare the answer.

        Args:
            parts: An asynchronous generator of the parts.
            patience: Seconds for which the service waits for the reader altogether, beyond those that the answer takes
                at `SLOWEST` bytes per second.
            held: What is given back at the end, also when no part was ever asked for.
            headers: Header fields.
            media_type: Media type.
        """
        super().__init__(parts, headers=headers, media_type=media_type)
        self._parts, self._patience = parts, patience
        self._held = held if held is not None else ExitStack()

    async def stream_response(self, send: Send) -> None:
        """Send the parts, as long as they are taken."""
        with self._held:
            async with aclosing(self._parts):
                try:
                    await super().stream_response(_Timed(send, self._patience).send)
                except _LeftBehind:
                    _log.warning("an answer was broken off, because its reader did not keep up")


class _LeftBehind(Exception):
    """The time of the reader is up."""


class _Timed:
    """Sends messages and counts the time that the reader lets the service wait."""

    def __init__(self, send: Send, patience: float) -> None:
        self._send, self._left = send, patience

    async def send(self, message: Message) -> None:
        begun = time.monotonic()
        try:
            async with asyncio.timeout(self._left):
                await self._send(message)
        except TimeoutError:
            raise _LeftBehind from None
        self._left += len(message.get("body", b"")) / SLOWEST - (time.monotonic() - begun)
