"""Security headers on every response, and limits on what comes in, before routing."""

from __future__ import annotations

from contextlib import suppress
from functools import cache

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from geoservice.http.problems import problem
from geoservice.http.versions import API_VERSION_HEADER
from geoservice.ogc.block import API_VERSION
from layers.errors import TooLarge

API_POLICY = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
"""Content security policy of everything that is not a page; pages bring their own."""

STATIC_PREFIX = "/static/"
STATIC_POLICY = "default-src 'none'; script-src 'self'; connect-src 'self'; img-src 'self' blob: data:"
"""Policy of our own files: a worker script obeys the policy it was served with, and it fetches tiles from us."""

UPLOADS = "/uploads"
"""Resources of the upload protocol; the parts sent there are measured as they are written to disk."""
TUS_VERSION = "1.0.0"
_TUS = (b"tus-resumable", TUS_VERSION.encode())
BATCHES = frozenset({"/query/join", "/query/nearest/batch", "/query/values/batch"})
"""Resources that take tables of any length; they are measured as they are written to disk."""

_ALWAYS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "geolocation=(self), camera=(), microphone=()",
}


def standing(policy: str = API_POLICY) -> list[tuple[bytes, bytes]]:
    """The header fields that every response has, as they are sent."""
    return list(_standing(policy))


@cache
def _standing(policy: str) -> tuple[tuple[bytes, bytes], ...]:
    fields = {API_VERSION_HEADER: API_VERSION, "Content-Security-Policy": policy, **_ALWAYS}
    return tuple((name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in fields.items())


class SecurityHeaders:
    """ASGI middleware that adds the headers a response does not set itself."""

    def __init__(self, app: ASGIApp) -> None:
        """Wrap an application."""
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass through, adding headers to the start of the response."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        policy = STATIC_POLICY if scope["path"].startswith(STATIC_PREFIX) else API_POLICY
        fields = [*_standing(policy), *((_TUS,) if _is_upload(scope) else ())]

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                there = {name for name, _ in message["headers"]}
                message["headers"] = [*message["headers"], *(field for field in fields if field[0] not in there)]
            await send(message)

        await self.app(scope, receive, with_headers)


def _is_upload(scope: Scope) -> bool:
    return bool(scope["path"] == UPLOADS or scope["path"].startswith(f"{UPLOADS}/"))


def _is_measured_elsewhere(scope: Scope) -> bool:
    if scope["method"] == "PATCH":
        return _is_upload(scope)
    return scope["method"] == "POST" and scope["path"] in BATCHES


class HeadRequests:
    """ASGI middleware that answers HEAD like GET, without the body (RFC 9110, 9.3.2)."""

    def __init__(self, app: ASGIApp) -> None:
        """Wrap an application."""
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass through; the content of an answer to HEAD is left out, its length is told."""
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self.app(scope, receive, send)
            return

        async def without_body(message: Message) -> None:
            if message["type"] == "http.response.body":
                await send({**message, "body": b"", "more_body": False})
                if message.get("more_body", False):
                    raise _Told
            else:
                await send(message)

        with suppress(_Told):
            await self.app({**scope, "method": "GET"}, receive, without_body)


class _Told(Exception):
    """The answer to HEAD is given; what would go on making a body is to end. A stream would go on for long."""


class BodyLimit:
    """ASGI middleware that refuses request bodies above a size, also when no length is announced."""

    def __init__(self, app: ASGIApp, maximum: int) -> None:
        """Wrap an application; `maximum` in bytes."""
        self.app = app
        self.maximum = maximum

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass through, counting the body."""
        if scope["type"] != "http" or _is_measured_elsewhere(scope):
            await self.app(scope, receive, send)
            return
        announced = next((v for k, v in scope["headers"] if k == b"content-length"), None)
        if announced is None and not any(k == b"transfer-encoding" for k, _ in scope["headers"]):
            await self.app(scope, receive, send)
        elif announced is None:
            await self._measured(scope, receive, send)
        elif not announced.isdigit() or int(announced) > self.maximum:
            await self._refuse(scope, receive, send)
        else:
            # The server enforces the announced length.
            await self.app(scope, receive, send)

    async def _measured(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Read a body of unknown length up to the maximum, then hand it on."""
        kept, size, more = list[Message](), 0, True
        while more:
            message = await receive()
            size += len(message.get("body", b""))
            if size > self.maximum:
                await self._refuse(scope, receive, send)
                return
            kept.append(message)
            more = message["type"] == "http.request" and message.get("more_body", False)

        async def replayed() -> Message:
            return kept.pop(0) if kept else await receive()

        await self.app(scope, replayed, send)

    async def _refuse(self, scope: Scope, receive: Receive, send: Send) -> None:
        response = problem(413, TooLarge.title, self._sentence(), {"maximum": self.maximum})
        await response(scope, receive, send)

    def _sentence(self) -> str:
        return f"A request body may have at most {self.maximum} bytes."
