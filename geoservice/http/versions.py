"""Which version of the interface answers, and which parts of it are on their way out: header fields of every answer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from geoservice.ogc.block import API_VERSION, Block

API_VERSION_HEADER = "API-Version"
_VERSION = (API_VERSION_HEADER.lower().encode(), API_VERSION.encode())


class Versions:
    """ASGI middleware that adds `API-Version`, and to answers of a deprecated block when it ends and what follows."""

    def __init__(self, app: ASGIApp, blocks: Iterable[Block]) -> None:
        """Wrap an application that is made of these blocks."""
        self.app = app
        # The router hands requests to routes that it makes of those of a block; their functions are the same.
        self._fields = {
            getattr(route, "endpoint", None): _as_sent(block.deprecated.headers())
            for block in blocks
            if block.deprecated is not None
            for route in block.router.routes
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass through, adding to the start of the response."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def with_version(message: Message) -> None:
            if message["type"] == "http.response.start":
                # The router has left word of what it found in the meantime.
                added = self._fields.get(scope.get("endpoint"), ())
                message["headers"] = [*message["headers"], _VERSION, *added]
            await send(message)

        await self.app(scope, receive, with_version)


def _as_sent(fields: Mapping[str, str]) -> tuple[tuple[bytes, bytes], ...]:
    return tuple((name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in fields.items())
