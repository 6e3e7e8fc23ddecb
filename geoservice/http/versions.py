"""Which version of the interface answers, and which parts of it are on their way out: header fields of every answer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from geoservice.ogc.block import API_VERSION, Block

API_VERSION_HEADER = "API-Version"


class Versions:
    """ASGI middleware that adds `API-Version`, and to answers of a deprecated block when it ends and what follows."""

    def __init__(self, app: ASGIApp, blocks: Iterable[Block]) -> None:
        """Wrap an application that is made of these blocks."""
        self.app = app
        # The router hands requests to routes that it makes of those of a block; their functions are the same.
        self._fields: dict[object, Mapping[str, str]] = {
            getattr(route, "endpoint", None): block.deprecated.headers()
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
                headers = MutableHeaders(scope=message)
                headers.setdefault(API_VERSION_HEADER, API_VERSION)
                # The router has left word of what it found in the meantime.
                for name, value in self._fields.get(scope.get("endpoint"), {}).items():
                    headers.append(name, value)
            await send(message)

        await self.app(scope, receive, with_version)
