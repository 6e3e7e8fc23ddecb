"""From credentials to a principal: API key in `X-API-Key`, as bearer token, or in the portal's session cookie."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from fastapi import Request

from geoservice.db.pools import Pools
from geoservice.security.keys import KEY_PATTERN, SESSION_COOKIE, digest_of
from layers.access import ANONYMOUS, Clearance, Principal
from layers.errors import NotAuthenticated

_REMEMBER_SECONDS = 3.0
_REMEMBER_MOST = 10_000


@dataclass
class KeyRing:
    """Looks keys up in the database and remembers good ones for a few seconds (so a revoked key dies within them).

    `everybody` is who asks, whatever a request carries, where an application serves one principal and no socket.
    """

    pools: Pools
    everybody: Principal | None = None
    _known: dict[bytes, tuple[float, Principal]] = field(default_factory=dict)

    async def holder(self, text: str) -> Principal:
        """The principal who holds a key.

        Raises:
            NotAuthenticated: When the key is malformed, unknown or revoked.
        """
        if not KEY_PATTERN.match(text):
            raise NotAuthenticated("The API key is not valid.")
        digest = digest_of(text)
        remembered = self._known.get(digest)
        if remembered is not None and remembered[0] > time.monotonic():
            return remembered[1]
        principal = await self._look_up(digest)
        if len(self._known) >= _REMEMBER_MOST:
            self._known.clear()
        self._known[digest] = (time.monotonic() + _REMEMBER_SECONDS, principal)
        return principal

    async def _look_up(self, digest: bytes) -> Principal:
        async with self.pools.raw(Clearance.PUBLIC) as connection:
            row = await connection.fetchrow("SELECT * FROM meta.holder($1)", digest)
        if row is None:
            self._known.pop(digest, None)
            raise NotAuthenticated("The API key is not valid.")
        # A database that was not brought up to date tells no name yet.
        return Principal(row["id"], Clearance(row["clearance"]), frozenset(row["rights"]), row.get("name"))


def presented_key(request: Request) -> str | None:
    """The key a request carries: header before bearer token before cookie.

    Raises:
        NotAuthenticated: When an Authorization header is there but is no bearer token.
    """
    if (header := request.headers.get("x-api-key")) is not None:
        return header
    if (authorization := request.headers.get("authorization")) is not None:
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise NotAuthenticated("Authorization takes a bearer token: an API key of this service.")
        return token.strip()
    return request.cookies.get(SESSION_COOKIE) or None


async def identify(request: Request) -> Principal:
    """The principal of a request: the anonymous public when no credentials are presented.

    Raises:
        NotAuthenticated: When credentials are presented and are not valid.
    """
    ring: KeyRing = request.app.state.house.keys
    if ring.everybody is not None:
        return ring.everybody
    text = presented_key(request)
    if text is None:
        return ANONYMOUS
    return await ring.holder(text)
