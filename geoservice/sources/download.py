"""Download one file over HTTPS: size limit, resume of a broken transfer, checksum, all or nothing.

A transfer goes to `<name>.part`; its address and validator stand in `<name>.part.json`. A later call asks for the
rest (RFC 9110, clause 14: Range with If-Range). A file takes its name only when it is complete and its checksum is
right. Addresses come from the registry, never from a request.
"""

from __future__ import annotations

import http.client
import ipaddress
import json
import os
import re
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit

from geoservice.sources.errors import ChecksumMismatch, DownloadFailed
from geoservice.sources.mirror import sha256_of

Progress = Callable[[int, int | None], None]
DEFAULT_LIMIT = 4 << 30
_BLOCK = 1 << 18
_TIMEOUT = 30.0
_PARTIAL, _OUT_OF_RANGE = 206, 416
_RANGE = re.compile(r"^bytes (\d+)-\d+/(\d+|\*)$")
_NETWORK_ERRORS = (urllib.error.URLError, http.client.HTTPException, TimeoutError, ConnectionError)


@dataclass(frozen=True)
class Download:
    """What is fetched: address, goal, expected SHA-256 (None = not known) and most bytes."""

    url: str
    target: Path
    sha256: str | None = None
    limit: int = DEFAULT_LIMIT

    @property
    def part(self) -> Path:
        """File of an unfinished transfer."""
        return self.target.with_name(self.target.name + ".part")

    @property
    def note(self) -> Path:
        """File with address and validator of the unfinished transfer."""
        return self.target.with_name(self.target.name + ".part.json")


def download(job: Download, progress: Progress | None = None) -> int:
    """Fetch a file, going on with an earlier transfer where that is safe.

    Args:
        job: What to fetch.
        progress: Called with bytes so far and total bytes (None when the server does not say).

    Returns:
        Number of bytes that an earlier, broken transfer had already brought.

    Raises:
        DownloadFailed: When the provider is away or refuses, the transfer breaks off, or it exceeds the limit.
        ChecksumMismatch: When the complete file is not what was expected; it is removed.
    """
    require_safe(job.url)
    job.target.parent.mkdir(parents=True, exist_ok=True)
    start = _resumable(job)
    try:
        start = _transfer(job, start, progress)
    except _NETWORK_ERRORS as error:
        raise DownloadFailed(f"{job.url} could not be fetched: {_reason(error)}. Run again to go on.") from error
    _finish(job)
    return start


def require_safe(url: str) -> None:
    """Accept https addresses, and http ones on this very machine only.

    Raises:
        DownloadFailed: For any other address.
    """
    parts = urlsplit(url)
    if parts.scheme == "https" or (parts.scheme == "http" and _is_loopback(parts.hostname)):
        return
    raise DownloadFailed(f"{url} is not an https address; nothing is fetched.")


def _is_loopback(host: str | None) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host or "").is_loopback
    except ValueError:
        return False


class _SafeRedirects(urllib.request.HTTPRedirectHandler):
    """Follows redirects to safe addresses only (no way down from https to http)."""

    max_redirections = 5

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: Any, newurl: str
    ) -> urllib.request.Request | None:
        require_safe(newurl)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _resumable(job: Download) -> int:
    """Bytes of an earlier transfer that may be kept; without a validator or checksum nothing may."""
    note = _read_note(job)
    same = note.get("url") == job.url and (note.get("validator") or job.sha256)
    if not same or not job.part.is_file():
        _forget(job)
        return 0
    return job.part.stat().st_size


def _read_note(job: Download) -> dict[str, Any]:
    try:
        note = json.loads(job.note.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return note if isinstance(note, dict) else {}


def _forget(job: Download) -> None:
    job.part.unlink(missing_ok=True)
    job.note.unlink(missing_ok=True)


def _transfer(job: Download, start: int, progress: Progress | None) -> int:
    opener = urllib.request.build_opener(_SafeRedirects)
    try:
        response = opener.open(_request(job, start), timeout=_TIMEOUT)
    except urllib.error.HTTPError as error:
        error.close()
        if start and error.code == _OUT_OF_RANGE:
            return _after_416(job, error, start, progress)
        raise DownloadFailed(f"{job.url} answered {error.code} {error.reason}.", status=error.code) from error
    with response:
        kept = start if _continues(response, start) else 0
        _write(job, response, kept, progress)
    return kept


def _request(job: Download, start: int) -> urllib.request.Request:
    # require_safe has checked the scheme.
    request = urllib.request.Request(job.url, headers={"User-Agent": "geoservice", "Accept-Encoding": "identity"})  # noqa: S310
    if start:
        request.add_header("Range", f"bytes={start}-")
        validator = _read_note(job).get("validator")
        if validator:
            request.add_header("If-Range", str(validator))
    return request


def _after_416(job: Download, error: urllib.error.HTTPError, start: int, progress: Progress | None) -> int:
    total = str(error.headers.get("Content-Range", "")).rpartition("/")[2]
    if total == str(start):
        return start
    _forget(job)
    return _transfer(job, 0, progress)


def _continues(response: http.client.HTTPResponse, start: int) -> bool:
    if not start or response.status != _PARTIAL:
        return False
    found = _RANGE.match(response.headers.get("Content-Range", ""))
    if found is None or int(found.group(1)) != start:
        raise DownloadFailed("The server answered a part that was not asked for.")
    return True


def _write(job: Download, response: http.client.HTTPResponse, start: int, progress: Progress | None) -> None:
    length = response.headers.get("Content-Length")
    total = start + int(length) if length and length.isdigit() else None
    if total is not None and total > job.limit:
        raise DownloadFailed(f"{job.url} has {total} bytes; the limit is {job.limit}.", limit=job.limit)
    if start == 0:
        _write_note(job, response)
    done = start
    with job.part.open("ab" if start else "wb") as handle:
        while block := response.read(_BLOCK):
            done += len(block)
            if done > job.limit:
                handle.close()
                _forget(job)
                raise DownloadFailed(f"{job.url} sends more than the limit of {job.limit} bytes.", limit=job.limit)
            handle.write(block)
            if progress is not None:
                progress(done, total)
        handle.flush()
        os.fsync(handle.fileno())
    if total is not None and done < total:
        raise DownloadFailed(f"{job.url} broke off after {done} of {total} bytes. Run again to go on.")


def _write_note(job: Download, response: http.client.HTTPResponse) -> None:
    etag = response.headers.get("ETag", "")
    # A weak validator must not be used with If-Range (RFC 9110, clause 13.1.5).
    strong = etag if etag and not etag.startswith("W/") else ""
    note = {"url": job.url, "validator": strong or response.headers.get("Last-Modified")}
    job.note.write_text(json.dumps(note), encoding="utf-8")


def _finish(job: Download) -> None:
    if job.sha256 is not None:
        found = sha256_of(job.part)
        if found != job.sha256:
            _forget(job)
            raise ChecksumMismatch(
                f"{job.url} has SHA-256 {found}, expected {job.sha256}; the file was not kept.", url=job.url
            )
    job.part.replace(job.target)
    job.note.unlink(missing_ok=True)


def _reason(error: BaseException) -> str:
    reason = getattr(error, "reason", None) or error
    return str(reason) or type(reason).__name__
