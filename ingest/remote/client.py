"""HTTP for remote sources: guarded, pinned, limited, patient. Nothing comes from the environment."""

from __future__ import annotations

import email.utils
import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Self
from urllib.parse import urljoin

import httpx

from ingest.remote.guard import Guard, Target, redacted
from layers.errors import RemoteRefused, RemoteUnavailable

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_PATIENCE = frozenset({429, 502, 503, 504})
_MOST_REDIRECTS = 5
_LONGEST_WAIT = 60.0
_IDENTITY = ("", "identity")
_TIMEOUT = 30.0
_OK, _NOT_MODIFIED = 200, 304


@dataclass(frozen=True)
class RemoteLimits:
    """What one snapshot may take: seconds, bytes, bytes of one page, pages, attempts per page, features per page."""

    seconds: float = 3600.0
    total: int = 4 << 30
    page: int = 64 << 20
    pages: int = 100_000
    attempts: int = 5
    page_size: int = 1000


@dataclass(frozen=True)
class Answer:
    """A page: its bytes, the address that gave it after redirects, and the media type.

    `etag` and `modified` are its validators; `unchanged` says that it is the one that the conditions name.
    """

    body: bytes
    url: str
    media: str
    etag: str | None = None
    modified: str | None = None
    unchanged: bool = False


class Client:
    """Fetches pages of one snapshot. A context manager."""

    def __init__(
        self, guard: Guard, limits: RemoteLimits | None = None, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        """Get ready; nothing is connected yet."""
        self.limits = limits or RemoteLimits()
        self._guard = guard
        self._sleep = sleep
        self._deadline = time.monotonic() + self.limits.seconds
        self._bytes = 0
        self.pages = 0
        # The system's authorities decide; the connection goes to an address, the certificate must bear the name.
        self._http = httpx.Client(
            verify=ssl.create_default_context(), follow_redirects=False, trust_env=False, timeout=_TIMEOUT
        )

    def __enter__(self) -> Self:
        """The client itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close its connections."""
        self._http.close()

    def get(self, url: str, accept: str, conditions: Mapping[str, str] | None = None) -> Answer:
        """Fetch one page.

        Args:
            url: Where.
            accept: Value of the Accept header.
            conditions: Headers by which a page that is known already is not sent again.

        Raises:
            RemoteRefused: When the address, or one that it redirects to, is not allowed.
            RemoteUnavailable: When the server does not answer, or a limit is exceeded.
        """
        self.pages += 1
        if self.pages > self.limits.pages:
            raise RemoteUnavailable(f"{redacted(url)} has more than the {self.limits.pages} pages allowed.")
        for _ in range(_MOST_REDIRECTS + 1):
            found = self._patiently(self._guard.admit(url), accept, conditions or {})
            if isinstance(found, Answer):
                return found
            if url.startswith("https:") and not found.startswith("https:"):
                raise RemoteRefused(f"{redacted(url)} redirects from https to an address that is not.")
            url = found
        raise RemoteUnavailable(f"{redacted(url)} redirects more than {_MOST_REDIRECTS} times.")

    def _patiently(self, target: Target, accept: str, conditions: Mapping[str, str]) -> Answer | str:
        """One page or the address of a redirect; servers that are busy are asked again."""
        why = ""
        for attempt in range(self.limits.attempts):
            if time.monotonic() > self._deadline:
                break
            try:
                found = self._once(target, accept, conditions)
            except httpx.TransportError as error:
                why, wait = f"cannot be reached ({type(error).__name__})", 2.0**attempt
            else:
                if not isinstance(found, int | float):
                    return found
                why, wait = "is busy", found if found >= 0 else 2.0**attempt
            if attempt + 1 < self.limits.attempts:
                self._sleep(min(wait, _LONGEST_WAIT, max(0.0, self._deadline - time.monotonic())))
        if time.monotonic() > self._deadline:
            why = f"took longer than the {self.limits.seconds:g} s allowed"
        raise RemoteUnavailable(f"{redacted(target.original)} {why or 'does not answer'}; nothing was loaded.")

    def _once(self, target: Target, accept: str, conditions: Mapping[str, str]) -> Answer | str | float:
        """A page, the address of a redirect, or seconds to wait (negative: the server did not say)."""
        headers = {
            "Host": target.host,
            "Accept": accept,
            "Accept-Encoding": "identity",
            "User-Agent": "geoservice",
            "Cookie": "",
            **conditions,
        }
        self._http.cookies.clear()
        extensions = {"sni_hostname": target.name}
        with self._http.stream("GET", target.url, headers=headers, extensions=extensions) as response:
            if response.status_code in _REDIRECTS and "Location" in response.headers:
                return urljoin(target.original, str(response.headers["Location"]))
            if response.status_code == _NOT_MODIFIED and conditions:
                return Answer(b"", target.original, "", unchanged=True)
            if response.status_code in _PATIENCE:
                return _seconds(response.headers.get("Retry-After"))
            if response.status_code != _OK:
                raise RemoteUnavailable(
                    f"{redacted(target.original)} answered {response.status_code}; nothing was loaded.",
                    status=response.status_code,
                )
            if response.headers.get("Content-Encoding", "") not in _IDENTITY:
                raise RemoteUnavailable(f"{redacted(target.original)} answers compressed, which was not asked for.")
            validators = (response.headers.get("ETag"), response.headers.get("Last-Modified"))
            media = response.headers.get("Content-Type", "")
            return Answer(self._body(response, target), target.original, media, *validators)

    def _body(self, response: httpx.Response, target: Target) -> bytes:
        parts: list[bytes] = []
        size = 0
        for block in response.iter_raw():
            size += len(block)
            self._bytes += len(block)
            if size > self.limits.page or self._bytes > self.limits.total:
                limit = self.limits.page if size > self.limits.page else self.limits.total
                raise RemoteUnavailable(f"{redacted(target.original)} sends more than the {limit} bytes allowed.")
            if time.monotonic() > self._deadline:
                raise RemoteUnavailable(
                    f"{redacted(target.original)} took longer than the {self.limits.seconds:g} s allowed."
                )
            parts.append(block)
        return b"".join(parts)


def _seconds(text: str | None) -> float:
    """Seconds of a Retry-After header, which is a number or a date (RFC 9110, 10.2.3); -1 when it says nothing."""
    if text is None:
        return -1.0
    if text.strip().isdecimal():
        return float(text.strip())
    try:
        return max(0.0, email.utils.parsedate_to_datetime(text).timestamp() - time.time())
    except (ValueError, TypeError):
        return -1.0
