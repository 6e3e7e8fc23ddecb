"""Compressed bodies with an entity tag per encoding."""

from __future__ import annotations

import hashlib
from collections.abc import Container

from fastapi import Request
from starlette.responses import Response

from tiles.packing import gzipped

_WORTH_IT = 600
NOT_MODIFIED = 304
VARY = "Accept, Accept-Encoding, Accept-Language, Authorization, Cookie, X-API-Key"
VERSION = "Geoservice-Version"
"""Header that names the version of the feature that a response shows: the edition that wrote it."""
CREDENTIALS = ("authorization", "cookie", "x-api-key")


def encoded(request: Request, body: bytes, media: str, headers: dict[str, str]) -> Response:
    """A response with gzip where the client takes it and it is of use, a strong ETag per encoding, 304 for a match.

    The tag of a feature begins with its version, which the header `Geoservice-Version` names: the condition of an edit
    asks for the version alone, whatever the encoding (`geoservice.edits.conditions`).
    """
    # Images are packed already.
    packed = len(body) >= _WORTH_IT and not media.startswith("image/") and takes_gzip(request)
    version = f"{headers[VERSION]}-" if VERSION in headers else ""
    tag = f'"{version}{hashlib.blake2b(body, digest_size=12).hexdigest()}{"-gz" if packed else ""}"'
    all_headers = {
        **headers,
        "ETag": tag,
        "Vary": VARY,
        "Cache-Control": caching(headers.get("Cache-Control", "no-cache"), personal=is_personal(request.headers)),
    }
    if matches(request.headers.get("if-none-match", ""), tag):
        return Response(status_code=NOT_MODIFIED, headers=all_headers)
    if packed:
        body = gzipped(body)
        all_headers["Content-Encoding"] = "gzip"
    return Response(body, headers=all_headers, media_type=media)


def passing(request: Request, body: bytes, media: str, headers: dict[str, str]) -> Response:
    """A response that is made for one request and kept by nobody, with gzip where the client takes it."""
    headers = {**headers, "Cache-Control": "no-store", "Vary": VARY}
    if takes_gzip(request):
        body = gzipped(body)
        headers["Content-Encoding"] = "gzip"
    return Response(body, headers=headers, media_type=media)


def is_personal(names: Container[str]) -> bool:
    """Whether a request with these header fields comes from somebody in particular."""
    return any(name in names for name in CREDENTIALS)


def caching(asked: str, *, personal: bool) -> str:
    """What was made for somebody may hold what others must not see, so no shared cache may keep it."""
    return f"private, {asked}" if personal and "private" not in asked else asked


def takes_gzip(request: Request) -> bool:
    """Whether the client takes bodies in gzip."""
    for part in request.headers.get("accept-encoding", "").lower().split(","):
        name, _, weight = part.strip().partition(";")
        if name.strip() in ("gzip", "*"):
            return weight.replace(" ", "") not in ("q=0", "q=0.0", "q=0.00", "q=0.000")
    return False


def matches(header: str, tag: str) -> bool:
    """Whether an entity tag is one of those in an If-None-Match field (weak comparison, RFC 9110, 13.1.2)."""
    tags = [t.strip().removeprefix("W/") for t in header.split(",")]
    return tag in tags or header.strip() == "*"
