"""Posting a message to an address that somebody else named: only to hosts that the operator lists, and no further.

The host is resolved once, each of its addresses is checked, and the connection goes to the checked one, with the name
in the certificate (`ingest.remote.guard`). Redirects are not followed, nothing of the environment counts, and of the
answer only its status is looked at.
"""

from __future__ import annotations

import ssl
from dataclasses import dataclass

import httpx

from ingest.remote.guard import Guard
from layers.errors import RemoteRefused

_SUCCESS = range(200, 300)
GONE = 410
"""Status by which a receiver says that it wants no more."""


@dataclass(frozen=True)
class Receipt:
    """What came of a posting: the status, or a word about why there is none; `refused` when the host is not allowed."""

    status: int | None
    error: str | None = None
    refused: bool = False

    @property
    def arrived(self) -> bool:
        """Whether the receiver took the message."""
        return self.status is not None and self.status in _SUCCESS


class Postman:
    """Posts messages. A context manager's `close` ends its connections."""

    def __init__(self, guard: Guard, seconds: float) -> None:
        """Get ready; nothing is connected yet."""
        self._guard = guard
        self._http = httpx.Client(
            verify=ssl.create_default_context(),
            follow_redirects=False,
            trust_env=False,
            timeout=seconds,
            limits=httpx.Limits(max_keepalive_connections=0),
        )

    def post(self, url: str, body: bytes, headers: dict[str, str]) -> Receipt:
        """Post a body and tell what came of it; never raises for what the other side does."""
        try:
            target = self._guard.admit(url)
            fields = {
                "Host": target.host,
                "Content-Type": "application/json",
                "User-Agent": "geoservice",
                "Accept-Encoding": "identity",
                **headers,
            }
            extensions = {"sni_hostname": target.name}
            request = self._http.build_request("POST", target.url, content=body, headers=fields, extensions=extensions)
            response = self._http.send(request, stream=True)
            response.close()
        except RemoteRefused as error:
            return Receipt(None, error.detail, refused=True)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            return Receipt(None, type(error).__name__)
        return Receipt(response.status_code)

    def close(self) -> None:
        """Close the connections."""
        self._http.close()
