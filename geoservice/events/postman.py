"""Posting a message to an address that somebody else named: only to hosts that the operator lists, and no further.

The host is resolved once, each of its addresses is checked, and the connection goes to the checked one, with the name
in the certificate (`ingest.remote.guard`). Redirects are not followed, nothing of the environment counts, and of the
answer only its status is looked at. A receiver has so many seconds in all: one that sends its answer byte by byte ends
no later than one that sends none.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from dataclasses import dataclass

import httpx

from geoservice.events.errors import ReceiverRefused
from ingest.remote.guard import Guard, Target
from layers.errors import RemoteRefused

_SUCCESS = range(200, 300)
GONE = 410
"""Status by which a receiver says that it wants no more."""
NOT_ALLOWED = (
    "Messages are posted to hosts that the operator of this service allows, and the host of this address is not one of "
    "them as it is written here; ask the operator to allow it, with its port if it has one of its own."
)
"""What a subscriber is told; which hosts are allowed, and where names lead to, is the operator's own business."""
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Receipt:
    """What came of a posting: the status, or a word about why there is none; `refused` when the host is not allowed.

    `final` says that trying again is of no use.
    """

    status: int | None
    error: str | None = None
    refused: bool = False
    final: bool = False

    @property
    def arrived(self) -> bool:
        """Whether the receiver took the message."""
        return self.status is not None and self.status in _SUCCESS


def require_receiver(guard: Guard, url: str) -> None:
    """Check the address of a subscription as far as that goes without asking anybody for the host's addresses.

    Raises:
        ReceiverRefused: When messages may not be posted there.
    """
    try:
        guard.require_host(url)
    except RemoteRefused:
        raise ReceiverRefused(NOT_ALLOWED) from None


class Postman:
    """Posts messages, from as many threads as there are; keeps no connection."""

    def __init__(self, guard: Guard, seconds: float) -> None:
        """Get ready; nothing is connected yet."""
        self._guard = guard
        self._seconds = seconds
        self._tls = ssl.create_default_context()

    def post(self, url: str, body: bytes, headers: dict[str, str]) -> Receipt:
        """Post a body and tell what came of it; never raises for what the other side does."""
        try:
            target = self._guard.admit(url)
        except RemoteRefused as error:
            _log.warning("a message is not posted: %s", error.detail)
            return Receipt(None, NOT_ALLOWED, refused=True)
        try:
            return Receipt(asyncio.run(self._status(target, body, headers)))
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError) as error:
            return Receipt(None, type(error).__name__)

    async def _status(self, target: Target, body: bytes, headers: dict[str, str]) -> int:
        fields = {
            "Host": target.host,
            "Content-Type": "application/json",
            "User-Agent": "geoservice",
            "Accept-Encoding": "identity",
            **headers,
        }
        client = httpx.AsyncClient(verify=self._tls, follow_redirects=False, trust_env=False, timeout=self._seconds)
        extensions = {"sni_hostname": target.name}
        # httpx counts its seconds anew for each piece that comes.
        async with asyncio.timeout(self._seconds), client:
            request = client.build_request("POST", target.url, content=body, headers=fields, extensions=extensions)
            response = await client.send(request, stream=True)
            await response.aclose()
        return response.status_code
