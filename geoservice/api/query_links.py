"""Links of the landing page to the spatial queries."""

from __future__ import annotations

from typing import Any

from fastapi import Request

from geoservice.http.links import link, url


def query_links(request: Request) -> list[dict[str, Any]]:
    """Where the queries are described."""
    return [link(url(request, "/api", f="html"), "related", "text/html", "Spatial queries")]
