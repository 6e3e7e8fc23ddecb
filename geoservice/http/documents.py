"""JSON documents, and their readable HTML twin made by the portal's page builder."""

from __future__ import annotations

import json
from typing import Any

from fastapi import Request
from starlette.responses import Response

from geoservice.http.encoding import encoded
from geoservice.http.links import base_url
from geoservice.http.negotiation import HTML, JSON
from web import pages

LANGUAGE_COOKIE = "geoservice_language"


def language_of(request: Request, asked: str | None) -> str:
    """Language of a page: the one asked for, else what the browser prefers, else English."""
    if asked in ("zh", "en"):
        return asked
    header = request.headers.get("accept-language", "")
    first = header.split(",")[0].strip().lower()
    return "zh" if first.startswith("zh") else "en"


def document(
    request: Request,
    kind: str,
    body: dict[str, Any],
    chosen: str,
    lang: str | None,
    media: str = JSON,
    headers: dict[str, str] | None = None,
) -> Response:
    """A document as JSON or as a page of the same content.

    Args:
        request: The request.
        kind: Kind of page: landing, conformance, collections, collection, items, item, tilesets, tileset, api ...
        body: The JSON body.
        chosen: `html` or any other negotiated format, which is answered as JSON.
        lang: Value of `lang=`.
        media: Media type of the JSON form.
        headers: Further headers.
    """
    base = {"Cache-Control": "no-cache", **(headers or {})}
    if chosen != "html":
        text = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
        return encoded(request, text.encode(), media, base)
    page = pages.document_page(kind, body, language=language_of(request, lang), root=base_url(request))
    return encoded(request, page.html.encode(), HTML, {**base, "Content-Security-Policy": page.csp})
